"""Metrics as functions of counts, for many resamples at once.

The values that users see come from scikit-learn; these formulas give the resamples for intervals
1,000 at a time, and a test holds both against each other.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Counts:
    """How often each true class met each answer: only the pairs that occur.

    `times`: (..., pairs), one row a resample. `truth` and `answer` are classes by index,
    (pairs,); an answer that is no label has the index `n_classes`. `positive` is one class.
    """

    times: Floats
    truth: NDArray[np.int64]
    answer: NDArray[np.int64]
    n_classes: int
    positive: int | None = None

    @classmethod
    def of(
        cls,
        answers: Sequence[str],
        references: Sequence[str],
        labels: Sequence[str],
        positive: str | None = None,
    ) -> Self:
        """The counts of one set of answers; `times` is (pairs,)."""
        index = {label: at for at, label in enumerate(labels)}
        pairs = Counter(
            (index[truth], index.get(answer, len(labels)))
            for truth, answer in zip(references, answers, strict=True)
        )
        found = sorted(pairs)
        return cls(
            times=np.array([pairs[pair] for pair in found], dtype=np.float64),
            truth=np.array([truth for truth, _ in found], dtype=np.int64),
            answer=np.array([answer for _, answer in found], dtype=np.int64),
            n_classes=len(labels),
            positive=None if positive is None else index[positive],
        )

    @property
    def support(self) -> Floats:
        """Rows of each true class: (..., classes)."""
        return self._sums(self.truth)[..., :-1]

    @property
    def answered(self) -> Floats:
        """Rows answered with each class: (..., classes)."""
        return self._sums(self.answer)[..., :-1]

    @property
    def unanswered(self) -> Floats:
        """Rows whose answer is no label: (...)."""
        return self._sums(self.answer)[..., -1]

    @property
    def correct(self) -> Floats:
        """Rows of each class that were answered with it: (..., classes)."""
        return self._sums(np.where(self.truth == self.answer, self.truth, self.n_classes))[..., :-1]

    def _sums(self, groups: NDArray[np.int64]) -> Floats:
        members = np.equal.outer(groups, np.arange(self.n_classes + 1))  # (pairs, classes + 1)
        return np.asarray(self.times @ members.astype(np.float64))


def _ratio(part: Floats, whole: Floats) -> Floats:
    """part / whole, and 0 where whole is 0, as scikit-learn with zero_division=0."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole != 0)


def _f1_each(counts: Counts) -> Floats:
    return _ratio(2 * counts.correct, counts.support + counts.answered)


def _precision_each(counts: Counts) -> Floats:
    return _ratio(counts.correct, counts.answered)


def _recall_each(counts: Counts) -> Floats:
    return _ratio(counts.correct, counts.support)


def _f1_micro(counts: Counts) -> Floats:
    every = counts.support.sum(-1) + counts.answered.sum(-1)
    return _ratio(2 * counts.correct.sum(-1), every)


def _f1_weighted(counts: Counts) -> Floats:
    support = counts.support
    return np.asarray((_f1_each(counts) * support).sum(-1) / support.sum(-1))


def _matthews_correlation(counts: Counts) -> Floats:
    """Gorodkin 2004, Comparing two K-category assignments by a K-category correlation."""
    support, answered, n = counts.support, counts.answered, counts.times.sum(-1)
    covariance = n * counts.correct.sum(-1) - (support * answered).sum(-1)
    answered_squares = (answered**2).sum(-1) + counts.unanswered**2
    spread = (n**2 - (support**2).sum(-1)) * (n**2 - answered_squares)
    return _ratio(covariance, np.sqrt(spread))


def _of_positive(each: Callable[[Counts], Floats]) -> Callable[[Counts], Floats]:
    return lambda counts: np.asarray(each(counts)[..., counts.positive])


def _mean(each: Callable[[Counts], Floats]) -> Callable[[Counts], Floats]:
    return lambda counts: np.asarray(each(counts).mean(-1))


FORMULAS: Mapping[str, Callable[[Counts], Floats]] = MappingProxyType(
    {
        "f1": _of_positive(_f1_each),
        "f1_macro": _mean(_f1_each),
        "f1_micro": _f1_micro,
        "f1_weighted": _f1_weighted,
        "precision": _of_positive(_precision_each),
        "precision_macro": _mean(_precision_each),
        "recall": _of_positive(_recall_each),
        "recall_macro": _mean(_recall_each),
        "matthews_correlation": _matthews_correlation,
    }
)
"""Every metric but accuracy, as a function of counts (..., pairs) that gives (...)."""
