"""The choice of a search as a folder that runs: weights, tokenizer, labels, scripts and a card."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from cache.errors import BadInput, NotFound
from cache.paths import Home
from catalog.model import Model
from catalog.store import Catalog
from evaluators.corpus import CORPUS
from evaluators.hardware import library_versions
from evaluators.labels import LabelMap, normalised
from evaluators.serving import Serving
from evaluators.task import SEVERAL, Task
from recommender.exports.scripts import Script, script_for
from recommender.recommendation import Outcome, Recommendation
from recommender.serving import ReadyAnswerer, ReadyClassifier, built, loaded

LABELS_FILE = "labels.json"
REQUIREMENTS_FILE = "requirements.txt"
CARD_FILE = "README.md"

OTHER_PLACES = ("_name_or_path", "name_or_path")
"""Keys of config.json and its like that say where a model, or a part of it, was once read from."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written of the candidate `name`: each file of `folder` with its bytes.

    `warnings` say what may make answers differ from those that were measured.
    """

    name: str
    folder: Path
    files: tuple[tuple[str, int], ...]
    script: Script
    warnings: tuple[str, ...] = ()


def export(result: Recommendation, folder: str | Path) -> Exported:
    """Write the choice of a search to a new folder, ready to run; whole or not at all.

    Raises BadInput where nothing was chosen or the folder holds something, NotFound where the
    model and what was built of it are gone.
    """
    target = Path(os.path.realpath(folder))  # resolve() raises RuntimeError for links in a circle
    _refuse_used(target)
    choice = _choice_of(result)
    task = Task(**result.data["task"])
    if CORPUS in task.options:
        raise BadInput(
            f"{task.name} is answered from your documents, which an export leaves out; serve it "
            "in Python with Recommendation.load()"
        )
    home = Home(Path(result.environment["home"]).expanduser())
    artifact = built(choice, task, home)
    serving = Serving.read(artifact)
    script = script_for(serving, threads=int(result.environment.get("threads", 1)))
    warnings = tuple(_other_libraries(result, choice))
    model = _known(choice, home)
    with _whole(target) as part:
        _copy(artifact, part)
        _write_labels(part, choice, serving)
        _write_texts(part, {**script.files, REQUIREMENTS_FILE: script.requirements})
        _write_card(part, result, model, script, warnings)
    return Exported(choice.name, target, tuple(_sizes(target)), script, warnings)


def load_folder(folder: str | Path, *, threads: int = 1) -> ReadyClassifier | ReadyAnswerer:
    """What `export` wrote, ready to be called."""
    place = Path(folder)
    serving = Serving.read(place)
    try:
        told = json.loads((place / LABELS_FILE).read_text(encoding="utf-8"))["labels"]
    except FileNotFoundError:
        told = []
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{place / LABELS_FILE} cannot be read: {error}; export it again") from error
    return loaded(place, LabelMap(tuple(told), LABELS_FILE), serving.task, threads=threads)


def _choice_of(result: Recommendation) -> Outcome:
    if result.choice is not None:
        return result.choice
    if not result.plan.requirements:
        raise BadInput(
            "this run measured without asking for anything, so it has no choice to write; "
            "give a run of 'recommender find'"
        )
    raise BadInput("nothing was shown to be sufficient in this run, so there is nothing to write")


def _refuse_used(target: Path) -> None:
    if target.is_dir() and target != Path.cwd() and not any(target.iterdir()):
        return
    if target.is_symlink():
        raise BadInput(f"{target} is a link that leads to itself; name a new folder")
    if target.exists():
        what = "is not empty" if target.is_dir() else "is a file"
        what = "is where you are" if target == Path.cwd() else what
        raise BadInput(f"{target} {what}; name a new folder")


@contextmanager
def _whole(target: Path) -> Iterator[Path]:
    """A temporary neighbour of `target` that takes its name when all went well."""
    part = target.with_name(f".{target.name}.{uuid4().hex[:8]}.part")
    try:
        part.mkdir(parents=True)
        yield part
        part.rename(target)
    except OSError as error:
        raise BadInput(f"cannot write {target}: {_why(error)}; name another folder") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _why(error: OSError) -> str:
    """The cause alone; some libraries' errors have only a sentence."""
    return error.strerror or str(error)


def _copy(artifact: Path, part: Path) -> None:
    """The artifact's files themselves, not links, and its settings without their past places."""
    shutil.copytree(artifact, part, dirs_exist_ok=True, copy_function=shutil.copyfile)
    for config in part.rglob("*config.json"):
        try:
            told = json.loads(config.read_text(encoding="utf-8"))
        except ValueError:  # whatever reads it did without it
            continue
        kept = _without_places(told)
        if kept != told:
            text = json.dumps(kept, indent=2, ensure_ascii=False) + "\n"
            config.write_text(text, encoding="utf-8")


def _without_places(told: Any) -> Any:  # Any: what stands in JSON
    """The same without the keys that say where something was read from, however deep."""
    if isinstance(told, dict):
        return {key: _without_places(each) for key, each in told.items() if key not in OTHER_PLACES}
    return [_without_places(each) for each in told] if isinstance(told, list) else told


def _write_labels(part: Path, choice: Outcome, serving: Serving) -> None:
    """The user's word for each output of the model, null where the data has none."""
    names = _names(choice, serving)
    if not names:
        return
    told = {"labels": list(names), "outputs": list(serving.labels)}
    _write_texts(part, {LABELS_FILE: json.dumps(told, indent=2, ensure_ascii=False) + "\n"})


def _names(choice: Outcome, serving: Serving) -> tuple[str | None, ...]:
    if serving.options.get(SEVERAL):
        known = {normalised(label): label for label in serving.options["labels"]}
        return tuple(known.get(normalised(name)) for name in serving.labels)
    return choice.labels.names if choice.labels else ()


def _write_card(
    part: Path, result: Recommendation, model: Model, script: Script, warnings: tuple[str, ...]
) -> None:
    from recommender.reports.card import card_of, eval_results

    _write_texts(part, {CARD_FILE: card_of(result, model=model, script=script, warnings=warnings)})
    found = eval_results(result)
    if found:
        (part / ".eval_results").mkdir()
        _write_texts(part, {f".eval_results/{name}": text for name, text in found.items()})


def _write_texts(part: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        (part / name).write_text(text, encoding="utf-8")


def _known(choice: Outcome, home: Home) -> Model:
    """The model as the catalog knows it, without asking anybody."""
    with Catalog(home.catalog) as catalog:
        try:
            return catalog.get(choice.model, revision=choice.revision, sources=[choice.source])
        except NotFound:
            return Model(choice.model, choice.revision, choice.source)


def _other_libraries(result: Recommendation, choice: Outcome) -> Iterator[str]:
    measured: Mapping[str, Any] = result.environment.get("libraries", {})
    for name, now in library_versions(choice.recipe.backend).items():
        then = measured.get(name, now)
        if then != now:
            yield f"measured with {name} {then}, written with {name} {now}: answers may differ"


def _sizes(folder: Path) -> Iterator[tuple[str, int]]:
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            yield file.relative_to(folder).as_posix(), file.stat().st_size
