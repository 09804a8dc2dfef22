"""The chance that a candidate will be certified with the labels that are there.

A forecast for the search, which asks whether more rows are worth their time. It decides only how
far a candidate is read, so no error in it can make a certificate wrong.

The prior is flat in the sense that it knows nothing of other candidates: Beta(0.9, 0.1) on the
quality, the weight of one example. What is learned from other candidates stays out of it on
purpose: the smallest sufficient candidate is by definition an outlier among its neighbours, and a
forecast shrunken to them would drop just that one.
"""

from math import erf, exp, floor, lgamma, sqrt
from statistics import NormalDist

import numpy as np

from recommender.evidence.scores import PRIOR_SHARE, Reduction

PRIOR_WRONG, PRIOR_RIGHT = 0.1, 0.9
"""The beta prior's weights: one example in all, a tenth of it wrong."""

SHARE_WEIGHT = 5.0
"""Examples that the prior share of informative ones counts for (as in scores.py)."""

SPREAD_WEIGHT = 5.0
"""Examples that the prior spread of a bounded score counts for; no spread is ever 0."""

NORMAL = NormalDist()

LEAST_LEVEL = 1e-300
"""Smaller levels have no quantile in floating point."""


def chance_to_certify(reduction: Reduction, target: float, *, goal: float, horizon: int) -> float:
    """The chance, in [0, 1], that the target will be certified once `horizon` units are answered.

    goal: log(1/alpha), the wealth that certifies. For several conditions take the least chance.
    """
    threshold = float(reduction.threshold(np.array([target]))[0])
    if reduction.bernoulli:
        right = float(reduction.gain.sum())
        wrong = float(reduction.cost.sum()) - right
        n_informative = round(_share(reduction) * horizon)
        return chance_from_counts(
            wrong, right, threshold=threshold, goal=goal, n_informative=n_informative
        )
    return _chance_from_scores(
        reduction.gain - threshold * reduction.cost, reduction, goal=goal, horizon=horizon
    )


def chance_from_counts(
    wrong: float, right: float, *, threshold: float, goal: float, n_informative: int
) -> float:
    """The same from counts: P(wrong + BetaBinomial(examples left) <= the errors allowed)."""
    allowed = allowed_errors(n_informative, threshold, quantile(goal))
    left = max(0, n_informative - round(wrong + right))
    more = floor(allowed - wrong)
    if more < 0:
        return 0.0
    if more >= left:
        return 1.0
    return _beta_binomial_cdf(more, left, PRIOR_WRONG + wrong, PRIOR_RIGHT + right)


def allowed_errors(n: int, threshold: float, z: float) -> int:
    """About the most wrong answers among n that still certify; negative where none are few enough.

    The binomial quantile by its Cornish-Fisher expansion to the skewness term with a continuity
    correction (Johnson, Kemp and Kotz, Univariate Discrete Distributions, 3.6.1). Without that
    term 80 rows would seem unable to certify 0.90 at the level 0.0005, which they can.
    """
    wrong = 1.0 - threshold
    skew = (z * z - 1.0) * (1.0 - 2.0 * wrong) / 6.0
    return floor(n * wrong - z * sqrt(max(0.0, n * wrong * threshold)) + skew - 0.5)


def quantile(goal: float) -> float:
    """The normal quantile z of the level exp(-goal): the upper tail beyond z is that level."""
    return -NORMAL.inv_cdf(min(max(exp(-goal), LEAST_LEVEL), 1.0 - 1e-12))


def _share(reduction: Reduction) -> float:
    if reduction.always_informative:
        return 1.0
    seen = SHARE_WEIGHT * PRIOR_SHARE + reduction.n_informative
    return seen / (SHARE_WEIGHT + reduction.n)


def _beta_binomial_cdf(most: int, n: int, a: float, b: float) -> float:
    """P(BetaBinomial(n, a, b) <= most), each term from the one before it."""
    first = lgamma(b + n) + lgamma(a + b) - lgamma(a + b + n) - lgamma(b)
    i = np.arange(most)
    ratios = (n - i) * (a + i) / ((i + 1.0) * (b + n - 1.0 - i))
    terms = first + np.concatenate(([0.0], np.cumsum(np.log(ratios))))
    top = float(terms.max())
    return float(min(1.0, exp(top) * np.exp(terms - top).sum()))


def _chance_from_scores(
    scores: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    reduction: Reduction,
    *,
    goal: float,
    horizon: int,
) -> float:
    """The same for scores that are not 0 or 1: their sum as a normal variable."""
    seen = reduction.n_informative
    if seen == 0:
        return 1.0
    total, squares = float(scores.sum()), float((scores * scores).sum())
    mean, prior = total / seen, reduction.prior_moment
    expected = max(float(seen), _share(reduction) * horizon)
    left = expected - seen
    spread = (SPREAD_WEIGHT * prior + squares - seen * mean * mean) / (SPREAD_WEIGHT + seen)
    moment = (SPREAD_WEIGHT * prior + squares) / (SPREAD_WEIGHT + seen)
    surplus = total + left * mean - quantile(goal) * sqrt(expected * moment)
    if left <= 0:
        return float(surplus >= 0)
    deviation = sqrt(max(spread, 1e-12) * left * expected / seen)
    return 0.5 * (1.0 + erf(surplus / deviation / sqrt(2.0)))
