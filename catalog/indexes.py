"""Keeps facets and words of catalog.db in step with the models that are listed."""

import sqlite3
from collections import defaultdict
from collections.abc import Mapping

from catalog import facets, words
from catalog.model import Model
from catalog.rows import from_row, score_of

READ_AT_ONCE = 1000

Numbers = dict[facets.Facet, list[int]]


def reindex(
    connection: sqlite3.Connection, before: Mapping[int, Model], after: Mapping[int, Model]
) -> None:
    """Takes models by number out of the indexes as they were, and puts them in as they are."""
    removed, added = _by_facet(before), _by_facet(after)
    if before:
        _cancel(removed, added)
    facets.change(connection, added=added, removed=removed)
    facets.add_bases(connection, after)
    old = {number: words.entry_of(number, model) for number, model in before.items()}
    new = {number: words.entry_of(number, model) for number, model in after.items()}
    words.change(
        connection,
        added=[entry for number, entry in new.items() if old.get(number) != entry],
        removed=[entry for number, entry in old.items() if new.get(number) != entry],
    )


def _by_facet(models: Mapping[int, Model]) -> Numbers:
    found: Numbers = defaultdict(list)
    for number, model in models.items():
        for facet in facets.facets_of(model):
            found[facet].append(number)
    return found


def _cancel(removed: Numbers, added: Numbers) -> None:
    """Leaves out what would be taken out and put in again."""
    for facet in removed.keys() & added.keys():
        old, new = set(removed[facet]), set(added[facet])
        removed[facet], added[facet] = [*(old - new)], [*(new - old)]


def index_all(connection: sqlite3.Connection) -> None:
    """Indexes a catalog whose indexes are empty, and works out the scores."""
    last = -1
    while rows := connection.execute(
        "SELECT * FROM models WHERE number > ? ORDER BY number LIMIT ?", (last, READ_AT_ONCE)
    ).fetchall():
        last = rows[-1]["number"]
        models = {row["number"]: from_row(row) for row in rows}
        connection.executemany(
            "UPDATE models SET score = ? WHERE number = ?",
            [(score_of(model), number) for number, model in models.items()],
        )
        live = {row["number"] for row in rows if row["listed"] and row["gone_at"] is None}
        reindex(connection, {}, {n: model for n, model in models.items() if n in live})
