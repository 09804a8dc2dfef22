"""The metrics, each an `evaluate.Metric` computed by scikit-learn. The home of evaluate.

Importing evaluate takes seconds, so these classes come by entry point, when one is computed.
"""

from collections.abc import Sequence

import evaluate
from datasets import Features, Value
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    matthews_corrcoef,
    precision_score,
    recall_score,
)

from evaluators.quality.specs import check_metric

INPUTS = """
Args:
    predictions: labels as strings; "" for a missing answer, which counts as wrong.
    references: the true labels.
    labels: all labels of the data; those of the references if left out.
    positive: the label that two-class metrics judge.
"""


class LabelMetric(evaluate.Metric):  # type: ignore[misc]  # evaluate ships no types
    """A metric of string labels; its result has one key, the metric's name."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=str(self.__class__.__doc__),
            citation="",
            inputs_description=INPUTS,
            features=Features({"predictions": Value("string"), "references": Value("string")}),
        )

    def _compute(
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
