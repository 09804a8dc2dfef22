"""Which candidate is next, and which one is the answer."""

from dataclasses import replace

from catalog.model import Model
from evaluators.candidate import Candidate, Recipe
from evaluators.measurement import Measurement, State
from recommender.evidence.verdict import Verdict
from recommender.recommendation import Outcome
from recommender.walk import choose, finalists, next_candidate, on_frontier

RECIPE = Recipe("torch-fp32", "torch", "fp32")


def candidate(name: str, size_mb: float) -> Candidate:
    return Candidate(Model(name, "0" * 40, "hub"), RECIPE, size_mb, size_mb)


def outcome(name: str, *, size_mb: float, accuracy: float, sufficient: bool) -> Outcome:
    figures = {
        "size_mb": Measurement("size_mb", size_mb, "MB", 1),
        "accuracy": Measurement("accuracy", accuracy, "", 100),
    }
    verdict = Verdict.SUFFICIENT if sufficient else Verdict.UNDECIDED
    return Outcome(
        name, "0" * 40, "hub", RECIPE, State.EVALUATED, verdict, "", size_mb, measurements=figures
    )


ORDER = [candidate("small", 1.0), candidate("middle", 2.0), candidate("large", 4.0)]


def test_the_walk_goes_up_in_size_and_stops_at_the_first_sufficient() -> None:
    """Nothing larger than what is shown to be sufficient is run."""
    outcomes = {0: outcome("small", size_mb=1.0, accuracy=0.7, sufficient=False)}
    assert next_candidate(ORDER, {}, "size_mb") == 0
    assert next_candidate(ORDER, outcomes, "size_mb") == 1
    outcomes[1] = outcome("middle", size_mb=2.0, accuracy=0.9, sufficient=True)
    assert next_candidate(ORDER, outcomes, "size_mb") is None


def test_a_choice_that_turned_out_larger_than_predicted_does_not_end_the_walk() -> None:
    """What is predicted to be smaller than the measured best is still tried."""
    outcomes = {
        0: outcome("small", size_mb=1.0, accuracy=0.7, sufficient=False),
        1: outcome("middle", size_mb=5.0, accuracy=0.9, sufficient=True),
    }
    assert next_candidate(ORDER, outcomes, "size_mb") == 2


def test_a_measured_cost_asks_for_every_candidate() -> None:
    """What metadata cannot tell is known of nobody before it is measured."""
    outcomes = {0: outcome("small", size_mb=1.0, accuracy=0.9, sufficient=True)}
    assert next_candidate(ORDER, outcomes, "latency_p95_ms") == 1


def test_a_candidate_over_a_limit_is_never_chosen() -> None:
    """Sufficient quality does not make up for a missed limit."""
    fine = outcome("middle", size_mb=2.0, accuracy=0.9, sufficient=True)
    slow = replace(
        outcome("small", size_mb=1.0, accuracy=0.9, sufficient=True),
        misses=("latency_p95_ms is 30, asked: latency_p95_ms <= 20",),
    )
    assert choose({0: slow, 1: fine}, "size_mb") == 1
    assert choose({0: slow}, "size_mb") is None


def test_the_finalists_are_the_choice_and_its_nearest_frontier_neighbours() -> None:
    """At most three others are timed beside the choice."""
    outcomes = {
        index: outcome(f"m{index}", size_mb=1.0 + index, accuracy=0.5 + index / 20, sufficient=True)
        for index in range(6)
    }
    assert on_frontier(outcomes, "accuracy") == set(range(6))
    assert sorted(finalists(outcomes, 2, "accuracy")) in ([0, 1, 2, 3], [1, 2, 3, 4])
