"""Certified bounds: every lower target of the grid was won too, and they cover the truth."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from recommender.evidence.bounds import (
    GRID,
    certified_bound,
    certified_bounds,
    certified_upper,
    is_certified,
    on_grid,
)
from recommender.evidence.reductions import reduction_of_values
from recommender.evidence.scores import SOME_ROWS, Paths, Reduction

GOAL = 5.0


def accuracy(quality: float, n: int, seed: int) -> Reduction:
    """A candidate that answers rightly with this chance."""
    right = np.random.default_rng(seed).random(n) < quality
    return Reduction(right.astype(float), np.ones(n))


@pytest.mark.parametrize(
    ("target", "point"),
    [(0.9, 0.9), (0.9001, 0.901), (0.97, 0.97), (-0.02, -0.02), (-0.0205, -0.02)],
)
def test_a_target_is_rounded_up_to_the_grid(target: float, point: float) -> None:
    """A target on the grid stays; one between two points is proven at the higher."""
    assert on_grid(target) == point


def test_every_target_up_to_the_bound_was_won() -> None:
    """The bound is where the first bet from below was not won, by trying every target."""
    for seed, quality in enumerate((0.3, 0.8, 0.97)):
        reduction = accuracy(quality, 300, seed)
        bound = certified_bound(reduction, goal=GOAL, batch_ends=(200, 300))
        targets = np.arange(1, 1001) / 1000
        won = reduction.crosses(targets, goal=GOAL, batch_ends=(200, 300))
        assert bound == targets[np.argmin(won)] - GRID == pytest.approx(bound)
        assert 0 < bound < quality


class WithGap(Reduction):
    """A reduction whose bet on 0.4 is never won."""

    def paths(self, targets: np.ndarray, *, above: bool = True) -> Paths:
        paths = super().paths(targets, above=above)
        return replace(paths, scores=np.where(targets[:, None] == 0.4, 0.0, paths.scores))


def test_the_largest_target_that_was_won_is_no_bound() -> None:
    """The bound stops below the first bet that was not won, whatever was won above it."""
    whole = accuracy(0.9, 100, 1)
    gap = WithGap(whole.gain, whole.cost)
    assert gap.crosses(np.array([0.399, 0.4, 0.7]), goal=3.0, batch_ends=(100,)).tolist() == [
        True,
        False,
        True,
    ]
    assert certified_bound(gap, goal=3.0, batch_ends=(100,)) == 0.399
    assert not is_certified(gap, 0.7, goal=3.0, batch_ends=(100,))


@pytest.mark.parametrize("harmonic", [False, True], ids=["accuracy", "f1"])
def test_bounds_cover_the_truth(harmonic: bool) -> None:
    """Of 200 candidates (100 for f1), about 5 % of the bounds may be above the true quality."""
    random = np.random.default_rng(5)
    chance, n = 0.85, 60
    parts = []
    for _ in range(100 if harmonic else 200):
        cost = random.random(n) < (0.6 if harmonic else 1.0)
        hit = cost & (random.random(n) < chance)
        corners = SOME_ROWS if harmonic else accuracy(1, 1, 1).corners
        parts.append(Reduction(hit.astype(float), cost.astype(float), corners, harmonic))
    truth = 2 * chance / (1 + chance) if harmonic else chance
    goals = [-np.log(0.05)] * len(parts)
    bounds = np.array(certified_bounds(parts, goals=goals, batch_ends=(n,)))
    assert (bounds > truth).sum() <= binom.isf(1e-4, len(parts), 0.05)
    assert bounds.mean() > truth - 0.25


def test_an_upper_bound_mirrors_the_lower_bound_of_the_errors() -> None:
    """At most this often right is at least that often wrong: the same bets."""
    for seed, quality in enumerate((0.4, 0.9)):
        reduction = accuracy(quality, 250, seed)
        errors = Reduction(1.0 - reduction.gain, reduction.cost)
        upper = certified_upper(reduction, goal=GOAL, batch_ends=(250,))
        lower = certified_bound(errors, goal=GOAL, batch_ends=(250,))
        assert upper == pytest.approx(1.0 - lower)
        assert quality < upper < 1.0


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), quality=st.floats(0.5, 1.0), target=st.floats(0.4, 1.0))
def test_certified_is_a_bound_at_the_target_or_above(
    seed: int, quality: float, target: float
) -> None:
    """The short way to one target agrees with the bound."""
    reduction = accuracy(quality, 90, seed)
    bound = certified_bound(reduction, goal=3.0, batch_ends=(90,))
    shown = is_certified(reduction, target, goal=3.0, batch_ends=(90,))
    assert shown == (bound >= on_grid(target))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_more_labels_never_take_a_bound_back(seed: int) -> None:
    """A target that was certified stays so, with later examples and later batches."""
    reduction = accuracy(0.8, 150, seed)
    bounds = [
        certified_bound(reduction.first(n), goal=3.0, batch_ends=(100, 150))
        for n in range(30, 151, 40)
    ]
    assert bounds == sorted(bounds)


def test_bounds_together_are_the_bounds_alone() -> None:
    """Also of different lengths, qualities and goals, and of one without any example."""
    values = np.random.default_rng(0).random(80)
    parts = [
        accuracy(0.9, 100, 1),
        accuracy(0.9, 1, 2),
        accuracy(0.9, 0, 3),
        reduction_of_values(values),
        reduction_of_values(values, baseline=values**2, relative="minus"),
        reduction_of_values(values, baseline=values**2, relative="times"),
    ]
    goals = [2.0, 3.0, 2.0, 2.5, 2.0, 2.0]
    together = certified_bounds(parts, goals=goals, batch_ends=(100,))
    alone = [
        certified_bound(part, goal=goal, batch_ends=(100,))
        for part, goal in zip(parts, goals, strict=True)
    ]
    assert together == alone
    assert together[1] < 0.01
    assert together[2] == 0.0
    assert -1 < together[4] < 1 < together[5] < 2


def test_the_least_and_the_greatest_quality_need_no_evidence() -> None:
    """Nothing is below 0, and no difference below -1; nothing is above 1."""
    nothing = accuracy(0.9, 0, 0)
    paired = reduction_of_values(np.zeros(0), baseline=np.zeros(0), relative="minus")
    ratio = reduction_of_values(np.ones(50), baseline=np.ones(50), relative="times")
    assert is_certified(nothing, 0.0, goal=GOAL, batch_ends=(10,))
    assert not is_certified(nothing, GRID, goal=GOAL, batch_ends=(10,))
    assert certified_bound(paired, goal=GOAL, batch_ends=(10,)) == -1.0
    assert certified_upper(nothing, goal=GOAL, batch_ends=(10,)) == 1.0
    assert certified_upper(ratio, goal=GOAL, batch_ends=(50,)) == np.inf
