"""Sets of models by what they have in common, kept in catalog.db as bits.

A model is a number. Each value of a facet (the language `de`) has the numbers of its models in
chunks of 65,536: as bits, or where they are few, as a list of 16-bit offsets. Sets are read into
Python's integers, so that two millions of models are combined in a fraction of a millisecond.
"""

import json
import re
import sqlite3
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from operator import attrgetter

from catalog.known_sets import known
from catalog.labels import label_set, normalised, output_names
from catalog.model import Model

Facet = tuple[str, str]
Numbers = Mapping[Facet, Sequence[int]]
Key = tuple[str, str, int]
"""Kind and value of a facet, and a chunk."""

CHUNK = 65_536
RAW_BYTES = CHUNK // 8
FEW = 100
"""At most so many numbers of a chunk are kept as a list."""

REMEMBERED = 100
"""Of a question with more values than these, the values' sets are not remembered one by one."""

ALL: Facet = ("all", "")
GATED: Facet = ("gated", "")
BASE: Facet = ("base", "")
"""Models that others are or were made from."""

FIRST_TEXT, LAST_TEXT = "", "\U0010ffff"
EXACT_STEPS = 16
"""Numbers below are a step each; above, a step is a quarter of an octave."""

KNOWN_NUMBERS = 10_000
"""The steps of so many numbers are not worked out again."""

OCTAVES = tuple(f"{power:02}" for power in range(100))
NEXT_MEMBER = re.compile(rb"\0*[^\0]")
"""Bytes up to one with members: most sets are small."""

BITS_OF_BYTE = tuple(tuple(bit for bit in range(8) if byte >> bit & 1) for byte in range(256))

KINDS_OF_TEXTS = ("language", "format", "base_model", "dataset")
_texts = attrgetter("languages", "formats", "base_models", "datasets")


def facets_of(model: Model, score: float) -> list[Facet]:
    """What a listed model is found by, words apart."""
    found = [ALL, ("source", model.source), ("score", percent(score))]
    if model.task is not None:
        found.append(("task", model.task))
    if model.library is not None:
        found.append(("library", model.library))
    if model.gated:
        found.append(GATED)
    if model.license:
        found += [("license", id) for id in licenses_in(model.license)]
    for kind, values in zip(KINDS_OF_TEXTS, _texts(model), strict=True):
        if values:
            found += [(kind, value) for value in values]
    if model.published:
        found += [("benchmark", result.dataset) for result in model.published]
    if model.labels:
        names = output_names(model.labels, model.label2id)
        found += [("label", normalised(name)) for name in names]
        found.append(("labels", label_set(names)))
    return found + _ordered_facets(model)


def _ordered_facets(model: Model) -> list[Facet]:
    """Facets whose values are sorted by."""
    found = []
    if model.downloads is not None:
        found.append(("downloads", step(model.downloads)))
    if model.likes is not None:
        found.append(("likes", step(model.likes)))
    n_parameters, weight_bytes = model.n_parameters, model.weight_bytes
    if n_parameters is not None:
        found += [("parameters", octave(n_parameters)), ("parameters step", step(n_parameters))]
    if weight_bytes is not None:
        found += [("bytes", octave(weight_bytes)), ("bytes step", step(weight_bytes))]
    if model.created_at is not None:
        found.append(("created", day(model.created_at)))
    if model.last_modified is not None:
        found.append(("changed", month(model.last_modified)))
    return found


def licenses_in(name: str | None) -> list[str]:
    """The licences of a model, in lower case; a card may name several with commas between."""
    if not name or "," not in name:
        return [name.lower()] if name else []
    return [id.strip() for id in name.lower().split(",")]


@lru_cache(KNOWN_NUMBERS)
def step(n: int) -> str:
    """A number in three digits: itself below 16, else its octave and the quarter of that."""
    if n < EXACT_STEPS:
        return f"{n:03}"
    power = n.bit_length()
    return f"{4 * power + (n >> (power - 3) & 3):03}"


def bounds_of(value: str) -> tuple[int, int]:
    """The smallest and the largest number of a step."""
    place = int(value)
    if place < EXACT_STEPS:
        return place, place
    shift = place // 4 - 3
    first = (4 + place % 4) << shift
    return first, first + (1 << shift) - 1


def octave(n: int) -> str:
    """The power of two that a number lies below, in two digits."""
    return OCTAVES[n.bit_length()]


def percent(score: float) -> str:
    """A score from 0 to 1, of three digits behind the point, without the third."""
    return f"{round(1000 * score) // 10:03}"


def day(time: str) -> str:
    """The day of a time, as 2026-01-31."""
    return time[:10]


