"""A Model as a row of catalog.db, and back without loss."""

import json
import sqlite3
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any  # a row's values are read column by column

from catalog.model import File, Model, PublishedResult

PLAIN = (
    "id", "revision", "source", "task", "architecture", "model_type", "n_layers",
    "embedding_parameters", "max_length", "license", "library", "downloads", "likes",
    "last_modified",
)  # fmt: skip
FLAGS = ("has_remote_code", "gated", "disabled")


def _strings(value: Any) -> tuple[str, ...]:
    return tuple(value)


def _files(value: Any) -> tuple[File, ...]:
    return tuple(File(path, size, sha256) for path, size, sha256 in value)


def _results(value: Any) -> tuple[PublishedResult, ...]:
    return tuple(PublishedResult(dataset, metric, figure) for dataset, metric, figure in value)


JSON_COLUMNS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "labels": _strings, "languages": _strings, "base_models": _strings, "datasets": _strings,
        "published": _results, "parameters": dict, "label2id": dict, "files": _files,
    }
)  # fmt: skip
"""Columns that hold JSON, with what turns their value into the field's type."""


def to_row(model: Model) -> dict[str, str | int | float | None]:
    """The row's values by column, figures for human readers included."""
    row: dict[str, Any] = {name: getattr(model, name) for name in PLAIN}
    row |= {name: int(getattr(model, name)) for name in FLAGS}
    row |= {name: _text(getattr(model, name)) for name in JSON_COLUMNS if name not in RECORDS}
    row["files"] = _text([(file.path, file.size_bytes, file.sha256) for file in model.files])
    row["published"] = _text([(r.dataset, r.metric, r.value) for r in model.published])
    row["n_parameters"] = model.n_parameters
    row["download_bytes"] = model.download_bytes
    row["weight_bytes"] = sum(file.size_bytes for file in model.weight_files)
    return row


def from_row(row: sqlite3.Row) -> Model:
    """The model that `to_row` was given."""
    values = {name: row[name] for name in PLAIN}
    values |= {name: bool(row[name]) for name in FLAGS}
    values |= {name: read(json.loads(row[name])) for name, read in JSON_COLUMNS.items()}
    return Model(**values)


RECORDS = ("files", "published")


def _text(value: object) -> str:
    plain = dict(value) if isinstance(value, Mapping) else list(value)  # type: ignore[call-overload]  # every other JSON field is a sequence
    return json.dumps(plain, ensure_ascii=False)
