"""Opens our SQLite files: write-ahead log, time-outs, migrations. The home of sqlite_utils.

Reading uses sqlite3 alone: importing sqlite_utils costs half a second, so it is imported only when
a file must be created or migrated.
"""

import os
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cache.errors import StoreError

if TYPE_CHECKING:
    from sqlite_utils import Database

Migration = Callable[["Database"], None]

BUSY_TIMEOUT_S = 60
LOCK_TIMEOUT_S = 600.0

ANOTHER_HOME = "choose another folder with RECOMMENDER_HOME"


def connect(path: Path, migrations: Mapping[str, Migration]) -> sqlite3.Connection:
    """An open database in autocommit mode, its schema brought up to date first.

    `migrations` maps names to functions, oldest first; `PRAGMA user_version` counts the applied
    ones. A database that exists and cannot be written, as on a read-only file system, is opened to
    be read: writing to it raises StoreError. Raises StoreError for a damaged file, a newer schema,
    a folder that cannot be written, and an older schema where nothing can be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = _open(path)
        if _version(connection) < len(migrations):
            connection.close()
            with one_at_a_time(path):
                _migrate(path, migrations)
            connection = _open(path)
        version = _version(connection)
    except (OSError, sqlite3.Error) as error:
        if os.access(path, os.F_OK) and not _is_writable(path):
            return connect_to_read(path, migrations)
        raise StoreError(f"cannot open {path}: {error}; {_advice(path, error)}") from error
    return _checked(connection, path, version, len(migrations))


def connect_to_read(path: Path, migrations: Mapping[str, Migration]) -> sqlite3.Connection:
    """A database that exists and has this schema, of which nothing can be changed.

    Raises StoreError where it cannot be read, or was written by an older or a newer version.
    """
    try:
        connection = open_to_read(path)
        version = _version(connection)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"cannot read {path}: {error}") from error
    return _checked(connection, path, version, len(migrations))


def open_to_read(path: Path, *, timeout_s: float = BUSY_TIMEOUT_S) -> sqlite3.Connection:
    """A database that exists, whatever its schema, of which nothing can be changed.

    Raises OSError or sqlite3.Error where it cannot be read.
    """
    connection = _connection(path, "?mode=ro", timeout_s)
    try:
        _version(connection)  # the first statement makes or opens the files beside it
    except (OSError, sqlite3.Error):
        connection.close()
        if _is_writable(path) or not os.access(path, os.F_OK):
            raise
        return _open_immutable(path, timeout_s)
    return connection


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Only one process at a time does this to the file at `path`.

    SQLite's own lock on a file beside it: a killed holder lets go, on every platform. Raises
    StoreError where that file cannot be made, or is held for too long.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.lock")
    try:
        lock = sqlite3.connect(beside, timeout=LOCK_TIMEOUT_S, isolation_level=None)
    except sqlite3.Error as error:
        raise StoreError(f"cannot open {beside}: {error}; {_advice(beside, error)}") from error
    with closing(lock):
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            raise StoreError(
                f"another process has held {beside} for {LOCK_TIMEOUT_S:g} s ({error}); "
                "end it, or choose another folder with RECOMMENDER_HOME"
            ) from error
        yield


class Connection(sqlite3.Connection):
    """A connection whose errors (locked, disk full, damaged) are StoreErrors."""

    def execute(self, *arguments: Any) -> sqlite3.Cursor:  # Any: as sqlite3 has it
        """As sqlite3's, with our error."""
        try:
            return super().execute(*arguments)
        except sqlite3.OperationalError as error:
            raise _not_used(error) from error

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:  # Any: as sqlite3 has it
        """As sqlite3's, with our error."""
        try:
            return super().executemany(*arguments)
        except sqlite3.OperationalError as error:
            raise _not_used(error) from error


def _not_used(error: sqlite3.OperationalError) -> StoreError:
    name = getattr(error, "sqlite_errorname", "")  # what Python's own layer raises has none
    is_read_only = name.startswith("SQLITE_READONLY")
    what_to_do = f"; {ANOTHER_HOME}" if is_read_only else ""
    return StoreError(f"a store cannot be used: {error}{what_to_do}")