def month(time: str) -> str:
    """The month of a time, as 2026-01."""
    return time[:7]


def ids_of(owner: str) -> tuple[str, str]:
    """The ids of an owner's models: from the first text on, and below the second."""
    return f"{owner}/", f"{owner}0"  # 0 follows / in ASCII


def change(connection: sqlite3.Connection, *, added: Numbers, removed: Numbers) -> None:
    """Puts numbers into the sets of facets, and takes others out."""
    plus, minus = _chunks(added), _chunks(removed)
    connection.executemany(
        "INSERT INTO facets (kind, value, chunk, n, members) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET n = excluded.n, members = excluded.members",
        [
            (*key, *_changed(*_read_chunk(connection, key), plus.get(key, ()), minus.get(key, ())))
            for key in {**plus, **minus}
        ],
    )


def add_bases(connection: sqlite3.Connection, new: Mapping[int, Model]) -> None:
    """Notes which models new ones are made from, and which new ones others are made from."""
    named = {id for model in new.values() for id in model.base_models}
    older = connection.execute(
        "SELECT number FROM models WHERE listed AND id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(named)),),
    )
    found = {row["number"] for row in older}
    used = connection.execute(
        "SELECT value FROM json_each(?) AS new WHERE EXISTS"
        " (SELECT 1 FROM facets WHERE kind = 'base_model' AND facets.value = new.value)",
        (json.dumps([model.id for model in new.values()]),),
    )
    ids = {row["value"] for row in used}
    found |= {number for number, model in new.items() if model.id in ids}
    change(connection, added={BASE: [*found]}, removed={})


def members(connection: sqlite3.Connection, kind: str, *values: str) -> int:
    """The models with any of these values of a facet: bit n is set for the model of number n."""
    if len(values) > REMEMBERED:
        return union(connection, kind, values)
    found = 0
    for value in values:
        found |= known(connection, (kind, value), partial(_members, connection, kind, value))
    return found


def union(connection: sqlite3.Connection, kind: str, values: Sequence[str]) -> int:
    """As `members`, for many values that are not asked for again."""
    query = (
        "SELECT chunk, members FROM facets"
        " WHERE kind = ? AND value IN (SELECT value FROM json_each(?))"
    )
    return _union(_plain(connection).execute(query, (kind, json.dumps(values))))


def between(connection: sqlite3.Connection, kind: str, low: str, high: str) -> int:
    """The models with values from `low` to `high` in the order of text, both included."""
    rows = connection.execute(
        "SELECT DISTINCT value FROM facets WHERE kind = ? AND value BETWEEN ? AND ?",
        (kind, low, high),
    )
    return members(connection, kind, *[row["value"] for row in rows])


def since(connection: sqlite3.Connection, kind: str, month: str) -> int:
    """The models with a month from this one on; later years are asked for as a whole."""
    year = month[:4]
    found = between(connection, kind, month, f"{year}-12")
    for later in sorted({value[:4] for value, _ in sizes(connection, kind) if value[:4] > year}):
        found |= joined(connection, kind, f"{later}-01", f"{later}-12")
    return found


def joined(connection: sqlite3.Connection, kind: str, first: str, last: str) -> int:
    """As `between`, for values that are always asked for together."""
    if first == last:
        return members(connection, kind, first)
    query = "SELECT chunk, members FROM facets WHERE kind = ? AND value BETWEEN ? AND ?"

    def read() -> int:
        return _union(_plain(connection).execute(query, (kind, first, last)))

    return known(connection, (f"{kind} joined", f"{first} {last}"), read)


def within(connection: sqlite3.Connection, kind: str, low: int, high: int) -> int:
    """The models between two numbers, rounded outwards to steps: whole octaves where these fit."""
    first, last = low.bit_length(), high.bit_length()
    if first == last:
        return between(connection, f"{kind} step", step(low), step(high))
    return (
        between(connection, f"{kind} step", step(low), step((1 << first) - 1))
        | between(connection, kind, OCTAVES[first + 1], OCTAVES[last - 1])
        | between(connection, f"{kind} step", step((1 << last) >> 1), step(high))
    )


def sizes(connection: sqlite3.Connection, kind: str) -> list[tuple[str, int]]:
    """The values of a facet in the order of text, with how many models have each."""
    return known(connection, ("sizes", kind), lambda: sorted(counts(connection, kind).items()))


def counts(connection: sqlite3.Connection, kind: str) -> dict[str, int]:
    """How many models have each value, the most frequent first."""
    rows = connection.execute(
        "SELECT value, SUM(n) AS n FROM facets WHERE kind = ? GROUP BY value"
        " HAVING SUM(n) > 0 ORDER BY SUM(n) DESC, value",
        (kind,),
    ).fetchall()
    return {row["value"]: row["n"] for row in rows}


