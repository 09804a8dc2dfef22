"""Ratios of hits: f1, precision and recall of true positives, false positives and misses."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from evaluators.quality.answers import Answers, Truths
from evaluators.quality.forms import Floats, Ratio, Sums

Weights = tuple[float, float, float]
"""Of true positives, false positives and misses."""

RATIOS: Mapping[str, tuple[Weights, Weights]] = MappingProxyType(
    {
        "f1": ((2.0, 0.0, 0.0), (2.0, 1.0, 1.0)),
        "precision": ((1.0, 0.0, 0.0), (1.0, 1.0, 0.0)),
        "recall": ((1.0, 0.0, 0.0), (1.0, 0.0, 1.0)),
    }
)
"""Gain and cost of each: the metric is the sum of gains over the sum of costs."""


def ratio_of_hits(
    name: str,
    statistics: Callable[[Answers, Truths], Floats],
    *,
    most_true: float,
    most_wrong: float,
) -> Sums:
    """f1, precision or recall from statistics (n, 3): true, false and missed.

    In every row, true / most_true + wrong / most_wrong is at most 1, where `wrong` are the false
    and missed that the metric counts.
    """
    gain, cost = RATIOS[name]
    best = gain[0] * most_true
    exact = Ratio(gain, cost, ((0.0, 0.0), (0.0, most_wrong), (best, best)))
    return Sums(statistics, exact.formula, exact)
