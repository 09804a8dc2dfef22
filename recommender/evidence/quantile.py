"""Bounds on a quantile by order statistics, whatever the values' distribution.

Of n independent values, the number that lies below the q-quantile is binomial with a chance of at
most q each. The r-th smallest value is therefore below the quantile with a chance of at most
P(Binomial(n, q) >= r), and above it with a chance of at most P(Binomial(n, q) <= r - 1); ties among
the values only help. Source: H. A. David and H. N. Nagaraja, "Order Statistics", 3rd edition
(2003), section 7.1. It is Clopper and Pearson's argument read backwards, so the ranks come from the
same function as a candidate's allowed errors (binomial.py).

Pure Python, as binomial.py.
"""

from collections.abc import Sequence

from recommender.evidence.binomial import max_errors, rows_needed


def upper_bound(values: Sequence[float], quantile: float, level: float) -> float | None:
    """The smallest value that bounds the quantile from above, wrong with a chance of `level`.

    None where there are too few values: fewer than 59 for the 0.95-quantile at 0.05.
    """
    rank = upper_rank(len(values), quantile, level)
    return None if rank is None else sorted(values)[rank - 1]


def lower_bound(values: Sequence[float], quantile: float, level: float) -> float | None:
    """The largest value that bounds the quantile from below, wrong with a chance of `level`.

    None where there are too few values.
    """
    rank = lower_rank(len(values), quantile, level)
    return None if rank is None else sorted(values)[rank - 1]


def upper_rank(n: int, quantile: float, level: float) -> int | None:
    """The smallest rank r, from 1, with P(Binomial(n, quantile) >= r) <= level.

    `quantile` and `level` lie in (0, 1); ValueError for others.
    """
    _check(quantile, level)
    n_above = max_errors(n, quantile, level) if n else None
    return None if n_above is None else n - n_above


def lower_rank(n: int, quantile: float, level: float) -> int | None:
    """The largest rank r, from 1, with P(Binomial(n, quantile) <= r - 1) <= level."""
    _check(quantile, level)
    n_below = max_errors(n, 1 - quantile, level) if n else None
    return None if n_below is None else n_below + 1


def rounds_needed(quantile: float, level: float, *, n_above: int = 0) -> int:
    """The fewest values of which the largest but `n_above` bounds the quantile from above.

    >>> rounds_needed(0.95, 0.05), rounds_needed(0.95, 0.025), rounds_needed(0.95, 0.05, n_above=2)
    (59, 72, 124)
    """
    _check(quantile, level)
    n = rows_needed(quantile, level)
    while (max_errors(n, quantile, level) or 0) < n_above:
        n += 1
    return n


def _check(quantile: float, level: float) -> None:
    if not (0 < quantile < 1 and 0 < level < 1):
        raise ValueError(f"quantile {quantile:g} and level {level:g} must lie between 0 and 1")
