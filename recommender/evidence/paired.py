"""The difference of two candidates' shares of right answers on the same rows.

Pure Python, as binomial.py.
"""

from collections.abc import Callable
from math import sqrt
from statistics import NormalDist


def difference_interval(
    n10: int, n01: int, n: int, level: float = 0.05
) -> tuple[float, float]:  # fmt: skip
    """The score interval of p10 - p01, which misses it with a chance of about `level`.

    n10: rows that only the first answers right; n01: only the second; n: all rows, n >= n10 + n01.
    Source: T. Tango, "Equivalence test and confidence interval for the difference in proportions
    for the paired-sample design", Statistics in Medicine 17 (1998) 891-908: every difference that
    the score test does not reject. Large-sample, but close to its level also for small n and where
    the two never disagree, where Wald's interval is a point.
    """
    if n < 1 or n10 < 0 or n01 < 0 or n10 + n01 > n:
        raise ValueError(f"{n10} and {n01} disagreements cannot be among {n} rows")
    if not 0 < level < 1:
        raise ValueError(f"level {level:g} must lie between 0 and 1")
    z = NormalDist().inv_cdf(1 - level / 2)
    observed = (n10 - n01) / n
    low = _last(lambda d: _score(d, n10, n01, n) >= z, inside=observed, outside=-1.0)
    high = _last(lambda d: _score(d, n10, n01, n) <= -z, inside=observed, outside=1.0)
    return low, high


def _score(difference: float, n10: int, n01: int, n: int) -> float:
    """Tango's statistic for p10 - p01 = difference; it falls as the difference grows."""
    excess = n10 - n01 - n * difference
    p01 = _p01(difference, n10, n01, n)
    variance = n * (2 * p01 + difference * (1 - difference))
    if variance <= 0:
        return 0.0 if excess == 0 else excess * float("inf")
    return excess / sqrt(variance)


def _p01(difference: float, n10: int, n01: int, n: int) -> float:
    """The most likely p01 where p10 - p01 is fixed: the larger root of a p^2 + b p + c."""
    a = 2.0 * n
    b = (2 * n - n10 + n01) * difference - n10 - n01
    c = -n01 * difference * (1 - difference)
    return (sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)


def _last(rejects: Callable[[float], bool], *, inside: float, outside: float) -> float:
    """The end of the differences that are not rejected, between `inside` and `outside`."""
    if not rejects(outside):
        return outside
    while abs(outside - inside) > 1e-10:
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if rejects(middle) else (middle, outside)
    return inside
