"""What we downloaded into the Hub's cache: accounted for, kept within a budget, swept.

The cache belongs to every tool of this machine. Only files that we fetched are ever removed from
it; the list of them is `downloads.db`, which all coordinators of one home share.
"""

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from cache.database import Migration, connect
from cache.errors import StoreError
from cache.processes import is_running, started

if TYPE_CHECKING:
    from sqlite_utils import Database

SPARE_BYTES = 200_000_000  # of the disk stay free, for databases and reports
PARTIAL = re.compile(r"(?P<etag>.+?)(?:\.[0-9a-f]{8})?\.incomplete")
"""How the Hub's clients name a file that is coming; older ones leave out the random digits."""

Commit = tuple[str, str]
"""A model's id and its revision."""

Process = tuple[int, str]
"""A process id, and when it was started: ids are given again."""


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
    paths: tuple[str, ...]

    @property
    def commit(self) -> Commit:
        """Its model and revision."""
        return self.id, self.revision


@dataclass(frozen=True, slots=True)
class _Coming:
    """A file that a process is about to fetch, with the size that was announced."""

    commit: Commit
    path: str
    size_bytes: int
    process: Process

    def place(self, cache: Path) -> Path:
        return snapshot_folder(cache, *self.commit) / self.path


class Downloads:
    """The files that we fetched, by cache and commit. Belongs to the thread that opened it."""

    def __init__(self, path: Path, *, budget_bytes: int | None = None) -> None:
        self.budget_bytes = budget_bytes
        self._connection = connect(path, MIGRATIONS)
        self._process: Process = (os.getpid(), started(os.getpid()))

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

    def begin(
        self,
        cache: Path,
        commit: Commit,
        sizes: Mapping[str, int],
        *,
        keep: Collection[Commit] = (),
    ) -> list[str]:
        """Make room for files that are about to come, and note them; the names of what is gone.

        `sizes` are the announced bytes by path. Never evicted is what is in `keep` or used by
        another process that runs. Raises StoreError, with nothing evicted, where that is not
        enough (fault F11).
        """
        self.sweep(cache)
        with self._transaction():
            evicted = self._make_room(cache, commit, sizes, keep)
            self._note_use(cache, commit)
            self._connection.executemany(
                "INSERT OR REPLACE INTO coming (cache, id, revision, path, size_bytes, pid,"
                " started) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(str(cache), *commit, path, n, *self._process) for path, n in sizes.items()],
            )
        return evicted

    def finish(self, cache: Path, commit: Commit, paths: Iterable[str]) -> None:
        """Note which of the files that were to come are there; the others are given up."""
        with self._transaction():
            self._settle(cache, commit, paths, self._process)
            self._note_use(cache, commit)

    def use(self, cache: Path, commit: Commit) -> None:
        """Note that this process uses a commit: no other one evicts it as long as this runs."""
        with self._transaction():
            self._note_use(cache, commit)

    def sweep(self, cache: Path) -> int:
        """Remove what killed processes of ours left of their downloads; how many files."""
        dead = [one for one in self._announced(cache) if not is_running(*one.process)]
        n_swept = sum(sweep(cache, id) for id in {one.commit[0] for one in dead})
        with self._transaction():
            for one in dead:
                self._settle(cache, one.commit, [one.path], one.process)
            gone = [(commit, path) for commit, path, _, size in self._rows(cache) if size is None]
            self._forget(cache, gone)
            self._connection.executemany(
                "DELETE FROM users WHERE pid = ? AND started = ?",
                [process for process in self._users() if not is_running(*process)],
            )
        return n_swept

    def fetched(self, cache: Path) -> tuple[Fetched, ...]:
        """Our commits in a cache, the least valuable first: long unused, then large."""
        found: dict[Commit, list[tuple[str, int, int]]] = {}
        for commit, path, used, size_bytes in self._rows(cache):
            if size_bytes is not None:
                found.setdefault(commit, []).append((path, used, size_bytes))
        commits = [_fetched(commit, files) for commit, files in found.items()]
        return tuple(sorted(commits, key=lambda one: (one.used, -one.size_bytes)))

    # ------------------------------------------------------------------ room
    def _make_room(
        self, cache: Path, commit: Commit, sizes: Mapping[str, int], keep: Collection[Commit]
    ) -> list[str]:
        coming = self._under_way(cache)
        n_bytes = sum(size for path, size in sizes.items() if (commit, path) not in coming)
        if not n_bytes:
            return []
        known = self.fetched(cache)
        lacking = max(
            missing_bytes(cache, n_bytes + _bytes_to_come(cache, coming.values())),
            self._over_budget(known, coming.values(), n_bytes),
        )
        kept = {*keep, *self._used_by_others(cache)}
        victims = _victims(known, lacking, kept)
        if lacking > sum(one.size_bytes for one in victims):
            raise StoreError(self._no_room(cache, n_bytes, known, coming.values(), kept))
        for one in victims:
            self._evict(cache, one)
        return [f"{one.id}@{one.revision[:8]}" for one in victims]

    def _over_budget(
        self, known: Iterable[Fetched], coming: Iterable[_Coming], n_bytes: int
    ) -> int:
        if self.budget_bytes is None:
            return 0
        taken = sum(one.size_bytes for one in known) + sum(one.size_bytes for one in coming)
        return taken + n_bytes - self.budget_bytes

    def _no_room(
        self,
        cache: Path,
        n_bytes: int,
        known: Iterable[Fetched],
        coming: Iterable[_Coming],
        kept: Collection[Commit],
    ) -> str:
        if self.budget_bytes is None or missing_bytes(cache, n_bytes) > 0:
            return too_large(cache, n_bytes)
        in_use = sum(one.size_bytes for one in known if one.commit in kept)
        in_use += sum(one.size_bytes for one in coming)
        return (
            f"{n_bytes / 1e6:,.0f} MB do not fit into the disk budget of "
            f"{self.budget_bytes / 1e6:,.0f} MB, of which {in_use / 1e6:,.0f} MB are in use; "
            "raise --disk-budget or RECOMMENDER_DISK_BUDGET"
        )

    def _evict(self, cache: Path, one: Fetched) -> None:
        for path in one.paths:
            remove(cache, one.commit, path)
        self._forget(cache, [(one.commit, path) for path in one.paths])

    # ------------------------------------------------------------------ rows
    def _rows(self, cache: Path) -> Iterator[tuple[Commit, str, int, int | None]]:
        """Commit, path, use and size of each file that we fetched; no size where it is gone."""
        for row in self._connection.execute(
            "SELECT id, revision, path, used FROM files WHERE cache = ?", (str(cache),)
        ).fetchall():
            place = snapshot_folder(cache, row["id"], row["revision"]) / row["path"]
            yield (row["id"], row["revision"]), row["path"], row["used"], _size_bytes(place)

    def _announced(self, cache: Path) -> list[_Coming]:
        """The files that processes, dead ones too, have begun to fetch."""
        rows = self._connection.execute("SELECT * FROM coming WHERE cache = ?", (str(cache),))
        return [
            _Coming(
                (row["id"], row["revision"]),
                row["path"],
                row["size_bytes"],
                (row["pid"], row["started"]),
            )
            for row in rows.fetchall()
        ]

    def _under_way(self, cache: Path) -> dict[tuple[Commit, str], _Coming]:
        """After a sweep the files that living processes fetch, each once, and that nobody has."""
        there = {(commit, path) for commit, path, _, size in self._rows(cache) if size is not None}
        return {
            (one.commit, one.path): one
            for one in self._announced(cache)
            if (one.commit, one.path) not in there
        }

    def _users(self) -> list[Process]:
        rows = self._connection.execute("SELECT DISTINCT pid, started FROM users").fetchall()
        return [(row["pid"], row["started"]) for row in rows]

    def _used_by_others(self, cache: Path) -> set[Commit]:
        rows = self._connection.execute(
            "SELECT id, revision, pid, started FROM users WHERE cache = ?", (str(cache),)
        ).fetchall()
        return {
            (row["id"], row["revision"])
            for row in rows
            if (row["pid"], row["started"]) != self._process
            and is_running(row["pid"], row["started"])
        }

    def _note_use(self, cache: Path, commit: Commit) -> None:
        self._connection.execute(
            "INSERT OR IGNORE INTO users (cache, id, revision, pid, started)"
            " VALUES (?, ?, ?, ?, ?)",
            (str(cache), *commit, *self._process),
        )
        self._connection.execute(
            "UPDATE files SET used = (SELECT MAX(used) + 1 FROM files)"
            " WHERE cache = ? AND id = ? AND revision = ?",
            (str(cache), *commit),
        )

    def _settle(self, cache: Path, commit: Commit, paths: Iterable[str], process: Process) -> None:
        """These files are no longer coming by this process: they are ours if they are there."""
        paths = list(paths)
        place = snapshot_folder(cache, *commit)
        self._connection.executemany(
            "INSERT OR REPLACE INTO files (cache, id, revision, path, used)"
            " VALUES (?, ?, ?, ?, (SELECT COALESCE(MAX(used), 0) + 1 FROM files))",
            [(str(cache), *commit, path) for path in paths if (place / path).is_file()],
        )
        self._connection.executemany(
            "DELETE FROM coming WHERE cache = ? AND id = ? AND revision = ? AND path = ?"
            " AND pid = ? AND started = ?",
            [(str(cache), *commit, path, *process) for path in paths],
        )

    def _forget(self, cache: Path, files: Iterable[tuple[Commit, str]]) -> None:
        self._connection.executemany(
            "DELETE FROM files WHERE cache = ? AND id = ? AND revision = ? AND path = ?",
            [(str(cache), *commit, path) for commit, path in files],
        )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


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
    """Remove a file from a snapshot, and its blob where no other snapshot links to it.

    A blob whose lock another tool holds stays: it is about to be linked.
    """
    place, repository = snapshot_folder(cache, *commit) / path, repository_folder(cache, commit[0])
    with contextlib.suppress(OSError):
        blob = blob_of(place).name if place.is_symlink() else None
        place.unlink()
        if blob is not None and not _is_linked(repository, blob):
            with _held(_lock(cache, repository, blob)):
                (repository / "blobs" / blob).unlink()
    _remove_empty(place.parent, repository)


