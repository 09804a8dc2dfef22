"""From answers to scores: the same quality as scikit-learn's, and never a score below its bound."""

from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from recommender.evidence.conditions import (
    APPROXIMATE,
    CLASS_METRICS,
    EXACT,
    Condition,
    is_exact,
)
from recommender.evidence.reductions import micro_f1, reduction, reduction_of_values
from recommender.evidence.scores import Reduction

LABELS = ("yes", "no")
SKLEARN = {"f1": f1_score, "precision": precision_score, "recall": recall_score}

rows = st.lists(
    st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=2, max_size=40
)
gaps = st.sampled_from([-0.2, -0.001, 0.001, 0.2])
"""How far the target is above the value."""


def mean_score(reduced: Reduction, target: float) -> float:
    """The mean of D for a target."""
    return float(reduced.paths(np.array([target])).scores.mean())


@settings(deadline=None)
@given(rows=rows, metric=st.sampled_from(sorted(CLASS_METRICS)), gap=gaps)
def test_a_class_metric_is_met_where_its_mean_score_is_not_negative(
    rows: list[tuple[str, str]], metric: str, gap: float
) -> None:
    """And the estimate is scikit-learn's value."""
    truths, answers = zip(*rows, strict=True)
    value = SKLEARN[metric](truths, answers, pos_label="yes", zero_division=0)
    reduced = reduction(Condition(metric, "yes"), truths=truths, answers=answers)
    assume(0 < value + gap < 1 and reduced.n_informative)
    assert reduced.estimate == pytest.approx(value)
    assert (mean_score(reduced, value + gap) >= 0) == (gap < 0)


@settings(deadline=None)
@given(rows=rows, gap=gaps)
def test_accuracy_is_met_where_its_mean_score_is_not_negative(
    rows: list[tuple[str, str]], gap: float
) -> None:
    """With one answer a row micro-f1 is the same."""
    truths, answers = zip(*rows, strict=True)
    value = accuracy_score(truths, answers)
    assert value == pytest.approx(f1_score(truths, answers, average="micro"))
    assume(0 < value + gap < 1)
    for metric in ("accuracy", "f1_micro"):
        reduced = reduction(Condition(metric), truths=truths, answers=answers)
        assert (mean_score(reduced, value + gap) >= 0) == (gap < 0)


@settings(deadline=None)
@given(
    counts=st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=1, max_size=30),
    gap=gaps,
)
def test_micro_f1_of_counts_is_met_where_its_mean_score_is_not_negative(
    counts: list[tuple[int, int, int]], gap: float
) -> None:
    """From each row's true positives, false positives and false negatives."""
    true, false, missed = np.array(counts, dtype=float).T
    assume(true.sum() + false.sum() + missed.sum() > 0)
    value = 2 * true.sum() / (2 * true.sum() + false.sum() + missed.sum())
    assume(0 < value + gap < 1)
    reduced = micro_f1(true, false, missed, most_true=3, most_wrong=6)
    assert reduced.estimate == pytest.approx(value)
    assert (mean_score(reduced, value + gap) >= 0) == (gap < 0)


def test_micro_f1_beyond_its_declared_counts_is_refused() -> None:
    """Clipping a row would make the test invalid."""
    one, two = np.ones(3), np.full(3, 2.0)
    with pytest.raises(ValueError, match="more than the declared 1 and 2"):
        micro_f1(one, one, two, most_true=1, most_wrong=2)


CONDITIONS = [
    Condition(metric, label, rows_of, relative)
    for metric, relative in [
        *product(sorted(EXACT), [""]),
        *product(["accuracy"], ["times", "minus"]),
    ]
    for label in [("yes" if metric in CLASS_METRICS else None)]
    for rows_of in (None, ("lang", "de"))
]


@pytest.mark.parametrize("grouped", [False, True], ids=["rows", "groups"])
@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.key)
def test_no_score_is_below_its_bound(condition: Condition, grouped: bool) -> None:
    """Of both bets and every target, and the bound is no looser than the worst unit needs."""
    random = np.random.default_rng(3)
    n = 400
    reduced = reduction(
        condition,
        truths=list(random.choice(LABELS, n)),
        answers=[*random.choice([*LABELS, ""], n - 1), None],
        baseline=list(random.choice(LABELS, n)),
        slices=[{"lang": lang} for lang in random.choice(["de", "en"], n)],
        units=list(np.arange(n) // 2) if grouped else None,
        grouped=grouped,
    )
    targets = (
        np.array([-0.3, -0.02]) if condition.relative == "minus" else np.array([0.02, 0.5, 0.97])
    )
    for above in (True, False):
        paths = reduced.paths(targets, above=above)
        assert (paths.scores >= -paths.bound[:, None] - 1e-12).all()
        assert paths.scores.min(axis=1) == pytest.approx(-paths.bound)
        assert (paths.moment <= paths.bound[:, None] * np.ptp(paths.scores)).all()


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.key)
def test_a_missing_answer_is_never_better_than_any_other(condition: Condition) -> None:
    """No label in its place lowers the score; in precision and f1 it is a false alarm too."""
    for truth, answer, base in product(LABELS, LABELS, LABELS):
        scores = [
            reduction(
                condition, truths=[truth], answers=[given], baseline=[base], slices=[{"lang": "de"}]
            ).paths(np.array([0.5])).scores[0, 0]
            for given in (answer, None, "")
        ]  # fmt: skip
        assert scores[1] == scores[2] <= scores[0]


