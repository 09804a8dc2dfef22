"""JSON files: one object a line, or one list of objects."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cache.errors import BadInput
from evaluators.reading.documents import read_document
from evaluators.reading.encoding import detect_encoding, format_of, open_text
from evaluators.reading.table import Table, in_words, peek

EXAMPLE = 'Write one object a line: {"text": "...", "label": "..."}'


def read_json(path: Path, *, split: str | None = None) -> Table:
    """A `.jsonl` or `.json` file; a list or one object is read as a whole, lines as a stream.

    Of an object with several splits, `split` is read.
    """
    encoding, notes = detect_encoding(path)
    document = whole_object(path, encoding) if format_of(path) == ".json" else None
    table = None if document is None else read_document(path, document, split=split)
    if table is not None:
        return replace(table, notes=(*notes, *table.notes))
    read, place = (_items, "item") if _is_list(path, encoding) else (_lines, "line")
    objects = read(path, encoding)
    return object_table(objects, name=path.name, place=place, notes=notes, source=str(path))


def object_table(
    objects: Iterable[tuple[int, object]], *, name: str, place: str, source: str,
    notes: tuple[str, ...] = (),
) -> Table:  # fmt: skip
    """A table of JSON-like objects; its columns are the keys of the first ones."""
    records = _checked(objects, source, place)
    head, stream = peek((at, (value,)) for at, value in records)
    columns: dict[str, None] = {}
    for _, (value,) in head:
        columns.update(dict.fromkeys(value if isinstance(value, dict) else ()))
    if not head:
        raise BadInput(f"{source} is empty. {EXAMPLE}.")
    names = tuple(columns)
    rows = ((at, _values(record, names)) for at, record in stream)
    return Table(name, names, rows, place=place, notes=notes)


def _values(record: tuple[object, ...], names: tuple[str, ...]) -> tuple[object, ...]:
    value = record[0]
    return tuple(value.get(name) for name in names) if isinstance(value, dict) else ()


def _checked(
    objects: Iterable[tuple[int, object]], source: str, place: str
) -> Iterator[tuple[int, dict[str, object]]]:
    for at, value in objects:
        if not isinstance(value, dict):
            raise BadInput(
                f"{source}, {place} {at:,}: {type(value).__name__} where an object is expected. "
                f"{EXAMPLE}."
            )
        yield at, {str(key): item for key, item in value.items()}


def whole_object(path: Path, encoding: str) -> dict[str, Any] | None:
    """The one object that a file is; None for a list, and for several objects, one a line."""
    with open_text(path, encoding) as file:
        start = next((line.strip() for line in file if line.strip()), "")
        more = next((True for line in file if line.strip()), False)
    if not start.startswith("{") or (more and start.endswith("}") and _is_json(start)):
        return None
    text = _text(path, encoding)
    try:
        found = _decoded(text)
    except (ValueError, RecursionError) as error:
        raise _unreadable(path, error) from error
    return found if isinstance(found, dict) else None


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _text(path: Path, encoding: str) -> str:
    with open_text(path, encoding) as file:
        return file.read()


def _is_list(path: Path, encoding: str) -> bool:
    with open_text(path, encoding) as file:
        return next((line.lstrip()[0] == "[" for line in file if line.strip()), False)


def _lines(path: Path, encoding: str) -> Iterator[tuple[int, object]]:
    with open_text(path, encoding) as file:
        for line, text in enumerate(file, start=1):
            if not text.strip():
                continue
            try:
                value = _decoded(text.rstrip("\n"))  # with it, the fault may lie on the next line
            except (ValueError, RecursionError) as error:
                raise _unreadable(path, error, before=line - 1, place=f"line {line:,}") from error
            yield line, value


def _items(path: Path, encoding: str) -> Iterator[tuple[int, object]]:
    text = _text(path, encoding)
    try:
        items = _decoded(text)
    except (ValueError, RecursionError) as error:
        is_placed = isinstance(error, json.JSONDecodeError)
        place = "" if is_placed else f"item {_unreadable_item(text):,}"
        raise _unreadable(path, error, place=place) from error
    return enumerate(items, start=1)


class _Repeated(ValueError):
    """A key that an object has twice, of which `json` would keep the last."""


def _distinct(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _Repeated(next(key for key in keys if keys.count(key) > 1))
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_distinct)


def _decoded(text: str) -> Any:  # whatever the JSON holds
    """A JSON text's value. Raises ValueError and RecursionError: see `_unreadable`."""
    return _DECODER.decode(text)


def _unreadable_item(text: str) -> int:
    """The number of the first item that cannot be read, in a list that is well formed."""
    at, number = text.index("[") + 1, 0
    try:
        while True:
            number += 1
            while text[at] in " \t\r\n,":
                at += 1
            _, at = _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        return number


def _unreadable(path: Path, error: Exception, *, before: int = 0, place: str = "") -> BadInput:
    """The line for a text that is no JSON, or none that could be understood in one way only.

    `place` says where it stands, unless the error knows; `before` are the lines before the text.
    """
    if isinstance(error, json.JSONDecodeError):
        place = f"line {before + error.lineno:,}, column {error.colno}"
        what = f"no valid JSON ({error.msg}). {EXAMPLE}"
    elif isinstance(error, RecursionError):
        what = "lists or objects are nested too deep to be read. Leave them out, or flatten them"
    elif isinstance(error, _Repeated):
        what = f"an object has the key {in_words([str(error)])} twice. Give each key its own name"
    else:  # Python's limit on the digits of an integer, the only other error of `json`
        what = "a whole number of thousands of digits. Write it in quotes, as a text"
    return BadInput(f"{path}{', ' if place else ''}{place}: {what}.")
