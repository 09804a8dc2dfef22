"""The schema of catalog.db grows by steps."""

import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cache.database import connect
from catalog import order
from catalog.migrations import MIGRATIONS
from catalog.model import File, Model, PublishedResult
from catalog.select import Selection
from catalog.store import Catalog

if TYPE_CHECKING:
    from sqlite_utils import Database

A, B = "a" * 40, "b" * 40
SCHEMA_1 = dict(islice(MIGRATIONS.items(), 1))


def add_note(database: "Database") -> None:
    database.table("models").add_column("note", str)


def test_a_later_step_keeps_the_models_and_a_backup(tmp_path: Path) -> None:
    """The file of before the step lies beside the migrated one."""
    with Catalog(tmp_path / "catalog.db") as store:
        store.upsert([Model("demo/ant", "a" * 40, "hub")])
    migrated = connect(tmp_path / "catalog.db", {**MIGRATIONS, "later note": add_note})
    rows = [tuple(row) for row in migrated.execute("SELECT id, note FROM models")]
    migrated.close()
    assert rows == [("demo/ant", None)]
    with Catalog(tmp_path / "catalog.backup.db") as backup:
        assert [model.id for model in backup.models()] == ["demo/ant"]


def test_opening_twice_changes_nothing(tmp_path: Path) -> None:
    """A step is applied once."""
    Catalog(tmp_path / "catalog.db").close()
    before = (tmp_path / "catalog.db").read_bytes()
    Catalog(tmp_path / "catalog.db").close()
    assert (tmp_path / "catalog.db").read_bytes() == before
    assert not (tmp_path / "catalog.backup.db").exists()


def row_1(model: Model, *, seen: int, listed: int = 1) -> dict[str, object]:
    """A row as version 0.1 wrote it."""
    lists = ("labels", "languages", "base_models", "datasets", "parameters", "label2id")
    plain = ("id", "revision", "source", "task", "architecture", "model_type", "n_layers",
             "embedding_parameters", "max_length", "license", "library", "downloads", "likes",
             "last_modified")  # fmt: skip
    return {
        **{name: getattr(model, name) for name in plain},
        **{name: json.dumps(getattr(model, name), ensure_ascii=False) for name in lists},
        "files": json.dumps([(file.path, file.size_bytes, file.sha256) for file in model.files]),
        "published": json.dumps([(r.dataset, r.metric, r.value) for r in model.published]),
        "has_remote_code": int(model.has_remote_code), "gated": int(model.gated),
        "disabled": int(model.disabled), "n_parameters": model.n_parameters, "download_bytes": 5,
        "weight_bytes": sum(file.size_bytes for file in model.weight_files),
        "listed": listed, "seen": seen, "seen_at": f"2026-01-01T00:00:{seen:02}+00:00",
    }  # fmt: skip


def write_1(path: Path, rows: list[dict[str, object]]) -> None:
    """A catalog as version 0.1 left it."""
    with closing(connect(path, SCHEMA_1)) as connection:
        names = list(rows[0])
        connection.executemany(
            f"INSERT INTO models ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
            [list(row.values()) for row in rows],
        )
        connection.execute(
            "INSERT INTO crawls VALUES ('hub', 'fill-mask', '2026-01-01', '2026-01-02', 3, 1)"
        )
        connection.execute("INSERT INTO crawls VALUES ('hub', NULL, '2025', '2025-01', 9, 0)")
        connection.execute("INSERT INTO refusals VALUES ('hub', 'bad', 'corrupt', 'x', '2026')")
        connection.execute("INSERT INTO file_hashes VALUES ('/m', 5, 100, 'abc')")


FULL = Model(
    "demo/full", A, "hub", task="fill-mask", parameters={"F32": 70, "F16": 2},
    files=(File("model.safetensors", 300, "c" * 64), File("größe.txt", 3)),
    architecture="BertForMaskedLM", model_type="bert", labels=("no", 'y"es', "größe"),
    label2id={"no": 0}, n_layers=2, embedding_parameters=60, max_length=16, has_remote_code=True,
    license="mit", languages=("de", "en"), library="transformers", base_models=("demo/base",),
    datasets=("glue",), published=(PublishedResult("glue", "f1", 0.5),), downloads=7, likes=0,
    gated=True, disabled=True, last_modified="2025-01-01T00:00:00.000Z",
)  # fmt: skip


