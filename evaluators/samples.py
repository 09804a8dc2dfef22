"""The user's labelled examples."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from unicodedata import category

from cache.errors import BadInput
from cache.key import canonical_json, digest
from cache.ledgers import row_key
from evaluators.noise import noise_ceiling
from evaluators.reading.columns import Columns
from evaluators.reading.examples import MEDIA, Example, examples
from evaluators.reading.files import Hashes
from evaluators.reading.frames import table_of
from evaluators.reading.gathering import prepared
from evaluators.reading.guess import TaskGuess, guess_task, twin_of
from evaluators.reading.nested import with_nested
from evaluators.reading.reservoir import Reservoir, shares
from evaluators.reading.roles import Chosen, choose_roles
from evaluators.reading.shapes import TEXT_CLASSIFICATION, Kind, Shape, shape_of
from evaluators.reading.source import open_table
from evaluators.reading.table import Table, in_words, peek
from evaluators.reading.tags import OUTSIDE
from evaluators.reading.values import MOST_DIGITS, unify_labels

MOST_ROWS = 100_000
"""A source with more rows is drawn from, so that reading takes constant memory."""

KEY_DIGITS = 32
GROUP_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Row:
    """One example. `key` is what its predictions are cached by.

    `text` is the content of the input and `label` the truth: plain, or canonical JSON where the
    task's rows have parts. `group` is its value in the group column, `slices` the columns and
    values that requirements may ask for; a column where it has no value is left out. `file` is
    the absolute path of the image or sound whose hash the content holds.
    """

    text: str
    label: str
    group: str | None = None
    slices: tuple[tuple[str, str], ...] = ()
    file: str | None = None

    @property
    def key(self) -> str:
        """The first 32 hexadecimal digits of the text's SHA-256."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:KEY_DIGITS]

    @property
    def digest(self) -> str:
        """SHA-256 over all that it holds but its file's path; over text and label by default."""
        parts = [self.text, self.label]
        if self.group is not None:
            parts += ["group", self.group]
        for column, value in sorted(self.slices):
            parts += ["slice", column, value]
        return digest_of(*parts)


@dataclass(frozen=True, slots=True)
class Samples:
    """Labelled examples in their file's order, and in words what was guessed about them.

    `labels` are the distinct labels that truths are made of: by value if all are integers, else by
    alphabet; none where a truth is a text or a number. `dataset` is the id of the Hub's data set
    that they were read from, `revision` its commit, `split` the split. `truth` is what a truth
    holds, `columns` are each role's columns, `corpus` the documents of a retrieval by id.
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
    revision: str | None = None
    task: str = TEXT_CLASSIFICATION.task
    truth: Kind = Kind.LABEL
    columns: tuple[tuple[str, tuple[str, ...]], ...] = ()
    split: str | None = None
    corpus: Mapping[str, str] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """The number of rows, repeated ones included."""
        return len(self.rows)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all rows, and the corpus; the rows' order does not matter, repeats do.

        Whatever is computed from samples is computed in a fixed random order, so shuffling a
        file changes no answer, and need not change its key.
        """
        parts = sorted(row.digest for row in self.rows)
        parts += [digest(dict(self.corpus))] if self.corpus else []
        return hashlib.sha256("".join(parts).encode()).hexdigest()

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
        shape: Shape | None = TEXT_CLASSIFICATION, files: Path | None = None,
        columns: Mapping[str, str | Sequence[str]] | None = None,
    ) -> "Samples":  # fmt: skip
        """Samples of a list of dicts, a data set of datasets, a pandas or polars frame.

        Samples come back as they are; BadInput where they were read without the columns. The
        other parameters are those of `read_samples`.
        """
        if isinstance(data, Samples):
            data._require_columns(group, slices)
            return data
        asked = Columns.of(text, label, group, slices, columns or {})
        return _collect(table_of(data, name=name), asked, shape, files=files)

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
    max_rows: int | None = MOST_ROWS,
    seed: int = 0,
    shape: Shape | None = TEXT_CLASSIFICATION,
    columns: Mapping[str, str | Sequence[str]] | None = None,
    files: Path | None = None,
) -> Samples:
    """The samples in a file or folder, on standard input (`-`), or of a data set on the Hub.

    `shape` says which roles the task's columns play (`shape_of`); with None the task is guessed
    too. `text` and `label` name columns, `columns` those of any role; else they are guessed, and
    a note says how. `group` and `slices` name further columns: every row has a value of the
    group, and may lack one of a slice. `split` is one of a data set on the Hub (there it may be
    sliced: `test[:500]`), of a folder or of a file that holds several. Of more than `max_rows`,
    that many are drawn with `seed` while the source streams by, labels in proportion. `files` is
    where images and sounds are kept that come as bytes. Raises BadInput or NotFound, one line
    with a hint.
    """
    asked = Columns.of(text, label, group, slices, columns or {})
    table = open_table(source, split=split, named=asked.named)
    return _collect(table, asked, shape, max_rows=max_rows, seed=seed, files=files)


