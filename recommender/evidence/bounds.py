"""Certified bounds of a quality, from the bets on every target of a grid.

A target is certified when its own bet and the bet on every lower target of the grid were won: the
bound is wrong only where the bet on one fixed target was wrongly won, the first grid point at the
quality or above it. So all targets together cost no more than one. The largest target that was
won is no such bound: nothing says that the bets below it were won too.
"""

from collections.abc import Iterator, Sequence
from math import ceil, floor, isfinite

import numpy as np
from numpy.typing import NDArray

from recommender.evidence.scores import Paths, Reduction
from recommender.evidence.wealth import Floats

GRID = 0.001

RATIO_END = 2.0
"""A ratio to a baseline has no greatest value; its bounds are not looked for above this."""

FIRST_PREFIX = 32
"""The first prefix of the examples on which all targets are tried; each later one doubles it."""

TOGETHER = 8
"""Reductions that are climbed at once: memory is 40 bytes x these x targets left x examples."""

Ints = NDArray[np.int64]


def on_grid(target: float) -> float:
    """The least grid point at the target or above it (to within 1e-9)."""
    return ceil(round(target / GRID, 6)) / round(1 / GRID)


def certified_bound(
    reduction: Reduction, *, goal: float, batch_ends: Sequence[int], at_most: float | None = None
) -> float:
    """The largest grid target that is certified, else the least possible quality.

    goal: log(1/alpha) of the reduction's line. at_most: look no further than this target.
    The bound may only be too low, never too high, where a target above every later prefix's
    estimate was won: those are not looked at.
    """
    return certified_bounds([reduction], goals=[goal], batch_ends=batch_ends, at_most=at_most)[0]


def certified_bounds(
    reductions: Sequence[Reduction],
    *,
    goals: Sequence[float],
    batch_ends: Sequence[int],
    at_most: float | None = None,
) -> list[float]:
    """The certified bound of each reduction at its own goal."""
    ladders = [_rising(reduction, at_most) for reduction in reductions]
    climbed = _climbed(reductions, ladders, goals, batch_ends, above=True)
    return [
        float(ladder[count - 1]) if count else reduction.least
        for reduction, ladder, count in zip(reductions, ladders, climbed, strict=True)
    ]


def certified_upper(reduction: Reduction, *, goal: float, batch_ends: Sequence[int]) -> float:
    """The least grid target such that the bet against it and all higher ones was won.

    The greatest possible quality where there is none: infinity for a ratio to a baseline.
    """
    if not isfinite(reduction.greatest):
        return reduction.greatest
    ladder = _points(reduction.least, reduction.greatest - GRID / 2)[::-1]
    count = _climbed([reduction], [ladder], [goal], batch_ends, above=False)[0]
    return float(ladder[count - 1]) if count else reduction.greatest


def is_certified(
    reduction: Reduction, target: float, *, goal: float, batch_ends: Sequence[int]
) -> bool:
    """Whether the target, rounded up to the grid, is certified.

    The same as `certified_bound(...) >= target`; the lower targets are tried only where the
    target's own bet was won.
    """
    wanted = on_grid(target)
    if wanted <= reduction.least:
        return True
    if not reduction.crosses(np.array([wanted]), goal=goal, batch_ends=batch_ends)[0]:
        return False
    found = certified_bound(reduction, goal=goal, batch_ends=batch_ends, at_most=wanted)
    return found >= wanted


def _points(low: float, high: float) -> Floats:
    """The grid from low to high."""
    steps = np.arange(ceil(round(low / GRID, 6)), floor(round(high / GRID, 6)) + 1)
    return np.asarray(steps / round(1 / GRID), dtype=np.float64)


def _rising(reduction: Reduction, at_most: float | None) -> Floats:
    """The targets that a lower bound climbs, above the least possible quality."""
    end = min(reduction.greatest, RATIO_END)
    if at_most is not None:
        end = min(end, at_most)
    return _points(reduction.least + GRID, end)


def _climbed(
    reductions: Sequence[Reduction],
    ladders: Sequence[Floats],
    goals: Sequence[float],
    batch_ends: Sequence[int],
    *,
    above: bool,
) -> list[int]:
    """How many targets at the beginning of each ladder were all won."""
    climbs = [
        _Climb(reduction, ladder, goal, above=above)
        for reduction, ladder, goal in zip(reductions, ladders, goals, strict=True)
    ]
    for at in range(0, len(climbs), TOGETHER):
        _climb(climbs[at : at + TOGETHER], batch_ends)
    return [climb.count for climb in climbs]


def _climb(climbs: Sequence["_Climb"], batch_ends: Sequence[int]) -> None:
    """Tries every target that is left on longer and longer prefixes of the examples."""
    seen = 0
    for prefix in _prefixes(max(climb.reduction.n for climb in climbs)):
        open_ = [climb for climb in climbs if climb.is_open(seen)]
        if not open_:
            return
        paths = Paths.joined([climb.paths(prefix) for climb in open_])
        sizes = [climb.left.size for climb in open_]
        goals = np.repeat([climb.goal for climb in open_], sizes)
        won = paths.wealth(goal=goals, batch_ends=batch_ends).max(axis=1) >= goals
        for climb, its_own in zip(open_, np.split(won, np.cumsum(sizes)[:-1]), strict=True):
            climb.left = climb.left[~its_own]
        seen = prefix


def _prefixes(n: int) -> Iterator[int]:
    """32, 64, 128, ... and n."""
    prefix = FIRST_PREFIX
    while prefix < n:
        yield prefix
        prefix *= 2
    if n:
        yield n


class _Climb:
    """The targets of one reduction that are neither won nor given up, by their place."""

    def __init__(self, reduction: Reduction, ladder: Floats, goal: float, *, above: bool) -> None:
        self.reduction, self.goal = reduction, goal
        self.left: Ints = np.arange(len(ladder))
        self._ladder, self._above = ladder, above
        self._sign = 1.0 if above else -1.0
        self._end = len(ladder)
        estimates = np.nan_to_num(self._sign * reduction.estimates(), nan=-np.inf)
        self._best = np.maximum.accumulate(estimates[::-1])[::-1]  # of all from each one on

    @property
    def count(self) -> int:
        """How many targets at the ladder's beginning were all won."""
        return int(self.left[0]) if self.left.size else self._end

    def is_open(self, seen: int) -> bool:
        """Whether examples after the first `seen` can win one of the targets left.

        Gives up the targets that every later estimate falls short of.
        """
        if seen >= self.reduction.n:
            return False
        within = self._sign * self._ladder <= self._best[seen] + GRID / 2
        self._end = min(self._end, int(np.count_nonzero(within)))
        self.left = self.left[self.left < self._end]
        return bool(self.left.size)

    def paths(self, prefix: int) -> Paths:
        """The bets on the targets left, on the first examples."""
        return self.reduction.first(prefix).paths(self._ladder[self.left], above=self._above)
