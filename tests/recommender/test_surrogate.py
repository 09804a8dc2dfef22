"""The surrogate: what neighbours say, and how sure it is."""

import numpy as np
import pytest

from recommender.search.contender import Contender, Standing
from recommender.search.surrogate import Surrogate
from tests.recommender.simulated_search import contender, walk_up


def seen(n: int, mean: float) -> Standing:
    return Standing(n, mean, 0.5, certified=False, accepted=False, finished=False, cost=None)


def of(contenders: list[Contender]) -> Surrogate:
    return Surrogate(contenders, target=0.9, n_units=1000)


def test_before_any_answer_every_contender_has_a_chance() -> None:
    """Nothing is skipped unseen."""
    assert (of(walk_up([0.9] * 20)).chances() > 0.02).all()


def test_small_failures_lower_the_chance_of_their_neighbours_more_than_of_large_ones() -> None:
    """The line through what was seen."""
    surrogate = of(walk_up([0.9] * 20))
    before = surrogate.chances()
    for index in range(0, 6):
        surrogate.update(index, seen(64, 0.70 + 0.01 * index))
    after = surrogate.chances()
    assert after[6] < 0.02 < before[6]
    assert after[19] > after[6]


def test_its_posterior_is_the_exact_regression() -> None:
    """Row by row gives what one solution of the whole system gives, for each scale."""
    contenders = walk_up([0.9] * 8)
    surrogate = of(contenders)
    prior_mean = surrogate._mean.copy()
    covariance = np.stack([surrogate._prior_row(i) for i in range(8)], axis=1)  # (scales, 8, 8)
    observed = {1: 0.8, 4: 0.85, 6: 0.95}
    for index, mean in observed.items():
        surrogate.update(index, seen(100, mean))
    at = list(observed)
    noise = np.diag(
        [max(0.02, (p := (100 * m + 1) / 102) * (1 - p)) / 100 for m in observed.values()]
    )
    for scale in range(len(covariance)):
        prior = covariance[scale]
        gain = prior[:, at] @ np.linalg.inv(prior[np.ix_(at, at)] + noise)
        gap = np.array(list(observed.values())) - prior_mean[scale, at]
        assert surrogate._mean[scale] == pytest.approx(prior_mean[scale] + gain @ gap)
        assert surrogate._variance[scale] == pytest.approx(np.diag(prior - gain @ prior[at]))


def test_a_prefix_counts_once_however_often_it_is_told() -> None:
    """A standing told again changes nothing, and a longer one adds only its new units."""
    once, twice = of(walk_up([0.9] * 6)), of(walk_up([0.9] * 6))
    once.update(2, seen(200, 0.85))
    for standing in (seen(100, 0.80), seen(100, 0.80), seen(200, 0.85)):
        twice.update(2, standing)
    mean, deviation = once.quality()
    mean2, deviation2 = twice.quality()
    assert mean2[2] == pytest.approx(mean[2], abs=0.01)
    assert deviation2[2] == pytest.approx(deviation[2], abs=0.005)
    frozen = twice.chances()
    twice.update(2, seen(200, 0.85))
    assert (twice.chances() == frozen).all()


def test_published_results_order_the_contenders() -> None:
    """A better result elsewhere is a better chance here."""
    contenders = [
        contender(f"m{i}", 1.0 + i, published=p) for i, p in enumerate((0.80, 0.97, 0.90))
    ]
    chances = of(contenders).chances()
    assert chances[1] > chances[2] > chances[0]


def test_a_recipe_that_failed_twice_is_doubted_in_the_next_model() -> None:
    """Recipes have effects of their own."""
    contenders = walk_up([0.9] * 12)  # even ones fp32, odd ones int8
    surrogate = of(contenders)
    for index in range(8):
        surrogate.update(index, seen(400, 0.93 if index % 2 == 0 else 0.83))
    mean, _ = surrogate.quality()
    assert mean[8] > mean[9] + 0.01


def test_few_informative_units_keep_it_unsure() -> None:
    """A mean over the few rows of a rare class weighs little."""
    often, rarely = of(walk_up([0.9] * 3)), of(walk_up([0.9] * 3))
    often.update(0, seen(400, 0.8))
    rare = Standing(
        400, 0.8, 0.5, certified=False, accepted=False, finished=False, cost=None, informative=0.05
    )
    rarely.update(0, rare)
    assert rarely.quality()[1][0] > often.quality()[1][0]


def test_a_difference_to_a_baseline_is_no_proportion() -> None:
    """Qualities about 0 with a target below 0 work without a warning."""
    surrogate = Surrogate(walk_up([0.9] * 4), target=-0.02, n_units=1000)
    surrogate.update(0, seen(200, 0.01))
    surrogate.update(1, seen(200, -0.15))
    chances = surrogate.chances()
    assert chances[1] < 0.05 < chances[0]
