"""The disk budget: what may be fetched, what is evicted for it, and what never is."""

import fcntl
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest

from cache.errors import StoreError
from catalog import downloads as downloads_module
from catalog.downloads import Downloads, missing_bytes, repository_folder, snapshot_folder
from catalog.model import Model
from catalog.sources.hub import HubSource
from catalog.store import Catalog
from catalog.testing import LoopbackHub

COMMITS = {name: (f"team/{name}", digit * 40) for name, digit in zip("abc", "123", strict=True)}
WEIGHTS = "model.safetensors"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def downloads(tmp_path: Path) -> Iterator[Downloads]:
    """An empty list with a budget of 3,000 bytes."""
    with Downloads(tmp_path / "downloads.db", budget_bytes=3_000) as downloads:
        yield downloads


def put(cache: Path, name: str, path: str, content: bytes) -> Path:
    """A file as the Hub's client lays it down: a blob, and a link to it."""
    commit = COMMITS[name]
    blob = repository_folder(cache, commit[0]) / "blobs" / f"{hash(content):x}"
    blob.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(content)
    place = snapshot_folder(cache, *commit) / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(os.path.relpath(blob, place.parent))
    return place


def fetch(downloads: Downloads, cache: Path, name: str, n_bytes: int) -> None:
    """A download of so many bytes, noted before and after."""
    downloads.begin(cache, COMMITS[name], ["weights"])
    put(cache, name, "weights", name.encode() * n_bytes)
    downloads.finish(cache, COMMITS[name])


def there(cache: Path) -> str:
    """The models whose weights are still in the cache."""
    kept = [
        n
        for n, commit in COMMITS.items()
        if (snapshot_folder(cache, *commit) / "weights").is_file()
    ]
    return "".join(kept)


def test_the_longest_unused_go_first(downloads: Downloads, cache: Path) -> None:
    """Using a model again makes it young; blobs go with their links."""
    for name in "abc":
        fetch(downloads, cache, name, 1_000)
    downloads.finish(cache, COMMITS["a"])
    assert downloads.make_room(cache, 1_000) == ["team/b@22222222"]
    assert there(cache) == "ac"
    assert not list(repository_folder(cache, "team/b").glob("blobs/*"))
    assert [one.id for one in downloads.fetched(cache)] == ["team/c", "team/a"]


def test_what_is_in_use_stays(downloads: Downloads, cache: Path) -> None:
    """The one that is run and the best so far are passed over, however old they are."""
    for name in "abc":
        fetch(downloads, cache, name, 1_000)
    downloads.make_room(cache, 1_000, keep=[COMMITS["a"], COMMITS["c"]])
    assert there(cache) == "ac"


def test_another_search_keeps_what_it_uses(downloads: Downloads, cache: Path) -> None:
    """What a process that runs has fetched is not taken away under it."""
    for name in "ab":
        fetch(downloads, cache, name, 1_000)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        update = "UPDATE files SET pid = ? WHERE id = 'team/a'"
        downloads._connection.execute(update, (other.pid,))
        with pytest.raises(StoreError):
            downloads.make_room(cache, 2_500)
        downloads.make_room(cache, 2_000)
        other.communicate(b"\n")
    assert there(cache) == "a"
    downloads.make_room(cache, 2_500)
    assert there(cache) == ""


def test_only_what_we_fetched_is_evicted(downloads: Downloads, cache: Path) -> None:
    """Another tool's files stay, and where that is not enough, ours do too."""
    put(cache, "b", "weights", b"theirs" * 1_000)
    fetch(downloads, cache, "a", 1_000)
    put(cache, "a", "theirs.onnx", b"other")
    with pytest.raises(StoreError, match=r"do not fit into the disk budget of 0 MB.*--disk-budget"):
        downloads.make_room(cache, 3_001)
    assert there(cache) == "ab"
    downloads.make_room(cache, 3_000)
    assert there(cache) == "b"
    assert (snapshot_folder(cache, *COMMITS["a"]) / "theirs.onnx").is_file()


