"""The planner's figures against simulations of the bet itself."""

import subprocess
import sys
from math import exp, log

import numpy as np
import pytest
from scipy.stats import binom

from recommender.evidence.binomial import errors_at, max_errors
from recommender.evidence.planner import (
    LEVEL_SHARE,
    LOST_ERRORS,
    LabelsNeeded,
    PoolPrior,
    Shortfall,
    faultless_needed,
    jointly,
    labels_needed,
    most_promising,
    resolution,
    resolution_sentence,
    resolvable_tolerance,
)
from recommender.evidence.scores import EVERY_ROW, SOME_ROWS, Paths, Reduction
from recommender.evidence.wealth import Floats, log_wealth

FALSE_ALARM = 1e-4
GOAL = -log(0.8 * 0.05 / 100)


def wealth(right: Floats, ends: list[int], target: float, goal: float) -> Floats:
    return log_wealth(
        right - target,
        bound=target,
        goal=goal,
        batch_ends=ends,
        second_moment=target * (1 - target),
    )


def asked(margin: float = 0.02, *, n: int = 1000, still: float = 5.0, unused: int = 0) -> Shortfall:
    return Shortfall("one", 0.9, 0.9 + margin, n, n, still, unused)


# ------------------------------------------------------------------ before a search
def test_the_resolution_is_won_in_four_runs_of_five() -> None:
    """At the planned quality the hedged bet is won with a chance of about 0.8."""
    settings = [(200, 0.005, 0.8), (300, 0.05, 0.9), (500, 0.0005, 0.9), (1000, 1e-4, 0.95)]
    won = 0
    for seed, (n, level, target) in enumerate(settings):
        quality = resolution(n, target=target, level=level)
        assert quality is not None
        right = (np.random.default_rng(seed).random((200, n)) < quality).astype(float)
        won += int((wealth(right, [n], target, -log(level)).max(axis=1) >= -log(level)).sum())
    runs = 200 * len(settings)
    assert binom.ppf(FALSE_ALARM, runs, 0.78) <= won <= binom.isf(FALSE_ALARM, runs, 0.82)


def test_more_labels_resolve_more() -> None:
    """The quality that must be reached falls with n and rises with the target and the proof."""
    by_n = [resolution(n, target=0.9, level=0.001) for n in (80, 100, 150, 200, 500, 1000, 5000)]
    by_level = [resolution(500, target=0.9, level=level) for level in (1e-5, 1e-4, 0.001, 0.05)]
    by_target = [resolution(500, target=t, level=0.001) for t in (0.5, 0.7, 0.9, 0.95)]
    for falling in (by_n, by_level, by_target[::-1]):
        known = [found for found in falling if found is not None]
        assert len(known) == len(falling)
        assert known == sorted(known, reverse=True)


@pytest.mark.parametrize(("target", "level"), [(0.9, 1e-4), (0.9, 0.05), (0.6, 0.01)])
def test_the_fewest_faultless_labels_win_and_one_less_does_not(target: float, level: float) -> None:
    """With one label less not even a faultless candidate is certified; nothing is promised."""
    n = faultless_needed(target, level)
    assert n is not None
    assert wealth(np.ones((1, n)), [n], target, -log(level)).max() >= -log(level)
    assert wealth(np.ones((1, n - 1)), [n - 1], target, -log(level)).max() < -log(level)
    assert resolution(n, target=target, level=level) is not None
    assert resolution(n - 1, target=target, level=level) is None


def test_nothing_proves_perfection() -> None:
    """A target of 1 is out of reach of any number of labels."""
    assert faultless_needed(1.0, 0.05) is None
    assert resolution(10_000, target=1.0, level=0.05) is None


def test_f1_is_planned_on_its_bernoulli_scale() -> None:
    """An f1 of 0.9 is a share of 0.9 / 1.1, and its answer is an f1 again."""
    share = resolution(500, target=0.9 / 1.1, level=0.001)
    found = resolution(500, target=0.9, level=0.001, harmonic=True)
    assert share is not None
    assert found == pytest.approx(2 * share / (1 + share), abs=1e-9)


def test_the_sentence_before_a_search() -> None:
    """It names the quality to reach; with too few labels, how many it takes."""
    level = 0.05 / 36
    assert resolution_sentence(1000, 36, target=0.9, level=level) == (
        "with 1,000 rows and 36 candidates, "
        "a model must truly reach about 0.935 to be proven above 0.90"
    )
    needed = faultless_needed(0.955, level)
    assert resolution_sentence(50, 1, target=0.955, level=level, quality="recall") == (
        "with 50 rows and 1 candidate, "
        f"not even a faultless model can be proven above recall 0.955: that takes {needed:,} rows"
    )


