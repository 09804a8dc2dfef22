"""What a report shows of a candidate in detail, against counts made by hand and scikit-learn."""

import json
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, f1_score, precision_recall_fscore_support

from evaluators.candidate import Recipe
from evaluators.cost.latency import PERCENTILES, percentile, percentiles
from evaluators.labels import Inferred, LabelMap
from evaluators.measurement import Measurement, State
from evaluators.quality.measures import measure_for
from evaluators.quality.score import wilson
from recommender.details.breakdown import (
    MOST_CLASSES,
    MOST_CONFUSED,
    NO_LABEL,
    OTHERS,
    calibration_of,
    classes_of,
    confusion_of,
    entities_of,
    several_of,
)
from recommender.details.distribution import APART, NUMBERS
from recommender.details.gathering import MOST_DETAILED, memory_split, shown_in_detail
from recommender.details.parts import Details
from recommender.details.slicing import MOST_VALUES, slices_of
from recommender.evidence.verdict import Verdict
from recommender.facts import Facts
from recommender.flags import flags_of
from recommender.query import Query
from recommender.recommendation import Claim, Outcome, Plan, Recommendation

Answers = list[str | None]


def drawn(labels: tuple[str, ...], n: int, *, right: float = 0.7) -> tuple[Answers, list[str]]:
    """Answers that are right so often, else any label or none; and the truths."""
    draw = random.Random(3)
    truths = [draw.choice(labels) for _ in range(n)]
    wrong: list[str | None] = [*labels, None]
    return [t if draw.random() < right else draw.choice(wrong) for t in truths], truths


# ---------------------------------------------------------------------- labels
def test_the_confusion_matrix_is_that_of_scikit_learn() -> None:
    """Answers that are no label of the data have a column of their own."""
    labels = ("a", "b", "c")
    answers, truths = drawn(labels, 400)
    found = confusion_of(answers, truths, labels)
    assert (found.truths, found.answers) == (labels, (*labels, NO_LABEL))
    given = [answer or NO_LABEL for answer in answers]
    wanted = confusion_matrix(truths, given, labels=[*labels, NO_LABEL])[:3]
    assert [list(row) for row in found.counts] == wanted.tolist()


def test_each_class_is_judged_as_by_scikit_learn() -> None:
    """Precision, recall, F1 and rows of each label."""
    labels = ("a", "b", "c")
    answers, truths = drawn(labels, 400)
    found = classes_of(answers, truths, labels)
    given = [answer or NO_LABEL for answer in answers]
    wanted = precision_recall_fscore_support(truths, given, labels=labels, zero_division=0.0)
    told = [[one.precision or 0.0, one.recall or 0.0, one.f1 or 0.0, one.n] for one in found]
    assert np.allclose(told, np.array(wanted).T)


def test_what_is_not_defined_is_none_and_not_zero() -> None:
    """A label that was never answered has no precision; one without rows has no recall."""
    unanswered, without_rows, unknown = classes_of(["b"], ["a"], ["a", "b", "c"])
    assert (unanswered.precision, unanswered.recall, unanswered.f1) == (None, 0.0, 0.0)
    assert (without_rows.precision, without_rows.recall) == (0.0, None)
    assert (unknown.n, unknown.precision, unknown.recall, unknown.f1) == (0, None, None, None)


def test_of_many_labels_those_with_the_most_errors_are_shown() -> None:
    """The matrix and the list stay small, and no row of a shown label is lost."""
    labels = tuple(f"{at:03}" for at in range(150))
    truths = [label for label in labels for _ in range(10)]
    bad = {f"{at:03}" for at in range(0, 150, 6)}
    answers: Answers = ["007" if truth in bad else truth for truth in truths]
    matrix, classes = confusion_of(answers, truths, labels), classes_of(answers, truths, labels)
    assert len(matrix.truths) == MOST_CONFUSED
    assert len(classes) == MOST_CLASSES
    assert {*bad, "007"} <= set(matrix.truths)
    assert list(matrix.truths) == sorted(matrix.truths)
    assert all(sum(row) == 10 for row in matrix.counts)


def test_answers_beyond_the_shown_labels_are_counted_together() -> None:
    """Labels with one wrong answer each share a column."""
    labels = tuple(f"{at:03}" for at in range(80))
    answers: Answers = [labels[(at + 40) % 80] for at in range(40) for _ in range(3)]
    truths = [labels[at] for at in range(40) for _ in range(3)]
    found = confusion_of(answers, truths, labels)
    assert found.answers[-1] == OTHERS
    assert sum(map(sum, found.counts)) == 3 * MOST_CONFUSED


