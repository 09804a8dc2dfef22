"""Conditions on answers that are no labels: the task's own measure as the input of a test."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from evaluators.measurement import Measurement
from evaluators.quality.forms import AllRows, BoundedMean, Floats, Measure, Sums
from evaluators.quality.measures import measure_for
from evaluators.quality.score import NORMAL_QUANTILE_95
from evaluators.quality.specs import MetricSpec
from evaluators.quality.tasks import metric_for
from recommender.evidence.approximate import Jackknife, jackknife, jackknife_of
from recommender.evidence.conditions import Condition
from recommender.evidence.reductions import in_slice, reduction_of_statistics, reduction_of_values
from recommender.evidence.scores import Reduction
from recommender.facts import Facts


def reduced(
    condition: Condition, facts: Facts, answers: Sequence[str | None]
) -> Reduction | Jackknife:
    """One candidate's answers to the first rows under a condition: exact, or the jackknife."""
    measure = measure_of(condition, facts)
    if isinstance(measure, BoundedMean):
        return _of_values(condition, facts, answers, measure)
    if isinstance(measure, Sums) and measure.exact is not None:
        gain, cost = measure.exact.parts(measure.statistics(answers, facts.truths[: len(answers)]))
        return reduction_of_statistics(
            gain,
            cost,
            measure.exact.corners,
            counted=in_slice(condition, facts.slices, len(answers)),
            units=facts.unit_of_row,
            weights=facts.weights,
        )
    return _approximate(condition, facts, answers, measure, _spec_of(condition, facts).gain)


def _spec_of(condition: Condition, facts: Facts) -> MetricSpec:
    if condition.metric in facts.own:
        return facts.own[condition.metric].spec
    return metric_for(facts.task, condition.metric, multi_label=facts.several)


def measure_of(condition: Condition, facts: Facts) -> Measure:
    """How the condition's metric is computed."""
    if condition.metric in facts.own:
        return facts.own[condition.metric].measure
    return measure_for(
        facts.task,
        condition.metric,
        labels=facts.labels,
        kind=condition.label,
        multi_label=facts.several,
    )


def rated(metric: str, answers: Sequence[str | None], facts: Facts) -> Measurement:
    """A metric of all rows, with its large-sample 95 % interval: two jackknife standard errors."""
    condition = Condition(metric, of_rows=True)
    measure = measure_of(condition, facts)
    value = measure.value(answers, facts.truths[: len(answers)])
    spread = _jackknifed(condition, facts, answers, measure)
    half = NORMAL_QUANTILE_95 * spread.standard_error
    low, high = (value - half, value + half) if spread.standard_error > 0 else (None, None)
    return Measurement(metric, value, "ratio", len(answers), low, high, "jackknife interval")


def _jackknifed(
    condition: Condition, facts: Facts, answers: Sequence[str | None], measure: Measure
) -> Jackknife:
    if isinstance(measure, BoundedMean):
        found = _of_values(condition, facts, answers, measure)
        values = found.gain
        n = values.size
        error = float(values.std(ddof=1)) / n**0.5 if n > 1 else 0.0
        return Jackknife(float(values.mean()) if n else 0.0, error, n)
    return _approximate(condition, facts, answers, measure)


def _of_values(
    condition: Condition, facts: Facts, answers: Sequence[str | None], measure: BoundedMean
) -> Reduction:
    baseline = None
    if condition.relative and facts.baseline is not None:
        n = min(len(facts.baseline), len(answers))
        baseline = measure.row_values(facts.baseline[:n], facts.truths[:n])
    return reduction_of_values(
        measure.row_values(answers, facts.truths[: len(answers)]),
        baseline=baseline,
        relative=condition.relative,
        counted=in_slice(condition, facts.slices, len(answers)),
        units=facts.unit_of_row,
        weights=facts.weights,
        binary=measure.binary and not facts.grouped,
    )


def _approximate(
    condition: Condition,
    facts: Facts,
    answers: Sequence[str | None],
    measure: Sums | AllRows | BoundedMean,
    scale: Callable[[Floats], Floats] = np.asarray,
) -> Jackknife:
    """The measure on the rows that count, moved to a scale, with each unit left out in turn."""
    n_units = facts.units_of(len(answers))
    n = facts.rows_of(n_units)
    counted = in_slice(condition, facts.slices, n)
    rows = [row for row in range(n) if counted is None or counted[row]]
    if not rows:
        return Jackknife()
    given, truths = [answers[row] for row in rows], [facts.truths[row] for row in rows]
    units = _numbered([facts.unit_of_row[row] for row in rows])
    if isinstance(measure, AllRows):
        whole, without = measure.compute(given, truths, units)
        found = jackknife_of(float(scale(np.array(whole))), scale(without))
        return replace(found, n=units[-1] + 1, n_groups=without.size)
    assert isinstance(measure, Sums)
    statistics = measure.statistics(given, truths)
    by_unit = np.zeros((units[-1] + 1, statistics.shape[1]))
    np.add.at(by_unit, units, statistics)
    return jackknife(
        lambda sums: scale(measure.formula(sums)), statistics.sum(axis=0), list(by_unit)
    )


def _numbered(units: Sequence[int]) -> list[int]:
    """The same units, numbered from 0 without gaps."""
    place = {unit: at for at, unit in enumerate(dict.fromkeys(units))}
    return [place[unit] for unit in units]
