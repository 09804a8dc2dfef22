"""The whole search on simulated worlds with known truth: what is certified must be true.

Limits are those of a valid method: with an error of 5 % it exceeds them once in 10,000 times.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import optuna
import pytest
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.trial import TrialState
from scipy.stats import binom

from recommender.evidence.wealth import Floats, log_wealth
from recommender.search.contender import Report, Standing
from recommender.search.study import search
from recommender.testing import (
    SimulatedBench,
    SimulatedWorld,
    hopeless,
    least_favourable,
    realistic,
    twins,
)

DELTA = 0.05


def limit(runs: int) -> float:
    """The most false certificates among the runs of a valid method, but once in 10,000 times."""
    return float(binom.ppf(1 - 1e-4, runs, DELTA))


def run(
    bench: SimulatedBench,
    *,
    evaluate: Callable[[int, Report], Standing] | None = None,
    storage: Path | None = None,
    standings: dict[int, Standing] | None = None,
) -> None:
    """One search through the real Optuna loop."""
    search(
        bench.world.contenders(bench.goals),
        bench.standings if standings is None else standings,
        evaluate or bench.evaluate,
        target=bench.world.target,
        n_units=bench.n_rows,
        minimize="size_mb",
        name=f"simulated-{bench.n_rows}",
        storage=storage,
    )


def is_false(bench: SimulatedBench) -> bool:
    return not all(bench.world.is_sufficient[bench.certified])


def read_through(bench: SimulatedBench) -> SimulatedBench:
    """Every contender to the last row: whatever a search certifies, this does too."""
    for index in range(bench.world.n_contenders):
        bench.evaluate(index, lambda standing: False)
    return bench


# ---------------------------------------------------------------------- the worlds
def test_the_realistic_world_is_correlated_as_described() -> None:
    """Correctness correlates by about .38 between families and .66 within one."""
    world = realistic(200, 3000, (0, 0))
    near = np.flatnonzero(abs(world.quality - world.target) < 0.03)
    correlation = np.corrcoef(world.right[near])
    same = world.family[near, None] == world.family[None, near]
    others = ~np.eye(near.size, dtype=bool)
    assert correlation[~same].mean() == pytest.approx(0.38, abs=0.04)
    assert correlation[same & others].mean() == pytest.approx(0.66, abs=0.05)


def test_answers_have_the_true_quality() -> None:
    """The share of right answers is the quality, within its sampling error."""
    world = realistic(40, 4000, (0, 1))
    errors = np.sqrt(world.quality * (1 - world.quality) / world.n_rows)
    assert (abs(world.right.mean(axis=1) - world.quality) < 4.5 * errors).all()


@pytest.mark.parametrize("correlation", [0.5, 0.98])
def test_twins_answer_alike(correlation: float) -> None:
    """The correlation of two siblings' correctness is the one asked for."""
    world = twins(20, 4000, (0, 2), correlation=correlation)
    found = [np.corrcoef(pair)[0, 1] for pair in world.right.reshape(20, 2, -1)]
    assert np.mean(found) == pytest.approx(correlation, abs=0.03)


def test_a_rung_reads_only_its_own_rows() -> None:
    """Answers that were not asked for change no standing so far."""
    world = realistic(8, 200, (0, 3))
    other = world.right.copy()
    other[:, 64:] = 1 - other[:, 64:]
    changed = replace(world, right=other)
    stops = [SimulatedBench(w, w.goals(DELTA)) for w in (world, changed)]
    first, second = (bench.evaluate(3, lambda s: s.n_seen == 64) for bench in stops)
    assert first == second
    assert first.n_seen == 64


# ---------------------------------------------------------------------- validity through the loop
def grow(bench: SimulatedBench, most: int) -> None:
    """Search; where nothing is certified, ask for as many more labels as the results suggest."""
    run(bench)
    while not bench.certified and bench.n_rows < most:
        hope = float((bench.wealth_seen() - bench.goals).max())
        bench.add_labels(min(most, bench.n_rows + (20 if hope > -3.0 else 60)))
        run(bench)


@pytest.mark.parametrize(("correlated", "runs"), [(False, 200), (True, 60)])
def test_the_least_favourable_world_with_adaptive_labels(correlated: bool, runs: int) -> None:
    """All contenders are just below the target, and labels come as the results ask for them."""
    count = 0
    for number in range(runs):
        world = least_favourable(16, 240, (1, number), correlated=correlated)
        bench = SimulatedBench(world, world.goals(DELTA), n_rows=120)
        grow(bench, most=240)
        count += is_false(bench)
    assert count <= limit(runs)
    assert count > 0 or correlated, "a search that certifies nothing proves nothing here"


@pytest.mark.parametrize("correlation", [0.5, 0.9, 0.98])
def test_twins_through_the_loop(correlation: float) -> None:
    """Siblings that answer alike give no more false certificates than strangers."""
    count = 0
    for number in range(50):
        world = twins(8, 150, (2, number), correlation=correlation)
        bench = SimulatedBench(world, world.goals(DELTA))
        run(bench)
        count += is_false(bench)
    assert count <= limit(50)