def test_the_resolution_is_shown_without_loading_numpy() -> None:
    """What is shown before each search costs no import of a heavy library."""
    code = (
        "import sys; from recommender.evidence.planner import resolution; "
        "resolution(1000, target=.9, level=.001); sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_tolerance_that_labels_resolve() -> None:
    """The normal sample size, read the other way round: (1.96 + 0.84) 0.3 / sqrt(1000)."""
    assert resolvable_tolerance(1000, target=0.9, level=0.025) == pytest.approx(0.02658, abs=1e-5)


def test_smooth_errors_agree_with_the_whole_number() -> None:
    """The whole part of the smooth number is the exact binomial's most errors."""
    for n in (50, 200, 1000):
        smooth, whole = errors_at(n, 0.9, 0.001), max_errors(n, 0.9, 0.001)
        assert (None if smooth is None else int(smooth)) == whole


# ------------------------------------------------------------------ after a search
def test_labels_needed_have_the_power_of_the_look() -> None:
    """With the optimistic number the exact look at the estimate has a power of 0.8."""
    for margin, still in ((0.01, 3.0), (0.03, 8.0), (0.05, 1.0)):
        n = labels_needed(asked(margin, still=still)).optimistic
        assert n is not None
        errors = errors_at(n, 0.9, LEVEL_SHARE * exp(-still))
        assert errors is not None
        power = np.interp(  # between whole numbers of errors
            errors - LOST_ERRORS, np.arange(n), binom.cdf(np.arange(n), n, 0.1 - margin)
        )
        assert power == pytest.approx(0.8, abs=0.03)


def test_promises_without_ground_are_not_made() -> None:
    """None where the estimate misses the target, is too close to it, or needs too many labels."""
    assert labels_needed(asked(-0.01)) == LabelsNeeded(None, None)
    assert labels_needed(asked(0.0)) == LabelsNeeded(None, None)
    close = labels_needed(asked(0.004))
    assert close.optimistic is not None
    assert close.realistic is None
    assert labels_needed(asked(0.0005)).optimistic is None
    assert labels_needed(Shortfall("", 1.0, 1.0, 100, 100, 5.0)) == LabelsNeeded(None, None)


def test_wealth_already_won_is_not_asked_for_again() -> None:
    """The closer the wealth is to its goal, the fewer labels it takes."""
    needed = [labels_needed(asked(still=still)) for still in (0.5, 2.0, 5.0, 8.0)]
    for numbers in ([n.optimistic for n in needed], [n.realistic for n in needed]):
        known = [n for n in numbers if n is not None]
        assert len(set(known)) == 4
        assert known == sorted(known)


def test_unanswered_and_uninformative_units_count() -> None:
    """Labels at hand are not asked for again; where half the units inform, twice as many are."""
    plain = labels_needed(asked()).optimistic
    assert plain is not None
    assert labels_needed(asked(unused=300)).optimistic == plain - 300
    assert labels_needed(asked(unused=10**6)).optimistic == 0
    half = Shortfall("", 0.9, 0.92, 2000, 1000, 5.0)
    assert labels_needed(half).optimistic == pytest.approx(2 * plain, abs=1)


def test_the_realistic_promise_is_kept_about_two_times_in_three() -> None:
    """The best-looking of 100 candidates that failed is certified with N2 labels more."""
    rng, n, kept, promises = np.random.default_rng(5), 300, 0, 0
    quality = rng.normal(0.885, 0.015, (200, 100)).clip(0, 0.99)
    counts = rng.binomial(n, quality)
    best = counts.argmax(axis=1)
    right = rng.permuted(np.arange(n) < counts.max(axis=1)[:, None], axis=1).astype(float)
    paths = wealth(right, [n], 0.9, GOAL)
    by_size: dict[int, list[tuple[Floats, float]]] = {}
    for run in np.flatnonzero(paths.max(axis=1) < GOAL):
        pool = [Shortfall("", 0.9, count / n, n, n, GOAL) for count in counts[run].tolist()]
        still = GOAL - float(paths[run, -1])
        one = Shortfall("", 0.9, pool[best[run]].estimate, n, n, still)
        needed = labels_needed(one, PoolPrior.of(pool)).realistic
        if needed is not None and needed <= 4000:
            size = round(1.4 ** round(log(needed) / log(1.4)))  # few sizes, to simulate together
            by_size.setdefault(size, []).append((right[run], quality[run, best[run]]))
    for size, many in by_size.items():
        new = rng.random((len(many), size)) < np.array([one[1] for one in many])[:, None]
        every = np.hstack([np.stack([one[0] for one in many]), new])
        kept += int((wealth(every, [n, n + size], 0.9, GOAL).max(axis=1) >= GOAL).sum())
        promises += len(many)
    assert promises >= 40
    assert binom.ppf(FALSE_ALARM, promises, 0.6) <= kept <= binom.isf(FALSE_ALARM, promises, 0.75)


def test_a_shortfall_reads_the_bet_from_the_answers() -> None:
    """Threshold, share of right answers, and what is still to win at the end of the data."""
    right = np.tile([1.0] * 19 + [0.0], 10)
    reduction = Reduction(right, np.ones(200), EVERY_ROW)
    one = Shortfall.of(reduction, 0.9, goal=GOAL, batch_ends=[250])
    assert one.threshold == pytest.approx(0.9)
    assert one.estimate == pytest.approx(0.95)
    assert (one.n, one.n_informative, one.n_unused) == (200, 200, 50)
    path = wealth(right[None], [250], 0.9, GOAL)[0]
    assert one.still_to_win == pytest.approx(GOAL - path[-1])


def test_a_shortfall_in_f1_counts_informative_units_only() -> None:
    """Rows that say nothing about a quality count among n alone."""
    cost = np.tile([1.0, 0.0], 100)
    one = Shortfall.of(
        Reduction(cost.copy(), cost, SOME_ROWS, harmonic=True), 0.9, goal=GOAL, batch_ends=[200]
    )
    assert one.threshold == pytest.approx(0.9 / 1.1)
    assert (one.n, one.n_informative, one.estimate) == (200, 100, pytest.approx(1.0))
    with pytest.raises(ValueError, match="no informative answer"):
        Shortfall.of(Reduction(cost * 0, cost * 0, SOME_ROWS), 0.9, goal=GOAL, batch_ends=[200])


def test_a_bounded_mean_is_planned_by_its_two_point_score() -> None:
    """Where the mean is what it seemed, the optimistic number is kept about 4 times in 5."""
    rng = np.random.default_rng(3)
    seen = rng.beta(8, 2, 400)
    seen += 0.8 - seen.mean()
    first = Reduction(seen.clip(0, 1), np.ones(400), EVERY_ROW, bernoulli=False)
    one = Shortfall.of(first, 0.77, goal=GOAL, batch_ends=[400])
    fresh = Shortfall("", one.threshold, one.estimate, 400, 400, GOAL)
    n = labels_needed(fresh).optimistic
    assert n is not None
    runs = [
        Reduction(rng.beta(8, 2, n), np.ones(n), EVERY_ROW, bernoulli=False).paths(np.array([0.77]))
        for _ in range(50)
    ]
    paths = Paths.joined(runs).wealth(goal=GOAL, batch_ends=[n])
    won = int((paths.max(axis=1) >= GOAL).sum())
    assert binom.ppf(FALSE_ALARM, 50, 0.7) <= won <= binom.isf(FALSE_ALARM, 50, 0.95)


def test_the_pool_tells_its_spread_from_noise() -> None:
    """The spread of true qualities is found beneath that of their estimates."""
    rng = np.random.default_rng(1)
    sizes = rng.integers(100, 1000, 400)
    quality = rng.normal(0.88, 0.02, 400).clip(0, 1)
    shares = rng.binomial(sizes, quality) / sizes
    pool = [
        Shortfall("", 0.9, float(s), int(n), int(n), 5.0)
        for s, n in zip(shares, sizes, strict=True)
    ]
    prior = PoolPrior.of(pool)
    assert prior is not None
    assert prior.mean == pytest.approx(-0.02, abs=0.005)
    assert prior.sd == pytest.approx(0.02, abs=0.005)
    mean, sd = prior.shrunken(asked(0.03, n=300))
    assert -0.02 < mean < 0.03
    assert sd < asked(0.03, n=300).variance ** 0.5
    assert PoolPrior.of(pool[:4]) is None


def test_a_pool_below_the_target_dampens_its_best() -> None:
    """The best-looking of many weak candidates needs more labels than it seems."""
    pool = [asked(margin, n=300) for margin in np.linspace(-0.03, 0.02, 40)]
    alone, among = labels_needed(asked(n=300)), labels_needed(asked(n=300), PoolPrior.of(pool))
    assert among.optimistic == alone.optimistic
    assert among.realistic is None or (alone.realistic or 0) < among.realistic


def test_several_conditions_need_the_most() -> None:
    """A candidate is certified when its last condition is."""
    assert jointly([LabelsNeeded(10, 30), LabelsNeeded(20, 25)]) == LabelsNeeded(20, 30)
    assert jointly([LabelsNeeded(10, 30), LabelsNeeded(20, None)]) == LabelsNeeded(20, None)


def test_the_cheapest_and_the_larger_ones_that_need_fewer_are_named() -> None:
    """A dearer candidate is named only where it needs fewer labels."""
    needs = [
        ("large", 90.0, LabelsNeeded(50, 100)),
        ("small", 10.0, LabelsNeeded(500, 2000)),
        ("useless", 40.0, LabelsNeeded(600, 2500)),
        ("smallest", 5.0, LabelsNeeded(900, None)),
    ]
    assert [one[0] for one in most_promising(needs)] == ["small", "large"]
    assert [one[0] for one in most_promising(needs[-1:])] == ["smallest"]
    assert most_promising([("none", 1.0, LabelsNeeded(None, None))]) == []


def test_the_sentence_after_a_search() -> None:
    """Both numbers, rounded up to two digits, with what they are worth."""
    assert LabelsNeeded(1101, 3210).sentence() == (
        "realistically 3,300 more labels (kept about 2 times in 3); "
        "1,200 more labels if its estimate is right (optimistic)"
    )
    assert LabelsNeeded(70, None).sentence() == (
        "70 more labels if its estimate is right (optimistic); no amount that we can promise"
    )
    assert LabelsNeeded(None, None).sentence().startswith("no amount")
