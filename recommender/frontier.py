"""Dominance and the Pareto frontier; pure functions."""

from collections.abc import Sequence
from math import isnan

Costs = tuple[float, ...]


def dominates(one: Costs, other: Costs) -> bool:
    """Whether one point is nowhere worse than the other and somewhere better; all minimised."""
    no_worse = all(a <= b for a, b in zip(one, other, strict=True))
    return no_worse and one != other


def undominated(points: Sequence[Costs]) -> list[int]:
    """The indices of the points that no other dominates, in the order given.

    What dominates a point comes before it in the points' own order, and if anything does, then
    something on the frontier does: so each is compared with the frontier so far. A point with a
    NaN can be compared with none.

    >>> undominated([(1.0, 9.0), (2.0, 5.0), (3.0, 6.0)])
    [0, 1]
    """
    apart = [index for index, point in enumerate(points) if any(map(isnan, point))]
    found: list[int] = []
    for index in sorted(set(range(len(points))).difference(apart), key=points.__getitem__):
        if not any(dominates(points[other], points[index]) for other in found):
            found.append(index)
    return sorted([*found, *apart])
