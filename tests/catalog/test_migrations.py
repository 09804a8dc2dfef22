"""The schema of catalog.db grows by steps."""

from pathlib import Path
from typing import TYPE_CHECKING

from cache.database import connect
from catalog.migrations import MIGRATIONS
from catalog.model import Model
from catalog.store import CatalogStore

if TYPE_CHECKING:
    from sqlite_utils import Database


def add_note(database: "Database") -> None:
    database.table("models").add_column("note", str)


def test_a_later_step_keeps_the_models_and_a_backup(tmp_path: Path) -> None:
    """The file of before the step lies beside the migrated one."""
    with CatalogStore(tmp_path / "catalog.db") as store:
        store.upsert([Model("demo/ant", "a" * 40, "hub")])
    migrated = connect(tmp_path / "catalog.db", {**MIGRATIONS, "002 note": add_note})
    rows = [tuple(row) for row in migrated.execute("SELECT id, note FROM models")]
    migrated.close()
    assert rows == [("demo/ant", None)]
    with CatalogStore(tmp_path / "catalog.backup.db") as backup:
        assert [model.id for model in backup.models()] == ["demo/ant"]


def test_opening_twice_changes_nothing(tmp_path: Path) -> None:
    """A step is applied once."""
    CatalogStore(tmp_path / "catalog.db").close()
    before = (tmp_path / "catalog.db").read_bytes()
    CatalogStore(tmp_path / "catalog.db").close()
    assert (tmp_path / "catalog.db").read_bytes() == before
    assert not (tmp_path / "catalog.backup.db").exists()
