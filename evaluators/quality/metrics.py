"""Metrics, each an `evaluate.Metric` computed by scikit-learn or SciPy. The home of evaluate.

Importing evaluate takes seconds, so these classes come by entry point, when one is computed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import evaluate
import numpy as np
from datasets import Features, Value
from numpy.typing import NDArray
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    matthews_corrcoef,
    ndcg_score,
    precision_score,
    recall_score,
    roc_auc_score,
)

from evaluators.quality.answers import labels_in, pairs_in, relevances_in, scores_in
from evaluators.quality.specs import check_metric

INPUTS = """
Args:
    predictions: labels as strings; "" for a missing answer, which counts as wrong.
    references: the true labels.
    labels: all labels of the data; those of the references if left out.
    positive: the label that two-class metrics judge.
"""


STRING_INPUTS = """
Args:
    predictions: answers in the form of the task's truths; "" for a missing one, which is worst.
    references: the truths.
    labels: all labels of the data, for metrics of several labels.
    k: the number in the metric's name, as in ndcg@10.
"""


class Asked(NamedTuple):
    """What a metric is asked besides answers and truths."""

    labels: tuple[str, ...]
    k: int


class StringMetric(evaluate.Metric):  # type: ignore[misc]  # evaluate ships no types
    """A metric of answers and truths in their string form; its result has one key, its name."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=str(self.__class__.__doc__),
            citation="",
            inputs_description=self._inputs,
            features=Features({"predictions": Value("string"), "references": Value("string")}),
        )

    _inputs = STRING_INPUTS

    def _compute(
        self,
        predictions: Sequence[str],
        references: Sequence[str],
        labels: Sequence[str] = (),
        k: int = 10,
    ) -> dict[str, float]:
        asked = Asked(tuple(labels), k)
        return {self.name: float(self._of(list(predictions), list(references), asked))}

    def _of(self, predictions: list[str], references: list[str], asked: Asked) -> float:
        raise NotImplementedError


class LabelMetric(StringMetric):
    """A metric of string labels; its result has one key, the metric's name."""

    _inputs = INPUTS

    def _compute(  # type: ignore[override]  # one class is asked for, and no number
        self,
        predictions: Sequence[str],
        references: Sequence[str],
        labels: Sequence[str] | None = None,
        positive: str | None = None,
    ) -> dict[str, float]:
        every = sorted(set(references)) if labels is None else list(labels)
        check_metric(self.name, every, positive)
        judged = every if positive is None or not self._judges_one else [positive]
        return {self.name: float(self._value(list(predictions), list(references), judged))}

    _judges_one = False

    def _value(self, predictions: list[str], references: list[str], judged: list[str]) -> float:
        raise NotImplementedError


class Accuracy(LabelMetric):
    """The share of rows that are answered rightly."""

    def _value(self, predictions: list[str], references: list[str], judged: list[str]) -> float:
        return float(accuracy_score(references, predictions))


class F1Macro(LabelMetric):
    """The mean over all classes of their F1, each class counting the same."""

    def _value(self, predictions: list[str], references: list[str], judged: list[str]) -> float:
        return float(
            f1_score(references, predictions, labels=judged, average="macro", zero_division=0.0)
        )


class F1(F1Macro):
    """The harmonic mean of precision and recall of the positive class."""

    _judges_one = True


class F1Micro(LabelMetric):
    """F1 of all classes' hits and misses added up."""

    def _value(self, predictions: list[str], references: list[str], judged: list[str]) -> float:
        return float(
            f1_score(references, predictions, labels=judged, average="micro", zero_division=0.0)
        )


class F1Weighted(LabelMetric):
    """The mean of the classes' F1, weighted by their rows."""

    def _value(self, predictions: list[str], references: list[str], judged: list[str]) -> float:
        return float(
            f1_score(references, predictions, labels=judged, average="weighted", zero_division=0.0)
        )


class PrecisionMacro(LabelMetric):
    """The mean over all classes of their precision."""

    def _value(self, predictions: list[str], references: list[str], judged: list[str]) -> float:
        return float(
            precision_score(
                references, predictions, labels=judged, average="macro", zero_division=0.0
            )
        )


class Precision(PrecisionMacro):
    """The share of rows answered with the positive class that are of it."""

    _judges_one = True


class RecallMacro(LabelMetric):
    """The mean over all classes of their recall."""

    def _value(self, predictions: list[str], references: list[str], judged: list[str]) -> float:
        return float(
            recall_score(references, predictions, labels=judged, average="macro", zero_division=0.0)
        )


class Recall(RecallMacro):
    """The share of rows of the positive class that are answered with it."""

    _judges_one = True


class MatthewsCorrelation(LabelMetric):
    """The correlation of answers and truth, from -1 to 1; 0 for a constant answer."""

    def _value(self, predictions: list[str], references: list[str], judged: list[str]) -> float:
        if len({*references, *predictions}) == 1:  # scikit-learn gives 0 too, and warns
            return 0.0
        return float(matthews_corrcoef(references, predictions))


class SubsetAccuracy(StringMetric):
    """The share of rows whose labels are answered exactly."""

    def _of(self, predictions: list[str], references: list[str], asked: Asked) -> float:
        held = (labels_in(text) for text in (*predictions, *references) if text)
        every = sorted({""}.union(*held))  # "" is no label: a failed row is wrong without any too
        given, wanted = _indicators(predictions, references, every)
        return float(accuracy_score(wanted, given))


