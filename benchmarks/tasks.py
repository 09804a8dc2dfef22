"""Every task on real data: a search, and the score of its answer computed a second time.

python benchmarks/tasks.py                all trials; goes on where an earlier call ended
python benchmarks/tasks.py --fresh        the same from the beginning
python benchmarks/tasks.py --only trec    the trials whose name contains this; writes nothing

Reads ../shared/data and ../shared/zoo, and Fashion-MNIST where Debian puts it (`--root FOLDER` for
an unpacked package). Where the zoo has no model for a task, toys are trained: task_models.py.
Writes benchmarks/results/tasks.json and tasks.md.
"""

import os

os.environ.update(
    OMP_NUM_THREADS="1", OMP_WAIT_POLICY="PASSIVE", HF_HUB_OFFLINE="1"
)  # before torch

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import task_data as data
import task_models as models
import task_scores as scores
from task_tables import report

import recommender
from recommender import Recommendation
from recommender.recommendation import Outcome

RESULTS = Path(__file__).with_name("results")
TRAINS = 1500
"""Rows that a text classifier is trained with."""

GRAPHS, WRITERS = ("onnxruntime",), ("torch",)
FEW_TOKENS = {"max_new_tokens": scores.MAX_NEW_TOKENS}
NER_NAMES = {"PER": "person", "LOC": "location"}


@dataclass(frozen=True, slots=True)
class Setting:
    """The rows as `find` is given them, and a folder of models."""

    data: Path
    zoo: Path


@dataclass(frozen=True, slots=True)
class Trial:
    """One search. `prepare` fills a folder; `score` computes the metric without our code.

    With several targets, each is asked in turn, and then every candidate is measured on every row.
    """

    name: str
    task: str
    models: str
    metric: str
    targets: tuple[float, ...]
    prepare: Callable[[Path], Setting | None]
    score: scores.Score
    backends: tuple[str, ...] = GRAPHS
    asked: Mapping[str, Any] = field(default_factory=dict)


def zoo_of(prefix: str, folder: Path) -> Path:
    """A folder with links to the zoo's models of a name."""
    place = folder / "zoo"
    place.mkdir(exist_ok=True)
    for model in sorted(data.ZOO.glob(f"{prefix}*")):
        if not (place / model.name).exists():
            (place / model.name).symlink_to(model)
    return place


def trained(folder: Path, make: Callable[[Path], Any]) -> Path:
    """A folder of toys, made once."""
    place = folder / "toys"
    if not place.is_dir():
        part = folder / "toys.part"
        make(part)
        part.rename(place)
    return place


def labelled_texts(read: Callable[[Path], tuple[Path, data.Rows]], folder: Path) -> Setting:
    """Rows to classify, and MiniLM's first one and three layers with a trained head."""
    file, train = read(folder)
    rows = data.shuffled(train, TRAINS)
    make = partial(models.text_classifiers, rows=rows, n_layers=(1, 3))
    return Setting(file, trained(folder, make))


