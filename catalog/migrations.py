"""The schema of catalog.db, step by step. Steps are only ever added: a file counts those it has."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from cache.database import Migration

if TYPE_CHECKING:
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


MIGRATIONS: Mapping[str, Migration] = MappingProxyType({"001 models and crawls": _create})
