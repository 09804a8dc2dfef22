"""The user's labelled examples."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from cache.errors import BadInput
from cache.ledgers import row_key
from evaluators.noise import noise_ceiling
from evaluators.reading.columns import Columns, Guess, choose_columns
from evaluators.reading.frames import table_of
from evaluators.reading.reservoir import Reservoir
from evaluators.reading.source import open_table
from evaluators.reading.table import Table, in_words, peek
from evaluators.reading.values import as_class_name, fault_of, is_missing, name_in, unify_labels

SHOWN_PLACES = 5
KEY_DIGITS = 32
GROUP_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Row:
    """One example. `key` is what its predictions are cached by.

    `group` is its value in the group column, `slices` the columns and values that requirements
    may ask for; a column where it has no value is left out.
    """

    text: str
    label: str
    group: str | None = None
    slices: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        """The first 32 hexadecimal digits of the text's SHA-256."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:KEY_DIGITS]

    @property
    def digest(self) -> str:
        """SHA-256 over all that it holds; over text and label alone where there is no more."""
        parts = [self.text, self.label]
        if self.group is not None:
            parts += ["group", self.group]
        for column, value in sorted(self.slices):
            parts += ["slice", column, value]
        return digest_of(*parts)


@dataclass(frozen=True, slots=True)
class Samples:
    """Labelled examples in their file's order, and in words what was guessed about them.

    `labels` are the distinct labels: by value if all are integers, else by alphabet. `dataset` is
    the id of the Hub's data set that they were read from.
    """

    name: str
    rows: tuple[Row, ...]
    labels: tuple[str, ...]
    text_column: str
    label_column: str
    notes: tuple[str, ...] = ()
    group_column: str | None = None
    slice_columns: tuple[str, ...] = ()
    dataset: str | None = None

    @property
    def n(self) -> int:
        """The number of rows, repeated ones included."""
        return len(self.rows)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all rows; their order does not matter, repeats do.

        Whatever is computed from samples is computed in a fixed random order, so shuffling a
        file changes no answer, and need not change its key.
        """
        return hashlib.sha256("".join(sorted(row.digest for row in self.rows)).encode()).hexdigest()

    @property
    def row_keys(self) -> tuple[str, ...]:
        """A key for each row, all different: its text, its group if rows have one, which repeat.

        They are `TEXT`, `TEXT#2`, ... and with a group column `TEXT@GROUP`, `TEXT@GROUP#2`, ...
        The text's own key always comes first, so labels that were used are recognised however the
        rows are grouped later, and rows of another group never change a key. No label is part of a
        key, so that a corrected label is seen as one. Repeats are numbered in an order that
        depends on a hash of text and label and not on the file; rows that are added can change the
        numbers, so a ledger names its rows by their labels first (`bookkeeping.matched`).
        """
        kinds = [self._kind(row) for row in self.rows]
        alike: Counter[tuple[str, str]] = Counter()
        places: list[tuple[str, str]] = [("", "")] * self.n
        for at in sorted(range(self.n), key=lambda at: self.rows[at].digest):
            kind, row = kinds[at], self.rows[at]
            alike[kind, row.label] += 1
            places[at] = kind, digest_of(kind, row.label, str(alike[kind, row.label]))
        keys = [""] * self.n
        seen: Counter[str] = Counter()
        for at in sorted(range(self.n), key=places.__getitem__):
            seen[kinds[at]] += 1
            keys[at] = row_key(kinds[at], repeat=seen[kinds[at]])
        return tuple(keys)

    def _kind(self, row: Row) -> str:
        """The key of a row's text, and of its group where rows are grouped."""
        if self.group_column is None:
            return row.key
        return row_key(row.key, digest_of("group", row.group or "")[:GROUP_DIGITS])

    @property
    def slice_values(self) -> dict[str, tuple[str, ...]]:
        """The distinct values of each column that was read for slices."""
        values: dict[str, set[str]] = {column: set() for column in self.slice_columns}
        for row in self.rows:
            for column, value in row.slices:
                values[column].add(value)
        return {column: tuple(sorted(found)) for column, found in values.items()}

    @classmethod
    def of(
        cls, data: object, *, text: str | None = None, label: str | None = None,
        group: str | None = None, slices: Sequence[str] = (), name: str = "data",
    ) -> "Samples":  # fmt: skip
        """Samples of a list of dicts, a datasets.Dataset or a pandas.DataFrame.

        Samples come back as they are; BadInput where they were read without the columns.
        """
        if isinstance(data, Samples):
            data._require_columns(group, slices)
            return data
        asked = Columns(text, label, group, tuple(dict.fromkeys(slices)))
        return _collect(table_of(data, name=name), asked)

    def _require_columns(self, group: str | None, slices: Sequence[str]) -> None:
        lacking = [column for column in slices if column not in self.slice_columns]
        if group not in (None, self.group_column):
            lacking.append(str(group))
        if lacking:
            raise BadInput(
                f"{self.name} was read without {in_words(lacking)}; "
                "give group= and slices= where the data is read"
            )


