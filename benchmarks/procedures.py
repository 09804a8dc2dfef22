"""Ways to find the smallest sufficient contender: ours and its competitors, on simulated worlds.

Each takes a SimulatedWorld and gives a Result. Costs are in MB x rows, loading counted as 16 rows.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import binom, norm

from recommender.evidence.wealth import MIXTURE, Floats, log_wealth
from recommender.search.contender import Standing, rungs
from recommender.search.study import search
from recommender.testing import (
    LOAD_ROWS,
    BudgetSpentError,
    SimulatedBench,
    SimulatedWorld,
)

DELTA = 0.05
POOL_SHARE = 0.8
"""Of delta: what the product keeps for the declared pool; the rest is its reserve."""

GIVE_UP = 0.05
"""A contender is raced out when its chance to be certified falls below this."""

HALVING = 3
"""Successive halving keeps a third of the contenders on three times the rows, four times."""

HALVING_RUNGS = 4
LEAST_POWER = 0.8
"""Of the one-contender test that defines `provable` and the oracle's rows."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Result:
    """What one procedure did in one world; `false`: it certified an insufficient contender."""

    answer: int | None
    false: bool
    row_cost: float
    cost: float
    touched: int


# ---------------------------------------------------------------------- the yardsticks
def provable(world: SimulatedWorld, n_rows: int) -> Mask:
    """Who would be proven with a power of 80 % if it were alone: one exact look at level delta."""
    least_right = binom.isf(DELTA, n_rows, world.target) + 1
    return np.asarray(binom.sf(least_right - 1, n_rows, world.quality) >= LEAST_POWER)


def oracle_cost(world: SimulatedWorld, n_rows: int) -> float:
    """What the true smallest sufficient contender takes alone, in MB x rows.

    The rows are those of a one-look normal test with a power of 80 % at level delta, at most all.
    """
    index = world.smallest(world.is_sufficient)
    assert index is not None
    q, target = float(world.quality[index]), world.target
    spread = norm.isf(DELTA) * (target * (1 - target)) ** 0.5
    spread += norm.ppf(LEAST_POWER) * (q * (1 - q)) ** 0.5
    rows = n_rows if q <= target else min(n_rows, (spread / (q - target)) ** 2)
    return float(world.size_mb[index] * rows)


# ---------------------------------------------------------------------- ours
def ours(world: SimulatedWorld, *, seed: int = 0) -> Result:
    """The ledger, and the search that our product runs."""
    return _of_bench(_searched(world, "cheapest", float("inf"), seed))


def tpe(world: SimulatedWorld, *, budget: float, seed: int = 0) -> Result:
    """The same ledger, with Optuna's TPE as the sampler, until the budget is spent."""
    return _of_bench(_searched(world, "tpe", budget, seed))


def _searched(world: SimulatedWorld, sampler: str, budget: float, seed: int) -> SimulatedBench:
    goals = world.goals(DELTA, POOL_SHARE)
    bench = SimulatedBench(world, goals, budget=budget)
    with suppress(BudgetSpentError):
        search(
            world.contenders(goals), bench.standings, bench.evaluate,
            target=world.target, n_units=bench.n_rows, minimize="size_mb",
            name="simulated", sampler=sampler, seed=seed,
        )  # fmt: skip
    return bench


def smallest_first(world: SimulatedWorld) -> Result:
    """The same ledger along the sizes, with racing and without a surrogate."""
    return _of_bench(_walked(SimulatedBench(world, world.goals(DELTA, POOL_SHARE))))


def mixture_bets(world: SimulatedWorld) -> Result:
    """aLTT-like: an e-process of constant bets, delta/K each, smallest first with racing."""
    return _of_bench(_walked(_MixtureBench(world, world.goals(DELTA))))


class _MixtureBench(SimulatedBench):
    """Constant bets only; on 0/1 answers their wealth depends on the two counts alone."""

    def _wealth(self) -> Floats:
        target = self.world.target
        right = self._n_right[:, : self.n_rows].astype(np.float64)
        wrong = np.arange(1, self.n_rows + 1) - right
        parts = [
            right * np.log1p(bet / target * (1 - target)) + wrong * np.log1p(-bet)
            for bet in MIXTURE
        ]
        return np.asarray(logsumexp(np.array(parts), axis=0) - np.log(len(MIXTURE)))

    def _is_certified(self, index: int, n_seen: int) -> bool:
        return bool(self._crossing[index] <= n_seen)


