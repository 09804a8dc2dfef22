"""Answers that hold the scores of labels, and metrics of the user's own, as evidence."""

import json
from dataclasses import replace
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cache.errors import BadInput, NotFound
from evaluators.quality.custom import Metric, own_of
from evaluators.quality.scored import (
    best_in,
    chosen_in,
    judged_apart,
    ranked,
    ranked_bytes,
    without_scores,
)
from evaluators.samples import Samples
from recommender.bar import Asked, Bar
from recommender.evidence.verdict import Verdict
from recommender.facts import Facts
from recommender.judgement import Judgement, judge
from recommender.measures import rated
from recommender.query import ALL_PLACES, Query
from recommender.requirement import Requirement, canonical

NAMES = ("cat", None, "dog", "cat", 'e"el')
LABELS = ("cat", "cow", "dog", 'e"el')
N, GOAL = 600, log(1 / 0.001)
LOGITS = arrays(np.float32, (3, 5), elements=st.sampled_from([-90.0, -0.5, 0.0, 1e-4, 3.0, 60.0]))


@given(logits=LOGITS)
def test_the_best_place_is_the_answer_without_scores(logits):
    """Also with ties, outputs that the data lacks, and several outputs of one label."""
    written = ranked(NAMES, logits, places=ALL_PLACES)
    assert [best_in(answer) for answer in written] == [NAMES[at] for at in logits.argmax(axis=1)]
    for answer, line in zip(written, logits.astype(np.float64), strict=True):
        pairs = json.loads(answer)
        assert [score for _, score in pairs] == sorted((s for _, s in pairs), reverse=True)
        chances = np.exp(line - line.max()) / np.exp(line - line.max()).sum()
        found = dict(pairs)
        assert np.exp(found["cat"]) == pytest.approx(max(chances[0], chances[3]), rel=1e-6)
        assert len(pairs) == 4
    cut = ranked_bytes(NAMES, [line.tobytes() for line in logits], places=2)
    assert [json.loads(one) for one in cut] == [json.loads(one)[:2] for one in written]


@given(logits=LOGITS)
def test_several_labels_are_those_above_one_half(logits):
    """What the data lacks is left out; of two outputs of one label the better counts."""
    for answer, line in zip(judged_apart(NAMES, logits), logits, strict=True):
        above = {name for name, score in zip(NAMES, line, strict=True) if name and score > 0}
        assert json.loads(chosen_in(answer)) == sorted(above)
    assert without_scores([None, ""], several=True) == [None, None]
    assert without_scores([None, "", "[]"], several=False) == [None] * 3


def world(quality, *, seed=0, **more):
    """Facts of labelled rows, and logits that are right that often and second-best else."""
    draw = np.random.default_rng(seed)
    truth = draw.integers(0, 4, N)
    logits = draw.normal(size=(N, 4))
    right = draw.random(N) < quality
    logits[np.arange(N), truth] += np.where(right, 6.0, 1.5)
    facts = Facts(
        tuple(LABELS[at] for at in truth), tuple(range(N)), ({},) * N, LABELS, (1.0,) * N, **more
    )
    return facts, ranked(LABELS, logits, places=ALL_PLACES)


def bar(*texts, **options):
    query = Query.parse(texts, **options)
    return Bar(tuple(Asked.of(one, query) for one in query.quality), N, (N,), {})


def judged(*texts, quality=0.9, **options) -> Judgement:
    own = options.get("own", {})
    facts, answers = world(quality, own=own, scored=True)
    return judge(bar(*texts, **options), facts, answers, GOAL)


def test_labels_beside_scores_have_their_own_tests():
    """accuracy and recall[cat] are judged as they are without scores, to the last digit."""
    texts = ["accuracy@2 >= 0.9", "accuracy >= 0.8", "recall[cat] >= 0.7", "f1_macro >= 0.7"]
    both = judged(*texts)
    facts, answers = world(0.9)
    plain = [best_in(answer) for answer in answers]
    alone = judge(bar(*texts[1:]), facts, plain, GOAL)
    for one, other in zip(both.tested[1:], alone.tested, strict=True):
        assert one.estimate == other.estimate
        assert (one.exact is None) == (other.exact is None)
        if one.exact is not None and other.exact is not None:
            assert (one.exact.gain == other.exact.gain).all()
    assert both.tested[0].exact is not None
    assert both.tested[0].estimate > both.tested[1].estimate
    assert judged(*texts[:3]).verdict is Verdict.SUFFICIENT


def test_the_first_place_is_accuracy():
    """accuracy@1 has the exact test of accuracy, with a baseline too."""
    one, other = judged("accuracy@1 >= 0.8", "accuracy >= 0.8").tested
    assert one.exact is not None
    assert other.exact is not None
    assert (one.exact.gain == other.exact.gain).all()
    facts, answers = world(0.9, scored=True)
    facts = replace(facts, baseline=tuple(answers))
    asked = bar("accuracy@2 within 0.05 of baseline", "accuracy within 0.05 of baseline",
                baseline="team/one")  # fmt: skip
    found = judge(asked, facts, answers, GOAL)
    assert [one.estimate for one in found.tested] == [0.0, 0.0]
    assert found.verdict is Verdict.SUFFICIENT


def test_an_area_is_approximate():
    """roc_auc of the ranked labels, with its jackknife."""
    (one,) = judged("roc_auc >= 0.9").tested
    assert one.exact is None
    facts, answers = world(0.9, scored=True)
    shown = rated("roc_auc", answers, facts)
    assert one.estimate == shown.value > 0.9
    assert shown.low < shown.value < shown.high


