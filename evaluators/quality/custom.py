"""A user's own metric: a function of answers and truths, or a module for `evaluate`.

Both get answers and truths in their string form, "" for a failed answer. A function gives one
value a row, so its mean has exact evidence; a module gives one figure for all rows, so it has the
jackknife's, over at most `MOST_GROUPS` groups of rows: each costs one call.

A module is somebody's code. One that the user names by path is the user's; one from the Hub runs
only where the user allows it (`hub_metric_file`), from its file, in a worker (`module_values`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from cache.errors import BadInput, NotFound
from evaluators.quality.answers import Answers, Truths
from evaluators.quality.forms import AllRows, BoundedMean, Floats

RowMetric = Callable[[Sequence[str], Sequence[str]], Sequence[float]]
"""From answers and truths to one value a row."""

MOST_GROUPS = 50


@dataclass(frozen=True, slots=True)
class OwnRange:
    """What the user says of a metric: its least and greatest value, and which is better."""

    low: float = 0.0
    high: float = 1.0
    higher_is_better: bool = True

    def __post_init__(self) -> None:
        if not (isfinite(self.low) and isfinite(self.high) and self.low < self.high):
            raise BadInput(f"a metric's range is [{self.low}, {self.high}]; give two finite bounds")


def of_function(function: RowMetric, name: str, declared: OwnRange = OwnRange()) -> BoundedMean:
    """The mean of a function's values, moved to [0, 1]; failed rows have the worst.

    Computing it raises BadInput where there is not one value a row, or one out of its range.
    """

    def row_values(answers: Answers, truths: Truths) -> Floats:
        told = [answer or "" for answer in answers]
        values = np.asarray(function(told, list(truths)), dtype=np.float64)
        _check(values, name, len(truths), declared)
        values = (values - declared.low) / (declared.high - declared.low)
        gains = values if declared.higher_is_better else 1.0 - values
        return np.where([bool(answer) for answer in answers], gains, 0.0)

    return BoundedMean(row_values, higher_is_better=declared.higher_is_better)


def of_module(path: Path, key: str, declared: OwnRange = OwnRange()) -> AllRows:
    """The figure `key` of a local `evaluate` module; NotFound where there is no such file.

    The module's code runs in this process. It must take texts, or labels as texts.
    """
    if not path.exists():
        raise NotFound(f"there is no metric module {path}; name a .py file or its folder.")

    def compute(answers: Answers, truths: Truths, groups: Sequence[int]) -> tuple[float, Floats]:
        whole, left_out = module_values(path, key, answers, truths, groups)
        _check(np.array([whole, *left_out]), key, 1 + len(left_out), declared)
        return whole, np.array(left_out)

    return AllRows(compute)


def module_values(
    path: Path, key: str, answers: Answers, truths: Truths, groups: Sequence[int]
) -> tuple[float, list[float]]:
    """What a worker does: the module's figure for all rows, and without each group of rows.

    Arguments and result are plain data, so that they cross to a child process as JSON.
    """
    from evaluators.quality.metrics import load_module

    module = load_module(path)
    told = [answer or "" for answer in answers]
    whole = _figure(module, key, told, truths)
    kept = [
        [row for row, its in enumerate(groups) if its != group]
        for group in range(max(groups, default=-1) + 1)
    ]
    left_out = [
        _figure(module, key, [told[row] for row in rows], [truths[row] for row in rows])
        for rows in kept
    ]
    return whole, left_out


def hub_metric_file(
    name: str, *, allow_metric_code: bool, fetch: Callable[[str, str], Path]
) -> Path:
    """The local file of a metric on the Hub, which nobody has run yet.

    `fetch(space, file)` downloads one file of a space. BadInput unless the user allows the code.
    """
    if not allow_metric_code:
        raise BadInput(
            f"the metric {name!r} is code from the Hub; read it, and allow it with "
            "--allow-metric-code, or name a local file."
        )
    owner, _, last = name.rpartition("/")
    return fetch(f"{owner or 'evaluate-metric'}/{last}", f"{last}.py")


def few_groups(units: Sequence[int], *, seed: int = 0) -> list[int]:
    """Each row's group, at most `MOST_GROUPS`, whole units drawn at random."""
    n_units = max(units, default=-1) + 1
    order = np.random.default_rng(seed).permutation(n_units).tolist()
    group_of = {unit: at % MOST_GROUPS for at, unit in enumerate(order)}
    return [group_of[unit] for unit in units]


def _figure(module: Any, key: str, answers: Sequence[str], truths: Sequence[str]) -> float:
    found = module.compute(predictions=list(answers), references=list(truths))
    if key not in found:
        raise NotFound(f"the metric has no figure {key!r}; it has {', '.join(map(str, found))}.")
    return float(found[key])


def _check(values: Floats, name: str, n: int, declared: OwnRange) -> None:
    if values.shape != (n,):
        raise BadInput(f"the metric {name} gave values of shape {values.shape} for {n:,} rows.")
    outside = ~((values >= declared.low) & (values <= declared.high))  # NaN is outside too
    if outside.any():
        at = int(outside.argmax())
        raise BadInput(
            f"the metric {name} gave {values[at]:g} (row {at + 1:,}); its declared range is "
            f"[{declared.low:g}, {declared.high:g}]."
        )