def _walked(bench: SimulatedBench) -> SimulatedBench:
    for index in np.argsort(bench.world.size_mb):
        if bench.evaluate(int(index), _hopeless).certified:
            break
    return bench


def _hopeless(standing: Standing) -> bool:
    return standing.chance < GIVE_UP


def _of_bench(bench: SimulatedBench) -> Result:
    false = not all(bench.world.is_sufficient[bench.certified])
    return Result(bench.answer, false, bench.row_cost, bench.cost, bench.n_touched)


# ---------------------------------------------------------------------- the competitors
def point_estimate(world: SimulatedWorld) -> Result:
    """Everything on all rows; the smallest whose share of right answers reaches the target."""
    passing = world.right.mean(axis=1) >= world.target
    return _fixed(world, passing, np.full(world.n_contenders, world.n_rows))


def bonferroni(world: SimulatedWorld) -> Result:
    """Everything on all rows; the exact lower bound at delta/K reaches the target."""
    p_values = binom.sf(world.right.sum(axis=1) - 1.0, world.n_rows, world.target)
    passing = p_values <= DELTA / world.n_contenders
    result = _fixed(world, passing, np.full(world.n_contenders, world.n_rows))
    return _any_false(world, passing, result)


def peeking(world: SimulatedWorld) -> Result:
    """Smallest first; at each rung an uncorrected exact 95 % bound passes or drops."""
    ends = np.array(rungs(world.n_rows))
    right = np.cumsum(world.right, axis=1, dtype=np.int32)[:, ends - 1]
    passes = binom.sf(right - 1, ends, world.target) <= DELTA
    drops = binom.cdf(right, ends, world.target) <= DELTA
    rows = np.zeros(world.n_contenders, dtype=np.int64)
    passing = np.zeros(world.n_contenders, dtype=bool)
    for index in np.argsort(world.size_mb):
        ended = passes[index] | drops[index]
        last = int(ended.argmax()) if ended.any() else len(ends) - 1
        rows[index], passing[index] = ends[last], passes[index, last]
        if passing[index]:
            break
    return _fixed(world, passing, rows)


