"""Requirements: one syntax, and one clear line for anything else."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.errors import BadInput, NotFound
from recommender.requirement import Requirement

METRICS = ("accuracy", "f1", "f1_macro")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("accuracy >= 0.90", "accuracy >= 0.9"),
        ("accuracy>=90%", "accuracy >= 0.9"),
        (" f1 >= 0.97 * baseline ", "f1 >= 0.97 * baseline"),
        ("f1 >= baseline * 0.97", "f1 >= 0.97 * baseline"),
        ("latency_p95_ms <= 20", "latency_p95_ms <= 20"),
        ("size_mb<=.5", "size_mb <= 0.5"),
        ("license in apache-2.0, MIT", "license in apache-2.0,mit"),
    ],
)
def test_parse_reads_every_form_into_one_text(text: str, canonical: str) -> None:
    """Whatever the spacing, a requirement has one text, which parses to itself."""
    requirement = Requirement.parse(text, metrics=METRICS)
    assert str(requirement) == canonical
    assert Requirement.parse(canonical, metrics=METRICS) == requirement


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("accuracy=0.9", "write 'accuracy >= 0.9'"),
        ("accuracy > 0.9", "write 'accuracy >= 0.9'"),
        ("size_mb < 50", "write 'size_mb <= 50'"),
        ("accuracy", "write for example"),
        ("", "write for example"),
        ("accuracy >= 90", "write 'accuracy >= 0.9'"),
        ("accuracy <= 0.9", "write 'accuracy >= ...'"),
        ("size_mb >= 5", "write 'size_mb <= ...'"),
        ("size_mb <= 0.5 * baseline", "only quality can be relative"),
    ],
)
def test_parse_answers_a_wrong_form_with_the_right_one(text: str, hint: str) -> None:
    """A text that is no requirement is refused with the form that was probably meant."""
    with pytest.raises(BadInput, match="'"):
        Requirement.parse(text, metrics=METRICS)
    with pytest.raises(BadInput) as refused:
        Requirement.parse(text, metrics=METRICS)
    assert hint in str(refused.value)


def test_parse_names_the_nearest_measure() -> None:
    """An unknown measure is answered with the nearest known one."""
    with pytest.raises(NotFound, match="Did you mean 'accuracy'"):
        Requirement.parse("acuracy >= 0.9", metrics=METRICS)


@pytest.mark.parametrize("value", [None, math.nan])
def test_a_missing_measurement_is_never_sufficient(value: float | None) -> None:
    """What was not measured violates every bound, from below and from above."""
    assert Requirement.parse("accuracy >= 0").violation(value) == math.inf
    assert Requirement.parse("size_mb <= 1e9").violation(value) == math.inf


@given(value=st.floats(0, 1), bound=st.floats(0.001, 1).map(lambda x: round(x, 3)))
def test_violation_is_at_most_zero_exactly_where_the_bound_is_met(
    value: float, bound: float
) -> None:
    """The sign of the violation is the verdict."""
    requirement = Requirement("accuracy", ">=", bound)
    assert (requirement.violation(value) <= 0) == (value >= bound)


def test_a_relative_bound_follows_the_baseline() -> None:
    """`0.97 * baseline` is 97 % of what the baseline reached."""
    requirement = Requirement.parse("f1 >= 0.97 * baseline")
    assert requirement.target(0.8) == pytest.approx(0.776)
    with pytest.raises(BadInput, match="--baseline"):
        requirement.target(None)


def test_an_unknown_license_is_never_allowed() -> None:
    """A model that names no licence does not meet a licence requirement."""
    requirement = Requirement.parse("license in mit")
    assert requirement.allows_license("MIT")
    assert not requirement.allows_license(None)