def test_less_perplexity_is_more():
    """Claimed as 1 / perplexity, the mean probability of a token; shown as it is."""
    draw = np.random.default_rng(1)
    answers = [json.dumps([-10 * (1 + x), 10, 40]) for x in draw.random(N)]
    facts = Facts(("",) * N, tuple(range(N)), ({},) * N, (), (1.0,) * N, task="text-generation")
    for bound, verdict in ((5.5, Verdict.SUFFICIENT), (4.0, Verdict.UNDECIDED)):
        asked = bar(f"perplexity <= {bound}", task="text-generation")
        found = judge(asked, facts, answers, GOAL)
        assert found.verdict is verdict
        assert found.claims[0].subject == "1 / perplexity"
        assert found.claims[0].estimate == pytest.approx(
            1 / rated("perplexity", answers, facts).value
        )


def likes(prediction, reference):
    """A metric of one row, as a user writes it."""
    return 1.0 if prediction == reference else 0.25


def misses(y_true, y_pred):
    """A metric of all rows of which less is better."""
    return np.mean([a != b for a, b in zip(y_pred, y_true, strict=True)])


OWN = {
    "likes": own_of(Metric(likes, per_row=True)),
    "misses": own_of(Metric(misses, higher_is_better=False)),
}


def test_own_metrics_are_judged_by_what_they_allow():
    """A mean over rows is exact, one figure approximate, and less is better is turned round."""
    accuracy, mean, error = judged(
        "accuracy >= 0.8", "likes >= 0.8", "misses <= 0.2", own=OWN
    ).tested
    assert mean.exact is not None
    assert mean.estimate == pytest.approx(0.25 + 0.75 * accuracy.estimate)
    assert error.approximate is not None
    assert error.asked.subject == "1 - misses"
    assert error.estimate == pytest.approx(accuracy.estimate)
    assert (error.approximate.n, error.approximate.n_groups) == (N, 50)
    spread = (accuracy.estimate * (1 - accuracy.estimate) / N) ** 0.5
    assert error.approximate.standard_error == pytest.approx(spread, rel=0.3)
    assert error.approximate.chance(0.5, level=0.05, n=N) > 0.99


def test_another_code_is_another_line_of_the_ledger():
    """The condition, the facts and the query's key hold the digest of the code."""

    def other(prediction, reference):
        return float(prediction == reference)

    changed = {"likes": own_of(Metric(other, "likes", per_row=True, version="1"))}
    keys = [bar("likes >= 0.8", own=own).asked[0].condition.key for own in (OWN, changed)]
    assert keys[0].startswith("likes (")
    assert keys[0] != keys[1]
    facts = [world(0.9, own=own)[0].digest for own in (OWN, changed, {})]
    assert len(set(facts)) == 3
    assert Query.parse("likes >= 0.8", own=OWN).to_json()["own_metrics"]
    assert "own_metrics" not in Query.parse("accuracy >= 0.8").to_json()


@pytest.mark.parametrize(
    ("require", "own", "message"),
    [
        ("likes >= 0.8", {}, "unknown measure 'likes'"),
        ("misses >= 0.8", OWN, "of misses, less is better; write 'misses <= 0.1'"),
        ("likes[cat] >= 0.8", OWN, "likes judges no one class"),
        ("f1 >= 0.8", {"f1": OWN["likes"]}, r"there is a f1 already.*name='my_f1'"),
        ("size_mb <= 8", {"size_mb": OWN["likes"]}, "there is a size_mb already"),
    ],
)
def test_requirements_know_own_metrics(require, own, message):
    """Their names and directions; a name that is taken is refused."""
    with pytest.raises((BadInput, NotFound), match=message):
        Query.parse(require, own=own)


def rows(n_labels):
    return Samples.of([{"text": f"row {at}", "label": "abcdef"[at % n_labels]} for at in range(24)])


@pytest.mark.parametrize(
    ("require", "task", "message"),
    [
        ("accuracy@3 >= 0.9", "text-classification", "of 3 labels is always 1.*accuracy@2 at most"),
        ("top-9 >= 0.9", "text-classification", "accuracy@9 of 3 labels is always 1"),
        ("accuracy@0 >= 0.9", "text-classification", "no metric 'accuracy@0'"),
        (["perplexity <= 9", "exact_match >= 0.5"], "text-generation", "ask for them in two sea"),
    ],
)
def test_metrics_that_say_nothing_are_refused(require, task, message):
    """One line, before anything runs."""
    with pytest.raises((BadInput, NotFound), match=message):
        Query.parse(require, task=task).fitted(rows(3))


def test_only_what_is_asked_is_kept():
    """Queries without such metrics have no places, no option and the keys that they had."""
    plain = Query.parse("accuracy >= 0.8").fitted(rows(4))
    assert (plain.places, plain.task.options) == (0, {})
    assert Query.parse(["top2 >= 0.8", "accuracy@3 >= 0.9"]).fitted(rows(4)).places == 3
    area = Query.parse("roc_auc >= 0.8").fitted(rows(4))
    assert (area.places, area.task) == (ALL_PLACES, plain.task)
    likely = Query.parse("perplexity <= 8", task="text-generation").fitted(rows(4))
    assert likely.task.options["likelihoods"] is True
    assert likely.measured_metrics == ("perplexity",)


@pytest.mark.parametrize(
    ("text", "name"),
    [("top5 >= 0.9", "accuracy@5"), ("top-5 >= 90%", "accuracy@5"), ("topic >= 0.9", "topic"),
     ("top_10_accuracy[lang=de] >= 0.9", "accuracy@10"), ("top5x >= 0.5", "top5x")],
)  # fmt: skip
def test_top_k_is_accuracy_at_k(text, name):
    """As users call it."""
    assert Requirement.parse(text).measure == name
    assert canonical("top5") == "accuracy@5"
