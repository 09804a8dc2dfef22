"""The statistics behind a verdict: exact binomial bounds, shared out over the pool.

Source of every bound: C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits
illustrated in the case of the binomial", Biometrika 26 (1934). The share `delta / pool size` is
Bonferroni's correction: all candidates together are wrongly called sufficient with a probability
of at most delta.

Pure Python on purpose: an answer from memory must not pay scipy's import, which takes longer than
the rest of it. The tests compare every function here with scipy.
"""

from math import exp, lgamma, log, log1p

from recommender.evidence.verdict import Verdict


def lower_bound(n_right: float, n_rows: float, level: float) -> float:
    """The exact one-sided lower confidence bound of a proportion, wrong with chance `level`.

    It is also the true proportion that gives n_right or more with a chance of `level`.
    """
    if n_right <= 0:
        return 0.0
    return _quantile(n_right, n_rows - n_right + 1, level)


def upper_bound(n_right: int, n_rows: int, level: float) -> float:
    """The exact one-sided upper confidence bound of a proportion, wrong with chance `level`."""
    if n_right >= n_rows:
        return 1.0
    return _quantile(n_right + 1, n_rows - n_right, 1 - level)


def max_errors(n_rows: int, target: float, level: float) -> int | None:
    """The most wrong answers among n_rows whose lower bound still reaches the target.

    None when even a faultless run proves nothing. The lower bound reaches the target exactly
    where P(Binomial(n_rows, 1 - target) <= errors) <= level.
    """
    if target <= 0:
        return n_rows
    if target >= 1 or binomial_cdf(0, n_rows, 1 - target) > level:
        return None
    low, high = 0, n_rows  # invariant: low passes, high fails (all wrong proves nothing)
    while high - low > 1:
        middle = (low + high) // 2
        if binomial_cdf(middle, n_rows, 1 - target) <= level:
            low = middle
        else:
            high = middle
    return low


def errors_at(n_rows: int, target: float, level: float) -> float | None:
    """The real number e with P(Binomial(n_rows, 1 - target) <= e) = level; None where e < 0.

    Between whole numbers the binomial is that of its incomplete beta function: max_errors without
    the steps, for planning.
    """
    if binomial_cdf(0, n_rows, 1 - target) > level:
        return None
    low, high = 0.0, float(n_rows)
    while high - low > 1e-6 * n_rows:
        middle = (low + high) / 2
        low, high = (
            (middle, high) if binomial_cdf(middle, n_rows, 1 - target) <= level else (low, middle)
        )
    return low


def rows_needed(target: float, level: float) -> int:
    """The fewest rows with which a faultless candidate could be proven to reach the target."""
    n_rows = 1
    while max_errors(n_rows, target, level) is None:
        n_rows *= 2
    low, high = n_rows // 2, n_rows
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (low, middle) if max_errors(middle, target, level) is not None else (middle, high)
        )
    return high


def below_or_undecided(n_right: int, n_seen: int, *, target: float, level: float) -> Verdict:
    """The verdict on a candidate that is not sufficient, from the rows that it was given.

    Insufficient where the upper bound is below the target; the guarantee covers "sufficient" only.
    """
    if n_seen and upper_bound(n_right, n_seen, level) < target:
        return Verdict.INSUFFICIENT
    return Verdict.UNDECIDED


def binomial_cdf(k: float, n: float, p: float) -> float:
    """P(at most k of n), each with chance p: an incomplete beta function (DLMF 8.17.5)."""
    if k >= n or p <= 0:
        return 1.0
    if p >= 1:
        return 0.0
    return _incomplete_beta(n - k, k + 1, 1 - p)


def _quantile(a: float, b: float, level: float) -> float:
    """The x at which the regularized incomplete beta function reaches the level, by bisection."""
    low, high = 0.0, 1.0
    while high - low > 1e-13:
        middle = (low + high) / 2
        low, high = (middle, high) if _incomplete_beta(a, b, middle) < level else (low, middle)
    return (low + high) / 2


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularized incomplete beta function I_x(a, b), 0 < x < 1.

    The continued fraction of DLMF 8.17.22 by the modified Lentz algorithm; its mirror image
    (DLMF 8.17.4) where that converges faster.
    """
    if x > (a + 1) / (a + b + 2):
        return 1.0 - _incomplete_beta(b, a, 1 - x)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a
    fraction, numerator, denominator = 1.0, 1.0, 0.0
    for step in range(1, 10_000):
        term = _beta_term(a, b, x, step)
        denominator = 1 / (1 + term * denominator)
        numerator = 1 + term / numerator
        fraction *= numerator * denominator
        if abs(numerator * denominator - 1) < 1e-15:
            break
    return front / fraction


def _beta_term(a: float, b: float, x: float, step: int) -> float:
    """The coefficients d of DLMF 8.17.23 with the signs of a fraction 1 + d1/(1 + d2/(1 + ...))."""
    m = step // 2
    if step % 2 == 0:
        return m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
    return -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