def trials(root: Path) -> list[Trial]:
    heads = "toys: 1 and 3 layers of MiniLM, frozen, with a trained head"
    texts, images = "text-classification", "image-classification"

    def topics(folder: Path) -> tuple[Path, data.Rows]:
        return data.ag_news(folder, 2000)

    def questions(folder: Path) -> Setting:
        file, train = data.xquad(folder)
        return Setting(
            file, trained(folder, partial(models.readers, rows=train[:400], n_layers=(1, 2)))
        )

    def summaries(folder: Path) -> Setting:
        file, train = data.dialogsum(folder, 100)
        make = partial(models.writers, rows=train, widths=(32, 64), epochs=3, task="summarization")
        return Setting(file, trained(folder, make))

    def captions(folder: Path) -> Setting:
        file, train = data.multi30k(folder, 200)
        make = partial(models.writers, rows=train, widths=(32, 64), epochs=6, task="translation")
        return Setting(file, trained(folder, make))

    def fashion(folder: Path) -> Setting | None:
        file = data.fashion(folder, root, 4000)
        return None if file is None else Setting(file, zoo_of("fmnist", folder))

    def digits(folder: Path) -> Setting:
        file, (pixels, classes) = data.digits(folder)
        make = partial(models.image_classifiers, pixels=pixels, classes=classes, widths=(8, 16, 32))
        return Setting(file, trained(folder, make))

    def spoken(folder: Path) -> Setting:
        file, train = data.spoken_digits(folder)
        make = partial(models.sound_classifiers, rows=train, widths=(32, 64))
        return Setting(file, trained(folder, make))

    def alike(folder: Path) -> Setting:
        make = partial(models.encoders, n_layers=(1, 3, 6))
        return Setting(data.DATA / "stsb" / "dev.tsv", trained(folder, make))

    def entities(folder: Path) -> Setting:
        return Setting(data.DATA / "wnut17" / "emerging.dev.conll", zoo_of("ner", folder))

    return [
        Trial("images: Fashion-MNIST", images, "the zoo's four", "accuracy", (0.75, 0.82, 0.85),
              fashion, scores.accuracy_of_images),
        Trial("images: digits", images, "toys: three vision transformers", "accuracy",
              (0.5, 0.75, 0.8), digits, scores.accuracy_of_images),
        Trial("entities: WNUT-17", "token-classification",
              "the zoo's two, trained on CoNLL-2003", "f1", (0.15, 0.2, 0.3), entities,
              scores.f1_of_entities(NER_NAMES)),
        Trial("sentiment: SST-2", texts, "the zoo's seven", "accuracy", (0.8,),
              lambda folder: Setting(data.sst2(folder), zoo_of("sst2", folder)),
              scores.accuracy_of_texts(scores.tab_separated),
              asked={"label_map": {"0": "negative", "1": "positive"}}),
        Trial("topics: AG News", texts, heads, "accuracy", (0.8,),
              partial(labelled_texts, topics),
              scores.accuracy_of_texts(scores.second_and_third_column)),
        Trial("question types: TREC", texts, heads, "accuracy", (0.75,),
              partial(labelled_texts, data.trec),
              scores.accuracy_of_texts(scores.label_first)),
        Trial("intents: Banking77", texts, heads, "accuracy", (0.65,),
              partial(labelled_texts, data.banking77),
              scores.accuracy_of_texts(scores.with_header)),
        Trial("intents: CLINC150", texts, heads, "accuracy", (0.65,),
              partial(labelled_texts, data.clinc150),
              scores.accuracy_of_texts(scores.split_test)),
        Trial("similarity: STS-B", "sentence-similarity", "MiniLM cut to 1, 3 and 6 layers",
              "spearman", (0.75,), alike, scores.spearman),
        Trial("questions: XQuAD", "question-answering",
              "toys: 1 and 2 layers of MiniLM, taught on 400 questions", "f1", (0.02,), questions,
              scores.span_f1),
        Trial("summaries: DialogSum", "summarization", "toys: two T5s from nothing", "rougeL",
              (0.1,), summaries, scores.rouge_l, WRITERS, {"task_options": FEW_TOKENS}),
        Trial("translation: Multi30k", "translation", "toys: two T5s from nothing", "chrf",
              (0.1,), captions, scores.chrf, WRITERS, {"task_options": FEW_TOKENS}),
        Trial("sounds: spoken digits", "audio-classification", "toys: two spectrogram transformers",
              "accuracy", (0.5,), spoken, scores.accuracy_of_sounds),
    ]  # fmt: skip


