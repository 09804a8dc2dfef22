"""Rows that the choice answered wrongly: shown where a user asks for them, and never stored."""

from collections.abc import Mapping, Sequence
from itertools import islice
from math import inf

import numpy as np

from evaluators.quality.answers import labels_in, texts_in
from evaluators.quality.forms import BoundedMean
from evaluators.reading.shapes import Kind
from evaluators.requests import request_of
from evaluators.samples import Row
from recommender.assessment import Answered, without_scores
from recommender.bench import Bench
from recommender.details.breakdown import NO_LABEL
from recommender.details.gathering import Given, Givens, shown_in_detail
from recommender.details.parts import Example
from recommender.evidence.conditions import Condition
from recommender.measures import measure_of
from recommender.query import Query
from recommender.recommendation import Outcome, Recommendation

MOST_CHARACTERS = 2_000
"""Of a row's text, and of each answer to it."""


def examples_of(found: Recommendation, givens: Givens, n: int, query: Query) -> tuple[Example, ...]:
    """At most n rows that the choice, or the best, answered wrongly, with what others answered.

    Labels in the fixed random order of the rows; other answers the worst first. None for tasks
    where no single answer is right or wrong, such as scores that are judged by a correlation.
    """
    best = found.choice or _best(found, query)
    given = givens.of_outcome(found, best) if best and n > 0 else None
    if best is None or given is None:
        return ()
    mine = _answered(given, best)
    others = {
        outcome.name: {row.text: answer for row, answer in _answered(other, outcome)}
        for outcome in shown_in_detail(found)
        if outcome.name != best.name and (other := givens.of_outcome(found, outcome)) is not None
    }
    return tuple(
        _example(*mine[at], best.name, others) for at in islice(_wrong(given.bench, mine), n)
    )


def _answered(given: Given, outcome: Outcome) -> Sequence[Answered]:
    return without_scores(given.bench, given.answered(outcome) or ())


def _example(
    row: Row, answer: str | None, name: str, others: Mapping[str, Mapping[str, str | None]]
) -> Example:
    told = {name: answer}
    told |= {other: known[row.text] for other, known in others.items() if row.text in known}
    shown = {who: _cut(NO_LABEL if said is None else said) for who, said in told.items()}
    return Example(_cut(request_of(row)), _cut(row.label), shown)


def _best(found: Recommendation, query: Query) -> Outcome | None:
    """The candidate with the best estimate of the first quality, all rows answered or not."""
    judged = [outcome for outcome in found.candidates if outcome.n_rows]
    return max(judged, key=lambda outcome: _estimate(outcome, query), default=None)


def _estimate(outcome: Outcome, query: Query) -> float:
    """On a scale where more is better."""
    if outcome.claims:
        estimate = outcome.claims[0].estimate
        return -inf if estimate is None else estimate
    metric = next(iter(query.measured_metrics), "accuracy")
    value = outcome.quality(metric)
    return -inf if value is None else query.spec(metric).gain(value)


def _wrong(bench: Bench, seen: Sequence[Answered]) -> list[int]:
    """The places of the rows that were answered wrongly, in the order in which they are shown."""
    if bench.query.labelled:
        return [at for at, (row, answer) in enumerate(seen) if answer != row.label]
    if bench.query.several:
        return [at for at, (row, told) in enumerate(seen) if _labels(told) != _labels(row.label)]
    if bench.samples.truth is Kind.TAGS:
        return [
            at for at, (row, told) in enumerate(seen)
            if (texts_in(told) if told else []) != texts_in(row.label)
        ]  # fmt: skip
    asked = next(iter(bench.query.quality), None)
    metric = asked.measure if asked else next(iter(bench.query.measured_metrics), "")
    if not metric:
        return []
    measure = measure_of(Condition(metric, of_rows=True), bench.facts)
    if not isinstance(measure, BoundedMean):
        return []
    values = measure.row_values([told for _, told in seen], [row.label for row, _ in seen])
    return [int(at) for at in np.argsort(values, kind="stable") if values[at] < 1]


def _labels(text: str | None) -> frozenset[str] | None:
    return labels_in(text) if text else None


def _cut(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}..."
