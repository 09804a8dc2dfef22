"""Laws of the Pareto frontier."""

from hypothesis import given
from hypothesis import strategies as st

from recommender.frontier import dominates, undominated

POINTS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)), max_size=20)


@given(points=POINTS)
def test_no_point_of_the_frontier_is_dominated(points: list[tuple[int, int, int]]) -> None:
    """What is on the frontier is beaten by nothing, what is off it by something on it."""
    front = [points[index] for index in undominated(points)]
    assert not any(dominates(a, b) for a in front for b in front)
    for point in points:
        assert point in front or any(dominates(other, point) for other in front)


@given(points=POINTS)
def test_the_order_of_the_points_does_not_matter(points: list[tuple[int, int, int]]) -> None:
    """The frontier is a property of the set."""
    forwards = {points[index] for index in undominated(points)}
    backwards = points[::-1]
    assert {backwards[index] for index in undominated(backwards)} == forwards


def test_equal_points_are_both_on_the_frontier() -> None:
    """Nothing is better than its equal, so ties are shown, not dropped."""
    assert undominated([(1, 1, 1), (1, 1, 1), (2, 2, 2)]) == [0, 1]


@given(points=POINTS, slack=st.sampled_from([0.0, 0.4, 1.0]))
def test_the_frontier_is_what_nothing_dominates(
    points: list[tuple[int, int, int]], slack: float
) -> None:
    """As comparing each with every other says, with noise in the latency too."""
    shown = [
        index
        for index, point in enumerate(points)
        if not any(dominates(other, point, slack=slack) for other in points)
    ]
    assert undominated(points, slack=slack) == shown


def test_a_latency_within_the_noise_puts_nobody_on_the_frontier() -> None:
    """One of the same size that is worse by far must be faster by more than that."""
    good, poor, fast = (0.1, 1.0, 0.47), (0.7, 1.0, 0.37), (0.7, 1.0, 0.2)
    assert undominated([good, poor], slack=0.4) == [0]
    assert undominated([good, fast], slack=0.4) == [0, 1]
