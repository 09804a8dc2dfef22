"""The figures of a result: quality against cost, and where the work went."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from cache.errors import BadInput, NotFound
from recommender.plugins import unknown
from recommender.recommendation import Plan
from recommender.reports.canvas import (
    LEGEND_ROW,
    NORMAL,
    WIDTH,
    Drawing,
    Entry,
    Look,
    Mark,
    draw_legend,
    drawable,
    legend_rows,
    settings,
    write,
)
from recommender.reports.colours import COLOURS
from recommender.reports.labels import draw_labels
from recommender.reports.points import AXES, Point, Shown, shortened
from recommender.reports.race import race_figure, race_sentence
from recommender.reports.scale import aligned_texts, log_ticks, plain_texts, ticks
from recommender.reports.scene import LANE, Scene
from recommender.reports.table import Result

__all__ = ["frontier_figure", "main_figure", "race_figure", "race_sentence"]

TITLE = 24.0
HALF_STROKE = 4.5

KINDS = ("not run", "failed", "turned down", "frontier", "baseline", "choice")
"""From the back to the front."""

LOOKS: Mapping[str, Look] = MappingProxyType(
    {
        "choice": {"marker": "D", "markersize": 9.5, "markeredgecolor": COLOURS["bg"]},
        "frontier": {"marker": "o", "markersize": 8.0, "markeredgecolor": COLOURS["bg"]},
        "baseline": {"marker": "s", "markersize": 8.0, "markeredgecolor": COLOURS["bg"]},
        "turned down": {"marker": "v", "markersize": 7.0, "markeredgecolor": COLOURS["bg"]},
        "failed": {"marker": "x", "markersize": 6.0, "markeredgewidth": 1.6},
        "not run": {"marker": "o", "markersize": 5.5, "markerfacecolor": "none"},
    }
)
BOUND: Look = {
    "marker": "_", "markersize": 9.0, "markeredgewidth": 1.6, "linestyle": "none",
    "markerfacecolor": "none",
}  # fmt: skip
TIED: Look = {
    "marker": "o", "markersize": 13.0, "markeredgewidth": 1.3, "markerfacecolor": "none",
    "markeredgecolor": COLOURS["choice"], "linestyle": "none",
}  # fmt: skip


def frontier_figure(result: Shown, axis: str = "size_mb") -> Drawing:
    """Quality against a cost of `AXES`, which is logarithmic.

    Candidates without a quality stand in lanes below; of very many, `thinned` says which are
    drawn, and the figure says so. NotFound for an axis that there is not.
    """
    if axis not in AXES:
        raise NotFound(unknown(axis, list(AXES), what="axis"))
    scene = Scene.of(result, axis)
    with settings():
        return _draw(scene)


def main_figure(result: Result) -> Drawing:
    """Quality against size. BadInput for a plan, which has nothing to draw yet."""
    if isinstance(result, Plan):
        raise BadInput(
            "a plan has no figure, since nothing is measured yet; choose text, json, md or csv, "
            "or run the search without --dry-run"
        )
    return frontier_figure(result)


def _draw(scene: Scene) -> Drawing:
    rows = legend_rows(_legend(scene), WIDTH - 16.0)
    height = scene.box.top + TITLE + LEGEND_ROW * len(rows)
    drawing = Drawing(height, title=_title(scene), description=_description(scene))
    draw_legend(drawing, rows, 4.0, height - 2.0)
    axes = _axes(drawing, scene)
    _grid(drawing, axes, scene)
    _areas(axes, scene)
    _frontier(axes, scene)
    _lines(axes, scene)
    _hang(axes, scene)
    _marks(drawing, axes, scene)
    draw_labels(drawing, scene)
    _titles(drawing, scene)
    return drawing


def _title(scene: Scene) -> str:
    return f"{drawable(scene.metric)} against {scene.axis.label}"


def _description(scene: Scene) -> str:
    """What the figure shows, in sentences, for whoever does not see it."""
    counts = [
        f"{sum(p.kind == kind for p in scene.points)} {scene.words.get(kind, kind)}"
        for kind in reversed(KINDS)
    ]
    said = [f"{_title(scene)} of {scene.n_points:,} candidates"]
    said += [f"Asked: {scene.asked}"] if scene.asked else []
    said += [", ".join(count for count in counts if not count.startswith("0 "))]
    chosen = [point.label for point in scene.points if point.kind == "choice"]
    return drawable(". ".join([*said, *chosen]) + ".")


def _axes(drawing: Drawing, scene: Scene) -> Axes:
    """The empty plot. It draws no axes of its own: ours take a third of the time."""
    box, height = scene.box, drawing.height
    place = (
        box.left / WIDTH, box.bottom / height,
        (box.right - box.left) / WIDTH, (box.top - box.bottom) / height,
    )  # fmt: skip
    up = scene.below(len(scene.lanes)), scene.up[1]
    axes = drawing.add_axes(place, xscale="log", xlim=scene.across, ylim=up)
    axes.set_axis_off()
    return axes


def _grid(drawing: Drawing, axes: Axes, scene: Scene) -> None:
    """A light grid, with round numbers beside it."""
    at, box = scene.at, scene.box
    (left, right), (low, high) = scene.across, scene.up
    floor = scene.below(len(scene.lanes))
    across, up = log_ticks(left, right), ticks(low, high)
    above = [scene.below(lane) for lane in range(len(scene.lanes))]
    lines = [(x, x, floor, high) for x in across]
    lines += [(left, right, y, y) for y in (*up, *above)]
    _segments(axes, lines, color=COLOURS["grid"], lw=0.8, zorder=1)
    for x, text in zip(across, plain_texts(across), strict=True):
        write(drawing, at(x, floor)[0], box.bottom - 14.0, text, ha="center")
    for y, text in zip(up, aligned_texts(up), strict=True):
        write(drawing, box.left - 6.0, at(left, y)[1] - 4.0, text, ha="right")


def _segments(
    axes: Axes, lines: Iterable[tuple[float, float, float, float]], **look: Any
) -> None:  # Any: as Line2D takes it
    """Many short lines (x, x, y, y) as one, with gaps."""
    gap = float("nan")
    ends = [(x, y) for x0, x1, y0, y1 in lines for x, y in ((x0, y0), (x1, y1), (gap, gap))]
    if ends:
        axes.add_line(Line2D(*zip(*ends, strict=True), **look))


def _areas(axes: Axes, scene: Scene) -> None:
    """What meets the requirement and the limit, and the band of the choice's interval."""
    (left, right), (low, high) = scene.across, scene.up
    if scene.requirement is not None:
        ends = (scene.requirement, high) if scene.rising else (low, scene.requirement)
        end = min(right, scene.limit) if scene.limit is not None else right
        if end > left:
            axes.fill_between([left, end], *ends, color=COLOURS["feasible"], lw=0, zorder=0.1)
    choice = scene.choice
    tied = any(point.tied for point in scene.points)
    if tied and choice is not None and choice.low is not None and choice.high is not None:
        band = (choice.low, choice.high)
        axes.fill_between([left, right], *band, color=COLOURS["band"], lw=0, zorder=0.2)


