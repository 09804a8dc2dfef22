"""JSON files: one object a line, or one list of objects."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from cache.errors import BadInput
from evaluators.reading.encoding import detect_encoding
from evaluators.reading.table import Table, first_line, peek

EXAMPLE = 'Write one object a line: {"text": "...", "label": "..."}'


def read_json(path: Path) -> Table:
    """A `.jsonl` or `.json` file; a list of objects is read as a whole, lines as a stream."""
    encoding, notes = detect_encoding(path)
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


def _is_list(path: Path, encoding: str) -> bool:
    with path.open(encoding=encoding) as file:
        return next((line.lstrip()[0] == "[" for line in file if line.strip()), False)


def _lines(path: Path, encoding: str) -> Iterator[tuple[int, object]]:
    with path.open(encoding=encoding) as file:
        for line, text in enumerate(file, start=1):
            if not text.strip():
                continue
            try:
                yield line, json.loads(text)
            except (json.JSONDecodeError, RecursionError) as error:
                raise _unreadable(path, line, error) from error


def _items(path: Path, encoding: str) -> Iterator[tuple[int, object]]:
    try:
        items = json.loads(path.read_text(encoding))
    except (json.JSONDecodeError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        raise _unreadable(path, line, error) from error
    return enumerate(items, start=1)


def _unreadable(path: Path, line: int, error: Exception) -> BadInput:
    column = f", column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
    what = error.msg if isinstance(error, json.JSONDecodeError) else first_line(error)
    return BadInput(f"{path}, line {line:,}{column}: no valid JSON ({what}). {EXAMPLE}.")
