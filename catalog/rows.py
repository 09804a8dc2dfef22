"""A Model as a row of catalog.db, and back without loss."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import fields
from json.encoder import encode_basestring
from operator import attrgetter
from types import MappingProxyType
from typing import Any  # a row's values are read column by column

from catalog.model import File, Model, PublishedResult
from catalog.score import stored_score

PLAIN = (
    "id", "revision", "source", "author", "task", "license", "library", "downloads", "likes",
    "summary", "created_at", "last_modified",
)  # fmt: skip
FLAGS = ("gated", "disabled", "private", "described")
LISTS = ("labels", "languages", "formats", "tags", "base_models", "datasets")
RESULTS = "published"
DERIVED = ("n_parameters", "weight_bytes", "score")
COLUMNS = (*PLAIN, *FLAGS, *LISTS, RESULTS, *DERIVED, "details")
DETAILS: Mapping[str, object] = MappingProxyType(
    {
        field.name: field.default_factory() if callable(field.default_factory) else field.default
        for field in fields(Model)
        if field.name not in COLUMNS
    }
)
"""Fields that only the program reads, kept together in one JSON object; each with its default,
which is left out."""

SCORE_DIGITS = 3  # models of one score share a page of the index: new ones need not spread

Row = tuple[str | int | float | None, ...]
"""Values by column, in the order of COLUMNS."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_decode = json.JSONDecoder().raw_decode
_plain = attrgetter(*PLAIN, *FLAGS)
_lists = attrgetter(*LISTS)
_details = attrgetter(*DETAILS)


def to_row(model: Model) -> Row:
    """The row's values: figures for human readers included, empty values as None."""
    return (
        *_plain(model),
        *[_texts(values) if values else None for values in _lists(model)],
        _encode(_results(model)) if model.published else None,
        model.n_parameters,
        model.weight_bytes,
        score_of(model),
        _details_text(model),
    )


def from_row(row: sqlite3.Row | Mapping[str, Any]) -> Model:
    """The model that `to_row` was given."""
    values = {name: row[name] for name in PLAIN}
    values |= {name: bool(row[name]) for name in FLAGS}
    values |= {name: tuple(_decode(row[name])[0]) for name in LISTS if row[name]}
    if row[RESULTS]:
        values[RESULTS] = tuple(PublishedResult(*each) for each in _decode(row[RESULTS])[0])
    if row["details"]:
        kept = _decode(row["details"])[0]
        values |= {name: _read(name, value) for name, value in kept.items()}
    return Model(**values)


def score_of(model: Model) -> float:
    """The score that the model is sorted by."""
    return round(stored_score(model), SCORE_DIGITS)


def _texts(values: Sequence[str]) -> str:
    """A JSON list of strings; put together here, it takes a fifth of the time."""
    return f"[{','.join(map(encode_basestring, values))}]"


def _details_text(model: Model) -> str | None:
    kept = {
        name: value
        for (name, default), value in zip(DETAILS.items(), _details(model), strict=True)
        if value != default
    }
    if "files" in kept:
        kept["files"] = [file_values(file) for file in model.files]
    return _encode(kept) if kept else None


def file_values(file: File) -> tuple[str | int | None, ...]:
    """A file's fields; the git blob id is left out where it is not known."""
    known = (file.path, file.size_bytes, file.sha256)
    return known if file.blob_id is None else (*known, file.blob_id)


def _results(model: Model) -> list[tuple[str, str, float]]:
    return [(result.dataset, result.metric, result.value) for result in model.published]


def _read(name: str, value: Any) -> Any:
    if name == "files":
        return tuple(File(*file) for file in value)
    return tuple(value) if isinstance(value, list) else value
