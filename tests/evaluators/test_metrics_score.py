"""Quality with its interval, and what a plan may know without importing evaluate."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from scipy.stats import binomtest

from cache.errors import BadInput, NotFound
from evaluators.quality.bootstrap import bootstrap_interval
from evaluators.quality.counts import FORMULAS, Counts
from evaluators.quality.score import quality, wilson
from evaluators.quality.specs import METRICS, MetricSpec, check_metric, metric_spec
from evaluators.quality.tasks import registered_names

ROOT = Path(__file__).parents[2]
THREE = ["a", "b", "c"]


@pytest.mark.parametrize(("n_correct", "n"), [(0, 10), (10, 10), (1, 1), (90, 100), (1234, 5000)])
def test_wilson_equals_scipy(n_correct, n):
    """The interval of accuracy is that of scipy's Wilson method."""
    low, high = wilson(n_correct, n)
    reference = binomtest(n_correct, n).proportion_ci(0.95, method="wilson")
    assert (low, high) == pytest.approx((reference.low, reference.high))


def test_accuracy_is_counted():
    """Accuracy has its n, its interval, and says how many answers are missing."""
    found = quality("accuracy", ["a", "b", None, "a"], ["a", "b", "c", "c"], labels=THREE)
    assert (found.name, found.value, found.n, found.unit) == ("accuracy", 0.5, 4, "ratio")
    assert (found.low, found.high) == pytest.approx(wilson(2, 4))
    assert found.note == "Wilson interval; 1 answers missing, counted as wrong"


@pytest.mark.parametrize(
    ("metric", "labels", "positive", "message"),
    [
        ("f1", ["a", "b"], None, "--positive LABEL, one of 'a', 'b'; or use f1_macro"),
        ("recall", THREE, "a", "recall is for two classes, and the data has 3.*recall_macro"),
        ("precision", THREE, None, "precision is for two classes.*precision_macro"),
        ("f1", ["a", "b"], "x", "--positive 'x' is no label of the data: 'a', 'b'"),
        ("acuracy", THREE, None, "no metric 'acuracy'.*Did you mean accuracy"),
        ("bleu", THREE, None, "no metric 'bleu'; there are accuracy, f1"),
    ],
)
def test_metrics_that_do_not_fit_are_refused(metric, labels, positive, message):
    """Before anything is measured, the error names what to write instead."""
    with pytest.raises((BadInput, NotFound), match=message):
        check_metric(metric, labels, positive)


@pytest.mark.parametrize(
    ("answers", "references", "message"),
    [([], [], "no rows"), (["a"], ["a", "b"], "1 predictions for 2 rows")],
)
def test_rows_must_match(answers, references, message):
    """Nothing is no measurement, and every row has one answer or None."""
    with pytest.raises(BadInput, match=message):
        quality("accuracy", answers, references, labels=THREE)


def test_every_registered_metric_is_known_to_the_plan():
    """Each entry point is in the light tables of metrics."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lines = set(project["project"]["entry-points"]["recommender.metrics"])
    assert set(METRICS) <= lines <= registered_names()


def test_a_known_metric_has_its_range():
    """A correlation may be negative; accuracy is decided by a count."""
    assert metric_spec("matthews_correlation").low == -1
    assert metric_spec("accuracy") == MetricSpec(per_example=True, evidence="exact")


@pytest.mark.parametrize("metric", FORMULAS)
def test_intervals_are_reproducible(metric):
    """The same counts give the same interval; more rows give a narrower one."""
    references = THREE * 20
    answers = [*references[:40], *references[39:59]]
    few = bootstrap_interval(FORMULAS[metric], Counts.of(answers, references, THREE, "a"))
    many = bootstrap_interval(FORMULAS[metric], Counts.of(answers * 9, references * 9, THREE, "a"))
    assert few == bootstrap_interval(FORMULAS[metric], Counts.of(answers, references, THREE, "a"))
    assert many[1] - many[0] < few[1] - few[0]


def test_accuracy_imports_no_heavy_library():
    """Planning and counting import none of evaluate, numpy, scikit-learn."""
    code = (
        "import sys; from evaluators.quality.score import quality;"
        "quality('accuracy', ['a'], ['a'], labels=['a', 'b']);"
        "print({'evaluate', 'numpy', 'sklearn', 'datasets'} & set(sys.modules))"
    )
    run = [sys.executable, "-c", code]
    found = subprocess.run(run, capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "set()"
