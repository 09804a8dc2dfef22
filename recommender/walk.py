"""Which candidate is the answer, and whom it is compared with; pure functions."""

from collections.abc import Mapping

from recommender.frontier import undominated
from recommender.recommendation import Outcome

Outcomes = Mapping[int, Outcome]


def choose(outcomes: Outcomes, minimize: str) -> int | None:
    """The acceptable candidate with the least measured cost; ties go to latency, then the name."""
    ranked = [
        (_cost(outcome, minimize), _cost(outcome, "latency_p50_ms"), outcome.name, index)
        for index, outcome in outcomes.items()
        if outcome.acceptable
    ]
    return min(ranked)[-1] if ranked else None


def _cost(outcome: Outcome, measure: str) -> float:
    value = outcome.value(measure)
    if value is None:
        return float("inf")
    return -value if measure == "throughput_per_s" else value


def on_frontier(outcomes: Outcomes, metric: str) -> set[int]:
    """The indices that no other candidate beats in estimated quality, size and latency at once."""
    complete = [index for index, o in outcomes.items() if o.quality(metric) is not None]
    points = [
        (
            -(outcomes[index].quality(metric) or 0.0),
            _cost(outcomes[index], "size_mb"),
            _cost(outcomes[index], "latency_p50_ms"),
        )
        for index in complete
    ]
    return {complete[position] for position in undominated(points)}


def finalists(outcomes: Outcomes, chosen: int, metric: str, *, most: int = 3) -> list[int]:
    """The choice and at most three frontier neighbours, the nearest in size first."""
    size = _cost(outcomes[chosen], "size_mb")
    near = sorted(
        on_frontier(outcomes, metric) - {chosen},
        key=lambda index: abs(_cost(outcomes[index], "size_mb") - size),
    )
    return [chosen, *near[:most]]