def _frontier(axes: Axes, scene: Scene) -> None:
    """The best quality for each cost, as a line of steps."""
    if not scene.steps:
        return
    steps = [*scene.steps, (scene.across[1], scene.steps[-1][1])]
    axes.step(
        *zip(*steps, strict=True), where="post", color=COLOURS["frontier"], lw=1.2, alpha=0.7,
        zorder=2,
    )  # fmt: skip


def _lines(axes: Axes, scene: Scene) -> None:
    """The requirement and the limit."""
    look: Look = {"color": COLOURS["requirement"], "lw": 1.2, "dashes": (5, 3), "zorder": 2.5}
    if scene.requirement is not None:
        axes.axhline(scene.requirement, **look)
    if scene.limit is not None and scene.shows_limit:
        axes.axvline(scene.limit, **look)


def _marks(drawing: Drawing, axes: Axes, scene: Scene) -> None:
    """The intervals, the bounds and the marks, kind by kind."""
    for layer, kind in enumerate(KINDS):
        points = [point for point in scene.points if point.kind == kind]
        if not points:
            continue
        _intervals(axes, scene, points, zorder=3 + layer / 10)
        heights = [scene.height_of(point) for point in points]
        line = Line2D([point.x for point in points], heights, clip_on=False, **_look(kind))
        line.set(gid=f"marks-{layer}", zorder=4 + layer / 10)
        axes.add_line(line)
        drawing.marks[f"marks-{layer}"] = [
            Mark(drawable(point.name), drawable(point.label)) for point in points
        ]
    tied = [point for point in scene.judged if point.tied]
    heights = [scene.height_of(point) for point in tied]
    if tied:
        axes.add_line(Line2D([point.x for point in tied], heights, zorder=3, **TIED))


