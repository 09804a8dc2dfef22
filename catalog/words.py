"""The words by which models are found: an FTS5 index, the most downloaded models first.

The index knows a model by a place: first the size of its downloads, then its number. So the
matches of a query come by downloads, and the first fifty of a million cost no more than of a
hundred. The place changes when the size does.
"""

import re
import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from catalog.labels import output_names
from catalog.model import Model

WORD = re.compile(r"[^\W_]+")
SEARCHED_WORDS = 20
"""More words of a query are not looked for."""

LARGEST_SIZE = 255
NUMBER_BITS = 40

Entry = tuple[int, str, str]
"""A model's place, the words of its id, and other words."""


def words_in(text: str) -> list[str]:
    """The words of a text without case and accents: runs of letters and digits."""
    if not text.isascii():
        parts = unicodedata.normalize("NFKD", text)
        text = "".join(sign for sign in parts if not unicodedata.combining(sign))
    return WORD.findall(text.casefold())


def entry_of(number: int, model: Model) -> Entry:
    """What the index holds of a model."""
    names = output_names(model.labels, model.label2id)
    other = dict.fromkeys(other_words(model.tags, names, model.summary))
    return place(number, model.downloads), " ".join(words_in(model.id)), " ".join(other)


def other_words(tags: Iterable[str], labels: Iterable[str], summary: str | None) -> list[str]:
    """The words by which a model is found besides those of its id."""
    return words_in(" ".join([*tags, *labels, summary or ""]))


def place(number: int, downloads: int | None) -> int:
    """Lower for larger downloads; in the order of numbers for downloads of the same size."""
    return (LARGEST_SIZE - size_of(downloads)) << NUMBER_BITS | number


def size_of(downloads: int | None) -> int:
    """From 0 (unknown) to 254: downloads below 16, above them the quarter of their octave."""
    if downloads is None or downloads < 16:
        return 0 if downloads is None else downloads + 1
    octave = downloads.bit_length()
    return 4 * octave + (downloads >> (octave - 3) & 3)


def is_exact(size: int) -> bool:
    """Whether all models of this size have the same downloads."""
    return size <= 16


def size_and_number(place: int) -> tuple[int, int]:
    """The inverse of `place`, as far as it goes."""
    return LARGEST_SIZE - (place >> NUMBER_BITS), place & ((1 << NUMBER_BITS) - 1)


def change(
    connection: sqlite3.Connection, *, added: Iterable[Entry], removed: Iterable[Entry]
) -> None:
    """Puts entries into the index, and takes others out exactly as they were put in."""
    connection.executemany(
        "INSERT INTO words (words, rowid, name, other) VALUES ('delete', ?, ?, ?)", sorted(removed)
    )
    # Sorted, because a place below the last one makes FTS5 write what it has so far.
    connection.executemany("INSERT INTO words (rowid, name, other) VALUES (?, ?, ?)", sorted(added))


def matches(
    connection: sqlite3.Connection, words: Sequence[str], *, in_name: bool = False
) -> Iterator[int]:
    """The places of the models with all of these words, ascending."""
    column = "name : " if in_name else ""
    return _places(connection, " AND ".join(f'{column}"{word}"' for word in words))


def beginning_with(connection: sqlite3.Connection, start: str) -> Iterator[int]:
    """The places of the models with a word in the id that begins so, ascending."""
    return _places(connection, f'name : "{start}" *')


def _places(connection: sqlite3.Connection, query: str) -> Iterator[int]:
    cursor = connection.cursor()
    cursor.row_factory = None
    cursor.execute("SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid", (query,))
    return (row[0] for row in cursor)
