"""A user's own metric: what it may be, what is checked of it, and where its code runs."""

import math
import os
import sys

import numpy as np
import pytest

from cache.errors import BadInput, NotFound
from cache.paths import Home
from catalog.testing import LoopbackHub
from evaluators.quality.custom import MOST_GROUPS, Metric, few_groups, own_of
from evaluators.quality.forms import AllRows, BoundedMean
from recommender.own_metrics import metric_file, opened
from tests.conftest import nightly

ANSWERS, TRUTHS = ["cat", "dog", None, "cow"], ["car", "dog", "eel", "ant"]


def same_start(prediction, reference):
    """Of one row."""
    return float(prediction[0] == reference[0])


def share(y_true, y_pred):
    """Of all rows."""
    return np.mean([a == t for a, t in zip(y_pred, y_true, strict=True)])


def test_a_metric_of_a_row_is_an_exact_mean():
    """It is asked once for a pair; a failed row has the worst value, and is not asked for."""
    asked = []

    def counted(prediction, reference):
        asked.append((prediction, reference))
        return 10 * same_start(prediction, reference)

    found = own_of(Metric(counted, per_row=True, high=10, version="1"))
    assert isinstance(found.measure, BoundedMean)
    assert (found.spec.evidence, found.spec.form) == ("exact", "mean")
    for _ in range(2):
        assert found.measure.row_values(ANSWERS, TRUTHS).tolist() == [1, 1, 0, 0]
    assert asked == [("cat", "car"), ("dog", "dog"), ("cow", "ant")]
    error = own_of(Metric(same_start, per_row=True, higher_is_better=False))
    assert error.measure.row_values(ANSWERS, TRUTHS).tolist() == [0, 0, 0, 1]
    assert error.measure.value(ANSWERS, TRUTHS) == 0.75
    assert error.spec.gain(0.25) == 0.75


def test_a_metric_of_all_rows_is_approximate():
    """One figure, and one without each group; scikit-learn's names are told from evaluate's."""
    found = own_of(Metric.of(share))
    assert isinstance(found.measure, AllRows)
    assert (found.spec.evidence, found.name) == ("approximate", "share")
    assert found.measure.value(ANSWERS, TRUTHS) == 0.25
    left_out = found.measure.leave_out(ANSWERS, TRUTHS, [0, 1, 1, 2])
    assert sorted(left_out.tolist()) == pytest.approx([0, 1 / 3, 1 / 3])


def test_groups_are_whole_units():
    """However many units there are, a metric is called a bounded number of times."""
    units = [row // 3 for row in range(600)]
    groups = few_groups(units)
    assert set(groups) == set(range(MOST_GROUPS))
    assert all(groups[3 * unit] == groups[3 * unit + 2] for unit in range(200))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda: Metric(share, high=math.inf), r"range of share is \[0.0, inf\]; give two finite"),
        (lambda: Metric(lambda y_true, y_pred: 1.0), "cannot be called '<lambda>'.*give it a name"),
        (lambda: Metric.of("accuracy"), "'accuracy' is no metric; give a function"),
        (lambda: own_of(Metric(len)), "source of the metric len.*give it a version"),
        (
            lambda: own_of(Metric(closure(2), "mine")),
            "source of the metric mine.*give it a version",
        ),
    ],
)
def test_what_is_no_metric_is_refused(given, message):
    """One line, before a row is read."""
    with pytest.raises(BadInput, match=message):
        given()


def closure(factor):
    """What a metric does may hang on what is not in its source."""

    def scaled(prediction, reference):
        return factor * same_start(prediction, reference)

    return scaled


def failing(predictions, references):
    raise KeyError("no luck\nat all")


def wrong_names(first, second):
    return 1.0


def several(predictions, references):
    return {"f1": 0.5, "recall": 0.7}


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (Metric(failing), "the metric failing failed: KeyError: 'no luck"),
        (Metric(wrong_names), r"wrong_names has the parameters \(first, second\).*predictions and"),
        (Metric(several), "gave f1, recall; give it the name"),
        (
            Metric(lambda y_true, y_pred: math.nan, "odd", version="1"),
            "metric odd gave nan; its de",
        ),
        (Metric(share, high=0.2), r"share gave 0.25; its declared range is \[0, 0.2\]"),
    ],
)
def test_what_goes_wrong_in_it_is_named(metric, message):
    """The metric's name, and what it did."""
    with pytest.raises(BadInput, match=message):
        own_of(metric).measure.value(ANSWERS, TRUTHS)
    assert own_of(Metric(several, "f1")).measure.value(ANSWERS, TRUTHS) == 0.5


def test_another_source_is_another_metric():
    """The digest holds the code, the version and what is declared."""
    kinds = [
        Metric(share), Metric(several, "share"), Metric(share, version="1"),
        Metric(share, version="2"), Metric(share, high=2), Metric(share, per_row=True),
    ]  # fmt: skip
    assert len({own_of(metric).digest for metric in kinds}) == len(kinds)
    assert own_of(Metric(share)).digest == own_of(Metric.of(share)).digest


class Numbers:
    """As modules of evaluate for labels are: they take numbers."""

    name = "agreement"

    class _Feature:
        dtype = "int32"

    features = {"predictions": _Feature, "references": _Feature}  # noqa: RUF012

    def compute(self, predictions, references):
        assert all(isinstance(one, int) for one in (*predictions, *references))
        return {"agreement": share(references, predictions)}


