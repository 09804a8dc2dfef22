"""The first asked quality of one candidate on parts of the rows."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import isfinite, sqrt

import numpy as np
from numpy.typing import NDArray

from evaluators.quality.counts import FORMULAS, Counts
from evaluators.quality.forms import AllRows, BoundedMean, Sums
from evaluators.quality.score import NORMAL_QUANTILE_95, wilson
from evaluators.quality.specs import OF_LABELS, MetricSpec
from recommender.details.parts import SliceQuality
from recommender.evidence.approximate import Jackknife, jackknife, jackknife_of
from recommender.evidence.conditions import Condition
from recommender.facts import Facts
from recommender.measures import measure_of
from recommender.query import Query

MOST_VALUES = 20
"""Values of a column that are listed: those with the most rows, and all that are asked for."""

Rows = list[int]
Answers = Sequence[str | None]

Estimate = tuple[float, float | None, float | None]
"""A quality with its interval; None where none is known."""

Judge = Callable[[Rows], Estimate | None]
"""The quality of some rows; None where it is not defined on them."""


def slices_of(query: Query, facts: Facts, answers: Answers) -> tuple[SliceQuality, ...]:
    """By each value of each column that was read for slices, the values with most rows first.

    Each row counts once. The interval is Wilson's where each row is right or wrong, else two
    jackknife standard errors; none is known of a figure of all rows, such as a correlation.
    """
    places = _places(facts.slices[: len(answers)], query)
    judge = _judge(query, facts, answers) if places else None
    if judge is None:
        return ()
    found = []
    for (column, value), rows in places.items():
        estimate = judge(rows)
        if estimate is not None and isfinite(estimate[0]):
            found.append(SliceQuality(column, value, len(rows), *estimate))
    return tuple(found)


def slice_metric(query: Query) -> str:
    """What `slices_of` gives: `recall[urgent]`, or `wer` itself where `1 - wer` is claimed."""
    asked = next(iter(query.quality), None)
    if asked is None:
        return next(iter(query.measured_metrics), "")
    return replace(asked, slice=None).subject


def _places(slices: Sequence[Mapping[str, str]], query: Query) -> dict[tuple[str, str], Rows]:
    """The rows of each column and value that is listed."""
    rows: dict[tuple[str, str], Rows] = {}
    for at, row in enumerate(slices):
        for pair in row.items():
            rows.setdefault(pair, []).append(at)
    asked = {requirement.slice for requirement in query.quality}
    by_size = sorted(rows, key=lambda pair: (pair[0], -len(rows[pair]), pair[1]))
    n_listed: Counter[str] = Counter()
    found = {}
    for pair in by_size:
        n_listed[pair[0]] += 1
        if n_listed[pair[0]] <= MOST_VALUES or pair in asked:
            found[pair] = rows[pair]
    return found


def _judge(query: Query, facts: Facts, answers: Answers) -> Judge | None:
    """How the quality that was asked first is taken of some rows; None where none is known."""
    asked = next(iter(query.quality), None)
    metric = asked.measure if asked else next(iter(query.measured_metrics), "")
    if not metric:
        return None
    spec, label = query.spec(metric), asked.label if asked else None
    if spec.needs not in OF_LABELS:
        answers, facts = facts.without_scores(answers), facts.plain
    truths = facts.truths[: len(answers)]
    if metric == "accuracy" and query.labelled:
        right = np.array([a == t for a, t in zip(answers, truths, strict=True)], dtype=float)
        return lambda rows: _share(right[rows])
    if spec.form == "counts":
        positive = label or (query.positive if spec.two_class else None)
        return _of_counts(metric, spec, facts, answers, positive)
    return _of_rows(Condition(metric, label, of_rows=True), spec, facts, answers)


def _share(right: NDArray[np.float64]) -> Estimate:
    return float(right.mean()), *wilson(int(right.sum()), right.size)


def _of_counts(
    metric: str, spec: MetricSpec, facts: Facts, answers: Answers, positive: str | None
) -> Judge | None:
    """From counts of labels. Rows with one truth and answer are alike, so each kind is left out
    once."""
    formula = FORMULAS.get(metric)
    if formula is None:
        return None

    def judge(rows: Rows) -> Estimate | None:
        given, truths = [answers[at] or "" for at in rows], [facts.truths[at] for at in rows]
        if positive is not None and positive not in {*given, *truths}:
            return None
        counts = Counts.of(given, truths, facts.labels, positive)
        left_out = replace(counts, times=counts.times - np.eye(counts.times.size))
        whole = float(formula(counts))
        return _interval(jackknife_of(whole, formula(left_out), counts.times.astype(int)), spec)

    return judge


def _of_rows(
    condition: Condition, spec: MetricSpec, facts: Facts, answers: Answers
) -> Judge | None:
    """From the task's own measure; of a user's figure of all rows nothing more is asked."""
    measure, truths = measure_of(condition, facts), facts.truths[: len(answers)]
    if isinstance(measure, BoundedMean):
        return _of_means(measure, measure.row_values(answers, truths), spec)
    if isinstance(measure, Sums):
        return _of_sums(measure, measure.statistics(answers, truths), spec)
    if condition.metric in facts.own:
        return None
    return _of_all(measure, answers, truths)


def _of_means(measure: BoundedMean, values: NDArray[np.float64], spec: MetricSpec) -> Judge:
    def judge(rows: Rows) -> Estimate:
        chosen = values[rows] if measure.higher_is_better else 1.0 - values[rows]
        if measure.binary:
            return _share(chosen)
        error = float(chosen.std(ddof=1)) / sqrt(len(rows)) if len(rows) > 1 else 0.0
        return _interval(Jackknife(float(chosen.mean()), error, len(rows)), spec)

    return judge


def _of_sums(measure: Sums, statistics: NDArray[np.float64], spec: MetricSpec) -> Judge:
    def judge(rows: Rows) -> Estimate | None:
        chosen = statistics[rows]
        sums = chosen.sum(axis=0)
        if measure.exact is not None and measure.exact.parts(sums)[1] == 0:
            return None
        return _interval(jackknife(measure.formula, sums, list(chosen)), spec)

    return judge


def _of_all(measure: AllRows, answers: Answers, truths: Sequence[str]) -> Judge:
    def judge(rows: Rows) -> Estimate | None:
        if len(rows) < 2:
            return None
        value = measure.value([answers[at] for at in rows], [truths[at] for at in rows])
        return value, None, None

    return judge


def _interval(found: Jackknife, spec: MetricSpec) -> Estimate:
    """Two standard errors to each side, within the metric's range."""
    if found.standard_error <= 0:
        return found.estimate, None, None
    half = NORMAL_QUANTILE_95 * found.standard_error
    low, high = max(spec.low, found.estimate - half), min(spec.high, found.estimate + half)
    return found.estimate, low, high
