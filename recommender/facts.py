"""The rows as the tests see them."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from cache.key import JSONValue, digest


@dataclass(frozen=True)  # no slots: the digest is worked out once
class Facts:
    """What is true of the rows, in the fixed order, and how the baseline answered them.

    `unit_of_row` numbers each row's unit, from 0 in order, a unit's rows side by side; `weights`
    are a row's part of its unit; `slices` are the columns that a requirement names, a mapping for
    each row. `grouped` says that a unit's score is a mean over different rows. `task` names the
    measures of answers that are no labels; `several` says that truths are lists of labels.
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

    @cached_property
    def digest(self) -> str:
        """Of everything that a test reads besides a candidate's answers."""
        slices: JSONValue = [dict(row) for row in self.slices]
        baseline: JSONValue = list(self.baseline) if self.baseline is not None else None
        units: JSONValue = [list(self.unit_of_row), list(self.weights), self.grouped]
        return digest([list(self.truths), units, slices, list(self.labels), baseline])

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
