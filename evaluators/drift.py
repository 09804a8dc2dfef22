"""Whether a row's answer depends on its batch: compared with the answer at batch 1.

Answers that differ by no more than numeric noise are the same: labels whose scores are tied to
1 % of the row's largest, and numbers within 1 % of each other.
"""

import json
from math import isclose, isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

NOISE = 0.01
"""Relative; bfloat16 has 8 bits, and sums in another order differ in the last of them."""

BEST_FIRST = frozenset({"fill-mask", "feature-extraction", "object-detection"})
"""Tasks that answer with a list of which the first place counts most: it is compared."""


def output_changed(batched: int, alone: NDArray[np.float32]) -> bool:
    """Whether the scores of a row at batch 1, (outputs,), have another highest than `batched`."""
    if not np.isfinite(alone).all():
        return True
    return bool(alone.max() - alone[batched] > NOISE * np.abs(alone).max())


def answer_changed(batched: str, alone: str, *, task: str) -> bool:
    """Whether two answers of a task, JSON or plain texts, differ by more than noise."""
    if batched == alone:
        return False
    try:
        first, second = json.loads(batched), json.loads(alone)
    except ValueError:
        return True
    if _is_scored(first) and _is_scored(second):
        return _labels_changed(dict(first), dict(second))
    if task in BEST_FIRST and isinstance(first, list) and isinstance(second, list):
        first, second = first[:1], second[:1]
    return not _alike(first, second)


def _is_scored(value: Any) -> bool:  # JSON
    """Whether it is a list of labels with their scores, as quality/scored.py writes it."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(item, list)
            and len(item) == 2
            and (item[0] is None or isinstance(item[0], str))
            and _is_number(item[1])
            for item in value
        )
    )


def _labels_changed(batched: dict[Any, float], alone: dict[Any, float]) -> bool:
    """Whether another label is first, or another one is above 0, where several may be."""
    if batched.keys() != alone.keys():
        return True
    noise = NOISE * max(map(abs, alone.values()))
    first = next(iter(batched))
    turned = any(
        (score > 0) != (alone[label] > 0) and abs(score - alone[label]) > noise
        for label, score in batched.items()
    )
    return turned or max(alone.values()) - alone[first] > noise


def _alike(first: Any, second: Any) -> bool:
    """Equal but for the noise of numbers, at any depth of JSON."""
    if _is_number(first) and _is_number(second):
        return isclose(first, second, rel_tol=NOISE, abs_tol=NOISE)
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(_alike, first, second))
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(_alike(first[k], second[k]) for k in first)
    return bool(first == second)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
