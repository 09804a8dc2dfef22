"""Columns that models are sorted by and bounded in, two bytes a model, kept in catalog.db.

A code stands for a value, or for several that are next to each other in order. All codes of a
column are in memory while questions are asked, so that thousands of models are put in order without
a look at their rows; rows are read only of models that share a code.
"""

import sqlite3
from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any  # a column's values: numbers or texts

from catalog.known_sets import known
from catalog.model import Model

Values = tuple[str | int | float | None, ...]
"""In the order of COLUMNS."""

CHUNK = 2_000
"""Codes in a row of the table: as many as a page of the file holds."""

UNTOLD = 0
"""The code of a model that does not tell."""

EXACT_BITS = 11
"""Numbers of at most so many bits have a code each; of larger ones, so many bits decide."""

FIRST_YEAR, N_YEARS = 2010, 22
HOURS = 3
"""Times that share a code."""
N_TIMES = N_YEARS * 12 * 31 * 24 // HOURS  # a month counts 31 days
KNOWN_TIMES = 10_000
"""The codes of so many hours are not worked out again."""

SIGNS = "-01247AFKPTW_abcdefghijklmnopqrstuvwxyz"
"""Where the classes of signs begin that ids are told apart by, in their first three."""


def _of_number(n: int) -> int:
    shift = max(0, n.bit_length() - EXACT_BITS)
    return 1 + (shift << EXACT_BITS - 1) + (n >> shift)


def numbers_with(code: int) -> tuple[int, int]:
    """The smallest and the largest number of a code."""
    shift = max(0, (code - 1 >> EXACT_BITS - 1) - 1)
    first = code - 1 - (shift << EXACT_BITS - 1) << shift
    return first, first + (1 << shift) - 1


def _of_score(score: float) -> int:
    return 1 + round(1000 * score)


def _of_time(time: str) -> int:
    return _of_hour(time[:13])


@lru_cache(KNOWN_TIMES)
def _of_hour(hour: str) -> int:
    return 1 + bisect_right(range(1, N_TIMES), hour, key=_beginning)


def _beginning(place: int) -> str:
    """The first hour of the times that share a code, as 2026-01-31T21."""
    days, part = divmod(place, 24 // HOURS)
    months, day = divmod(days, 31)
    year, month = divmod(months, 12)
    return f"{FIRST_YEAR + year}-{month + 1:02}-{day + 1:02}T{part * HOURS:02}"


def _of_id(id: str) -> int:
    """Signs behind one that shares its class are not looked at: ids must keep their order."""
    code, is_exact = 0, True
    for sign in id[:3].ljust(3, "\0"):
        place = bisect_right(SIGNS, sign) if is_exact else 0
        is_exact = is_exact and 0 < place < len(SIGNS) and ord(SIGNS[place]) == ord(sign) + 1
        code = code * (len(SIGNS) + 1) + place
    return 1 + code


@dataclass(frozen=True, slots=True)
class Column:
    """How values become codes from 1 to 65,535, the larger value never the smaller code.

    Codes below `n_exact` stand for one value each.
    """

    code: Callable[[Any], int]
    n_exact: int = 0


_NUMBER = Column(_of_number, 1 + (1 << EXACT_BITS))
COLUMNS: Mapping[str, Column] = MappingProxyType(
    {
        "id": Column(_of_id),
        "downloads": _NUMBER,
        "likes": _NUMBER,
        "score": Column(_of_score, 1 << 16),
        "created_at": Column(_of_time),
        "n_parameters": _NUMBER,
        "weight_bytes": _NUMBER,
        "last_modified": Column(_of_time),
    }
)


def values_of(model: Model, score: float) -> Values:
    """What a model's codes are made from."""
    return tuple(score if name == "score" else getattr(model, name) for name in COLUMNS)


def change(
    connection: sqlite3.Connection, before: Mapping[int, Values], after: Mapping[int, Values]
) -> None:
    """Keeps codes of models by number; those that `before` tells already are passed over."""
    found: dict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
    for number, values in after.items():
        chunk, offset = divmod(number, CHUNK)
        known_already = before.get(number) or (None,) * len(COLUMNS)
        is_new = number not in before
        for (name, column), value, old in zip(COLUMNS.items(), values, known_already, strict=True):
            if is_new or value != old:
                code = UNTOLD if value is None else column.code(value)
                found[name, chunk].append((offset, code))
    for (name, chunk), codes in found.items():
        _change_chunk(connection, name, chunk, codes)


def index_all(connection: sqlite3.Connection) -> None:
    """Works out the codes of a catalog that has none."""
    names, last = ", ".join(COLUMNS), -1
    cursor = connection.cursor()
    cursor.row_factory = None
    query = f"SELECT number, {names} FROM models WHERE number > ? ORDER BY number LIMIT ?"  # noqa: S608  # our own column names
    while rows := cursor.execute(query, (last, CHUNK)).fetchall():
        last = rows[-1][0]
        change(connection, {}, {number: values for number, *values in rows})


def read(connection: sqlite3.Connection, name: str) -> "array[int]":
    """The codes of a column: that of the model of number n has place n."""
    return known(connection, ("codes", name), partial(_read, connection, name))


def _read(connection: sqlite3.Connection, name: str) -> "array[int]":
    last = connection.execute("SELECT MAX(chunk) FROM codes WHERE name = ?", (name,)).fetchone()[0]
    codes = array("H", bytes(2 * CHUNK * (0 if last is None else last + 1)))
    buffer = memoryview(codes).cast("B")
    rows = connection.execute("SELECT chunk, codes FROM codes WHERE name = ?", (name,))
    for chunk, packed in rows:
        buffer[2 * CHUNK * chunk : 2 * CHUNK * (chunk + 1)] = packed
    return codes


def _change_chunk(
    connection: sqlite3.Connection, name: str, chunk: int, changed: Iterable[tuple[int, int]]
) -> None:
    row = connection.execute(
        "SELECT codes FROM codes WHERE name = ? AND chunk = ?", (name, chunk)
    ).fetchone()
    codes = array("H", bytes(2 * CHUNK) if row is None else row[0])
    for offset, code in changed:
        codes[offset] = code
    connection.execute(
        "INSERT INTO codes VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET codes = excluded.codes",
        (name, chunk, codes.tobytes()),
    )
