"""A Model as a line of an exported catalog, and back: each value is checked, as by a stranger."""

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any  # JSON values have any type until they are read
from urllib.parse import urlsplit

from catalog.hub_rows import BLOB_ID, SHA256
from catalog.ids import id_problem
from catalog.model import File, Model, PublishedResult
from catalog.policy import Refusal, path_trick
from catalog.rows import file_values
from catalog.untrusted import COUNT_LIMIT, Unreadable, count, number, text

COMMIT = re.compile(r"[0-9a-f]{40}|")
REASON_LIMIT = 200
"""Characters of a reason that a refusal keeps: it quotes what a stranger wrote."""


def to_record(model: Model) -> dict[str, Any]:
    """The fields that say more than their default, as JSON values."""
    values = ((name, getattr(model, name)) for name in READERS)
    return {name: _plain(value) for name, value in values if value != DEFAULTS[name]}


def read_record(record: object, position: int) -> Model | Refusal:
    """The model that `to_record` was given, or why the line holds none; never raises.

    Fields that this version does not know are passed over. `position` counts from 0.
    """
    name = f"(line {position + 1})"
    try:
        return _read(record)
    except Unreadable as error:
        id = record.get("id") if isinstance(record, dict) else None
        named = id if isinstance(id, str) and not id_problem(id) else name
        return Refusal(named, "corrupt", str(error)[:REASON_LIMIT])


def _read(record: object) -> Model:
    if not isinstance(record, dict):
        raise Unreadable(f"a model is an object, not {type(record).__name__}")
    missing = [name for name in ("id", "revision", "source") if name not in record]
    if missing:
        raise Unreadable(f"a model without {missing[0]}")
    return Model(**{name: _value(name, record[name]) for name in READERS if name in record})


def _value(name: str, value: object) -> Any:
    try:
        return READERS[name](value)
    except Unreadable as error:
        raise Unreadable(f"{name}: {error}") from error


def _id(value: object) -> str:
    problem = id_problem(value) if isinstance(value, str) else "an id is text"
    if problem or not isinstance(value, str):
        raise Unreadable(problem or "")
    return value


def _revision(value: object) -> str:
    if not isinstance(value, str) or not COMMIT.fullmatch(value):
        raise Unreadable(f"{_shown(value)} is no commit hash of 40 hexadecimal digits")
    return value


def _source(value: object) -> str:
    """`hub`, `hub:ENDPOINT`, `folder:PATH` or `snapshot:FILE`."""
    kind, _, place = value.partition(":") if isinstance(value, str) else ("", "", "")
    if not isinstance(value, str) or not value.isprintable() or not _is_place(kind, place):
        # not quoted: an address may hold a token
        raise Unreadable("neither hub, hub:ENDPOINT, folder:PATH nor snapshot:FILE")
    return value


def _is_place(kind: str, place: str) -> bool:
    if kind in ("folder", "snapshot"):
        return bool(place)
    if kind != "hub" or not place:
        return kind == "hub"
    try:
        address = urlsplit(place)
    except ValueError:
        return False
    return address.scheme in ("http", "https") and bool(address.hostname) and not address.username


def _text(value: object) -> str:
    found = text(value)
    if found is None:
        raise Unreadable(f"expected text, found {_shown(value)}")
    return found


def _count(value: object) -> int:
    found = count(value)
    if found is None:
        raise Unreadable(f"expected a whole number from 0 to 2**53, found {_shown(value)}")
    return found


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise Unreadable(f"expected true or false, found {_shown(value)}")
    return value


def _items(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise Unreadable(f"expected a list, found {_shown(value)}")
    return value


def _texts(value: object) -> tuple[str, ...]:
    return tuple(_text(item) for item in _items(value))


def _labels(value: object) -> tuple[str, ...]:
    """As texts; a label may be empty."""
    return tuple("" if item == "" else _text(item) for item in _items(value))


def _counts(value: object) -> dict[str, int]:
    if not isinstance(value, dict):
        raise Unreadable(f"expected an object, found {_shown(value)}")
    return {_text(name) if name else "": _count(n) for name, n in value.items()}


def _parameters(value: object) -> dict[str, int]:
    found = _counts(value)
    if sum(found.values()) >= COUNT_LIMIT:
        raise Unreadable(f"{sum(found.values()):,} parameters; at most 2^53 are believed")
    return found


def _ids(value: object) -> tuple[str, ...]:
    return tuple(_id(item) for item in _items(value))


def _files(value: object) -> tuple[File, ...]:
    files = tuple(_file(_items(item)) for item in _items(value))
    trick = path_trick(file.path for file in files)
    if trick:
        raise Unreadable(trick)
    return files


def _file(item: list[Any]) -> File:
    if len(item) not in (3, 4):
        raise Unreadable(f"expected [path, bytes, SHA-256, git blob id], found {_shown(item)}")
    sha256 = _hash(item[2], SHA256, "SHA-256")
    blob_id = _hash(item[3], BLOB_ID, "git blob id") if len(item) == 4 else None
    return File(_text(item[0]), _count(item[1]), sha256, blob_id)


def _hash(value: object, pattern: re.Pattern[str], name: str) -> str | None:
    if value is not None and not (isinstance(value, str) and pattern.fullmatch(value)):
        raise Unreadable(f"{_shown(value)} is no {name}")
    return value


def _results(value: object) -> tuple[PublishedResult, ...]:
    return tuple(_result(_items(item)) for item in _items(value))


def _result(item: list[Any]) -> PublishedResult:
    figure = number(item[2]) if len(item) == 3 else None
    if figure is None:
        raise Unreadable(f"expected [data set, metric, number], found {_shown(item)}")
    return PublishedResult(_text(item[0]), _text(item[1]), figure)


READERS: Mapping[str, Callable[[object], Any]] = MappingProxyType(
    {
        "id": _id, "revision": _revision, "source": _source, "task": _text,
        "parameters": _parameters, "files": _files, "architecture": _text, "model_type": _text,
        "labels": _labels, "label2id": _counts, "n_layers": _count, "embedding_parameters": _count,
        "max_length": _count, "has_remote_code": _flag, "license": _text, "languages": _texts,
        "library": _text, "base_models": _texts, "datasets": _texts, "published": _results,
        "downloads": _count, "likes": _count, "gated": _flag, "disabled": _flag,
        "last_modified": _text, "described": _flag, "author": _text, "tags": _texts,
        "summary": _text, "created_at": _text, "private": _flag, "quantization": _text,
        "security": _text, "told_parameters": _count, "formats": _texts, "aliases": _ids,
        "shards": _texts, "config_digest": _text,
    }
)  # fmt: skip
"""What reads each field of Model."""


DEFAULTS: Mapping[str, object] = MappingProxyType(
    {
        one.name: one.default_factory() if callable(one.default_factory) else one.default
        for one in fields(Model)
    }
)
"""What a line leaves out; nothing equals the default of a field that has none."""


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, File):
        return list(file_values(value))
    if isinstance(value, PublishedResult):
        return [value.dataset, value.metric, value.value]
    return dict(value)


def _shown(value: object) -> str:
    return ascii(value)[:60]
