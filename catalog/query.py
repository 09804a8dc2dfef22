"""The models of a selection, in its order: sets of numbers first, rows where they must be read.

Facets and rare words give the set of all models that may fit. What a set cannot tell (the
exact bounds of sizes and dates, frequent words) is looked up in the rows. Then either the rows of
the set are read and sorted, or an index is walked in the order asked for until enough members have
passed: with n members of N models and k wanted, the cheaper of n reads and k N / n steps.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from types import MappingProxyType

from catalog import facets
from catalog.labels import label_set, normalised, output_names
from catalog.select import Selection
from catalog.words import (
    beginning_with,
    is_exact,
    matches,
    other_words,
    size_and_number,
    words_in,
)

Check = Callable[[sqlite3.Row], bool]

READ_AT_ONCE = 256
READ_IN_STEPS = 5
"""A row that is read costs as much as so many steps along an index."""
FEW = 1_000
"""The words of so many models are compared one by one rather than looked up."""
RARE = 50_000
"""So many matches of words are made a set."""
SIMILAR = 2_000
"""Among so many ids a misspelt one is looked for."""
CHECKED = "number, id, tags, summary, labels, details, n_parameters, weight_bytes, last_modified"


@dataclass(frozen=True, slots=True)
class Order:
    """A column that models are sorted by. Equal models come by number, those without it last.

    `facet` sorts them roughly: its values come in the order of the column.
    """

    column: str
    is_descending: bool = True
    facet: str | None = None

    def walk(self, value: str | None) -> tuple[str, tuple[int | str, ...]]:
        """A query for all numbers in this order, from the index; only those of a facet's value."""
        if self.column == "id":
            return "SELECT number FROM models WHERE listed ORDER BY id, source", ()
        condition = "IS NOT NULL" if value is None else "BETWEEN ? AND ?"
        return (
            f"SELECT number FROM models INDEXED BY models_by_{self.column}"  # noqa: S608  # our own column names
            f" WHERE {self.column} {condition}"
            f" ORDER BY {self.column} {'DESC' if self.is_descending else 'ASC'}"
        ), () if value is None else self._bounds(value)

    def _bounds(self, value: str) -> tuple[int, int] | tuple[str, str]:
        """Between which values of the column those of a value of the facet lie."""
        if self.facet == "created":
            return value, value + facets.LAST_TEXT
        power = int(value)
        return (1 << power) >> 1, (1 << power) - 1


ORDERS: Mapping[str, Order] = MappingProxyType(
    {
        "downloads": Order("downloads", facet="downloads"),
        "likes": Order("likes", facet="likes"),
        "score": Order("score"),
        "newest": Order("created_at", facet="created"),
        "parameters": Order("n_parameters", is_descending=False, facet="parameters"),
        "size": Order("weight_bytes", is_descending=False, facet="bytes"),
        "id": Order("id", is_descending=False),
    }
)


@dataclass(frozen=True, slots=True)
class Choice:
    """The models that may fit, as bits; those of `unsure` only if their rows pass the checks."""

    bits: int
    unsure: int = 0
    checks: tuple[Check, ...] = ()


def select(connection: sqlite3.Connection, selection: Selection) -> list[int]:
    """The numbers of the models, in order, `limit` and `offset` taken into account."""
    n_wanted = None if selection.limit is None else selection.offset + selection.limit
    bits = _by_sets(connection, selection)
    if not bits or n_wanted == 0:
        return []
    found = _in_order(connection, selection, bits, n_wanted)
    return list(islice(found, selection.offset, n_wanted))


def count(connection: sqlite3.Connection, selection: Selection) -> int:
    """How many models fit, whatever `limit` and `offset` are."""
    choice = _choose(connection, selection, _by_sets(connection, selection), n_rare=None)
    unsure = choice.bits & choice.unsure
    passing = _passing(connection, facets.numbers_in(unsure), choice)
    return (choice.bits & ~choice.unsure).bit_count() + sum(1 for _ in passing)


