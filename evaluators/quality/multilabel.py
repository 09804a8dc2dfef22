"""Rows with any number of labels: answers and truths are JSON lists of labels.

An answered label that the data lacks is a false alarm of none, as in evaluators/quality/specs.py,
but the row is not answered rightly. A failed row counts as answered with all the wrong labels.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evaluators.quality.answers import Answers, Truths, labels_in
from evaluators.quality.forms import BoundedMean, Floats, Sums, by_row, f1_of, ratio
from evaluators.quality.hits import ratio_of_hits

Bools = NDArray[np.bool_]


def subset_accuracy() -> BoundedMean:
    """The share of rows whose labels are answered exactly."""
    return by_row(lambda answer, truth: labels_in(answer) == labels_in(truth), binary=True)


def f1_samples(labels: Sequence[str]) -> BoundedMean:
    """The mean over rows of a row's own f1; 1 where nothing is to be said and nothing is."""
    known = frozenset(labels)

    def value(answer: str, truth: str) -> float:
        given, wanted = labels_in(answer) & known, labels_in(truth)
        return 2 * len(given & wanted) / (len(given) + len(wanted)) if given or wanted else 1.0

    return by_row(value)


def micro(name: str, labels: Sequence[str]) -> Sums:
    """f1, precision or recall of all labels' hits and misses added up: exact, with the number of
    labels as the bound of a row."""

    def statistics(answers: Answers, truths: Truths) -> Floats:
        return np.asarray(_hits(answers, truths, labels).sum(axis=2))

    n = float(len(labels))
    # A label is hit, or a false alarm, or missed, so all three together are at most the labels.
    return ratio_of_hits(name, statistics, most_true=n, most_wrong=n)


def f1_macro(labels: Sequence[str]) -> Sums:
    """The mean of the labels' f1, each label counting the same."""
    return _per_label(labels, weighted=False)


def f1_weighted(labels: Sequence[str]) -> Sums:
    """The mean of the labels' f1, weighted by their rows."""
    return _per_label(labels, weighted=True)


def _per_label(labels: Sequence[str], *, weighted: bool) -> Sums:
    n_labels = len(labels)

    def statistics(answers: Answers, truths: Truths) -> Floats:
        hits = _hits(answers, truths, labels)
        return hits.reshape(len(hits), -1)  # (n, 3 labels)

    def formula(sums: Floats) -> Floats:
        hits = sums.reshape(*sums.shape[:-1], 3, n_labels)
        true, false, missed = (hits[..., kind, :] for kind in range(3))
        each, support = f1_of(true, false, missed), true + missed
        if not weighted:
            return np.asarray(each.mean(axis=-1))
        return ratio((each * support).sum(axis=-1), support.sum(axis=-1))

    return Sums(statistics, formula)


def _hits(answers: Answers, truths: Truths, labels: Sequence[str]) -> Floats:
    """True, false and missed for each row and label: (n, 3, labels)."""
    wanted = indicators([labels_in(truth) for truth in truths], labels)
    given = indicators([labels_in(answer) if answer else frozenset() for answer in answers], labels)
    failed = np.array([not answer for answer in answers], dtype=bool)
    given[failed] = ~wanted[failed]
    return np.stack([given & wanted, given & ~wanted, wanted & ~given], axis=1).astype(np.float64)


def indicators(sets: Sequence[frozenset[str]], labels: Sequence[str]) -> Bools:
    """Which labels each row has: (n, labels)."""
    place = {label: at for at, label in enumerate(labels)}
    found = np.zeros((len(sets), len(labels)), dtype=bool)
    for row, held in enumerate(sets):
        found[row, [place[label] for label in held if label in place]] = True
    return found
