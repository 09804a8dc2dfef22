"""The open mode: screen on A, certify on B (evidence for pools that cannot be declared).

A fifth of the units may be searched in any way. What looks good there is promoted, one candidate
after the other, and tested once on the rest, where the m-th promoted candidate owns
0.2 * 0.8^(m-1) of delta: the sum over all m is delta. Nothing that was seen on B may decide who is
promoted, in which order, or at which level; that is what HeldOut enforces.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Held = TypeVar("Held")

SCREENED = 0.2
"""The share of the units that may be searched freely."""

PROMOTED_FROM = 0.25
"""A candidate is promoted when its chance to be certified on B is at least this."""

MOST_APPROXIMATE = 3
"""Candidates that an approximate metric is tested for; each owns a third of delta."""


class NotPromoted(RuntimeError):
    """Held-out rows were asked for on behalf of a candidate that was not promoted."""


def level(m: int, delta: float, *, approximate: bool = False) -> float | None:
    """What the m-th promoted candidate (from 1) owns of delta; None where nothing is left."""
    if approximate:
        return delta / MOST_APPROXIMATE if m <= MOST_APPROXIMATE else None
    return delta * 0.2 * 0.8 ** (m - 1)


def n_screened(n_units: int) -> int:
    """The number of leading units that A has."""
    return max(1, round(SCREENED * n_units))


@dataclass(slots=True)
class HeldOut(Generic[Held]):
    """What is held back for certifying; it opens for promoted candidates only.

    `promote` fixes a candidate's level before anything of B is read for it. After a certificate
    nobody else is promoted.
    """

    delta: float
    approximate: bool
    _read: Callable[[], Held]
    _levels: dict[str, float] = field(default_factory=dict)
    is_closed: bool = False

    @property
    def next_level(self) -> float | None:
        """What the next candidate would own of delta."""
        return level(len(self._levels) + 1, self.delta, approximate=self.approximate)

    def has(self, name: str) -> bool:
        """Whether a candidate was promoted."""
        return name in self._levels

    def promote(self, name: str) -> float:
        """The level of the next candidate; NotPromoted where no share of delta is left for it."""
        if self.is_closed:
            raise NotPromoted(f"{name} came after the certificate: B is closed")
        if name in self._levels:
            raise NotPromoted(f"{name} was promoted already: each candidate has one look")
        share = self.next_level
        if share is None:
            raise NotPromoted(f"nothing of delta is left for {name}")
        self._levels[name] = share
        return share

    def open(self, name: str) -> Held:
        """B, for a promoted candidate; NotPromoted for any other."""
        if name not in self._levels:
            raise NotPromoted(f"{name} was not promoted: the held-out rows stay closed to it")
        return self._read()

    def close(self) -> None:
        """A certificate was given: the test is over."""
        self.is_closed = True