def test_labels_are_numbered_for_modules_that_take_numbers():
    """A failed row has a number that no label has."""
    found = own_of(Metric.of(Numbers()))
    assert found.name == "agreement"
    assert found.measure.value(ANSWERS, TRUTHS) == 0.25


FILE = """
import os, socket
from recommender import Metric

def lengths(prediction, reference):
    return abs(len(prediction) - len(reference))

gap = Metric(lengths, per_row=True, high=10, higher_is_better=False)

def secrets(predictions, references):
    return float("HF_TOKEN" in os.environ or os.environ["HOME"] == {home!r})

def online(predictions, references):
    socket.create_connection(("127.0.0.1", {port}), timeout=2).close()
    return 1.0

def dies(predictions, references):
    os._exit(3)
"""

MODULE = """
import datasets
import evaluate

class Lengths(evaluate.Metric):
    def _info(self):
        text = datasets.Value("string")
        features = datasets.Features({"predictions": text, "references": text})
        return evaluate.MetricInfo(
            description="", citation="", inputs_description="", features=features
        )

    def _compute(self, predictions, references):
        same = [len(a) == len(b) for a, b in zip(predictions, references)]
        return {"share": sum(same) / len(same), "n": len(same)}
"""


def test_code_of_files_runs_apart(tmp_path, monkeypatch):
    """Without token, network and home; what dies there is one line here."""
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    file = tmp_path / "metrics.py"
    (tmp_path / "empty").mkdir()
    with LoopbackHub(tmp_path / "empty") as hub:
        file.write_text(FILE.format(home=os.environ["HOME"], port=hub.endpoint.rsplit(":", 1)[1]))
        asked = [f"{file}:gap", f"hush={file}:secrets", f"{file}:online", f"{file}:dies"]
        with opened(asked, allow_code=False, home=Home(tmp_path)) as (names, own):
            assert names == ("gap", "hush", "online", "dies")
            assert own["gap"].measure.row_values(["a", None], ["abc", "x"]).tolist() == [0.8, 0.0]
            assert (own["gap"].spec.higher_is_better, own["gap"].spec.evidence) == (False, "exact")
            assert own["hush"].measure.value(["a"], ["a"]) == 0.0
            with pytest.raises(BadInput, match=r"the metric online failed: (Permission|OS|Conn)"):
                own["online"].measure.value(["a"], ["a"])
            with pytest.raises(BadInput, match=r"the metric dies failed: .*exit code 3"):
                own["dies"].measure.value(["a"], ["a"])
    assert "users_own_metric" not in sys.modules


def test_a_file_that_changes_is_another_metric(tmp_path):
    """Its bytes are part of the key; what it lacks is said."""
    file, home = tmp_path / "metrics.py", Home(tmp_path)
    digests = set()
    for text in ("def one(y_true, y_pred):\n    return 1.0\n", "def one(y_true, y_pred): return 0"):
        file.write_text(text)
        with opened(f"{file}:one", allow_code=False, home=home) as (_, own):
            digests.add(own["one"].digest)
    assert len(digests) == 2
    for text, message in (
        (f"{file}:two", "two is not in metrics.py"),
        ("gone.py:one", "no metric f"),
        (
            "f1[person]",
            r"of a class or a slice: ask for it as a requirement, 'f1\[person\] >= 0.9'",
        ),
    ):
        with (
            pytest.raises((BadInput, NotFound), match=message),
            opened(text, allow_code=False, home=home),
        ):
            pass


def hosted_metric(folder):
    space = folder / "spaces" / "somebody" / "lengths"
    space.mkdir(parents=True)
    (space / "lengths.py").write_text(MODULE)
    (space / "app.py").write_text("raise SystemExit")
    return folder


def test_a_metric_of_a_hub_needs_leave(tmp_path, monkeypatch):
    """It is not even asked for before; then it is kept at its commit, fetched without a token."""
    home = Home(tmp_path / "home")
    with LoopbackHub(hosted_metric(tmp_path / "hosted"), token="hf_secret") as hub:
        monkeypatch.setattr("catalog.sources.hub_client.constants.ENDPOINT", hub.endpoint)
        monkeypatch.setattr("catalog.sources.hub_client.get_token", lambda: "hf_secret")
        sources = [f"hub:{hub.endpoint}"]
        with (
            pytest.raises(BadInput, match=r"somebody's code from the Hub.*--allow-metric-code"),
            opened("somebody/lengths", allow_code=False, home=home, sources=sources),
        ):
            pass
        assert not hub.requests
        found = metric_file("somebody/lengths:share", allow_code=True, home=home, sources=sources)
        assert hub.seen
        assert "authorization" not in str(hub.seen).lower()
        with pytest.raises(NotFound):
            metric_file("somebody/gone", allow_code=True, home=home, sources=sources)
    assert found.origin == f"somebody/lengths@{found.path.parent.name}"
    assert len(found.path.parent.name) == 40
    assert (found.path.name, found.name, found.attribute) == ("lengths.py", "share", "share")


@nightly
def test_a_metric_of_a_hub_runs_apart(tmp_path):
    """A module of evaluate, by its figure and under another name."""
    with LoopbackHub(hosted_metric(tmp_path / "hosted")) as hub:
        asked, sources = "alike=somebody/lengths:share", [f"hub:{hub.endpoint}"]
        with opened(asked, allow_code=True, home=Home(tmp_path), sources=sources) as (names, own):
            assert names == ("alike",)
            assert own["alike"].measure.value(["a", "bb", None], ["a", "b", "c"]) == 1 / 3
