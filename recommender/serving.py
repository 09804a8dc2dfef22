"""A recommendation put to work: texts in, the user's own labels out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, cast, overload

from cache.errors import BadInput
from cache.paths import Home
from catalog.protocols import Source
from evaluators.artifact import artifact_folder
from evaluators.candidate import Candidate
from evaluators.labels import LabelMap
from evaluators.measurement import CandidateFailed, State
from evaluators.plugins import backend, recipe_methods
from evaluators.protocols import Classifier
from evaluators.task import Task
from evaluators.worker_process import Worker
from recommender.builder import build, is_built
from recommender.planning import Shelf
from recommender.recommendation import Outcome
from recommender.space import needed_files


@dataclass(frozen=True, slots=True, repr=False)
class ReadyClassifier:
    """Call it with a text for its label, or with several texts for a list of labels."""

    classifier: Classifier
    labels: LabelMap
    folder: Path

    @overload
    def __call__(self, texts: str) -> str | None: ...  # type: ignore[overload-overlap]  # a str is meant first
    @overload
    def __call__(self, texts: Sequence[str]) -> list[str | None]: ...

    def __call__(self, texts: str | Sequence[str]) -> str | list[str | None] | None:
        """Labels in the user's words; None where the model names a class that the data lacked."""
        many = [texts] if isinstance(texts, str) else list(texts)
        answers = [self._label(scores) for scores in self.classifier.scores(many)] if many else []
        return answers[0] if isinstance(texts, str) else answers

    def __repr__(self) -> str:
        return f"ReadyClassifier(labels={self.labels.names!r}, folder={str(self.folder)!r})"

    def _label(self, scores: Any) -> str | None:  # Any: one row of the array
        if not all(map(isfinite, scores.tolist())):
            raise CandidateFailed(State.BAD_OUTPUT, "the model's scores are no numbers")
        return self.labels.names[int(scores.argmax())]

    def scores(self, texts: Sequence[str]) -> Any:
        """The model's logits, float32, shape (len(texts), number of outputs)."""
        return self.classifier.scores(texts)


def ready(
    outcome: Outcome, task: Mapping[str, Any], home: Home, *, threads: int
) -> ReadyClassifier:
    """The candidate behind an outcome, loaded from its artifact; built anew where that is gone."""
    if outcome.labels is None:
        raise BadInput(f"{outcome.name} was not evaluated, so it cannot be loaded")
    with Shelf.open(home, [outcome.source]) as shelf:
        model = shelf.model(f"{outcome.model}@{outcome.revision}")
        candidate = Candidate(model, outcome.recipe, outcome.predicted_size_mb, 0.0)
        settings = Task(**task)
        if not is_built(home, candidate, settings):
            _rebuild(candidate, shelf.sources[model.source], settings, home)
        folder = artifact_folder(home.artifacts, candidate, settings)
    loaded = backend(outcome.recipe.backend).load(folder, threads=threads)
    return ReadyClassifier(cast(Classifier, loaded), outcome.labels, folder)


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