def successive_halving(world: SimulatedWorld) -> Result:
    """A third goes on each time: the smallest of those at the target, then the nearest to it."""
    size, target = world.size_mb, world.target
    rows = np.zeros(world.n_contenders, dtype=np.int64)
    kept = np.arange(world.n_contenders)
    for rung in range(HALVING_RUNGS):
        n_seen = world.n_rows // HALVING ** (HALVING_RUNGS - 1 - rung)
        rows[kept] = n_seen
        mean = world.right[kept, :n_seen].mean(axis=1)
        order = np.lexsort((size[kept], np.maximum(0.0, target - mean)))
        if rung < HALVING_RUNGS - 1:
            kept = kept[order[: max(1, len(kept) // HALVING)]]
    passing = np.zeros(world.n_contenders, dtype=bool)
    passing[kept[mean >= target]] = True
    return _fixed(world, passing, rows)


def pareto_testing(world: SimulatedWorld) -> Result:
    """Half 1 gives the front and its order, half 2 tests in that order at full delta.

    B. Laufer-Goldshtein et al., "Efficiently controlling multiple risks with Pareto testing",
    ICLR 2023, arXiv 2210.07913.
    """
    half = world.n_rows // 2
    first, second = world.right[:, :half].sum(axis=1), world.right[:, half:].sum(axis=1)
    front = _front(world.size_mb, first)
    order = front[np.argsort(-first[front], kind="stable")]  # the smallest p-value first
    rows = np.full(world.n_contenders, half)
    passing = np.zeros(world.n_contenders, dtype=bool)
    for index in order:
        rows[index] = world.n_rows
        if binom.sf(second[index] - 1.0, world.n_rows - half, world.target) > DELTA:
            break
        passing[index] = True
    return _any_false(world, passing, _fixed(world, passing, rows))


def _front(size: Floats, n_right: NDArray[np.int64]) -> NDArray[np.int64]:
    """The indices that answer more rows rightly than everything smaller."""
    order = np.lexsort((-n_right, size))
    best_before = np.maximum.accumulate(np.concatenate([[-1], n_right[order][:-1]]))
    return np.asarray(order[n_right[order] > best_before])


def _fixed(world: SimulatedWorld, passing: Mask, rows: NDArray[np.int64]) -> Result:
    """The smallest that passes; false where that one is insufficient."""
    answer = world.smallest(passing)
    false = answer is not None and not world.is_sufficient[answer]
    size, row_cost = world.size_mb, float(rows @ world.size_mb)
    loading = LOAD_ROWS * float(size[rows > 0].sum())
    return Result(answer, bool(false), row_cost, row_cost + loading, int((rows > 0).sum()))


def _any_false(world: SimulatedWorld, passing: Mask, result: Result) -> Result:
    """The same where the procedure vouches for everything that passes."""
    false = bool((passing & ~world.is_sufficient).any())
    return Result(result.answer, false, result.row_cost, result.cost, result.touched)


Procedure = Callable[[SimulatedWorld], Result]

PROCEDURES: dict[str, Procedure] = {
    "point estimate, exhaustive": point_estimate,
    "uncorrected peeking": peeking,
    "successive halving": successive_halving,
    "Clopper-Pearson + Bonferroni, exhaustive": bonferroni,
    "Pareto Testing 50/50": pareto_testing,
    "aLTT-like e-process": mixture_bets,
    "ours, smallest first, no surrogate": smallest_first,
    "ours": ours,
}
"""By the name in the table; TPE comes last, with the budget that ours took (`with_tpe`)."""


def with_tpe(world: SimulatedWorld, spent: float) -> Procedure:
    """TPE with the budget that ours spent in the same world."""
    return partial(tpe, budget=spent)


# ---------------------------------------------------------------------- the exact sequential test
def exact_sequential_power(n_rows: int, target: float, quality: float, alpha: float) -> float:
    """The power of the exact sequential binomial test with the same looks, by its distribution.

    Its boundary is of the shape of S. K. Wang and A. A. Tsiatis (Biometrics 43, 1987) with 0.25,
    as low as the level allows.
    """
    low, high = 0.0, 8.0  # invariant: high keeps the level
    for _ in range(40):
        middle = (low + high) / 2
        kept = _crossing(_boundary(n_rows, target, middle), target) <= alpha
        low, high = (low, middle) if kept else (middle, high)
    return _crossing(_boundary(n_rows, target, high), quality)


def quality_for_power(n_rows: int, target: float, alpha: float, power: float) -> float:
    """The quality at which one exact look has this power, by bisection."""
    least_right = binom.isf(alpha, n_rows, target) + 1
    low, high = target, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        enough = binom.sf(least_right - 1, n_rows, middle) >= power
        low, high = (low, middle) if enough else (middle, high)
    return high


def betting_power(
    n_rows: int, target: float, quality: float, alpha: float, *, n_paths: int, seed: int
) -> float:
    """The share of simulated paths on which our bet on the target is won."""
    draw = np.random.default_rng(seed)
    right = (draw.random((n_paths, n_rows)) < quality).astype(np.float64)
    wealth = log_wealth(
        right - target, bound=target, goal=-np.log(alpha), batch_ends=[n_rows],
        second_moment=target * (1 - target),
    )  # fmt: skip
    return float((wealth.max(axis=1) >= -np.log(alpha)).mean())


def _boundary(n_rows: int, target: float, height: float) -> Floats:
    at = np.arange(1, n_rows + 1)
    spread = (n_rows * target * (1 - target)) ** 0.5 * (at / n_rows) ** 0.25
    return np.asarray(np.ceil(at * target + height * spread - 1e-9))


def _crossing(boundary: Floats, quality: float) -> float:
    """The chance that the count of right answers ever reaches the boundary."""
    mass, crossed = np.zeros(len(boundary) + 1), 0.0
    mass[0] = 1.0
    for at, least in enumerate(boundary.astype(int), start=1):
        mass[1 : at + 1] = mass[1 : at + 1] * (1 - quality) + mass[:at] * quality
        mass[0] *= 1 - quality
        crossed += mass[least : at + 1].sum()
        mass[least : at + 1] = 0.0
    return float(crossed)
