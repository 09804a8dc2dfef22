"""The disk budget: what may be fetched, what is evicted for it, and what never is."""

import fcntl
import os
import sqlite3
import subprocess
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import cast

import pytest

from cache.database import connect
from cache.errors import StoreError
from catalog import downloads as downloads_module
from catalog.downloads import (
    MIGRATIONS,
    Commit,
    Downloads,
    missing_bytes,
    repository_folder,
    snapshot_folder,
    started,
)
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
    downloads.begin(cache, COMMITS[name], {"weights": n_bytes})
    put(cache, name, "weights", name.encode() * n_bytes)
    downloads.finish(cache, COMMITS[name], ["weights"])


def make_room(
    downloads: Downloads, cache: Path, n_bytes: int, *, keep: Collection[Commit] = ()
) -> list[str]:
    """What is evicted for a download of so many bytes, which is then given up."""
    try:
        return downloads.begin(cache, ("team/new", "9" * 40), {"weights": n_bytes}, keep=keep)
    finally:
        downloads.finish(cache, ("team/new", "9" * 40), ["weights"])


@contextmanager
def another_process() -> Iterator[int]:
    """One that runs, until the end."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as other:
        yield other.pid
        other.communicate()


def say_that(downloads: Downloads, table: str, pid: int, started: str = "") -> None:
    """Another process is the user, or the one that downloads."""
    update = f"UPDATE {table} SET pid = ?, started = ?"
    downloads._connection.execute(update, (pid, started))


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
    downloads.use(cache, COMMITS["a"])
    assert make_room(downloads, cache, 1_000) == ["team/b@22222222"]
    assert there(cache) == "ac"
    assert not list(repository_folder(cache, "team/b").glob("blobs/*"))
    assert [one.id for one in downloads.fetched(cache)] == ["team/c", "team/a"]


def test_what_is_in_use_stays(downloads: Downloads, cache: Path) -> None:
    """The one that is run and the best so far are passed over, however old they are."""
    for name in "abc":
        fetch(downloads, cache, name, 1_000)
    make_room(downloads, cache, 1_000, keep=[COMMITS["a"], COMMITS["c"]])
    assert there(cache) == "ac"


def test_another_search_keeps_what_it_uses(downloads: Downloads, cache: Path) -> None:
    """As long as one process that uses it runs, whoever else has used it since."""
    fetch(downloads, cache, "a", 1_000)
    with another_process() as pid:
        say_that(downloads, "users", pid, started(pid))
        downloads.use(cache, COMMITS["a"])
        fetch(downloads, cache, "b", 1_000)
        with pytest.raises(StoreError, match=r"of which 0 MB are in use"):
            make_room(downloads, cache, 2_500)
        assert there(cache) == "ab"
        make_room(downloads, cache, 2_000)
        assert there(cache) == "a"
    make_room(downloads, cache, 2_500)
    assert there(cache) == ""


def test_a_process_id_that_was_given_again_is_not_the_user(
    downloads: Downloads, cache: Path
) -> None:
    """The process that used the files was started at another time."""
    fetch(downloads, cache, "a", 2_000)
    with another_process() as pid:
        say_that(downloads, "users", pid, str(int(started(pid)) - 1))
        make_room(downloads, cache, 1_500)
    assert there(cache) == ""


def test_a_process_that_has_ended_uses_nothing(downloads: Downloads, cache: Path) -> None:
    """Even where its parent has not looked after it yet."""
    fetch(downloads, cache, "a", 2_000)
    with subprocess.Popen(["true"]) as ended:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        say_that(downloads, "users", ended.pid)
        make_room(downloads, cache, 1_500)
    assert there(cache) == ""


def test_files_under_way_count_by_what_was_announced(downloads: Downloads, cache: Path) -> None:
    """This process's and another one's, each file once; a dead one's no longer."""
    downloads.begin(cache, COMMITS["a"], {"weights": 1_700})
    with another_process() as pid:
        say_that(downloads, "coming", pid)
        downloads.begin(cache, COMMITS["a"], {"weights": 1_700})
        downloads.begin(cache, COMMITS["b"], {"weights": 500})
        make_room(downloads, cache, 800)
        with pytest.raises(StoreError, match="disk budget"):
            make_room(downloads, cache, 801)
        downloads.finish(cache, COMMITS["a"], ["weights"])
        with pytest.raises(StoreError, match="disk budget"):
            make_room(downloads, cache, 801)
    make_room(downloads, cache, 2_500)


def test_only_what_we_fetched_is_evicted(downloads: Downloads, cache: Path) -> None:
    """Another tool's files stay, and where that is not enough, ours do too."""
    put(cache, "b", "weights", b"theirs" * 1_000)
    fetch(downloads, cache, "a", 1_000)
    put(cache, "a", "theirs.onnx", b"other")
    with pytest.raises(StoreError, match=r"do not fit into the disk budget of 0 MB.*--disk-budget"):
        make_room(downloads, cache, 3_001)
    assert there(cache) == "ab"
    make_room(downloads, cache, 3_000)
    assert there(cache) == "b"
    assert (snapshot_folder(cache, *COMMITS["a"]) / "theirs.onnx").is_file()


