"""Queries with their documents, from tables that spread them over columns or rows."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from cache.errors import BadInput
from evaluators.reading.cells import Fault, listed, number_of, text_of
from evaluators.reading.columns import Columns
from evaluators.reading.languages import language_columns
from evaluators.reading.nested import inner_names, with_nested
from evaluators.reading.roles import named_columns
from evaluators.reading.shapes import Kind, Role, Shape
from evaluators.reading.table import Record, Table, peek
from evaluators.reading.values import is_missing

GATHERED = ("feature-extraction", "text-ranking")
DOCUMENT_ID_DIGITS = 16

QUERY = Role("query", Kind.TEXT, (("query", "question", "anchor"),))
POSITIVE = Role("positive", Kind.TEXTS, (("positive", "positives", "pos", "positive_passages"),))
NEGATIVE = Role("negative", Kind.TEXTS, (("negative", "negatives", "neg", "negative_passages"),))
DOCUMENT = Role("document", Kind.TEXT, (("document", "passage", "doc", "candidate"),))
RELEVANCE = Role("relevance", Kind.NUMBER, (("relevance", "score", "label", "rating"),))

Judged = tuple[str, float]
"""A document's text and its relevance."""


def prepared(
    table: Table, rows: Sequence[Sequence[object]], shape: Shape, asked: Columns
) -> tuple[Table, list[tuple[object, ...]]]:
    """The table as the task's roles need it, and its first rows.

    Documents are gathered by query; languages that lie in one column become columns.
    """
    if shape.task == "translation" and not language_columns(table.columns):
        inner = inner_names(table.columns, rows)
        table = with_nested(table, [inner[at] for at in language_columns(inner)])
    table = gathered(table, rows, shape, asked)
    head, records = peek(table.records)
    return replace(table, records=records), [values for _, values in head]


def gathered(table: Table, rows: Sequence[Sequence[object]], shape: Shape, asked: Columns) -> Table:
    """One record a query for the tasks that need it; other tables come back as they are.

    Understood are a query with a positive text or list (and negatives), and a row for each
    document with its relevance. Columns that the user named are left as they are.
    """
    if shape.task not in GATHERED or table.corpus or asked.roles:
        return table
    where = {
        role.name: found[0]
        for role in (QUERY, POSITIVE, NEGATIVE, DOCUMENT, RELEVANCE)
        if (found := named_columns(role, role.names[0], table.columns, _checkable(rows)))
    }
    if {"query", "positive"} <= set(where):
        queries = _of_lists(table, where)
    elif {"query", "document", "relevance"} <= set(where):
        queries = _of_rows(table, where)
    else:
        return table
    return (_ranking if shape.task == "text-ranking" else _retrieval)(table, queries)


def _checkable(rows: Sequence[Sequence[object]]) -> list[list[object]]:
    return [[_texts_in(cell) if listed(cell) else cell for cell in row] for row in rows]


def _texts_in(value: object) -> list[object]:
    """The texts of a list; passages as objects have theirs under `text`."""
    items = [value] if isinstance(value, str) and listed(value) is None else listed(value) or []
    return [item.get("text") if isinstance(item, Mapping) else item for item in items]


def _of_lists(table: Table, where: Mapping[str, int]) -> Iterator[tuple[int, str, list[Judged]]]:
    for at, values in table.records:
        judged: list[Judged] = []
        for role, relevance in (("positive", 1.0), ("negative", 0.0)):
            cell = values[where[role]] if role in where else []
            judged += [(_checked(table, at, text), relevance) for text in _texts_in(cell)]
        yield at, _checked(table, at, values[where["query"]]), judged


def _of_rows(table: Table, where: Mapping[str, int]) -> Iterator[tuple[int, str, list[Judged]]]:
    """All rows are read first: those of a query need not be adjacent."""
    found: dict[str, tuple[int, list[Judged]]] = {}
    for at, values in table.records:
        query = _checked(table, at, values[where["query"]])
        document = _checked(table, at, values[where["document"]])
        try:
            relevance = number_of(values[where["relevance"]])
        except Fault as fault:
            raise BadInput(f"{table.name}, {table.place} {at:,}: {fault}") from fault
        found.setdefault(query, (at, []))[1].append((document, relevance))
    for query, (at, judged) in found.items():
        yield at, query, judged


def _checked(table: Table, at: int, value: object) -> str:
    if is_missing(value):
        raise BadInput(f"{table.name}, {table.place} {at:,}: a query or document without a text")
    try:
        return text_of(value)
    except Fault as fault:
        raise BadInput(f"{table.name}, {table.place} {at:,}: {fault}") from fault


def _ranking(table: Table, queries: Iterator[tuple[int, str, list[Judged]]]) -> Table:
    records: Iterator[Record] = (
        (at, (query, [text for text, _ in judged], [relevance for _, relevance in judged]))
        for at, query, judged in queries
    )
    return replace(table, columns=("query", "documents", "relevances"), records=records)


def _retrieval(table: Table, queries: Iterator[tuple[int, str, list[Judged]]]) -> Table:
    """Documents get ids by the hash of their text; those of all queries are the corpus."""
    corpus: dict[str, str] = {}
    records: list[Record] = []
    for at, query, judged in queries:
        ids = [hashlib.sha256(text.encode()).hexdigest()[:DOCUMENT_ID_DIGITS] for text, _ in judged]
        corpus.update(zip(ids, (text for text, _ in judged), strict=True))
        relevant = {key: score for key, (_, score) in zip(ids, judged, strict=True) if score > 0}
        records.append((at, (query, relevant)))
    return replace(table, columns=("query", "relevances"), records=records, corpus=corpus)