def test_models_of_the_first_schema_come_through(tmp_path: Path) -> None:
    """Every field, the revisions with the one that is listed, and all other tables."""
    bare, old, new = (Model("bare", A, "hub"), Model("two", A, "hub"), Model("two", B, "hub"))
    gone, named = Model("gone", A, "hub"), Model("gone", B, "hub")
    rows = [row_1(model, seen=seen) for seen, model in enumerate([FULL, bare, new, old], start=1)]
    rows += [row_1(model, seen=seen, listed=0) for seen, model in enumerate([named, gone], start=5)]
    write_1(tmp_path / "catalog.db", rows)
    with Catalog(tmp_path / "catalog.db") as store:
        assert store.models() == (FULL, bare, old)
        assert store.get("two", revision=B) == new
        assert store.get("gone") == gone
        assert store.get("gone", revision=B) == named
        assert (store.stats().n_models, store.stats().n_refused) == (3, 1)
        assert store.crawled("hub", "fill-mask") == "2026-01-02"
        assert store.crawled("hub", None) == "2025-01"
        assert store.known_sha256("/m", 5, 100) == "abc"


def test_models_of_the_first_schema_are_found_and_renewed(tmp_path: Path) -> None:
    """They are indexed, and the next complete crawl of their task tells which are gone."""
    write_1(tmp_path / "catalog.db", [row_1(FULL, seen=0), row_1(Model("b", A, "hub"), seen=1)])
    with Catalog(tmp_path / "catalog.db") as store:
        asked = Selection(search="größe", languages=("de",), trained_on="glue", max_bytes=300)
        assert store.select(asked) == (FULL,)
        assert store.select(Selection(sort="score"))
        state = store.begin("hub", {"task": "fill-mask"})
        assert store.finish(state, complete=True) == 1
        assert [model.id for model in store.models()] == ["b"]


def test_models_of_the_second_schema_are_sorted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By codes that are worked out for all of them, those that are gone included."""
    monkeypatch.setattr(order, "READ_AT_ONCE", 1)
    models = [Model(f"m/{at}", A, "hub", downloads=at % 7, likes=at) for at in range(50)]
    asked = [Selection(sort=sort, limit=10) for sort in ("downloads", "likes", "id", "score")]
    with Catalog(tmp_path / "catalog.db") as store:
        store.upsert(models)
        wanted = [store.select(one) for one in asked]
        store.bury("hub", "m/3")
    with closing(sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)) as connection:
        connection.execute("DROP TABLE codes")
        connection.execute("DELETE FROM _sqlite_migrations WHERE name LIKE '003 %'")
        connection.execute("PRAGMA user_version = 2")
    with Catalog(tmp_path / "catalog.db") as store:
        store.upsert([models[3]])
        assert [store.select(one) for one in asked] == wanted
        assert store.select(Selection(limit=1)) == (models[6],)


def test_a_kill_in_a_migration_leaves_the_former_schema(tmp_path: Path) -> None:
    """The next opening starts it again."""
    path = tmp_path / "catalog.db"
    write_1(path, [row_1(FULL, seen=1)])
    code = """if True:
        import os, signal, sys
        from pathlib import Path
        from catalog import migrations
        from catalog.store import Catalog
        migrations.index_all = lambda connection: os.kill(os.getpid(), signal.SIGKILL)
        Catalog(Path(sys.argv[1]))
    """
    killed = subprocess.run([sys.executable, "-c", code, str(path)])
    assert killed.returncode == -signal.SIGKILL
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM models WHERE seen = 1").fetchone() == (1,)
    with Catalog(path) as store:
        assert store.models() == (FULL,)