def read_samples(
    source: str | Path,
    *,
    text: str | None = None,
    label: str | None = None,
    group: str | None = None,
    slices: Sequence[str] = (),
    split: str | None = None,
    max_rows: int | None = None,
    seed: int = 0,
) -> Samples:
    """The samples in a csv, tsv, jsonl, json or parquet file, or of a data set on the Hub.

    `text` and `label` name columns; else they are guessed, and a note says how. `group` and
    `slices` name further columns: every row has a value of the group, and may lack one of a
    slice. `split` (Hub only) may be sliced: `test[:500]`. With `max_rows`, that many rows are
    drawn at random with `seed` while the source streams by. Raises BadInput or NotFound, one
    line with a hint.
    """
    asked = Columns(text, label, group, tuple(dict.fromkeys(slices)))
    table = open_table(source, split=split, named=asked.named)
    return _collect(table, asked, max_rows=max_rows, seed=seed)


class _Cells(NamedTuple):
    """What is kept of one record; the label is spelled when all labels are known."""

    text: str
    label: object
    group: str | None
    slices: tuple[tuple[str, str], ...]


def _collect(
    table: Table, asked: Columns, *, max_rows: int | None = None, seed: int = 0
) -> Samples:
    head, records = peek(table.records)
    if not head:
        raise BadInput(f"{table.name} has a header and no rows. Give at least two labelled rows.")
    guess = choose_columns(table.columns, [values for _, values in head], asked, table.name)
    drawn = Reservoir[_Cells](max_rows, seed)
    for cells in _cells(replace(table, records=records), guess):
        drawn.add(cells)
    kept = list(drawn)
    labels, label_notes = unify_labels([cells.label for cells in kept], table.name)
    rows = tuple(
        Row(cells.text, label, cells.group, cells.slices)
        for cells, label in zip(kept, labels, strict=True)
    )
    notes = (
        *table.notes, *_column_notes(table, guess, asked),
        *label_notes, *_draw_notes(drawn, rows, seed), *_doubts(rows),
    )  # fmt: skip
    return Samples(
        name=table.name,
        rows=rows,
        labels=_classes(rows, table.name),
        text_column=table.columns[guess.text],
        label_column=table.columns[guess.label],
        notes=notes,
        group_column=asked.group,
        slice_columns=asked.slices,
        dataset=table.dataset,
    )


def _cells(table: Table, guess: Guess) -> Iterator[_Cells]:
    """What is kept of every row; rows that lack a value are refused together, at the end."""
    class_names = table.class_names.get(table.columns[guess.label], ())
    lacking = _Lacking()
    for at, values in table.records:
        text, label = values[guess.text], as_class_name(values[guess.label], class_names)
        group = None if guess.group is None else _name(table, at, values, guess.group)
        if is_missing(text) or is_missing(label):
            lacking.add("text" if is_missing(text) else "label", at)
        elif guess.group is not None and group is None:
            lacking.add(f"value of {table.columns[guess.group]!r}, the group", at)
        elif fault := fault_of(text) or fault_of(label):
            raise BadInput(f"{table.name}, {table.place} {at:,}: {fault}")
        else:
            yield _Cells(str(text), label, group, _slices(table, at, values, guess))
    lacking.refuse(table)


