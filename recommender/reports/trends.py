"""How the smallest sufficient size changed from search to search."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from recommender.reports.table import clean, figure
from recommender.runs import RunSummary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from recommender.reports.canvas import Drawing

MOST_SHOWN = 12
"""Trends on one page, those with the newest search first."""

USUAL_DELTA = 0.05
"""What is asked where nothing is said of the confidence."""

HEIGHT, LEFT, RIGHT, BOTTOM, TOP = 190.0, 76.0, 14.0, 34.0, 10.0
TEXT = 14.5
"""Pixels, of a figure that a page shows at three quarters of its size."""


@dataclass(frozen=True, slots=True)
class Trend:
    """The answers to one question on one set of rows, the oldest first.

    `sizes_mb` are None where nothing was shown to be sufficient; `baseline` is what the requirement
    is relative to, empty where it is to nothing.
    """

    data: str
    requirement: str
    times: tuple[datetime, ...]
    sizes_mb: tuple[float | None, ...]
    delta: float = USUAL_DELTA
    baseline: str = ""

    @property
    def title(self) -> str:
        """`a.csv: accuracy >= 0.9, with 99 % confidence`; the usual confidence is not said."""
        sure = f", with {100 * (1 - self.delta):.4g} % confidence"
        parts = (
            f"{self.data}: {self.requirement}",
            sure if self.delta != USUAL_DELTA else "",
            f", baseline {self.baseline}" if self.baseline else "",
        )
        return clean("".join(parts))

    @property
    def sentence(self) -> str:
        """`from 67.5 MB to 12.3 MB in 3 searches`."""
        known = [size for size in self.sizes_mb if size is not None]
        first, last = known[0], known[-1]
        searches = f"in {len(self.sizes_mb)} searches"
        none = self.sizes_mb.count(None)
        failed = f", {none} of them without an answer" if none else ""
        if first == last:
            return f"{figure(last)} MB {searches}{failed}"
        return f"from {figure(first)} MB to {figure(last)} MB {searches}{failed}"


def trends_of(runs: Iterable[RunSummary]) -> list[Trend]:
    """Of each question for the smallest that was answered at least twice on the same rows.

    `runs` and the trends are in the order of their newest search.
    """
    asked: dict[Hashable, list[RunSummary]] = {}
    for run in runs:
        if run.requirement and run.minimize == "size_mb":
            asked.setdefault(_question(run), []).append(run)
    return [
        _trend(found)
        for found in asked.values()
        if sum(run.size_mb is not None for run in found) > 1
    ]


def _question(run: RunSummary) -> Hashable:
    """What must be the same for two answers to be comparable."""
    return run.task, run.fingerprint, run.requirement, run.delta, run.baseline


def _trend(runs: list[RunSummary]) -> Trend:
    newest, oldest_first = runs[0], runs[::-1]
    oldest_first.sort(key=lambda run: run.answered_at)
    return Trend(
        data=newest.data,
        requirement=newest.requirement,
        times=tuple(datetime.fromisoformat(run.answered_at) for run in oldest_first),
        sizes_mb=tuple(run.size_mb for run in oldest_first),
        delta=newest.delta,
        baseline=newest.baseline,
    )


def trend_figure(trend: Trend) -> "Drawing":
    """The size of each answer at its time, and marks below where there was no answer."""
    from recommender.reports.canvas import WIDTH, Drawing, settings

    with settings():
        drawing = Drawing(HEIGHT, title=trend.title, description=trend.sentence)
        sizes = [size for size in trend.sizes_mb if size is not None]
        width, height = (WIDTH - LEFT - RIGHT) / WIDTH, (HEIGHT - BOTTOM - TOP) / HEIGHT
        place = (LEFT / WIDTH, BOTTOM / HEIGHT, width, height)
        axes = drawing.add_axes(place, ylim=(0, max(sizes) * 1.15))
        _scales(axes, trend, max(sizes))
        _line(drawing, axes, trend)
        return drawing


def _scales(axes: "Axes", trend: Trend, largest: float) -> None:
    """MB upwards; along the bottom the first and the last search."""
    from recommender.reports.colours import COLOURS
    from recommender.reports.scale import plain_texts, ticks

    axes.spines[:].set_visible(False)
    values = ticks(0, largest * 1.15, most=4)
    axes.set_yticks(values, plain_texts(values))
    first, last = trend.times[0], trend.times[-1]
    pattern = "%H:%M" if first.date() == last.date() else "%Y-%m-%d"
    ends = [first, last] if first < last else [first]
    axes.set_xticks([at.timestamp() for at in ends], [at.strftime(pattern) for at in ends])
    labels = axes.get_xticklabels()
    labels[-1].set_horizontalalignment("right")
    labels[0].set_horizontalalignment("left")
    axes.set_ylabel("size (MB)", color=COLOURS["muted"], fontsize=TEXT)
    axes.tick_params(length=0, labelsize=TEXT, labelcolor=COLOURS["muted"], pad=6)
    axes.grid(axis="y", color=COLOURS["grid"], linewidth=0.8)


def _line(drawing: "Drawing", axes: "Axes", trend: Trend) -> None:
    """Steps from answer to answer, each a mark that says when and what."""
    from matplotlib.lines import Line2D

    from recommender.reports.canvas import Mark
    from recommender.reports.colours import COLOURS

    pairs = [(at.timestamp(), size) for at, size in zip(trend.times, trend.sizes_mb, strict=True)]
    said = [_said(at, size) for at, size in zip(trend.times, trend.sizes_mb, strict=True)]
    steps = [(at, size) for at, size in pairs if size is not None]
    axes.plot(*zip(*steps, strict=True), drawstyle="steps-post", lw=1.6, color=COLOURS["choice"])
    for kind, marker in (("choice", "o"), ("failed", "x")):
        shown = [
            (at, size or 0.0, text)
            for (at, size), text in zip(pairs, said, strict=True)
            if (size is None) == (kind == "failed")
        ]
        if not shown:
            continue
        xs, ys, texts = zip(*shown, strict=True)
        marks = Line2D(xs, ys, linestyle="none", marker=marker, markersize=7.0, color=COLOURS[kind],
                       clip_on=False)  # fmt: skip
        marks.set_gid(f"marks-{kind}")
        axes.add_line(marks)
        drawing.marks[f"marks-{kind}"] = [Mark(text, text) for text in texts]


def _said(at: datetime, size_mb: float | None) -> str:
    """`2026-11-22 18:30: 12.3 MB`."""
    what = "no answer" if size_mb is None else f"{figure(size_mb)} MB"
    return f"{at:%Y-%m-%d %H:%M}: {what}"
