"""A user's own metric: a function, or a module for `evaluate`, with what is declared of it.

Answers and truths come in their string form (docs/data.md). A metric `per_row` is asked for one
row at a time, so that its value cannot depend on other rows: its mean has exact evidence, and a
failed row has the worst value. Any other is one figure of all rows, which has the jackknife's
evidence, over at most `MOST_GROUPS` groups of rows: each costs one call. It gets "" for a failed
row.

Values lie in a declared range and are moved to [0, 1]: what is asked and shown is in that scale.
"""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from types import MappingProxyType
from typing import Any  # values and results of users' code

import numpy as np

from cache.errors import BadInput
from cache.key import JSONValue, digest
from evaluators.quality.answers import Answers, Truths
from evaluators.quality.forms import AllRows, BoundedMean, Floats, Measure
from evaluators.quality.specs import MetricSpec

MOST_GROUPS = 50

NAME = re.compile(r"[a-z][a-zA-Z0-9_]*")

ROLES = (("predictions", "references"), ("prediction", "reference"), ("y_pred", "y_true"))
"""The names that a function's two parameters may have: of evaluate, and of scikit-learn."""

Values = Callable[[Sequence[str], Sequence[str], Sequence[int]], Sequence[float]]
"""From answers, truths and each row's group: one value a row where the metric is `per_row`, else
the figure of all rows and those without each group."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of the user's own, for `find(data, "name >= 0.8", metrics=[Metric(function)])`.

    compute: a function with the parameters `predictions` and `references`, or `y_true` and
    `y_pred` (`prediction` and `reference` for one row), each by its name; or a module of
    `evaluate`. It returns a number, or a mapping with one of that name. `low` and `high` bound it,
    which nobody checks before it runs. `version` stands for its source where that cannot be read:
    results are kept by it.
    """

    compute: Any
    name: str = ""
    per_row: bool = False
    low: float = 0.0
    high: float = 1.0
    higher_is_better: bool = True
    version: str = ""

    def __post_init__(self) -> None:
        if not (isfinite(self.low) and isfinite(self.high) and self.low < self.high):
            raise BadInput(
                f"the range of {self._shown} is [{self.low}, {self.high}]; give two finite bounds, "
                "low below high, so that something can be claimed about it"
            )
        if not NAME.fullmatch(self._shown):
            raise BadInput(
                f"a metric cannot be called {self._shown!r} in a requirement; give it a name "
                "of letters, digits and _, as in Metric(function, name='my_metric')"
            )

    @classmethod
    def of(cls, given: Any, name: str = "") -> "Metric":
        """A metric as it is; of anything else that computes one, with the range [0, 1]."""
        if isinstance(given, cls):
            return given if given.name or not name else replace(given, name=name)
        if not (callable(given) or is_module(given)):
            raise BadInput(f"{given!r} is no metric; give a function or a module of evaluate")
        return cls(given, name)

    @property
    def _shown(self) -> str:
        own = getattr(self.compute, "name", "") or getattr(self.compute, "__name__", "")
        return self.name or str(own)

    @property
    def declared(self) -> dict[str, JSONValue]:
        """All that is said of it, as JSON."""
        return {
            "name": self._shown, "per_row": self.per_row, "low": self.low, "high": self.high,
            "higher_is_better": self.higher_is_better,
        }  # fmt: skip

    @property
    def source(self) -> str:
        """The version, or the source of the function or of the module's class.

        What it calls is not in it. BadInput where it cannot be read, or is not all.
        """
        if self.version:
            return self.version
        code = type(self.compute) if is_module(self.compute) else self.compute
        try:
            text = inspect.getsource(code)
        except (OSError, TypeError):
            text = ""
        if not text or getattr(code, "__closure__", None) or hasattr(code, "__self__"):
            raise BadInput(
                f"the source of the metric {self._shown} does not tell all that it does; give it "
                "a version, as in Metric(function, version='1'), and change that with it"
            )
        return text

    def values(
        self, answers: Sequence[str], truths: Sequence[str], groups: Sequence[int]
    ) -> list[float]:
        """As `Values`. BadInput, with its name, where its code fails."""
        try:
            if self.per_row:
                pairs = zip(answers, truths, strict=True)
                return [self._figure(answer, truth) for answer, truth in pairs]
            told, wanted = as_module_wants(self.compute, answers, truths)
            rows: list[slice | list[int]] = [slice(None), *_without_each(groups)]
            return [self._figure(_kept(told, kept), _kept(wanted, kept)) for kept in rows]
        except BadInput:
            raise
        except Exception as error:
            what = f"{type(error).__name__}: {error}".splitlines()[0]
            raise BadInput(f"the metric {self._shown} failed: {what}") from error

    def _figure(self, answers: Any, truths: Any) -> float:
        if is_module(self.compute):
            found = self.compute.compute(predictions=answers, references=truths)
        else:
            of_answers, of_truths = _roles(self.compute, self._shown)
            found = self.compute(**{of_answers: answers, of_truths: truths})
        if isinstance(found, Mapping):
            found = self._only(found)
        return float(found)

    def _only(self, found: Mapping[str, Any]) -> Any:
        if self._shown in found:
            return found[self._shown]
        if len(found) == 1:
            return next(iter(found.values()))
        raise BadInput(
            f"the metric {self._shown} gave {', '.join(map(str, found))}; give it the name of the "
            "one that counts, as in Metric(module, name='f1')"
        )


