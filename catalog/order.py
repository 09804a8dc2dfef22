"""A set of models in an order: as many of them as are asked for, in few steps.

A large set is taken apart by a facet whose values come in the order asked for, the most downloaded
first. One part after the other is sorted by codes, or met on a walk along an index where that takes
fewer steps, until somebody has enough.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby, islice, repeat
from types import MappingProxyType

from catalog import codes, facets
from catalog.known_sets import known as remembered

Check = Callable[[sqlite3.Row], bool]
Part = tuple[int | None, Iterable[int]]
"""The next models, and how many they are where that is known before they are looked up."""

CHECKED = "number, n_parameters, weight_bytes, last_modified, labels, details"
"""The columns that a Check may look at."""

READ_AT_ONCE = 256
FEW = 5_000
"""So many models are sorted without being taken apart."""
TOGETHER = 200
"""So many models are expected of a part, if there are as many."""
LEVELS = (1_000, 4_000, 16_000)
"""Values of a facet are joined until so many models have one of them: the first, the next, all
others."""
AT_ONCE = 8
"""Levels that are passed over together where a set has no member in them."""
LARGE = 4_000
"""A level of more models is a part of its own."""
SORTED_IN_STEPS = 0.5
STEPS = 4
"""One step for so many members of a set is walked, then they are sorted."""
CHEAP_STEPS = 4
"""So many steps along the index of ids, which holds all that is asked, cost as much as one."""
READ_IN_STEPS = 10
"""To sort a model, or to read its row, costs as much as so many steps along an index."""
MANY = READ_AT_ONCE
"""The rows of more models with one code are not read."""


@dataclass(frozen=True, slots=True)
class Order:
    """A column that models are sorted by. Equal models come by number, those without it last.

    `facet` sorts them roughly: its values come in the order of the column.
    """

    column: str
    is_descending: bool = True
    facet: str | None = None
    has_index: bool = True

    @property
    def is_walked(self) -> bool:
        """Whether there is an index in this order that can be entered anywhere."""
        return self.has_index and self.facet is not None

    def bounds_of(self, level: "Level") -> tuple[float, float]:
        """Between which values of the column those of the facet lie."""
        if self.facet == "score":
            return (10 * int(level.first) - 0.5) / 1000, (10 * int(level.last) + 9.5) / 1000
        return facets.bounds_of(level.first)[0], facets.bounds_of(level.last)[1]


@dataclass(frozen=True, slots=True)
class Level:
    """Values of a facet from the first to the last; `n` models have one of them."""

    first: str
    last: str
    n: int


ORDERS: Mapping[str, Order] = MappingProxyType(
    {
        "downloads": Order("downloads", facet="downloads", has_index=False),
        "likes": Order("likes", facet="likes", has_index=False),
        "score": Order("score", facet="score"),
        "newest": Order("created_at", facet="created", has_index=False),
        "parameters": Order("n_parameters", False, "parameters step"),
        "size": Order("weight_bytes", False, "bytes step"),
        "id": Order("id", is_descending=False),
    }
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """A column between two values, both included."""

    column: str
    low: int | str
    high: int | str

    def allows(self, row: sqlite3.Row) -> bool:
        """Whether a row is within."""
        return bool(self.low <= row[self.column] <= self.high)

    def sort_out(
        self, connection: sqlite3.Connection, numbers: Iterable[int]
    ) -> tuple[list[int], list[int]]:
        """The models that are within as far as codes tell, and those of them whose rows tell."""
        column, known = codes.COLUMNS[self.column], codes.read(connection, self.column)
        low, high = column.code(self.low), column.code(self.high)
        within = [number for number in numbers if low <= known[number] <= high]
        edges = {code for code in (low, high) if code >= column.n_exact}
        unsure = [number for number in within if known[number] in edges]
        if len(unsure) < MANY or self.column == "last_modified":
            return within, unsure
        raw = facets.as_bytes(self._at_edges(connection, edges))
        failed = {n for n in unsure if n >= 8 * len(raw) or not raw[n >> 3] >> (n & 7) & 1}
        return [number for number in within if number not in failed], []

    def _at_edges(self, connection: sqlite3.Connection, edges: Iterable[int]) -> int:
        """The models within that have one of the codes, from the index."""
        cursor = connection.cursor()
        cursor.row_factory = None
        query = f"SELECT number FROM models WHERE {self.column} BETWEEN ? AND ?"  # noqa: S608  # our own column names

        def read(low: int, high: int) -> int:
            return facets.as_bits(chain.from_iterable(cursor.execute(query, (low, high))))

        found = 0
        for first, last in map(codes.numbers_with, edges):
            two = max(first, int(self.low)), min(last, int(self.high))
            name = f"{self.column} edge", f"{two[0]} {two[1]}"
            found |= remembered(connection, name, partial(read, *two))
        return found


@dataclass(frozen=True, slots=True)
class Choice:
    """The models that may fit, as bits; those of `unsure` only within the bounds, and if their rows
    pass the checks. All ids are in one of the `owners`' ranges, where these are given."""

    bits: int
    unsure: int = 0
    bounds: tuple[Bounds, ...] = ()
    checks: tuple[Check, ...] = ()
    owners: tuple[str, ...] = ()

    def failing(self, connection: sqlite3.Connection, numbers: Sequence[int]) -> set[int]:
        """Those of unsure models that do not fit."""
        left, unsure = list(numbers), set[int]()
        for bounds in self.bounds:
            left, at_edge = bounds.sort_out(connection, left)
            unsure.update(at_edge)
        asked = left if self.checks else sorted(unsure.intersection(left))
        rows = read(connection, asked, CHECKED) if asked else ()
        checks = (*self.checks, *(bounds.allows for bounds in self.bounds))
        failed = {row["number"] for row in rows if not all(check(row) for check in checks)}
        return set(numbers).difference(left) | failed


