"""What a plan knows of each task's metrics, and what is refused in one line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cache.errors import BadInput, MissingExtra, NotFound
from evaluators.quality import extras
from evaluators.quality.forms import AllRows, BoundedMean, Sums
from evaluators.quality.measures import measure_for
from evaluators.quality.spans import spans
from evaluators.quality.specs import METRICS
from evaluators.quality.squad import normalised
from evaluators.quality.tasks import (
    TASK_METRICS,
    default_metric,
    metric_for,
    metrics_of,
    supported_tasks,
)

ROOT = Path(__file__).parents[2]
EVERY = [(task, name) for task in TASK_METRICS for name in TASK_METRICS[task]]
FORMS = {"mean": BoundedMean, "sums": Sums, "all rows": AllRows}


@pytest.mark.parametrize(("task", "name"), EVERY, ids=map(" ".join, EVERY))
def test_every_metric_has_the_form_that_its_spec_says(task, name):
    """The light table and the computations agree on form, direction and exactness."""
    task, _, several = task.partition(" ")
    name = name.replace("@k", "@5")
    spec = metric_for(task, name, multi_label=bool(several))
    if spec.form == "counts":
        assert spec is METRICS[name]
        return
    measure = measure_for(task, name, labels=("a", "b"), multi_label=bool(several))
    assert isinstance(measure, FORMS[spec.form])
    exact = isinstance(measure, BoundedMean) or (isinstance(measure, Sums) and measure.exact)
    assert bool(exact) == (spec.evidence == "exact")
    if isinstance(measure, BoundedMean):
        assert (measure.binary, measure.higher_is_better) == (
            spec.per_example,
            spec.higher_is_better,
        )


DEFAULTS = {
    "text-classification": "accuracy", "token-classification": "f1",
    "question-answering": "exact_match", "zero-shot-classification": "accuracy",
    "feature-extraction": "ndcg@10", "sentence-similarity": "spearman",
    "text-ranking": "ndcg@10", "fill-mask": "accuracy@1", "text-generation": "exact_match",
    "summarization": "rougeL", "translation": "chrf", "image-classification": "accuracy",
    "object-detection": "map", "automatic-speech-recognition": "wer",
    "audio-classification": "accuracy",
}  # fmt: skip


def test_each_task_has_its_default():
    """Where nobody asks, a task is judged by its first metric, which exists."""
    assert {task: default_metric(task) for task in supported_tasks()} == DEFAULTS
    for task, name in DEFAULTS.items():
        assert metric_for(task, name)


@pytest.mark.parametrize(
    ("task", "name", "registered"),
    [
        ("token-classification", "f1", "entity_f1"),
        ("question-answering", "f1", "squad_f1"),
        ("audio-classification", "f1", None),
        ("translation", "sentence_bleu", None),
    ],
)
def test_one_name_means_what_its_task_says(task, name, registered):
    """f1 is of spans, of words or of labels."""
    assert metric_for(task, name).registered == registered


def test_metrics_at_k_know_their_number():
    """The number is part of the name; map@50 is no such number."""
    assert metric_for("feature-extraction", "recall@100").k == 100
    assert metric_for("object-detection", "map@50").k is None


@pytest.mark.parametrize(
    ("task", "name", "message"),
    [
        ("summarization", "rougel", "summarization has no metric 'rougel'.*Did you mean rougeL"),
        ("text-ranking", "ndcg@0", "text-ranking has no metric 'ndcg@0'"),
        ("fill-mask", "accuracy@k", "has no metric 'accuracy@k'"),
        ("tabular-regression", "r2", "tabular-regression is not supported yet; text-class"),
        ("translation", "f1", "translation has no metric 'f1'; it has chrf, sentence_bleu"),
    ],
)
def test_unknown_metrics_are_answered_with_the_list(task, name, message):
    """The error names the nearest metric, or the tasks that there are."""
    with pytest.raises(NotFound, match=message):
        metric_for(task, name)


def test_several_labels_are_refused_where_a_row_has_one_truth():
    """Only classification has rows with any number of labels."""
    with pytest.raises(BadInput, match="translation has one truth a row"):
        metrics_of("translation", multi_label=True)


def test_errors_are_bounded_from_above():
    """`wer <= 0.1` is a mean gain of 0.9, `perplexity <= 20` a token's mean chance of 5 %."""
    assert metric_for("automatic-speech-recognition", "wer").gain(0.1) == 0.9
    assert metric_for("text-generation", "perplexity").gain(20.0) == 0.05
    assert metric_for("text-generation", "bits_per_byte").gain(1.0) == 0.5
    assert metric_for("summarization", "rougeL").gain(0.3) == 0.3
    found = measure_for("automatic-speech-recognition", "wer")
    assert found.row_values(['"a b"', '"x y z q"'], ['"a c"', '"a"']).tolist() == [0.5, 0.0]
    assert found.value(['"a b"', None], ['"a c"', '"a"']) == 0.75


