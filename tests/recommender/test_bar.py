"""The bar: which verdict the rows give, and how many rows are enough."""

import pytest

from cache.errors import BadInput
from evaluators.measurement import Measurement
from recommender.bar import Bar
from recommender.evidence.verdict import Verdict
from recommender.query import Query


def bar(*require: str, n_rows: int = 1000, baseline: dict[str, float] | None = None) -> Bar:
    query = Query.parse(require, baseline="some/model" if baseline else None)
    return Bar.declare(query, n_rows=n_rows, n_candidates=32, baseline=baseline)


@pytest.mark.parametrize(
    ("n_wrong", "n_seen", "verdict"),
    [
        (72, 1000, Verdict.SUFFICIENT),
        (73, 1000, Verdict.UNDECIDED),
        (0, 999, Verdict.UNDECIDED),
        (73, 250, Verdict.INSUFFICIENT),
        (200, 1000, Verdict.INSUFFICIENT),
        (0, 0, Verdict.UNDECIDED),
    ],
)
def test_sufficient_is_said_only_after_all_rows(
    n_wrong: int, n_seen: int, verdict: Verdict
) -> None:
    """There is no earlier look for 'sufficient', and no verdict without rows."""
    assert bar("accuracy >= 0.90").verdict(n_wrong, n_seen, []) is verdict


def test_the_plan_says_how_many_errors_are_allowed() -> None:
    """One number for the plan, the pruning and the verdict."""
    declared = bar("accuracy >= 0.90")
    assert declared.proven
    assert declared.allowed_errors == declared.hopeless_above == 72


def test_other_metrics_are_decided_by_estimates() -> None:
    """F1 has no exact bound yet: sufficient by its estimate, and never called proven."""
    declared = bar("f1_macro >= 0.8")
    good, bad = (Measurement("f1_macro", value, "ratio", 1000) for value in (0.81, 0.79))
    assert not declared.proven
    assert declared.allowed_errors is None
    assert declared.verdict(100, 1000, [good]) is Verdict.SUFFICIENT
    assert declared.verdict(100, 1000, [bad]) is Verdict.INSUFFICIENT
    assert declared.verdict(0, 999, []) is Verdict.UNDECIDED


def test_accuracy_relative_to_a_baseline_prunes_but_proves_nothing() -> None:
    """The errors that an estimate allows are counted, so hopeless candidates are cut short."""
    declared = bar("accuracy >= 0.97 * baseline", baseline={"accuracy": 0.9})
    assert not declared.proven
    assert declared.hopeless_above == 127
    assert declared.verdict(128, 400, []) is Verdict.INSUFFICIENT


def test_every_requirement_must_hold() -> None:
    """The verdict of several targets is the worst of them."""
    declared = bar("accuracy >= 0.90", "f1_macro >= 0.95")
    low = Measurement("f1_macro", 0.9, "ratio", 1000)
    assert declared.verdict(10, 1000, [low]) is Verdict.INSUFFICIENT


def test_too_few_rows_are_refused_with_the_number_needed() -> None:
    """Rows that can prove nothing are not spent."""
    with pytest.raises(BadInput, match="give at least 62 rows"):
        bar("accuracy >= 0.90", n_rows=40).require_enough_rows(32)
