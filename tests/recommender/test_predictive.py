"""The chance to be certified: against simulation, and where it must be 0 or 1."""

from math import log

import numpy as np
import pytest
from scipy import stats

from recommender.evidence.predictive import (
    allowed_errors,
    chance_from_counts,
    chance_to_certify,
    quantile,
)
from recommender.evidence.scores import SOME_ROWS, Reduction

GOAL = log(1 / 0.0005)


def answers(right: list[bool]) -> Reduction:
    return Reduction(np.array(right, dtype=float), np.ones(len(right)))


@pytest.mark.parametrize(("n", "level"), [(100, 0.025), (300, 0.0005), (1000, 0.0005)])
@pytest.mark.parametrize("target", [0.6, 0.9, 0.95])
def test_the_allowed_errors_are_those_of_the_exact_binomial_test(
    n: int, level: float, target: float
) -> None:
    """The expansion is within one error of the exact quantile."""
    exact = stats.binom.ppf(level, n, 1 - target) - 1  # the last k with P(X <= k) <= level
    assert abs(allowed_errors(n, target, quantile(log(1 / level))) - exact) <= 1


def test_the_chance_is_that_of_the_beta_binomial() -> None:
    """Ten wrong of 100: the examples left are drawn from the posterior of a flat prior."""
    found = chance_from_counts(5, 95, threshold=0.9, goal=GOAL, n_informative=1000)
    allowed = allowed_errors(1000, 0.9, quantile(GOAL))
    assert found == pytest.approx(stats.betabinom.cdf(allowed - 5, 900, 5.1, 95.9), rel=1e-9)


def test_a_contender_that_cannot_pass_any_more_has_no_chance() -> None:
    """More errors than all units allow."""
    assert chance_from_counts(90, 0, threshold=0.9, goal=GOAL, n_informative=1000) == 0.0


def test_the_chance_rises_with_the_units_that_are_left() -> None:
    """0.93 on 100 units is a chance with 5,000 units and hardly one with 200."""
    seen = answers([True] * 93 + [False] * 7)
    few = chance_to_certify(seen, 0.9, goal=GOAL, horizon=200)
    many = chance_to_certify(seen, 0.9, goal=GOAL, horizon=5000)
    assert few < 0.05 < 0.5 < many


def test_a_recall_counts_the_rows_of_its_class() -> None:
    """The horizon is the expected number of informative units, not of all units."""
    rare = np.arange(400) % 10 == 0
    seen = Reduction(rare.astype(float), rare.astype(float), corners=SOME_ROWS)
    everywhere = answers([True] * 40)
    as_rare = chance_to_certify(seen, 0.9, goal=GOAL, horizon=600)
    assert as_rare < 0.2  # about 60 informative units cannot certify 0.90 at this level
    assert chance_to_certify(everywhere, 0.9, goal=GOAL, horizon=600) > 0.9


def test_a_bounded_mean_is_judged_by_its_sum() -> None:
    """Scores around 0.8 are likely to certify 0.7 with 1,000 units, and not 0.81."""
    values = np.random.default_rng(0).beta(8, 2, size=200)
    seen = Reduction(values, np.ones(200), bernoulli=False)
    assert chance_to_certify(seen, 0.7, goal=GOAL, horizon=1000) > 0.95
    assert chance_to_certify(seen, 0.81, goal=GOAL, horizon=1000) < 0.05


def test_equal_scores_do_not_make_it_certain() -> None:
    """No spread seen is not no spread (traps: tests at near-zero variance)."""
    paired = Reduction(np.zeros(16), np.ones(16), bernoulli=False, prior_moment=0.05)
    assert 0.0 < chance_to_certify(paired, -0.02, goal=GOAL, horizon=1000) < 1.0