# ---------------------------------------------------------------------- one trial
def run(trial: Trial, folder: Path) -> dict[str, Any] | None:
    """What a trial found, as JSON; None where its data is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    setting = trial.prepare(folder)
    if setting is None:
        return None
    how: dict[str, Any] = {
        "sources": [f"folder:{setting.zoo}"], "backends": trial.backends,
        "home": folder / "home", **trial.asked,
    }  # fmt: skip
    answers = [search(trial, setting, how, target) for target in trial.targets]
    found = [answer for _, answer in answers if answer.choice is not None]
    chosen = found[0].choice if found else None
    if answers[0][1].plan.mode == "open":  # its rows answer no second question
        how["home"] = folder / "measured"
    every = measured(trial, setting, how, chosen)
    twice = None if chosen is None else checked(trial, setting, chosen, every)
    first = answers[0][1]
    return {
        "name": trial.name, "task": trial.task, "models": trial.models, "metric": trial.metric,
        "n_rows": first.plan.n_rows, "n_units": first.plan.n_units,
        "n_candidates": first.plan.n_candidates,
        "answers": [summary(trial, answer, seconds) for seconds, answer in answers],
        "twice": twice,
        "candidates": [figures(outcome, trial.metric) for outcome in every.candidates],
    }  # fmt: skip


def search(
    trial: Trial, setting: Setting, how: Mapping[str, Any], target: float
) -> tuple[float, Recommendation]:
    """Wall seconds of one `find`, and its answer."""
    start = time.perf_counter()
    answer = recommender.find(setting.data, f"{trial.metric} >= {target:g}", task=trial.task, **how)
    return time.perf_counter() - start, answer


def measured(
    trial: Trial, setting: Setting, how: Mapping[str, Any], chosen: Outcome | None
) -> Recommendation:
    """Every candidate on every row; only the chosen model's where one target was asked."""
    wanted = [chosen.model] if chosen and len(trial.targets) == 1 else []
    metrics = () if trial.metric == "accuracy" else (trial.metric,)
    return recommender.measure(setting.data, task=trial.task, models=wanted, metrics=metrics, **how)


def checked(
    trial: Trial, setting: Setting, chosen: Outcome, every: Recommendation
) -> dict[str, Any]:
    """The chosen model in fp32: by us, and by transformers and the metric's own library."""
    import torch

    torch.set_num_threads(1)
    whole = next(
        one for one in every.candidates
        if one.model == chosen.model and one.recipe.name.endswith("fp32")
    )  # fmt: skip
    start = time.perf_counter()
    with torch.inference_mode():
        again = trial.score(setting.zoo / chosen.model, setting.data)
    return {
        "model": whole.name, "ours": whole.value(trial.metric), "independent": again,
        "seconds": round(time.perf_counter() - start, 1),
    }  # fmt: skip


def summary(trial: Trial, answer: Recommendation, seconds: float) -> dict[str, Any]:
    """One search in figures."""
    choice = answer.choice
    return {
        "asked": answer.plan.requirements[0], "seconds": round(seconds, 1),
        "choice": None if choice is None else figures(choice, trial.metric),
        "tried": [figures(one, trial.metric) for one in answer.candidates if one.n_rows],
    }  # fmt: skip


def figures(outcome: Outcome, metric: str) -> dict[str, Any]:
    """One candidate in figures."""
    return {
        "name": outcome.name, "size_mb": outcome.value("size_mb") or outcome.predicted_size_mb,
        "score": outcome.quality(metric), "certified": outcome.lower,
        "verdict": str(outcome.verdict), "n_rows": outcome.n_rows, "state": str(outcome.state),
    }  # fmt: skip


# ---------------------------------------------------------------------- all of them
def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--fresh", action="store_true", help="forget the results so far")
    parser.add_argument("--only", default="", help="trials whose name contains this; no file")
    parser.add_argument("--root", type=Path, default=Path("/"), help="of the unpacked package")
    parser.add_argument("--folder", type=Path, help="keeps rows, toys and homes")
    options = parser.parse_args()
    kept = RESULTS / "tasks.json"
    done: dict[str, Any] = {}
    if kept.exists() and not options.fresh and not options.only:
        done = json.loads(kept.read_text("utf-8"))
    with tempfile.TemporaryDirectory(prefix="benchmark-") as temporary:
        folder = options.folder or Path(temporary)
        for trial in trials(options.root):
            if trial.name not in done and options.only in trial.name:
                go_on(trial, folder, done)
                if not options.only:
                    kept.write_text(json.dumps(done, indent=1) + "\n", encoding="utf-8")
    text = report(done, [trial.name for trial in trials(options.root)])
    print(text)
    if not options.only:
        (RESULTS / "tasks.md").write_text(text, encoding="utf-8")


def go_on(trial: Trial, folder: Path, done: dict[str, Any]) -> None:
    """Add what a trial found to what is known."""
    start = time.perf_counter()
    place = folder / "".join(letter if letter.isalnum() else "-" for letter in trial.name)
    found = run(trial, place.absolute())
    if found is not None:
        done[trial.name] = found | {"seconds": round(time.perf_counter() - start)}
    told = "its data is not here" if found is None else f"{done[trial.name]['seconds']} s"
    print(f"{trial.name}: {told}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