@dataclass(frozen=True, slots=True)
class Own:
    """A user's metric as a search uses it; `digest` is that of its source and declaration."""

    name: str
    digest: str
    spec: MetricSpec
    measure: Measure


NO_OWN: Mapping[str, Own] = MappingProxyType({})


def own_of(metric: Metric) -> Own:
    """A metric whose code runs in this process."""
    return declared_own(metric.declared, digest(metric.source), metric.values)


def declared_own(declared: Mapping[str, JSONValue], source: str, values: Values) -> Own:
    """A metric of which this is declared; `source` is a digest of its code."""
    name, per_row = str(declared["name"]), bool(declared["per_row"])
    higher = bool(declared["higher_is_better"])
    spec = MetricSpec(
        form="mean" if per_row else "all rows",
        evidence="exact" if per_row else "approximate",
        higher_is_better=higher,
    )
    checked = _Checked(name, float(str(declared["low"])), float(str(declared["high"])), values)
    measure = _mean(checked, higher_is_better=higher) if per_row else _whole(checked)
    return Own(name, digest([dict(declared), source]), spec, measure)


def few_groups(units: Sequence[int], *, seed: int = 0) -> list[int]:
    """Each row's group, at most `MOST_GROUPS`, whole units drawn at random."""
    n_units = max(units, default=-1) + 1
    order = np.random.default_rng(seed).permutation(n_units).tolist()
    group_of = {unit: at % MOST_GROUPS for at, unit in enumerate(order)}
    return [group_of[unit] for unit in units]


def is_module(given: Any) -> bool:
    """Whether it is a module of `evaluate`, which need not be imported to know."""
    return hasattr(given, "compute") and hasattr(given, "features")


def as_module_wants(
    module: Any, answers: Sequence[str], truths: Sequence[str]
) -> tuple[Sequence[Any], Sequence[Any]]:
    """Labels by number, in alphabetical order and -1 for no answer, where a module takes numbers.

    Many modules of `evaluate` for labels do; to any other metric they are what they are.
    """
    features = getattr(module, "features", None) if is_module(module) else None
    if not isinstance(features, Mapping):
        return answers, truths
    if not str(getattr(features.get("references"), "dtype", "")).startswith("int"):
        return answers, truths
    number = {label: at for at, label in enumerate(sorted(set(truths)))}
    return [number.get(one, -1) for one in answers], [number[one] for one in truths]


@dataclass(frozen=True, slots=True)
class _Checked:
    """Somebody's values, moved to [0, 1]: one for each that was asked, or BadInput."""

    name: str
    low: float
    high: float
    values: Values

    def __call__(
        self, answers: Sequence[str], truths: Sequence[str], groups: Sequence[int], n: int
    ) -> Floats:
        found = np.asarray(self.values(answers, truths, groups), dtype=np.float64)
        if found.shape != (n,):
            raise BadInput(
                f"the metric {self.name} gave values of shape {found.shape}, not {n:,} numbers"
            )
        outside = ~((found >= self.low) & (found <= self.high))  # NaN is outside too
        if outside.any():
            raise BadInput(
                f"the metric {self.name} gave {found[int(outside.argmax())]:g}; its declared range "
                f"is [{self.low:g}, {self.high:g}], as in Metric(function, low=..., high=...)"
            )
        return np.asarray((found - self.low) / (self.high - self.low))


def _mean(checked: _Checked, *, higher_is_better: bool) -> BoundedMean:
    known: dict[tuple[str, str], float] = {}

    def row_values(answers: Answers, truths: Truths) -> Floats:
        pairs = list(zip(answers, truths, strict=True))
        new = list(dict.fromkeys((a, t) for a, t in pairs if a and (a, t) not in known))
        if new:
            told, wanted = [pair[0] for pair in new], [pair[1] for pair in new]
            found = checked(told, wanted, [], len(new))
            gains = found if higher_is_better else 1.0 - found
            known.update(zip(new, gains.tolist(), strict=True))
        return np.array([known[a, t] if a else 0.0 for a, t in pairs], dtype=np.float64)

    return BoundedMean(row_values, higher_is_better=higher_is_better)


def _whole(checked: _Checked) -> AllRows:
    def compute(answers: Answers, truths: Truths, groups: Sequence[int]) -> tuple[float, Floats]:
        told, few = [answer or "" for answer in answers], few_groups(groups)
        found = checked(told, list(truths), few, 2 + max(few, default=-1))
        return float(found[0]), found[1:]

    return AllRows(compute)


def _without_each(groups: Sequence[int]) -> list[list[int]]:
    """The rows that are left without each group."""
    every = range(max(groups, default=-1) + 1)
    return [[row for row, its in enumerate(groups) if its != group] for group in every]


def _kept(values: Sequence[Any], rows: slice | list[int]) -> list[Any]:
    return list(values) if isinstance(rows, slice) else [values[row] for row in rows]


def _roles(function: Any, name: str) -> tuple[str, str]:
    """The parameters for answers and for truths."""
    try:
        names = inspect.signature(function).parameters
    except (TypeError, ValueError):
        names = {}  # type: ignore[assignment]  # of a function written in C
    for of_answers, of_truths in ROLES:
        if of_answers in names and of_truths in names:
            return of_answers, of_truths
    raise BadInput(
        f"the metric {name} has the parameters ({', '.join(names)}), which do not say what is the "
        "answer and what the truth; name them predictions and references, or y_pred and y_true"
    )