def _slices(
    table: Table, at: int, values: Sequence[object], guess: Guess
) -> tuple[tuple[str, str], ...]:
    found = ((table.columns[column], _name(table, at, values, column)) for column in guess.slices)
    return tuple((column, name) for column, name in found if name is not None)


def _name(table: Table, at: int, values: Sequence[object], column: int) -> str | None:
    """The text of a group's or slice's value; None where it is missing."""
    title = table.columns[column]
    value = as_class_name(values[column], table.class_names.get(title, ()))
    if is_missing(value):
        return None
    name = name_in(value)
    if fault := fault_of(name):
        raise BadInput(f"{table.name}, {table.place} {at:,}, column {title!r}: {fault}")
    return str(name)


class _Lacking:
    """Counts rows that lack a value, and keeps the first places of each kind."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._first: dict[str, list[int]] = {}

    def add(self, what: str, at: int) -> None:
        self._counts[what] += 1
        first = self._first.setdefault(what, [])
        first += [at] if len(first) < SHOWN_PLACES else []

    def refuse(self, table: Table) -> None:
        for what, count in self._counts.items():
            raise BadInput(_missing_message(table, what, self._first[what], count))


def _missing_message(table: Table, lacking: str, places: Sequence[int], count: int) -> str:
    shown = ", ".join(f"{at:,}" for at in places)
    more = ", ..." if count > len(places) else ""
    rows = "1 row has" if count == 1 else f"{count:,} rows have"
    return (
        f"{table.name}, {table.place} {shown}{more}: {rows} no {lacking}. "
        f"Fill in or remove {'it' if count == 1 else 'them'}."
    )


def _classes(rows: Sequence[Row], name: str) -> tuple[str, ...]:
    distinct = {row.label for row in rows}
    if len(distinct) < 2:
        raise BadInput(
            f"{name}: all {len(rows):,} rows have the label {in_words(distinct)}. "
            "Two classes at least are needed to tell a good model from a bad one."
        )
    if all(label.removeprefix("-").isdecimal() for label in distinct):
        return tuple(sorted(distinct, key=int))
    return tuple(sorted(distinct))


def _column_notes(table: Table, guess: Guess, asked: Columns) -> tuple[str, ...]:
    columns = (("text", guess.text, asked.text), ("label", guess.label, asked.label))
    guessed = [f"{word} = {table.columns[at]!r}" for word, at, given in columns if given is None]
    if not guessed:
        return ()
    return (f"columns: {', '.join(guessed)}, {guess.how} among {in_words(table.columns)}",)


def _draw_notes(drawn: Reservoir[_Cells], rows: Sequence[Row], seed: int) -> tuple[str, ...]:
    if drawn.n_seen == len(rows):
        return ()
    return (f"rows: {len(rows):,} of {drawn.n_seen:,}, drawn at random with seed {seed}",)


def _doubts(rows: Sequence[Row]) -> tuple[str, ...]:
    n_texts = len({row.text for row in rows})
    notes: tuple[str, ...] = ()
    if n_texts < len(rows):
        notes += (f"repeated texts: {len(rows):,} rows, {n_texts:,} distinct texts",)
    n_labels = len({row.label for row in rows})
    if 2 * n_labels > len(rows):
        notes += (
            f"labels: {n_labels:,} distinct in {len(rows):,} rows; is this the label column?",
        )
    ceiling = noise_ceiling(rows)
    if ceiling.note:
        notes += (f"contradictions: {ceiling.note}",)
    return notes


def digest_of(*parts: str) -> str:
    """A digest that tells ("a", "bc") from ("ab", "c")."""
    sizes_and_parts = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(sizes_and_parts.encode()).hexdigest()