def test_a_hopeless_world_ends_without_an_answer() -> None:
    """Where nobody is sufficient the search ends, nearly always empty-handed, after few rows."""
    count, share = 0, []
    for number in range(30):
        world = hopeless(32, 300, (3, number))
        bench = SimulatedBench(world, world.goals(DELTA))
        run(bench)
        count += is_false(bench)
        share.append(bench.row_cost / (world.size_mb.sum() * world.n_rows))
    assert count <= limit(30)
    assert np.mean(share) < 0.5


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_parallel_workers_share_a_study(tmp_path: Path) -> None:
    """Two workers never run one contender at once, and their certificates stay valid."""
    count = 0
    for number in range(2):
        world = least_favourable(8, 120, (4, number))
        bench = SimulatedBench(world, world.goals(DELTA))
        work_in_parallel(bench, tmp_path / f"{number}.db")
        assert (bench.seen > 0).all(), "with all alike, each is worth a look"
        count += is_false(bench)
    assert count <= limit(2)


def work_in_parallel(bench: SimulatedBench, storage: Path) -> None:
    """Two threads search on one stored study; whatever one raises is raised here."""
    evaluate = exclusive(bench)
    with ThreadPoolExecutor(2) as pool:
        works = [
            pool.submit(run, bench, evaluate=evaluate, storage=storage, standings={})
            for _ in range(2)
        ]
    for work in works:
        work.result()


def exclusive(bench: SimulatedBench) -> Callable[[int, Report], Standing]:
    """The bench's `evaluate`, which fails where a contender is run twice at once."""
    running: set[int] = set()
    lock = Lock()

    def evaluate(index: int, report: Report) -> Standing:
        with lock:
            assert index not in running
            running.add(index)
        try:
            return bench.evaluate(index, report)
        finally:
            with lock:
                running.discard(index)

    return evaluate


@pytest.mark.parametrize("rungs_before", [1, 4, 7])
def test_a_killed_search_goes_on(rungs_before: int, tmp_path: Path) -> None:
    """Killed amid a contender, the same question ends with the same answer."""
    world = realistic(16, 300, (5, 1), target=0.85)
    whole = SimulatedBench(world, world.goals(DELTA))
    run(whole)
    bench = SimulatedBench(world, world.goals(DELTA))
    left = rungs_before

    def dies(index: int, report: Report) -> Standing:
        def counted(standing: Standing) -> bool:
            nonlocal left
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
            return report(standing)

        return bench.evaluate(index, counted)

    with pytest.raises(KeyboardInterrupt):
        run(bench, evaluate=dies, storage=tmp_path / "study.db", standings={})
    assert not bench.certified
    run(bench, storage=tmp_path / "study.db", standings={})
    assert bench.answer == whole.answer is not None


def test_a_revisit_goes_on_where_it_was() -> None:
    """More labels leave the wealth of the rows before them as it was, and are read from there."""
    world = least_favourable(8, 300, (6, 1))
    bench = SimulatedBench(world, world.goals(DELTA), n_rows=150)
    run(bench)
    before, seen = bench.log_wealth.copy(), bench.seen.copy()
    bench.add_labels(300)
    assert np.array_equal(bench.log_wealth[:, :150], before)
    index = int(seen.argmax())
    assert bench.evaluate(index, lambda standing: True).n_seen > seen[index]


# ---------------------------------------------------------------------- what must break
class Adversary(BaseSampler):
    """Looks at every first twin, then at the sibling of the luckiest: the twin trap."""

    def __init__(self, bench: SimulatedBench) -> None:
        self._bench = bench

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
        return {}

    def sample_independent(
        self, study: Any, trial: Any, param_name: str, param_distribution: Any
    ) -> int:
        standings, n_twins = self._bench.standings, self._bench.world.n_contenders
        for first in range(0, n_twins, 2):
            if first not in standings:
                return first
        return 1 + max(range(0, n_twins, 2), key=lambda index: standings[index].mean or 0.0)