def untold(connection: sqlite3.Connection, kind: str) -> int:
    """The models without any value of a facet."""
    return members(connection, *ALL) & ~between(connection, kind, FIRST_TEXT, LAST_TEXT)


def as_bits(numbers: Iterable[int]) -> int:
    """A set of numbers as an integer."""
    found = list(numbers)
    buffer = bytearray((max(found, default=0) >> 3) + 1)
    for number in found:
        buffer[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(buffer, "little")


def as_bytes(bits: int) -> bytes:
    """A set for single look-ups: number n is bit n % 8 of byte n // 8."""
    return bits.to_bytes((bits.bit_length() >> 3) + 1, "little")


def numbers_in(bits: int) -> Iterator[int]:
    """The numbers of a set, ascending."""
    raw = as_bytes(bits)
    places = (match.end() - 1 for match in NEXT_MEMBER.finditer(raw))
    return (place * 8 + bit for place in places for bit in BITS_OF_BYTE[raw[place]])


def _chunks(numbers: Numbers) -> dict[Key, list[int]]:
    """The offsets in each chunk that numbers fall into."""
    found: dict[Key, list[int]] = {}
    for (kind, value), members in numbers.items():
        ordered, at = sorted(members), 0
        while at < len(ordered):
            chunk = ordered[at] // CHUNK
            end = bisect_left(ordered, (chunk + 1) * CHUNK, at)
            found[kind, value, chunk] = [number - chunk * CHUNK for number in ordered[at:end]]
            at = end
    return found


def _read_chunk(connection: sqlite3.Connection, key: Key) -> tuple[int, bytes]:
    """How many members a chunk has, and these packed."""
    row = connection.execute(
        "SELECT n, members FROM facets WHERE kind = ? AND value = ? AND chunk = ?", key
    ).fetchone()
    return (0, b"") if row is None else (row["n"], row["members"])


def _changed(n: int, packed: bytes, plus: Sequence[int], minus: Sequence[int]) -> tuple[int, bytes]:
    """How many members a chunk has after a change, and these packed."""
    is_list = len(packed) < RAW_BYTES
    if is_list and n + len(plus) <= FEW:
        offsets = sorted({*array("H", packed), *plus}.difference(minus))
        return len(offsets), array("H", offsets).tobytes()
    buffer = bytearray(RAW_BYTES) if is_list else bytearray(packed)
    if is_list:
        plus, n = (*array("H", packed), *plus), 0
    for offset in plus:
        place, bit = offset >> 3, 1 << (offset & 7)
        if not buffer[place] & bit:
            buffer[place] |= bit
            n += 1
    for offset in minus:
        place, bit = offset >> 3, 1 << (offset & 7)
        if buffer[place] & bit:
            buffer[place] ^= bit
            n -= 1
    if n > FEW:
        return n, bytes(buffer)
    return n, array("H", numbers_in(int.from_bytes(buffer, "little"))).tobytes()


def _plain(connection: sqlite3.Connection) -> sqlite3.Cursor:
    """A cursor whose rows are tuples, which are faster to read."""
    cursor = connection.cursor()
    cursor.row_factory = None
    return cursor


def _members(connection: sqlite3.Connection, kind: str, value: str) -> int:
    query = "SELECT chunk, members FROM facets WHERE kind = ? AND value = ?"
    return _union(_plain(connection).execute(query, (kind, value)))


def _union(rows: Iterable[tuple[int, bytes]]) -> int:
    """The models in any of the chunks."""
    buffer, filled, lists = bytearray(), set[int](), defaultdict[int, bytearray](bytearray)
    for chunk, packed in rows:
        start, end = chunk * RAW_BYTES, (chunk + 1) * RAW_BYTES
        if len(packed) < RAW_BYTES:
            lists[chunk] += packed
            continue
        buffer.extend(bytes(max(0, end - len(buffer))))
        if chunk in filled:
            both = int.from_bytes(buffer[start:end], "little") | int.from_bytes(packed, "little")
            packed = both.to_bytes(RAW_BYTES, "little")
        buffer[start:end] = packed
        filled.add(chunk)
    for chunk, offsets in lists.items():
        start, end = chunk * RAW_BYTES, (chunk + 1) * RAW_BYTES
        buffer.extend(bytes(max(0, end - len(buffer))))
        for offset in array("H", offsets):
            buffer[start + (offset >> 3)] |= 1 << (offset & 7)
    return int.from_bytes(buffer, "little")
