"""Answers that hold the scores of labels: JSON lists of [label, score], best first.

`null` stands for an output of the model that the data lacks: it takes a place, and is no label.
Where several outputs stand for one label the best of them does. Labels that the model cannot
produce are not in the list.

Where a row has one label, scores are logarithms of the softmax, so that they compare between rows
and none is rounded to 1; the first place is that of the highest logit, ties going to the output
that comes first, just as without scores. Where a row may have several labels, scores are logits:
those above 0, a probability above one half, are answered.
"""

import json
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from evaluators.quality.answers import Answers, pairs_in

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIGITS = 9
"""Significant ones, as many as tell two float32 numbers apart."""

_DECODER = json.JSONDecoder()


def ranked(names: Sequence[str | None], logits: "NDArray[Any]", *, places: int) -> list[str]:
    """The answers of rows of logits, (n, outputs), by softmax, with so many first places.

    `names` are the data's labels that the outputs stand for.
    """
    wide = np.asarray(logits, dtype=np.float64)
    top = wide.max(axis=1, keepdims=True)
    scores = wide - top - np.log(np.exp(wide - top).sum(axis=1, keepdims=True))
    order = np.argsort(-wide, axis=1, kind="stable")
    sorted_scores = _rounded(np.take_along_axis(scores, order, axis=1))
    rows = zip(order.tolist(), sorted_scores.tolist(), strict=True)
    return [_written(names, outputs, line, places) for outputs, line in rows]


def ranked_bytes(
    names: Sequence[str | None], lines: Collection[bytes], *, places: int
) -> list[str]:
    """The same from rows of logits as they are stored, float32."""
    logits = np.frombuffer(b"".join(lines), dtype=np.float32).reshape(len(lines), len(names))
    return ranked(names, logits, places=places)


def judged_apart(names: Sequence[str | None], logits: "NDArray[Any]") -> list[str]:
    """The answers of rows of logits, (n, outputs), each of which is judged by itself."""
    order = np.argsort(-logits, axis=1, kind="stable")
    lines = _rounded(np.take_along_axis(np.asarray(logits, dtype=np.float64), order, axis=1))
    rows = zip(order.tolist(), lines.tolist(), strict=True)
    kept = len(names)
    return [_written(names, outputs, line, kept, named=True) for outputs, line in rows]


def best_in(answer: str | None) -> str | None:
    """The label at the first place; None where a row failed, or for an output the data lacks."""
    if not answer or answer == "[]":
        return None
    label: str | None = _DECODER.raw_decode(answer, len("[["))[0]
    return label


def chosen_in(answer: str | None) -> str | None:
    """The labels with a score above 0, as a sorted JSON list; None where a row failed."""
    if not answer:
        return None
    chosen = sorted(label for label, score in pairs_in(answer) if label is not None and score > 0)
    return json.dumps(chosen, ensure_ascii=False, separators=(",", ":"))


def without_scores(answers: Answers, *, several: bool) -> list[str | None]:
    """The same answers as they are where nobody asks for scores."""
    return [chosen_in(answer) if several else best_in(answer) for answer in answers]


def _written(
    names: Sequence[str | None],
    outputs: Sequence[int],
    scores: Sequence[float],
    places: int,
    *,
    named: bool = False,
) -> str:
    """The first places as JSON; with `named`, of the data's labels alone."""
    pairs: list[tuple[str | None, float]] = []
    seen: set[str] = set()
    for output, score in zip(outputs, scores, strict=True):
        name = names[output]
        if name in seen or (named and name is None):
            continue
        if name is not None:
            seen.add(name)
        pairs.append((name, score))
        if len(pairs) == places:
            break
    return json.dumps(pairs, ensure_ascii=False, separators=(",", ":"))


def _rounded(values: "NDArray[Any]") -> "NDArray[Any]":
    """To `DIGITS` significant digits."""
    size = np.floor(np.log10(np.maximum(np.abs(values), 1e-300)))
    with np.errstate(over="ignore", invalid="ignore"):
        scale = 10.0 ** (DIGITS - 1 - size)
        found = np.round(values * scale) / scale
    return np.where(np.isfinite(found), found, values)
