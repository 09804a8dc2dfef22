"""From one candidate's answers to the gains and costs of one condition (evidence/scores.py)."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from recommender.evidence.conditions import EXACT, RATES, Condition, Relative
from recommender.evidence.scores import (
    DIFFERENCE,
    EVERY_ROW,
    PAIRED_MOMENT,
    PRIOR_MOMENT,
    RATIO,
    SOME_ROWS,
    Corners,
    Reduction,
)
from recommender.evidence.wealth import Floats

Bools = NDArray[np.bool_]


def reduction(
    condition: Condition,
    *,
    truths: Sequence[str],
    answers: Sequence[str | None],
    slices: Sequence[Mapping[str, str]] | None = None,
    units: Sequence[int] | None = None,
    weights: Sequence[float] | None = None,
    baseline: Sequence[str | None] | None = None,
    grouped: bool = False,
) -> Reduction:
    """One candidate's gains and costs under a condition, in the fixed order of the rows.

    answers: of the first rows; an answer that is None or empty is wrong in every condition, and
        a false alarm of precision and f1. slices: each row's values by column. units: each row's
        unit, numbered by first appearance; None where each row is one. A unit scores the mean
        over its rows; one that lacks an answer, and all after it, are not yet counted.
    baseline: the baseline's answers, for a relative condition.

    Raises ValueError for a metric that is not exact, and for precision, recall and f1 relative to
    a baseline.
    """
    if condition.metric not in EXACT:
        raise ValueError(f"{condition.metric} is no ratio of two means; these are {sorted(EXACT)}")
    n = len(answers)
    if condition.metric in RATES:
        return reduction_of_values(
            _right(truths, answers),
            baseline=None if baseline is None else _right(truths, baseline),
            relative=condition.relative,
            counted=in_slice(condition, slices, n),
            units=units,
            weights=weights,
            binary=not grouped,
        )
    if condition.relative:
        raise ValueError(f"{condition.metric} relative to a baseline is no paired mean")
    gain, cost = _of_class(condition, truths, answers)
    counted = in_slice(condition, slices, n)
    if counted is not None:
        gain, cost = gain * counted, cost * counted
    gain, cost = _by_unit(gain, units, weights), _by_unit(cost, units, weights)
    harmonic = condition.metric == "f1"
    return Reduction(gain, cost, SOME_ROWS, harmonic, bernoulli=not grouped)


def reduction_of_values(
    values: Floats,
    *,
    baseline: Floats | None = None,
    relative: Relative = "",
    counted: Bools | None = None,
    units: Sequence[int] | None = None,
    weights: Sequence[float] | None = None,
    binary: bool = False,
) -> Reduction:
    """The mean of a value between 0 and 1: (n,) in the fixed order; NaN (a failure) is 0.

    counted: which rows count; None for all. binary: every value is declared to be 0 or 1. The
    rest is as in `reduction`.
    """
    gain = np.nan_to_num(np.asarray(values, dtype=np.float64), nan=0.0)
    cost, corners, moment = np.ones_like(gain), EVERY_ROW, PRIOR_MOMENT
    if relative:
        if baseline is None:
            raise ValueError("a condition relative to a baseline needs the baseline's answers")
        other = np.nan_to_num(np.asarray(baseline, dtype=np.float64), nan=0.0)
        n = min(gain.size, other.size)
        gain, other = gain[:n], other[:n]
        moment = PAIRED_MOMENT
        if relative == "times":
            cost, corners = other, RATIO
        else:
            gain, cost, corners = gain - other, cost[:n], DIFFERENCE
    if counted is not None:
        gain, cost = gain * counted[: gain.size], cost * counted[: gain.size]
        corners = tuple(dict.fromkeys((*corners, (0.0, 0.0))))
    bernoulli = binary and not relative
    gain, cost = _by_unit(gain, units, weights), _by_unit(cost, units, weights)
    return Reduction(gain, cost, corners, bernoulli=bernoulli, prior_moment=moment)


def reduction_of_statistics(
    gain: Floats,
    cost: Floats,
    corners: Corners,
    *,
    counted: Bools | None = None,
    units: Sequence[int] | None = None,
    weights: Sequence[float] | None = None,
) -> Reduction:
    """A ratio of two sums whose pairs (gain, cost) lie in the hull of `corners`, row by row.

    gain, cost: (n,). A row may say nothing, so (0, 0) is a corner too. The rest is as in
    `reduction_of_values`: a unit's pair is the mean over its rows, which the hull holds as well.
    """
    if counted is not None:
        gain, cost = gain * counted, cost * counted
    return Reduction(
        _by_unit(gain, units, weights),
        _by_unit(cost, units, weights),
        tuple(dict.fromkeys(((0.0, 0.0), *corners))),
        bernoulli=False,
    )


def micro_f1(
    true: Floats, false: Floats, missed: Floats, *, most_true: float, most_wrong: float
) -> Reduction:
    """Micro-f1 from each unit's true positives, false positives and false negatives: (n,) each.

    most_true: declared bound on a unit's true positives; most_wrong: on its false positives and
    negatives together. With a fixed list of labels both are its length; for spans they follow
    from caps on the spans of a row. A unit above them raises ValueError: nothing is clipped.
    """
    wrong = false + missed
    if wrong.size and (float(wrong.max()) > most_wrong or float(true.max()) > most_true):
        raise ValueError(
            f"a unit has {true.max():g} right and {wrong.max():g} wrong, more than the declared "
            f"{most_true:g} and {most_wrong:g}"
        )
    corners = ((0.0, 0.0), (0.0, most_wrong), (2.0 * most_true, 2.0 * most_true))
    return Reduction(2.0 * true, 2.0 * true + wrong, corners, bernoulli=False)


def _right(truths: Sequence[str], answers: Sequence[str | None]) -> Floats:
    pairs = zip(truths[: len(answers)], answers, strict=True)
    return np.array([bool(answer) and answer == truth for truth, answer in pairs], dtype=np.float64)


def _of_class(
    condition: Condition, truths: Sequence[str], answers: Sequence[str | None]
) -> tuple[Floats, Floats]:
    """Gain and cost of each row, without its slice: (rows,) each."""
    label = condition.label
    actual = np.array([truth == label for truth in truths[: len(answers)]], dtype=bool)
    claimed = np.array([not answer or answer == label for answer in answers], dtype=bool)
    hit = np.array([answer == label for answer in answers], dtype=bool) & actual
    cost = {"recall": actual, "precision": claimed, "f1": actual | claimed}[condition.metric]
    return hit.astype(np.float64), cost.astype(np.float64)


def in_slice(
    condition: Condition, slices: Sequence[Mapping[str, str]] | None, n: int
) -> Bools | None:
    """Whether each of the first n rows counts; None where all do."""
    if condition.slice is None:
        return None
    if slices is None:
        raise ValueError(f"{condition.key} needs the rows' values of {condition.slice[0]!r}")
    column, value = condition.slice
    return np.array([row.get(column) == value for row in slices[:n]], dtype=bool)


def _by_unit(
    values: Floats, units: Sequence[int] | None, weights: Sequence[float] | None
) -> Floats:
    """The mean over each unit's rows, for the units before the first incomplete one."""
    if units is None:
        return values
    every = np.asarray(units, dtype=np.int64)
    n_units = int(every.max()) + 1 if every.size else 0
    unfinished = every[values.size :]
    n_whole = int(unfinished.min()) if unfinished.size else n_units
    mine = every[: values.size]
    kept = mine < n_whole
    parts = np.ones(values.size) if weights is None else np.asarray(weights)[: values.size]
    rows = np.bincount(mine[kept], weights=parts[kept], minlength=n_whole)
    sums = np.bincount(mine[kept], weights=(values * parts)[kept], minlength=n_whole)
    return np.asarray(sums / rows, dtype=np.float64)
