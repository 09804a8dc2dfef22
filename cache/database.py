"""Opens our SQLite files: write-ahead log, time-outs, migrations. The home of sqlite_utils.

Reading uses sqlite3 alone: importing sqlite_utils costs up to a second (it loads pandas where that
is installed), so it is imported only when a file must be created or migrated.
"""

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cache.errors import StoreError

if TYPE_CHECKING:
    from sqlite_utils import Database

Migration = Callable[["Database"], None]

BUSY_TIMEOUT_S = 60


def connect(path: Path, migrations: Mapping[str, Migration]) -> sqlite3.Connection:
    """An open database in autocommit mode, its schema brought up to date first.

    `migrations` maps names to functions, oldest first; `PRAGMA user_version` counts the applied
    ones. Raises StoreError for a damaged file, a newer schema, or a folder that cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = _open(path)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version < len(migrations):
            connection.close()
            _migrate(path, migrations, backup=version > 0)
            connection = _open(path)
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


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_S, isolation_level=None, factory=Connection
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")  # results survive a power loss
    return connection


def _migrate(path: Path, migrations: Mapping[str, Migration], *, backup: bool) -> None:
    from sqlite_utils import Database, Migrations

    if backup:
        with closing(_open(path)) as whole, closing(_open(path.with_suffix(".backup.db"))) as copy:
            whole.backup(copy)  # with what is still in the write-ahead log
    steps = Migrations(path.stem)
    for name, migration in migrations.items():
        steps(name=name)(migration)
    database = Database(_open(path))
    try:
        steps.apply(database)
        database.conn.execute(f"PRAGMA user_version={len(migrations)}")
    finally:
        database.close()
