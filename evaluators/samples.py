"""The user's labelled examples."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cache.errors import BadInput
from evaluators.reading.columns import Guess, choose_columns
from evaluators.reading.frames import table_of
from evaluators.reading.reservoir import Reservoir
from evaluators.reading.source import open_table
from evaluators.reading.table import Table, in_words, peek
from evaluators.reading.values import as_class_name, fault_of, is_missing, unify_labels

SHOWN_PLACES = 5


@dataclass(frozen=True, slots=True)
class Row:
    """One example. `key` is what its predictions are cached by."""

    text: str
    label: str

    @property
    def key(self) -> str:
        """The first 32 hexadecimal digits of the text's SHA-256."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Samples:
    """Labelled examples in their file's order, and in words what was guessed about them.

    `labels` are the distinct labels: by value if all are integers, else by alphabet.
    """

    name: str
    rows: tuple[Row, ...]
    labels: tuple[str, ...]
    text_column: str
    label_column: str
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """The number of rows, repeated ones included."""
        return len(self.rows)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all texts and labels; the order of rows does not matter, repeats do.

        Whatever is computed from samples is computed in the order of `ordered`, so shuffling a
        file changes no answer, and need not change its key.
        """
        pairs = sorted(_digest(row.text, row.label) for row in self.rows)
        return hashlib.sha256("".join(pairs).encode()).hexdigest()

    def ordered(self, seed: int) -> "Samples":
        """The rows in one fixed random order that does not depend on the file's.

        Rows are sorted by the SHA-256 of seed, text and the number of the text's occurrence, so
        rows that are added later leave the order of the others as it was.
        """
        seen: Counter[str] = Counter()
        keyed = []
        for row in sorted(self.rows, key=lambda row: (row.text, row.label)):
            keyed.append((_digest(str(seed), row.text, str(seen[row.text])), row))
            seen[row.text] += 1
        return replace(self, rows=tuple(row for _, row in sorted(keyed, key=lambda pair: pair[0])))

    @classmethod
    def of(
        cls, data: object, *, text: str | None = None, label: str | None = None, name: str = "data"
    ) -> "Samples":
        """Samples of a list of dicts, a datasets.Dataset or a pandas.DataFrame."""
        if isinstance(data, Samples):
            return data
        return _collect(table_of(data, name=name), text=text, label=label)


def read_samples(
    source: str | Path,
    *,
    text: str | None = None,
    label: str | None = None,
    split: str | None = None,
    max_rows: int | None = None,
    seed: int = 0,
) -> Samples:
    """The samples in a csv, tsv, jsonl, json or parquet file, or of a data set on the Hub.

    `text` and `label` name columns; else they are guessed, and a note says how. `split` (Hub
    only) may be sliced: `test[:500]`. With `max_rows`, that many rows are drawn at random with
    `seed` while the source streams by. Raises BadInput or NotFound, one line with a hint.
    """
    named = [name for name in (text, label) if name is not None]
    table = open_table(source, split=split, named=named)
    return _collect(table, text=text, label=label, max_rows=max_rows, seed=seed)


def _collect(
    table: Table, *, text: str | None, label: str | None,
    max_rows: int | None = None, seed: int = 0,
) -> Samples:  # fmt: skip
    head, records = peek(table.records)
    if not head:
        raise BadInput(f"{table.name} has a header and no rows. Give at least two labelled rows.")
    values = [values for _, values in head]
    guess = choose_columns(table.columns, values, text=text, label=label, source=table.name)
    drawn = Reservoir[tuple[str, object]](max_rows, seed)
    for cell in _cells(replace(table, records=records), guess):
        drawn.add(cell)
    kept = list(drawn)
    labels, label_notes = unify_labels([value for _, value in kept], table.name)
    rows = tuple(Row(text, label) for (text, _), label in zip(kept, labels, strict=True))
    notes = (
        *table.notes, *_column_notes(table, guess, text, label),
        *label_notes, *_draw_notes(drawn, rows, seed), *_doubts(rows),
    )  # fmt: skip
    text_column, label_column = table.columns[guess.text], table.columns[guess.label]
    return Samples(table.name, rows, _classes(rows, table.name), text_column, label_column, notes)


def _cells(table: Table, guess: Guess) -> Iterator[tuple[str, object]]:
    """Every row's text and label; rows that lack one are refused together, at the end."""
    class_names = table.class_names.get(table.columns[guess.label], ())
    counts: Counter[str] = Counter()
    first: dict[str, list[int]] = {"text": [], "label": []}
    for at, values in table.records:
        text, label = values[guess.text], as_class_name(values[guess.label], class_names)
        lacking = "text" if is_missing(text) else "label" if is_missing(label) else None
        if lacking:
            counts[lacking] += 1
            first[lacking] += [at] if counts[lacking] <= SHOWN_PLACES else []
            continue
        fault = fault_of(text) or fault_of(label)
        if fault:
            raise BadInput(f"{table.name}, {table.place} {at:,}: {fault}")
        yield str(text), label
    for lacking, count in counts.items():
        raise BadInput(_missing_message(table, lacking, first[lacking], count))


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


def _column_notes(
    table: Table, guess: Guess, text: str | None, label: str | None
) -> tuple[str, ...]:
    asked = (("text", guess.text, text), ("label", guess.label, label))
    guessed = [f"{word} = {table.columns[at]!r}" for word, at, given in asked if given is None]
    if not guessed:
        return ()
    return (f"columns: {', '.join(guessed)}, {guess.how} among {in_words(table.columns)}",)


def _draw_notes(
    drawn: Reservoir[tuple[str, object]], rows: Sequence[Row], seed: int
) -> tuple[str, ...]:
    if drawn.n_seen == len(rows):
        return ()
    return (f"rows: {len(rows):,} of {drawn.n_seen:,}, drawn at random with seed {seed}",)


def _doubts(rows: Sequence[Row]) -> tuple[str, ...]:
    labels_of: dict[str, set[str]] = {}
    for row in rows:
        labels_of.setdefault(row.text, set()).add(row.label)
    n_contradictory = sum(len(labels) > 1 for labels in labels_of.values())
    notes: tuple[str, ...] = ()
    if len(labels_of) < len(rows):
        notes += (f"repeated texts: {len(rows):,} rows, {len(labels_of):,} distinct texts",)
    n_labels = len({row.label for row in rows})
    if 2 * n_labels > len(rows):
        notes += (
            f"labels: {n_labels:,} distinct in {len(rows):,} rows; is this the label column?",
        )
    if n_contradictory:
        notes += (f"contradictions: {n_contradictory:,} texts carry two or more labels",)
    return notes


def _digest(*parts: str) -> str:
    """A digest that tells ("a", "bc") from ("ab", "c")."""
    sizes_and_parts = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(sizes_and_parts.encode()).hexdigest()
