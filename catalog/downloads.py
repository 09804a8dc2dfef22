"""What we downloaded into the Hub's cache: accounted for, kept within a budget, swept.

The cache belongs to every tool of this machine. Only files that we fetched are ever removed from
it; the list of them is `downloads.db`, which the coordinator alone writes.
"""

import contextlib
import fcntl
import os
import shutil
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from cache.database import Migration, connect
from cache.errors import StoreError

if TYPE_CHECKING:
    from sqlite_utils import Database

SPARE_BYTES = 200_000_000  # of the disk stay free, for databases and reports

Commit = tuple[str, str]
"""A model's id and its revision."""


def repository_folder(cache: Path, id: str) -> Path:
    """Where the Hub's cache keeps a model: blobs, and snapshots that link to them."""
    return cache / f"models--{id.replace('/', '--')}"


def snapshot_folder(cache: Path, id: str, revision: str) -> Path:
    """Where the files of one commit lie."""
    return repository_folder(cache, id) / "snapshots" / revision


@dataclass(frozen=True, slots=True)
class Fetched:
    """What we fetched of one commit, as far as it is still there. `used` grows with each use."""

    id: str
    revision: str
    size_bytes: int
    used: int
    pid: int
    paths: tuple[str, ...]


class Downloads:
    """The files that we fetched, by cache and commit. Belongs to the thread that opened it."""

    def __init__(self, path: Path, *, budget_bytes: int | None = None) -> None:
        self.budget_bytes = budget_bytes
        self._connection = connect(path, MIGRATIONS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the object is of no use afterwards."""
        self._connection.close()

    def begin(self, cache: Path, commit: Commit, paths: Iterable[str]) -> None:
        """Note that files which were not in the cache are about to come there."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._connection.executemany(
                "INSERT OR REPLACE INTO files (cache, id, revision, path, pid, is_whole, used)"
                " VALUES (?, ?, ?, ?, ?, 0, (SELECT COALESCE(MAX(used), 0) + 1 FROM files))",
                [(str(cache), *commit, path, os.getpid()) for path in paths],
            )
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise

    def finish(self, cache: Path, commit: Commit) -> None:
        """Note what is there of a commit, its files come or given up, and that it was used now."""
        place = snapshot_folder(cache, *commit)
        rows = self._connection.execute(
            "SELECT path FROM files WHERE cache = ? AND id = ? AND revision = ?",
            (str(cache), *commit),
        )
        gone = [row["path"] for row in rows.fetchall() if not (place / row["path"]).is_file()]
        if gone:
            self._forget(cache, commit, gone)
        self._connection.execute(
            "UPDATE files SET is_whole = 1, pid = ?,"
            " used = (SELECT MAX(used) + 1 FROM files) WHERE cache = ? AND id = ? AND revision = ?",
            (os.getpid(), str(cache), *commit),
        )

    def sweep(self, cache: Path) -> int:
        """Remove what killed processes of ours left of their downloads; how many files."""
        rows = self._connection.execute(
            "SELECT DISTINCT id, revision, pid FROM files WHERE cache = ? AND NOT is_whole",
            (str(cache),),
        ).fetchall()
        n_swept = 0
        for row in rows:
            if not is_running(row["pid"]):
                n_swept += sweep(cache, row["id"])
                self.finish(cache, (row["id"], row["revision"]))
        return n_swept

    def fetched(self, cache: Path) -> tuple[Fetched, ...]:
        """Our commits in a cache, the least valuable first: long unused, then large."""
        found: dict[Commit, list[sqlite3.Row]] = {}
        for row in self._connection.execute("SELECT * FROM files WHERE cache = ?", (str(cache),)):
            found.setdefault((row["id"], row["revision"]), []).append(row)
        commits = [_fetched(cache, commit, rows) for commit, rows in found.items()]
        return tuple(sorted(commits, key=lambda one: (one.used, -one.size_bytes)))

    def make_room(self, cache: Path, n_bytes: int, *, keep: Collection[Commit] = ()) -> list[str]:
        """Evict what we fetched until so many bytes fit; the names of what is gone.

        Never what is in `keep` or used by another process that runs. Raises StoreError, with
        nothing evicted, where that is not enough (fault F11).
        """
        known = self.fetched(cache)
        lacking = max(missing_bytes(cache, n_bytes), self._over_budget(known, n_bytes))
        victims = _victims(known, lacking, keep)
        if lacking > sum(one.size_bytes for one in victims):
            raise StoreError(self._no_room(cache, n_bytes, known, keep))
        for one in victims:
            self._evict(cache, one)
        return [f"{one.id}@{one.revision[:8]}" for one in victims]

    def _over_budget(self, known: Iterable[Fetched], n_bytes: int) -> int:
        if self.budget_bytes is None:
            return 0
        return sum(one.size_bytes for one in known) + n_bytes - self.budget_bytes

    def _no_room(
        self, cache: Path, n_bytes: int, known: Iterable[Fetched], keep: Collection[Commit]
    ) -> str:
        if self.budget_bytes is None or missing_bytes(cache, n_bytes) > 0:
            return too_large(cache, n_bytes)
        kept = sum(one.size_bytes for one in known if _is_kept(one, keep))
        return (
            f"{n_bytes / 1e6:,.0f} MB do not fit into the disk budget of "
            f"{self.budget_bytes / 1e6:,.0f} MB, of which {kept / 1e6:,.0f} MB are in use; "
            "raise --disk-budget or RECOMMENDER_DISK_BUDGET"
        )

    def _evict(self, cache: Path, one: Fetched) -> None:
        for path in one.paths:
            remove(cache, (one.id, one.revision), path)
        self._forget(cache, (one.id, one.revision), one.paths)

    def _forget(self, cache: Path, commit: Commit, paths: Iterable[str]) -> None:
        self._connection.executemany(
            "DELETE FROM files WHERE cache = ? AND id = ? AND revision = ? AND path = ?",
            [(str(cache), *commit, path) for path in paths],
        )


