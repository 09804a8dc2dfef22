"""A walk through a source, into the store."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from cache.errors import BadInput, SourceUnavailable
from catalog.crawl import CrawlProgress, crawl
from catalog.crawl_log import CrawlState
from catalog.model import Model
from catalog.policy import Refusal
from catalog.protocols import ListedPage
from catalog.slices import matches
from catalog.sources.folder import FolderSource
from catalog.sources.hub import HubSource
from catalog.store import Catalog
from catalog.synthetic import SyntheticHub
from catalog.testing import LoopbackHub


def ids(store: Catalog) -> list[str]:
    return [model.id for model in store.models()]


def test_a_crawl_of_the_hub_fills_the_catalog(hub: LoopbackHub, store: Catalog) -> None:
    """What is listed for the task is stored, without descriptions, and the crawl is noted."""
    source = HubSource(hub.endpoint, token=False)
    done = crawl(source, store, task="text-classification", limit=200)
    assert (done.n_models, done.n_refused, done.is_finished) == (4, 0, True)
    assert ids(store) == ["demo/cat", "demo/bee", "demo/ant", "plain"]
    assert not any(model.described for model in store.models())
    assert store.crawled(source.name, "text-classification") is not None


def test_a_broken_repository_is_counted_and_kept_apart(zoo: Path, store: Catalog) -> None:
    """One bad row costs one row."""
    (zoo / "demo/bee/config.json").write_text("{")
    done = crawl(FolderSource(zoo, memo=store), store)
    assert (done.n_models, done.n_refused) == (4, 1)
    assert [(row.id, row.state) for row in store.refusals()] == [("demo/bee", "corrupt")]


def test_a_repaired_repository_is_no_longer_refused(
    zoo: Path, store: Catalog, write_repository: Callable[..., Path]
) -> None:
    """The next crawl tells how things are now."""
    (zoo / "demo/bee/config.json").write_text("{")
    crawl(FolderSource(zoo), store)
    write_repository(zoo / "demo/bee")
    crawl(FolderSource(zoo), store)
    assert store.refusals() == ()
    assert "demo/bee" in ids(store)


def test_a_vanished_model_is_no_longer_listed(zoo: Path, store: Catalog) -> None:
    """After a crawl to the end; by its name it is still found."""
    crawl(FolderSource(zoo), store)
    (zoo / "plain").rename(zoo.parent / "elsewhere")
    crawl(FolderSource(zoo), store)
    assert "plain" not in ids(store)
    assert store.get("plain").id == "plain"


def test_a_limited_crawl_forgets_nothing(zoo: Path, store: Catalog) -> None:
    """What lies beyond the limit may well be there still."""
    crawl(FolderSource(zoo), store)
    done = crawl(FolderSource(zoo), store, limit=2)
    assert done.n_models == 2
    assert len(ids(store)) == 5


def test_progress_counts_models_and_refusals(zoo: Path, store: Catalog) -> None:
    """The last call has the number of all repositories."""
    (zoo / "plain/config.json").write_text("{")
    seen: list[CrawlProgress] = []
    crawl(FolderSource(zoo), store, progress=seen.append)
    assert (seen[-1].n_models, seen[-1].n_refused) == (4, 1)


def test_progress_tells_rate_and_remaining_time(store: Catalog) -> None:
    """The rate fits the clock; the rest is known once the slice was crawled."""
    with SyntheticHub(100, page_size=10) as hub:
        source = HubSource(hub.endpoint, False)
        first, second = list[CrawlProgress](), list[CrawlProgress]()
        crawl(source, store, progress=first.append)
        crawl(source, store, progress=second.append, fresh=True)
    assert {now.left_s for now in first} == {None}
    half = second[4]
    assert half.n_models == 50
    assert half.rate_per_s == pytest.approx(50 / half.elapsed_s)
    assert half.left_s == pytest.approx(half.elapsed_s)


def test_a_second_crawl_asks_only_for_what_changed(store: Catalog) -> None:
    """A few of 500 models: a page or two, not fifty, and no model is thought to be gone."""
    with SyntheticHub(500, page_size=10) as hub:
        source = HubSource(hub.endpoint, False)
        crawl(source, store)
        n_touched = hub.touch(3 / 500)
        n_before = len(hub.requests)
        changed = crawl(source, store)
        assert len(hub.requests) - n_before <= 2
        assert changed.n_models == n_touched + 1  # the newest of before may have an equal
        crawl(source, store, fresh=True)
        assert len(hub.requests) - n_before > 50
    assert changed.n_gone == 0
    assert changed.since
    assert changed.last_whole == store.crawls()[0].finished_at
    assert len(ids(store)) == 500


def test_what_changes_during_a_crawl_is_caught_up(store: Catalog) -> None:
    """Pages that were read before the change are not the last word."""
    with SyntheticHub(100, page_size=10) as hub:
        source = HubSource(hub.endpoint, False)
        touched: list[int] = []

        def touch_once(now: CrawlProgress) -> None:
            if now.n_models == 50:
                touched.append(hub.touch(0.2))

        crawl(source, store, progress=touch_once)
        kept = {model.id: model.revision for model in store.models()}
        listed = [row for page in source.listing({}) for row in page.rows]
    assert touched[0] > 0
    assert kept == {row.id: row.revision for row in listed if isinstance(row, Model)}


def test_max_requests_ends_a_run_and_not_the_crawl(store: Catalog) -> None:
    """The next run goes on where this one ended."""
    with SyntheticHub(100, page_size=10) as hub:
        source = HubSource(hub.endpoint, False)
        first = crawl(source, store, max_requests=4)
        assert (first.is_finished, first.n_models, len(hub.requests)) == (False, 30, 4)
        last = crawl(source, store)
        assert (last.is_finished, last.n_models, len(hub.requests)) == (True, 100, 12)
    assert len(ids(store)) == 100


def test_a_time_limit_ends_a_run_and_not_the_crawl(store: Catalog) -> None:
    """With the page that is under way; the next run goes on."""
    with SyntheticHub(100, page_size=10) as hub:
        source = HubSource(hub.endpoint, False)
        first = crawl(source, store, time_limit_s=0.001)
        assert (first.is_finished, first.n_models, len(hub.requests)) == (False, 10, 2)
        last = crawl(source, store, time_limit_s=60.0)
        assert (last.is_finished, last.n_models, len(hub.requests)) == (True, 100, 12)


SLICES: dict[str, dict[str, str]] = {
    "language": {"language": "en"},
    "license": {"license": "mit"},
    "parameters": {"parameters": "min:1M,max:500M"},
    "author": {"author": ""},
    "task and licence": {"task": "text-classification", "license": "apache-2.0"},
}


@pytest.mark.parametrize("slice", SLICES.values(), ids=SLICES.keys())
def test_a_slice_holds_what_it_names(slice: dict[str, str], store: Catalog) -> None:
    """The Hub's filters bring the models of the whole listing that fit, and no other."""
    with SyntheticHub(400, seed=5) as hub:
        source = HubSource(hub.endpoint, False)
        listed = [row for page in source.listing({}) for row in page.rows]
        everything = [row for row in listed if isinstance(row, Model)]
        if "author" in slice:
            slice = {"author": everything[0].author or ""}
        filters = {name: value for name, value in slice.items() if name != "task"}
        crawl(source, store, task=slice.get("task"), filters=filters)
    wanted = sorted({model.id for model in everything if matches(model, slice)})
    assert wanted
    assert sorted(ids(store)) == wanted


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"filters": {"colour": "red"}}, "there are language"),
        ({"filters": {"license": "mit,apache-2.0"}}, "once for each"),
        ({"filters": {"parameters": "small"}}, "min:10M"),
        ({"since": "yesterday"}, "2026-01-31"),
        ({"limit": 0}, "at least 1"),
        ({"time_limit_s": 0}, "more than 0"),
    ],
)
def test_wrong_use_is_told(asked: dict[str, Any], told: str, store: Catalog) -> None:
    """Before anything is asked of the source."""
    with pytest.raises(BadInput, match=told):
        crawl(Breaking(), store, **asked)


