"""A retrieval's folder as BEIR lays it out: corpus.jsonl, queries.jsonl and qrels/test.tsv."""

from collections.abc import Iterator
from pathlib import Path

from cache.errors import BadInput
from evaluators.reading.cells import Fault, number_of
from evaluators.reading.delimited import read_delimited
from evaluators.reading.json_records import read_json
from evaluators.reading.splits import chosen_splits
from evaluators.reading.table import Record, Table


def read_retrieval(folder: Path, *, split: str | None) -> Table:
    """The queries that have judged documents, each with their relevance, and the corpus.

    Thakur et al., BEIR, NeurIPS Datasets 2021; a document is its title and text.
    """
    judged = sorted((folder / "qrels").glob("*.tsv"))
    if not judged:
        raise BadInput(f"{folder / 'qrels'} has no .tsv file with judged documents.")
    splits = chosen_splits([path.stem for path in judged], split, str(folder))
    corpus = dict(_texts(folder / "corpus.jsonl"))
    queries = dict(_texts(folder / "queries.jsonl"))
    path = folder / "qrels" / f"{splits.evidence}.tsv"
    relevant = _judged(path, queries, corpus)
    records: Iterator[Record] = (
        (at, (queries[key], found)) for at, (key, found) in enumerate(relevant.items(), start=1)
    )
    return Table(
        folder.name, ("query", "relevances"), records, place="query", notes=(splits.note,),
        task="feature-extraction", split=splits.evidence, corpus=corpus,
    )  # fmt: skip


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    table = read_json(path)
    where = {name: at for at, name in enumerate(table.columns)}
    if not {"_id", "text"} <= set(where):
        raise BadInput(f'{path}: no "_id" and "text"; write one object a line with both.')
    for _, values in table.records:
        title = values[where["title"]] if "title" in where else ""
        parts = (str(part) for part in (title, values[where["text"]]) if part)
        yield str(values[where["_id"]]), " ".join(parts)


def _judged(
    path: Path, queries: dict[str, str], corpus: dict[str, str]
) -> dict[str, dict[str, float]]:
    """The documents above 0 of each query; BadInput where one is in no file."""
    found: dict[str, dict[str, float]] = {}
    for line, values in read_delimited(path, delimiter="\t", named=("query-id",)).records:
        if len(values) != 3:
            raise BadInput(f"{path}, line {line:,}: write query-id, corpus-id and score.")
        query, document = str(values[0]), str(values[1])
        if query not in queries or document not in corpus:
            what = f"query {query!r}" if query not in queries else f"document {document!r}"
            raise BadInput(f"{path}, line {line:,}: {what} is in no file of the folder.")
        try:
            score = number_of(values[2])
        except Fault as fault:
            raise BadInput(f"{path}, line {line:,}, column 3: {fault}") from fault
        if score > 0:
            found.setdefault(query, {})[document] = score
    return found