# ---------------------------------------------------------------------- several labels, entities
def test_rows_with_several_labels_are_counted_label_by_label() -> None:
    """As multi_label_f1_macro does; a row without an answer has every label wrong."""
    labels, draw = ("x", "y", "z"), random.Random(5)
    texts = [json.dumps(sorted(draw.sample(labels, draw.randint(0, 3)))) for _ in range(120)]
    truths, answers = texts[:60], [*texts[60:118], None, ""]
    found = several_of(answers, truths, labels)
    assert found[0].n == sum('"x"' in truth for truth in truths)
    macro = measure_for("text-classification", "f1_macro", labels=labels, multi_label=True)
    mean = np.mean([one.f1 or 0.0 for one in found])
    assert mean == pytest.approx(macro.value(answers, truths))  # type: ignore[union-attr]


def test_entities_are_counted_by_type() -> None:
    """A wrong end or type is an error of both; their sums are the f1 of all rows."""
    truths = [["B-PER", "I-PER", "O", "B-LOC"], ["B-LOC", "O", "B-PER", "O"], ["B-PER", "O"]]
    answers = [["B-PER", "O", "O", "B-LOC"], ["B-PER", "O", "B-PER", "O"]]
    given = [*map(json.dumps, answers), None]
    loc, per = entities_of(given, list(map(json.dumps, truths)))
    assert (loc.label, loc.n, loc.precision, loc.recall) == ("LOC", 2, 1.0, 0.5)
    assert (per.label, per.n, per.precision, per.recall) == ("PER", 3, 1 / 3, 1 / 3)
    (cut,) = entities_of(['["B-PER"]'], ['["B-PER", "O"]'])
    assert (cut.precision, cut.recall) == (None, 0.0)
    whole = measure_for("token-classification", "f1", kind="PER")
    both = list(map(json.dumps, truths[:2]))
    value = whole.value(given[:2], both)  # type: ignore[union-attr]
    assert value == pytest.approx(entities_of(given[:2], both)[1].f1)


# ---------------------------------------------------------------------- calibration
def test_calibrated_scores_have_a_small_error_and_sure_ones_a_large_one() -> None:
    """Answers drawn from their own softmax; the same answers with scores ten times as sure."""
    generator = np.random.default_rng(1)
    logits = generator.normal(0.0, 1.5, size=(20_000, 3)).astype(np.float32)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    right = generator.random(20_000) < shares.max(axis=1)
    bins, error = calibration_of(logits, right)
    assert error == pytest.approx(0.0, abs=0.015)
    assert sum(each.n for each in bins) == 20_000
    assert all(each.low < each.confidence <= each.high for each in bins)
    sure_bins, sure_error = calibration_of(10 * logits, right)
    assert sure_error is not None
    assert sure_error > 0.2
    wanted = sum(each.n * abs(each.accuracy - each.confidence) for each in sure_bins) / 20_000
    assert sure_error == pytest.approx(wanted)


def test_without_scores_to_compare_nothing_is_calibrated() -> None:
    """No rows, and models with one output."""
    assert calibration_of(np.empty((0, 3), np.float32), np.empty(0, bool)) == ((), None)
    assert calibration_of(np.ones((4, 1), np.float32), np.ones(4, bool)) == ((), None)


# ---------------------------------------------------------------------- slices
def facts_of(truths: list[str], langs: list[str], labels: tuple[str, ...]) -> Facts:
    rows = range(len(truths))
    return Facts(
        tuple(truths), tuple(rows), tuple({"lang": lang} for lang in langs), labels,
        tuple(1.0 for _ in rows),
    )  # fmt: skip


