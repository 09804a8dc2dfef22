"""How many rows each candidate was given before it was certified or turned down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from evaluators.measurement import State
from recommender.evidence.verdict import Verdict
from recommender.recommendation import NOT_RUN, Outcome, Recommendation
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
from recommender.reports.points import ENDED, Shown, in_two, outcomes_of, short_name
from recommender.reports.scale import plain_texts, ticks
from recommender.reports.table import clean

ROWS = 40
"""How many candidates one figure names."""

NAME_SIZE = 11.0
ROW, BAR = 16.0, 7.0
LEFT, RIGHT, BOTTOM = 216.0, 36.0, 42.0
LONGEST_NAME = 32

LOOKS: Mapping[str, tuple[str, Look]] = MappingProxyType(
    {
        "the choice": ("choice", {"marker": "D", "markersize": 8.0}),
        "certified": ("choice", {"marker": "o", "markersize": 7.0}),
        "the baseline": ("baseline", {"marker": "s", "markersize": 7.5}),
        "measured": ("frontier", {"marker": "o", "markersize": 7.0}),
        "undecided with all rows": ("turned-down", {"marker": "s", "markersize": 6.0}),
        "raced out": ("raced-out", {"marker": "v", "markersize": 7.0}),
        "shown insufficient": ("insufficient", {"marker": "X", "markersize": 7.5}),
        "failed": ("failed", {"marker": "x", "markersize": 6.0, "markeredgewidth": 1.6}),
        "not run": ("not-run", {"marker": "o", "markersize": 5.0, "markerfacecolor": "none"}),
    }
)
"""The colour and the shape at the end of a bar, by how the candidate ended."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One candidate, or all that are not named: its rows, and how it ended."""

    name: str
    short: str
    n_rows: int
    ended: str


def race_figure(result: Shown) -> Drawing:
    """The rows that each candidate was given, in the order of their cost, the smallest on top.

    Of more than `ROWS` candidates it names those that were given the most rows, and the rest are
    one line. Its description is `race_sentence`.
    """
    lanes, n_rest = _lanes(result)
    with settings():
        return _draw(result, lanes, n_rest)


def race_sentence(result: Shown) -> str:
    """`1,234 of 60,000 answers were needed (2 %): 30 candidates x 2,000 rows`.

    All would be every row answered by every candidate of the pool, and by the baseline where that
    is not one of them. What failed candidates answered before they failed is not counted.
    """
    outcomes = _every(result)
    all_rows = _n_rows(result)
    n_given = sum(min(outcome.n_rows, all_rows) for outcome in outcomes)
    n_all = all_rows * len(outcomes)
    if not n_all:
        return "no answers were needed"
    what = "are known"
    if isinstance(result, Recommendation):
        what = "were needed" if result.plan.requirements else "were given"
    whole = f"{len(outcomes):,} candidates x {all_rows:,} rows"
    said = f"{n_given:,} of {n_all:,} answers {what} ({_percent(n_given, n_all)}): {whole}"
    n_failed = sum(outcome.state not in (*ENDED, *NOT_RUN) for outcome in outcomes)
    return f"{said}; {n_failed:,} failed" if n_failed else said


def _percent(part: int, whole: int) -> str:
    """A share that is neither 0 nor all of it is not rounded to that."""
    share = 100 * part / whole
    if 0 < share < 1:
        return "less than 1 %"
    return f"{min(round(share), 99) if part < whole else 100} %"


def _n_rows(result: Shown) -> int:
    return result.plan.n_rows if isinstance(result, Recommendation) else result.n_rows


def _every(result: Shown) -> list[Outcome]:
    """The pool, and the baseline where that is not in it."""
    found = list(outcomes_of(result))
    baseline = result.baseline if isinstance(result, Recommendation) else None
    if baseline is None:
        return found
    twin = next((at for at, outcome in enumerate(found) if outcome.name == baseline.name), None)
    if twin is None:
        return [*found, baseline]
    if found[twin].n_rows < baseline.n_rows:
        found[twin] = baseline  # it answered every row, as what the others are compared with
    return found


def _lanes(result: Shown) -> tuple[list[Lane], int]:
    """What is drawn, from the top down, and how many candidates share the last line."""
    found = sorted(_every(result), key=lambda o: o.value("size_mb") or o.predicted_size_mb)
    if len(found) <= ROWS:
        return [_lane(result, outcome) for outcome in found], 0
    choice = result.choice if isinstance(result, Recommendation) else None
    ranked = sorted(range(len(found)), key=lambda at: (found[at] is not choice, -found[at].n_rows))
    named = set(ranked[: ROWS - 1])
    rest = [outcome for at, outcome in enumerate(found) if at not in named]
    short = f"{len(rest):,} others, {sum(outcome.n_rows for outcome in rest):,} rows in all"
    lanes = [_lane(result, outcome) for at, outcome in enumerate(found) if at in named]
    return [*lanes, Lane("", short, 0, "")], len(rest)


def _lane(result: Shown, outcome: Outcome) -> Lane:
    return Lane(clean(outcome.name), short_name(outcome), outcome.n_rows, _ended(result, outcome))


