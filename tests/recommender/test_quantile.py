"""Order statistics against the binomial distribution, and the timing claims that rest on them."""

from itertools import islice

import numpy as np
import pytest
from scipy.stats import binom

from recommender.evidence.quantile import (
    lower_bound,
    lower_rank,
    rounds_needed,
    upper_bound,
    upper_rank,
)
from recommender.timing import latency_shares

N_RUNS = 200
FALSE_ALARM = 1e-4


@pytest.mark.parametrize("n", [1, 59, 60, 93, 124, 500])
@pytest.mark.parametrize("quantile", [0.5, 0.95])
@pytest.mark.parametrize("level", [0.05, 0.0125])
def test_the_rank_is_the_smallest_that_keeps_the_level(
    n: int, quantile: float, level: float
) -> None:
    """The chance that the ranked value is below the quantile is scipy's binomial tail."""
    ranks = np.arange(1, n + 1)
    kept = ranks[binom.sf(ranks - 1, n, quantile) <= level]
    assert upper_rank(n, quantile, level) == (kept[0] if kept.size else None)
    below = ranks[binom.cdf(ranks - 1, n, quantile) <= level]
    assert lower_rank(n, quantile, level) == (below[-1] if below.size else None)


def test_58_rounds_bound_nothing_and_59_by_their_maximum() -> None:
    """The 95th percentile needs 59 rounds at 0.05, of which the largest is the bound."""
    durations = [float(ms) for ms in range(59, 0, -1)]
    assert upper_bound(durations[1:], 0.95, 0.05) is None
    assert upper_bound(durations, 0.95, 0.05) == 59.0
    assert upper_bound([], 0.95, 0.05) is None
    assert lower_bound([], 0.95, 0.05) is None


@pytest.mark.parametrize("n_above", [0, 2, 5])
@pytest.mark.parametrize("level", [0.05, 0.025, 0.003])
def test_rounds_needed_is_exact(level: float, n_above: int) -> None:
    """With these rounds the bound is the largest but n_above; with one fewer it is not yet."""
    n = rounds_needed(0.95, level, n_above=n_above)
    assert binom.cdf(n_above, n, 0.05) <= level < binom.cdf(n_above, n - 1, 0.05)
    assert upper_rank(n, 0.95, level) == n - n_above


@pytest.mark.parametrize(("quantile", "level"), [(0.0, 0.05), (1.0, 0.05), (0.5, 0.0), (0.5, 1.0)])
def test_a_quantile_outside_its_range_is_refused(quantile: float, level: float) -> None:
    """Neither the minimum, nor the maximum, nor certainty has an order statistic."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        upper_bound([1.0], quantile, level)


@pytest.mark.parametrize("discrete", [False, True], ids=["lognormal", "rounded to 3 values"])
def test_the_bounds_are_wrong_no_more_often_than_said(discrete: bool) -> None:
    """For each distribution, ties or not, both bounds keep their level (simulation)."""
    draw = np.random.default_rng(5)
    population = draw.lognormal(sigma=0.8, size=100_001)
    population = np.minimum(np.round(population), 3) if discrete else population
    truth = float(np.sort(population)[95_000])  # at least 95 % do not exceed it
    too_low = too_high = 0
    for _ in range(N_RUNS):
        sample = draw.choice(population, size=100).tolist()
        too_low += (upper_bound(sample, 0.95, 0.05) or np.inf) < truth
        too_high += (lower_bound(sample, 0.95, 0.05) or -np.inf) > truth
    allowed = binom.isf(FALSE_ALARM, N_RUNS, 0.05)
    assert too_low <= allowed
    assert too_high <= allowed


def test_timing_until_one_passes_is_wrong_at_most_twice_as_often_as_one() -> None:
    """Eight candidates just too slow, each timed in turn until one seems fast enough.

    With halved shares a search is wrong with a chance of at most 0.1; were each timed at 0.05, the
    limit below would be passed by far.
    """
    halved = list(islice(latency_shares(0.05), 8))
    allowed = binom.isf(FALSE_ALARM, N_RUNS, 0.1)
    assert _n_wrong(halved, seed=2) <= allowed
    assert _n_wrong([0.05] * 8, seed=2) > allowed


def _n_wrong(shares: list[float], *, seed: int) -> int:
    """In how many searches a candidate whose 95th percentile is 1 was shown to be below 1."""
    draw = np.random.default_rng(seed)
    return sum(
        any(
            (upper_bound(_just_too_slow(draw, share), 0.95, share) or 2.0) < 1.0 for share in shares
        )
        for _ in range(N_RUNS)
    )


def _just_too_slow(draw: np.random.Generator, share: float) -> list[float]:
    n = rounds_needed(0.95, share)
    return (draw.uniform(size=n) / 0.95).tolist()
