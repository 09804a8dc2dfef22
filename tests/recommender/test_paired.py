"""The interval of a paired difference, and what is said of candidates that it cannot tell apart."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import binom, norm

from recommender.evidence.paired import difference_interval
from recommender.ties import compare, compared


@pytest.mark.parametrize(
    ("n10", "n01", "n", "level", "interval"),
    [
        (1, 7, 21, 0.05, (-0.517, -0.026)),
        (28, 25, 618, 0.10, (-0.0148, 0.0247)),
    ],
    ids=["Fagerland 2014, airways", "PropCIs scoreci.mp"],
)
def test_published_intervals(
    n10: int, n01: int, n: int, level: float, interval: tuple[float, float]
) -> None:
    """Tango's interval of others' examples: M. W. Fagerland, S. Lydersen and P. Laake, Statistics
    in Medicine 33 (2014), and R's PropCIs 0.3."""
    found = difference_interval(n10, n01, n, level)
    assert found == pytest.approx(interval, abs=0.0005)


@pytest.mark.parametrize(("n10", "n01", "n"), [(0, 0, 50), (5, 0, 5), (3, 9, 40), (100, 60, 2000)])
def test_the_ends_are_where_the_score_test_begins_to_reject(n10: int, n01: int, n: int) -> None:
    """The score statistic with p01 maximised numerically is +-1.96 at the ends."""
    for end, z in zip(difference_interval(n10, n01, n), (1.96, -1.96), strict=True):
        if abs(end) < 1:
            assert _score(end, n10, n01, n) == pytest.approx(z, abs=0.01)


def _score(difference: float, n10: int, n01: int, n: int) -> float:
    def log_likelihood(p01: float) -> float:
        shares = np.array([p01 + difference, p01, 1 - 2 * p01 - difference])
        counts = np.array([n10, n01, n - n10 - n01])
        used = counts > 0
        return float(np.sum(counts[used] * np.log(np.maximum(shares[used], 1e-300))))

    bounds = (max(0.0, -difference), (1 - difference) / 2)
    p01 = minimize_scalar(
        lambda p: -log_likelihood(p), bounds=bounds, method="bounded", options={"xatol": 1e-12}
    ).x
    variance = n * (2 * p01 + difference - difference**2)
    return float((n10 - n01 - n * difference) / np.sqrt(variance))


def test_the_interval_turns_round_with_its_sides() -> None:
    """Swapping the two candidates swaps the signs."""
    low, high = difference_interval(9, 4, 100)
    assert difference_interval(4, 9, 100) == pytest.approx((-high, -low))


def test_no_disagreement_is_no_certainty() -> None:
    """Where two never disagreed in 100 rows, the interval is z^2 / (n + z^2) to both sides."""
    z2 = norm.ppf(0.975) ** 2
    assert difference_interval(0, 0, 100) == pytest.approx((-z2 / (100 + z2), z2 / (100 + z2)))


@pytest.mark.parametrize(("p10", "p01"), [(0.03, 0.03), (0.06, 0.02), (0.01, 0.0)])
def test_the_interval_holds_the_true_difference(p10: float, p01: float) -> None:
    """At least about 95 % of the intervals on 300 rows do (2,000 samples)."""
    draw = np.random.default_rng(3)
    samples = draw.multinomial(300, [p10, p01, 1 - p10 - p01], size=2000)
    counts = {(int(a), int(b)) for a, b, _ in samples}
    intervals = {pair: difference_interval(*pair, 300) for pair in counts}
    held = [low <= p10 - p01 <= high for a, b, _ in samples for low, high in [intervals[a, b]]]
    assert sum(held) >= binom.isf(1 - 1e-4, 2000, 0.94)


@pytest.mark.parametrize(("n10", "n01", "n"), [(1, 1, 1), (0, 0, 0), (-1, 0, 5)])
def test_impossible_counts_are_refused(n10: int, n01: int, n: int) -> None:
    """More disagreements than rows, and no rows at all, are no comparison."""
    with pytest.raises(ValueError, match="disagreements"):
        difference_interval(n10, n01, n)


def test_what_is_tied_is_said_in_words() -> None:
    """The sentence has both names, the difference with its interval, and the rows."""
    first = [True] * 1900 + [False] * 100
    second = [True] * 1890 + [False] * 10 + [True] * 16 + [False] * 84
    found = compare("A", first, "B", second)
    assert found.is_tied
    assert str(found) == (
        "cannot be told apart in accuracy: A and B differ by -0.003 [-0.009, +0.002] on 2,000 rows"
    )


def test_what_differs_is_not_called_a_tie() -> None:
    """Forty rows more right of 200 tell two candidates apart."""
    found = compare("A", [True] * 200, "B", [True] * 160 + [False] * 40)
    assert not found.is_tied
    assert found.low > 0
    assert str(found).startswith("A and B differ by +0.200 [+0.1")


def test_only_candidates_on_the_same_rows_are_compared() -> None:
    """A candidate that stopped early is left out; so is everything where nothing was answered."""
    others = [("whole", [True, False]), ("stopped early", [True])]
    assert [tie.second for tie in compared("choice", [True, True], others)] == ["whole"]
    assert compared("choice", [], [("none", [])]) == ()
    with pytest.raises(ValueError, match="zip"):
        compare("A", [True], "B", [True, False])
