"""A random part of a stream, in constant memory."""

import random
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


class Reservoir(Iterable[T]):
    """At most `capacity` items of a stream, each subset as likely as any other, in its order.

    Algorithm R (Vitter, Random Sampling with a Reservoir, ACM TOMS 11(1), 1985, section 2).
    `n_seen` is the length of the stream so far.
    """

    def __init__(self, capacity: int | None, seed: int) -> None:
        self.n_seen = 0
        self._capacity = capacity
        self._random = random.Random(seed)  # noqa: S311 - a sample, not a secret
        self._kept: list[tuple[int, T]] = []

    def add(self, item: T) -> None:
        """Show the next item of the stream."""
        at = self.n_seen
        self.n_seen += 1
        if self._capacity is None or at < self._capacity:
            self._kept.append((at, item))
            return
        slot = self._random.randrange(self.n_seen)
        if slot < self._capacity:
            self._kept[slot] = (at, item)

    def __iter__(self) -> Iterator[T]:
        return (item for _, item in sorted(self._kept, key=lambda pair: pair[0]))
