"""The statistics against the reference library and against enumeration."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from recommender.evidence.binomial import (
    lower_bound,
    max_errors,
    rows_needed,
    upper_bound,
)

CASES = st.tuples(st.integers(1, 400), st.floats(0, 1), st.floats(1e-4, 0.2))


@given(case=CASES)
def test_bounds_equal_clopper_and_pearson(case: tuple[int, float, float]) -> None:
    """Our bounds are scipy's exact one-sided confidence limits."""
    n, share, level = case
    right = round(n * share)
    low = binomtest(right, n, alternative="greater").proportion_ci(1 - level, method="exact").low
    high = binomtest(right, n, alternative="less").proportion_ci(1 - level, method="exact").high
    assert lower_bound(right, n, level) == pytest.approx(low, abs=1e-9)
    assert upper_bound(right, n, level) == pytest.approx(high, abs=1e-9)


@given(n=st.integers(1, 600), target=st.floats(0.5, 0.999), level=st.floats(1e-4, 0.1))
def test_max_errors_is_where_the_lower_bound_reaches_the_target(
    n: int, target: float, level: float
) -> None:
    """One more error and the lower bound falls below the target."""
    allowed = max_errors(n, target, level)
    if allowed is None:
        assert lower_bound(n, n, level) < target + 1e-9
        return
    assert lower_bound(n - allowed, n, level) >= target - 1e-9
    assert lower_bound(n - allowed - 1, n, level) < target + 1e-9


@pytest.mark.parametrize("n", [200, 1000])
def test_the_chance_of_a_wrong_sufficient_is_at_most_the_level(n: int) -> None:
    """At the boundary (true accuracy just below the target) the exact size is within the level."""
    level, target = 0.05 / 32, 0.90
    allowed = max_errors(n, target, level)
    assert allowed is not None
    assert binom.cdf(allowed, n, 1 - (target - 1e-9)) <= level


def test_the_figure_of_the_readme_example() -> None:
    """1,000 rows and 32 candidates allow 72 errors for a target of 0.90."""
    assert max_errors(1000, 0.90, 0.05 / 32) == 72


def test_rows_needed_is_the_fewest_that_can_prove_anything() -> None:
    """One row less, and not even a faultless candidate can be proven."""
    n = rows_needed(0.9, 0.05 / 32)
    assert max_errors(n, 0.9, 0.05 / 32) == 0
    assert max_errors(n - 1, 0.9, 0.05 / 32) is None


def test_nothing_proves_perfection() -> None:
    """A target of 1 is out of reach of any number of rows."""
    assert max_errors(10_000, 1.0, 0.05) is None