def test_since_asks_for_later_changes_only(store: Catalog) -> None:
    """By date, whatever was crawled before; nothing counts as gone."""
    with SyntheticHub(300, page_size=10) as hub:
        source = HubSource(hub.endpoint, False)
        n_touched = hub.touch(0.01)
        crawl(source, store, since="2026-01-01")
        assert len(hub.requests) == 1
    assert len(ids(store)) == n_touched


def test_a_limited_crawl_does_not_disturb_an_unfinished_one(store: Catalog) -> None:
    """`find` may list its two hundred while the whole Hub is half crawled."""
    with SyntheticHub(100, page_size=10) as hub:
        source = HubSource(hub.endpoint, False)
        crawl(source, store, max_requests=5)
        assert crawl(source, store, limit=20).n_models == 20
        n_before = len(hub.requests)
        crawl(source, store)
        assert len(hub.requests) - n_before == 7


class Unfinishing(Catalog):
    """A catalog that is closed before the end of a crawl is noted."""

    def finish(self, state: CrawlState, *, complete: bool) -> int:
        raise KeyboardInterrupt


def test_a_crawl_of_which_only_the_end_is_missing_asks_nothing(tmp_path: Path) -> None:
    """All pages are kept: what is gone is settled without another request."""
    with SyntheticHub(100, page_size=10) as hub:
        source = HubSource(hub.endpoint, False)
        with Unfinishing(tmp_path / "c.db") as store, pytest.raises(KeyboardInterrupt):
            crawl(source, store)
        n_before = len(hub.requests)
        with Catalog(tmp_path / "c.db") as store:
            assert crawl(source, store).is_finished
        assert len(hub.requests) == n_before