def _advice(path: Path, error: Exception) -> str:
    """What to do about a file that cannot be opened.

    Only a damaged one is to be moved away: it holds what was paid for.
    """
    if not _is_writable(path):
        return f"get the right to write there, or {ANOTHER_HOME}"
    is_damaged = isinstance(error, sqlite3.DatabaseError) and not isinstance(
        error, sqlite3.OperationalError
    )
    return f"{ANOTHER_HOME}{', or move the file away to start afresh' * is_damaged}"


def _is_writable(path: Path) -> bool:
    """Whether the file, if there is one, and its folder can be written: SQLite needs both."""
    return os.access(path.parent, os.W_OK) and (
        os.access(path, os.W_OK) or not os.access(path, os.F_OK)
    )


def _checked(
    connection: sqlite3.Connection, path: Path, version: int, known: int
) -> sqlite3.Connection:
    """The connection, where its schema is the one that is known here; closed else."""
    if version == known:
        return connection
    connection.close()
    if version > known:
        raise StoreError(
            f"{path} was written by a newer recommender (schema {version}, "
            f"this one knows {known}); upgrade, or choose another RECOMMENDER_HOME"
        )
    raise StoreError(
        f"{path} was written by an older recommender (schema {version}, this one reads {known}); "
        "run any command once where it can be written, such as: recommender report --list"
    )


def _open_immutable(path: Path, timeout_s: float) -> sqlite3.Connection:
    """A database in a folder where SQLite cannot make the files that it has beside one.

    It is read as if nobody could write it, since no lock can be taken: a last resort. A log beside
    it would be passed over, and with it the newest results.
    """
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        raise StoreError(
            f"its newest results are in {log.name}, which can be read only where "
            f"{path.parent} can be written; copy that folder to where you may write"
        )
    return _connection(path, "?immutable=1", timeout_s)


def _open(path: Path) -> sqlite3.Connection:
    connection = _connection(path, "", BUSY_TIMEOUT_S)
    connection.execute("PRAGMA synchronous=FULL")  # results survive a power loss
    return connection


def _connection(path: Path, mode: str, timeout_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}{mode}",
        timeout=timeout_s,
        isolation_level=None,
        factory=Connection,
        uri=True,
    )
    connection.row_factory = sqlite3.Row
    return connection


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@contextmanager
def _without_pandas() -> Iterator[None]:
    """Keeps sqlite_utils from importing pandas: a second and 80 MB for one type of column."""
    if "pandas" in sys.modules:
        yield
        return
    sys.modules["pandas"] = None  # type: ignore[assignment]  # an import of it fails, as if lacking
    try:
        yield
    finally:
        del sys.modules["pandas"]


def _set_name(connection: sqlite3.Connection) -> str | None:
    """Under which name the file keeps its migrations: what it was called when it was made."""
    if not _version(connection):
        return None
    row = connection.execute("SELECT migration_set FROM _sqlite_migrations LIMIT 1").fetchone()
    return str(row[0]) if row else None


def _migrate(path: Path, migrations: Mapping[str, Migration]) -> None:
    """Create or renew the schema; nothing where another process has done it in the meantime."""
    with _without_pandas():
        from sqlite_utils import Database, Migrations
    with closing(_open(path)) as whole:
        # The file stays in this mode. Two processes that set it at once would lock each other out.
        whole.execute("PRAGMA journal_mode=WAL")
        version = _version(whole)
        if version >= len(migrations):
            return
        name = _set_name(whole) or path.stem
        if version:
            with closing(_open(path.with_suffix(".backup.db"))) as copy:
                whole.backup(copy)  # with what is still in the write-ahead log
    steps = Migrations(name)
    for step, migration in migrations.items():
        steps(name=step)(migration)
    database = Database(_open(path))
    try:
        steps.apply(database)
        database.conn.execute(f"PRAGMA user_version={len(migrations)}")
    finally:
        database.close()
