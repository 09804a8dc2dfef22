"""Which candidate is the answer, and whom it is compared with; pure functions."""

from collections.abc import Mapping

from cache.evaluations import Ranking
from recommender.frontier import undominated
from recommender.recommendation import Outcome
from recommender.timing import SOLO_MARGIN

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


def on_frontier(outcomes: Outcomes, ranking: Ranking) -> set[int]:
    """The indices that no other candidate beats in estimated quality, size and latency at once.

    Faster is only what is so by more than identical models differ in a first look.
    """
    sign = -1.0 if ranking.higher_is_better else 1.0
    known = {index: outcome.quality(ranking.metric) for index, outcome in outcomes.items()}
    points = {
        index: (
            sign * quality,
            _cost(outcomes[index], "size_mb"),
            _cost(outcomes[index], "latency_p50_ms"),
        )
        for index, quality in known.items()
        if quality is not None
    }
    indices = list(points)
    return {indices[place] for place in undominated(list(points.values()), slack=SOLO_MARGIN)}


def finalists(outcomes: Outcomes, chosen: int, ranking: Ranking, *, most: int = 3) -> list[int]:
    """The choice and at most three frontier neighbours, the nearest in size first."""
    size = _cost(outcomes[chosen], "size_mb")
    near = sorted(
        on_frontier(outcomes, ranking) - {chosen},
        key=lambda index: abs(_cost(outcomes[index], "size_mb") - size),
    )
    return [chosen, *near[:most]]
