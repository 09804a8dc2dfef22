"""From answers to scores: each exact quality as a ratio of two means.

A quality q reaches its target exactly where E[gain] >= h E[cost], h being the target's threshold.
So D = gain - h cost is a score as the test wants it, and only h changes with the target:

| quality | gain | cost | h |
|---|---|---|---|
| accuracy, exact match | answered rightly | 1 | target |
| recall of a class | the same, in rows of the class | the row is of the class | target |
| precision of a class | the same, in rows answered with it | the row is answered with it | target |
| f1 of a class | true positive | not a true negative | target / (2 - target) |
| micro-f1 | 2 TP | 2 TP + FP + FN | target |
| bounded mean in [0, 1] | the row's value | 1 | target |
| within e of a baseline | value - baseline's value | 1 | -e |
| c times a baseline | value | baseline's value | c |

D is linear in (gain, cost), so its least and greatest possible values are found at the corners of
the region in which every unit's (gain, cost) must lie. The region is declared, never read from
the data. Where gain and cost are 0 or 1, D is a Bernoulli score on the rows with cost 1, and its
second moment at the boundary is known: h (1 - h). Else it is learned from the examples before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recommender.evidence.wealth import Floats, learned_second_moment, learned_share, log_wealth

Corners = tuple[tuple[float, float], ...]
"""Pairs (gain, cost); every unit's pair lies in their convex hull."""

EVERY_ROW: Corners = ((0.0, 1.0), (1.0, 1.0))
"""Each unit costs 1 and gains at most 1: accuracy, bounded means."""

SOME_ROWS: Corners = ((0.0, 0.0), *EVERY_ROW)
"""A unit may say nothing: precision, recall, f1, slices."""

DIFFERENCE: Corners = ((-1.0, 1.0), (1.0, 1.0))
"""Each unit costs 1, and gains what it is better than the baseline, between -1 and 1."""

RATIO: Corners = ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0))
"""A value and the baseline's value, each between 0 and 1."""

PRIOR_SHARE = 0.5
"""Before any example: the share of examples expected to have a cost. It never comes from the
sample's own counts, which would make the horizon depend on labels to come."""

PRIOR_MOMENT = 0.10
"""Of a bounded mean's score, before any example (evidence: k0 = 20 of them)."""

PAIRED_MOMENT = 0.05
"""Of a paired score: the difference is the same for most examples."""