def trapped(world: SimulatedWorld, goals: Floats) -> bool:
    """Whether the adversary gets a false certificate, through a study of its own."""
    bench = SimulatedBench(world, goals)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=Adversary(bench))
    for _ in range(world.n_contenders // 2 + 1):
        trial = study.ask({"candidate": IntDistribution(0, world.n_contenders - 1)})
        standing = bench.evaluate(trial.params["candidate"], lambda s: False)
        study.tell(trial, standing.cost if standing.certified else None, state=None
                   if standing.certified else TrialState.PRUNED)  # fmt: skip
    return is_false(bench)


def slot_goals(world: SimulatedWorld) -> Floats:
    """Wrong on purpose: a tenth of delta for all first looks, the rest for the one that follows."""
    is_first = np.arange(world.n_contenders) % 2 == 0
    first = np.log(is_first.sum() / (0.1 * DELTA))
    return np.where(is_first, first, -np.log(0.9 * DELTA))


def reserve_goals(world: SimulatedWorld) -> Floats:
    """The siblings are newcomers: each has the reserve's line of the first newcomer (2.3c)."""
    n_pairs = world.n_contenders // 2
    line = 0.1 * 50 / (50 * 51)
    shares = np.where(np.arange(world.n_contenders) % 2 == 0, 0.8 / n_pairs, line)
    return np.asarray(-np.log(shares * DELTA))


def kept_back_goals(world: SimulatedWorld) -> Floats:
    """Wrong on purpose: half of delta for the first search, half for a second on the same rows."""
    is_first = np.arange(world.n_contenders) % 2 == 0
    return np.where(is_first, np.log(2 * is_first.sum() / DELTA), np.log(2 / DELTA))


TRAP_RUNS = 40


def n_trapped(goals: Callable[[SimulatedWorld], Floats]) -> int:
    worlds = (twins(20, 150, (7, number), correlation=0.98) for number in range(TRAP_RUNS))
    return sum(trapped(world, goals(world)) for world in worlds)


@pytest.mark.parametrize("goals", [slot_goals, kept_back_goals])
def test_the_adversary_breaks_a_wrong_ledger(goals: Callable[[SimulatedWorld], Floats]) -> None:
    """A sibling chosen for its twin's luck, at a large share of the same rows, fools a test."""
    assert n_trapped(goals) > limit(TRAP_RUNS)


@pytest.mark.parametrize("goals", [lambda world: world.goals(DELTA), reserve_goals])
def test_the_adversary_does_not_break_ours(goals: Callable[[SimulatedWorld], Floats]) -> None:
    """Shares that were fixed beforehand hold against a sampler that looks at everything."""
    assert n_trapped(goals) <= limit(TRAP_RUNS)


POOL_RUNS, N_KNOWN, N_BEST = 60, 200, 5


def n_false_of_the_best(scores: Callable[[SimulatedWorld, int], Floats]) -> int:
    """How many pools of the five best of a leaderboard hold a false certificate."""
    count = 0
    for number in range(POOL_RUNS):
        world = least_favourable(N_KNOWN, 150, (9, number))
        pool = _only(world, np.argsort(-scores(world, number))[:N_BEST])
        count += is_false(read_through(SimulatedBench(pool, pool.goals(DELTA))))
    return count


def _only(world: SimulatedWorld, kept: NDArray[np.int64]) -> SimulatedWorld:
    return replace(
        world,
        quality=world.quality[kept],
        n_parameters=world.n_parameters[kept],
        family=world.family[kept],
        recipe=world.recipe[kept],
        right=world.right[kept],
    )


def test_a_pool_chosen_on_other_rows_is_valid() -> None:
    """A leaderboard on other data may choose the pool."""

    def elsewhere(world: SimulatedWorld, number: int) -> Floats:
        return np.random.default_rng((8, number)).binomial(150, world.quality) / 150

    assert n_false_of_the_best(elsewhere) <= limit(POOL_RUNS)


def test_a_pool_chosen_on_these_rows_breaks_it() -> None:
    """A leaderboard on the same rows may not: this is why such results are left out."""
    assert n_false_of_the_best(lambda world, _: world.right.mean(axis=1)) > limit(POOL_RUNS)


# ---------------------------------------------------------------------- a paused contender
TARGET, GOAL, FIRST_END, LATER_END = 0.7, 3.0, 9, 24
PAUSED_AT = 3


def resumed_wealth(batch_ends: Callable[[Sequence[int]], list[int]]) -> float:
    """The exact expected wealth after the first batch, of a contender that was paused in it.

    Its twin answers alike and was read to the end of the batch; whether more labels came depended
    on what the twin showed after the pause. Summed over all paths at the boundary.
    """
    paths = np.array(list(product((0, 1), repeat=FIRST_END)))
    chance = np.prod(np.where(paths == 1, TARGET, 1 - TARGET), axis=1)
    expected = 0.0
    for path, weight in zip(paths, chance, strict=True):
        found = log_wealth(
            path[None, :] - TARGET, bound=TARGET, goal=GOAL, batch_ends=batch_ends(path),
            second_moment=TARGET * (1 - TARGET),
        )  # fmt: skip
        expected += weight * float(np.exp(found[0, -1]))
    return expected


def more_labels(path: Sequence[int]) -> bool:
    """The twin did badly after the pause, so labels were added."""
    return sum(path[PAUSED_AT:]) <= (FIRST_END - PAUSED_AT) * TARGET


def test_a_resumed_contender_bets_with_its_own_batch() -> None:
    """Expected wealth is 1 although labels were added because of a twin's results."""
    found = resumed_wealth(
        lambda path: [FIRST_END, LATER_END] if more_labels(path) else [FIRST_END]
    )
    assert found == pytest.approx(1.0, abs=1e-12)


def test_betting_with_the_current_total_is_invalid() -> None:
    """The horizon of all labels so far knows of rows to come: expected wealth exceeds 1."""
    found = resumed_wealth(lambda path: [LATER_END] if more_labels(path) else [FIRST_END])
    assert found > 1.05