@pytest.mark.parametrize(
    ("answer", "truth", "exact", "f1"),
    [
        ("1976", ["1976"], 1, 1),
        ("The Beatles!", ["beatles", "a band"], 1, 1),
        ("in the city of Paris", ["Paris"], 0, 0.4),
        ("", [], 1, 1),
        ("Paris", [], 0, 0),
        ("", ["Paris"], 0, 0),
        ("the", ["Paris"], 0, 0),
        ("Denver Broncos", ["Denver", "the Denver Broncos"], 1, 1),
    ],
)
def test_squad_scores(answer, truth, exact, f1):
    """The official script's values: normalised, the best reference, "" for no answer."""
    given, wanted = [json.dumps(answer)], [json.dumps(truth)]
    found = [
        measure_for("question-answering", name).value(given, wanted)
        for name in ("exact_match", "f1")
    ]
    assert found == pytest.approx([exact, f1])
    assert normalised("An apple, the\ttree a-b") == "apple tree ab"


def test_entities_can_be_asked_of_one_type():
    """Hits of other types are neither right nor wrong; other metrics have no type."""
    tags = [json.dumps(["B-PER", "I-PER", "B-LOC"])], [json.dumps(["B-PER", "I-PER", "B-ORG"])]
    found = [
        measure_for("token-classification", "f1", kind=kind).value(*tags)
        for kind in (None, "PER", "ORG")
    ]
    assert found == [0.5, 1.0, 0.0]
    with pytest.raises(BadInput, match="judges no one type"):
        measure_for("summarization", "rougeL", kind="PER")


def test_rows_with_too_many_entities_are_refused():
    """The bound of the exact test is declared before the data is seen."""
    row = [json.dumps(["B-X"] * 33)]
    with pytest.raises(BadInput, match="33 entities, and at most 32 are read"):
        measure_for("token-classification", "f1").value(row, row)
    assert spans(["I-X", "B-X", "I-Y", "I-X"]) == [("X", 1, 2)]


@pytest.mark.parametrize(
    ("scores", "mrr", "recall"),
    [([3, 2, 1], 1 / 3, 0.0), ([1, 2, 3], 1.0, 1.0), ([1, 1, 1], 11 / 18, 1 / 3),
     ([1, 2, 2], 0.75, 0.5)],
)  # fmt: skip
def test_ties_count_as_the_mean_of_their_orders(scores, mrr, recall):
    """A constant scorer gains nothing from the order of the documents."""
    truth = [json.dumps({"0": 0, "1": 0, "2": 1})]
    found = measure_for("text-ranking", "mrr").value([json.dumps(scores)], truth)
    assert found == pytest.approx(mrr)
    at_1 = measure_for("feature-extraction", "recall@1").value([json.dumps(scores)], truth)
    assert at_1 == pytest.approx(recall)


@pytest.mark.parametrize(
    ("task", "name", "answer", "truth", "value"),
    [
        ("fill-mask", "accuracy@2", ["is", "was"], "was", 1.0),
        ("fill-mask", "accuracy@1", ["is", "was"], "was", 0.0),
        ("image-classification", "accuracy@2", [["cat", -0.1], ["dog", -2.5]], "dog", 1.0),
        (
            "image-classification",
            "accuracy@2",
            [["cat", -0.1], [None, -1], ["dog", -2]],
            "dog",
            0.0,
        ),
        ("text-generation", "exact_match", " Paris\n", ["paris", "Paris "], 1.0),
        ("text-generation", "regex", "so it is 42.", [r"\b4\d\b"], 1.0),
        ("text-generation", "regex", "so it is 4", [r"\b4\d\b"], 0.0),
    ],
)
def test_matches(task, name, answer, truth, value):
    """What counts as right in tasks without labels."""
    told = truth if isinstance(truth, str) else json.dumps(truth)
    assert measure_for(task, name).value([json.dumps(answer), None], [told, told]) == value / 2


@pytest.mark.parametrize("box", [[20, 0, 10, 9], [5, 5, 5, 5], [0, 0, 9e6, 9e6], [50, 50, 60, 60]])
def test_false_detections_cost_precision_whatever_their_size(box):
    """A box turned inside out, without a size or of a huge one is as wrong as any other."""
    truth = [{"box": [0, 0, 10, 10], "label": "cat"}]
    answer = [{**truth[0], "score": 0.5}, {"box": box, "label": "cat", "score": 0.9}]
    found = measure_for("object-detection", "map@50")
    assert found.value([json.dumps(answer)], [json.dumps(truth)]) == pytest.approx(0.5)


def test_answers_in_a_wrong_form_are_named():
    """An answer that is no JSON is a mistake of a task, and said in one line."""
    with pytest.raises(BadInput, match="'Paris', and must be a JSON string"):
        measure_for("question-answering", "f1").value(["Paris"], ["[]"])
    with pytest.raises(BadInput, match="ask for chrf"):
        measure_for("summarization", "rougeL").value(['"日本"'], ['["日本"]'])


def test_a_missing_library_is_named_with_its_extra():
    """The error holds the line that installs it."""
    with pytest.raises(MissingExtra, match=r"pip install 'recommender\[audio\]'"):
        extras.library("jiwer_of_nobody", extra="audio")


def test_specs_import_no_heavy_library():
    """Planning and looking a metric up import none of evaluate, numpy, scikit-learn."""
    code = (
        "import sys; from evaluators.quality.tasks import metric_for;"
        "metric_for('translation', 'chrf');"
        "print({'evaluate', 'numpy', 'sklearn', 'sacrebleu'} & set(sys.modules))"
    )
    run = [sys.executable, "-c", code]
    found = subprocess.run(run, capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "set()"
