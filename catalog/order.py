"""A set of models in an order: as many of them as are asked for, in few steps.

The set is taken apart by a facet whose values come in the order asked for, the most downloaded
first. One part after the other is read and sorted, or met on a walk along an index where that
takes fewer steps, until somebody has enough.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType

from catalog import facets

Check = Callable[[sqlite3.Row], bool]
Part = tuple[int | None, Iterable[int]]
"""The next models, and how many they are where that is known before they are looked up."""

CHECKED = "number, n_parameters, weight_bytes, last_modified, labels, details"
"""The columns that a Check may look at."""

READ_AT_ONCE = 256
READ_IN_STEPS = 5
"""A row that is read costs as much as so many steps along an index."""
FEW = 500
"""So many models are read and sorted without being taken apart."""
TOGETHER = 200
"""So many neighbouring parts' models are read together."""


@dataclass(frozen=True, slots=True)
class Order:
    """A column that models are sorted by. Equal models come by number, those without it last.

    `facet` sorts them roughly: its values come in the order of the column. Each stands for a power
    of two where there is a `finer` one of quarters.
    """

    column: str
    is_descending: bool = True
    facet: str | None = None
    finer: str | None = None
    has_index: bool = True

    def is_exact(self, value: str) -> bool:
        """Whether models with this value of the facet are equal in the column."""
        return self.facet in ("downloads", "likes") and int(value) < facets.EXACT_STEPS

    def quarters(self, value: str) -> list[str]:
        """The values of the finer facet in one of the facet."""
        first = (1 << int(value)) >> 1
        apart = 1 if first < facets.EXACT_STEPS else first >> 2
        numbers = range(first, max(1, 2 * first), apart)
        return list(dict.fromkeys(facets.step(n) for n in numbers))

    def walk(self, value: str | None) -> tuple[str, tuple[float, ...]]:
        """A query for all numbers in this order, from the index; only those of a facet's value."""
        if self.column == "id":
            return "SELECT number FROM models WHERE listed ORDER BY id, source", ()
        condition = "IS NOT NULL" if value is None else "BETWEEN ? AND ?"
        return (
            f"SELECT number FROM models INDEXED BY models_by_{self.column}"  # noqa: S608  # our own column names
            f" WHERE {self.column} {condition}"
            f" ORDER BY {self.column} {'DESC' if self.is_descending else 'ASC'}"
        ), () if value is None else self._bounds(value)

    def _bounds(self, value: str) -> tuple[float, float]:
        """Between which values of the column those of a value of the finest facet lie."""
        if self.facet == "score":
            return (10 * int(value) - 0.5) / 1000, (10 * int(value) + 9.5) / 1000
        return facets.bounds_of(value)


ORDERS: Mapping[str, Order] = MappingProxyType(
    {
        "downloads": Order("downloads", facet="downloads", has_index=False),
        "likes": Order("likes", facet="likes", has_index=False),
        "score": Order("score", facet="score"),
        "newest": Order("created_at", facet="created", has_index=False),
        "parameters": Order("n_parameters", False, "parameters", "parameters step"),
        "size": Order("weight_bytes", False, "bytes", "bytes step"),
        "id": Order("id", is_descending=False),
    }
)


@dataclass(frozen=True, slots=True)
class Choice:
    """The models that may fit, as bits; those of `unsure` only if their rows pass the checks."""

    bits: int
    unsure: int = 0
    checks: tuple[Check, ...] = ()


def parts(
    connection: sqlite3.Connection, choice: Choice, order: Order, n_wanted: int | None
) -> Iterator[Part]:
    """The models of a choice in an order, part by part; `n_wanted` of them are probably enough."""
    left = choice.bits
    if order.facet is None:
        step = _Step(order, left, left.bit_count(), n_all=left.bit_length())
        yield _part(connection, choice, step, n_wanted)
    elif (n_left := left.bit_count()) <= FEW:
        yield _part(connection, choice, _Step(order, left, n_left), n_wanted)
    else:
        for step in _steps(connection, left, order):
            yield _part(connection, choice, step, n_wanted)
            left ^= step.members
        n_rest = None if left & choice.unsure else left.bit_count()
        yield n_rest, passing(connection, facets.numbers_in(left), choice)


