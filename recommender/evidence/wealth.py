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

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

HORIZONS = np.array([1.0, 2.0])
"""One bettor is tuned to the labels of the batch, one to twice as many."""

SHARES = np.array([0.6, 0.3])
"""What these two bettors start each batch with."""

MIXTURE = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97)
"""Constant bets, as shares of 1/b; they keep what is left alive for labels to come."""

MIXTURE_SHARE = 0.1

MOST_BET = 0.95
"""The largest bet of the tuned bettors, as a share of 1/b: one score never takes everything."""

NEWTON_STEPS = 3


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
    """
    n_paths, n = scores.shape
    if n and (not batch_ends or n > batch_ends[-1]):
        raise ValueError(f"{n} examples, but the last batch ends at {list(batch_ends)[-1:]}")
    b = np.broadcast_to(np.asarray(bound, dtype=np.float64), (n_paths,))
    wanted = np.broadcast_to(np.asarray(goal, dtype=np.float64), (n_paths,))
    moments, shares = _by_example(second_moment, n_paths), _by_example(informative, n_paths)
    found = np.empty((n_paths, n))
    start, at = np.zeros(n_paths), 0
    for end in batch_ends:
        stop = min(end, n)
        if stop <= at:
            continue
        block = np.ascontiguousarray(scores[:, at:stop])
        tuned = _tuned(block, start, b, wanted, first=at, end=end, moments=moments, shares=shares)
        found[:, at:stop] = np.logaddexp(tuned, _mixture(block, start, b))
        start, at = found[:, stop - 1], stop
    return found


def bet(rate: Floats, second_moment: ArrayLike, bound: ArrayLike) -> Floats:
    """The bet lambda, in [0, 0.95/b], whose two-point Kelly growth is `rate` an example.

    Its root p1 of KL(p1 || p0) = rate is found by Newton's method from a series of third order.
    KL is convex, so each step ends at the root or above it: an early end is a bolder bet, never
    an invalid one.
    """
    b = np.asarray(bound, dtype=np.float64)
    up = np.asarray(second_moment, dtype=np.float64) / b
    low = b / (b + up)  # the chance of the upper point at mean 0 is 1 - this one's mirror image
    gap = 1.0 - low
    spread = low * gap
    width = np.sqrt(2.0 * rate * spread)
    tilted = np.clip(low + width + width * width * (gap - low) / (6.0 * spread), low, 1.0 - 1e-9)
    log_odds = np.log(low / gap)
    for _ in range(NEWTON_STEPS):
        rest = 1.0 - tilted
        slope = np.log(tilted / rest) - log_odds
        growth = tilted * slope + np.log(rest / gap)
        step = np.divide(growth - rate, slope, out=np.zeros_like(slope), where=slope > 1e-12)
        tilted = np.clip(tilted - step, low, 1.0 - 1e-9)
    found = (tilted - low) / (spread * (b + up))
    return np.where(rate >= -np.log(low), MOST_BET / b, np.minimum(found, MOST_BET / b))


def learned_second_moment(scores: Floats, prior: float, *, weight: float = 20.0) -> Floats:
    """The second moment of the examples before each one, shrunk to a prior: (paths, n)."""
    past = np.cumsum(scores * scores, axis=1) - scores * scores
    return np.asarray((weight * prior + past) / (weight + np.arange(scores.shape[1])))


def learned_share(informative: Floats, prior: float, *, weight: float = 5.0) -> Floats:
    """The share of informative examples before each one, shrunk to a prior: (paths, n)."""
    past = np.cumsum(informative, axis=1) - informative
    return np.asarray((weight * prior + past) / (weight + np.arange(informative.shape[1])))


def _by_example(given: ArrayLike, n_paths: int) -> Floats:
    """(paths, 1) where constant, else (paths, n)."""
    array = np.asarray(given, dtype=np.float64)
    if array.ndim == 2:
        return array
    return np.broadcast_to(array.reshape(-1, 1), (n_paths, 1))


def _tuned(
    block: Floats, start: Floats, b: Floats, goal: Floats, *,
    first: int, end: int, moments: Floats, shares: Floats,
) -> Floats:  # fmt: skip
    """The log wealth of the two tuned bettors together, over one batch: (paths, len)."""
    wealth = start + np.log(SHARES)[:, None]  # (2, paths)
    found = np.empty((2, *block.shape))
    for t in range(block.shape[1]):
        share = shares[:, min(first + t, shares.shape[1] - 1)]
        left = np.maximum(1.0, share * (HORIZONS[:, None] * end - (first + t)))
        rate = np.maximum(goal - wealth, 1e-6) / left
        moment = moments[:, min(first + t, moments.shape[1] - 1)]
        wealth = wealth + np.log1p(bet(rate, moment, b) * block[:, t])
        found[:, :, t] = wealth
    return np.asarray(np.logaddexp(found[0], found[1]))


def _mixture(block: Floats, start: Floats, b: Floats) -> Floats:
    """The log wealth of the constant bets together, over one batch: (paths, len)."""
    share = np.log(MIXTURE_SHARE / len(MIXTURE)) + start[:, None]
    found = np.full(block.shape, -np.inf)
    for part in MIXTURE:
        growth = np.cumsum(np.log1p((part / b)[:, None] * block), axis=1)
        found = np.logaddexp(found, share + growth)
    return found