def unordered(connection: sqlite3.Connection, selection: Selection) -> Iterator[int]:
    """The numbers of all models that fit, ascending."""
    choice = _choose(connection, selection, _by_sets(connection, selection), n_rare=None)
    return _passing(connection, facets.numbers_in(choice.bits), choice)


def rows(connection: sqlite3.Connection, numbers: Iterable[int]) -> Iterator[sqlite3.Row]:
    """The rows of models, in the order of the numbers."""
    for batch in _batches(numbers):
        found = {row["number"]: row for row in _read(connection, batch)}
        yield from (found[number] for number in batch if number in found)


def similar_ids(connection: sqlite3.Connection, id: str, sources: Sequence[str]) -> list[str]:
    """Ids that may have been meant: all of a small catalog, else popular ones with its words."""
    bits = facets.members(connection, *facets.ALL)
    if sources:
        bits &= facets.members(connection, "source", *sources)
    numbers = facets.numbers_in(bits)
    if bits.bit_count() > SIMILAR:
        places = (islice(beginning_with(connection, word), SIMILAR) for word in words_in(id))
        found = (size_and_number(place)[1] for places in places for place in places)
        numbers = facets.numbers_in(bits & facets.as_bits(found))
    return [row["id"] for row in rows(connection, numbers)]


def _in_order(
    connection: sqlite3.Connection, selection: Selection, bits: int, n_wanted: int | None
) -> Iterable[int]:
    by_relevance = selection.sort == "relevance"
    order = ORDERS["downloads" if by_relevance else selection.sort]
    if selection.words and order.column == "downloads" and bits.bit_count() > FEW:
        return _most_downloaded(connection, selection, bits)
    choice = _choose(connection, selection, bits, n_rare=RARE)
    if not by_relevance:
        return _sorted(connection, choice, order, n_wanted)
    return _names_first(connection, selection, _sorted(connection, choice, order, None))


def _by_sets(connection: sqlite3.Connection, selection: Selection) -> int:
    """All models that may fit, by what is known as a set."""
    bits = facets.members(connection, *facets.ALL)
    for members in _sets(connection, selection):
        bits &= members
        if not bits:
            break
    return bits


def _sets(connection: sqlite3.Connection, selection: Selection) -> Iterator[int]:
    yield from _rare(connection, selection)
    for kind, values in (
        ("task", [] if selection.task is None else [selection.task]),
        ("source", selection.sources),
        ("language", selection.languages),
        ("license", [id.lower() for id in selection.licenses]),
        ("library", selection.libraries),
        ("format", selection.formats),
    ):
        if values:
            yield facets.members(connection, kind, *values)
    if selection.gated is not None:
        gated = facets.members(connection, *facets.GATED)
        yield gated if selection.gated else ~gated
    yield from _bounded(connection, selection)


def _rare(connection: sqlite3.Connection, selection: Selection) -> Iterator[int]:
    """What few models have in common."""
    if selection.authors:
        yield facets.as_bits(
            row["number"]
            for author in selection.authors
            for row in connection.execute(
                "SELECT number FROM models WHERE listed AND id >= ? AND id < ?",
                (f"{author}/", f"{author}0"),  # 0 follows / in ASCII
            )
        )
    if selection.labels and selection.label_match == "superset":
        for label in selection.labels:
            yield facets.members(connection, "label", normalised(label))
    elif selection.labels:
        yield facets.members(connection, "labels", label_set(selection.labels))
    if selection.derived_from is not None:
        yield _descendants(connection, selection.derived_from)
    if selection.trained_on is not None:
        yield facets.members(connection, "dataset", selection.trained_on)
    if selection.published_on is not None:
        yield facets.members(connection, "benchmark", selection.published_on)


def _descendants(connection: sqlite3.Connection, id: str) -> int:
    """The models made from this one, at any remove; models made from each other end the walk."""
    bases = facets.members(connection, *facets.BASE)
    found, itself, ids = 0, 0, [id]
    while ids:
        new = facets.members(connection, "base_model", *ids) & ~found
        found |= new
        made_from = {
            row["number"]: row["id"] for row in rows(connection, facets.numbers_in(new & bases))
        }
        itself |= facets.as_bits(number for number, name in made_from.items() if name == id)
        ids = list(made_from.values())
    return found & ~itself


