"""Dominance and the Pareto frontier; pure functions."""

from collections.abc import Sequence

Costs = tuple[float, ...]


def dominates(one: Costs, other: Costs) -> bool:
    """Whether one point is nowhere worse than the other and somewhere better; all minimised."""
    no_worse = all(a <= b for a, b in zip(one, other, strict=True))
    return no_worse and one != other


def undominated(points: Sequence[Costs]) -> list[int]:
    """The indices of the points that no other dominates, in the order given.

    >>> undominated([(1.0, 9.0), (2.0, 5.0), (3.0, 6.0)])
    [0, 1]
    """
    return [
        index
        for index, point in enumerate(points)
        if not any(dominates(other, point) for other in points)
    ]
