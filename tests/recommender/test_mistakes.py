"""Which rows are shown as answered wrongly, task by task."""

from types import SimpleNamespace
from typing import Any

import pytest

from evaluators.reading.shapes import Kind
from evaluators.samples import Row
from recommender.details.mistakes import MOST_CHARACTERS, _cut, _wrong
from recommender.facts import Facts
from recommender.query import Query


def bench(query: Query, truth: Kind) -> Any:
    """As much of a bench as is read."""
    facts = Facts((), (), (), (), task=query.task.name)
    return SimpleNamespace(query=query, facts=facts, samples=SimpleNamespace(truth=truth))


@pytest.mark.parametrize(
    ("task", "asked", "truth", "pairs", "wrong"),
    [
        ("text-classification", "accuracy >= 0.5", Kind.LABEL,
         [("a", "a"), ("a", "b"), ("b", None)], [1, 2]),
        ("token-classification", "f1 >= 0.5", Kind.TAGS,
         [('["B-X"]', '["B-X"]'), ('["O"]', '["B-X"]'), ('["O"]', None)], [1, 2]),
        ("question-answering", "f1 >= 0.5", Kind.ANSWERS,
         [('["the red car"]', '"red"'), ('["red"]', '"red"'), ('["red"]', '"blue"')], [2, 0]),
        ("sentence-similarity", "spearman >= 0.5", Kind.NUMBER, [("1", "3"), ("2", "2")], []),
    ],
    ids=["labels", "tags", "worst first", "no row is wrong by itself"],
)  # fmt: skip
def test_what_counts_as_wrong(
    task: str, asked: str, truth: Kind, pairs: list[tuple[str, str | None]], wrong: list[int]
) -> None:
    """Labels and tags that differ; texts whose own value is below the best one."""
    query = Query.parse(asked, task=task)
    seen = [(Row(f"row {at}", label), answer) for at, (label, answer) in enumerate(pairs)]
    assert _wrong(bench(query, truth), seen) == wrong


def test_long_texts_are_cut() -> None:
    """A document is no example of its own length."""
    assert _cut("x" * MOST_CHARACTERS) == "x" * MOST_CHARACTERS
    assert len(_cut("x" * 10_000)) == MOST_CHARACTERS + 3
