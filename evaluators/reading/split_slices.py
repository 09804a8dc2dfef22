"""Splits with slices, as `test[:500]` or `train[10%:20%]+train[-10%:]`: which rows they name."""

import re
from dataclasses import dataclass

from cache.errors import BadInput

PART = re.compile(
    r"(?P<name>[\w.-]+)"
    r"(\[((?P<start>-?\d+(_\d+)*)(?P<start_percent>%)?)?"
    r":((?P<stop>-?\d+(_\d+)*)(?P<stop_percent>%)?)?\])?"
)
EXAMPLES = "Write for example test, train[:1000], train[10%:20%] or train+validation"


@dataclass(frozen=True, slots=True)
class Slice:
    """A run of rows of one split; bounds are rows or per cent, negative ones from the end."""

    split: str
    start: int | None = None
    stop: int | None = None
    in_percent: bool = False

    def __str__(self) -> str:
        if self.is_whole:
            return self.split
        unit = "%" if self.in_percent else ""
        start, stop = (
            "" if bound is None else f"{bound}{unit}" for bound in (self.start, self.stop)
        )
        return f"{self.split}[{start}:{stop}]"

    @property
    def is_whole(self) -> bool:
        """Whether it names every row of its split."""
        return self.start is None and self.stop is None

    @property
    def needs_count(self) -> bool:
        """Whether its bounds depend on the number of the split's rows."""
        relative = any(bound is not None and bound < 0 for bound in (self.start, self.stop))
        return relative or (self.in_percent and not self.is_whole)

    def bounds(self, n_rows: int | None = None) -> tuple[int, int | None]:
        """The first row and the one after the last; None is the split's end.

        Per cent of the rows are rounded to the nearest, as `datasets` does by default.
        """
        if n_rows is None or not self.needs_count:
            return self.start or 0, self.stop
        return self._place(self.start, n_rows, 0), self._place(self.stop, n_rows, n_rows)

    def _place(self, bound: int | None, n_rows: int, default: int) -> int:
        if bound is None:
            return default
        rows = round(bound * n_rows / 100) if self.in_percent else bound
        return min(n_rows, max(0, n_rows + rows if rows < 0 else rows))


def parse_split(text: str) -> tuple[Slice, ...]:
    """The parts of a split's name, which are joined by `+`. BadInput with the syntax otherwise."""
    return tuple(_slice(part.strip(), text) for part in text.split("+"))


def _slice(part: str, text: str) -> Slice:
    found = PART.fullmatch(part)
    if found is None:
        raise BadInput(f"the split {text!r} cannot be read. {EXAMPLES}.")
    start, stop = found["start"], found["stop"]
    units = {bool(found[f"{name}_percent"]) for name in ("start", "stop") if found[name]}
    if len(units) > 1:
        raise BadInput(f"the split {text!r} counts rows and per cent in one slice. {EXAMPLES}.")
    return Slice(
        found["name"], int(start) if start else None, int(stop) if stop else None, units == {True}
    )
