"""Which candidate is the answer, and whom it is compared with."""

from dataclasses import replace

from cache.evaluations import Ranking
from evaluators.candidate import Recipe
from evaluators.measurement import Measurement, State
from recommender.evidence.verdict import Verdict
from recommender.recommendation import Outcome
from recommender.walk import choose, finalists, on_frontier

RECIPE = Recipe("torch-fp32", "torch", "fp32")


def outcome(name: str, *, size_mb: float, accuracy: float, sufficient: bool) -> Outcome:
    figures = {
        "size_mb": Measurement("size_mb", size_mb, "MB", 1),
        "accuracy": Measurement("accuracy", accuracy, "", 100),
    }
    verdict = Verdict.SUFFICIENT if sufficient else Verdict.UNDECIDED
    return Outcome(
        name, "0" * 40, "hub", RECIPE, State.EVALUATED, verdict, "", size_mb, measurements=figures
    )


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
    by_accuracy = Ranking("accuracy")
    assert on_frontier(outcomes, by_accuracy) == set(range(6))
    assert sorted(finalists(outcomes, 2, by_accuracy)) in ([0, 1, 2, 3], [1, 2, 3, 4])


def test_of_an_error_less_is_better_on_the_frontier() -> None:
    """The smallest is never beaten; a larger one only belongs there where it errs less."""
    sizes_and_errors = [(1.0, 0.30), (2.0, 0.20), (3.0, 0.25), (4.0, 0.0)]
    outcomes = {
        index: replace(
            outcome(f"m{index}", size_mb=size, accuracy=0.5, sufficient=True),
            measurements={
                "size_mb": Measurement("size_mb", size, "MB", 1),
                "wer": Measurement("wer", error, "ratio", 100),
            },
        )
        for index, (size, error) in enumerate(sizes_and_errors)
    }
    assert on_frontier(outcomes, Ranking("wer", higher_is_better=False)) == {0, 1, 3}
    assert on_frontier(outcomes, Ranking("wer")) == {0}


def test_accuracy_is_only_known_of_rows_that_are_right_or_wrong() -> None:
    """A candidate of a task with several labels a row that was raced out has no accuracy."""
    raced_out = replace(
        outcome("small", size_mb=1.0, accuracy=0.9, sufficient=False),
        n_rows=50, n_wrong=5, measurements={},
    )  # fmt: skip
    assert raced_out.quality("accuracy") == 0.9
    assert replace(raced_out, n_wrong=None).quality("accuracy") is None
