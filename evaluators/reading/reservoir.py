"""A random part of a stream, in constant memory, in which each stratum has its own share."""

import heapq
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")

SPARE = 2
LEAST_KEPT = 32
MOST_STRATA = 10_000

Entry = tuple[float, int, str, T]
"""Minus the random number, place in the stream, stratum, item: a heap's first goes first."""


class Reservoir(Iterable[T], Generic[T]):
    """At most `capacity` items of a stream, in its order, the strata in proportion.

    Every item gets a random number. While the stream goes by, the smallest 2 capacity of all
    items and the smallest 32 of each stratum are kept; in the end each stratum gives as many of
    its smallest as are its share (largest remainders). So within a stratum each subset is as
    likely as any other (bottom-k sampling: Cohen and Kaplan, PODC 2007). A stratum with a share
    above 32 is short of some with a chance below 1e-4, and then gives fewer. Above 10,000 strata
    the draw is over all items alike.
    """

    def __init__(self, capacity: int | None, seed: int) -> None:
        self.n_seen = 0
        self.counts: Counter[str] = Counter()
        self._capacity = capacity
        self._random = random.Random(seed).random  # noqa: S311 - a sample, not a secret
        self._every: list[T] = []
        self._overall: list[Entry[T]] = []
        self._strata: dict[str, list[Entry[T]]] = {}

    @property
    def is_stratified(self) -> bool:
        """Whether items were drawn for each stratum apart."""
        return self._capacity is not None and 1 < len(self.counts) <= MOST_STRATA

    def add(self, item: T, stratum: str = "") -> None:
        """Show the next item of the stream, and the stratum that it belongs to."""
        at = self.n_seen
        self.n_seen += 1
        if self._capacity is None:
            self._every.append(item)
            return
        priority = -self._random()
        _offer(self._overall, SPARE * self._capacity, priority, at, stratum, item)
        if len(self.counts) <= MOST_STRATA:
            self.counts[stratum] += 1
            own = self._strata.setdefault(stratum, [])
            _offer(own, LEAST_KEPT, priority, at, stratum, item)

    def __iter__(self) -> Iterator[T]:
        if self._capacity is None:
            return iter(self._every)
        drawn = self._drawn(self._capacity)
        return (entry[3] for entry in sorted(drawn, key=lambda entry: entry[1]))

    def _drawn(self, capacity: int) -> list[Entry[T]]:
        """The smallest random numbers: of each stratum its share, else of all."""
        smallest_first = sorted(self._kept(), key=lambda entry: -entry[0])
        if not self.is_stratified:
            return smallest_first[:capacity]
        left = shares(self.counts, capacity)
        drawn = []
        for entry in smallest_first:
            if left[entry[2]] > 0:
                left[entry[2]] -= 1
                drawn.append(entry)
        return drawn

    def _kept(self) -> list[Entry[T]]:
        if not self.is_stratified:
            return self._overall
        every = {entry[1]: entry for heap in self._strata.values() for entry in heap}
        every.update((entry[1], entry) for entry in self._overall)
        return list(every.values())


def shares(counts: Mapping[str, int], capacity: int) -> dict[str, int]:
    """How many items each stratum gives, in proportion to its count: largest remainders."""
    total = sum(counts.values())
    if total <= capacity:
        return dict(counts)
    whole = {name: capacity * count // total for name, count in counts.items()}
    by_rest = sorted(counts, key=lambda name: (-(capacity * counts[name] % total), name))
    for name in by_rest[: capacity - sum(whole.values())]:
        whole[name] += 1
    return whole


def _offer(
    heap: list[Entry[T]], most: int, priority: float, at: int, stratum: str, item: T
) -> None:
    if len(heap) < most:
        heapq.heappush(heap, (priority, at, stratum, item))
    elif most and priority > heap[0][0]:
        heapq.heapreplace(heap, (priority, at, stratum, item))
