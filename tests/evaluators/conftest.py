"""Session-wide workers and one tiny model: starting them costs seconds."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from evaluators.task import TEXT_CLASSIFICATION
from evaluators.testing import make_bert
from evaluators.worker_process import Worker


@pytest.fixture(scope="session")
def texts() -> Sequence[str]:
    """Texts of several lengths, some longer than the tiny model reads, one out of vocabulary."""
    return [
        "good",
        "a very dull film .",
        "it was not good , it was great !",
        "Xylophone zebra",
        "the plot is slow but the music is fine and the actor was never bad " * 6,
        "",
        "i loved this movie and saw it again",
    ]


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository of a tiny BERT."""
    return make_bert(tmp_path_factory.mktemp("models") / "tiny-bert")


@pytest.fixture(scope="session")
def worker() -> Iterator[Worker]:
    """A warm worker that builds and runs real models."""
    with Worker.start(deadline_s=120) as running:
        yield running


@pytest.fixture(scope="session")
def scripted_worker() -> Iterator[Worker]:
    """A worker for scripted candidates: it gives up after four seconds."""
    with Worker.start(deadline_s=4) as running:
        yield running


@pytest.fixture(scope="session")
def graph(
    bert: Path, worker: Worker, tmp_path_factory: pytest.TempPathFactory, texts: Sequence[str]
) -> Path:
    """The folder of the tiny BERT's exported graph."""
    folder = tmp_path_factory.mktemp("artifacts") / "graph"
    worker.graph(source=bert, folder=folder, task=TEXT_CLASSIFICATION, texts=texts)
    return folder
