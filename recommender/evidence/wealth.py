"""The one test behind every exact verdict: a bet against "this candidate misses the target".

Example t of the fixed order has a score D_t >= -b with E[D] >= 0 exactly where the target is met
(scores.py). Wealth starts at 1 and is multiplied by 1 + lambda_t D_t, where the bet lambda_t is
fixed before D_t is seen. Where the target is missed, wealth is a supermartingale, so it ever
reaches 1/alpha with a chance of at most alpha (Ville's inequality): whoever looks, whenever they
stop, and however many labels come later.

Sources: I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random variables by betting",
JRSS B 86 (2024), arXiv 2010.09686, for tests by betting; V. Voracek and F. Orabona, "STaR-Bets",
NeurIPS 2025, arXiv 2505.22422, for bets that are computed again from the wealth still needed and
the labels left. The bet itself is that of the two-point distribution on {-b, v/b}, the one of mean
0 and second moment v, whose tilt needs just that rate of growth (Kelly's bet for the tilted one).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

HORIZONS = np.array([[1.0], [2.0]])
"""One bettor is tuned to the labels of the batch, one to twice as many."""

MIXTURE = np.array([0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97])
"""Constant bets, as shares of 1/b; they keep what is left alive for labels to come."""

STARTS = np.concatenate([[0.75, 0.2], np.full(MIXTURE.size, 0.05 / MIXTURE.size)])
"""The share of the wealth with which the two tuned bettors and each constant bet start a batch."""

MOST_BET = 0.95
"""The largest bet of the tuned bettors, as a share of 1/b: one score never takes everything."""


def log_wealth(
    scores: Floats,
    *,
    bound: ArrayLike,
    goal: ArrayLike,
    batch_ends: Sequence[int],
    second_moment: ArrayLike,
    informative: ArrayLike = 1.0,
) -> Floats:
    """The logarithm of the wealth after each example: (paths, n), one path a row of `scores`.

    scores: (paths, n), D in the fixed order, 0 where an example says nothing.
    bound: (paths,) or a number, b > 0; no score is below -b.
    goal: (paths,) or a number, log(1/alpha): the wealth that is bet for.
    batch_ends: the order's length after each batch of labels, fixed before its first label is
        used. Example t bets with its own batch's end even if more labels have come since.
    second_moment: of D at the boundary, (paths,) or a number where it is constant, else
        (paths, n), each from the examples before it.
    informative: the expected share of examples that are not 0, in the same shapes.

    A bet for example t depends on nothing but the goal, the batch ends and the examples before t.
    Raises ValueError where a score is below -b or not a number, since no test is valid then.
    """
    n_paths, n = scores.shape
    b = np.broadcast_to(np.asarray(bound, dtype=np.float64), (n_paths,))
    wanted = np.broadcast_to(np.asarray(goal, dtype=np.float64), (n_paths,))
    _check(scores, b, batch_ends)
    two_points = TwoPoints.of(_by_example(second_moment, n_paths), b)
    shares = _by_example(informative, n_paths)
    steps = np.ascontiguousarray((scores / b[:, None]).T)  # (n, paths), none below -1
    found = np.empty((n, n_paths))
    bets = np.repeat(np.concatenate([np.zeros(2), MIXTURE])[:, None], n_paths, axis=1)
    total, at = np.zeros(n_paths), 0
    for end in batch_ends:
        held = np.repeat(STARTS[:, None], n_paths, axis=1)  # each bettor's share of the wealth
        for t in range(at, min(end, n)):
            # All together must reach the goal: where each had to alone, less was proven.
            left = np.maximum(1.0, shares[t % len(shares)] * (end * HORIZONS - t))
            bets[:2] = two_points.bets(t, np.maximum(wanted - total, 1e-6) / left)
            held *= 1.0 + bets * steps[t]
            growth = held.sum(axis=0)
            held /= growth
            total += np.log(growth)
            found[t] = total
        at = max(at, min(end, n))
    return np.ascontiguousarray(found.T)


@dataclass(frozen=True, slots=True, eq=False)
class TwoPoints:
    """The distributions on {-b, v/b} with mean 0 and second moment v.

    parts: (6, examples or 1, paths), what their bets need: the chance p0 of the upper point, the
    rest 1 - p0, both inverted, and the coefficients of the series.
    """

    parts: Floats

    @classmethod
    def of(cls, second_moment: Floats, bound: Floats) -> "TwoPoints":
        """From v, (examples or 1, paths), and b, (paths,)."""
        square = bound * bound
        p0, rest = square / (square + second_moment), second_moment / (square + second_moment)
        return cls(np.array([p0, rest, 1.0 / p0, 1.0 / rest, 2.0 * p0 * rest, (rest - p0) / 3.0]))

    def bets(self, t: int, rate: Floats) -> Floats:
        """For example t the bet, as a share of 1/b, whose Kelly growth is `rate` an example.

        That is (p - p0) / (1 - p0), p the upper root of KL(p || p0) = rate, and at most 0.95, also
        where the rate is out of reach. A series of third order and one step of Newton's method
        come within 4 % of it (0.2 % where over 50 examples are left); KL is convex, so the step
        ends at the root or above it: a bolder bet, never an invalid one.
        """
        p0, rest, per_p0, per_rest, square, skew = self.parts[:, t % self.parts.shape[1]]
        top = p0 + MOST_BET * rest
        p = np.minimum(np.maximum(p0 + np.sqrt(rate * square) + rate * skew, p0), top)
        low = np.log((1.0 - p) * per_rest)
        slope = np.maximum(np.log(p * per_p0) - low, 1e-12)
        p = np.minimum((rate - low) / slope, top)
        return np.asarray(np.maximum(p - p0, 0.0) * per_rest)


def learned_second_moment(scores: Floats, prior: float, *, weight: float = 20.0) -> Floats:
    """The second moment of the examples before each one, shrunk to a prior: (paths, n)."""
    return _mean_before(scores * scores, prior, weight)


def learned_share(informative: Floats, prior: float, *, weight: float = 5.0) -> Floats:
    """The share of informative examples before each one, shrunk to a prior: (paths, n)."""
    return _mean_before(informative, prior, weight)


def _mean_before(values: Floats, prior: float, weight: float) -> Floats:
    """The mean of the values before each one, with `weight` of them at the prior: (paths, n)."""
    n_paths, n = values.shape
    past = np.zeros((n_paths, n))
    np.cumsum(values[:, :-1], axis=1, out=past[:, 1:])
    return np.asarray((weight * prior + past) / (weight + np.arange(n)))


def _by_example(given: ArrayLike, n_paths: int) -> Floats:
    """(1, paths) where constant, else (n, paths)."""
    array = np.asarray(given, dtype=np.float64)
    if array.ndim == 2:
        return np.ascontiguousarray(array.T)
    return np.broadcast_to(array, (1, n_paths))


def _check(scores: Floats, bound: Floats, batch_ends: Sequence[int]) -> None:
    n = scores.shape[1]
    if any(later <= end for end, later in pairwise([0, *batch_ends])):
        raise ValueError(f"batches must end after one another, not at {list(batch_ends)}")
    if n and (not batch_ends or n > batch_ends[-1]):
        raise ValueError(f"{n} examples, but the last batch ends at {list(batch_ends)[-1:]}")
    if not (bound > 0).all():
        raise ValueError(f"the bound of a score must be above 0, not {bound.min()}")
    if not (np.isfinite(scores) & (scores >= -bound[:, None] - 1e-9)).all():
        raise ValueError("a score is below its bound or not a number: no test is valid")