def parts(
    connection: sqlite3.Connection, choice: Choice, order: Order, n_wanted: int | None
) -> Iterator[Part]:
    """The models of a choice in an order, part by part; `n_wanted` of them are probably enough."""
    left = choice.bits
    n = left.bit_count()
    if order.facet is None or n <= FEW:
        yield _part(connection, choice, _Step(order, left, n, n_all=left.bit_length()), n_wanted)
        return
    for step in _steps(connection, left, order):
        yield _part(connection, choice, step, n_wanted)
        left ^= step.members
    n_rest = None if left & choice.unsure else left.bit_count()
    yield n_rest, passing(connection, facets.numbers_in(left), choice)


@dataclass(frozen=True, slots=True)
class _Step:
    """The next `n` members of a set, of one level where there are many; `n_all` models have it."""

    order: Order
    members: int
    n: int
    level: Level | None = None
    n_all: int = 0

    def sorted(
        self, connection: sqlite3.Connection, choice: Choice, n_wanted: int | None
    ) -> Iterable[int]:
        """The members in order, by the way that takes fewer steps."""
        order = self.order
        if order.column == "id" and choice.owners:
            walks = _owned(choice.owners)
            return _along(self.members, chain.from_iterable(_met(connection, w) for w in walks))
        is_walked = order.column == "id" or (order.is_walked and self.level is not None)
        rest = partial(_in_order, connection, order=order, n_wanted=n_wanted)
        if is_walked and n_wanted is not None:
            n_walked = n_wanted * self.n_all // max(1, self.n)
            cheap = CHEAP_STEPS if order.column == "id" else 1
            if n_walked < self.n * SORTED_IN_STEPS * cheap:
                met = _met(connection, _walk(order, self.level, choice))
                return _first_met(self.members, met, self.n * cheap // STEPS, rest)
        return rest(self.members)


def _steps(connection: sqlite3.Connection, bits: int, order: Order) -> Iterator[_Step]:
    """A set taken apart by levels; those stay together of which few members are expected."""
    few = n_few = 0
    share = bits.bit_count() / bits.bit_length()
    for level in _levels_met(connection, bits, order):
        is_large = level.n > LARGE
        if few and (is_large or n_few * share > TOGETHER or n_few + level.n > LARGE):
            yield _Step(order, bits & few, (bits & few).bit_count())
            few = n_few = 0
        same = facets.joined(connection, order.facet or "", level.first, level.last)
        if is_large:
            yield _Step(order, bits & same, (bits & same).bit_count(), level, level.n)
        else:
            few, n_few = few | same, n_few + level.n
    yield _Step(order, bits & few, (bits & few).bit_count())


def _levels_met(connection: sqlite3.Connection, bits: int, order: Order) -> Iterator[Level]:
    """The levels without most of those that no member has: neighbours are looked at together."""
    levels = _levels(connection, order)
    while some := list(islice(levels, AT_ONCE)):
        first, last = min(level.first for level in some), max(level.last for level in some)
        if bits & facets.joined(connection, order.facet or "", first, last):
            yield from some


def _levels(connection: sqlite3.Connection, order: Order) -> Iterator[Level]:
    """The values of an order's facet, taken together."""
    sizes = facets.sizes(connection, order.facet or "")
    values, n, limits = list[str](), 0, chain(LEVELS, repeat(LEVELS[-1]))
    limit = next(limits)
    for value, n_same in reversed(sizes) if order.is_descending else sizes:
        if values and n + n_same > limit:
            yield Level(min(values), max(values), n)
            values, n, limit = [], 0, next(limits)
        values, n = [*values, value], n + n_same
    if values:
        yield Level(min(values), max(values), n)


def _part(
    connection: sqlite3.Connection, choice: Choice, step: _Step, n_wanted: int | None
) -> Part:
    def numbers() -> Iterator[int]:
        yield from passing(connection, step.sorted(connection, choice, n_wanted), choice)

    return None if step.members & choice.unsure else step.n, numbers()


def _in_order(
    connection: sqlite3.Connection, bits: int, order: Order, n_wanted: int | None
) -> Iterator[int]:
    """The members of a set, sorted; the first `n_wanted` before the others are looked at."""
    numbers = list(facets.numbers_in(bits))
    if len(numbers) <= READ_AT_ONCE:
        yield from _sorted_by_rows(connection, numbers, order)
        return
    known = codes.read(connection, order.column)
    told = [number for number in numbers if known[number] != codes.UNTOLD]
    ordered = sorted([known[number] for number in told], reverse=order.is_descending)
    last = ordered[n_wanted - 1] if n_wanted is not None and n_wanted < len(told) else None
    for some in _before_and_after(told, known, last, order):
        some.sort(key=known.__getitem__, reverse=order.is_descending)
        for batch in _of_whole_codes(some, known):
            if max(known[batch[0]], known[batch[-1]]) < codes.COLUMNS[order.column].n_exact:
                yield from batch
            elif order.is_walked and n_wanted and len(batch) > max(MANY, READ_IN_STEPS * n_wanted):
                walk = _between(order, *codes.numbers_with(known[batch[0]]))
                rest = partial(_members_by_rows, connection, order=order)
                n_steps = READ_IN_STEPS * len(batch)
                yield from _first_met(facets.as_bits(batch), _met(connection, walk), n_steps, rest)
            else:
                yield from _sorted_by_rows(connection, batch, order)
    yield from (number for number in numbers if known[number] == codes.UNTOLD)


def _before_and_after(
    numbers: list[int], known: Sequence[int], last: int | None, order: Order
) -> Iterator[list[int]]:
    """The models up to a code, itself included, and then the others."""
    if last is None:
        yield numbers
    elif order.is_descending:
        yield [number for number in numbers if known[number] >= last]
        yield [number for number in numbers if known[number] < last]
    else:
        yield [number for number in numbers if known[number] <= last]
        yield [number for number in numbers if known[number] > last]


def _of_whole_codes(numbers: Iterable[int], known: Sequence[int]) -> Iterator[list[int]]:
    """Sorted models in batches; those of one code are in one batch, alone where they are many."""
    batch = list[int]()
    for _, same in groupby(numbers, key=known.__getitem__):
        group = list(same)
        if batch and len(batch) + len(group) > READ_AT_ONCE:
            yield batch
            batch = []
        batch += group
    if batch:
        yield batch


def _sorted_by_rows(
    connection: sqlite3.Connection, numbers: Sequence[int], order: Order
) -> list[int]:
    found = [
        (row[order.column], row["number"])
        for batch in _batches(sorted(numbers))
        for row in read(connection, batch, f"number, {order.column}")
    ]
    told = [pair for pair in found if pair[0] is not None]
    told.sort(key=lambda pair: pair[0], reverse=order.is_descending)
    return [number for _, number in told] + [number for value, number in found if value is None]


def _members_by_rows(connection: sqlite3.Connection, bits: int, order: Order) -> list[int]:
    return _sorted_by_rows(connection, list(facets.numbers_in(bits)), order)


Walk = tuple[str, tuple[float | str, ...]]
"""A query for numbers in the order of an index, with its values."""


def _walk(order: Order, level: Level | None, choice: Choice) -> Walk:
    """All models, or those of a level."""
    if level is None:
        return "SELECT number FROM models WHERE listed ORDER BY id, number", ()
    low, high = order.bounds_of(level)
    for bounds in choice.bounds:
        if bounds.column == order.column:
            low, high = max(low, int(bounds.low)), min(high, int(bounds.high))
    return _between(order, low, high)


def _between(order: Order, low: float, high: float) -> Walk:
    return (
        f"SELECT number FROM models INDEXED BY models_by_{order.column}"  # noqa: S608  # our own column names
        f" WHERE {order.column} BETWEEN ? AND ?"
        f" ORDER BY {order.column} {'DESC' if order.is_descending else 'ASC'}"
    ), (low, high)


def _owned(owners: Iterable[str]) -> Iterator[Walk]:
    """The models of each owner."""
    query = "SELECT number FROM models WHERE listed AND id >= ? AND id < ? ORDER BY id, number"
    return ((query, ids) for ids in sorted(map(facets.ids_of, set(owners))))


def _met(connection: sqlite3.Connection, walk: Walk) -> Iterator[int]:
    cursor = connection.cursor()
    cursor.row_factory = None
    return chain.from_iterable(cursor.execute(*walk))


def _along(bits: int, met: Iterable[int]) -> Iterator[int]:
    """The members of a set in the order in which they are met."""
    raw = facets.as_bytes(bits)
    n_places = len(raw) * 8
    return (n for n in met if n < n_places and raw[n >> 3] >> (n & 7) & 1)


def _first_met(
    bits: int, met: Iterator[int], n_steps: int, rest: Callable[[int], Iterable[int]]
) -> Iterator[int]:
    """The members of a set that are met on the first steps of a walk, then the others in order.

    Those that the whole walk does not meet do not fit.
    """
    passed = list[int]()
    for number in _along(bits, islice(met, n_steps)):
        passed.append(number)
        yield number
    if next(met, None) is not None:
        yield from rest(bits & ~facets.as_bits(passed))


def passing(
    connection: sqlite3.Connection, numbers: Iterable[int], choice: Choice
) -> Iterator[int]:
    """The models that are sure or that fit, in their order."""
    if not choice.unsure:
        yield from numbers
        return
    raw = facets.as_bytes(choice.unsure)
    n_places = len(raw) * 8
    for batch in _growing(numbers):
        unsure = [n for n in batch if n < n_places and raw[n >> 3] >> (n & 7) & 1]
        failed = choice.failing(connection, unsure) if unsure else ()
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


def _growing(numbers: Iterable[int]) -> Iterator[list[int]]:
    """Batches, small ones first: perhaps few are wanted."""
    numbers, n = iter(numbers), 32
    while batch := list(islice(numbers, n)):
        yield batch
        n = min(2 * n, FEW)


def _batches(numbers: Iterable[int]) -> Iterator[list[int]]:
    numbers = iter(numbers)
    while batch := list(islice(numbers, READ_AT_ONCE)):
        yield batch