def blob_of(place: Path) -> Path:
    """The file itself, named by its hash, which a snapshot's file links to; else its own place."""
    return place.parent / place.readlink() if place.is_symlink() else place


def sweep(cache: Path, id: str) -> int:
    """Remove a model's partial files that no living download holds the lock of; how many."""
    repository = repository_folder(cache, id)
    n_swept = 0
    for partial in _partial_files(repository):
        match = PARTIAL.fullmatch(partial.name)
        assert match is not None
        with contextlib.suppress(OSError), _held(_lock(cache, repository, match["etag"])):
            partial.unlink()
            n_swept += 1
    return n_swept


@contextlib.contextmanager
def _held(lock: Path) -> Iterator[None]:
    """The lock with which huggingface_hub guards a blob. Raises OSError where it is taken."""
    if not lock.exists():
        yield
        return
    with lock.open("rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _lock(cache: Path, repository: Path, etag: str) -> Path:
    return cache / ".locks" / repository.name / f"{etag}.lock"


def _partial_files(repository: Path) -> list[Path]:
    try:
        found = list((repository / "blobs").iterdir())
    except OSError:  # there is no such folder, or no longer
        return []
    return [path for path in found if PARTIAL.fullmatch(path.name)]


def _bytes_to_come(cache: Path, coming: Iterable[_Coming]) -> int:
    """What the disk still needs for files that are under way: their partial files count."""
    announced: dict[str, int] = {}
    for one in coming:
        if not one.place(cache).is_file():
            announced[one.commit[0]] = announced.get(one.commit[0], 0) + one.size_bytes
    return sum(max(0, n - _partial_bytes(cache, id)) for id, n in announced.items())


def _partial_bytes(cache: Path, id: str) -> int:
    return sum(_size_bytes(path) or 0 for path in _partial_files(repository_folder(cache, id)))


def _victims(known: Iterable[Fetched], lacking: int, kept: Collection[Commit]) -> list[Fetched]:
    """The least valuable that together free so much; all that may go where that is too little."""
    chosen: list[Fetched] = []
    for one in known:
        if lacking <= 0:
            break
        if one.commit not in kept:
            chosen.append(one)
            lacking -= one.size_bytes
    return chosen


def _fetched(commit: Commit, files: Collection[tuple[str, int, int]]) -> Fetched:
    return Fetched(
        *commit,
        size_bytes=sum(size_bytes for _, _, size_bytes in files),
        used=max(used for _, used, _ in files),
        paths=tuple(path for path, _, _ in files),
    )


def _size_bytes(place: Path) -> int | None:
    try:
        return place.stat().st_size
    except OSError:  # removed by its owner
        return None


def _is_linked(repository: Path, blob: str) -> bool:
    for folder, _, names in os.walk(repository / "snapshots"):
        for name in names:
            with contextlib.suppress(OSError):  # removed in the meantime, or no link
                if Path(folder, name).readlink().name == blob:
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


def _tell_processes_apart(database: "Database") -> None:
    """Files that are coming, and who uses a commit, by process; before, a file knew one pid."""
    process = {"pid": int, "started": str}
    file = {"cache": str, "id": str, "revision": str, "path": str}
    database.table("coming").create(
        {**file, "size_bytes": int, **process}, pk=(*file, *process), strict=True
    )
    commit = dict.fromkeys(("cache", "id", "revision"), str)
    database.table("users").create({**commit, **process}, pk=(*commit, *process), strict=True)
    database.execute(
        "INSERT INTO coming (cache, id, revision, path, size_bytes, pid, started)"
        " SELECT cache, id, revision, path, 0, pid, '' FROM files WHERE NOT is_whole"
    )
    database.execute(
        "INSERT INTO users (cache, id, revision, pid, started)"
        " SELECT DISTINCT cache, id, revision, pid, '' FROM files"
    )
    database.table("files").transform(drop={"pid", "is_whole"})


MIGRATIONS: Mapping[str, Migration] = {
    "0001_files": _create_files,
    "0002_processes": _tell_processes_apart,
}
"""Oldest first; an applied one is never changed."""
