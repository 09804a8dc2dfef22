"""The metrics against scikit-learn, and against the formulas that give their intervals."""

import random
from importlib.metadata import entry_points

import evaluate
import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st

from cache.errors import BadInput
from evaluators.quality.counts import FORMULAS, Counts
from evaluators.quality.score import quality
from evaluators.quality.specs import METRICS, MISSING

TWO = ["neg", "pos"]
REFERENCE = {
    "accuracy": lambda r, p, ls: sk.accuracy_score(r, p),
    "f1": lambda r, p, ls: sk.f1_score(r, p, labels=["pos"], average=None, zero_division=0)[0],
    "f1_macro": lambda r, p, ls: np.mean(
        sk.f1_score(r, p, labels=ls, average=None, zero_division=0)
    ),
    "f1_micro": lambda r, p, ls: sk.f1_score(r, p, labels=ls, average="micro", zero_division=0),
    "f1_weighted": lambda r, p, ls: sk.f1_score(
        r, p, labels=ls, average="weighted", zero_division=0
    ),
    "precision": lambda r, p, ls: sk.precision_score(
        r, p, labels=["pos"], average=None, zero_division=0
    )[0],
    "precision_macro": lambda r, p, ls: sk.precision_score(
        r, p, labels=ls, average="macro", zero_division=0
    ),
    "recall": lambda r, p, ls: sk.recall_score(r, p, labels=["pos"], average=None, zero_division=0)[
        0
    ],
    "recall_macro": lambda r, p, ls: sk.recall_score(
        r, p, labels=ls, average="macro", zero_division=0
    ),
    "matthews_correlation": lambda r, p, ls: (
        sk.matthews_corrcoef(r, p) if len({*r, *p}) > 1 else 0.0
    ),
}


@st.composite
def judged(draw):
    """Labels, references and predictions, where classes may be absent and answers missing."""
    labels = draw(st.sampled_from([TWO, ["a", "neg", "pos"], [*"abcd", "neg", "pos"]]))
    n = draw(st.integers(1, 30))
    references = draw(st.lists(st.sampled_from(labels), min_size=n, max_size=n))
    answers = draw(st.lists(st.sampled_from([*labels, None]), min_size=n, max_size=n))
    return labels, references, answers


def fitting(metric, labels):
    """A two-class metric is asked only about two classes."""
    return not METRICS[metric].two_class or len(labels) == 2


@pytest.mark.parametrize("metric", METRICS)
@given(case=judged())
@settings(max_examples=12, deadline=None)
def test_values_equal_scikit_learn(metric, case):
    """Every metric gives what scikit-learn gives, with "" for a missing answer."""
    labels, references, answers = case
    if not fitting(metric, labels):
        labels, references = TWO, [label if label in TWO else "neg" for label in references]
    told = [MISSING if answer is None else answer for answer in answers]
    found = quality(metric, answers, references, labels=labels, positive="pos")
    assert found.value == pytest.approx(REFERENCE[metric](references, told, labels))


@pytest.mark.parametrize("metric", FORMULAS)
@given(case=judged())
@settings(max_examples=25, deadline=None)
def test_formulas_equal_scikit_learn(metric, case):
    """The formulas behind the intervals give the same values, for many resamples at once."""
    labels, references, answers = case
    told = [MISSING if answer is None else answer for answer in answers]
    counts = Counts.of(told, references, labels, "pos")
    value = FORMULAS[metric](counts)
    assert float(value) == pytest.approx(REFERENCE[metric](references, told, labels))


@pytest.mark.parametrize("metric", METRICS)
def test_metrics_come_by_entry_point(metric):
    """Each name is an evaluate.Metric of that name, whose result has that one key."""
    judge = entry_points(group="recommender.metrics")[metric].load()(keep_in_memory=True)
    assert isinstance(judge, evaluate.Metric)
    found = judge.compute(predictions=["neg", "pos"], references=TWO, labels=TWO, positive="pos")
    assert (judge.name, found) == (metric, {metric: 1.0})


@pytest.mark.parametrize("metric", ["f1", "precision", "recall"])
def test_metrics_of_one_class_need_it_named(metric):
    """Used through evaluate alone, a two-class metric asks for its class too."""
    judge = entry_points(group="recommender.metrics")[metric].load()(keep_in_memory=True)
    with pytest.raises(BadInput, match="--positive"):
        judge.compute(predictions=TWO, references=TWO)


@pytest.mark.parametrize("metric", METRICS)
def test_missing_answers_are_wrong(metric):
    """Without answers nothing is right; some missing ones cost all but precision."""
    none = quality(metric, [None] * 4, TWO * 2, labels=TWO, positive="pos")
    some = quality(metric, ["neg", "pos", "neg", None], TWO * 2, labels=TWO, positive="pos")
    assert none.value <= 0
    assert some.value < 1 or metric.startswith("precision")
    assert "1 answers missing" in some.note


@pytest.mark.parametrize("metric", ["f1_macro", "recall", "matthews_correlation"])
def test_intervals_hold_the_truth_about_as_often_as_they_say(metric):
    """Of 200 samples of 300 rows, the 95 % interval holds the true value in 90 % at least."""
    generator = random.Random(1)
    truth = {"f1_macro": 0.8, "recall": 0.8, "matthews_correlation": 0.6}[metric]
    held = 0
    for _ in range(200):
        references = [generator.choice(TWO) for _ in range(300)]
        answers = [r if generator.random() < 0.8 else TWO[r == "neg"] for r in references]
        found = interval(metric, answers, references)
        held += found[0] <= truth <= found[1]
    assert 180 <= held <= 199


def interval(metric, answers, references):
    """The interval alone, without the metric's own slow road."""
    from evaluators.quality.bootstrap import bootstrap_interval

    return bootstrap_interval(FORMULAS[metric], Counts.of(answers, references, TWO, "pos"))
