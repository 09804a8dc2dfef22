"""Where answers are right, and how sure they are: counts of answers, truths and scores."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from evaluators.quality.answers import labels_in, texts_in
from evaluators.quality.spans import entity_types, spans
from recommender.details.parts import CalibrationBin, ClassQuality, Confusion

MOST_CONFUSED = 30
"""Labels of a confusion matrix. Where the data has more, it is of those with the most errors: as
rows of theirs that were missed, or as answers that were wrong."""

MOST_CLASSES = 100
"""Labels whose precision and recall are listed; where there are more, chosen in the same way."""

OTHERS = "(another label)"
"""Stands in a confusion matrix for answers that are labels without a column."""

NO_LABEL = "(no label of the data)"
"""Stands for answers that are none of the data's labels."""

N_BINS = 10

Answers = Sequence[str | None]


def confusion_of(answers: Answers, truths: Sequence[str], labels: Sequence[str]) -> Confusion:
    """How often each label was answered with which; `answers` has None for no label."""
    pairs = Counter(zip(truths, answers, strict=True))
    shown = _most_errors(labels, _errors(pairs), MOST_CONFUSED)
    columns = frozenset(shown)
    cells: Counter[tuple[str, str]] = Counter()
    for (truth, answer), n in pairs.items():
        cells[truth, _column(answer, columns)] += n
    met = {column for truth, column in cells if truth in columns}
    answered = (*shown, *(column for column in (OTHERS, NO_LABEL) if column in met))
    counts = tuple(tuple(cells[truth, column] for column in answered) for truth in shown)
    return Confusion(shown, answered, counts)


def classes_of(
    answers: Answers, truths: Sequence[str], labels: Sequence[str]
) -> tuple[ClassQuality, ...]:
    """Precision, recall and F1 of each label, in the data's order."""
    pairs = Counter(zip(truths, answers, strict=True))
    support: Counter[str] = Counter()
    answered: Counter[str] = Counter()
    for (truth, answer), n in pairs.items():
        support[truth] += n
        if answer is not None:
            answered[answer] += n
    shown = _most_errors(labels, _errors(pairs), MOST_CLASSES)
    return tuple(
        _class(label, pairs[label, label], answered[label], support[label]) for label in shown
    )


def several_of(
    answers: Answers, truths: Sequence[str], labels: Sequence[str]
) -> tuple[ClassQuality, ...]:
    """The same where a row has any number of labels; a row without an answer has each one wrong."""
    right: Counter[str] = Counter()
    answered: Counter[str] = Counter()
    support: Counter[str] = Counter()
    every = frozenset(labels)
    for answer, truth in zip(answers, truths, strict=True):
        wanted = labels_in(truth)
        given = labels_in(answer) if answer else every - wanted
        right.update(wanted & given)
        answered.update(given)
        support.update(wanted)
    errors = Counter(
        {label: support[label] + answered[label] - 2 * right[label] for label in every}
    )
    shown = _most_errors(labels, errors, MOST_CLASSES)
    return tuple(_class(label, right[label], answered[label], support[label]) for label in shown)


def entities_of(answers: Answers, truths: Sequence[str]) -> tuple[ClassQuality, ...]:
    """Precision, recall and F1 of each type of entity that the rows have, by alphabet.

    An entity is right with the same words and type (evaluators/quality/spans.py). In a row that
    was not answered, or with another number of tags, all are missed.
    """
    right: Counter[str] = Counter()
    answered: Counter[str] = Counter()
    support: Counter[str] = Counter()
    for answer, truth in zip(answers, truths, strict=True):
        wanted_tags, given_tags = texts_in(truth), texts_in(answer) if answer else []
        wanted = set(spans(wanted_tags))
        given = set(spans(given_tags)) if len(given_tags) == len(wanted_tags) else set()
        right.update(kind for kind, _, _ in wanted & given)
        answered.update(kind for kind, _, _ in given)
        support.update(kind for kind, _, _ in wanted)
    types = entity_types(truths)
    errors = Counter({kind: support[kind] + answered[kind] - 2 * right[kind] for kind in types})
    shown = _most_errors(types, errors, MOST_CLASSES)
    return tuple(_class(kind, right[kind], answered[kind], support[kind]) for kind in shown)


def calibration_of(
    logits: NDArray[np.float32], right: NDArray[np.bool_]
) -> tuple[tuple[CalibrationBin, ...], float | None]:
    """Bins of equal width by the highest softmax score, and the expected calibration error.

    `logits`: (n, outputs); `right`: (n,). A score on a bin's upper end lies in it. Bins without a
    row are left out. Nothing is known without rows, or of a model with a single output.
    """
    n, n_outputs = logits.shape
    if not n or n_outputs < 2:
        return (), None
    wide = logits.astype(np.float64)
    confidence = 1.0 / np.exp(wide - wide.max(axis=1, keepdims=True)).sum(axis=1)
    place = np.clip(np.ceil(confidence * N_BINS).astype(int) - 1, 0, N_BINS - 1)
    bins = tuple(
        CalibrationBin(
            low=at / N_BINS,
            high=(at + 1) / N_BINS,
            n=int(inside.sum()),
            confidence=float(confidence[inside].mean()),
            accuracy=float(right[inside].mean()),
        )
        for at in range(N_BINS)
        if (inside := place == at).any()
    )
    return bins, sum(each.n * abs(each.accuracy - each.confidence) for each in bins) / n


def _class(label: str, right: int, answered: int, support: int) -> ClassQuality:
    return ClassQuality(
        label,
        support,
        precision=right / answered if answered else None,
        recall=right / support if support else None,
        f1=2 * right / (answered + support) if answered + support else None,
    )


def _errors(pairs: Counter[tuple[str, str | None]]) -> Counter[str]:
    """The rows that each label lost, and those that were given to it wrongly."""
    errors: Counter[str] = Counter()
    for (truth, answer), n in pairs.items():
        if truth != answer:
            errors[truth] += n
            if answer is not None:
                errors[answer] += n
    return errors


def _most_errors(labels: Iterable[str], errors: Counter[str], most: int) -> tuple[str, ...]:
    """All labels where they are few, else those with the most errors; in the given order."""
    every = list(labels)
    if len(every) <= most:
        return tuple(every)
    chosen = set(sorted(every, key=lambda label: -errors[label])[:most])
    return tuple(label for label in every if label in chosen)


def _column(answer: str | None, columns: Collection[str]) -> str:
    if answer is None:
        return NO_LABEL
    return answer if answer in columns else OTHERS
