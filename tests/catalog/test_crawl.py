"""A walk through a source, into the store."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from cache.errors import SourceUnavailable
from catalog.crawl import crawl
from catalog.model import Model
from catalog.policy import Refusal
from catalog.sources.folder import FolderSource
from catalog.sources.hub import HubSource
from catalog.store import CatalogStore
from catalog.testing import LoopbackHub


def ids(store: CatalogStore) -> list[str]:
    return [model.id for model in store.models()]


def test_a_crawl_of_the_hub_fills_the_catalog(hub: LoopbackHub, store: CatalogStore) -> None:
    """What is stored is what was listed, and the crawl is noted."""
    source = HubSource(hub.endpoint, token=False)
    done = crawl(source, store, task="text-classification")
    assert (done.n_models, done.n_refused) == (4, 0)
    assert ids(store) == ["demo/cat", "demo/bee", "demo/ant", "plain"]
    assert store.crawled(source.name, "text-classification") == done.finished_at


def test_a_broken_repository_is_counted_and_kept_apart(zoo: Path, store: CatalogStore) -> None:
    """One bad row costs one row."""
    (zoo / "demo/bee/config.json").write_text("{")
    done = crawl(FolderSource(zoo, memo=store), store, task=None)
    assert (done.n_models, done.n_refused) == (4, 1)
    assert [(row.id, row.state) for row in store.refusals()] == [("demo/bee", "corrupt")]


def test_a_repaired_repository_is_no_longer_refused(
    zoo: Path, store: CatalogStore, write_repository: Callable[..., Path]
) -> None:
    """The next crawl tells how things are now."""
    (zoo / "demo/bee/config.json").write_text("{")
    crawl(FolderSource(zoo), store, task=None)
    write_repository(zoo / "demo/bee")
    crawl(FolderSource(zoo), store, task=None)
    assert store.refusals() == ()
    assert "demo/bee" in ids(store)


def test_a_vanished_model_is_no_longer_listed(zoo: Path, store: CatalogStore) -> None:
    """After a crawl to the end; by its name it is still found."""
    crawl(FolderSource(zoo), store, task=None)
    (zoo / "plain").rename(zoo.parent / "elsewhere")
    crawl(FolderSource(zoo), store, task=None)
    assert "plain" not in ids(store)
    assert store.get("plain").id == "plain"


def test_a_limited_crawl_forgets_nothing(zoo: Path, store: CatalogStore) -> None:
    """What lies beyond the limit may well be there still."""
    crawl(FolderSource(zoo), store, task=None)
    done = crawl(FolderSource(zoo), store, task=None, limit=2)
    assert done.n_models == 2
    assert len(ids(store)) == 5


def test_progress_counts_models_and_refusals(zoo: Path, store: CatalogStore) -> None:
    """The last call has the number of all repositories."""
    (zoo / "plain/config.json").write_text("{")
    seen: list[int] = []
    crawl(FolderSource(zoo), store, task=None, progress=seen.append)
    assert seen[-1] == 5


class Breaking:
    """A source that lists some models and is then cut off."""

    name = "breaking"

    def models(self, task: str | None, *, limit: int | None = None) -> Iterator[Model | Refusal]:
        for index in range(60):
            yield Model(f"demo/{index}", "a" * 40, self.name)
        raise SourceUnavailable("the line is cut")

    def model(self, id: str, revision: str | None = None) -> Model:
        raise NotImplementedError

    def fetch(self, model: Model, paths: Sequence[str]) -> Path:
        raise NotImplementedError


def test_an_interrupted_crawl_keeps_what_it_saw(store: CatalogStore) -> None:
    """But it does not count as a crawl: the next `find` tries again."""
    with pytest.raises(SourceUnavailable):
        crawl(Breaking(), store, task=None)
    assert len(ids(store)) >= 50
    assert store.crawled("breaking", None) is None