@pytest.mark.parametrize("asked", ["accuracy >= 0.5", "f1_macro >= 0.5", "recall[a] >= 0.5"])
def test_a_slice_has_the_asked_quality_of_its_rows(asked: str) -> None:
    """Each by the metric's own definition, and the interval holds the value."""
    labels, draw = ("a", "b", "c"), random.Random(2)
    answers, truths = drawn(labels, 300)
    langs = [draw.choice(("de", "de", "en")) for _ in truths]
    query = Query.parse([asked, "accuracy[lang=en] >= 0.4"])
    first, second = slices_of(query, facts_of(truths, langs, labels), answers)
    assert (first.column, first.value, second.value) == ("lang", "de", "en")
    assert first.n + second.n == 300
    rows = [at for at, lang in enumerate(langs) if lang == "de"]
    given, wanted = [answers[at] or "" for at in rows], [truths[at] for at in rows]
    hits = [g == w for g, w in zip(given, wanted, strict=True)]
    of_a = [hit for hit, truth in zip(hits, wanted, strict=True) if truth == "a"]
    known = {
        "accuracy": np.mean(hits),
        "f1_macro": f1_score(wanted, given, labels=labels, average="macro"),
        "recall": np.mean(of_a),
    }
    assert first.quality == pytest.approx(known[asked.partition(" ")[0].partition("[")[0]])
    assert first.low is not None
    assert first.high is not None
    assert first.low < first.quality < first.high
    if asked.startswith("accuracy"):
        assert (first.low, first.high) == wilson(sum(hits), len(hits))


def test_the_jackknife_of_recall_is_the_normal_interval_of_a_share() -> None:
    """Leaving out each row in turn gives the textbook standard error, with n - 1."""
    truths, answers = ["a"] * 100, [*["a"] * 80, *["b"] * 20]
    query = Query.parse("recall[a] >= 0.5")
    (found,) = slices_of(query, facts_of(truths, ["de"] * 100, ("a", "b")), answers)
    half = 1.959964 * (0.8 * 0.2 / 99) ** 0.5
    assert (found.low, found.high) == pytest.approx((0.8 - half, 0.8 + half), abs=1e-6)


def test_a_slice_without_the_asked_label_is_left_out() -> None:
    """A recall of a label that no row has, and nobody answered, is not defined."""
    truths, langs = ["a", "b", "b", "b"], ["de", "de", "en", "en"]
    facts = facts_of(truths, langs, ("a", "b"))
    found = slices_of(Query.parse("recall[a] >= 0.5"), facts, ["a", "b", "b", "b"])
    assert [each.value for each in found] == ["de"]


def test_only_frequent_values_and_asked_ones_are_listed() -> None:
    """A column of many values makes no long report."""
    langs = [f"v{at % 40:02}" for at in range(400)] + ["rare"]
    truths = ["a"] * 400 + ["b"]
    query = Query.parse(["accuracy >= 0.5", "accuracy[lang=rare] >= 0.1"])
    found = slices_of(query, facts_of(truths, langs, ("a", "b")), list(truths))
    assert len(found) == MOST_VALUES + 1
    assert found[-1].value == "rare"


def test_answers_in_words_have_slices_too() -> None:
    """The task's own measure, on the rows of each value: here sums, and means."""
    tags = [json.dumps(["B-PER", "O"]), json.dumps(["B-PER", "O"]), json.dumps(["O", "O"])]
    facts = replace(facts_of(tags, ["de", "de", "en"], ("B-PER", "O")), task="token-classification")
    query = Query.parse("f1 >= 0.5", task="token-classification")
    (found,) = slices_of(query, facts, [tags[0], tags[2], tags[2]])
    assert (found.value, found.quality, found.n) == ("de", pytest.approx(2 / 3), 2)
    truths = ['["yes"]', '["no"]', '["yes"]']
    facts = replace(facts_of(truths, ["de", "de", "en"], ()), task="text-generation")
    query = Query.parse("exact_match >= 0.5", task="text-generation")
    given = [json.dumps(text) for text in ("yes", "yes", "yes")]
    of_german, of_english = slices_of(query, facts, given)
    assert (of_german.quality, of_english.quality) == (0.5, 1.0)
    assert (of_german.low, of_german.high) == wilson(1, 2)


# ---------------------------------------------------------------------- costs
def test_the_memory_parts_add_up_to_the_peak() -> None:
    """Weights that are mapped and never read are no more than the model took."""
    for loaded in (40.0, 400.0):
        values = {"peak_memory_mb": 310.0, "model_memory_mb": 120.0, "loaded_mb": loaded}
        found = memory_split(outcome(**values))
        assert found == {
            "runtime": 190.0, "model": min(loaded, 120.0), "working": max(0.0, 120.0 - loaded),
        }  # fmt: skip
        assert sum(found.values()) == 310.0
    assert memory_split(outcome(peak_memory_mb=310.0)) == {}


