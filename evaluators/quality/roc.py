"""The area under the ROC curve: how well scores put the rows of a label before the others.

It needs every label's score (scored.py): logarithms of the softmax for one label a row, logits for
several, since other scores do not compare between rows. Two labels have one curve, which is the
same for both; more have the mean over labels, each against all others. A label that all rows or
none have is left out; without any other the value is 0. One that the model cannot produce has the
lowest score in all rows, so its curve is that of chance.

Hanley and McNeil 1982: the chance that a row of the label has the higher score, ties one half. A
failed row counts as ranked last for its own labels and first for the others.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from evaluators.quality.answers import Answers, Truths, labels_in, pairs_in
from evaluators.quality.forms import AllRows, Floats, members
from evaluators.quality.multilabel import indicators

Bools = NDArray[np.bool_]


def roc_auc(labels: Sequence[str], *, multi_label: bool = False) -> AllRows:
    """The area, from 0 to 1, 0.5 for chance; `labels` are all labels of the data."""
    return AllRows(partial(_compute, tuple(labels), multi_label))


def _compute(
    labels: tuple[str, ...],
    multi_label: bool,
    answers: Answers,
    truths: Truths,
    groups: Sequence[int],
) -> tuple[float, Floats]:
    held = [labels_in(truth) if multi_label else frozenset([truth]) for truth in truths]
    wanted = indicators(held, labels)
    scores = _matrix(answers, labels, wanted)
    if len(labels) == 2 and not multi_label:
        scores, wanted = scores[:, 1:] - scores[:, :1], wanted[:, 1:]
    every = np.asarray(groups, dtype=np.int64)
    curves = [_curve(scores[:, at], wanted[:, at], every) for at in range(scores.shape[1])]
    whole = np.array([curve[0] for curve in curves])
    left_out = np.stack([curve[1] for curve in curves])  # (labels, groups)
    return float(_mean(whole)), _mean(left_out)


def _mean(areas: Floats) -> Floats:
    """The mean over labels that have an area; 0 without any."""
    known = ~np.isnan(areas)
    total = np.where(known, areas, 0.0).sum(axis=0)
    return np.asarray(total / np.maximum(known.sum(axis=0), 1))


def _curve(scores: Floats, wanted: Bools, groups: NDArray[np.int64]) -> tuple[float, Floats]:
    """One label's area, and without each group, which is its pairs less those of the group.

    Pairs of a row with all others are taken away; those within the group twice, so once given back.
    """
    pairs = np.where(wanted, _won(scores, scores[~wanted]), _lost(scores, scores[wanted]))
    n_groups = int(groups.max()) + 1 if groups.size else 0
    won = np.full(n_groups, pairs[wanted].sum())
    positive, negative = np.full(n_groups, wanted.sum()), np.full(n_groups, (~wanted).sum())
    if n_groups:
        won -= np.bincount(groups, weights=pairs, minlength=n_groups)
        positive -= np.bincount(groups, weights=wanted, minlength=n_groups).astype(np.int64)
        negative -= np.bincount(groups, weights=~wanted, minlength=n_groups).astype(np.int64)
    for group, rows in enumerate(members(groups.tolist())):
        if rows.size > 1:
            mine, own = scores[rows], wanted[rows]
            won[group] += _won(mine[own], mine[~own]).sum()
    return (
        _area(pairs[wanted].sum(), wanted.sum(), (~wanted).sum()),
        np.array([_area(*one) for one in zip(won, positive, negative, strict=True)]),
    )


def _area(won: float, n_positive: int, n_negative: int) -> float:
    return float(won / (n_positive * n_negative)) if n_positive and n_negative else float("nan")


def _won(scores: Floats, others: Floats) -> Floats:
    """How many of the others each score beats, ties one half."""
    ordered = np.sort(others)
    below = np.searchsorted(ordered, scores, side="left")
    return (below + np.searchsorted(ordered, scores, side="right")) / 2.0


def _lost(scores: Floats, others: Floats) -> Floats:
    """How many of the others beat each score, ties one half."""
    return others.size - _won(scores, others)


def _matrix(answers: Answers, labels: Sequence[str], wanted: Bools) -> Floats:
    """Scores of all labels, (n, labels), with the worst where a row failed."""
    scores = np.where(wanted, -np.inf, np.inf)
    for row, answer in enumerate(answers):
        if answer:
            found = dict(pairs_in(answer))
            scores[row] = [found.get(label, -np.inf) for label in labels]
    return scores