def test_a_blob_that_another_commit_links_to_stays(downloads: Downloads, cache: Path) -> None:
    """Two commits often share their weights: the other one's are not broken."""
    fetch(downloads, cache, "a", 1_000)
    weights = snapshot_folder(cache, *COMMITS["a"]) / "weights"
    twin = snapshot_folder(cache, "team/a", "9" * 40) / "weights"
    twin.parent.mkdir(parents=True)
    twin.symlink_to(weights.readlink())
    make_room(downloads, cache, 3_000)
    assert not weights.exists()
    assert twin.stat().st_size == 1_000


def test_room_is_made_on_a_full_disk(
    downloads: Downloads, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a budget, eviction begins when the disk's spare room is touched."""
    fetch(downloads, cache, "a", 1_000)
    downloads.budget_bytes = None
    make_room(downloads, cache, 1)
    assert there(cache) == "a"
    free = -missing_bytes(cache, 0)
    monkeypatch.setattr(downloads_module, "SPARE_BYTES", downloads_module.SPARE_BYTES + free)
    make_room(downloads, cache, 1)
    assert there(cache) == ""


def test_what_is_under_way_needs_the_disk_for_the_rest_of_its_bytes(
    downloads: Downloads, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk with room for 10 TB: two models of 6 and 5 fit when 2 of them are there."""
    terabyte, free = 10**12, -missing_bytes(cache, 0)
    spare = downloads_module.SPARE_BYTES + free - 10 * terabyte
    monkeypatch.setattr(downloads_module, "SPARE_BYTES", spare)
    downloads.budget_bytes = None
    downloads.begin(cache, COMMITS["a"], {"weights": 6 * terabyte})
    with pytest.raises(StoreError, match="HF_HOME"):
        make_room(downloads, cache, 5 * terabyte)
    partial = repository_folder(cache, "team/a") / "blobs" / "etag.12345678.incomplete"
    partial.parent.mkdir(parents=True)
    with partial.open("wb") as file:
        file.truncate(2 * terabyte)
    make_room(downloads, cache, 5 * terabyte)


def test_a_list_that_could_not_be_written_can_be_written_later(
    downloads: Downloads, cache: Path
) -> None:
    """A full disk in the middle leaves no transaction open."""
    with pytest.raises(sqlite3.Error):
        downloads.begin(cache, COMMITS["a"], {cast(str, object()): 1})
    fetch(downloads, cache, "a", 10)
    assert there(cache) == "a"


def test_a_living_download_is_not_swept(downloads: Downloads, cache: Path) -> None:
    """Its lock tells: another tool, also an older one, may be fetching the same model."""
    downloads.begin(cache, COMMITS["a"], {"weights": 10})
    say_that(downloads, "coming", 2**22 + 1)  # nobody's
    blobs = repository_folder(cache, "team/a") / "blobs"
    blobs.mkdir(parents=True)
    alive = ["alive.12345678.incomplete", "alive.incomplete", "al.ive.12345678.incomplete"]
    for name in ("dead.12345678.incomplete", "dead.incomplete", *alive):
        (blobs / name).write_bytes(b"half")
    locks = cache / ".locks" / blobs.parent.name
    locks.mkdir(parents=True)
    with (locks / "alive.lock").open("w") as one, (locks / "al.ive.lock").open("w") as other:
        fcntl.flock(one, fcntl.LOCK_EX)
        fcntl.flock(other, fcntl.LOCK_EX)
        assert downloads.sweep(cache) == 2
    assert sorted(file.name for file in blobs.iterdir()) == sorted(alive)


def test_a_blob_that_another_tool_is_about_to_link_is_not_removed(
    downloads: Downloads, cache: Path
) -> None:
    """The client links an existing blob under its lock: else the link would lead nowhere."""
    fetch(downloads, cache, "a", 2_000)
    place = snapshot_folder(cache, *COMMITS["a"]) / "weights"
    blob = place.resolve()
    lock = cache / ".locks" / "models--team--a" / f"{blob.name}.lock"
    lock.parent.mkdir(parents=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        make_room(downloads, cache, 2_000)
    assert not place.exists()
    assert blob.is_file()


def test_a_file_that_another_tool_removed_and_fetched_is_no_longer_ours(
    downloads: Downloads, cache: Path
) -> None:
    """It is neither counted nor evicted."""
    fetch(downloads, cache, "a", 2_000)
    (snapshot_folder(cache, *COMMITS["a"]) / "weights").unlink()
    downloads.sweep(cache)
    put(cache, "a", "weights", b"theirs")
    assert downloads.fetched(cache) == ()
    make_room(downloads, cache, 3_000)
    assert there(cache) == "a"


def test_a_list_of_the_first_schema_is_taken_over(tmp_path: Path, cache: Path) -> None:
    """Whole files stay ours and their process's, what was coming is settled by what is there."""
    path = tmp_path / "old.db"
    for name in "ab":
        put(cache, name, "weights", name.encode() * 1_000)
    with another_process() as pid:
        rows = [(name, "weights", pid, 1) for name in "a"]
        rows += [("b", "weights", 2**22 + 1, 0), ("b", "lost", 2**22 + 1, 0)]
        with closing(connect(path, {"0001_files": MIGRATIONS["0001_files"]})) as old:
            for name, file, user, is_whole in rows:
                values = (str(cache), *COMMITS[name], file, user, 1, is_whole)
                old.execute(
                    "INSERT INTO files (cache, id, revision, path, pid, used, is_whole)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    values,
                )
        with Downloads(path, budget_bytes=2_000) as downloads:
            assert make_room(downloads, cache, 1_000) == ["team/b@22222222"]
            assert [one.commit for one in downloads.fetched(cache)] == [COMMITS["a"]]


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