def _ended(result: Shown, outcome: Outcome) -> str:
    if isinstance(result, Recommendation) and outcome is result.choice:
        return "the choice"
    baseline = result.baseline if isinstance(result, Recommendation) else None
    if baseline is not None and outcome.name == baseline.name:
        return "the baseline"
    if outcome.state in NOT_RUN:
        return "not run"
    if outcome.state not in ENDED:
        return "failed"
    if not (isinstance(result, Recommendation) and result.plan.requirements):
        return "measured"
    if outcome.verdict is Verdict.UNDECIDED:
        is_whole = outcome.state is State.EVALUATED
        return "undecided with all rows" if is_whole else "raced out"
    return "certified" if outcome.verdict is Verdict.SUFFICIENT else "shown insufficient"


def _draw(result: Shown, lanes: Sequence[Lane], n_rest: int) -> Drawing:
    entries = [Entry(name, _look(name)) for name in LOOKS if any(o.ended == name for o in lanes)]
    rows = legend_rows(entries, WIDTH - 16.0)
    top, plot = LEGEND_ROW * len(rows) + 20.0, ROW * max(1, len(lanes))
    height = top + plot + BOTTOM
    drawing = Drawing(height, title=_title(n_rest), description=race_sentence(result) + ".")
    draw_legend(drawing, rows, 6.0, height - 2.0)
    n_rows = max([_n_rows(result), 1, *(lane.n_rows for lane in lanes)])
    axes = drawing.add_axes(
        (LEFT / WIDTH, BOTTOM / height, (WIDTH - LEFT - RIGHT) / WIDTH, plot / height),
        xlim=(0, n_rows), ylim=(max(1, len(lanes)) - 0.5, -0.5),
    )  # fmt: skip
    _scale(drawing, axes, n_rows)
    _bars(drawing, axes, lanes)
    _names(drawing, lanes, n_rows)
    return drawing


def _title(n_rest: int) -> str:
    return "Rows that each candidate was given" + (f", {n_rest:,} in one line" if n_rest else "")


def _scale(drawing: Drawing, axes: Axes, n_rows: int) -> None:
    """The rows along the bottom, and all of them as a line."""
    axes.set_axis_off()
    values = [value for value in ticks(0, n_rows, most=4) if value == int(value)]
    for value, text in zip(values, plain_texts(values), strict=True):
        axes.axvline(value, color=COLOURS["grid"], lw=0.8, zorder=1)
        x = LEFT + (WIDTH - LEFT - RIGHT) * value / n_rows
        write(drawing, x, BOTTOM - 14.0, text, ha="center")
    axes.axvline(n_rows, color=COLOURS["requirement"], lw=1.2, dashes=(5, 3), clip_on=False)
    look: Look = {"color": COLOURS["requirement"], "ha": "right"}
    top = drawing.height * axes.get_position().y1
    write(drawing, WIDTH - RIGHT + 24.0, top + 5.0, f"all {n_rows:,} rows", **look)
    write(drawing, WIDTH - RIGHT, 7.0, "rows given", size=NORMAL, color=COLOURS["fg"], ha="right")


def _bars(drawing: Drawing, axes: Axes, lanes: Sequence[Lane]) -> None:
    """A bar for each candidate, and a mark at its end whose shape says how it ended."""
    gap = float("nan")
    for layer, ended in enumerate(LOOKS):
        found = [(at, lane) for at, lane in enumerate(lanes) if lane.ended == ended]
        if not found:
            continue
        colour = COLOURS[LOOKS[ended][0]]
        xs = [x for _, lane in found for x in (0.0, float(lane.n_rows), gap)]
        ys = [y for at, _ in found for y in (float(at), float(at), gap)]
        look: Look = {"lw": BAR, "alpha": 0.3, "solid_capstyle": "butt", "zorder": 2}
        axes.add_line(Line2D(xs, ys, color=colour, **look))
        ends = [float(lane.n_rows) for _, lane in found]
        marks = Line2D(
            ends, [float(at) for at, _ in found], clip_on=False, zorder=3, **_look(ended)
        )
        marks.set_gid(f"marks-{layer}")
        axes.add_line(marks)
        drawing.marks[f"marks-{layer}"] = [
            Mark(drawable(lane.name), drawable(_said(lane))) for _, lane in found
        ]


def _said(lane: Lane) -> str:
    if lane.ended in ("not run", "failed"):
        return f"{lane.short}: {lane.ended}"
    return f"{lane.short}: {lane.n_rows:,} rows, {lane.ended}"


def _names(drawing: Drawing, lanes: Sequence[Lane], n_rows: int) -> None:
    """The candidate before its bar, and the rows behind it."""
    width = WIDTH - LEFT - RIGHT
    for at, lane in enumerate(lanes):
        y = BOTTOM + ROW * (len(lanes) - at - 0.5) - 4.0
        colour = COLOURS["muted" if lane.ended in ("not run", "failed") else "fg"]
        if not lane.ended:
            write(drawing, 6.0, y, lane.short)
            continue
        is_choice = lane.ended == "the choice"
        weight = "bold" if is_choice else "normal"
        text = " ".join(in_two(drawable(lane.short), LONGEST_NAME - (3 if is_choice else 0)))
        look: Look = {"color": colour, "weight": weight, "size": NAME_SIZE}
        write(drawing, LEFT - 8.0, y, text, ha="right", **look)
        if 0 < lane.n_rows < n_rows:
            x = LEFT + width * lane.n_rows / n_rows
            write(drawing, x + 8.0, y, f"{lane.n_rows:,}", size=NAME_SIZE)


def _look(ended: str) -> Look:
    name, look = LOOKS[ended]
    colour = COLOURS[name]
    edge: Look = {"markeredgecolor": colour, "markerfacecolor": colour, "markeredgewidth": 1.0}
    return {"linestyle": "none", **edge, **look}
