"""The names in a figure: of the requirement, the limit, and the candidates that matter."""

from collections.abc import Sequence
from itertools import pairwise
from math import hypot

from matplotlib.lines import Line2D

from recommender.reports.canvas import NORMAL, SMALL, WIDTH, Drawing, Look, drawable, write
from recommender.reports.colours import COLOURS
from recommender.reports.placement import Box, Taken, Wanted, around, placed, width_of
from recommender.reports.points import Point, shortened, spread
from recommender.reports.scale import plain_texts
from recommender.reports.scene import LANE, Scene

MARK_REACH = 6.5
FAR = 16.0
"""Pixels from which on a line leads from a mark to its name."""

LONGEST = 24
MOST_NAMED = 40
"""Candidates of the frontier that are named, if there is room: each is held against each mark."""

RANKS = {"choice": 0, "baseline": 1, "frontier": 2}
"""Which kinds are named, the first first."""


def draw_labels(drawing: Drawing, scene: Scene) -> None:
    """The requirement, the limit, then the names of the choice, the baseline and the frontier."""
    at, box = scene.at, scene.box
    marks = [around(*at(point.x, point.quality or 0.0), MARK_REACH) for point in scene.judged]
    marks += _asked_labels(drawing, scene, marks)
    shown = named(scene)
    wanted = [
        Wanted(
            *at(point.x, point.quality or 0.0),
            _lines_of(point),
            NORMAL if point.kind == "choice" else SMALL,
            is_needed=point.kind != "frontier",
        )
        for point in shown
    ]
    lanes = LANE * len(scene.lanes)
    room = Box(box.left, box.bottom + lanes, WIDTH - 2.0, box.top + 4.0)
    places = placed(wanted, Taken(marks, _line_boxes(scene)), room)
    for point, label, place in zip(shown, wanted, places, strict=True):
        if place is not None:
            _name(drawing, label, place, is_choice=point.kind == "choice")


def named(scene: Scene) -> list[Point]:
    """The points that are named, the first first; of a long frontier some, evenly spread."""
    frontier = sorted((p for p in scene.judged if p.kind == "frontier"), key=lambda p: p.x)
    others = [p for p in scene.judged if p.kind in RANKS and p.kind != "frontier"]
    return sorted(
        [*others, *spread(frontier, MOST_NAMED)],
        key=lambda point: (RANKS[point.kind], -(point.quality or 0.0), point.x),
    )


def _lines_of(point: Point) -> tuple[str, str]:
    """The model, and the recipe."""
    model, _, recipe = drawable(point.short).rpartition(" ")
    return shortened(model, LONGEST), shortened(recipe, LONGEST)


def _name(drawing: Drawing, label: Wanted, place: Box, *, is_choice: bool) -> None:
    """The model, and the recipe below it; on the side of the mark, where that is beside it."""
    is_left = place.right < label.x
    x, side = (place.right, "right") if is_left else (place.left, "left")
    if place.left < label.x < place.right:
        x, side = (place.left + place.right) / 2, "center"
    end = place.nearest(label.x, label.y)
    if hypot(end[0] - label.x, end[1] - label.y) > FAR:
        ends = zip((label.x, label.y), end, strict=True)
        drawing.add_artist(Line2D(*ends, color=COLOURS["muted"], lw=0.7, transform=drawing.pixels))
    height = label.height / len(label.lines)
    for row, line in enumerate(label.lines):
        y = place.top - height * (row + 1) + 0.25 * label.size
        weight = "bold" if is_choice and row == 0 else "normal"
        colour = COLOURS["muted" if row else "fg"]
        look: Look = {"color": colour, "weight": weight, "ha": side, "gid": "label"}
        write(drawing, x, y, line, size=label.size, **look)


def _line_boxes(scene: Scene) -> list[Box]:
    """Where the intervals, the requirement and the steps of the frontier are."""
    at, found = scene.at, []
    for point in scene.judged:
        ends = [e for e in (point.low, point.high, point.bound, point.quality) if e is not None]
        (x, low), (_, high) = at(point.x, min(ends)), at(point.x, max(ends))
        found.append(Box(x - 1.0, low, x + 1.0, high))
    for (x, quality), (end, _) in pairwise([*scene.steps, (scene.across[1], 0.0)]):
        (left, y), (right, _) = at(x, quality), at(end, quality)
        found.append(Box(left, y - 1.0, right, y + 1.0))
    if scene.requirement is not None:
        (left, y), (right, _) = (at(x, scene.requirement) for x in scene.across)
        found.append(Box(left, y - 1.0, right, y + 1.0))
    return found


def _asked_labels(drawing: Drawing, scene: Scene, marks: Sequence[Box]) -> list[Box]:
    """The labels of the requirement and the limit, and where they are."""
    limit, bar = _limit_label(drawing, scene), _bar_label(drawing, scene, marks)
    return [box for box in (limit, bar) if box is not None]


def _limit_label(drawing: Drawing, scene: Scene) -> Box | None:
    """Beside the limit's line, at the top."""
    if scene.limit is None or not scene.shows_limit:
        return None
    text = f"≤ {plain_texts([scene.limit])[0]} {scene.axis.unit}"
    (x, _), top, width = scene.at(scene.limit, 0.0), scene.box.top, width_of(text, SMALL)
    start = x + 4.0 if x + 4.0 + width <= WIDTH else x - 4.0 - width
    write(drawing, start, top - 10.0, text, color=COLOURS["requirement"])
    return Box(start, top - 13.0, start + width, top)


def _bar_label(drawing: Drawing, scene: Scene, marks: Sequence[Box]) -> Box | None:
    """Along the requirement's line, above or below it, where it covers the least."""
    if scene.requirement is None or not scene.asked:
        return None
    _, y = scene.at(scene.across[0], scene.requirement)
    width, box = width_of(scene.asked, SMALL), scene.box
    first, room = box.left + 3.0, box.right - box.left - 6.0 - width
    starts = [first + room * share for share in (0.0, 1.0, 0.25, 0.5, 0.75)]
    places = [Box(x, low, x + width, low + 13.0) for low in (y + 2.0, y - 14.0) for x in starts]
    lines = _line_boxes(scene)

    def covered(place: Box) -> tuple[int, int]:
        return sum(map(place.meets, marks)), sum(map(place.meets, lines))

    best = min(places, key=covered)
    write(drawing, best.left, best.bottom + 2.0, scene.asked, color=COLOURS["requirement"])
    return best
