"""What a plan knows of the metrics; reading it imports neither evaluate nor numpy."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from math import inf
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeVar

from cache.errors import BadInput, NotFound

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

GROUP = "recommender.metrics"

MISSING = ""
"""Stands for no answer (error, time-out, an output that the data lacks): wrong in every metric.

It is no label, since samples refuse empty ones. It counts as a miss of the true class and as a
false alarm of none, so precision alone does not see it; in matthews_correlation it is a class of
its own that is never right.
"""


Form = Literal["counts", "mean", "sums", "all rows"]
"""How a metric is reached: from counts of labels (counts.py), or by a form of forms.py."""

Needs = Literal["scores", "likelihoods", "best first"]
"""What answers hold beyond the task's plain form: every label's score (roc.py), a text's
log-likelihood (generation.py), several answers in order."""


Value = TypeVar("Value", float, "NDArray[np.float64]")

OF_LABELS: frozenset[Needs | None] = frozenset({"scores", "best first"})
"""What labels with their scores are enough for (scored.py)."""


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """What a plan must know of a metric before its library is imported.

    `two_class` metrics judge one class, and need to be told which. `per_example` metrics are
    means of right and wrong, so that a count decides them. `evidence` is `exact` where the
    interval comes from such a count, `approximate` where it comes from resampling.

    `form` says how `measures.measure_for` computes it, `k` is the number in its name (`ndcg@10`),
    `per_type` that it can be asked of one type of entity. `needs` are answers of another form than
    the task's. `extra` names the extra that has its reference library, and `registered` its entry
    point, where that has another name.
    """

    low: float = 0.0
    high: float = 1.0
    two_class: bool = False
    per_example: bool = False
    higher_is_better: bool = True
    evidence: Literal["exact", "approximate"] = "approximate"
    form: Form = "counts"
    k: int | None = None
    per_type: bool = False
    needs: Needs | None = None
    extra: str | None = None
    registered: str | None = None

    def gain(self, value: Value) -> Value:
        """A value, or a bound, on the scale of the evidence, where more is better.

        `wer <= 0.1` is a mean gain of at least 0.9; `perplexity <= 20` is 1 / perplexity of at
        least 0.05, the mean probability of a token; arrays are moved value by value.
        """
        if self.higher_is_better:
            return value
        return self.high - value if self.high < inf else 1.0 / (value + (1.0 - self.low))

    def gained(self, subject: str) -> str:
        """What is claimed about, in words: `1 - wer`, `1 / perplexity`."""
        if self.higher_is_better:
            return subject
        if self.high < inf:
            return f"{self.high:g} - {subject}"
        return f"1 / {subject}" if self.low == 1.0 else f"1 / ({1.0 - self.low:g} + {subject})"


METRICS: Mapping[str, MetricSpec] = MappingProxyType(
    {
        "accuracy": MetricSpec(per_example=True, evidence="exact"),
        "f1": MetricSpec(two_class=True),
        "f1_macro": MetricSpec(),
        "f1_micro": MetricSpec(),
        "f1_weighted": MetricSpec(),
        "precision": MetricSpec(two_class=True),
        "precision_macro": MetricSpec(),
        "recall": MetricSpec(two_class=True),
        "recall_macro": MetricSpec(),
        "matthews_correlation": MetricSpec(low=-1.0),
    }
)


def metric_spec(name: str) -> MetricSpec:
    """What is known of a metric; a plug-in's is assumed to lie between 0 and 1."""
    if name in METRICS:
        return METRICS[name]
    metric_entry_point(name)
    return MetricSpec()


def metric_entry_point(name: str) -> EntryPoint:
    """Where a metric's class is; NotFound with the nearest name for an unknown one."""
    known = entry_points(group=GROUP)
    if name in known.names:
        return known[name]
    every = sorted(METRICS)
    near = difflib.get_close_matches(name.casefold(), every, 1, 0.5)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise NotFound(f"there is no metric {name!r}; there are {', '.join(every)}.{hint}")


def check_metric(name: str, labels: Sequence[str], positive: str | None) -> None:
    """Refuse, before anything is measured, a metric that these labels cannot be judged by."""
    if positive is not None and positive not in labels:
        raise NotFound(f"--positive {positive!r} is no label of the data: {_listed(labels)}.")
    if not metric_spec(name).two_class:
        return
    if len(labels) != 2:
        raise BadInput(
            f"{name} is for two classes, and the data has {len(labels)}: {_listed(labels)}. "
            f"Use {name}_macro, the mean over all classes."
        )
    if positive is None:
        raise BadInput(
            f"{name} judges one class: say which with --positive LABEL, one of "
            f"{_listed(labels)}; or use {name}_macro, the mean over both."
        )


def _listed(labels: Sequence[str], at_most: int = 12) -> str:
    shown = ", ".join(repr(label) for label in labels[:at_most])
    return f"{shown} and {len(labels) - at_most:,} more" if len(labels) > at_most else shown