def _collect(
    table: Table, asked: Columns, shape: Shape | None, *,
    max_rows: int | None = None, seed: int = 0, files: Path | None = None,
) -> Samples:  # fmt: skip
    table = with_nested(table, asked.named)
    head, records = peek(table.records)
    if not head:
        raise BadInput(f"{table.name} has a header and no rows. Give at least two labelled rows.")
    table = replace(table, records=records)
    rows = [values for _, values in head]
    guess = None if shape is not None else guess_task(table, rows)
    shape = shape or shape_of(guess.task if guess else TEXT_CLASSIFICATION.task)
    twin = twin_of(table, rows, shape, [role for role, _ in asked.roles])
    guess, shape = (twin, shape_of(twin.task)) if twin else (guess, shape)
    table, rows = prepared(table, rows, shape, asked)
    chosen = choose_roles(table, rows, shape, asked)
    drawn = Reservoir[Example](max_rows, seed)
    is_class = chosen.kinds["label"] is Kind.LABEL
    for example in examples(table, chosen):
        drawn.add(example, str(example.label) if is_class else "")
    return _samples(table, chosen, asked, drawn, guess=guess, seed=seed, files=files)


def _samples(
    table: Table, chosen: Chosen, asked: Columns, drawn: Reservoir[Example], *,
    guess: TaskGuess | None, seed: int, files: Path | None,
) -> Samples:  # fmt: skip
    kept = list(drawn)
    label_kind = chosen.kinds["label"]
    labels, label_notes = [str(example.label) for example in kept], tuple[str, ...]()
    if label_kind is Kind.LABEL:
        labels, label_notes = unify_labels([example.label for example in kept], table.name)
    rows = tuple(_rows(table, chosen, kept, labels, files))
    title = {role: table.columns[at[0]] for role, at in chosen.positions.items()}
    samples = Samples(
        name=table.name,
        rows=rows,
        labels=_classes(rows, label_kind, table.name),
        text_column=title[chosen.shape.inputs[0].name],
        label_column=title["label"],
        group_column=asked.group,
        slice_columns=asked.slices,
        dataset=table.dataset,
        revision=table.revision,
        task=chosen.shape.task,
        truth=label_kind,
        columns=_columns(table, chosen),
        split=table.split,
        corpus=table.corpus,
    )
    notes = (
        *table.notes, *_task_notes(guess), *_column_notes(table, chosen), *label_notes,
        *_draw_notes(drawn, rows, seed), *_doubts(samples),
    )  # fmt: skip
    return replace(samples, notes=notes)


def _columns(table: Table, chosen: Chosen) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple(
        (role, tuple(table.columns[at] for at in where)) for role, where in chosen.positions.items()
    )


def _rows(
    table: Table, chosen: Chosen, kept: Sequence[Example], labels: Sequence[str],
    files: Path | None,
) -> Iterator[Row]:  # fmt: skip
    """The rows, with the hash of its file in each one's content where it has one."""
    media = next((kind for kind in chosen.kinds.values() if kind in MEDIA), None)
    hashes = None if media is None else Hashes(media, files)
    for example, label in zip(kept, labels, strict=True):
        if hashes is None or example.file is None:
            yield Row(example.text, label, example.group, example.slices)
            continue
        found, path = hashes.of(example.file, f"{table.name}, {table.place} {example.at:,}")
        content = canonical_json({example.text: found})
        yield Row(content, label, example.group, example.slices, str(path))


