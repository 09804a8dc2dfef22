"""Artifacts: candidates and graphs as folders, each built once and complete or absent."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from cache.key import digest
from evaluators.candidate import Candidate, Recipe
from evaluators.hardware import library_versions
from evaluators.plugins import recipe_method, task_method
from evaluators.repository import n_parameters, read_config
from evaluators.serving import SERVING_FILE, Serving
from evaluators.task import Task

BUILD_VERSION = 1
"""To be raised when a build writes something else than before: old artifacts are then rebuilt."""

GRAPH_FILE = "model.onnx"


def artifact_folder(root: Path, candidate: Candidate, task: Task) -> Path:
    """Where a candidate's artifact belongs: named by all that its bytes depend on."""
    versions = library_versions(candidate.recipe.backend)
    return root / digest([BUILD_VERSION, candidate.artifact_key, task.to_json(), versions])[:32]


def graph_folder(root: Path, candidate: Candidate, task: Task) -> Path:
    """Where the fp32 graph of a candidate's model belongs; its recipes share it."""
    model = candidate.model
    versions = library_versions("graph")
    key = digest(
        [BUILD_VERSION, "graph", model.id, model.revision, task.name, task.max_length, versions]
    )
    return root / f"graph-{key[:32]}"


def is_complete(folder: Path, file: str) -> bool:
    """Whether a build ended in `folder`, and its links still lead somewhere."""
    return (folder / file).is_file() and all(path.exists() for path in folder.iterdir())


def build_artifact(
    recipe: Recipe, source: Path, folder: Path, *, graph: Path | None, task: Task,
    texts: Sequence[str],
) -> None:  # fmt: skip
    """Make `folder` hold all that serving the candidate needs; nothing where it already does.

    What preprocesses is compared with transformers' own on `texts`.
    """
    if is_complete(folder, SERVING_FILE):
        return
    method = task_method(task.name)
    config = read_config(source)
    labels = method.labels(config, task)
    inputs = method.inputs(source, task)
    with _whole(folder, SERVING_FILE) as part:
        graph_file = graph / GRAPH_FILE if graph else None
        settings = recipe_method(recipe.method).build(
            recipe, source, part, graph=graph_file, task=task
        )
        decided = inputs.settings()
        told = decided.pop("options", {})
        serving = Serving(
            backend=recipe.backend,
            precision=recipe.precision,
            labels=labels,
            batch_size=task.batch_size,
            n_parameters=None if recipe.file else n_parameters(source),
            settings=settings,
            task=task.name,
            options={**task.options, **method.details(config), **told},
            **decided,
        )
        inputs.export(part)
        inputs.check_export(part, serving, texts)
        serving.write(part)


def build_graph(source: Path, folder: Path, *, task: Task, texts: Sequence[str]) -> None:
    """Make `folder` hold the fp32 graph of a repository; nothing where it already does."""
    if is_complete(folder, GRAPH_FILE):
        return
    from evaluators.graph import export_graph

    with _whole(folder, GRAPH_FILE) as part:
        export_graph(source, part / GRAPH_FILE, texts=texts, task=task)


def link_or_copy(source: Path, target: Path) -> None:
    """`target` with the bytes of `source`, shared on disk where the file system allows it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


@contextmanager
def _whole(folder: Path, file: str) -> Iterator[Path]:
    """A temporary neighbour of `folder` that takes its name when all went well.

    Where another process was faster, its folder, which may be in use by now, stays.
    """
    part = folder.with_name(f"{folder.name}.{uuid4().hex[:8]}.part")
    part.mkdir(parents=True)
    try:
        yield part
        if folder.is_dir() and not is_complete(folder, file):
            shutil.rmtree(folder, ignore_errors=True)  # a lost link, an old crash
        try:
            part.rename(folder)
        except OSError:
            if not is_complete(folder, file):
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
