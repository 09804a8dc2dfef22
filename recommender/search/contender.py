"""A candidate as the search sees it, and what is known of it so far."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

LEAST_CHANCE = 0.05
"""Below this chance to be certified a contender is raced out. With 0.15 a fifth of the work would
be saved, and 2 to 8 answers in 100 lost."""

FIRST_RUNG = 16
"""The fewest units after which racing may pause a contender."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A candidate as the search sees it: what metadata tells before anything is run.

    cost: the objective as far as metadata tells (a predicted size in MB); `cost_is_known` is False
        where it must be measured, as latency: then no cost ends the search.
    goal: log(1/alpha), the wealth that certifies it.
    fixed_s, row_s: expected seconds to fetch, build and load it, and for each unit.
    model: recipes with the same name here share a download and much of their quality; the
        contender's own name where nothing is given.
    """

    name: str
    cost: float
    cost_is_known: bool
    n_parameters: float | None
    family: str
    recipe: str
    prior_quality: float | None
    goal: float
    fixed_s: float
    row_s: float
    download_mb: float = 0.0
    model: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one contender so far.

    n_seen: units answered. mean: the estimated quality of the binding condition.
    chance: that it will be certified with the units there are, by the flat prior; 1 where it is
        certified, 0 where it failed.
    accepted: certified and within every limit. finished: nothing more to run.
    cost: the measured objective. informative: the share of the units that says something of the
        binding condition (1 for accuracy).
    """

    n_seen: int
    mean: float | None
    chance: float
    certified: bool
    accepted: bool
    finished: bool
    cost: float | None
    failed: bool = False
    informative: float = 1.0


@dataclass(frozen=True, slots=True)
class Ending:
    """Why the search ended, and what it left out.

    raced_out: given up before all units. skipped: never run, and not likely enough to be
    certified. excluded: never run, and predicted to cost no less than the choice.
    saved_mb: the downloads of models that were never fetched.
    """

    reason: str
    raced_out: int
    skipped: int
    excluded: int
    saved_mb: float


Report = Callable[[Standing], bool]
"""Told after each rung; True means: stop here, it is raced out."""


def rungs(n: int, first: int = FIRST_RUNG) -> tuple[int, ...]:
    """The numbers of units after which racing may pause: 16, 24, 32, 48, ... up to n itself.

    The first one is the first that is at least `first`.
    """
    found = []
    step = FIRST_RUNG
    while step < n:
        found += [at for at in (step, step * 3 // 2) if first <= at < n]
        step *= 2
    return (*found, n)


def first_rung(fixed_s: float, row_s: float) -> int:
    """The units that cost as much as fetching and loading do: fewer would waste the loading."""
    if row_s <= 0:
        return FIRST_RUNG
    return max(FIRST_RUNG, ceil(fixed_s / row_s))
