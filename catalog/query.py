"""The models of a selection: sets of numbers first, rows only where they must be read.

Facets and words give the set of all models that may fit. Where a set is rounded outwards, as those
of dates are to months, the rows at its edge are checked when it comes to them.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain

from catalog import codes, facets, words
from catalog.known_sets import known
from catalog.labels import label_set, normalised, output_names
from catalog.order import ORDERS, Bounds, Choice, Part, parts, passing, read, rows
from catalog.select import Selection

SIMILAR = 2_000
"""Among so many ids a misspelt one is looked for."""
AT_EDGE = 5_000
"""If more models changed in the month of a date, and most that may fit did, they are sorted out
before anything else."""
LEAST_BEGINNING = 3  # letters; too many words begin with fewer
LARGEST = 2**63 - 1  # of SQLite's integers


def select(connection: sqlite3.Connection, selection: Selection) -> list[int]:
    """The numbers of the models, in order, `limit` and `offset` taken into account."""
    found, n_skipped = list[int](), 0
    if selection.limit == 0:
        return found
    for n, numbers in _parts(connection, selection):
        if n is not None and n_skipped + n <= selection.offset:
            n_skipped += n  # none of them is looked up
            continue
        for number in numbers:
            if n_skipped < selection.offset:
                n_skipped += 1
                continue
            found.append(number)
            if len(found) == selection.limit:
                return found
    return found


def count(connection: sqlite3.Connection, selection: Selection) -> int:
    """How many models fit, whatever `limit` and `offset` are."""
    choice = _choose(connection, selection)
    at_edge = facets.numbers_in(choice.bits & choice.unsure)
    n_passing = sum(1 for _ in passing(connection, at_edge, choice))
    return (choice.bits & ~choice.unsure).bit_count() + n_passing


def unordered(connection: sqlite3.Connection, selection: Selection) -> Iterator[int]:
    """The numbers of all models that fit, ascending."""
    choice = _choose(connection, selection)
    return passing(connection, facets.numbers_in(choice.bits), choice)


def similar_ids(connection: sqlite3.Connection, id: str, sources: Sequence[str]) -> list[str]:
    """Ids that may have been meant: all of a small catalog, else some that share a word."""
    bits = facets.members(connection, *facets.ALL)
    if sources:
        bits &= facets.members(connection, "source", *sources)
    if bits.bit_count() > SIMILAR:
        shared = 0
        for word in words.words_in(id):
            if len(word) >= LEAST_BEGINNING:
                shared |= words.beginning_with(connection, word)
        bits &= shared
    found = parts(connection, Choice(bits), ORDERS["downloads"], SIMILAR)
    numbers = [number for _, part in found for number in part]
    return [row["id"] for row in rows(connection, numbers[:SIMILAR])]


def _parts(connection: sqlite3.Connection, selection: Selection) -> Iterator[Part]:
    """The models in order; by relevance, those with all words in the id before the others."""
    n_wanted = None if selection.limit is None else selection.offset + selection.limit
    choice = _choose(connection, selection)
    if selection.sort != "relevance":
        yield from parts(connection, choice, ORDERS[selection.sort], n_wanted)
        return
    in_name = words.with_words(connection, selection.words, in_name=True)
    for bits in (choice.bits & in_name, choice.bits & ~in_name):
        yield from parts(connection, replace(choice, bits=bits), ORDERS["downloads"], n_wanted)


def _choose(connection: sqlite3.Connection, selection: Selection) -> Choice:
    """All models that may fit, and what those at the edge of a set must pass."""
    bits = facets.members(connection, *facets.ALL)
    for members in _sets(connection, selection):
        bits &= members
        if not bits:
            return Choice(0)
    choice = Choice(bits, owners=selection.authors)
    for column, kind, low, high in (
        ("n_parameters", "parameters", selection.min_parameters, selection.max_parameters),
        ("weight_bytes", "bytes", None, selection.max_bytes),
    ):
        if low is not None or high is not None:
            bounds = Bounds(column, low or 0, LARGEST if high is None else high)
            choice = _bounded(connection, choice, kind, bounds)
    return _checked(connection, choice, selection)


def _bounded(connection: sqlite3.Connection, choice: Choice, kind: str, bounds: Bounds) -> Choice:
    """The models of a choice between two numbers; those in the same step as one are unsure."""
    low, high = int(bounds.low), int(bounds.high)
    steps = (facets.step(low), facets.step(high))
    fits = choice.bits & facets.within(connection, kind, low, high)
    at_edge = fits & facets.members(connection, f"{kind} step", *steps)
    return replace(
        choice, bits=fits, unsure=choice.unsure | at_edge, bounds=(*choice.bounds, bounds)
    )


def _checked(connection: sqlite3.Connection, choice: Choice, selection: Selection) -> Choice:
    """The choice with the models that changed after a time, and with labels."""
    time, labels = selection.changed_after, set(selection.labels)
    if time is not None:
        same_month = choice.bits & facets.members(connection, "changed", facets.month(time))
        n_unsure = same_month.bit_count()
        if n_unsure > AT_EDGE and 2 * n_unsure > choice.bits.bit_count():
            too_early = known(connection, ("before", time), partial(_before, connection, time))
            choice = replace(choice, bits=choice.bits & ~too_early)
            same_month &= ~too_early
        bounds = Bounds("last_modified", time, facets.LAST_TEXT)
        choice = replace(choice, unsure=choice.unsure | same_month, bounds=(*choice.bounds, bounds))
    if labels and selection.label_match == "exact":
        check = partial(_has_exactly, labels)
        choice = replace(choice, unsure=choice.bits, checks=(check,))
    return choice


def _before(connection: sqlite3.Connection, time: str) -> int:
    """The models that changed in the month of a time, but earlier, as far as codes tell."""
    changed = codes.read(connection, "last_modified")
    first = codes.COLUMNS["last_modified"].code(time)
    in_month = facets.numbers_in(facets.members(connection, "changed", facets.month(time)))
    return facets.as_bits([number for number in in_month if changed[number] < first])


def _has_exactly(labels: set[str], row: sqlite3.Row) -> bool:
    return set(_label_names(row)) == labels


def _label_names(row: sqlite3.Row) -> tuple[str, ...]:
    details = json.loads(row["details"] or "{}")
    return output_names(json.loads(row["labels"] or "[]"), details.get("label2id", {}))


def _sets(connection: sqlite3.Connection, selection: Selection) -> Iterator[int]:
    """The sets that a model must be in, those first that are probably small."""
    yield from _named(connection, selection)
    if selection.words:
        yield words.with_words(connection, selection.words)
    for kind, values in (
        ("task", [] if selection.task is None else [selection.task]),
        ("source", selection.sources),
        ("language", selection.languages),
        ("license", [id.lower() for id in selection.licenses]),
        ("library", selection.libraries),
        ("format", selection.formats),
    ):
        if values:
            yield facets.members(connection, kind, *values)
    if selection.gated is not None:
        gated = facets.members(connection, *facets.GATED)
        yield gated if selection.gated else ~gated
    if selection.changed_after is not None:
        month = facets.month(selection.changed_after)
        yield facets.since(connection, "changed", month)


def _named(connection: sqlite3.Connection, selection: Selection) -> Iterator[int]:
    """The models of authors, with labels, and those made from models and data sets."""
    if selection.authors:
        yield _authored(connection, selection.authors)
    if selection.labels and selection.label_match == "superset":
        for label in selection.labels:
            yield facets.members(connection, "label", normalised(label))
    elif selection.labels:
        yield facets.members(connection, "labels", label_set(selection.labels))
    if selection.derived_from is not None:
        yield _descendants(connection, selection.derived_from)
    if selection.trained_on is not None:
        yield facets.members(connection, "dataset", selection.trained_on)
    if selection.published_on is not None:
        yield facets.members(connection, "benchmark", selection.published_on)


def _authored(connection: sqlite3.Connection, authors: Sequence[str]) -> int:
    cursor = connection.cursor()
    cursor.row_factory = None
    query = "SELECT number FROM models WHERE listed AND id >= ? AND id < ?"

    def read(author: str) -> int:
        return facets.as_bits(chain.from_iterable(cursor.execute(query, facets.ids_of(author))))

    found = 0
    for author in authors:
        found |= known(connection, ("author", author), partial(read, author))
    return found


def _descendants(connection: sqlite3.Connection, id: str) -> int:
    """The models made from this one, at any remove; the many of a well-known one are remembered."""
    return known(connection, ("descendants", id), lambda: _lineage(connection, id))


def _lineage(connection: sqlite3.Connection, id: str) -> int:
    """The models made from this one, at any remove; models made from each other end the walk."""
    bases = facets.members(connection, *facets.BASE)
    found, itself, ids = 0, 0, [id]
    while ids:
        new = facets.union(connection, "base_model", ids) & ~found
        found |= new
        numbers = list(facets.numbers_in(new & bases))
        made_from = [tuple(row) for row in read(connection, numbers, "number, id")]
        itself |= facets.as_bits(number for number, name in made_from if name == id)
        ids = [name for _, name in made_from]
    return found & ~itself