LEAST_MOMENT = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """Scores and what the bets on them need, one path a row.

    scores: (paths, n), bound: (paths,), moment and informative: (paths, n or 1). See `log_wealth`.
    """

    scores: Floats
    bound: Floats
    moment: Floats
    informative: Floats

    @classmethod
    def joined(cls, parts: Sequence["Paths"]) -> "Paths":
        """All paths together; a shorter one goes on with scores of 0, which change no wealth."""
        n = max(part.scores.shape[1] for part in parts)
        return cls(
            np.concatenate([np.pad(part.scores, _more(part.scores, n)) for part in parts]),
            np.concatenate([part.bound for part in parts]),
            np.concatenate([np.pad(part.moment, _more(part.moment, n), "edge") for part in parts]),
            np.concatenate(
                [np.pad(part.informative, _more(part.informative, n), "edge") for part in parts]
            ),
        )

    def wealth(self, *, goal: ArrayLike, batch_ends: Sequence[int]) -> Floats:
        """The log wealth of each path, example by example: (paths, n)."""
        return log_wealth(
            self.scores,
            bound=self.bound,
            goal=goal,
            batch_ends=batch_ends,
            second_moment=self.moment,
            informative=self.informative,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Reduction:
    """One candidate's answers on n units, as the gains and costs of one quality.

    gain, cost: (n,) in the fixed order; a failed answer has the least gain and the most cost that
    its row can have. `corners` declares where they lie. `harmonic` marks f1: its threshold is
    target / (2 - target). `bernoulli` is declared too: gain and cost are 0 or 1, gain <= cost.
    `prior_moment` is the second moment that a score which is not Bernoulli starts from.
    """

    gain: Floats
    cost: Floats
    corners: Corners = EVERY_ROW
    harmonic: bool = False
    bernoulli: bool = True
    prior_moment: float = PRIOR_MOMENT

    @property
    def n(self) -> int:
        """The number of units answered so far."""
        return int(self.gain.size)

    @property
    def n_informative(self) -> int:
        """The units that say something about this quality."""
        return int(np.count_nonzero((self.gain != 0) | (self.cost != 0)))

    @property
    def always_informative(self) -> bool:
        """Whether every unit must say something about this quality."""
        return (0.0, 0.0) not in self.corners

    @property
    def estimate(self) -> float | None:
        """The quality on these units; None where no unit is informative."""
        if self.n and float(self.cost.sum()) > 0:
            return float(self.estimates()[-1])
        return None

    def estimates(self) -> Floats:
        """The quality on the first 1, 2, ... n units; NaN where none was informative: (n,)."""
        gain, cost = np.cumsum(self.gain), np.cumsum(self.cost)
        ratio = np.divide(gain, cost, out=np.full(self.n, np.nan), where=cost > 0)
        return np.asarray(2.0 * ratio / (1.0 + ratio) if self.harmonic else ratio)

    @property
    def least(self) -> float:
        """The least possible quality: 0, or -1 for a difference."""
        return min(gain / cost for gain, cost in self.corners if cost > 0)

    @property
    def greatest(self) -> float:
        """The greatest possible quality: 1, or infinity for a ratio to a baseline."""
        if any(gain > 0 >= cost for gain, cost in self.corners):
            return float("inf")
        return max(gain / cost for gain, cost in self.corners if cost > 0)

    def first(self, n: int) -> "Reduction":
        """The same for the first n units."""
        return replace(self, gain=self.gain[:n], cost=self.cost[:n])

    def threshold(self, targets: Floats) -> Floats:
        """h for each target."""
        return targets / (2.0 - targets) if self.harmonic else targets

    def paths(self, targets: Floats, *, above: bool = True) -> "Paths":
        """The scores for each target, as the test takes them.

        With `above=False` they are those of the opposite bet, that the target is missed. A target
        that cannot be missed (or met) has no boundary to bet against: its scores are all 0.
        """
        h = self.threshold(np.asarray(targets, dtype=np.float64))
        sign = 1.0 if above else -1.0
        scores = sign * (self.gain - h[:, None] * self.cost)
        gains, costs = np.array(self.corners).T
        extremes = sign * (gains - h[:, None] * costs)  # (targets, corners)
        bound, most = -extremes.min(axis=1), extremes.max(axis=1)
        testable = (bound > 1e-9) & (most > 1e-9)
        bound = np.where(testable, bound, 1.0)
        scores = np.where(testable[:, None], scores, 0.0)
        boundary = np.maximum(bound * most, LEAST_MOMENT)  # the largest moment of mean 0
        if not self.bernoulli:
            learned = learned_second_moment(scores, self.prior_moment)
            moment = np.clip(learned, LEAST_MOMENT, boundary[:, None])
            return Paths(scores, bound, moment, np.ones((len(h), 1)))
        if self.always_informative:
            return Paths(scores, bound, boundary[:, None], np.ones((len(h), 1)))
        share = learned_share((self.cost > 0).astype(np.float64)[None, :], PRIOR_SHARE)
        return Paths(scores, bound, boundary[:, None], np.repeat(share, len(h), axis=0))

    def wealth(
        self, targets: Floats, *, goal: float, batch_ends: Sequence[int], above: bool = True
    ) -> Floats:
        """The log wealth of the bet on each target, example by example: (targets, n)."""
        return self.paths(targets, above=above).wealth(goal=goal, batch_ends=batch_ends)

    def crosses(
        self, targets: Floats, *, goal: float, batch_ends: Sequence[int], above: bool = True
    ) -> NDArray[np.bool_]:
        """Whether the bet on each target has ever been won: (targets,) of bool."""
        if not self.n:
            return np.zeros(len(targets), dtype=bool)
        wealth = self.wealth(targets, goal=goal, batch_ends=batch_ends, above=above)
        return np.asarray(wealth.max(axis=1) >= goal)


def _more(part: Floats, n: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """What n columns lack, as `np.pad` takes it."""
    return (0, 0), (0, n - part.shape[1])