def _bounded(connection: sqlite3.Connection, selection: Selection) -> Iterator[int]:
    """What lies between bounds, rounded outwards to powers of two and to months."""
    low, high = selection.min_parameters, selection.max_parameters
    if low is not None or high is not None:
        yield facets.between(connection, "parameters", *facets.octaves(low, high))
    if selection.max_bytes is not None:
        yield facets.between(connection, "bytes", *facets.octaves(None, selection.max_bytes))
    if selection.changed_after is not None:
        month = facets.month(selection.changed_after)
        yield facets.between(connection, "changed", month, facets.LAST_TEXT)


def _choose(
    connection: sqlite3.Connection, selection: Selection, bits: int, *, n_rare: int | None
) -> Choice:
    """The models by all that can be made a set: words only with at most `n_rare` matches."""
    choice = _rough(connection, selection, bits)
    if not selection.words:
        return choice
    found = _with_words(connection, selection, n_rare) if bits.bit_count() > FEW else None
    if found is None:
        return Choice(bits, bits, (*choice.checks, _word_check(selection)))
    return replace(choice, bits=bits & found)


def _with_words(
    connection: sqlite3.Connection, selection: Selection, at_most: int | None
) -> int | None:
    """The models with all words; None if they are more."""
    enough = None if at_most is None else at_most + 1
    places = list(islice(matches(connection, selection.words), enough))
    if len(places) == enough:
        return None
    return facets.as_bits(size_and_number(place)[1] for place in places)


def _rough(connection: sqlite3.Connection, selection: Selection, bits: int) -> Choice:
    """The choice with the checks for what sets tell only roughly, and for whom it matters."""
    low, high, most = selection.min_parameters, selection.max_parameters, selection.max_bytes
    time, wanted = selection.changed_after, set(selection.labels)
    unsure, checks = 0, list[Check]()
    if low is not None:
        unsure |= facets.members(connection, "parameters", facets.octave(low))
        checks.append(lambda row: row["n_parameters"] >= low)
    if high is not None:
        unsure |= facets.members(connection, "parameters", facets.octave(high))
        checks.append(lambda row: row["n_parameters"] <= high)
    if most is not None:
        unsure |= facets.members(connection, "bytes", facets.octave(most))
        checks.append(lambda row: row["weight_bytes"] <= most)
    if time is not None:
        unsure |= facets.members(connection, "changed", facets.month(time))
        checks.append(lambda row: row["last_modified"] >= time)
    if wanted and selection.label_match == "exact":
        unsure = bits
        checks.append(lambda row: set(_label_names(row)) == wanted)
    return Choice(bits, unsure, tuple(checks))


def _word_check(selection: Selection) -> Check:
    """First whether the letters occur at all: most rows fail there."""
    wanted = set(selection.words)

    def check(row: sqlite3.Row) -> bool:
        text = " ".join(row[name] or "" for name in ("id", "tags", "summary", "labels", "details"))
        if text.isascii() and not all(word in text.lower() for word in wanted):
            return False
        other = other_words(json.loads(row["tags"] or "[]"), _label_names(row), row["summary"])
        return wanted <= {*words_in(row["id"]), *other}

    return check


def _label_names(row: sqlite3.Row) -> tuple[str, ...]:
    details = json.loads(row["details"] or "{}")
    return output_names(json.loads(row["labels"] or "[]"), details.get("label2id", {}))


def _sorted(
    connection: sqlite3.Connection, choice: Choice, order: Order, n_wanted: int | None
) -> Iterator[int]:
    """The models that pass, in the order of a column: by the values of its facet, one by one."""
    n_all, left = choice.bits.bit_length(), choice.bits
    if order.facet is None or _is_few(left, n_all, n_wanted):
        yield from _passing(connection, _ordered(connection, left, order, n_all, n_wanted), choice)
        return
    for value in facets.values(connection, order.facet, descending=order.is_descending):
        same = facets.members(connection, order.facet, value)
        if left & same:
            n_same = same.bit_count()
            part = _ordered(connection, left & same, order, n_same, n_wanted, value)
            yield from _passing(connection, part, choice)
            left &= ~same
    yield from _passing(connection, facets.numbers_in(left), choice)