@dataclass(frozen=True, slots=True)
class _Step:
    """The next `n` members of a set: those with one value of the order's facet, or with several.

    `n_all` models have that value, 0 where it is several.
    """

    order: Order
    members: int
    n: int
    value: str | None = None
    n_all: int = 0

    def sorted(self, connection: sqlite3.Connection, n_wanted: int | None) -> Iterable[int]:
        """The members in order, by the way that takes fewer steps."""
        if self.value is not None and self.order.is_exact(self.value):
            return facets.numbers_in(self.members)
        if self.order.has_index and n_wanted is not None:
            n_walked = n_wanted * self.n_all / max(1, self.n)
            if 0 < n_walked < self.n * READ_IN_STEPS:
                return _walk(connection, self)
        return _read_and_sorted(connection, self.members, self.order)


def _steps(connection: sqlite3.Connection, bits: int, order: Order) -> Iterator[_Step]:
    """A set taken apart by the order's facet; parts of few members stay together."""
    few = n_few = 0
    for value, same in _values(connection, bits, order):
        members = bits & same
        n = members.bit_count()
        is_small = n <= TOGETHER
        if is_small:
            few, n_few = few | members, n_few + n
        if few and (not is_small or n_few > TOGETHER):
            yield _Step(order, few, n_few)
            few = n_few = 0
        if not is_small:
            yield _Step(order, members, n, value, same.bit_count() if order.has_index else 0)
    yield _Step(order, few, n_few)


def _values(connection: sqlite3.Connection, bits: int, order: Order) -> Iterator[tuple[str, int]]:
    """The values of an order's facet with their models; of the finer one where these are many."""
    kind, finer = order.facet or "", order.finer
    for value in facets.values(connection, kind, descending=order.is_descending):
        same = facets.members(connection, kind, value)
        if finer is None or (bits & same).bit_count() <= TOGETHER:
            yield value, same
            continue
        for quarter in order.quarters(value):
            yield quarter, facets.members(connection, finer, quarter)


def _part(
    connection: sqlite3.Connection, choice: Choice, step: _Step, n_wanted: int | None
) -> Part:
    def numbers() -> Iterator[int]:
        yield from passing(connection, step.sorted(connection, n_wanted), choice)

    return None if step.members & choice.unsure else step.n, numbers()


def _read_and_sorted(connection: sqlite3.Connection, bits: int, order: Order) -> list[int]:
    found = [
        (row[order.column], row["number"])
        for batch in _batches(facets.numbers_in(bits))
        for row in read(connection, batch, f"number, {order.column}")
    ]
    told = [pair for pair in found if pair[0] is not None]
    told.sort(key=lambda pair: pair[0], reverse=order.is_descending)
    return [number for _, number in told] + [number for value, number in found if value is None]


def _walk(connection: sqlite3.Connection, step: _Step) -> Iterator[int]:
    """The members of a set in the order of an index."""
    raw = facets.as_bytes(step.members)
    n_places = len(raw) * 8
    cursor = connection.cursor()
    cursor.row_factory = None
    for (number,) in cursor.execute(*step.order.walk(step.value)):
        if number < n_places and raw[number >> 3] >> (number & 7) & 1:
            yield number


def passing(
    connection: sqlite3.Connection, numbers: Iterable[int], choice: Choice
) -> Iterator[int]:
    """The models that are sure or whose rows pass, in their order."""
    if not choice.checks:
        yield from numbers
        return
    raw = facets.as_bytes(choice.unsure)
    n_places = len(raw) * 8
    for batch in _batches(numbers):
        unsure = [n for n in batch if n < n_places and raw[n >> 3] >> (n & 7) & 1]
        found = read(connection, unsure, CHECKED) if unsure else ()
        failed = {row["number"] for row in found if not all(c(row) for c in choice.checks)}
        yield from (number for number in batch if number not in failed)


def rows(connection: sqlite3.Connection, numbers: Iterable[int]) -> Iterator[sqlite3.Row]:
    """The rows of models, in the order of the numbers."""
    for batch in _batches(numbers):
        found = {row["number"]: row for row in read(connection, batch)}
        yield from (found[number] for number in batch if number in found)


def read(
    connection: sqlite3.Connection, numbers: Sequence[int], columns: str = "*"
) -> Iterator[sqlite3.Row]:
    """Columns of the rows of models, in the order that the file has them."""
    return connection.execute(
        f"SELECT {columns} FROM models WHERE number IN (SELECT value FROM json_each(?))",  # noqa: S608  # our own column names
        (json.dumps(numbers),),
    )


def _batches(numbers: Iterable[int]) -> Iterator[list[int]]:
    numbers = iter(numbers)
    while batch := list(islice(numbers, READ_AT_ONCE)):
        yield batch
