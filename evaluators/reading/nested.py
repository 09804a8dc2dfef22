"""Columns inside columns: `translation.en` is the value `en` of the objects in `translation`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from evaluators.reading.table import Record, Table


def with_nested(table: Table, names: Sequence[str]) -> Table:
    """The table with those of `names` as further columns that lie in objects of its columns."""
    paths = [(name, _path(name, table.columns)) for name in names if name not in table.columns]
    found = {name: path for name, path in paths if path}
    if not found:
        return table
    columns = (*table.columns, *found)
    return replace(table, columns=columns, records=_dug(table.records, list(found.values())))


def inner_names(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """The names of what lies in objects that have the same keys in every row."""
    found: list[str] = []
    for at, column in enumerate(columns):
        keys = {_keys(row[at]) for row in rows}
        only = next(iter(keys), None)
        if len(keys) == 1 and only is not None:
            found += [f"{column}.{key}" for key in only]
    return found


def _keys(value: object) -> tuple[str, ...] | None:
    return tuple(map(str, value)) if isinstance(value, Mapping) else None


def _path(name: str, columns: Sequence[str]) -> tuple[int, tuple[str, ...]] | None:
    """The position of the longest column that `name` begins with, and the keys after it."""
    parts = name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        if ".".join(parts[:end]) in columns:
            return columns.index(".".join(parts[:end])), tuple(parts[end:])
    return None


def _dug(
    records: Iterable[Record], paths: Sequence[tuple[int, tuple[str, ...]]]
) -> Iterator[Record]:
    for at, values in records:
        yield at, (*values, *(_dig(values[start], keys) for start, keys in paths))


def _dig(value: object, keys: Sequence[str]) -> object:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