def _is_few(bits: int, n_all: int, n_wanted: int | None) -> bool:
    """Whether reading the rows of a set costs less than a walk past all models."""
    n = bits.bit_count()
    return n_wanted is None or n * READ_IN_STEPS <= n_wanted * n_all / max(1, n)


def _ordered(
    connection: sqlite3.Connection,
    bits: int,
    order: Order,
    n_all: int,
    n_wanted: int | None,
    value: str | None = None,
) -> Iterable[int]:
    """The members of a set among `n_all` models, in order: read and sorted, or met on a walk."""
    if _is_few(bits, n_all, n_wanted):
        return _read_and_sorted(connection, bits, order)
    return _walk(connection, bits, order, value)


def _read_and_sorted(connection: sqlite3.Connection, bits: int, order: Order) -> list[int]:
    found = [
        (row[order.column], row["number"])
        for batch in _batches(facets.numbers_in(bits))
        for row in _read(connection, batch, f"number, {order.column}")
    ]
    told = [pair for pair in found if pair[0] is not None]
    told.sort(key=lambda pair: pair[0], reverse=order.is_descending)
    return [number for _, number in told] + [number for value, number in found if value is None]


def _walk(
    connection: sqlite3.Connection, bits: int, order: Order, value: str | None
) -> Iterator[int]:
    """The members of a set in the order of an index."""
    raw = facets.as_bytes(bits)
    n_places = len(raw) * 8
    cursor = connection.cursor()
    cursor.row_factory = None
    for (number,) in cursor.execute(*order.walk(value)):
        if number < n_places and raw[number >> 3] >> (number & 7) & 1:
            yield number


def _most_downloaded(
    connection: sqlite3.Connection, selection: Selection, bits: int
) -> Iterator[int]:
    """The models of a set with all words, by downloads; where relevance counts, by ids first."""
    choice = _rough(connection, selection, bits)
    seen: set[int] = set()
    for in_name in (True, False) if selection.sort == "relevance" else (False,):
        found = _by_downloads(connection, selection.words, bits, in_name=in_name)
        for number in _passing(connection, found, choice):
            if number not in seen:
                yield number
            if in_name:
                seen.add(number)


def _by_downloads(
    connection: sqlite3.Connection, words: Sequence[str], bits: int, *, in_name: bool
) -> Iterator[int]:
    raw = facets.as_bytes(bits)
    n_places = len(raw) * 8
    found = map(size_and_number, matches(connection, words, in_name=in_name))
    members = (
        (size, number)
        for size, number in found
        if number < n_places and raw[number >> 3] >> (number & 7) & 1
    )
    for size, group in groupby(members, key=lambda pair: pair[0]):
        numbers = (number for _, number in group)
        if is_exact(size):
            yield from numbers
        else:
            yield from _read_and_sorted(connection, facets.as_bits(numbers), ORDERS["downloads"])


def _names_first(
    connection: sqlite3.Connection, selection: Selection, numbers: Iterable[int]
) -> list[int]:
    """Those with all words in the id before others, else as they were."""
    wanted = set(selection.words)
    found = sorted(
        rows(connection, numbers), key=lambda row: not wanted <= set(words_in(row["id"]))
    )
    return [row["number"] for row in found]


def _passing(
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
        rows = _read(connection, unsure, CHECKED) if unsure else ()
        failed = {row["number"] for row in rows if not all(c(row) for c in choice.checks)}
        yield from (number for number in batch if number not in failed)


def _batches(numbers: Iterable[int]) -> Iterator[list[int]]:
    numbers = iter(numbers)
    while batch := list(islice(numbers, READ_AT_ONCE)):
        yield batch


def _read(
    connection: sqlite3.Connection, numbers: Sequence[int], columns: str = "*"
) -> Iterator[sqlite3.Row]:
    return connection.execute(
        f"SELECT {columns} FROM models WHERE number IN (SELECT value FROM json_each(?))",  # noqa: S608  # our own column names
        (json.dumps(numbers),),
    )
