"""Sets of models by what they have in common, kept in catalog.db as bits.

A model is a number. Each value of a facet (the language `de`) has the numbers of its models in
chunks of 4,096: as bits, or where they are few, as a list of 16-bit offsets. Sets are read into
Python's integers, so that two millions of models are combined in a fraction of a millisecond.
"""

import json
import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from re import finditer

from catalog.labels import label_set, normalised, output_names
from catalog.model import Model

Facet = tuple[str, str]
Numbers = Mapping[Facet, Sequence[int]]

LAST_TEXT = "\U0010ffff"
CHUNK = 4096
RAW_BYTES = CHUNK // 8
FEW = 32
"""At most so many numbers of a chunk are kept as a list."""

ALL: Facet = ("all", "")
GATED: Facet = ("gated", "")
BASE: Facet = ("base", "")
"""Models that others are or were made from."""
COUNTED = ("downloads", "likes", "parameters", "bytes")
OCTAVES = tuple(f"{power:02}" for power in range(100))
BITS_OF_BYTE = tuple(tuple(bit for bit in range(8) if byte >> bit & 1) for byte in range(256))


_counts = attrgetter("downloads", "likes", "n_parameters", "weight_bytes")


def facets_of(model: Model) -> list[Facet]:
    """What a listed model is found by."""
    found = [ALL, ("source", model.source)]
    if model.task is not None:
        found.append(("task", model.task))
    if model.library is not None:
        found.append(("library", model.library))
    found += [("license", id) for id in licenses_in(model.license)]
    found += [("language", value) for value in model.languages]
    found += [("format", value) for value in model.formats]
    if model.gated:
        found.append(GATED)
    found += [
        (kind, octave(n)) for kind, n in zip(COUNTED, _counts(model), strict=True) if n is not None
    ]
    if model.created_at is not None:
        found.append(("created", month(model.created_at)))
    if model.last_modified is not None:
        found.append(("changed", month(model.last_modified)))
    found += [("base_model", id) for id in model.base_models]
    found += [("dataset", id) for id in model.datasets]
    found += [("benchmark", result.dataset) for result in model.published]
    if model.labels:
        names = output_names(model.labels, model.label2id)
        found += [("label", normalised(name)) for name in names]
        found.append(("labels", label_set(names)))
    return found


def licenses_in(name: str | None) -> list[str]:
    """The licences of a model, in lower case; a card may name several with commas between."""
    if not name or "," not in name:
        return [name.lower()] if name else []
    return [id.strip() for id in name.lower().split(",")]


def octave(n: int) -> str:
    """The power of two that a number lies below, in two digits."""
    return OCTAVES[n.bit_length()]


def month(time: str) -> str:
    """The month of a time, as 2026-01."""
    return time[:7]


def octaves(low: int | None, high: int | None) -> tuple[str, str]:
    """The first and the last octave between two bounds."""
    return octave(low or 0), "99" if high is None else octave(high)


def change(connection: sqlite3.Connection, *, added: Numbers, removed: Numbers) -> None:
    """Puts numbers into the sets of facets, and takes others out."""
    plus, minus = _chunks(added), _chunks(removed)
    connection.executemany(
        "INSERT OR REPLACE INTO facets VALUES (?, ?, ?, ?, ?)",
        [
            (*key, *_changed(_read_chunk(connection, key), plus.get(key, ()), minus.get(key, ())))
            for key in {**plus, **minus}
        ],
    )


def add_bases(connection: sqlite3.Connection, new: Mapping[int, Model]) -> None:
    """Notes which models are made from new ones, and new ones from which."""
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
    return _union(
        connection.execute(
            "SELECT chunk, members FROM facets"
            " WHERE kind = ? AND value IN (SELECT value FROM json_each(?))",
            (kind, json.dumps(values)),
        )
    )


def between(connection: sqlite3.Connection, kind: str, low: str, high: str) -> int:
    """The models with values from `low` to `high` in the order of text, both included."""
    return _union(
        connection.execute(
            "SELECT chunk, members FROM facets WHERE kind = ? AND value BETWEEN ? AND ?",
            (kind, low, high),
        )
    )


def values(connection: sqlite3.Connection, kind: str, *, descending: bool) -> Iterator[str]:
    """The values of a facet in the order of text; each is looked up when it is asked for."""
    query = (
        "SELECT MAX(value) FROM facets WHERE kind = ? AND value < ?"
        if descending
        else "SELECT MIN(value) FROM facets WHERE kind = ? AND value > ?"
    )
    value: str | None = LAST_TEXT if descending else ""
    while value := connection.execute(query, (kind, value)).fetchone()[0]:
        yield value


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
    return members(connection, *ALL) & ~between(connection, kind, "", LAST_TEXT)


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
    for match in finditer(rb"[^\0]", raw):
        start = match.start()
        for bit in BITS_OF_BYTE[raw[start]]:
            yield start * 8 + bit


def _chunks(numbers: Numbers) -> dict[tuple[str, str, int], list[int]]:
    """The offsets in each chunk that numbers fall into."""
    found: dict[tuple[str, str, int], list[int]] = {}
    for (kind, value), members in numbers.items():
        for chunk in {number // CHUNK for number in members}:
            start, end = chunk * CHUNK, (chunk + 1) * CHUNK
            found[kind, value, chunk] = [n - start for n in members if start <= n < end]
    return found


def _read_chunk(connection: sqlite3.Connection, key: tuple[str, str, int]) -> bytes:
    row = connection.execute(
        "SELECT members FROM facets WHERE kind = ? AND value = ? AND chunk = ?", key
    ).fetchone()
    return b"" if row is None else row["members"]


def _changed(packed: bytes, plus: Sequence[int], minus: Sequence[int]) -> tuple[int, bytes]:
    """How many members a chunk has after a change, and these packed."""
    is_list = len(packed) < RAW_BYTES
    if is_list and len(packed) // 2 + len(plus) <= FEW:
        offsets = sorted({*array("H", packed), *plus}.difference(minus))
        return len(offsets), array("H", offsets).tobytes()
    buffer = bytearray(RAW_BYTES) if is_list else bytearray(packed)
    for offset in (*array("H", packed if is_list else b""), *plus):
        buffer[offset >> 3] |= 1 << (offset & 7)
    for offset in minus:
        buffer[offset >> 3] &= ~(1 << (offset & 7))
    bits = int.from_bytes(buffer, "little")
    if bits.bit_count() > FEW:
        return bits.bit_count(), bytes(buffer)
    return bits.bit_count(), array("H", numbers_in(bits)).tobytes()


def _union(rows: Iterable[sqlite3.Row]) -> int:
    """The models in any of the chunks."""
    buffer, filled = bytearray(), set[int]()
    for chunk, packed in rows:
        start, end = chunk * RAW_BYTES, (chunk + 1) * RAW_BYTES
        if end > len(buffer):
            buffer.extend(bytes(end - len(buffer)))
        if len(packed) < RAW_BYTES:
            for offset in array("H", packed):
                buffer[start + (offset >> 3)] |= 1 << (offset & 7)
        elif chunk in filled:
            both = int.from_bytes(buffer[start:end], "little") | int.from_bytes(packed, "little")
            buffer[start:end] = both.to_bytes(RAW_BYTES, "little")
        else:
            buffer[start:end] = packed
        filled.add(chunk)
    return int.from_bytes(buffer, "little")