def test_a_blob_that_another_commit_links_to_stays(downloads: Downloads, cache: Path) -> None:
    """Two commits often share their weights: the other one's are not broken."""
    fetch(downloads, cache, "a", 1_000)
    weights = snapshot_folder(cache, *COMMITS["a"]) / "weights"
    twin = snapshot_folder(cache, "team/a", "9" * 40) / "weights"
    twin.parent.mkdir(parents=True)
    twin.symlink_to(weights.readlink())
    downloads.make_room(cache, 3_000)
    assert not weights.exists()
    assert twin.stat().st_size == 1_000


def test_room_is_made_on_a_full_disk(
    downloads: Downloads, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a budget, eviction begins when the disk's spare room is touched."""
    fetch(downloads, cache, "a", 1_000)
    downloads.budget_bytes = None
    downloads.make_room(cache, 1)
    assert there(cache) == "a"
    free = -missing_bytes(cache, 0)
    monkeypatch.setattr(downloads_module, "SPARE_BYTES", downloads_module.SPARE_BYTES + free)
    downloads.make_room(cache, 1)
    assert there(cache) == ""


def test_a_list_that_could_not_be_written_can_be_written_later(
    downloads: Downloads, cache: Path
) -> None:
    """A full disk in the middle leaves no transaction open."""
    with pytest.raises(sqlite3.Error):
        downloads.begin(cache, COMMITS["a"], [cast(str, object())])
    fetch(downloads, cache, "a", 10)
    assert there(cache) == "a"


def test_a_living_download_is_not_swept(downloads: Downloads, cache: Path) -> None:
    """Its lock tells: another tool may be fetching the same model."""
    downloads.begin(cache, COMMITS["a"], ["weights"])
    downloads._connection.execute("UPDATE files SET pid = ?", (2**22 + 1,))  # nobody's
    blobs = repository_folder(cache, "team/a") / "blobs"
    blobs.mkdir(parents=True)
    for etag in ("dead", "alive"):
        (blobs / f"{etag}.12345678.incomplete").write_bytes(b"half")
    lock = cache / ".locks" / blobs.parent.name / "alive.lock"
    lock.parent.mkdir(parents=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert downloads.sweep(cache) == 1
    assert [file.name for file in blobs.iterdir()] == ["alive.12345678.incomplete"]


@pytest.fixture
def models(
    zoo: Path, weights_file: Callable[..., bytes]
) -> Iterator[tuple[LoopbackHub, list[Model]]]:
    """Three models of 40 kB each, and the Hub that serves them."""
    for name in ("ant", "bee", "cat"):
        content = weights_file({"head": ("F32", [10_000], 40_000)})
        (zoo / "demo" / name / WEIGHTS).write_bytes(content)
    with LoopbackHub(zoo) as hub:
        source = HubSource(hub.endpoint, token=False)
        yield hub, [source.model(f"demo/{name}") for name in ("ant", "bee", "cat")]


def has_weights(cache: Path, model: Model) -> bool:
    return (snapshot_folder(cache, model.id, model.revision) / WEIGHTS).is_file()


def test_a_source_keeps_within_its_budget(
    models: tuple[LoopbackHub, list[Model]], cache: Path, tmp_path: Path, store: Catalog
) -> None:
    """The third model takes the place of the second: the first is the best so far."""
    hub, (ant, bee, cat) = models
    with Downloads(tmp_path / "downloads.db", budget_bytes=100_000) as downloads:
        source = HubSource(hub.endpoint, False, cache, memo=store, downloads=downloads)
        source.fetch(ant, [WEIGHTS])
        source.protect([ant])
        for model in (bee, cat):
            source.fetch(model, [WEIGHTS])
        assert [has_weights(cache, model) for model in (ant, bee, cat)] == [True, False, True]
        source.fetch(bee, [WEIGHTS])
        assert [has_weights(cache, model) for model in (ant, bee, cat)] == [True, True, False]
        source.close()


def test_what_does_not_fit_is_known_before_any_byte(
    models: tuple[LoopbackHub, list[Model]], cache: Path, tmp_path: Path
) -> None:
    """The list of files is enough (fault F11): nothing is asked, no process is started."""
    hub, (ant, *_) = models
    with Downloads(tmp_path / "downloads.db", budget_bytes=30_000) as downloads:
        source = HubSource(hub.endpoint, False, cache, downloads=downloads)
        n_requests = len(hub.requests)
        with pytest.raises(StoreError, match="disk budget"):
            source.fetch(ant, [WEIGHTS])
    assert len(hub.requests) == n_requests
    assert not cache.exists()