def missing_bytes(cache: Path, n_bytes: int) -> int:
    """How many bytes the disk lacks for so many more; negative where it has enough."""
    existing = next(folder for folder in (cache, *cache.parents) if folder.is_dir())
    return n_bytes + SPARE_BYTES - shutil.disk_usage(existing).free


def too_large(cache: Path, n_bytes: int) -> str:
    """One line for a disk that has not so much room."""
    free = n_bytes + SPARE_BYTES - missing_bytes(cache, n_bytes)
    return (
        f"{n_bytes / 1e6:,.0f} MB are needed, {cache} has {free / 1e6:,.0f} MB; "
        "free some space, or set HF_HOME to a larger disk"
    )


def remove(cache: Path, commit: Commit, path: str) -> None:
    """Remove a file from a snapshot, and its blob where no other snapshot links to it."""
    place = snapshot_folder(cache, *commit) / path
    with contextlib.suppress(OSError):
        blob = place.parent / place.readlink() if place.is_symlink() else None
        place.unlink()
        if blob is not None and not _is_linked(repository_folder(cache, commit[0]), blob.name):
            (repository_folder(cache, commit[0]) / "blobs" / blob.name).unlink()
    _remove_empty(place.parent, repository_folder(cache, commit[0]))


def sweep(cache: Path, id: str) -> int:
    """Remove a model's partial files that no living download holds the lock of; how many."""
    repository = repository_folder(cache, id)
    n_swept = 0
    for partial in repository.glob("blobs/*.incomplete"):
        lock = cache / ".locks" / repository.name / f"{partial.name.partition('.')[0]}.lock"
        with contextlib.suppress(OSError), _held(lock):
            partial.unlink()
            n_swept += 1
    return n_swept


def is_running(pid: int) -> bool:
    """Whether a process of this machine runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


@contextlib.contextmanager
def _held(lock: Path) -> Iterator[None]:
    """The lock with which huggingface_hub guards a blob. Raises OSError where it is taken."""
    if not lock.exists():
        yield
        return
    with lock.open("rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _victims(known: Iterable[Fetched], lacking: int, keep: Collection[Commit]) -> list[Fetched]:
    """The least valuable that together free so much; all that may go where that is too little."""
    chosen: list[Fetched] = []
    for one in known:
        if lacking <= 0:
            break
        if not _is_kept(one, keep):
            chosen.append(one)
            lacking -= one.size_bytes
    return chosen


def _is_kept(one: Fetched, keep: Collection[Commit]) -> bool:
    if (one.id, one.revision) in keep:
        return True
    return one.pid != os.getpid() and is_running(one.pid)


def _fetched(cache: Path, commit: Commit, rows: Iterable[sqlite3.Row]) -> Fetched:
    rows = list(rows)
    place = snapshot_folder(cache, *commit)
    sizes = [_size_bytes(place / row["path"]) for row in rows]
    newest = max(rows, key=lambda row: row["used"])
    return Fetched(
        *commit, sum(sizes), newest["used"], newest["pid"], tuple(row["path"] for row in rows)
    )


def _size_bytes(place: Path) -> int:
    try:
        return place.stat().st_size
    except OSError:  # removed by its owner
        return 0


def _is_linked(repository: Path, blob: str) -> bool:
    for folder, _, names in os.walk(repository / "snapshots"):
        for name in names:
            place = Path(folder, name)
            if place.is_symlink() and place.readlink().name == blob:
                return True
    return False


def _remove_empty(folder: Path, root: Path) -> None:
    """A snapshot without files, up to the repository itself, which keeps its name."""
    with contextlib.suppress(OSError):  # not empty: the end
        while folder != root and root in folder.parents:
            folder.rmdir()
            folder = folder.parent


def _create_files(database: "Database") -> None:
    database.table("files").create(
        {
            "cache": str, "id": str, "revision": str, "path": str,
            "pid": int, "used": int, "is_whole": int,
        },
        pk=("cache", "id", "revision", "path"),
        not_null={"pid", "used", "is_whole"},
        strict=True,
    )  # fmt: skip


MIGRATIONS: Mapping[str, Migration] = {"0001_files": _create_files}
"""Oldest first; an applied one is never changed."""