CRAWLING = """
import sys
from pathlib import Path
from catalog.crawl import crawl
from catalog.sources.hub import HubSource
from catalog.store import Catalog
with Catalog(Path(sys.argv[2])) as store:
    source = HubSource(sys.argv[1], False)
    crawl(source, store, progress=lambda now: print(now.n_models, flush=True))
"""


def contents(path: Path) -> list[tuple[Any, ...]]:
    """All that is known of all models, without the times and numbers of the crawls."""
    with Catalog(path) as store:
        return sorted((model.id, model.revision, repr(model)) for model in store.models())


def test_a_killed_crawl_ends_like_an_uninterrupted_one(tmp_path: Path) -> None:
    """Killed after 2, 5 and 9 pages: at most the page in flight is asked for again."""
    killed, whole = tmp_path / "killed.db", tmp_path / "whole.db"
    with SyntheticHub(400, page_size=20) as hub:
        for n_pages in (2, 5, 9):
            arguments = [sys.executable, "-c", CRAWLING, hub.endpoint, str(killed)]
            with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout
                for line in process.stdout:
                    if int(line) >= 20 * n_pages:
                        break
                process.kill()
            assert process.returncode == -signal.SIGKILL
        with Catalog(killed) as store:
            done = crawl(HubSource(hub.endpoint, False), store)
        n_asked = len(hub.requests)
        with Catalog(whole) as store:
            crawl(HubSource(hub.endpoint, False), store)
    assert (done.is_finished, done.n_models, done.n_requests) == (True, 400, 22)
    assert n_asked <= 22 + 2 * 3
    assert contents(killed) == contents(whole)
    assert len(contents(whole)) == 400


class Breaking:
    """A source that lists some models and is then cut off."""

    name = "breaking"
    tells_changes = False

    def listing(
        self, slice: Mapping[str, str], *, start: str | None = None,
        since: str | None = None, limit: int | None = None,
    ) -> Iterator[ListedPage]:  # fmt: skip
        yield ListedPage(tuple(Model(f"demo/{index}", "a" * 40, self.name) for index in range(60)))
        raise SourceUnavailable("the line is cut")

    def models(self, task: str | None, *, limit: int | None = None) -> Iterator[Model | Refusal]:
        raise NotImplementedError

    def describe(self, listed: Model) -> Model | Refusal:
        raise NotImplementedError

    def model(self, id: str, revision: str | None = None) -> Model:
        raise NotImplementedError

    def fetch(self, model: Model, paths: Sequence[str]) -> Path:
        raise NotImplementedError


def test_an_interrupted_crawl_keeps_what_it_saw(store: Catalog) -> None:
    """But it does not count as a crawl: the next `find` tries again."""
    with pytest.raises(SourceUnavailable):
        crawl(Breaking(), store)
    assert len(ids(store)) == 60
    assert store.crawled("breaking", None) is None
