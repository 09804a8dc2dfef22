"""Opening SQLite files: created, migrated with a backup, refused when newer or damaged."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from cache.database import connect
from cache.errors import StoreError


def first(database) -> None:  # type: ignore[no-untyped-def]
    database.table("things").create({"name": str})


def second(database) -> None:  # type: ignore[no-untyped-def]
    database.table("things").add_column("size", int)


def test_a_new_file_has_the_whole_schema(tmp_path: Path) -> None:
    """All migrations are applied to a file that does not exist yet."""
    connection = connect(tmp_path / "new" / "a.db", {"first": first, "second": second})
    connection.execute("INSERT INTO things VALUES ('x', 1)")
    assert dict(connection.execute("SELECT * FROM things").fetchone()) == {"name": "x", "size": 1}


def test_an_older_file_is_migrated_and_backed_up(tmp_path: Path) -> None:
    """Rows survive a migration, and the file as it was lies beside it."""
    path = tmp_path / "a.db"
    old = connect(path, {"first": first})
    old.execute("INSERT INTO things VALUES ('x')")
    old.close()
    new = connect(path, {"first": first, "second": second})
    assert new.execute("SELECT name, size FROM things").fetchone()["size"] is None
    backup = sqlite3.connect(tmp_path / "a.backup.db")
    assert backup.execute("SELECT * FROM things").fetchall() == [("x",)]


def test_a_renamed_file_is_migrated(tmp_path: Path) -> None:
    """It keeps its migrations under the name that it had."""
    connect(tmp_path / "old.db", {"001": first}).close()
    (tmp_path / "old.db").rename(tmp_path / "new.db")
    connect(tmp_path / "new.db", {"001": first, "002": second}).close()
    connect(tmp_path / "new.db", {"001": first, "002": second}).close()
    with sqlite3.connect(tmp_path / "new.db") as found:
        assert found.execute("PRAGMA user_version").fetchone() == (2,)


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    """A file of a newer schema is left alone, with a hint."""
    path = tmp_path / "a.db"
    connect(path, {"first": first, "second": second}).close()
    with pytest.raises(StoreError, match="newer recommender"):
        connect(path, {"first": first})


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    """What is no database is not overwritten."""
    path = tmp_path / "a.db"
    path.write_bytes(b"this is not a database" * 100)
    with pytest.raises(StoreError, match="move the file away"):
        connect(path, {"first": first})
    assert path.read_bytes().startswith(b"this is not")


def test_several_processes_may_create_a_file_at_once(tmp_path: Path) -> None:
    """One of them makes the schema while the others wait; nobody meets a lock or half a schema."""
    n, together = 8, Barrier(8)

    def open_and_write(place: int) -> None:
        together.wait()
        connection = connect(tmp_path / "a.db", {"first": first, "second": second})
        connection.execute("INSERT INTO things VALUES (?, ?)", (str(place), place))
        connection.close()

    with ThreadPoolExecutor(n) as pool:
        list(pool.map(open_and_write, range(n)))
    whole = connect(tmp_path / "a.db", {"first": first, "second": second})
    assert whole.execute("SELECT count(*) FROM things").fetchone()[0] == n
    assert whole.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
