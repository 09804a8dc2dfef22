"""The bet: its expected wealth at the boundary, exactly; how often it is wrongly won; its power."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from recommender.evidence.scores import (
    DIFFERENCE,
    EVERY_ROW,
    PAIRED_MOMENT,
    RATIO,
    SOME_ROWS,
    Paths,
    Reduction,
)
from recommender.evidence.wealth import Floats, learned_second_moment, log_wealth

ONE_BATCH, TWO_BATCHES = (12,), (5, 12)


def every_path(values: Sequence[float], n: int) -> Floats:
    """All sequences of n values: (len(values) ** n, n)."""
    return np.array(list(product(values, repeat=n)))


def chances(paths: Floats, values: Sequence[float], probability: Sequence[float]) -> Floats:
    """Each path's probability."""
    each = np.zeros(paths.shape)
    for value, chance in zip(values, probability, strict=True):
        each[paths == value] = chance
    return np.prod(each, axis=1)


@pytest.mark.parametrize("ends", [ONE_BATCH, TWO_BATCHES], ids=["one batch", "two batches"])
@pytest.mark.parametrize("target", [0.2, 0.5, 0.8, 0.9, 0.97])
@pytest.mark.parametrize("above", [True, False], ids=["met", "missed"])
def test_expected_wealth_of_right_and_wrong_is_at_most_one(
    target: float, ends: tuple[int, ...], above: bool
) -> None:
    """Over all 2^12 paths of a candidate exactly at the target, after every example."""
    right = every_path([0.0, 1.0], 12)
    chance = chances(right, [0.0, 1.0], [1.0 - target, target])
    scores = (right - target) * (1.0 if above else -1.0)
    for goal in (3.0, 7.6):
        wealth = log_wealth(
            scores,
            bound=target if above else 1.0 - target,
            goal=goal,
            batch_ends=ends,
            second_moment=target * (1.0 - target),
        )
        expected = chance @ np.exp(wealth)
        assert expected == pytest.approx(np.ones(12), abs=1e-9)


@pytest.mark.parametrize("ends", [(8,), (3, 8)], ids=["one batch", "two batches"])
@pytest.mark.parametrize(("bound", "most"), [(0.9, 0.1), (0.5, 0.5), (0.97, 0.03), (0.3, 2.0)])
def test_expected_wealth_of_three_valued_scores_is_at_most_one(
    bound: float, most: float, ends: tuple[int, ...]
) -> None:
    """Over all 3^8 paths with mean 0, the second moment learned on the way."""
    values = [-bound, 0.0, most]
    half = 0.5 / (bound + most)
    scores = every_path(values, 8)
    chance = chances(scores, values, [most * half, 0.5, bound * half])
    wealth = log_wealth(
        scores,
        bound=bound,
        goal=5.0,
        batch_ends=ends,
        second_moment=learned_second_moment(scores, 0.05),
    )
    assert chance @ np.exp(wealth) == pytest.approx(np.ones(8), abs=1e-9)


@pytest.mark.parametrize("corners", [EVERY_ROW, SOME_ROWS, DIFFERENCE, RATIO])
@pytest.mark.parametrize("above", [True, False], ids=["met", "missed"])
def test_expected_wealth_of_every_quality_is_at_most_one(
    corners: tuple[tuple[float, float], ...], above: bool
) -> None:
    """Over all paths of gains and costs whose ratio is exactly the target, through the scores."""
    n, bernoulli = 5, corners in (EVERY_ROW, SOME_ROWS)
    chance_each = np.linspace(1.0, 2.0, len(corners)) / np.linspace(1.0, 2.0, len(corners)).sum()
    gains, costs = np.array(corners).T
    target = float(chance_each @ gains / (chance_each @ costs))
    places = every_path(list(range(len(corners))), n).astype(int)
    parts = [
        Reduction(
            gains[place], costs[place], corners, bernoulli=bernoulli, prior_moment=PAIRED_MOMENT
        ).paths(np.array([target]), above=above)
        for place in places
    ]
    wealth = Paths.joined(parts).wealth(goal=3.0, batch_ends=(3, n))
    expected = np.prod(chance_each[places], axis=1) @ np.exp(wealth)
    assert expected == pytest.approx(np.ones(n), abs=1e-9)


