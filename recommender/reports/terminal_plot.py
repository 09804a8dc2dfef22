"""The frontier as a small plot of characters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import log10
from types import MappingProxyType

from recommender.reports.points import (
    AXES,
    Kind,
    Point,
    Shown,
    points_of,
    requirement_of,
    requirement_text,
    shortened,
)
from recommender.reports.scale import aligned_texts, log_ticks, plain_texts, ticks
from recommender.reports.table import metric_of

HEIGHT = 8
LEAST_WIDTH, MOST_WIDTH = 40, 100
SIGNS: Mapping[Kind, str] = MappingProxyType(
    {"turned down": "·", "frontier": "*", "baseline": "=", "choice": ">"}
)
"""From the back to the front."""

WORDS: Mapping[Kind, str] = MappingProxyType({"turned down": "other"})


@dataclass(frozen=True, slots=True)
class Frame:
    """Where qualities and sizes are in the plot; sizes as their decimal logarithms."""

    columns: int
    low: float
    high: float
    left: float
    right: float

    @classmethod
    def of(cls, columns: int, points: Sequence[Point], requirement: float | None) -> "Frame":
        """Around all points and the requirement, with some room."""
        known = [point.quality for point in points if point.quality is not None]
        known += [] if requirement is None else [requirement]
        low, high = min(known), max(known)
        up = 0.04 * (high - low) or 0.01
        left, right = log10(min(p.x for p in points)), log10(max(p.x for p in points))
        across = 0.03 * (right - left) or 0.2
        return cls(columns, low - up, high + up, left - across, right + across)

    def row(self, quality: float) -> int:
        """From the top."""
        return round((self.high - quality) / (self.high - self.low) * (HEIGHT - 1))

    def column(self, size: float) -> int:
        """From the left."""
        return round((log10(size) - self.left) / (self.right - self.left) * (self.columns - 1))


def terminal_plot(result: Shown, width: int) -> str:
    """Quality upwards and size to the right, which is logarithmic; twelve lines without colours.

    Empty where no candidate has a quality. Where several candidates share a place, the choice is
    shown, then the baseline, then the frontier.
    """
    points = [point for point in points_of(result) if point.quality is not None]
    if not points:
        return ""
    width = max(LEAST_WIDTH, min(MOST_WIDTH, width))
    requirement = requirement_of(result)
    up = Frame.of(0, points, requirement)
    values = ticks(up.low, up.high, most=4)
    labels = {up.row(v): text for v, text in zip(values, aligned_texts(values), strict=True)}
    margin = max(map(len, labels.values()), default=0)
    frame = replace(up, columns=width - margin - 2)
    grid = _grid(points, frame, requirement)
    body = [f"{labels.get(at, ''):>{margin}} |{line}".rstrip() for at, line in enumerate(grid)]
    against = f" against {AXES['size_mb'].title}, log scale"
    title = shortened(metric_of(result), width - len(against)) + against
    return "\n".join([title, *body, *_bottom(frame, margin), _legend(result, points, width)])


def _grid(points: Sequence[Point], frame: Frame, requirement: float | None) -> list[str]:
    rows = [[" "] * frame.columns for _ in range(HEIGHT)]
    if requirement is not None:
        rows[frame.row(requirement)] = [*("- " * frame.columns)][: frame.columns]
    for kind, sign in SIGNS.items():
        for point in points:
            if point.kind == kind:
                rows[frame.row(point.quality or 0.0)][frame.column(point.x)] = sign
    return ["".join(row) for row in rows]


def _bottom(frame: Frame, margin: int) -> list[str]:
    """The axis with its ticks, and their sizes below them."""
    columns = frame.columns
    values = log_ticks(10**frame.left, 10**frame.right, most=max(2, columns // 10))
    line, below = ["-"] * columns, [" "] * columns
    end = 0
    for value, text in zip(values, plain_texts(values), strict=True):
        at = frame.column(value)
        line[at] = "+"
        start = min(max(at - len(text) // 2, 0), columns - len(text))
        if start >= end:
            below[start : start + len(text)] = text
            end = start + len(text) + 1
    gap = " " * (margin + 2)
    return [f"{' ' * margin} +{''.join(line)}", f"{gap}{''.join(below)}".rstrip()]


def _legend(result: Shown, points: Sequence[Point], width: int) -> str:
    kinds = {point.kind for point in points}
    said = [f"{sign} {WORDS.get(k, k)}" for k, sign in reversed([*SIGNS.items()]) if k in kinds]
    if requirement_of(result) is None:
        return "   ".join(said)
    in_full = "   ".join([*said, f"- - {requirement_text(result)}"])
    in_short = "   ".join([*said, "- - asked"])
    return next(
        (text for text in (in_full, in_short) if len(text) <= width), "  ".join(said)[:width]
    )
