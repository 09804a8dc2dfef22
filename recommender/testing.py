"""Simulated worlds with known truth, and an evaluator that answers from them.

For tests and benchmarks of the search and its guarantee: nothing here is a measurement. Every
figure comes from a seeded generator, so the true quality of each simulated contender is known and
a false certificate can be counted.

The realistic world: a quarter as many families as contenders, the logarithm of their parameters
uniform over 5M to 1.5B, accuracy linear in it from .72 to .945 plus N(0, .03), four recipes each,
and correlated answers (a probit item response model: one difficulty a row, one leaning a family
and row, one noise a contender and row).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from recommender.evidence.bounds import is_certified
from recommender.evidence.predictive import chance_from_counts
from recommender.evidence.scores import Reduction
from recommender.evidence.wealth import Floats, log_wealth
from recommender.search.contender import FIRST_RUNG, Contender, Report, Standing, rungs

RECIPES = ("fp32", "bf16", "int8", "pruned-int4")
MB_PER_M = np.array([4.0, 2.0, 1.0, 0.6])
"""Size of each recipe, in MB for a million parameters."""

FEWEST_PARAMETERS, MOST_PARAMETERS = 5e6, 1.5e9
LEAST_ACCURACY, MOST_ACCURACY = 0.72, 0.945
FAMILY_SD = 0.03

SHARED_DIFFICULTY, FAMILY_LEANING = 0.66, 0.24
"""Variances of the latent answer, of 1 in all: correctness then correlates by about .38 between
families and .66 within one (at an accuracy of .9)."""

SHORTFALL = 1e-4
"""How far below the target the contenders of the least favourable world are."""

PUBLISHED_MARGIN = 0.02
UNIFORM_SHARE = 0.3
"""Weights from published results: .3/K + .7 P(quality >= target + .02 | published)/sum."""

ROW_S_PER_MB = 1e-4
LOAD_ROWS = FIRST_RUNG
"""Loading a contender takes as long as answering this many rows with it."""


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedWorld:
    """K contenders and their answers to n rows, in the one fixed order.

    quality: (K,), the true accuracy of each. right: (K, n) of 0 and 1. published: (K,), accuracies
    on other data, or None where nothing was published.
    """

    target: float
    quality: Floats
    n_parameters: Floats
    family: NDArray[np.int64]
    recipe: NDArray[np.int64]
    right: NDArray[np.uint8]
    published: Floats | None = None
    published_sd: float = 0.0

    @property
    def n_contenders(self) -> int:
        """K."""
        return int(self.quality.size)

    @property
    def n_rows(self) -> int:
        """The rows that could be labelled."""
        return int(self.right.shape[1])

    @property
    def size_mb(self) -> Floats:
        """(K,), what each contender weighs."""
        return np.asarray(self.n_parameters / 1e6 * MB_PER_M[self.recipe])

    @property
    def is_sufficient(self) -> NDArray[np.bool_]:
        """(K,), the truth that no search may see."""
        return np.asarray(self.quality >= self.target)

    def smallest(self, allowed: NDArray[np.bool_]) -> int | None:
        """The index of the smallest contender among the allowed ones, (K,) of bool."""
        if not allowed.any():
            return None
        return int(np.where(allowed, self.size_mb, np.inf).argmin())

    def weights(self) -> Floats:
        """(K,), summing to 1: equal, or by what was published, which is independent of `right`."""
        k = self.n_contenders
        if self.published is None:
            return np.full(k, 1 / k)
        over = (self.published - self.target - PUBLISHED_MARGIN) / self.published_sd
        likely = _normal_cdf(over) + 1e-9
        return np.asarray(UNIFORM_SHARE / k + (1 - UNIFORM_SHARE) * likely / likely.sum())

    def goals(self, delta: float, share: float = 1.0) -> Floats:
        """(K,), log(1/alpha) where the pool has this share of delta."""
        return np.asarray(-np.log(self.weights() * delta * share))

    def contenders(self, goals: Floats) -> list[Contender]:
        """What the search may know before any label."""
        return [self._contender(index, float(goals[index])) for index in range(self.n_contenders)]

    def _contender(self, index: int, goal: float) -> Contender:
        size = float(self.size_mb[index])
        recipe = RECIPES[self.recipe[index]]
        family = f"family-{self.family[index]}"
        return Contender(
            name=f"{family}/{index}-{recipe}",
            cost=size,
            cost_is_known=True,
            n_parameters=float(self.n_parameters[index]),
            family=family,
            recipe=recipe,
            prior_quality=None if self.published is None else float(self.published[index]),
            goal=goal,
            fixed_s=LOAD_ROWS * ROW_S_PER_MB * size,
            row_s=ROW_S_PER_MB * size,
            download_mb=size,
            model=family,
        )


# ---------------------------------------------------------------------- the worlds
def realistic(
    n_contenders: int, n_rows: int, seed: Sequence[int], *, target: float = 0.9,
    most_accuracy: float = MOST_ACCURACY, cap: float = 0.99, published_sd: float = 0.0,
) -> SimulatedWorld:  # fmt: skip
    """Accuracy grows with size, with luck; published_sd > 0 adds results on other data."""
    draw = np.random.default_rng(seed)
    n_families = -(-n_contenders // len(RECIPES))
    place = draw.random(n_families)
    parameters = FEWEST_PARAMETERS * (MOST_PARAMETERS / FEWEST_PARAMETERS) ** place
    accuracy = LEAST_ACCURACY + (most_accuracy - LEAST_ACCURACY) * place
    accuracy = accuracy + draw.normal(0, FAMILY_SD, n_families)
    family, recipe = _grid(n_contenders)
    quality = np.clip(accuracy[family] + _recipe_effects(draw, recipe), 0.3, cap)
    published = quality + draw.normal(0, published_sd, n_contenders) if published_sd else None
    right = _correlated_answers(draw, quality, family, n_rows)
    return SimulatedWorld(
        target, quality, parameters[family], family, recipe, right, published, published_sd
    )


def hopeless(n_contenders: int, n_rows: int, seed: Sequence[int]) -> SimulatedWorld:
    """Nobody is sufficient; the largest come close."""
    return realistic(n_contenders, n_rows, seed, most_accuracy=0.89, cap=0.898)


def dense(n_contenders: int, n_rows: int, seed: Sequence[int]) -> SimulatedWorld:
    """The curve ends just above the target: many contenders are too close to tell."""
    return realistic(n_contenders, n_rows, seed, most_accuracy=0.905)


def least_favourable(
    n_contenders: int, n_rows: int, seed: Sequence[int], *, correlated: bool = False,
    target: float = 0.9,
) -> SimulatedWorld:  # fmt: skip
    """All contenders are just below the target: every certificate is false."""
    draw = np.random.default_rng(seed)
    family, recipe = _grid(n_contenders)
    quality = np.full(n_contenders, target - SHORTFALL)
    if correlated:
        right = _correlated_answers(draw, quality, family, n_rows)
    else:
        right = (draw.random((n_contenders, n_rows)) < target - SHORTFALL).astype(np.uint8)
    parameters = _spread_parameters(draw, family)
    return SimulatedWorld(target, quality, parameters, family, recipe, right)


def twins(
    n_pairs: int, n_rows: int, seed: Sequence[int], *, correlation: float, target: float = 0.9
) -> SimulatedWorld:
    """Pairs just below the target: contenders 2i and 2i + 1 answer alike.

    The sibling copies its twin's answer with a chance of `correlation` and else draws its own, so
    the correlation of their correctness is exactly that.
    """
    draw = np.random.default_rng(seed)
    quality = np.full(2 * n_pairs, target - SHORTFALL)
    right = (draw.random((2 * n_pairs, n_rows)) < target - SHORTFALL).astype(np.uint8)
    copied = draw.random((n_pairs, n_rows)) < correlation
    right[1::2] = np.where(copied, right[::2], right[1::2])
    family = np.arange(2 * n_pairs) // 2
    recipe = np.arange(2 * n_pairs) % 2
    return SimulatedWorld(target, quality, _spread_parameters(draw, family), family, recipe, right)


# ---------------------------------------------------------------------- the evaluator
class SimulatedBench:
    """Answers rungs of rows for the search, and counts what that takes.

    Wealth is computed from the stored answers in their order; the wealth of a prefix is the prefix
    of the wealth, so one call serves every rung. `standings` is what the search shares with it.
    """

    def __init__(
        self, world: SimulatedWorld, goals: Floats, *, n_rows: int | None = None,
        budget: float = float("inf"),
    ) -> None:  # fmt: skip
        self.world = world
        self.goals = goals
        self.budget = budget
        self.batch_ends: list[int] = []
        self.standings: dict[int, Standing] = {}
        self.seen = np.zeros(world.n_contenders, dtype=np.int64)
        self._n_right = np.cumsum(world.right, axis=1, dtype=np.int32)
        self.add_labels(world.n_rows if n_rows is None else n_rows)

    @property
    def n_rows(self) -> int:
        """The rows with labels so far."""
        return self.batch_ends[-1]

    @property
    def certified(self) -> list[int]:
        """The indices of the certified contenders."""
        return [index for index, standing in self.standings.items() if standing.certified]

    @property
    def answer(self) -> int | None:
        """The smallest certified contender."""
        return min(self.certified, key=lambda index: self.world.size_mb[index], default=None)

    @property
    def n_touched(self) -> int:
        """The contenders that were loaded at least once."""
        return int(np.count_nonzero(self.seen))

    @property
    def row_cost(self) -> float:
        """MB x rows answered: what the rows alone took."""
        return float(self.seen @ self.world.size_mb)

    @property
    def cost(self) -> float:
        """MB x rows, loading included."""
        return self.row_cost + LOAD_ROWS * float(self.world.size_mb[self.seen > 0].sum())

    def wealth_seen(self) -> Floats:
        """(K,), each contender's log wealth after the rows that it answered."""
        last = self.log_wealth[np.arange(self.seen.size), np.maximum(self.seen - 1, 0)]
        return np.where(self.seen > 0, last, 0.0)

    def add_labels(self, end: int) -> None:
        """A new batch of labels, up to `end` rows; what was paused or undecided may go on."""
        self.batch_ends.append(end)
        self.log_wealth = self._wealth()
        won = self.log_wealth >= self.goals[:, None]
        self._crossing = np.where(won.any(axis=1), won.argmax(axis=1) + 1, end + 1)
        for index, standing in list(self.standings.items()):
            if not standing.certified:
                self.standings[index] = self._standing(index, standing.n_seen)

    def evaluate(self, index: int, report: Report) -> Standing:
        """Answers rung after rung until the contender is certified, finished or stopped."""
        standing = self._standing(index, int(self.seen[index]))
        for end in rungs(self.n_rows):
            if standing.finished:
                break
            if end <= self.seen[index]:
                continue
            if self.cost >= self.budget:
                raise BudgetSpentError(f"the budget of {self.budget:g} MB x rows is spent")
            self.seen[index] = end
            standing = self.standings[index] = self._standing(index, end)
            if report(standing):
                break
        self.standings[index] = standing
        return standing

    def _wealth(self) -> Floats:
        """(K, rows so far), the log wealth of each contender's bet on the target."""
        target = self.world.target
        return log_wealth(
            self.world.right[:, : self.n_rows].astype(np.float64) - target,
            bound=target,
            goal=self.goals,
            batch_ends=self.batch_ends,
            second_moment=target * (1 - target),
        )

    def _standing(self, index: int, n_seen: int) -> Standing:
        certified = self._is_certified(index, n_seen)
        n_right = int(self._n_right[index, n_seen - 1]) if n_seen else 0
        return Standing(
            n_seen=n_seen,
            mean=n_right / n_seen if n_seen else None,
            chance=1.0 if certified else self._chance(index, n_right, n_seen),
            certified=certified,
            accepted=certified,
            finished=certified or n_seen == self.n_rows,
            cost=float(self.world.size_mb[index]),
        )

    def _is_certified(self, index: int, n_seen: int) -> bool:
        """The bet on the target was won, and so were those on all lower targets of the grid."""
        if self._crossing[index] > n_seen:
            return False
        return is_certified(
            Reduction(self.world.right[index, :n_seen].astype(np.float64), np.ones(n_seen)),
            self.world.target,
            goal=float(self.goals[index]),
            batch_ends=self.batch_ends,
        )

    def _chance(self, index: int, n_right: int, n_seen: int) -> float:
        return chance_from_counts(
            n_seen - n_right,
            n_right,
            threshold=self.world.target,
            goal=float(self.goals[index]),
            n_informative=self.n_rows,
        )


