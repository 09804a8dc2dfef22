"""The schema of catalog.db, step by step. Steps are only ever added: a file counts those it has."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from cache.database import Migration
from catalog import codes
from catalog.indexes import index_all

if TYPE_CHECKING:
    import sqlite3

    from sqlite_utils import Database


def _create(database: "Database") -> None:
    _create_models(database)
    database.table("crawls").create(
        {"source": str, "task": str, "started_at": str, "finished_at": str,
         "n_models": int, "n_refused": int},
        not_null={"source", "started_at", "finished_at"},
    )  # fmt: skip
    database.table("crawls").create_index(["source", "task", "finished_at"])
    database.table("refusals").create(
        {"source": str, "id": str, "state": str, "reason": str, "seen_at": str},
        pk=("source", "id"),
    )
    database.table("file_hashes").create(
        {"path": str, "size_bytes": int, "modified_ns": int, "sha256": str}, pk="path"
    )


def _create_models(database: "Database") -> None:
    """First what a person looks for, then what only the program reads (lists and maps as JSON)."""
    database.table("models").create(
        {
            "id": str, "task": str, "n_parameters": int, "download_bytes": int,
            "weight_bytes": int, "license": str, "labels": str, "languages": str,
            "downloads": int, "likes": int, "gated": int, "disabled": int,
            "has_remote_code": int, "library": str, "architecture": str, "model_type": str,
            "n_layers": int, "embedding_parameters": int, "max_length": int,
            "last_modified": str, "source": str, "revision": str, "base_models": str,
            "datasets": str, "published": str, "parameters": str, "label2id": str, "files": str,
            "listed": int, "seen": int, "seen_at": str,
        },
        pk=("source", "id", "revision"),
        not_null={"listed", "seen", "seen_at"},
    )  # fmt: skip
    database.table("models").create_index(["task", "downloads"])
    database.table("models").create_index(["id"])


MODELS_2 = """
CREATE TABLE models (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL, task TEXT, n_parameters INTEGER, weight_bytes INTEGER, license TEXT,
    languages TEXT, labels TEXT, downloads INTEGER, likes INTEGER, score REAL, library TEXT,
    formats TEXT, author TEXT, summary TEXT, tags TEXT, base_models TEXT, datasets TEXT,
    published TEXT, created_at TEXT, last_modified TEXT, gated INTEGER NOT NULL,
    disabled INTEGER NOT NULL, private INTEGER NOT NULL, described INTEGER NOT NULL,
    source TEXT NOT NULL, revision TEXT NOT NULL, details TEXT,
    listed INTEGER NOT NULL, crawl INTEGER, seen_at TEXT NOT NULL, gone_at TEXT
);
CREATE UNIQUE INDEX listed_models ON models (id, source) WHERE listed;
CREATE UNIQUE INDEX other_revisions ON models (id, source, revision) WHERE NOT listed;
CREATE INDEX models_by_crawl ON models (crawl) WHERE listed;
"""
"""`listed` is 1 for the revision that a source lists now, or listed last (`gone_at`: until it was
missed). Other revisions stay for results that name them."""

INDEXES_2 = """
CREATE INDEX models_by_score ON models (score DESC);
CREATE INDEX models_by_n_parameters ON models (n_parameters);
CREATE INDEX models_by_weight_bytes ON models (weight_bytes);
CREATE TABLE facets (
    kind TEXT NOT NULL, value TEXT NOT NULL, chunk INTEGER NOT NULL,
    n INTEGER NOT NULL, members BLOB NOT NULL, PRIMARY KEY (kind, value, chunk)
);
CREATE TABLE frequent_words (word TEXT PRIMARY KEY, n_models INTEGER NOT NULL) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5(
    name, other, content='', columnsize=0, detail=column, tokenize='unicode61 remove_diacritics 2');
