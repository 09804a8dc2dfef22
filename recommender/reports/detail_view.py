"""One candidate in detail, as a page shows it."""

from dataclasses import dataclass
from math import ceil

from recommender.details.parts import Confusion, Details, SliceQuality
from recommender.reports.figures import quality
from recommender.reports.table import figure

SHADES = 5
FEW = 8
"""With more answers a confusion matrix is more than one looks through."""
MOST_MISTAKES = 8


@dataclass(frozen=True, slots=True)
class SmallTable:
    """A table of texts, the first column naming the row."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class ConfusionCell:
    """`shade` is the share of its row in steps of a fifth, from 0."""

    n: int
    shade: int
    right: bool


@dataclass(frozen=True, slots=True)
class ConfusionRow:
    """The rows of one label, by what was answered."""

    truth: str
    cells: tuple[ConfusionCell, ...]


@dataclass(frozen=True, slots=True)
class ConfusionView:
    """A confusion matrix with shades."""

    answers: tuple[str, ...]
    rows: tuple[ConfusionRow, ...]

    @property
    def is_large(self) -> bool:
        """Whether it is drawn small, with its titles upright."""
        return len(self.answers) > FEW


@dataclass(frozen=True, slots=True)
class DetailView:
    """One candidate in detail."""

    name: str
    role: str
    confusion: ConfusionView | None
    tables: tuple[SmallTable, ...]


def detail_view(name: str, role: str, metric: str, details: Details) -> DetailView:
    """What is known of one candidate, without what is not."""
    tables = [
        _mistakes(details),
        _classes(details),
        _slices(details, metric),
        _calibration(details),
        _latency(details),
        _memory(details),
    ]
    confusion = confusion_view(details.confusion) if details.confusion else None
    return DetailView(name, role, confusion, tuple(table for table in tables if table.rows))


def confusion_view(matrix: Confusion) -> ConfusionView:
    """The counts with shades for their share of the row."""
    rows = []
    for truth, counts in zip(matrix.truths, matrix.counts, strict=True):
        total = sum(counts)
        cells = (
            ConfusionCell(n, ceil(SHADES * n / total) if total else 0, answer == truth)
            for answer, n in zip(matrix.answers, counts, strict=True)
        )
        rows.append(ConfusionRow(truth, tuple(cells)))
    return ConfusionView(matrix.answers, tuple(rows))


def _share(value: float | None) -> str:
    return "-" if value is None else quality(value)


def _mistakes(details: Details) -> SmallTable:
    """What is most often taken for what, where the matrix is too large to find it in."""
    matrix = details.confusion
    if matrix is None or len(matrix.answers) <= FEW:
        return SmallTable("", (), ())
    found = [
        (n, truth, answer, sum(counts))
        for truth, counts in zip(matrix.truths, matrix.counts, strict=True)
        for answer, n in zip(matrix.answers, counts, strict=True)
        if n and answer != truth
    ]
    found.sort(key=lambda each: -each[0])
    rows = (
        (f"{truth} → {answer}", f"{n:,} of {total:,}")
        for n, truth, answer, total in found[:MOST_MISTAKES]
    )
    return SmallTable("Most frequent mistakes", ("label → answer", "rows"), tuple(rows))


def _classes(details: Details) -> SmallTable:
    rows = (
        (each.label, f"{each.n:,}", _share(each.precision), _share(each.recall), _share(each.f1))
        for each in details.classes
    )
    return SmallTable("By label", ("label", "rows", "precision", "recall", "F1"), tuple(rows))


def _slices(details: Details, metric: str) -> SmallTable:
    rows = (
        (f"{each.column} = {each.value}", f"{each.n:,}", _share(each.quality), _interval(each))
        for each in details.slices
    )
    shown = details.slice_metric or metric
    return SmallTable("By slice", ("slice", "rows", shown, "95 % interval"), tuple(rows))


def _interval(each: SliceQuality) -> str:
    if each.low is None or each.high is None:
        return "-"
    return f"{quality(each.low)} to {quality(each.high)}"


def _calibration(details: Details) -> SmallTable:
    rows = (
        (f"{each.low:.1f} to {each.high:.1f}", f"{each.n:,}", quality(each.confidence),
         quality(each.accuracy))
        for each in details.calibration
        if each.n
    )  # fmt: skip
    error = details.calibration_error
    told = "" if error is None else f": expected calibration error {quality(error)}"
    return SmallTable(
        f"Calibration{told}", ("score", "rows", "mean score", "accuracy"), tuple(rows)
    )


def _latency(details: Details) -> SmallTable:
    known = sorted(details.latency_ms.items(), key=lambda item: float(item[0]))
    rows = ((f"{name}th", figure(value)) for name, value in known)
    return SmallTable("Latency of single requests", ("percentile", "ms"), tuple(rows))


def _memory(details: Details) -> SmallTable:
    rows = tuple((name, figure(value)) for name, value in details.memory_mb.items())
    total = (("together, the peak", figure(sum(details.memory_mb.values()))),) if rows else ()
    return SmallTable("Memory", ("part", "MB"), rows + total)