def _classes(rows: Sequence[Row], kind: Kind, name: str) -> tuple[str, ...]:
    """The labels that truths are made of; none where a truth is a text or a number."""
    if kind not in CLASSES_IN:
        return ()
    distinct = {label for row in rows for label in CLASSES_IN[kind](row.label)}
    if kind is Kind.LABEL and len(distinct) < 2:
        raise BadInput(
            f"{name}: all {len(rows):,} rows have the label {in_words(distinct)}. "
            "Two classes at least are needed to tell a good model from a bad one."
        )
    if not distinct - {OUTSIDE}:
        raise BadInput(f"{name}: no row of {len(rows):,} has a label. Is this the label column?")
    if all(_is_integer(label) for label in distinct):
        return tuple(sorted(distinct, key=int))
    return tuple(sorted(distinct))


def _is_integer(label: str) -> bool:
    return label.removeprefix("-").isdecimal() and len(label) <= MOST_DIGITS


CLASSES_IN: Mapping[Kind, Callable[[str], Iterable[str]]] = {
    Kind.LABEL: lambda truth: (truth,),
    Kind.LABELS: json.loads,
    Kind.FLAGS: json.loads,
    Kind.TAGS: json.loads,
    Kind.BOXES: lambda truth: (box["label"] for box in json.loads(truth)),
}
"""The labels in a truth, for the kinds that are made of labels."""


def _task_notes(guess: TaskGuess | None) -> tuple[str, ...]:
    return () if guess is None else (f"task: {guess.task}, {guess.why}",)


def _column_notes(table: Table, chosen: Chosen) -> tuple[str, ...]:
    if table.task == chosen.shape.task:  # a format that is made for the task: nothing was guessed
        return ()
    guessed = [
        f"{role} = {in_words(table.columns[at] for at in chosen.positions[role])}"
        for role in chosen.guessed
    ]
    if not guessed:
        return ()
    return (f"columns: {', '.join(guessed)}, {chosen.how} among {in_words(table.columns)}",)


def _draw_notes(drawn: Reservoir[Example], rows: Sequence[Row], seed: int) -> tuple[str, ...]:
    if drawn.n_seen == len(rows):
        return ()
    note = f"rows: {len(rows):,} of {drawn.n_seen:,}, drawn at random with seed {seed}"
    if not drawn.is_stratified:
        return (note,)
    rare = sorted(name for name, share in shares(drawn.counts, len(rows)).items() if not share)
    none = f"; too rare for one row: {in_words(rare, at_most=5)}" if rare else ""
    return (note, f"drawn: the labels in the proportions of all {drawn.n_seen:,} rows{none}")


def _doubts(samples: Samples) -> tuple[str, ...]:
    rows = samples.rows
    n_texts = len({row.text for row in rows})
    notes: tuple[str, ...] = ()
    if n_texts < len(rows):
        nouns = shape_of(samples.task).nouns
        notes += (f"repeated {nouns}: {len(rows):,} rows, {n_texts:,} distinct {nouns}",)
    if hidden := [label for label in samples.labels if _holds_hidden(label)]:
        which = "this label holds" if len(hidden) == 1 else f"{len(hidden):,} labels hold"
        notes += (f"labels: {which} control characters that are not seen: {in_words(hidden)}",)
    if samples.truth is not Kind.LABEL:
        return notes
    n_labels = len({row.label for row in rows})
    if 2 * n_labels > len(rows):
        notes += (
            f"labels: {n_labels:,} distinct in {len(rows):,} rows; is this the label column?",
        )
    ceiling = noise_ceiling(rows)
    if ceiling.note:
        notes += (f"contradictions: {ceiling.note}",)
    return notes


JOINERS = "\u200c\u200d"
"""Signs without a form of their own that emoji and some scripts need."""


def _holds_hidden(label: str) -> bool:
    """Whether a label has control or format characters (Unicode's categories Cc and Cf)."""
    return any(category(sign) in ("Cc", "Cf") for sign in label if sign not in JOINERS)


def digest_of(*parts: str) -> str:
    """A digest that tells ("a", "bc") from ("ab", "c")."""
    sizes_and_parts = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(sizes_and_parts.encode()).hexdigest()
