"""JSON files: one object a line, or one list of objects."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from cache.errors import BadInput
from evaluators.reading.documents import read_document
from evaluators.reading.encoding import detect_encoding, format_of, open_text
from evaluators.reading.table import Table, first_line, peek

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
    try:
        found = json.loads(_text(path, encoding))
    except (json.JSONDecodeError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        raise _unreadable(path, line, error) from error
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
                yield line, json.loads(text)
            except (json.JSONDecodeError, RecursionError) as error:
                raise _unreadable(path, line, error) from error


def _items(path: Path, encoding: str) -> Iterator[tuple[int, object]]:
    try:
        items = json.loads(_text(path, encoding))
    except (json.JSONDecodeError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        raise _unreadable(path, line, error) from error
    return enumerate(items, start=1)


def _unreadable(path: Path, line: int, error: Exception) -> BadInput:
    column = f", column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
    what = error.msg if isinstance(error, json.JSONDecodeError) else first_line(error)
    return BadInput(f"{path}, line {line:,}{column}: no valid JSON ({what}). {EXAMPLE}.")
