"""The qualities that can be asked, and which of them have an exact test."""

import re
from dataclasses import dataclass
from typing import Literal

Relative = Literal["", "times", "minus"]

RATES = frozenset({"accuracy", "exact_match", "f1_micro"})
"""The share of right answers; with one answer and one truth a row, micro-f1 is the same."""

CLASS_METRICS = frozenset({"precision", "recall", "f1"})
"""Ratios of two means that judge one class. One relative to a baseline is no paired mean: it
needs the baseline's certified upper bound."""

EXACT = RATES | CLASS_METRICS
"""What `reduction` can prove for finite samples."""

APPROXIMATE = frozenset(
    {"f1_macro", "f1_weighted", "precision_macro", "recall_macro", "matthews_correlation"}
)
"""Known metrics that are no ratio of two means: large-sample statements only."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One quality that a query bounds, without its bound: what a line of the ledger names.

    label: the class of precision, recall or f1. slice: (column, value), only these rows count.
    relative: to the baseline, by a factor ("times") or a margin ("minus"). of_rows: the metric is
    computed from answers that are no labels, by the task's own measure; a label is then a part
    that it is asked of (a type of entity). source: a digest of the code of a user's own metric:
    another code under the same name is another quality.
    """

    metric: str
    label: str | None = None
    slice: tuple[str, str] | None = None
    relative: Relative = ""
    of_rows: bool = False
    source: str = ""

    def __post_init__(self) -> None:
        if self.of_rows:
            return
        if (self.label is not None) != (self.metric in CLASS_METRICS):
            judged = "needs a class" if self.label is None else f"judges no class {self.label!r}"
            raise ValueError(f"{self.metric} {judged}; {sorted(CLASS_METRICS)} judge one")

    @property
    def is_of_all(self) -> bool:
        """Whether each unit says something about it: neither a class nor a slice is named."""
        return self.label is None and self.slice is None

    @property
    def key(self) -> str:
        """Its text, different for different conditions: `recall[urgent]`, `accuracy[lang=de]`,
        `accuracy / baseline`, `accuracy - baseline`."""
        parts = [] if self.label is None else [_quoted(self.label)]
        if self.slice is not None:
            parts.append("=".join(map(_quoted, self.slice)))
        subject = f"{self.metric}[{', '.join(parts)}]" if parts else self.metric
        if self.source:
            subject += f" ({self.source[:12]})"
        return subject + {"": "", "times": " / baseline", "minus": " - baseline"}[self.relative]


def is_exact(metric: str) -> bool:
    """Whether a condition on this metric is proven for finite samples, relative or not."""
    return metric in EXACT


def _quoted(name: str) -> str:
    """A name as requirements write it: bare where that is clear, else in double quotes."""
    if re.fullmatch(r"""[^\s\[\]=,"']([^\[\]=,]*[^\s\[\]=,])?""", name):
        return name
    return '"' + name.replace('"', '""') + '"'