def test_a_horizon_that_follows_the_current_total_is_invalid() -> None:
    """Labels come where a twin did badly; the paused candidate then resumes.

    With the ends of the batches fixed its expected wealth is 1. With the current total as the
    horizon it bets boldly just where the twin's rows, its own rows to come, are right.
    """
    target, first, total = 0.7, 12, 120
    right = every_path([0.0, 1.0], first)
    chance = chances(right, [0.0, 1.0], [1.0 - target, target])
    bet = partial(
        log_wealth,
        right - target,
        bound=target,
        goal=3.0,
        second_moment=target * (1.0 - target),
    )
    labels_come = right.sum(axis=1) < first  # the twin's own results
    as_fixed = np.where(
        labels_come, bet(batch_ends=(first, total))[:, -1], bet(batch_ends=(first,))[:, -1]
    )
    by_total = np.where(
        labels_come, bet(batch_ends=(total,))[:, -1], bet(batch_ends=(first,))[:, -1]
    )
    assert chance @ np.exp(as_fixed) == pytest.approx(1.0, abs=1e-9)
    assert chance @ np.exp(by_total) > 1.1


Draw = Callable[[np.random.Generator, int], Reduction]


def _accuracy(random: np.random.Generator, n: int) -> Reduction:
    return Reduction((random.random(n) < 0.9).astype(float), np.ones(n))


def _f1(random: np.random.Generator, n: int) -> Reduction:
    cost = random.random(n) < 0.3
    hit = cost & (random.random(n) < 0.9 / 1.1)
    return Reduction(hit.astype(float), cost.astype(float), SOME_ROWS, harmonic=True)


def _paired(random: np.random.Generator, n: int) -> Reduction:
    gain = random.choice([-1.0, 0.0, 1.0], n, p=[0.06, 0.90, 0.04])
    return Reduction(gain, np.ones(n), DIFFERENCE, bernoulli=False, prior_moment=PAIRED_MOMENT)


def _beta(random: np.random.Generator, n: int) -> Reduction:
    return Reduction(random.beta(4.5, 0.5, n), np.ones(n), bernoulli=False)


