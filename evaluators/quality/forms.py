"""The three forms that a measure can have; each says what evidence it allows.

A mean of bounded row values and a ratio of bounded row sums have exact tests; any other formula
of sums and any function of all rows have the jackknife's, which is approximate.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluators.quality.answers import Answers, Truths

Floats = NDArray[np.float64]

Corners = tuple[tuple[float, float], ...]
"""Pairs (gain, cost); every row's pair lies in their convex hull."""


@dataclass(frozen=True, slots=True)
class BoundedMean:
    """The mean over rows of a value in [0, 1], 1 the best; a failed row has 0.

    `row_values`: (n,). Where less is better (wer), a row's value is 1 less its error, and the
    metric is 1 less the mean. `binary` says that every value is 0 or 1.
    """

    row_values: Callable[[Answers, Truths], Floats]
    binary: bool = False
    higher_is_better: bool = True

    def value(self, answers: Answers, truths: Truths) -> float:
        """The metric of all rows, in its own direction."""
        mean = float(self.row_values(answers, truths).mean())
        return mean if self.higher_is_better else 1.0 - mean


@dataclass(frozen=True, slots=True)
class Ratio:
    """Weights that turn a row's statistics into its gain and its cost; the metric is the sums'
    ratio. `corners` bound both for every row, whatever is answered; no data was looked at for them.
    """

    gain: tuple[float, ...]
    cost: tuple[float, ...]
    corners: Corners

    def parts(self, statistics: Floats) -> tuple[Floats, Floats]:
        """Gain and cost of each row: (n, k) -> (n,), (n,)."""
        weights = np.array([self.gain, self.cost])
        both = np.asarray(statistics @ weights.T)  # (n, k) @ (k, 2)
        return both[..., 0], both[..., 1]

    def formula(self, sums: Floats) -> Floats:
        """(..., k) -> (...); 0 where there is no cost, as with zero_division=0."""
        return ratio(*self.parts(sums))


@dataclass(frozen=True, slots=True)
class Sums:
    """A formula of the sums over rows of k statistics.

    `statistics`: (n, k). `formula`: (..., k) -> (...), so that a row is left out by taking its
    statistics away. `exact` is there for ratios of two bounded sums.
    """

    statistics: Callable[[Answers, Truths], Floats]
    formula: Callable[[Floats], Floats]
    exact: Ratio | None = None

    def value(self, answers: Answers, truths: Truths) -> float:
        """The metric of all rows."""
        return float(self.formula(self.statistics(answers, truths).sum(axis=0)))


@dataclass(frozen=True, slots=True)
class AllRows:
    """A function of all rows together.

    `compute` takes each row's group, numbered from 0, or no groups; it gives the metric of all
    rows, and the metric without each group: (n_groups,).
    """

    compute: Callable[[Answers, Truths, Sequence[int]], tuple[float, Floats]]

    def value(self, answers: Answers, truths: Truths) -> float:
        """The metric of all rows."""
        return self.compute(answers, truths, [])[0]

    def leave_out(self, answers: Answers, truths: Truths, groups: Sequence[int]) -> Floats:
        """The metric without the rows of each group: (n_groups,)."""
        return self.compute(answers, truths, groups)[1]


Measure = BoundedMean | Sums | AllRows


def ratio(part: Floats, whole: Floats) -> Floats:
    """part / whole, and 0 where whole is 0."""
    out = np.zeros(np.broadcast_shapes(part.shape, whole.shape))
    return np.divide(part, whole, out=out, where=whole != 0)


def f1_of(true: Floats, false: Floats, missed: Floats) -> Floats:
    """The harmonic mean of precision and recall, from counts."""
    return ratio(2 * true, 2 * true + false + missed)


def by_row(
    value: Callable[[str, str], float], *, binary: bool = False, higher_is_better: bool = True
) -> BoundedMean:
    """The mean of a function of one answer and its truth; failed rows have 0."""

    def values(answers: Answers, truths: Truths) -> Floats:
        pairs = zip(answers, truths, strict=True)
        return np.array([value(a, t) if a else 0.0 for a, t in pairs], dtype=np.float64)

    return BoundedMean(values, binary, higher_is_better)


def members(groups: Sequence[int]) -> list[NDArray[np.int64]]:
    """The rows of each group, from each row's group."""
    every = np.asarray(groups, dtype=np.int64)
    if not every.size:
        return []
    ends = np.cumsum(np.bincount(every))[:-1]
    return [np.asarray(rows) for rows in np.split(np.argsort(every, kind="stable"), ends)]