def test_percentiles_are_those_that_have_intervals() -> None:
    """One definition of a percentile everywhere, and one list of numbers."""
    durations = [float(x) for x in np.random.default_rng(0).exponential(size=137)]
    found = percentiles(durations)
    assert found == {str(p): percentile(durations, p / 100).value_ms for p in PERCENTILES}
    assert tuple(found) == NUMBERS
    hundred = percentiles([float(x) for x in range(100, 0, -1)])
    assert hundred == {number: float(number) for number in NUMBERS}
    assert {"latency_p5_ms", "latency_p99_ms"} <= APART
    assert not {"latency_p50_ms", "latency_p95_ms"} & APART


# ---------------------------------------------------------------------- who, and warnings
def outcome(name: str = "good", /, **values: float) -> Outcome:
    measured = {n: Measurement(n, value, "MB", 1) for n, value in values.items()}
    recipe = Recipe("torch-int8", "torch", "int8")
    return Outcome(
        f"team/{name}", "0" * 40, "hub", recipe, State.EVALUATED, Verdict.SUFFICIENT, "", 1.0,
        n_rows=10, measurements=measured,
    )  # fmt: skip


def answer(*outcomes: Outcome, chosen: int | None, **changes: Any) -> Recommendation:
    plan = Plan(10, 10, len(outcomes), len(outcomes), 0.05, 0, "size_mb", (), "rows")
    choice = None if chosen is None else outcomes[chosen]
    return Recommendation(plan, choice, outcomes, "", "complete", {}, {}, **changes)


def test_the_choice_the_baseline_and_the_frontier_are_detailed() -> None:
    """Each name once, and not more than a dozen; who answered nothing has no details."""
    front = [replace(outcome(f"m{at}"), on_frontier=True) for at in range(20)]
    base = outcome("base")
    found = shown_in_detail(answer(*front, outcome("off"), chosen=3, baseline=base))
    assert [one.model for one in found[:3]] == ["team/m3", "team/base", "team/m0"]
    assert len(found) == len({one.name for one in found}) == MOST_DETAILED
    silent = replace(front[0], n_rows=0)
    assert shown_in_detail(answer(silent, chosen=None)) == []
    choice = outcome("m0")
    (only,) = shown_in_detail(answer(choice, chosen=0, baseline=replace(choice)))
    assert only is choice


def test_flags_name_their_topic() -> None:
    """Short warnings, each with its reason; none where all is well."""
    noisy = Measurement("latency_p50_ms", 1.0, "ms", 9, note=(
        "beside the choice, in its rounds; timings are too noisy to decide: the same candidate in "
        "two processes differed by a factor of 1.00 (p50) and 1.50 (p95)"))  # fmt: skip
    labels = LabelMap(("a", None), "rows", missing=("b",), inferred=Inferred(60, 51))
    warned = replace(
        outcome(rows_cut=3.0),
        labels=labels,
        claims=(Claim("f1_macro", 0.8, 0.9, 0.85, 10, exact=False), Claim("x", 0.8, 0.9, 0.8, 1)),
    )
    drift = Measurement("rows_drifted", 2.0, "rows", 40)
    measured = {**warned.measurements, "rows_drifted": drift, "latency_p50_ms": noisy}
    flags = flags_of(replace(warned, measurements=measured))
    assert flags == (
        "inferred labels: labels inferred: 85 % right on 60 rows that are not used as evidence",
        "partial labels: it lacks 'b', whose rows count as wrong",
        "approximate metric: what is certified of f1_macro holds for large samples",
        "cut rows: 3 rows were longer than it reads, and cut to its length",
        "drift: 2 of 40 rows change with the batch size",
        "noisy timing: the same candidate in two processes differed by a factor of 1.00 (p50) and "
        "1.50 (p95)",
    )
    assert flags_of(outcome(size_mb=3.0, rows_cut=0.0)) == ()


def test_details_survive_their_json() -> None:
    """Also where nothing is known of them."""
    answers, truths = drawn(("a", "b"), 50)
    some = Details(
        confusion=confusion_of(answers, truths, ("a", "b")),
        classes=classes_of(answers, truths, ("a", "b")),
        latency_ms={"5": 1.0}, memory_mb={"runtime": 2.0},
    )  # fmt: skip
    for details in (some, Details()):
        assert Details.from_json(json.loads(json.dumps(details.to_json()))) == details
