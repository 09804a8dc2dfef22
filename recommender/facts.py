"""The rows as the tests see them."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from cache.key import JSONValue, digest

if TYPE_CHECKING:
    from evaluators.quality.custom import Own


@dataclass(frozen=True)  # no slots: the digest is worked out once
class Facts:
    """What is true of the rows, in the fixed order, and how the baseline answered them.

    `unit_of_row` numbers each row's unit, from 0 in order, a unit's rows side by side; `weights`
    are a row's part of its unit; `slices` are the columns that a requirement names, a mapping for
    each row. `grouped` says that a unit's score is a mean over different rows. `task` names the
    measures of answers that are no labels; `several` says that truths are lists of labels.
    `scored` says that answers hold the scores of labels (evaluators/quality/scored.py);
    `own` are metrics of the user's own, by name.
    """

    truths: tuple[str, ...]
    unit_of_row: tuple[int, ...]
    slices: tuple[Mapping[str, str], ...]
    labels: tuple[str, ...]
    weights: tuple[float, ...] = ()
    grouped: bool = False
    baseline: tuple[str | None, ...] | None = None
    task: str = "text-classification"
    several: bool = False
    scored: bool = False
    own: Mapping[str, "Own"] = field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        """Of everything that a test reads besides a candidate's answers."""
        slices: JSONValue = [dict(row) for row in self.slices]
        baseline: JSONValue = list(self.baseline) if self.baseline is not None else None
        units: JSONValue = [list(self.unit_of_row), list(self.weights), self.grouped]
        own: list[JSONValue] = [[one.name, one.digest] for one in self.own.values()]
        known: list[JSONValue] = [list(self.truths), units, slices, list(self.labels), baseline]
        return digest([*known, own] if own else known)

    @cached_property
    def plain(self) -> "Facts":
        """The same, for answers without scores."""
        if not self.scored:
            return self
        baseline = None if self.baseline is None else tuple(self.without_scores(self.baseline))
        return replace(self, baseline=baseline, scored=False)

    def without_scores(self, answers: Sequence[str | None]) -> Sequence[str | None]:
        """Answers as the metrics want them that need no scores."""
        if not self.scored:
            return answers
        from evaluators.quality.scored import without_scores

        return without_scores(answers, several=self.several)

    def rows(self, first: int, end: int) -> "Facts":
        """The facts of some rows that are whole units, counted anew from 0."""
        part = slice(first, end)
        start = self.unit_of_row[first] if first < len(self.unit_of_row) else 0
        return replace(
            self,
            truths=self.truths[part],
            unit_of_row=tuple(unit - start for unit in self.unit_of_row[part]),
            slices=self.slices[part],
            weights=self.weights[part],
            baseline=None if self.baseline is None else self.baseline[part],
        )

    def rows_of(self, n_units: int) -> int:
        """How many leading rows the first units have."""
        return bisect_left(self.unit_of_row, n_units)

    def units_of(self, n_rows: int) -> int:
        """How many whole units the first rows are."""
        if n_rows >= len(self.unit_of_row):
            return self.unit_of_row[-1] + 1 if self.unit_of_row else 0
        return self.unit_of_row[n_rows]
