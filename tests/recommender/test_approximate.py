"""The jackknife for qualities without an exact test."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from recommender.evidence.approximate import Jackknife, jackknife, student_t
from recommender.evidence.wealth import Floats


@given(level=st.floats(1e-4, 0.4), degrees=st.integers(20, 5_000))
def test_students_quantile_is_scipys(level: float, degrees: int) -> None:
    """The series is good enough for samples that the approximation is good for."""
    assert student_t(level, degrees) == pytest.approx(t.isf(level, degrees), abs=0.02)


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    """For a mean the jackknife is exact: s / sqrt(n)."""
    values = np.random.default_rng(3).random(200)
    units = [np.array([value, 1.0]) for value in values]

    def mean(sums: Floats) -> Floats:
        return np.asarray(sums[:, 0] / sums[:, 1])

    found = jackknife(mean, np.sum(units, axis=0), units)
    assert found.estimate == pytest.approx(values.mean())
    assert found.standard_error == pytest.approx(values.std(ddof=1) / np.sqrt(200))


def test_no_disagreement_is_no_evidence() -> None:
    """A standard error of 0 says that the sample is too small, not that all is known."""
    assert Jackknife(1.0, 0.0, 50).lower(0.05) == -np.inf
    assert Jackknife(1.0, 0.0, 50).chance(0.5, level=0.05, n=100) == 0.0


def test_the_chance_on_fresh_units_grows_with_the_margin() -> None:
    """Far above the target a candidate is promoted, far below it is not."""
    good, bad = (Jackknife(q, 0.03, 100).chance(0.8, level=0.0167, n=400) for q in (0.93, 0.75))
    assert good > 0.9
    assert bad < 0.1
