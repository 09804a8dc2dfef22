"""How long single requests took, percentile by percentile: kept for reports.

They decide nothing and are no columns of a table, so they are kept apart from the figures. A report
shows them only beside the median and 95th percentile that they belong to: the candidate may have
been timed again since.
"""

from collections.abc import Mapping, Sequence
from math import isclose

from cache.measurements import Figure
from evaluators.candidate import Candidate
from evaluators.measurement import Measurement
from recommender.bench import Bench
from recommender.recommendation import Outcome

PLACE = "distribution"
"""Stands where other figures name the rows that they depend on."""

NUMBERS = ("5", "25", "50", "75", "90", "95", "99")
"""The percentiles; a test holds them against evaluators/cost/latency.py."""

ANCHORS: Mapping[str, str] = {"50": "latency_p50_ms", "95": "latency_p95_ms"}
"""Those that every timed candidate has among its figures."""

APART = frozenset(f"latency_p{number}_ms" for number in NUMBERS) - frozenset(ANCHORS.values())
"""Measured costs that are no figures of a candidate."""


def keep_distribution(
    bench: Bench, candidate: Candidate, percentiles_ms: Mapping[str, float], *, n: int
) -> None:
    """Remember the percentiles of n requests of a candidate, by number, under these conditions."""
    figures = [
        Figure(f"p{number}", value, "ms", n, conditions=bench.conditions)
        for number, value in percentiles_ms.items()
    ]
    bench.store.record_figures(bench.key(candidate), figures, samples=PLACE)


def measured_percentiles(found: Sequence[Measurement]) -> dict[str, float]:
    """Those among the measured costs of a candidate, by number."""
    values = {m.name: m.value for m in found}
    return {
        number: values[name] for number in NUMBERS if (name := f"latency_p{number}_ms") in values
    }


def distribution_of(bench: Bench, candidate: Candidate, outcome: Outcome) -> dict[str, float]:
    """Percentiles in milliseconds, by number; the outcome's two where no more is known of them."""
    shown = {
        number: value
        for number, name in ANCHORS.items()
        if (value := outcome.value(name)) is not None
    }
    figures = bench.store.figures(bench.key(candidate), conditions=bench.conditions, samples=PLACE)
    kept = {n: figures[f"p{n}"].value for n in NUMBERS if f"p{n}" in figures}
    is_theirs = bool(shown) and all(
        isclose(kept.get(number, -1.0), value) for number, value in shown.items()
    )
    return kept if is_theirs else shown
