"""Which candidate is next, and which one is the answer; pure functions over the fixed order."""

from collections.abc import Mapping, Sequence

from evaluators.candidate import Candidate
from recommender.frontier import undominated
from recommender.recommendation import Outcome
from recommender.requirement import STATIC_COSTS
from recommender.space import known_cost

Outcomes = Mapping[int, Outcome]


def next_candidate(order: Sequence[Candidate], outcomes: Outcomes, minimize: str) -> int | None:
    """The first candidate without an outcome that could still be better than the best so far.

    A cost that metadata tells ends the walk as soon as all that is left is predicted to cost more
    than the best; a cost that must be measured asks for every candidate.
    """
    best = choose(outcomes, minimize)
    bound = outcomes[best].value(minimize) if best is not None else None
    for index, candidate in enumerate(order):
        if index in outcomes:
            continue
        if bound is not None and minimize in STATIC_COSTS:
            return index if known_cost(candidate, minimize) < bound else None
        return index
    return None


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
