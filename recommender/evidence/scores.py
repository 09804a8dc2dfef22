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

Where gain and cost are 0 or 1, D is a Bernoulli score on the rows with cost 1, and its second
moment at the boundary is known: h (1 - h). Else it is learned from the examples before.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.evidence.wealth import Floats, learned_second_moment, learned_share, log_wealth

PRIOR_SHARE = 0.5
"""Before any example: the share of examples expected to have a cost. It never comes from the
sample's own counts, which would make the horizon depend on labels to come."""

PRIOR_MOMENT = 0.10
"""Of a bounded mean's score, before any example (evidence: k0 = 20 of them)."""

PAIRED_MOMENT = 0.05
"""Of a paired difference's score: the same for most examples."""


@dataclass(frozen=True, slots=True, eq=False)
class Reduction:
    """One candidate's answers on n units, as the gains and costs of one quality.

    gain, cost: (n,) in the fixed order; a failed answer has the least gain and the most cost that
    its row can have. least_gain and most_cost are declared, not read from the data; with them no
    score is below -b. `harmonic` marks f1: its threshold is target / (2 - target). `bernoulli`
    is declared too: gain and cost are 0 or 1, and gain <= cost.
    """

    gain: Floats
    cost: Floats
    least_gain: float = 0.0
    most_gain: float = 1.0
    most_cost: float = 1.0
    harmonic: bool = False
    bernoulli: bool = True
    always_informative: bool = True
    prior_moment: float = PRIOR_MOMENT

    @property
    def n(self) -> int:
        """The number of units answered so far."""
        return int(self.gain.size)

    @property
    def n_informative(self) -> int:
        """The units that say something about this quality."""
        return int(np.count_nonzero(self.cost))

    @property
    def estimate(self) -> float | None:
        """The quality on these units; None where no unit is informative."""
        total = float(self.cost.sum())
        if total <= 0:
            return None
        ratio = float(self.gain.sum()) / total
        return 2 * ratio / (1 + ratio) if self.harmonic else ratio

    def first(self, n: int) -> "Reduction":
        """The same for the first n units."""
        return Reduction(
            self.gain[:n], self.cost[:n], self.least_gain, self.most_gain, self.most_cost,
            self.harmonic, self.bernoulli, self.always_informative, self.prior_moment,
        )  # fmt: skip

    def threshold(self, targets: Floats) -> Floats:
        """h for each target."""
        return targets / (2.0 - targets) if self.harmonic else targets

    def wealth(
        self, targets: Floats, *, goal: float, batch_ends: Sequence[int], above: bool = True
    ) -> Floats:
        """The log wealth of the bet that each target is met, example by example: (targets, n).

        With `above=False` the bet is on the opposite: that the target is missed. A target that
        cannot be missed (or met) has no boundary to bet against and keeps a wealth of 1.
        """
        h = self.threshold(np.asarray(targets, dtype=np.float64))
        scores = self.gain - h[:, None] * self.cost
        bound = np.maximum(h * self.most_cost - self.least_gain, -self.least_gain)
        if not above:
            scores = -scores
            bound = np.full_like(h, self.most_gain) - np.minimum(0.0, h) * self.most_cost
            if self.bernoulli:
                bound = 1.0 - h
        testable = bound > 1e-9
        bound = np.where(testable, bound, 1.0)
        scores = np.where(testable[:, None], scores, 0.0)
        if self.bernoulli:
            moment: Floats = np.maximum(h * (1.0 - h), 1e-6)
        else:
            moment = learned_second_moment(scores, self.prior_moment)
        share: Floats | float = 1.0
        if not self.always_informative:
            told = (self.cost > 0).astype(np.float64)[None, :]
            share = np.repeat(learned_share(told, PRIOR_SHARE), len(h), axis=0)
        return log_wealth(
            scores,
            bound=bound,
            goal=goal,
            batch_ends=batch_ends,
            second_moment=moment,
            informative=share,
        )

    def crosses(
        self, targets: Floats, *, goal: float, batch_ends: Sequence[int], above: bool = True
    ) -> NDArray[np.bool_]:
        """Whether the bet on each target has ever been won: (targets,) of bool."""
        if not self.n:
            return np.zeros(len(targets), dtype=bool)
        wealth = self.wealth(targets, goal=goal, batch_ends=batch_ends, above=above)
        return np.asarray(wealth.max(axis=1) >= goal)