@pytest.mark.parametrize(("n", "runs"), [(50, 1000), (2000, 200)])
@pytest.mark.parametrize(
    ("draw", "quality"), [(_accuracy, 0.9), (_f1, 0.9), (_paired, -0.02), (_beta, 0.9)]
)
def test_a_bet_at_the_boundary_is_rarely_won(draw: Draw, quality: float, n: int, runs: int) -> None:
    """At every example looked at, for half of the runs at 5 % and half at 0.5 %."""
    random = np.random.default_rng(n)
    alpha = np.repeat([0.05, 0.005], runs // 2)
    parts = [draw(random, n).paths(np.array([quality])) for _ in range(runs)]
    wealth = Paths.joined(parts).wealth(goal=-np.log(alpha), batch_ends=(n // 2, n))
    won = (wealth.max(axis=1) >= -np.log(alpha)).reshape(2, -1).sum(axis=1)
    assert won[0] <= binom.isf(1e-4, runs // 2, 0.05)
    assert won[1] <= binom.isf(1e-4, runs // 2, 0.005)


def most_errors(n: int, target: float, width: float) -> np.ndarray:
    """The boundary of S. K. Wang and A. A. Tsiatis, Biometrics 43 (1987), with exponent 0.25.

    After t answers at most this many may be wrong, else -1: (n,).
    """
    t = np.arange(1, n + 1)
    slack = width * np.sqrt(n * target * (1 - target)) * (t / n) ** 0.25
    return np.maximum(np.floor(t * (1 - target) - slack + 1e-9), -1).astype(int)


def chance_within(errors: np.ndarray, quality: float) -> float:
    """P(at some t at most errors[t] answers were wrong), by dynamic programming."""
    alive, won = np.zeros(errors.max() + 2), 0.0  # by wrong answers; the rest cannot win any more
    alive[0] = 1.0
    for most in errors:
        alive[1:] = alive[1:] * quality + alive[:-1] * (1 - quality)
        alive[0] *= quality
        won += alive[: most + 1].sum()
        alive[: most + 1] = 0.0
    return float(won)


def exact_boundary(n: int, target: float, alpha: float) -> np.ndarray:
    """The widest boundary of its shape that is wrongly reached with a chance of at most alpha."""
    low, high = 0.0, 10.0
    for _ in range(20):
        middle = (low + high) / 2
        is_valid = chance_within(most_errors(n, target, middle), target) <= alpha
        low, high = (low, middle) if is_valid else (middle, high)
    return most_errors(n, target, high)


@pytest.mark.parametrize("n", [50, 200, 1000])
def test_one_look_of_the_exact_boundary_is_the_binomial_test(n: int) -> None:
    """The programme that power is held against gives scipy's binomial tail for one look."""
    allowed = int(binom.ppf(0.025, n, 0.1)) - 1
    errors = np.full(n, -1)
    errors[-1] = allowed
    assert chance_within(errors, 0.9) == pytest.approx(binom.cdf(allowed, n, 0.1), rel=1e-9)


@pytest.mark.parametrize(
    ("n", "alpha", "quality", "points"),
    [
        (200, 0.005, 0.96, 0.03),
        (1000, 0.025, 0.93, 0.03),
        (300, 0.0005, 0.96, 0.08),
        (1000, 0.0005, 0.935, 0.08),
    ],
)
def test_power_is_near_that_of_the_exact_sequential_test(
    n: int, alpha: float, quality: float, points: float
) -> None:
    """No more than the stated points below, with three standard errors of 1,500 runs."""
    runs, goal = 1500, -np.log(alpha)
    boundary = exact_boundary(n, 0.9, alpha)
    assert chance_within(boundary, 0.9) <= alpha
    scores = (np.random.default_rng(7).random((runs, n)) < quality) - 0.9
    wealth = log_wealth(scores, bound=0.9, goal=goal, batch_ends=(n,), second_moment=0.09)
    power = float((wealth.max(axis=1) >= goal).mean())
    exact = chance_within(boundary, quality)
    assert power >= exact - points - 3 * np.sqrt(exact * (1 - exact) / runs)


kinds = st.sampled_from(
    [
        (EVERY_ROW, True, False),
        (SOME_ROWS, True, True),
        (SOME_ROWS, False, False),
        (DIFFERENCE, False, False),
        (RATIO, False, False),
    ]
)


@settings(max_examples=60, deadline=None)
@given(kind=kinds, seed=st.integers(0, 10_000), at=st.integers(0, 19), h=st.floats(0.05, 0.95))
def test_a_bet_is_fixed_before_its_example(
    kind: tuple[tuple[tuple[float, float], ...], bool, bool], seed: int, at: int, h: float
) -> None:
    """Other examples from t on change no wealth before t, and wealth is linear in example t."""
    corners, bernoulli, harmonic = kind
    pairs = np.array(corners)
    random = np.random.default_rng(seed)
    place = random.integers(len(pairs), size=20)

    def wealth(places: np.ndarray) -> Floats:
        gain, cost = pairs[places].T
        reduction = Reduction(gain, cost, corners, harmonic, bernoulli)
        return np.exp(reduction.wealth(np.array([h]), goal=4.0, batch_ends=(9, 20))[0])

    def changed(value: int) -> np.ndarray:
        later = random.integers(len(pairs), size=20 - at - 1)
        return np.concatenate([place[:at], [value], later])

    before, others = wealth(place), [wealth(changed(k)) for k in range(len(pairs))]
    assert all((other[:at] == before[:at]).all() for other in others)
    threshold = h / (2 - h) if harmonic else h
    scores = pairs[:, 0] - threshold * pairs[:, 1]
    start = before[at - 1] if at else 1.0
    bets = [(o[at] / start - 1) / d for o, d in zip(others, scores, strict=True) if abs(d) > 1e-9]
    assert bets == pytest.approx([bets[0]] * len(bets), abs=1e-9)
    assert bets[0] >= 0


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_another_path_changes_nothing(seed: int) -> None:
    """A candidate's wealth is the same to the last bit beside other candidates' results."""
    random = np.random.default_rng(seed)
    scores = random.random((4, 30)) - 0.5
    changed = np.concatenate([scores[:1], random.random((3, 30)) - 0.5])
    bet = partial(log_wealth, bound=0.5, goal=3.0, batch_ends=(10, 30), second_moment=0.1)
    assert (bet(scores)[0] == bet(changed)[0]).all()


@pytest.mark.parametrize("value", [-0.51, np.nan, np.inf])
def test_a_score_outside_the_declared_bound_is_refused(value: float) -> None:
    """A score below -b, or no number, leaves no valid test."""
    scores = np.array([[0.5, value, 0.5]])
    with pytest.raises(ValueError, match="no test is valid"):
        log_wealth(scores, bound=0.5, goal=3.0, batch_ends=(3,), second_moment=0.25)


@pytest.mark.parametrize("ends", [(), (2,), (3, 3), (5, 4)])
def test_examples_beyond_the_last_batch_are_refused(ends: tuple[int, ...]) -> None:
    """Every example belongs to a batch whose end was fixed; the ends rise."""
    scores = np.zeros((1, 3))
    with pytest.raises(ValueError, match="batch"):
        log_wealth(scores, bound=0.5, goal=3.0, batch_ends=ends, second_moment=0.25)
