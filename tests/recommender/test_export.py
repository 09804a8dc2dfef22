"""The choice as a folder that runs without this project, and its card."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from huggingface_hub import ModelCard, parse_eval_result_entries

from cache.errors import BadInput, NotFound
from cache.paths import Home
from catalog.model import Model
from catalog.repository import read_repository
from evaluators.artifact import artifact_folder, build_artifact, build_graph, graph_folder
from evaluators.candidate import Candidate, Recipe
from evaluators.labels import LabelMap
from evaluators.measurement import CandidateFailed, Measurement, State
from evaluators.plugins import recipe_method, task_method
from evaluators.serving import Padding, Serving
from evaluators.task import TEXT_CLASSIFICATION, Task
from evaluators.testing import make_bert
from recommender import Recommendation
from recommender.evidence.verdict import Verdict
from recommender.exports.folder import Exported, load_folder
from recommender.exports.scripts import script_for
from recommender.recommendation import Claim, Outcome, Plan
from recommender.reports.card import (
    card_of,
    command_without_places,
    eval_results,
    render,
    without_places,
)
from tests.conftest import RunCommand, edit_config, make_rows, nightly
from tests.evaluators.tasks.makers import make_reader, question_rows
from tests.evaluators.tasks.test_images import make_eye, write_pictures
from tests.evaluators.tasks.test_pairs import make_judge, make_topics, pair_rows, several_rows

Found = tuple[Recommendation, Path]

OURS = ("recommender", "evaluators", "catalog", "cache")
DAILY = ("torch-int8", "onnxruntime-int8", "openvino-fp32")
NIGHTLY = ("torch-fp32", "torch-bf16", "onnxruntime-fp32", "openvino-bf16", "openvino-int8")
TEXTS = (
    *(row["text"] for row in make_rows(70, seed=5)),
    "",
    "A GOOD film .",
    "half a surrogate \ud800 is good",
    "the plot is slow but the music is fine and the actor was never bad " * 6,
)
"""Of several batches and lengths, one longer than the model reads."""

BLOCKER = f"""
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {OURS!r}:
            raise ImportError(name + " is not installed")

sys.meta_path.insert(0, Blocked())
"""

DRIVER = """
import json, runpy, sys
given = json.load(sys.stdin)
given = {folder: [tuple(one) if isinstance(one, list) else one for one in inputs]
         for folder, inputs in given.items()}
told = {}
for folder, inputs in given.items():
    recipe = runpy.run_path(folder + "/recipe.py")
    first = [recipe["logits"]([one])[0].tolist() for one in inputs[:3]]
    told[folder] = [recipe["predict"](inputs), first]
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process that cannot import this project."""
    folder = tmp_path_factory.mktemp("blocked")
    (folder / "sitecustomize.py").write_text(BLOCKER, "utf-8")
    return {**os.environ, "PYTHONPATH": str(folder), "HF_HUB_OFFLINE": "1"}


def ran(arguments: Sequence[object], environment: dict[str, str], given: str = "") -> str:
    """What a fresh Python process printed, that was started anywhere but here."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], env=environment, input=given, cwd="/",
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def chosen(
    answer: Recommendation, source: Path, name: str, home: Path, *,
    task: Task = TEXT_CLASSIFICATION, names: Sequence[str | None] = (),
) -> Recommendation:  # fmt: skip
    """The same search with another choice: a repository in a recipe, built into a home."""
    assert answer.choice is not None
    model = read_repository(source, id=f"team/{source.name}", source="hub")
    (recipe,) = recipe_method(name).recipes(model)
    artifacts = Home(home).artifacts
    candidate = Candidate(model, recipe, 1.0, 0.0)
    graph = graph_folder(artifacts, candidate, task)
    if recipe_method(name).needs_graph:
        build_graph(source, graph, task=task, texts=())
    folder = artifact_folder(artifacts, candidate, task)
    build_artifact(recipe, source, folder, graph=graph, task=task, texts=())
    choice = replace(
        answer.choice, model=model.id, revision=model.revision, source="hub", recipe=recipe,
        labels=LabelMap(tuple(names), "by hand"),
    )  # fmt: skip
    return replace(
        answer,
        choice=choice,
        data={**answer.data, "task": task.to_json()},
        environment={**answer.environment, "home": str(home)},
    )


