"""The words by which models are found: an FTS5 index, and sets of models for frequent words.

FTS5 gives the models of a rare word at once, but those of a word that every other model has take
as long as there are models. So frequent words are facets besides: their sets are as fast as any.
Which words are frequent is told by a sample, each time the catalog has doubled.
"""

import json
import random
import re
import sqlite3
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from catalog import facets
from catalog.labels import output_names
from catalog.model import Model
from catalog.rows import from_row

WORD = re.compile(r"[^\W_]+")
SEARCHED_WORDS = 20
"""More words of a query are not looked for."""

FIRST_SAMPLE_AT = 8_192
SAMPLED = 2_000
FREQUENT = 0.005
"""Words that this share of the sampled models have are made facets."""

IN_NAME, ANYWHERE = "name", "word"
"""Facets of frequent words: in the id, or in any text."""

Entry = tuple[int, str, str]
"""A model's number, the words of its id, and the others, with blanks between."""


def words_in(text: str) -> list[str]:
    """The words of a text without case and accents: runs of letters and digits."""
    if not text.isascii():
        parts = unicodedata.normalize("NFKD", text)
        text = "".join(sign for sign in parts if not unicodedata.combining(sign))
    return WORD.findall(text.casefold())


def entry_of(number: int, model: Model) -> Entry:
    """What the index holds of a model."""
    names = output_names(model.labels, model.label2id) if model.labels else ()
    other = words_in(" ".join([*model.tags, *names, model.summary or ""]))
    return number, " ".join(words_in(model.id)), " ".join(dict.fromkeys(other))


def change(
    connection: sqlite3.Connection, *, added: Iterable[Entry], removed: Iterable[Entry]
) -> None:
    """Puts entries into the index, and takes others out exactly as they were put in."""
    connection.executemany(
        "INSERT INTO words (words, rowid, name, other) VALUES ('delete', ?, ?, ?)", removed
    )
    connection.executemany("INSERT INTO words (rowid, name, other) VALUES (?, ?, ?)", added)


def frequent(connection: sqlite3.Connection) -> frozenset[str]:
    """The words that are facets."""
    return frozenset(row["word"] for row in connection.execute("SELECT word FROM frequent_words"))


def facets_of(entry: Entry, known: frozenset[str]) -> list[facets.Facet]:
    """The frequent ones of an entry's words."""
    _, name, other = entry
    in_name = known.intersection(name.split())
    found = [(IN_NAME, word) for word in in_name]
    return found + [(ANYWHERE, word) for word in in_name.union(known.intersection(other.split()))]


def with_words(
    connection: sqlite3.Connection, words: Sequence[str], *, in_name: bool = False
) -> int:
    """The models with all of these words, in the id or anywhere."""
    known = frequent(connection)
    kind, column = (IN_NAME, "name : ") if in_name else (ANYWHERE, "")
    found = -1
    for word in known.intersection(words):
        found &= facets.members(connection, kind, word)
    rare = [f'{column}"{word}"' for word in words if word not in known]
    return found & facets.as_bits(_numbers(connection, " AND ".join(rare))) if rare else found


def beginning_with(connection: sqlite3.Connection, start: str) -> int:
    """The models with a word in the id that begins so."""
    return facets.as_bits(_numbers(connection, f'name : "{start}" *'))


def note_frequent(connection: sqlite3.Connection) -> None:
    """Makes facets of words that have become frequent, where the catalog has doubled since."""
    n_models = connection.execute("SELECT SUM(n) FROM facets WHERE kind = 'all'").fetchone()[0]
    last = connection.execute("SELECT MAX(n_models) FROM frequent_words").fetchone()[0]
    if (n_models or 0) < max(FIRST_SAMPLE_AT, 2 * (last or 0)):
        return
    for word in _frequent_now(connection) - frequent(connection):
        added = {
            (ANYWHERE, word): _numbers(connection, f'"{word}"'),
            (IN_NAME, word): _numbers(connection, f'name : "{word}"'),
        }
        facets.change(connection, added=added, removed={})
        connection.execute("INSERT INTO frequent_words VALUES (?, ?)", (word, n_models))
    connection.execute("INSERT OR REPLACE INTO frequent_words VALUES ('', ?)", (n_models,))


def _frequent_now(connection: sqlite3.Connection) -> set[str]:
    """The words that are frequent among models taken at random."""
    last = connection.execute("SELECT MAX(number) FROM models").fetchone()[0]
    draw = random.Random(last)  # noqa: S311  # a sample, no secret
    numbers = draw.sample(range(last + 1), min(SAMPLED, last + 1))
    rows = connection.execute(
        "SELECT * FROM models WHERE listed AND number IN (SELECT value FROM json_each(?))",
        (json.dumps(numbers),),
    ).fetchall()
    entries = (entry_of(row["number"], from_row(row)) for row in rows)
    found = Counter(word for _, *texts in entries for word in set(" ".join(texts).split()))
    return {word for word, n in found.items() if n >= FREQUENT * len(rows)}


def _numbers(connection: sqlite3.Connection, query: str) -> list[int]:
    cursor = connection.cursor()
    cursor.row_factory = None
    cursor.execute("SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid", (query,))
    return [number for (number,) in cursor]
