"""Correlations of scores: answers and truths are numbers as texts.

A failed row counts as answered with the most wrong of the others' scores: the lowest where its
truth is above the mean, else the highest. A constant answer has no correlation: 0.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cache.errors import BadInput
from evaluators.quality.answers import Answers, Truths, number_in
from evaluators.quality.forms import AllRows, Floats, Sums, members

Rows = NDArray[np.int64]


def pearson() -> Sums:
    """The linear correlation, from -1 to 1.

    Statistics: 1, x, y, xx, yy and xy of each row, (n, 6), the scores less their means.
    """
    return Sums(_moments, _linear_of_sums)


def spearman() -> AllRows:
    """The correlation of ranks, ties at their mean rank, from -1 to 1."""
    return AllRows(_spearman)


def ranks(values: Floats) -> Floats:
    """Ranks from 1, ties at their mean: (n,)."""
    ordered = np.sort(values)
    below = np.searchsorted(ordered, values, side="left")
    up_to = np.searchsorted(ordered, values, side="right")
    return np.asarray((below + up_to + 1) / 2.0)


def _spearman(answers: Answers, truths: Truths, groups: Sequence[int]) -> tuple[float, Floats]:
    x, y = _scores(answers, truths)
    of_x, of_y = ranks(x), ranks(y)
    left_out = np.empty(max(groups, default=-1) + 1)
    for group, rows in enumerate(members(groups)):
        left_out[group] = _linear(_ranks_without(of_x, x, rows), _ranks_without(of_y, y, rows))
    return _linear(of_x, of_y), left_out


def _ranks_without(of_all: Floats, values: Floats, rows: Rows) -> Floats:
    """The others' ranks without some rows: each one below takes 1 away, a tie 1/2.

    Sorting anew for each group would take n log n each time.
    """
    for row in rows:
        of_all = of_all - (values > values[row]) - 0.5 * (values == values[row])
    return np.delete(of_all, rows)


def _linear(x: Floats, y: Floats) -> float:
    if x.size < 2:
        return 0.0
    x, y = x - x.mean(), y - y.mean()
    spread = float(np.sqrt((x @ x) * (y @ y)))
    return min(1.0, max(-1.0, float(x @ y) / spread)) if spread > 0 else 0.0


def _moments(answers: Answers, truths: Truths) -> Floats:
    x, y = (values - values.mean() for values in _scores(answers, truths))
    return np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)


def _linear_of_sums(sums: Floats) -> Floats:
    """(..., 6) -> (...); 0 where nothing varies."""
    n, x, y, xx, yy, xy = (sums[..., at] for at in range(6))
    rows = np.maximum(n, 1.0)
    spread_x, spread_y = xx - x * x / rows, yy - y * y / rows
    known = (spread_x > TINY * xx) & (spread_y > TINY * yy)
    spread = np.sqrt(np.where(known, spread_x * spread_y, 1.0))
    return np.asarray(np.where(known, np.clip((xy - x * y / rows) / spread, -1.0, 1.0), 0.0))


TINY = 1e-12
"""A spread below this part of the squares is rounding."""


def _scores(answers: Answers, truths: Truths) -> tuple[Floats, Floats]:
    wanted = np.array([_truth(truth) for truth in truths])
    found = [number_in(answer) if answer else None for answer in answers]
    given = np.array([np.nan if number is None else number for number in found])
    failed = np.isnan(given)
    if failed.all():
        return -wanted, wanted
    low, high = np.nanmin(given), np.nanmax(given)
    given[failed] = np.where(wanted[failed] > wanted.mean(), low, high)
    return given, wanted


def _truth(text: str) -> float:
    number = number_in(text)
    if number is None:
        raise BadInput(f"the truth {text!r} is no finite number.")
    return number