class MultiLabelF1Micro(StringMetric):
    """F1 of all labels' hits and misses added up, for rows with any number of labels."""

    _judge, _average, _nothing = staticmethod(f1_score), "micro", 0.0

    def _of(self, predictions: list[str], references: list[str], asked: Asked) -> float:
        given, wanted = _indicators(predictions, references, asked.labels)
        return float(self._judge(wanted, given, average=self._average, zero_division=self._nothing))


class MultiLabelF1Macro(MultiLabelF1Micro):
    """The mean of the labels' f1, each label counting the same."""

    _average = "macro"


class MultiLabelF1Weighted(MultiLabelF1Micro):
    """The mean of the labels' f1, weighted by their rows."""

    _average = "weighted"


class MultiLabelF1Samples(MultiLabelF1Micro):
    """The mean of the rows' own f1."""

    _average, _nothing = "samples", 1.0


class MultiLabelPrecisionMicro(MultiLabelF1Micro):
    """The share of answered labels that are right."""

    _judge = staticmethod(precision_score)


class MultiLabelRecallMicro(MultiLabelF1Micro):
    """The share of the true labels that are answered."""

    _judge = staticmethod(recall_score)


class RocAuc(StringMetric):
    """The chance that a row of a label has a higher score for it than another row."""

    def _of(self, predictions: list[str], references: list[str], asked: Asked) -> float:
        wanted = np.array([[truth == label for label in asked.labels] for truth in references])
        scores = _scores(predictions, asked.labels, wanted)
        if len(asked.labels) == 2:
            return float(roc_auc_score(wanted[:, 1], scores[:, 1] - scores[:, 0]))
        return _mean_area(wanted, scores)


class MultiLabelRocAuc(StringMetric):
    """The mean of the labels' areas, for rows with any number of labels."""

    def _of(self, predictions: list[str], references: list[str], asked: Asked) -> float:
        wanted = _indicators(references, references, asked.labels)[1]
        return _mean_area(wanted, _scores(predictions, asked.labels, wanted))


class Spearman(StringMetric):
    """The correlation of the ranks of scores; 0 for a constant answer."""

    _correlation = staticmethod(spearmanr)

    def _of(self, predictions: list[str], references: list[str], asked: Asked) -> float:
        wanted = np.array([float(truth) for truth in references])
        known = np.array([float(answer) for answer in predictions if answer])
        if not known.size:
            return float(self._correlation(-wanted, wanted).statistic)
        worst = np.where(wanted > wanted.mean(), known.min(), known.max())
        given = np.array([float(a) if a else w for a, w in zip(predictions, worst, strict=True)])
        if np.ptp(given) == 0 or np.ptp(wanted) == 0:  # SciPy gives NaN, and warns
            return 0.0
        return float(self._correlation(given, wanted).statistic)


class Pearson(Spearman):
    """The linear correlation of scores; 0 for a constant answer."""

    _correlation = staticmethod(pearsonr)


class Ndcg(StringMetric):
    """The mean over queries of the normalised discounted cumulative gain of the first k."""

    def _of(self, predictions: list[str], references: list[str], asked: Asked) -> float:
        pairs = zip(predictions, references, strict=True)
        return float(np.mean([_ndcg(a, t, asked.k) if a else 0.0 for a, t in pairs]))


Bools = NDArray[np.bool_]


def _ndcg(answer: str, truth: str, k: int) -> float:
    """scikit-learn's, where k irrelevant documents part those that were ranked from the others."""
    scores, relevances = scores_in(answer), relevances_in(truth)
    lowest = min(scores.values(), default=0.0)
    others = [one for document, one in relevances.items() if document not in scores]
    gains = [max(0.0, relevances.get(document, 0.0)) for document in scores]
    padded = [*gains, *[0.0] * k, *(max(0.0, one) for one in others)]
    ranked = [*scores.values(), *[lowest - 1.0] * k, *[lowest - 2.0] * len(others)]
    return float(ndcg_score([padded], [ranked], k=k))


def _mean_area(wanted: Bools, scores: NDArray[np.float64]) -> float:
    both = [at for at in range(wanted.shape[1]) if 0 < wanted[:, at].sum() < len(wanted)]
    areas = [roc_auc_score(wanted[:, at], scores[:, at]) for at in both]
    return float(np.mean(areas)) if areas else 0.0


def _scores(predictions: list[str], labels: Sequence[str], wanted: Bools) -> Any:
    """Every label's scores, (n, labels); worse than all others where an answer is missing."""
    told = [dict(pairs_in(answer)) for answer in predictions if answer]
    far = 1.0 + 2.0 * max((abs(score) for row in told for score in row.values()), default=0.0)
    known = [[row.get(label, -far) for label in labels] for row in told]
    far *= 2.0
    found = np.where(wanted, -far, far)
    found[[bool(answer) for answer in predictions]] = known or np.empty((0, wanted.shape[1]))
    return found


def _indicators(
    predictions: list[str], references: list[str], labels: Sequence[str]
) -> tuple[Bools, Bools]:
    """Which labels are answered and which are true, (n, labels) each; all wrong where missing."""
    wanted = _held([labels_in(truth) for truth in references], labels)
    given = _held([labels_in(answer) if answer else frozenset() for answer in predictions], labels)
    failed = np.array([not answer for answer in predictions])
    given[failed] = ~wanted[failed]
    return given, wanted


def _held(sets: Sequence[frozenset[str]], labels: Sequence[str]) -> Bools:
    return np.array([[label in held for label in labels] for held in sets], dtype=bool)


def load_module(path: Path) -> evaluate.EvaluationModule:
    """A local module for `evaluate`, a file or its folder; its code runs in this process."""
    return evaluate.load(str(path), keep_in_memory=True)