def test_only_rows_of_a_slice_count() -> None:
    """The others have neither gain nor cost."""
    reduced = reduction(
        Condition("accuracy", slice=("lang", "de")),
        truths=["a", "a", "b"],
        answers=["a", "b", "b"],
        slices=[{"lang": "de"}, {"lang": "de"}, {"lang": "en"}],
    )
    assert (reduced.estimate, reduced.n, reduced.n_informative) == (0.5, 3, 2)
    assert not reduced.always_informative


def test_a_unit_scores_the_mean_of_its_rows() -> None:
    """The same input with two labels is one unit, and no longer right or wrong."""
    reduced = reduction(
        Condition("accuracy"), truths=["a", "b", "a"], answers=["a", "a", "a"], units=[0, 0, 1]
    )
    assert reduced.gain.tolist() == [0.5, 1.0]


def test_a_row_counts_in_its_unit_by_its_weight() -> None:
    """Two repeats of one text in a group weigh as much as its other text."""
    reduced = reduction(
        Condition("accuracy"), truths=["a", "a", "b"], answers=["a", "a", "a"], units=[0, 0, 0],
        weights=[0.25, 0.25, 0.5], grouped=True,
    )  # fmt: skip
    assert reduced.gain.tolist() == [0.5]


def test_only_whole_units_count() -> None:
    """Those before the first unit that lacks an answer, in the fixed order."""
    truths, units = ["a"] * 6, [0, 1, 0, 2, 1, 3]
    sizes = [
        reduction(Condition("accuracy"), truths=truths, answers=["a"] * k, units=units).n
        for k in range(7)
    ]
    assert sizes == [0, 0, 0, 1, 1, 3, 4]


def test_the_kind_of_score_is_declared() -> None:
    """A group's mean is no matter of right or wrong, whatever its rows happen to be."""
    kinds = [
        reduction(Condition("accuracy"), truths=["a"], answers=["a"], grouped=grouped).bernoulli
        for grouped in (False, True)
    ]
    assert kinds == [True, False]


def test_a_paired_score_is_the_difference_to_the_baseline() -> None:
    """By a margin the gain is the difference; by a factor the baseline's value is the cost."""
    data = {"truths": ["a", "a", "b"], "answers": ["a", None, "b"], "baseline": ["a", "a", "a"]}
    minus = reduction(Condition("accuracy", relative="minus"), **data)
    times = reduction(Condition("accuracy", relative="times"), **data)
    assert (minus.gain.tolist(), minus.cost.tolist()) == ([0.0, -1.0, 1.0], [1.0, 1.0, 1.0])
    assert (times.gain.tolist(), times.cost.tolist()) == ([1.0, 0.0, 1.0], [1.0, 1.0, 0.0])


def test_a_failed_value_is_the_least() -> None:
    """NaN counts as 0."""
    assert reduction_of_values(np.array([0.5, np.nan])).gain.tolist() == [0.5, 0.0]


@pytest.mark.parametrize("metric", sorted(APPROXIMATE))
def test_an_approximate_metric_is_refused(metric: str) -> None:
    """It is no ratio of two means."""
    assert not is_exact(metric)
    with pytest.raises(ValueError, match="no ratio of two means"):
        reduction(Condition(metric), truths=["a"], answers=["a"])


@pytest.mark.parametrize("relative", ["times", "minus"])
def test_a_class_metric_relative_to_a_baseline_is_refused(relative: str) -> None:
    """It is no paired mean."""
    with pytest.raises(ValueError, match="no paired mean"):
        reduction(
            Condition("f1", "a", relative=relative), truths=["a"], answers=["a"], baseline=["a"]
        )


@pytest.mark.parametrize(("metric", "label"), [("f1", None), ("accuracy", "yes")])
def test_a_class_belongs_to_the_metrics_that_judge_one(metric: str, label: str | None) -> None:
    """Recall without a class has no meaning, nor has accuracy with one."""
    with pytest.raises(ValueError, match="class"):
        Condition(metric, label)


def test_different_conditions_have_different_keys() -> None:
    """Also where a label looks like a slice."""
    keys = {
        condition.key
        for condition in (
            Condition("accuracy"),
            Condition("accuracy", slice=("lang", "de")),
            Condition("accuracy", relative="times"),
            Condition("accuracy", relative="minus"),
            Condition("recall", "lang=de"),
            Condition("recall", "a", ("b", "c")),
            Condition("recall", "a, b=c"),
            Condition("recall", 'a" , b'),
        )
    }
    assert len(keys) == 8
    assert Condition("recall", "urgent", ("lang", "de")).key == "recall[urgent, lang=de]"
