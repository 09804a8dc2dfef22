"""A source's records as a stream, before anybody knows which column is the text."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

Record = tuple[int, tuple[object, ...]]
"""Where a record stands (a line, a row or an index), and its values in the columns' order."""

SHOWN_CHARACTERS = 80

HEAD_ROWS = 1_000
"""Guesses about columns and headers look at this many records, so that a stream stays one."""


@dataclass(frozen=True, slots=True)
class Table:
    """Column names and records of one source; `records` can be walked once.

    `place` is what a record's number counts. `class_names` are the names behind integer labels,
    where the source knows them. `dataset` is the id of a data set on the Hub, `revision` its
    commit. `task` is what the format itself is made for (SQuAD, CoNLL, a folder of images),
    `split` the one that was read. Files in cells are named relative to `folder`. `corpus` are a
    retrieval's documents by id.
    """

    name: str
    columns: tuple[str, ...]
    records: Iterable[Record]
    place: str = "line"
    notes: tuple[str, ...] = ()
    class_names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    dataset: str | None = None
    revision: str | None = None
    task: str | None = None
    split: str | None = None
    folder: Path | None = None
    corpus: Mapping[str, str] = field(default_factory=dict)


def peek(records: Iterable[Record]) -> tuple[list[Record], Iterator[Record]]:
    """The first records, and all of them again."""
    stream = iter(records)
    head = list(islice(stream, HEAD_ROWS))
    return head, chain(head, stream)


def in_words(names: Iterable[str], *, at_most: int = 12) -> str:
    """`'a', 'b' and 3 more`: a list for a message; control characters are shown escaped.

    Of names that are whole texts, the beginning is shown.
    """
    every = list(names)
    shown = ", ".join(_in_short(name) for name in every[:at_most])
    more = len(every) - at_most
    return f"{shown} and {more:,} more" if more > 0 else shown or "none"


def _in_short(name: str) -> str:
    return repr(name) if len(name) <= SHOWN_CHARACTERS else f"{name[:SHOWN_CHARACTERS]!r}..."


def first_line(error: Exception) -> str:
    """The first line of another library's message, for our one-line errors."""
    return re.split(r"[\r\n]", str(error).strip(), maxsplit=1)[0] or type(error).__name__
