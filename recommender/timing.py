"""What a timing may decide, and at which share of error.

A latency is no hypothesis of the quality ledger. A timing of one candidate alone is a first look:
it turns a candidate down only where it is far too slow, and confirms nothing. The candidate that
would be chosen is timed afresh, in rounds with its neighbours, and its limits are met where the
order statistics that bound its quantiles meet them (evidence/quantile.py). The n-th such timing of
a search may be wrong with a chance of delta / 2^(n-1), also where noise makes it repeat the last
one: by the union bound, the chance that a search calls a limit met that is not is at most
2 * delta, on this machine and under this load.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from evaluators.measurement import Measurement
from recommender.requirement import Requirement

DELTA_LATENCY = 0.05
"""The first timing's share of error; all timings of a search together have twice as much."""

SOLO_MARGIN = 0.40
"""A first look turns down only beyond the limit and this share of it.

Timings of identical models, one after the other, differ by up to 40 % (see evaluators/cost).
"""

INTERLEAVED = "interleaved"
REMEMBERED = "remembered"

QUANTILES: Mapping[str, float] = MappingProxyType({"latency_p50_ms": 0.50, "latency_p95_ms": 0.95})
"""Which quantile of a request's duration each measure is."""


def latency_shares(delta: float = DELTA_LATENCY) -> Iterator[float]:
    """The share of error of a search's first timing, its second, and so on: halved each time.

    >>> from itertools import islice
    >>> list(islice(latency_shares(0.05), 3))
    [0.05, 0.025, 0.0125]
    """
    while True:
        yield delta
        delta /= 2


def is_interleaved(timing: Measurement | None) -> bool:
    """Whether it was taken in rounds of finalists as their choice, in this search or another."""
    return timing is not None and INTERLEAVED in timing.note


def is_confirmed(timing: Measurement | None) -> bool:
    """Whether it was taken so in this search; what is remembered confirms no limit."""
    return is_interleaved(timing) and not is_remembered(timing)


def is_remembered(timing: Measurement | None) -> bool:
    """Whether the store knew it: then the machine may have another load by now."""
    return timing is not None and timing.note.startswith(REMEMBERED)


def is_missed(limit: Requirement, timing: Measurement | None) -> bool:
    """Whether a latency turns its candidate down.

    A confirmed one does unless its upper bound meets the limit; any other one does where its lower
    bound is beyond the limit and SOLO_MARGIN. A latency that was not measured misses every limit.
    """
    if timing is None:
        return True
    if is_confirmed(timing):
        return timing.high is None or limit.violation(timing.high) > 0
    return timing.low is not None and timing.low > limit.bound * (1 + SOLO_MARGIN)


def described(limit: Requirement, timing: Measurement) -> str:
    """How a latency misses its limit, in words."""
    if is_confirmed(timing):
        shown = timing.note.partition(";")[0]
        return f"{limit.measure} is {timing.value:.4g}, asked: {limit}; all that is shown: {shown}"
    return (
        f"{limit.measure} is at least {timing.low:.4g} in a first timing, more than "
        f"{1 + SOLO_MARGIN:g} times what is asked: {limit}"
    )