class BudgetSpentError(RuntimeError):
    """The simulated evaluator's budget is spent."""


# ---------------------------------------------------------------------- the draws
def _grid(n_contenders: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    each = np.arange(n_contenders)
    return each // len(RECIPES), each % len(RECIPES)


def _spread_parameters(draw: np.random.Generator, family: NDArray[np.int64]) -> Floats:
    place = draw.random(int(family.max()) + 1)
    return np.asarray(FEWEST_PARAMETERS * (MOST_PARAMETERS / FEWEST_PARAMETERS) ** place[family])


def _recipe_effects(draw: np.random.Generator, recipe: NDArray[np.int64]) -> Floats:
    """fp32 0, bf16 +-.001, int8 -.004 +- .004, pruned-int4 -.03 +- .02."""
    mean, sd = np.array([0.0, 0.0, -0.004, -0.03]), np.array([0.0, 0.001, 0.004, 0.02])
    return np.asarray(mean[recipe] + sd[recipe] * draw.standard_normal(recipe.size))


def _correlated_answers(
    draw: np.random.Generator, quality: Floats, family: NDArray[np.int64], n_rows: int
) -> NDArray[np.uint8]:
    """(K, n) of 0 and 1: right where the latent answer is below the quality's normal quantile."""
    own = 1 - SHARED_DIFFICULTY - FAMILY_LEANING
    latent = draw.standard_normal((quality.size, n_rows), dtype=np.float32) * np.float32(own**0.5)
    leaning = draw.standard_normal((int(family.max()) + 1, n_rows), dtype=np.float32)
    latent += (leaning * np.float32(FAMILY_LEANING**0.5))[family]
    latent += draw.standard_normal(n_rows, dtype=np.float32) * np.float32(SHARED_DIFFICULTY**0.5)
    cut = np.array([NormalDist().inv_cdf(q) for q in quality], dtype=np.float32)
    return (latent < cut[:, None]).astype(np.uint8)


def _normal_cdf(values: Floats) -> Floats:
    return np.array([NormalDist().cdf(value) for value in values])