"""
"""How models are found: see catalog/query.py. Of the words only which model has them is kept."""

CRAWLS_2 = """
CREATE TABLE crawls (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL, slice TEXT NOT NULL, since TEXT, started_at TEXT NOT NULL,
    finished_at TEXT, complete INTEGER NOT NULL DEFAULT 0, n_models INTEGER NOT NULL DEFAULT 0,
    n_refused INTEGER NOT NULL DEFAULT 0, n_requests INTEGER NOT NULL DEFAULT 0,
    newest TEXT, cursor TEXT
);
CREATE INDEX crawls_by_slice ON crawls (source, slice, number);
CREATE TABLE renamed (
    source TEXT NOT NULL, old_id TEXT NOT NULL, new_id TEXT NOT NULL, PRIMARY KEY (source, old_id)
) WITHOUT ROWID;
"""

CODES_3 = """
CREATE TABLE codes (
    name TEXT NOT NULL, chunk INTEGER NOT NULL, codes BLOB NOT NULL, PRIMARY KEY (name, chunk)
)
"""
"""How models are sorted: see catalog/codes.py."""

COPY_MODELS_1 = """
INSERT INTO models (
    number, id, task, n_parameters, weight_bytes, license, languages, labels, downloads, likes,
    library, base_models, datasets, published, last_modified, gated, disabled, private, described,
    source, revision, details, listed, seen_at, gone_at)
SELECT seen, id, task, n_parameters, NULLIF(weight_bytes, 0), license, NULLIF(languages, '[]'),
    NULLIF(labels, '[]'), downloads, likes, library, NULLIF(base_models, '[]'),
    NULLIF(datasets, '[]'), NULLIF(published, '[]'), last_modified, gated, disabled, 0, 1,
    source, revision,
    json_patch('{}', json_object(
        'parameters', json(NULLIF(parameters, '{}')), 'files', json(NULLIF(files, '[]')),
        'label2id', json(NULLIF(label2id, '{}')), 'architecture', architecture,
        'model_type', model_type, 'n_layers', n_layers,
        'embedding_parameters', embedding_parameters, 'max_length', max_length,
        'has_remote_code', json(CASE WHEN has_remote_code THEN 'true' END))),
    seen = newest, seen_at, CASE WHEN any_listed THEN NULL ELSE seen_at END
FROM (SELECT *, MAX(listed) OVER same AS any_listed,
             FIRST_VALUE(seen) OVER (same ORDER BY listed DESC, seen DESC) AS newest
      FROM models_1 WINDOW same AS (PARTITION BY source, id))
"""
"""json_patch leaves out what is null, as `catalog.rows` does."""


def _hold_millions(database: "Database") -> None:
    """One listed row for each model, found by number; crawls that can be taken up again."""
    connection = database.conn
    for table in ("models", "crawls"):
        connection.execute(f"ALTER TABLE {table} RENAME TO {table}_1")
    _run(connection, MODELS_2 + INDEXES_2 + CRAWLS_2)
    connection.execute(COPY_MODELS_1)
    index_all(connection)
    connection.execute(
        "INSERT INTO crawls (source, slice, started_at, finished_at, n_models, n_refused)"
        " SELECT source, CASE WHEN task IS NULL THEN '{}' ELSE json_object('task', task) END,"
        " started_at, finished_at, n_models, n_refused FROM crawls_1 ORDER BY finished_at"
    )
    for table in ("models", "crawls"):
        connection.execute(f"DROP TABLE {table}_1")


def _sort_without_rows(database: "Database") -> None:
    """Codes of what models are sorted by, for those that are known."""
    database.conn.execute(CODES_3)
    codes.index_all(database.conn)


def _walk_ids_without_rows(database: "Database") -> None:
    """The index of ids holds all that a walk along it asks for."""
    database.conn.execute("DROP INDEX listed_models")
    database.conn.execute(
        "CREATE UNIQUE INDEX listed_models ON models (id, source, listed) WHERE listed"
    )


def _run(connection: "sqlite3.Connection", script: str) -> None:
    for statement in script.split(";"):
        if statement.strip():
            connection.execute(statement)


MIGRATIONS: Mapping[str, Migration] = MappingProxyType(
    {
        "001 models and crawls": _create,
        "002 millions of models": _hold_millions,
        "003 sorting without rows": _sort_without_rows,
        "004 walking ids without rows": _walk_ids_without_rows,
    }
)
