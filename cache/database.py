"""Opens our SQLite files: write-ahead log, time-outs, migrations. The home of sqlite_utils.

Reading uses sqlite3 alone: importing sqlite_utils costs half a second, so it is imported only when
a file must be created or migrated.
"""

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


def connect(path: Path, migrations: Mapping[str, Migration]) -> sqlite3.Connection:
    """An open database in autocommit mode, its schema brought up to date first.

    `migrations` maps names to functions, oldest first; `PRAGMA user_version` counts the applied
    ones. Raises StoreError for a damaged file, a newer schema, or a folder that cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = _open(path)
        version = _version(connection)
        if version < len(migrations):
            connection.close()
            with one_at_a_time(path):
                _migrate(path, migrations)
            connection = _open(path)
            version = _version(connection)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(
            f"cannot open {path}: {error}; choose another folder with RECOMMENDER_HOME, "
            "or move the file away to start afresh"
        ) from error
    if version > len(migrations):
        connection.close()
        raise StoreError(
            f"{path} was written by a newer recommender (schema {version}, "
            f"this one knows {len(migrations)}); upgrade, or choose another RECOMMENDER_HOME"
        )
    return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A database that exists and has its schema, of which nothing can be changed."""
    try:
        return _open(path, "?mode=ro")
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"cannot read {path}: {error}") from error


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Only one process at a time does this to the file at `path`.

    SQLite's own lock on a file beside it: a killed holder lets go, on every platform.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.lock")
    with closing(sqlite3.connect(beside, timeout=LOCK_TIMEOUT_S, isolation_level=None)) as lock:
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
            raise StoreError(f"a store cannot be used: {error}") from error

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:  # Any: as sqlite3 has it
        """As sqlite3's, with our error."""
        try:
            return super().executemany(*arguments)
        except sqlite3.OperationalError as error:
            raise StoreError(f"a store cannot be used: {error}") from error


def _open(path: Path, mode: str = "") -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}{mode}",
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        factory=Connection,
        uri=True,
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA synchronous=FULL")  # results survive a power loss
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
