"""What a figure of quality against cost shows, from where to where, and where that is drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log10

from recommender.recommendation import Recommendation
from recommender.reports.canvas import WIDTH
from recommender.reports.placement import Box
from recommender.reports.points import (
    AXES,
    Axis,
    Point,
    Shown,
    drawn_points,
    limit_of,
    requirement_of,
    requirement_text,
    staircase,
)
from recommender.reports.table import metric_of, rises

PLOT_HEIGHT, LANE = 236.0, 18.0
LEFT, RIGHT, BOTTOM, NOTE = 54.0, 12.0, 42.0, 14.0
LANES = ("failed", "not run")

CROWD = 80
"""So many points with a quality are shown with all their bounds."""

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Scene:
    """The points of one figure and the plot around them.

    `judged` are the points with a quality, `bounded` those whose certified bound is drawn, `steps`
    the best quality for each cost. `lanes` are below the plot, for points without a quality.
    `across` are the costs at the left and the right edge, `up` the qualities at the lower and the
    upper edge, `box` the plot with its lanes, in pixels.
    """

    axis: Axis
    metric: str
    points: Sequence[Point]
    n_points: int
    requirement: float | None
    asked: str
    limit: float | None
    rising: bool
    words: Mapping[str, str]
    judged: Sequence[Point]
    bounded: Sequence[Point]
    steps: Sequence[tuple[float, float]]
    lanes: Sequence[str]
    across: Range
    up: Range
    box: Box

    @classmethod
    def of(cls, result: Shown, axis: str) -> "Scene":
        """What is known of a result on one of the `AXES`."""
        (points, n_points), metric = drawn_points(result, axis), metric_of(result)
        judged = [point for point in points if point.quality is not None]
        requirement, limit = requirement_of(result), limit_of(result, axis)
        known = [(point.x, point.quality) for point in judged if point.quality is not None]
        lanes = [name for name in LANES if any(lane_of(point) == name for point in points)]
        bottom = BOTTOM + (NOTE if n_points > len(points) else 0.0)
        top = bottom + PLOT_HEIGHT + LANE * len(lanes)
        return cls(
            axis=AXES[axis],
            metric=metric,
            points=points,
            n_points=n_points,
            requirement=requirement,
            asked=requirement_text(result).replace(">=", "≥").replace("<=", "≤"),
            limit=limit,
            rising=rises(result),
            words=_words(result),
            judged=judged,
            bounded=_bounded(judged),
            steps=staircase(known, rising=rises(result)),
            lanes=lanes,
            across=_across(points, limit),
            up=_up(judged, requirement),
            box=Box(LEFT, bottom, WIDTH - RIGHT, top),
        )

    @property
    def choice(self) -> Point | None:
        """The choice, where it is in the figure."""
        return next((point for point in self.points if point.kind == "choice"), None)

    @property
    def shows_limit(self) -> bool:
        """Whether there is a limit on this axis, near enough to be inside."""
        return self.limit is not None and self.across[0] <= self.limit <= self.across[1]

    def below(self, lanes: float) -> float:
        """The quality that would be so many lanes below the plot."""
        low, high = self.up
        return low - (high - low) * LANE * lanes / PLOT_HEIGHT

    def height_of(self, point: Point) -> float:
        """The quality, or what stands for it in the middle of the point's lane."""
        if point.quality is not None:
            return point.quality
        return self.below(self.lanes.index(lane_of(point)) + 0.5)

    def times(self, pixels: float) -> float:
        """The factor between two costs so many pixels apart."""
        left, right = self.across
        return float((right / left) ** (pixels / (self.box.right - self.box.left)))

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a cost and a quality are in the figure, in pixels from the lower left."""
        (left, right), (low, high) = map(log10, self.across), self.up
        start = self.box.bottom + LANE * len(self.lanes)
        return (
            self.box.left + (log10(x) - left) / (right - left) * (self.box.right - self.box.left),
            start + (y - low) / (high - low) * PLOT_HEIGHT,
        )


def lane_of(point: Point) -> str:
    """Where a point without a quality goes; empty for one that has one."""
    if point.quality is not None:
        return ""
    return "not run" if point.kind == "not run" else "failed"


def _words(result: Shown) -> Mapping[str, str]:
    """What the figure calls the kinds; nothing is turned down where nothing was asked."""
    asked = isinstance(result, Recommendation) and bool(result.plan.requirements)
    return {"turned down": "turned down" if asked else "not on the frontier"}


def _bounded(judged: Sequence[Point]) -> list[Point]:
    """In a crowd, not of those that were turned down."""
    known = [point for point in judged if point.bound is not None]
    if len(judged) <= CROWD:
        return known
    return [point for point in known if point.kind != "turned down"]


def _across(points: Sequence[Point], limit: float | None) -> Range:
    """With some room, and with a limit that is not far away."""
    costs = [point.x for point in points] or [1.0]
    low, high = min(costs), max(costs)
    if limit is not None and low / 10 <= limit <= high * 10:
        low, high = min(low, limit), max(high, limit)
    room = max(0.06 * log10(high / low), 0.12)
    return float(low / 10**room), float(high * 10**room)


def _up(judged: Sequence[Point], requirement: float | None) -> Range:
    """With some room; bounds of what was turned down may lie below, as from few rows."""
    seen = [end for point in judged for end in (point.quality, point.low, point.high)]
    seen += [point.bound for point in judged if point.kind != "turned down"]
    known = [value for value in (*seen, requirement) if value is not None] or [0.0, 1.0]
    low, high = min(known), max(known)
    room = 0.06 * (high - low) or 0.02
    return low - room, high + 1.6 * room
