"""Dominance and the Pareto frontier; pure functions."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import groupby
from math import isnan

Costs = tuple[float, float, float]
"""What is lacking in quality, the size, and the latency: of each, less is better."""


def dominates(one: Costs, other: Costs, *, slack: float = 0.0) -> bool:
    """Whether one point is nowhere worse than the other and somewhere better.

    Latencies count as equal where the larger is at most `1 + slack` times the smaller.
    """
    (lack, size, latency), (other_lack, other_size, other_latency) = one, other
    no_worse = lack <= other_lack and size <= other_size and latency <= other_latency * (1 + slack)
    better = lack < other_lack or size < other_size or latency * (1 + slack) < other_latency
    return no_worse and better


def undominated(points: Sequence[Costs], *, slack: float = 0.0) -> list[int]:
    """The indices of the points that no other dominates, in the order given.

    In the order of the points, whatever dominates one comes before it, or differs from it in
    latency alone; so it is enough to know the least latency so far of what is at most as large.
    A point with a NaN can be compared with none.

    >>> undominated([(1.0, 9.0, 0.0), (2.0, 5.0, 0.0), (3.0, 6.0, 0.0)])
    [0, 1]
    """
    found = [index for index, point in enumerate(points) if any(map(isnan, point))]
    known = sorted(set(range(len(points))).difference(found), key=points.__getitem__)
    sizes: list[float] = []  # rising, and the least latency of what is at most as large, falling
    least: list[float] = []
    for (_, size), alike in groupby(known, key=lambda index: points[index][:2]):
        group = list(alike)
        place, fastest = bisect_right(sizes, size), points[group[0]][2]
        for index in group:
            latency = points[index][2]
            is_slower = fastest * (1 + slack) < latency
            if not is_slower and not (place and least[place - 1] <= latency * (1 + slack)):
                found.append(index)
        if not place or fastest < least[place - 1]:
            end = next((at for at in range(place, len(sizes)) if least[at] < fastest), len(sizes))
            sizes[place:end], least[place:end] = [size], [fastest]
    return sorted(found)
