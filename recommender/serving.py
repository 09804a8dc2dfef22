"""A recommendation put to work: inputs in, the user's own labels, or other answers, out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any, cast, overload

from cache.errors import BadInput, NotFound, SourceUnavailable
from cache.key import JSONValue, canonical_json
from cache.paths import Home
from catalog.model import Model
from catalog.protocols import Source
from evaluators.artifact import artifact_folder
from evaluators.candidate import Candidate
from evaluators.labels import LabelMap
from evaluators.measurement import CandidateFailed, State
from evaluators.plugins import backend, recipe_methods
from evaluators.protocols import Answerer, Classifier
from evaluators.reading.shapes import shape_of
from evaluators.serving import Serving
from evaluators.task import Task
from evaluators.worker_process import Worker
from recommender.builder import build, is_built
from recommender.planning import Shelf
from recommender.recommendation import Outcome
from recommender.space import needed_files

Input = str | Path | Mapping[str, JSONValue]
"""A text, the path of an image or a sound, or an input of several parts by role (docs/data.md)."""


@dataclass(frozen=True, slots=True, repr=False)
class ReadyClassifier:
    """Call it with an input for its label, or with several for a list of labels."""

    classifier: Classifier
    labels: LabelMap
    task: str
    folder: Path

    @overload
    def __call__(self, inputs: Input) -> str | None: ...  # type: ignore[overload-overlap]  # a str is meant first
    @overload
    def __call__(self, inputs: Sequence[Input]) -> list[str | None]: ...

    def __call__(self, inputs: Input | Sequence[Input]) -> str | list[str | None] | None:
        """Labels in the user's words; None where the model names a class that the data lacked."""
        many, is_one = _several(inputs)
        answers = [self._label(scores) for scores in self.scores(many)] if many else []
        return answers[0] if is_one else answers

    def __repr__(self) -> str:
        return f"ReadyClassifier(labels={self.labels.names!r}, folder={str(self.folder)!r})"

    def _label(self, scores: Any) -> str | None:  # Any: one row of the array
        if not all(map(isfinite, scores.tolist())):
            raise CandidateFailed(State.BAD_OUTPUT, "the model's scores are no numbers")
        return self.labels.names[int(scores.argmax())]

    def scores(self, inputs: Sequence[Input]) -> Any:
        """The model's logits, float32, shape (len(inputs), number of outputs)."""
        return self.classifier.scores([_request(each, self.task) for each in inputs])


@dataclass(frozen=True, slots=True, repr=False)
class ReadyAnswerer:
    """Call it with an input for its answer, or with several for a list of answers.

    An answer has the form of the task's truths, read from JSON: tags, a text, a number, ...
    """

    answerer: Answerer
    task: str
    folder: Path

    def __call__(self, inputs: Input | Sequence[Input]) -> JSONValue:
        """One answer, or a list of them where several inputs are given."""
        many, is_one = _several(inputs)
        requests = [_request(each, self.task) for each in many]
        answers = [json.loads(each) for each in self.answerer.answers(requests)] if many else []
        return cast(JSONValue, answers[0] if is_one else answers)

    def __repr__(self) -> str:
        return f"ReadyAnswerer(task={self.task!r}, folder={str(self.folder)!r})"


def _several(inputs: Input | Sequence[Input]) -> tuple[list[Input], bool]:
    """The inputs as a list, and whether it was a single one."""
    if isinstance(inputs, str | Path | Mapping):
        return [inputs], True
    return list(inputs), False


def _request(given: Input, task: str) -> str:
    """What the candidate is asked: the content of a row, as workers are (evaluators/requests)."""
    if isinstance(given, str):
        return given
    if isinstance(given, Path):
        return canonical_json({shape_of(task).inputs[0].name: str(given)})
    return canonical_json(dict(given))


def ready(
    outcome: Outcome, task: Mapping[str, Any], home: Home, *, threads: int
) -> ReadyClassifier | ReadyAnswerer:
    """The candidate behind an outcome, loaded from its artifact; built anew where that is gone."""
    if outcome.labels is None:
        raise BadInput(f"{outcome.name} was not evaluated, so it cannot be loaded")
    settings = Task(**task)
    folder = built(outcome, settings, home)
    return loaded(folder, outcome.labels, settings.name, threads=threads)


def loaded(
    folder: Path, labels: LabelMap, task: str, *, threads: int
) -> ReadyClassifier | ReadyAnswerer:
    """The artifact in a folder, ready to be called."""
    name = Serving.read(folder).backend
    served = backend(name).load(folder, threads=threads)
    if hasattr(served, "scores"):
        return ReadyClassifier(cast(Classifier, served), labels, task, folder)
    return ReadyAnswerer(served, task, folder)


def built(outcome: Outcome, task: Task, home: Home) -> Path:
    """The artifact of an outcome, built anew where it is gone.

    Where it is there, neither the source nor the catalog is asked; but for links into a folder
    of the user's, whose files may be others by now. Raises NotFound where the artifact is gone and
    the model cannot be had again.
    """
    pinned = Model(outcome.model, outcome.revision, outcome.source)
    candidate = Candidate(pinned, outcome.recipe, outcome.predicted_size_mb, 0.0)
    folder = artifact_folder(home.artifacts, candidate, task)
    is_there = is_built(home, candidate, task)
    if is_there and not (outcome.source.startswith("folder:") and _has_links(folder)):
        return folder
    try:
        with Shelf.open(home, [outcome.source]) as shelf:
            model = shelf.model(f"{outcome.model}@{outcome.revision}")
            if not is_there:
                _rebuild(replace(candidate, model=model), shelf.sources[model.source], task, home)
    except (NotFound, SourceUnavailable) as error:
        raise NotFound(_gone(outcome, error)) from error
    return folder


def _has_links(folder: Path) -> bool:
    return any(path.is_symlink() for path in folder.iterdir())


def _gone(outcome: Outcome, error: Exception) -> str:
    """Why nothing can be loaded or written, and what helps."""
    return (
        f"{outcome.name} cannot be had as it was measured: {str(error).rstrip('. ')}; put it back, "
        "or run the search again"
    )


def _rebuild(candidate: Candidate, source: Source, task: Task, home: Home) -> None:
    files = [file.path for file in needed_files(candidate.model, candidate.recipe)]
    with Worker.start() as worker:
        build(
            candidate,
            worker,
            source=source.fetch(candidate.model, files),
            task=task,
            home=home,
            methods=recipe_methods(),
            texts=(),
        )
