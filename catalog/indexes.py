"""Keeps facets and words of catalog.db in step with the models that are listed."""

import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from catalog import facets, words
from catalog.model import Model
from catalog.rows import from_row, score_of

READ_AT_ONCE = 1000

Numbers = dict[facets.Facet, list[int]]


@dataclass(frozen=True, slots=True)
class Indexed:
    """A model as it is found, with the score that it is sorted by."""

    model: Model
    score: float

    @classmethod
    def of(cls, row: sqlite3.Row) -> "Indexed":
        """What a row was indexed as."""
        return cls(from_row(row), row["score"])


def reindex(
    connection: sqlite3.Connection, before: Mapping[int, Indexed], after: Mapping[int, Indexed]
) -> None:
    """Takes models by number out of the indexes as they were, and puts them in as they are."""
    old = {number: words.entry_of(number, each.model) for number, each in before.items()}
    new = {number: words.entry_of(number, each.model) for number, each in after.items()}
    words.change(
        connection,
        added=[entry for number, entry in new.items() if old.get(number) != entry],
        removed=[entry for number, entry in old.items() if new.get(number) != entry],
    )
    frequent = words.frequent(connection)
    removed, added = _by_facet(before, old, frequent), _by_facet(after, new, frequent)
    if before:
        _cancel(removed, added)
    facets.change(connection, added=added, removed=removed)
    facets.add_bases(connection, {number: each.model for number, each in after.items()})


def index_all(connection: sqlite3.Connection) -> None:
    """Indexes a catalog whose indexes are empty, and works out the scores."""
    last = -1
    while rows := connection.execute(
        "SELECT * FROM models WHERE number > ? ORDER BY number LIMIT ?", (last, READ_AT_ONCE)
    ).fetchall():
        last = rows[-1]["number"]
        models = {row["number"]: from_row(row) for row in rows}
        scores = {number: score_of(model) for number, model in models.items()}
        connection.executemany(
            "UPDATE models SET score = ? WHERE number = ?",
            [(score, number) for number, score in scores.items()],
        )
        live = [row["number"] for row in rows if row["listed"] and row["gone_at"] is None]
        reindex(connection, {}, {n: Indexed(models[n], scores[n]) for n in live})
    words.note_frequent(connection)


def _by_facet(
    models: Mapping[int, Indexed], entries: Mapping[int, words.Entry], frequent: frozenset[str]
) -> Numbers:
    found: Numbers = defaultdict(list)
    for number, each in models.items():
        for facet in facets.facets_of(each.model, each.score):
            found[facet].append(number)
        for facet in words.facets_of(entries[number], frequent):
            found[facet].append(number)
    return found


def _cancel(removed: Numbers, added: Numbers) -> None:
    """Leaves out what would be taken out and put in again."""
    for facet in removed.keys() & added.keys():
        old, new = set(removed[facet]), set(added[facet])
        removed[facet], added[facet] = [*(old - new)], [*(new - old)]
