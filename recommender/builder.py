"""From a repository to an artifact that can be served."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cache.paths import Home
from evaluators.artifact import artifact_folder, graph_folder, is_complete
from evaluators.candidate import Candidate
from evaluators.protocols import RecipeMethod
from evaluators.serving import SERVING_FILE
from evaluators.task import Task

if TYPE_CHECKING:
    from evaluators.worker_process import Worker

PROBE_ROWS = 8
"""The first rows on which exported tokenizers and graphs are compared with transformers' own."""


def is_built(home: Home, candidate: Candidate, task: Task) -> bool:
    """Whether the candidate's artifact is there, with all that its links lead to."""
    return is_complete(artifact_folder(home.artifacts, candidate, task), SERVING_FILE)


def build(
    candidate: Candidate,
    worker: "Worker",
    *,
    source: Path,
    task: Task,
    home: Home,
    methods: Mapping[str, RecipeMethod],
    texts: Sequence[str],
) -> Path:
    """The candidate's artifact, built by the worker. Raises CandidateFailed where that fails."""
    folder = artifact_folder(home.artifacts, candidate, task)
    probes = list(texts[:PROBE_ROWS])
    graph = None
    if methods[candidate.recipe.method].needs_graph:
        graph = graph_folder(home.artifacts, candidate, task)
        worker.graph(source=source, folder=graph, task=task, texts=probes)
    worker.build(
        candidate.recipe, source=source, folder=folder, graph=graph, task=task, texts=probes
    )
    return folder