@dataclass(frozen=True)
class Case:
    """One export, what it is asked, what is answered here, and the scores of the first inputs."""

    written: Exported
    inputs: Sequence[Any]
    expected: Any
    scores: list[list[float]]


def case(result: Recommendation, folder: Path, inputs: Sequence[Any], scripted: Any = None) -> Case:
    ready: Any = result.load()  # a classifier, or one behind an answerer
    asked = ready if hasattr(ready, "scores") else ready.answerer.classifier
    scores = [asked.scores([one])[0].tolist() for one in inputs[:3]]
    return Case(result.export(folder), list(scripted or inputs), ready(inputs), scores)


@pytest.fixture(scope="module")
def cases(found: Found, zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    """Every recipe that is installed, on texts; pairs, several labels and images in some."""
    answer, home = found
    folder = tmp_path_factory.mktemp("exports")
    made = {}
    for name in (*DAILY, *(NIGHTLY if os.environ.get("RECOMMENDER_NIGHTLY") == "1" else ())):
        try:
            result = chosen(
                answer, zoo / "team" / "good", name, home, names=("negative", "positive")
            )
        except (CandidateFailed, ValueError):  # not installed, or no bfloat16 here
            continue
        made[name] = case(result, folder / name, TEXTS)
    made |= _other_cases(answer, home, folder)
    return made


def _other_cases(answer: Recommendation, home: Path, folder: Path) -> dict[str, Case]:
    models = folder / "models"
    guessing = make_bert(models / "guessing", labels=("yes", "maybe", "no"))
    half = chosen(answer, guessing, "onnxruntime-int8", home, names=("good", None, "bad"))
    pairs = [(row["premise"], row["hypothesis"]) for row in pair_rows(40, seed=1)]
    requests = [{"text": first, "text_pair": second} for first, second in pairs]
    judge = chosen(
        answer, make_judge(models / "judge", steps=0), "onnxruntime-int8", home,
        task=Task("text-classification", options={"text_pair": True}), names=("no", "yes"),
    )  # fmt: skip
    kinds = {"several_labels": True, "labels": ["animal", "city"]}
    several = make_topics(models / "topics", steps=5)
    edit_config(several, id2label={"0": "Colour", "1": "Animal", "2": "CITY"})
    topics = chosen(
        answer, several, "onnxruntime-int8", home,
        task=Task("text-classification", options=kinds),
    )  # fmt: skip
    pictures = sorted(write_pictures(folder / "pictures", 40, seed=1).rglob("*.png"))
    eye = chosen(
        answer, make_eye(models / "eye", steps=5), "onnxruntime-int8", home,
        task=Task("image-classification", max_length=0), names=("left", "right"),
    )  # fmt: skip
    texts = [row["text"] for row in several_rows(40, seed=1)]
    return {
        "answers that the data lacks": case(half, folder / "half", TEXTS),
        "pairs": case(judge, folder / "judge", requests, pairs),
        "several labels": case(topics, folder / "topics", texts),
        "images": case(eye, folder / "eye", pictures, [str(file) for file in pictures]),
    }


@pytest.fixture(scope="module")
def answers(cases: dict[str, Case], elsewhere: dict[str, str]) -> dict[str, Any]:
    """What one fresh process answers with the scripts of all exports."""
    given = {str(each.written.folder): list(each.inputs) for each in cases.values()}
    told = json.loads(ran(["-c", DRIVER], elsewhere, json.dumps(given)))
    return {name: told[str(each.written.folder)] for name, each in cases.items()}


OTHERS = ("answers that the data lacks", "pairs", "several labels", "images")


@pytest.mark.parametrize(
    "name", [*DAILY, *OTHERS, *(pytest.param(name, marks=nightly) for name in NIGHTLY)]
)
def test_an_export_answers_as_it_was_measured(
    name: str, cases: dict[str, Case], answers: dict[str, Any]
) -> None:
    """Its own scripts, in a process without this project, on all rows."""
    if name not in cases:
        pytest.skip(f"{name} cannot be built here")
    assert cases[name].written.script.is_plain
    labels, scores = answers[name]
    assert labels == cases[name].expected
    assert len(set(map(str, labels))) > 1
    np.testing.assert_allclose(scores, cases[name].scores, rtol=1e-4, atol=1e-5)


def test_this_project_is_really_out_of_reach(elsewhere: dict[str, str]) -> None:
    """Else the test above would show nothing."""
    with pytest.raises(AssertionError, match="is not installed"):
        ran(["-c", "import recommender"], elsewhere)


def test_predict_reads_arguments_and_lines(
    cases: dict[str, Case], elsewhere: dict[str, str]
) -> None:
    """One answer a line; an answer that is none of the data's labels is an empty line."""
    half = cases["answers that the data lacks"]
    texts, expected = TEXTS[:40], [label or "" for label in half.expected[:40]]
    assert "" in expected
    script = half.written.folder / "predict.py"
    by_itself = [label or "" for label in load_folder(half.written.folder)(list(texts))]
    assert ran([script, *texts], elsewhere).splitlines() == by_itself
    lines = "".join(f"{text}\n" for text in texts)
    assert ran([script], elsewhere, lines).splitlines() == by_itself


def test_predict_reads_pairs(cases: dict[str, Case], elsewhere: dict[str, str]) -> None:
    """Two arguments are one input, or two parts of a line with a tab between."""
    pairs = cases["pairs"]
    script = pairs.written.folder / "predict.py"
    flat = [text for pair in pairs.inputs for text in pair]
    assert ran([script, *flat], elsewhere).splitlines() == pairs.expected
    lines = "".join(f"{first}\t{second}\n" for first, second in pairs.inputs)
    assert ran([script], elsewhere, lines).splitlines() == pairs.expected


@pytest.mark.parametrize("strange", ["missing.png", "no picture.png"])
def test_a_file_that_is_no_picture_is_told_in_one_line(
    cases: dict[str, Case], elsewhere: dict[str, str], tmp_path: Path, strange: str
) -> None:
    """With its name and exit code 2; nothing is answered."""
    (tmp_path / "no picture.png").write_text("text")
    images = cases["images"]
    done = subprocess.run(
        [sys.executable, images.written.folder / "predict.py", images.inputs[0], strange],
        cwd=tmp_path, env=elsewhere, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    assert strange in last
    assert "Traceback" not in done.stderr


def test_the_script_to_call_is_ten_lines(cases: dict[str, Case]) -> None:
    """`predict.py` is short, and nothing in either script is wider than 100 characters."""
    for each in cases.values():
        files = each.written.script.files
        assert len([line for line in files["predict.py"].splitlines() if line]) <= 10
        assert max(len(line) for text in files.values() for line in text.splitlines()) <= 100


def test_labels_are_in_the_users_words(cases: dict[str, Case]) -> None:
    """By output, null where the data has none; several labels by the data's own spelling."""
    labels = {name: json.loads((each.written.folder / "labels.json").read_text())
              for name, each in cases.items()}  # fmt: skip
    assert labels["answers that the data lacks"] == {
        "labels": ["good", None, "bad"], "outputs": ["yes", "maybe", "no"],
    }  # fmt: skip
    assert labels["several labels"]["labels"] == [None, "animal", "city"]


def test_requirements_have_exact_versions(cases: dict[str, Case]) -> None:
    """Of what the scripts import, without a local part that no index knows."""
    from importlib.metadata import version

    int8 = cases["torch-int8"].written.folder / "requirements.txt"
    assert f"torch=={version('torch').partition('+')[0]}\n" in int8.read_text()
    images = (cases["images"].written.folder / "requirements.txt").read_text()
    assert {line.partition("==")[0] for line in images.splitlines()} >= {"pillow", "onnxruntime"}
    assert "recommender" not in images


def test_nothing_of_this_machine_or_of_the_rows_is_written(
    cases: dict[str, Case], found: Found, zoo: Path, data: Path
) -> None:
    """No path of a home or a source, and no text of a row; nothing is a link."""
    rows = [row["text"] for row in make_rows(300, seed=1) if len(row["text"]) > 40]
    folders = (found[1], zoo, data.parent, Path.home(), Path(sys.prefix), Path.cwd())
    for each in cases.values():
        for file in each.written.folder.rglob("*"):
            assert not file.is_symlink()
            content = file.read_bytes() if file.is_file() else b""
            assert not [str(place) for place in folders if str(place).encode() in content]
            assert not [row for row in rows if row.encode() in content]


# ---------------------------------------------------------------------------------- the command
def test_the_command_writes_the_same_as_the_method(
    found: Found, run_command: RunCommand, tmp_path: Path
) -> None:
    """It lists the files with their sizes and says what to type next."""
    answer, home = found
    code, out, _ = run_command("export", "latest", tmp_path / "winner", home=home)
    assert code == 0
    assert answer.choice is not None
    assert out.splitlines()[1].startswith(f"{answer.choice.name}: ")
    for part in ("model.int8.safetensors", "kB", "pip install -r requirements.txt",
                 'python predict.py "a text" "another"'):  # fmt: skip
        assert part in out
    assert not list(tmp_path.glob(".*"))
    written = answer.export(tmp_path / "same")
    for name, _ in written.files:
        same = (tmp_path / "same" / name).read_bytes()
        assert (tmp_path / "winner" / name).read_bytes() == same


def test_a_folder_that_holds_something_is_left_alone(
    found: Found, run_command: RunCommand, tmp_path: Path
) -> None:
    """One line and exit code 2; an empty folder is taken."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all I have")
    code, _, err = run_command("export", "latest", tmp_path / "mine", home=found[1])
    assert (code, err.count("\n")) == (2, 1)
    assert "is not empty; name a new folder" in err
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    (tmp_path / "empty").mkdir()
    assert found[0].export(tmp_path / "empty").files


def test_settings_are_written_without_where_they_were_read(
    found: Found, zoo: Path, tmp_path: Path
) -> None:
    """However deep, and in every file of settings; all else stays as it was."""
    model = shutil.copytree(zoo / "team" / "good", tmp_path / "zoo" / "team" / "good")
    edit_config(model, _name_or_path="/home/me/x", parts=[{"_name_or_path": "/home/me/y", "a": 1}])
    answer = chosen(
        found[0], model, "torch-fp32", tmp_path / "home", names=("negative", "positive")
    )
    (serving,) = (tmp_path / "home" / "artifacts").rglob("serving.json")
    told = {"name_or_path": "/home/me/z", "model_max_length": 9}
    serving.with_name("tokenizer_config.json").write_text(json.dumps(told))
    answer.export(tmp_path / "out")
    texts = [path.read_text("utf-8") for path in (tmp_path / "out").glob("*.json")]
    assert not [text for text in texts if "/home/me" in text or "name_or_path" in text]
    assert json.loads((tmp_path / "out" / "config.json").read_text())["parts"] == [{"a": 1}]


@pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
def test_links_are_followed_or_told(found: Found, tmp_path: Path) -> None:
    """A link to a new folder leads there; one to itself is one line."""
    (tmp_path / "link").symlink_to(tmp_path / "new")
    assert found[0].export(tmp_path / "link").folder == tmp_path / "new"
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(BadInput, match="leads to itself; name a new folder"):
        found[0].export(tmp_path / "circle")


def test_an_error_without_a_cause_is_told_by_its_sentence(
    found: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the errors of copying have it."""

    def fail(*_: object, **__: object) -> str:
        raise shutil.Error("a copy failed")

    monkeypatch.setattr("recommender.reports.card.card_of", fail)
    with pytest.raises(BadInput, match="a copy failed; name another folder"):
        found[0].export(tmp_path / "out")


def test_an_unknown_run_is_told(found: Found, run_command: RunCommand, tmp_path: Path) -> None:
    """One line and exit code 2."""
    code, _, err = run_command("export", "ffff0000ffff", tmp_path / "none", home=found[1])
    assert (code, err.count("\n")) == (2, 1)
    assert "ffff0000ffff" in err


@pytest.mark.parametrize(
    ("requirements", "hint"),
    [
        (("accuracy >= 0.99",), "nothing was shown to be sufficient"),
        ((), "measured without asking"),
    ],
    ids=["nothing sufficient", "measured only"],
)
def test_a_run_without_a_choice_has_nothing_to_write(
    requirements: tuple[str, ...], hint: str, found: Found, tmp_path: Path
) -> None:
    """It says which of the two it is, and writes nothing."""
    plan = replace(found[0].plan, requirements=requirements)
    with pytest.raises(BadInput, match=hint):
        replace(found[0], choice=None, plan=plan).export(tmp_path / "none")
    assert not list(tmp_path.iterdir())


def test_a_model_that_is_gone_is_told(found: Found, tmp_path: Path) -> None:
    """Where neither its source nor the cache has it; nothing is left behind."""
    answer = replace(found[0], environment={**found[0].environment, "home": str(tmp_path / "h")})
    assert answer.choice is not None
    gone = replace(answer.choice, source=f"folder:{tmp_path / 'no-zoo'}")
    with pytest.raises(NotFound, match=r"cannot be had as it was measured.*run the search again"):
        replace(answer, choice=gone).export(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_weights_that_were_changed_since_are_not_exported(
    found: Found, zoo: Path, tmp_path: Path
) -> None:
    """An artifact may be links into the user's folder; what is there now was not measured."""
    answer, _ = found
    moved = tmp_path / "zoo" / "team" / "good"
    shutil.copytree(zoo / "team" / "good", moved)
    linked = chosen(answer, moved, "torch-fp32", tmp_path / "home", names=("negative", "positive"))
    assert linked.choice is not None
    mine = replace(linked.choice, source=f"folder:{tmp_path / 'zoo'}")
    linked = replace(linked, choice=mine)
    linked.export(tmp_path / "before")
    config = json.loads((moved / "config.json").read_text())
    (moved / "config.json").write_text(json.dumps({**config, "note": "edited"}))
    with pytest.raises(NotFound, match="is at revision"):
        linked.export(tmp_path / "after")


def test_what_cannot_be_written_leaves_nothing(
    found: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder is whole or it is not there."""

    def full(*_: object, **__: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("recommender.reports.card.card_of", full)
    with pytest.raises(BadInput, match="No space left on device"):
        found[0].export(tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_other_libraries_than_measured_are_told(found: Found, tmp_path: Path) -> None:
    """Weights are built anew by what is installed now, so that answers may differ."""
    libraries = {**found[0].environment["libraries"], "torch": "2.0.0"}
    old = replace(found[0], environment={**found[0].environment, "libraries": libraries})
    written = old.export(tmp_path / "out")
    assert written.warnings[0].startswith("measured with torch 2.0.0, written with torch 2.")
    assert "measured with torch 2.0.0" in (tmp_path / "out" / "README.md").read_text()


def test_a_corpus_is_not_exported(found: Found, tmp_path: Path) -> None:
    """A retriever answers from the user's documents, which are not written."""
    task = Task("feature-extraction", options={"corpus": "1a2b3c"})
    with pytest.raises(BadInput, match="your documents, which an export leaves out"):
        replace(found[0], data={**found[0].data, "task": task.to_json()}).export(tmp_path / "out")


# ---------------------------------------------------------------------------------- by this project
def test_other_tasks_are_answered_by_this_project(found: Found, tmp_path: Path) -> None:
    """The script calls it, and requirements.txt names it; inputs of several parts are JSON."""
    reader = make_reader(tmp_path / "models" / "reader")
    result = chosen(
        found[0],
        reader,
        "onnxruntime-fp32",
        tmp_path / "home",
        task=task_method("question-answering").settings(),
    )
    written = result.export(tmp_path / "out")
    rows = [{"question": row["question"], "context": row["context"]}
            for row in question_rows(6, seed=1)]  # fmt: skip
    assert not written.script.is_plain
    assert "recommender==" in (tmp_path / "out" / "requirements.txt").read_text()
    lines = "".join(f"{json.dumps(row)}\n" for row in rows)
    printed = ran([tmp_path / "out" / "predict.py"], dict(os.environ), lines).splitlines()
    assert printed == [str(answer) for answer in result.load()(rows)]


def test_a_strangers_runtime_is_left_to_this_project() -> None:
    """A script knows our backends, settings and inputs only."""
    serving = Serving(
        backend="torch", precision="fp32", labels=("a",), input_names=("input_ids",),
        max_length=9, truncation_side="right", padding=Padding(0, 0, "right"), batch_size=8,
        settings={"dtype": "float32"},
    )  # fmt: skip
    assert script_for(serving, threads=1).is_plain
    for other in (
        {"backend": "scripted"},
        {"settings": {"dtype": "float32).eval()\nimport os"}},
        {"input_names": ('input_ids"\nimport os',)},
        {"truncation_side": 'right")\nimport os'},
        {"task": "summarization"},
    ):
        assert not script_for(replace(serving, **other), threads=1).is_plain


# ---------------------------------------------------------------------------------- the card
EVIL = "x\n---\nlicense: mit\n---\n<script>alert(1)</script> | `[a](javascript:b)` ~~~\x1b[31m"


def parsed(text: str) -> Any:
    """The card as huggingface_hub reads it; its fields are dynamic."""
    return ModelCard(text)


def answered(**changes: Any) -> Recommendation:
    """An answer by hand, with hostile names where `evil` is asked for."""
    claim = Claim("accuracy", 0.85, 0.892, 0.8719, 1000)
    outcome = Outcome(
        "team/good", "0" * 40, "hub", Recipe("torch-int8", "torch", "int8"), State.EVALUATED,
        Verdict.SUFFICIENT, "the reason", 12.0, n_rows=1000, n_units=1000, n_wrong=108,
        claims=(claim,), labels=LabelMap(("bad", "good"), "exact names"), license="apache-2.0",
        measurements={
            "size_mb": Measurement("size_mb", 12.3, "MB", 1),
            "f1": Measurement("f1", 0.7, "ratio", 1000, 0.6, 0.8),
            "accuracy": Measurement("accuracy", 0.892, "ratio", 1000, 0.871, 0.91),
            "rows_cut": Measurement("rows_cut", 3, "rows", 1000),
        },
        flags=("noisy timing: very",),
    )  # fmt: skip
    outcome = replace(outcome, **changes.pop("outcome", {}))
    plan = Plan(
        1000, 1000, 3, 3, 0.05, 0, "size_mb", ("accuracy >= 0.85",), "distinct texts", ledger="ab"
    )
    given = {
        "data": {
            "name": "reviews.csv", "n_rows": 1000, "n_units": 1000, "labels": ["bad", "good"],
            "fingerprint": "f" * 64, "task": {"name": "text-classification"},
        },
        "environment": {"machine": "a machine", "threads": 1, "recommender": "0.1.0"},
        "command": "recommender find '/home/me/my data/reviews.csv' -r 'accuracy >= 0.85' "
        "--source folder:/home/me/zoo",
        **changes,
    }  # fmt: skip
    return Recommendation(
        plan=plan, choice=outcome, candidates=(outcome,), guarantee="if so, then so",
        ended="complete", **given,
    )  # fmt: skip


def test_the_card_holds_the_figures_for_machines() -> None:
    """huggingface_hub reads back what it wrote: every quality, and the certified bound."""
    model = Model("team/good", "0" * 40, "hub", languages=("en", "not a language"))
    card = parsed(card_of(answered(), model=model))
    assert card.data.license == "apache-2.0"
    assert card.data.base_model == "team/good"
    assert card.data.base_model_relation == "quantized"
    assert (card.data.library_name, card.data.pipeline_tag) == (
        "transformers", "text-classification",
    )  # fmt: skip
    assert card.data.language == ["en"]
    found = [(each.metric_type, each.metric_value, each.metric_args)
             for each in card.data.eval_results]  # fmt: skip
    assert found == [
        ("accuracy", 0.892, {"low": 0.871, "high": 0.91, "n": 1000}),
        ("f1", 0.7, {"low": 0.6, "high": 0.8, "n": 1000}),
        ("accuracy", 0.8719, {"target": 0.85, "n": 1000}),
    ]
    assert "certified lower bound with 95 % confidence" in card.data.eval_results[2].metric_name
    assert card.data.eval_results[0].dataset_type == "private-ffffffffffff"


def test_the_card_says_what_holds_and_what_does_not() -> None:
    """The guarantee, the bound rounded down, the flags, the pin, the fingerprint, the command."""
    text = parsed(card_of(answered(), warnings=("answers may differ",))).text
    for part in (
        "If so, then so.", "| accuracy | \\>= 0.85 | 0.892 on 1,000 rows | \\>= 0.871 | exact |",
        "- noisy timing: very", "- answers may differ", f"- Revision: {'0' * 40}",
        f"- Fingerprint of the data: {'f' * 64}", "- Machine: a machine", "- Licence: apache-2.0",
        "    recommender find reviews.csv -r 'accuracy >= 0.85' --source folder:zoo",
    ):  # fmt: skip
        assert part in text
    assert "/home/me" not in text


def test_the_card_names_the_baseline_of_a_relative_claim() -> None:
    """In its text and for machines; not where nothing is relative to it."""
    claims = (Claim("accuracy / baseline", 0.97, 0.99, 0.981, 1000),)
    relative = answered(outcome={"claims": claims})
    baseline = replace(relative.candidates[0], model="team/big")
    card = parsed(card_of(replace(relative, baseline=baseline)))
    assert f"The baseline is {baseline.name}." in card.text
    assert card.data.eval_results[-1].metric_args["baseline"] == baseline.name
    assert "team/big" not in card_of(replace(answered(), baseline=baseline))


def test_the_card_says_no_n_of_rows_that_were_cut() -> None:
    """They are counted over several searches; the n that is known is of the last alone."""
    assert "| rows\\_cut | 3 | rows | - |" in parsed(card_of(answered())).text


def test_an_unknown_licence_is_said_and_not_made_up() -> None:
    """No licence in the metadata, a sentence in the text; several are `other`."""
    card = parsed(card_of(answered(outcome={"license": None})))
    assert card.data.license is None
    assert "- Licence: unknown: ask the model's authors" in card.text
    several = parsed(card_of(answered(outcome={"license": "mit, gpl-3.0"}))).data
    assert (several.license, several.license_name) == ("other", "mit, gpl-3.0")


def test_a_model_of_a_folder_names_no_base_on_the_hub() -> None:
    """An id in a folder may be somebody else's on the Hub."""
    card = parsed(card_of(answered(outcome={"source": "folder:/home/me/zoo"})))
    assert card.data.base_model is None
    assert "- Source: folder:zoo" in card.text


def test_hostile_texts_stay_texts() -> None:
    """Nothing from models or data ends the metadata, adds to them, or is markup."""
    result = answered(
        outcome={
            "model": EVIL, "license": EVIL, "flags": (EVIL,), "source": f"folder:{EVIL}",
            "labels": LabelMap((EVIL, None), EVIL), "reason": EVIL,
            "claims": (Claim(EVIL, 0.85, 0.9, 0.87, 10),),
            "measurements": {EVIL: Measurement(EVIL, 0.5, EVIL, 9, note=EVIL)},
        },
        notes=(EVIL,), ties=(EVIL,), command=EVIL,
        data={**answered().data, "name": EVIL, "fingerprint": EVIL},
        environment={"machine": EVIL, "libraries": {EVIL: EVIL}},
    )  # fmt: skip
    model = Model(EVIL, "0" * 40, "hub", base_models=(EVIL,), datasets=(EVIL,), languages=(EVIL,))
    card = parsed(card_of(result, model=model))
    known = {"language", "library_name", "license", "license_name", "pipeline_tag", "tags"}
    assert {key for key, value in card.data.to_dict().items() if value} <= known | {"model-index"}
    assert card.data.license == "other"
    shown = [line for line in card.text.splitlines() if not line.startswith("    ")]
    assert "\x1b" not in card.text
    assert not [line for line in shown if line.strip() == "---" or line.startswith("license")]
    names = [line.replace("| ", "") for line in shown if "alert" in line]
    assert names
    assert not [line for line in names if re.search(r"(?<!\\)[<\[`]|(?<![\\~])~~", line)]


def test_results_on_a_data_set_of_the_hub_are_in_its_present_format() -> None:
    """One file in `.eval_results`, which huggingface_hub reads; none for the user's own data."""
    assert eval_results(answered()) == {}
    data = {**answered().data, "dataset": "team/reviews", "revision": "c" * 40,
            "name": "team/reviews test[:1000]"}  # fmt: skip
    files = eval_results(answered(data=data))
    assert list(files) == ["team--reviews.yaml"]
    (entry,) = parse_eval_result_entries(yaml.safe_load(files["team--reviews.yaml"]))
    assert (entry.dataset_id, entry.dataset_revision, entry.value) == (
        "team/reviews", "c" * 40, 0.892,
    )  # fmt: skip
    assert "certified >= 0.871 with 95 % confidence" in str(entry.notes)


def test_a_card_without_an_export_says_how_to_get_one() -> None:
    """As a report of its own; without a choice there is none."""
    assert "recommender export latest FOLDER" in render(answered())
    with pytest.raises(BadInput, match="no choice to describe"):
        render(replace(answered(), choice=None))


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("see /home/me/a b/x.csv", "see a b/x.csv"),
        ("in ~/zoo/team/good it is", "in good it is"),
        ("in /home/me/zoo/ and /home//me//zoo it is", "in zoo and zoo it is"),
        ("https://example.org/a/b and f1/accuracy", "https://example.org/a/b and f1/accuracy"),
        ("accuracy / baseline", "accuracy / baseline"),
    ],
)
def test_places_are_cut_in_sentences(given: str, shown: str) -> None:
    """To their last part; addresses and fractions stay."""
    assert without_places(given) == shown


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("recommender find '/a b/c d.csv'", "recommender find 'c d.csv'"),
        ("x --metric-file mine=/a/m.py:score", "x --metric-file mine=m.py:score"),
        ("x --source hub:https://hub.example/a", "x --source hub:https://hub.example/a"),
        ("x --model team/good@1a2b", "x --model team/good@1a2b"),
        ("x --source folder:/x/zoo/ -o /", "x --source folder:zoo -o /"),
        ("x --source folder:/x//zoo//", "x --source folder:zoo"),
        ("it's /not/closed", "it's closed"),
    ],
)
def test_places_are_cut_in_commands(given: str, shown: str) -> None:
    """The same, also where they hold blanks."""
    assert command_without_places(given) == shown