def _look(kind: str) -> Look:
    colour = COLOURS[kind.replace(" ", "-")]
    edge: Look = {"markeredgecolor": colour, "markerfacecolor": colour, "markeredgewidth": 0.8}
    return {"linestyle": "none", **edge, **LOOKS[kind]}


def _intervals(axes: Axes, scene: Scene, points: Sequence[Point], *, zorder: float) -> None:
    """The intervals of one kind, and its bounds as short strokes across."""
    kind, half = points[0].kind, scene.times(HALF_STROKE)
    bars = [(p.x, p.x, p.low, p.high) for p in points if p.low is not None and p.high is not None]
    bounds = [(p.x, p.bound) for p in scene.bounded if p.kind == kind and p.bound is not None]
    strokes = [(x / half, x * half, bound, bound) for x, bound in bounds]
    faint = 0.55 if kind == "turned down" else 0.9
    colour = COLOURS[kind.replace(" ", "-")]
    _segments(axes, [*bars, *strokes], color=colour, lw=1.4, alpha=faint, zorder=zorder)


def _hang(axes: Axes, scene: Scene) -> None:
    """A thin line from each mark to its certified bound, so that the eye finds it."""
    lines = [(p.x, p.x, p.quality or 0.0, p.bound or 0.0) for p in scene.bounded]
    _segments(axes, lines, color=COLOURS["not-run"], lw=0.6, zorder=2.2)


def _titles(drawing: Drawing, scene: Scene) -> None:
    """What the axes are, what the lanes are, and how many points are missing."""
    box = scene.box
    look: Look = {"size": NORMAL, "color": COLOURS["fg"]}
    metric = shortened(drawable(scene.metric), 60)
    write(drawing, 4.0, box.top + 9.0, metric, **look)
    across = f"{scene.axis.title}, logarithmic"
    write(drawing, box.right, box.bottom - 33.0, across, ha="right", **look)
    top = box.bottom + LANE * len(scene.lanes)
    for lane, name in enumerate(scene.lanes):
        write(drawing, box.left - 5.0, top - LANE * (lane + 0.5) - 4.0, name, ha="right")
    if scene.n_points > len(scene.points):
        said = f"{len(scene.points):,} of {scene.n_points:,} candidates are drawn"
        write(drawing, box.left, 5.0, said)


def _legend(scene: Scene) -> list[Entry]:
    kinds = {point.kind for point in scene.points}
    entries = [
        Entry(scene.words.get(kind, kind), _look(kind)) for kind in reversed(KINDS) if kind in kinds
    ]
    judged, muted = scene.judged, COLOURS["muted"]
    if any(point.tied for point in judged):
        entries.append(Entry("tied with the choice", {**TIED, "markersize": 9.0}))
    if any(point.low is not None for point in judged):
        entries.append(Entry("95 % interval", {"color": muted, "lw": 1.4}, is_upright=True))
    if scene.bounded:
        entries.append(Entry("certified bound", {"markeredgecolor": muted, **BOUND}))
    return entries
