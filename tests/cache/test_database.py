"""Opening SQLite files: created, migrated with a backup, refused when newer or damaged."""

import shutil
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest

from cache.database import connect, connect_to_read, one_at_a_time
from cache.errors import StoreError
from tests.unwritable import ran, unwritable


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


# ---------------------------------------------------------------------- nothing can be written
OPEN = """
import sys
from pathlib import Path
from cache.database import connect, connect_to_read
from cache.errors import StoreError
path, migrations = Path(sys.argv[1]), dict.fromkeys(sys.argv[2:])
for opened in (connect, connect_to_read):
    try:
        store = opened(path, migrations)
        print([row[0] for row in store.execute("SELECT name FROM things")])
        store.execute("INSERT INTO things VALUES ('y')")
    except StoreError as error:
        print(error)
"""
"""Prints what stands in the database, and what is said when it is written to, in two ways."""

linux = pytest.mark.skipif(sys.platform != "linux", reason="gives up capabilities of Linux")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """With a database that nobody has opened."""
    with closing(connect(tmp_path / "home" / "a.db", {"first": first})) as made:
        made.execute("INSERT INTO things VALUES ('x')")
    return tmp_path / "home"


@linux
def test_a_database_that_cannot_be_written_is_read(home: Path) -> None:
    """Writing to it is refused, and nobody is told to move it away."""
    with unwritable(home):
        shown, refused, *same = ran(OPEN, home / "a.db", "first").splitlines()
    assert shown == "['x']"
    assert "readonly database; choose another folder with RECOMMENDER_HOME" in refused
    assert "move" not in refused
    assert same == [shown, refused]


@linux
def test_what_a_running_search_has_written_is_read_too(home: Path) -> None:
    """It is in the log beside the file; without its index nothing is read rather than a part."""
    with closing(connect(home / "a.db", {"first": first})) as other:
        other.execute("INSERT INTO things VALUES ('newer')")
        with unwritable(home):
            assert ran(OPEN, home / "a.db", "first").startswith("['x', 'newer']")
        copy = shutil.copytree(home, home.with_name("copy"))
    (copy / "a.db-shm").unlink()
    with unwritable(copy):
        lines = ran(OPEN, copy / "a.db", "first").splitlines()
    assert len(lines) == 2
    assert all("newest results are in a.db-wal" in line for line in lines)


@linux
def test_an_older_schema_that_cannot_be_renewed_is_told(home: Path) -> None:
    """With what to do; a newer one as ever."""
    with unwritable(home):
        older = ran(OPEN, home / "a.db", "first", "second").splitlines()
        newer = ran(OPEN, home / "a.db").splitlines()
    assert len(older) == len(newer) == 2
    assert all("run any command once where it can be written" in line for line in older)
    assert all("written by a newer recommender" in line for line in newer)


@linux
def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """Where there is no database yet."""
    (tmp_path / "home").mkdir()
    with unwritable(tmp_path / "home"):
        said, _ = ran(OPEN, tmp_path / "home" / "a.db", "first").splitlines()
    assert "get the right to write there, or choose another folder with RECOMMENDER_HOME" in said


def test_an_older_schema_is_left_as_it_is_by_a_reader(home: Path) -> None:
    """Only a command that may write renews it."""
    with pytest.raises(StoreError, match="run any command once"):
        connect_to_read(home / "a.db", {"first": first, "second": second})
    connect_to_read(home / "a.db", {"first": first}).close()


def test_a_lock_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """As an error of ours."""
    (tmp_path / "a.db.lock").mkdir()
    with pytest.raises(StoreError, match=r"a\.db\.lock"), one_at_a_time(tmp_path / "a.db"):
        pass


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
