"""Latencies from durations: percentiles with their intervals, and whether two may be compared."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
A_A_TOLERANCE = 0.10
"""Timings of one candidate in two workers may differ by this share, and timings still decide.

Interleaved runs of identical models differ by less than 1 % in processor time and by a few per
cent on the wall of a quiet machine; runs one after the other differ by up to 40 % (fault F54).
"""


PERCENTILES = (5, 25, 50, 75, 90, 95, 99)
"""What is shown of how durations are distributed."""


@dataclass(frozen=True, slots=True)
class Percentile:
    """A percentile of durations in milliseconds, its 95 % interval, and n.

    An end of the interval is None where n is too small for it to be known.
    """

    value_ms: float
    low_ms: float | None
    high_ms: float | None
    n: int


@dataclass(frozen=True, slots=True)
class AACheck:
    """One candidate against itself: the ratios of its medians and of its 95th percentiles."""

    ratio_p50: float
    ratio_p95: float
    tolerance: float

    @property
    def may_decide(self) -> bool:
        """Whether the machine is quiet enough for timings to decide."""
        ratios = (self.ratio_p50, self.ratio_p95)
        return all(1 / (1 + self.tolerance) <= ratio <= 1 + self.tolerance for ratio in ratios)

    def describe(self) -> str:
        """One sentence for a report."""
        verdict = "may decide" if self.may_decide else "are too noisy to decide"
        return (
            f"timings {verdict}: the same candidate in two processes differed by a factor of "
            f"{self.ratio_p50:.2f} (p50) and {self.ratio_p95:.2f} (p95)"
        )


def percentile(durations_ms: Sequence[float], share: float) -> Percentile:
    """The smallest duration that at least `share` of the durations do not exceed.

    Its interval is distribution-free: order statistics whose binomial coverage is at least 95 %
    (David and Nagaraja, Order Statistics, 3rd edition, section 7.1). It takes durations as
    independent of each other, which neighbours in time are not quite.
    """
    ordered = sorted(durations_ms)
    n = len(ordered)
    if not n:
        raise ValueError("a percentile wants at least one duration")
    value = ordered[_rank(share, n)]
    low, high = _order_statistics(n, share)
    return Percentile(
        value_ms=value,
        low_ms=ordered[low - 1] if low >= 1 else None,
        high_ms=ordered[high - 1] if high <= n else None,
        n=n,
    )


def percentiles(durations_ms: Sequence[float]) -> dict[str, float]:
    """Those of `PERCENTILES` in milliseconds, by their number as a text."""
    ordered = sorted(durations_ms)
    return {str(number): ordered[_rank(number / 100, len(ordered))] for number in PERCENTILES}


def a_a_check(
    first_ms: Sequence[float], second_ms: Sequence[float], *, tolerance: float = A_A_TOLERANCE
) -> AACheck:
    """What interleaved durations of the same candidate in two workers say about the machine."""
    p50, p95 = (
        percentile(first_ms, share).value_ms / percentile(second_ms, share).value_ms
        for share in (0.50, 0.95)
    )
    return AACheck(ratio_p50=p50, ratio_p95=p95, tolerance=tolerance)


def _rank(share: float, n: int) -> int:
    """The place, from 0, of the smallest of n that at least `share` of them do not exceed."""
    return max(0, math.ceil(share * n) - 1)


def _order_statistics(n: int, share: float) -> tuple[int, int]:
    """Ranks, from 1, between which the percentile lies; 0 or n + 1 where n is too small."""
    cumulative = np.cumsum(_binomial(n, share))  # P(at most k of n lie below the percentile)
    tail = (1 - CONFIDENCE) / 2
    low = int(np.searchsorted(cumulative, tail, side="right"))
    high = int(np.searchsorted(cumulative, 1 - tail, side="left")) + 1
    return low, high


def _binomial(n: int, share: float) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """P(k of n) for k = 0..n, by logarithms of the gamma function."""
    log_n = math.lgamma(n + 1)
    return np.array(
        [
            math.exp(
                log_n - math.lgamma(k + 1) - math.lgamma(n - k + 1)
                + k * math.log(share) + (n - k) * math.log1p(-share)
            )
            for k in range(n + 1)
        ]
    )  # fmt: skip
