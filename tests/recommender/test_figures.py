"""Figures: what they show and where, on pages and in files, also of names that mean harm."""

import re
import struct
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cache.errors import BadInput, NotFound
from evaluators.candidate import Recipe
from evaluators.measurement import Measurement, State
from recommender.evidence.verdict import Verdict
from recommender.leaderboard import Leaderboard
from recommender.recommendation import Claim, Outcome, Plan, Recommendation
from recommender.reports import png as png_report
from recommender.reports import svg as svg_report
from recommender.reports.colours import COLOURS, DARK
from recommender.reports.drawing import frontier_figure, race_figure, race_sentence
from recommender.reports.labels import MOST_NAMED, named
from recommender.reports.placement import Box, Taken, Wanted, around, placed
from recommender.reports.points import (
    AXES,
    MOST,
    available_axes,
    drawn_points,
    limit_of,
    points_of,
    requirement_of,
    staircase,
)
from recommender.reports.scale import aligned_texts, log_ticks, plain_texts, ticks
from recommender.reports.scene import Scene
from recommender.reports.terminal_plot import terminal_plot
from recommender.reports.vector import inline_svg, png, standalone_svg

RECIPE = Recipe("torch-int8", "torch", "int8")


def outcome(name: str, size_mb: float, accuracy: float | None, **changes: Any) -> Outcome:
    """A candidate on 1,000 rows; without an accuracy one that was not run."""
    costs = {"size_mb": Measurement("size_mb", size_mb, "MB", 1)}
    quality: dict[str, Any] = {"state": State.NOT_NEEDED, "verdict": Verdict.UNDECIDED}
    if accuracy is not None:
        interval = Measurement("accuracy", accuracy, "", 1000, accuracy - 0.02, accuracy + 0.02)
        quality = {
            "state": State.EVALUATED, "n_rows": 1000, "n_units": 1000, "on_frontier": False,
            "verdict": Verdict.SUFFICIENT if accuracy > 0.9 else Verdict.UNDECIDED,
            "claims": (Claim("accuracy", 0.87, accuracy, accuracy - 0.03, 1000),),
            "measurements": {**costs, "accuracy": interval},
        }  # fmt: skip
    given = {
        "model": f"team/{name}", "revision": "0" * 40, "source": "hub", "recipe": RECIPE,
        "reason": "a reason", "predicted_size_mb": size_mb, **quality, **changes,
    }  # fmt: skip
    return Outcome(**given)


def answer(*outcomes: Outcome, chosen: int | None = None, **changes: Any) -> Recommendation:
    asked = changes.pop("asked", ("accuracy >= 0.87", "latency_p95_ms <= 20"))
    plan = Plan(1000, 1000, len(outcomes), 1, 0.05, 0, "size_mb", asked, "rows")
    given = {
        "guarantee": "", "ended": "complete", "data": {}, "environment": {}, **changes,
    }  # fmt: skip
    choice = None if chosen is None else outcomes[chosen]
    return Recommendation(plan, choice, outcomes, **given)


SMALL = outcome("small", 1.0, 0.80, on_frontier=True)
CHOICE = outcome("good", 10.0, 0.92, on_frontier=True)
WORSE = outcome("worse", 20.0, 0.91)
LARGE = outcome("large", 100.0, 0.95, on_frontier=True)
FAILED = outcome("broken", 30.0, None, state=State.CRASHED, reason="exit 139")
NOT_RUN = outcome("later", 40.0, None)
BASELINE = outcome("base", 500.0, 0.96)
TIE = (
    f"cannot be told apart in accuracy: {CHOICE.name} and {WORSE.name} differ by +0.010 "
    "[-0.002, +0.022] on 1,000 rows"
)
FOUND = answer(
    SMALL, CHOICE, WORSE, FAILED, NOT_RUN, LARGE, chosen=1, baseline=BASELINE, ties=(TIE,)
)


def tree(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg.partition("?>")[2] or svg)


def elements(svg: str, tag: str) -> list[ElementTree.Element]:
    return tree(svg).findall(f".//{{*}}{tag}")


def inline(result: Recommendation | Leaderboard, axis: str = "size_mb") -> str:
    figure = frontier_figure(result, axis)
    return inline_svg(figure, figure.title, figure.description)


def drawn(svg: str) -> dict[str, tuple[float, float]]:
    """Where each candidate's mark is, by its name: from the left and from the top."""
    found = {}
    for group in elements(svg, "g"):
        if group.get("class") == "point":
            use = group.find("{*}use")
            assert use is not None
            found[group.get("data-name", "")] = (
                float(use.get("x", "nan")),
                float(use.get("y", "nan")),
            )
    return found


# ---------------------------------------------------------------------- points
def test_each_candidate_is_of_one_kind() -> None:
    """The choice, the frontier, the rest, and the baseline although it is not in the pool."""
    kinds = {point.name: point.kind for point in points_of(FOUND)}
    assert kinds == {
        SMALL.name: "frontier", CHOICE.name: "choice", WORSE.name: "turned down",
        FAILED.name: "failed", NOT_RUN.name: "not run", LARGE.name: "frontier",
        BASELINE.name: "baseline",
    }  # fmt: skip
    assert [point.name for point in points_of(FOUND) if point.tied] == [WORSE.name]


def test_a_label_says_everything_in_words() -> None:
    """For whoever does not see the figure; also why there is no quality."""
    said = {point.name: point.label for point in points_of(FOUND)}
    assert said[CHOICE.name] == (
        "good torch-int8: accuracy 0.920 [0.900, 0.940], certified >= 0.890, 10 MB, sufficient, "
        "the choice"
    )
    broken = replace(FAILED, measurements={})
    assert points_of(answer(broken))[0].label == (
        "broken torch-int8: predicted 30 MB, crashed, exit 139"
    )


def test_a_baseline_in_the_pool_is_one_point() -> None:
    """It keeps what the pool knows of it; where it is the choice, it is shown as that."""
    twin = replace(BASELINE, state=State.NOT_NEEDED, claims=(), measurements={}, n_rows=0)
    points = points_of(answer(CHOICE, twin, chosen=0, baseline=BASELINE))
    assert [(point.kind, point.quality) for point in points] == [
        ("choice", 0.92), ("baseline", 0.96),
    ]  # fmt: skip
    same = points_of(answer(CHOICE, chosen=0, baseline=replace(CHOICE)))
    assert [point.kind for point in same] == ["choice"]


@pytest.mark.parametrize(
    ("subject", "own"), [("accuracy / baseline", 1.0), ("accuracy - baseline", 0.0)]
)
def test_the_baseline_beside_itself(subject: str, own: float) -> None:
    """Where the quality is relative, the baseline's is known without measuring it."""
    claim = Claim(subject, 0.97, 0.98, 0.975, 900)
    found = answer(
        replace(CHOICE, claims=(claim,)), baseline=replace(BASELINE, claims=()),
        asked=("accuracy >= 0.97 * baseline",),
    )  # fmt: skip
    first, baseline = points_of(found)
    assert (first.quality, first.low, first.bound) == (0.98, None, 0.975)
    assert (baseline.quality, requirement_of(found)) == (own, 0.97)


def test_an_interval_of_another_quantity_is_not_drawn() -> None:
    """Accuracy on units is not that on rows, whose interval is the one that was measured."""
    on_units = replace(CHOICE, claims=(Claim("accuracy", 0.87, 0.9, 0.88, 500),))
    (point,) = points_of(answer(on_units, chosen=0))
    assert (point.quality, point.low, point.high, point.bound) == (0.9, None, None, 0.88)
    (same,) = points_of(answer(CHOICE, chosen=0))
    assert (same.quality, same.low, same.high) == (0.92, 0.9, pytest.approx(0.94))


def test_a_point_needs_a_cost_and_an_axis_a_quality() -> None:
    """What was not measured, or is 0, has no place on a logarithmic axis."""
    timed = Measurement("latency_p95_ms", 9.0, "ms", 40)
    free = Measurement("download_mb", 0.0, "MB", 1)
    fast = replace(
        CHOICE, measurements={**CHOICE.measurements, "latency_p95_ms": timed, "download_mb": free}
    )
    found = answer(SMALL, fast)
    assert [point.x for point in points_of(found, "latency_p95_ms")] == [9.0]
    assert available_axes(found) == ["size_mb", "latency_p95_ms"]
    assert list(AXES)[:3] == ["size_mb", "latency_p95_ms", "peak_memory_mb"]


def test_the_bar_and_the_limit_are_those_asked_for() -> None:
    """A bar relative to a baseline is known once something was claimed about it."""
    assert requirement_of(FOUND) == 0.87
    assert limit_of(FOUND, "latency_p95_ms") == 20
    assert limit_of(FOUND, "size_mb") is None
    assert requirement_of(answer(NOT_RUN, asked=("f1 >= 0.9 * baseline",))) is None
    assert requirement_of(Leaderboard("text-classification", "rows", 1000, ())) is None


@given(st.lists(st.tuples(st.floats(0.01, 1e3), st.floats(0, 1)), min_size=1))
def test_a_staircase_rises_and_nothing_is_above_it(points: list[tuple[float, float]]) -> None:
    """Each step costs more and is better; each point is at or below the steps before it."""
    steps = staircase(points)
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(steps))
    for x, quality in points:
        assert max(best for cost, best in steps if cost <= x) >= quality
    falling = staircase([(x, -quality) for x, quality in points], rising=False)
    assert falling == [(x, -quality) for x, quality in steps]


# ---------------------------------------------------------------------- the figure
def test_marks_are_where_their_figures_are() -> None:
    """A factor of ten is as wide everywhere, quality goes up, and no quality is below the plot."""
    at = drawn(inline(FOUND))
    assert set(at) == {point.name for point in points_of(FOUND)}
    one, ten, hundred = (at[o.name][0] for o in (SMALL, CHOICE, LARGE))
    assert ten - one == pytest.approx(hundred - ten, abs=0.05)
    heights = [at[o.name][1] for o in (BASELINE, LARGE, CHOICE, WORSE, SMALL)]
    assert heights == sorted(heights)
    step = (at[SMALL.name][1] - at[CHOICE.name][1]) / 0.12
    assert at[WORSE.name][1] - at[CHOICE.name][1] == pytest.approx(0.01 * step, abs=0.05)
    assert at[SMALL.name][1] < at[FAILED.name][1] < at[NOT_RUN.name][1]


def test_the_baseline_is_named_where_a_long_name_is_beside_it() -> None:
    """A needed label goes farther away, with a line to its mark."""
    long = replace(CHOICE, model="team/a-name-that-never-ends-and-ends-not")
    file = Recipe("x", "onnxruntime", "fp32", "onnx/model_quantized_and_more.onnx")
    texts = [
        text.text
        for text in elements(
            inline(answer(long, chosen=0, baseline=replace(BASELINE, recipe=file))), "text"
        )
    ]
    assert {"a-name-that-…nd-ends-not", "base", "onnxruntime:…d_more.onnx"} <= set(texts)


def test_the_requirement_is_a_line_at_its_height() -> None:
    """Dashed, across the plot, between what is above and below it."""
    svg = inline(FOUND)
    at, dashed = drawn(svg), [e for e in elements(svg, "path") if e.get("stroke-dasharray")]
    assert [line.get("stroke") for line in dashed] == ["var(--requirement)"]
    y = float(re.findall(r"[\d.]+", dashed[0].get("d", ""))[1])
    share = (0.92 - 0.87) / (0.92 - 0.80)
    top, low = at[CHOICE.name][1], at[SMALL.name][1]
    assert y == pytest.approx(top + share * (low - top), abs=0.05)


def test_a_limit_is_a_line_on_its_own_axis_only() -> None:
    """The feasible region ends there."""
    timed = replace(
        CHOICE,
        measurements={**CHOICE.measurements, "latency_p95_ms": Measurement("p", 9.0, "ms", 9)},
    )
    found = answer(timed, chosen=0)
    for axis, lines in (("latency_p95_ms", 2), ("size_mb", 1)):
        svg = inline(found, axis)
        assert len([e for e in elements(svg, "path") if e.get("stroke-dasharray")]) == lines
        assert ("≤ 20 ms" in svg) == (lines == 2)


def test_kinds_differ_in_shape_as_well_as_in_colour() -> None:
    """Of whatever size; those that were not run are hollow, in a lane of their own."""
    svg = inline(FOUND)
    shapes = {path.get("id"): path.get("d", "") for path in elements(svg, "path")}
    used = {}
    for group in elements(svg, "g"):
        use = group.find("{*}use")
        if group.get("class") == "point" and use is not None:
            numbers = [float(n) for n in re.findall(r"-?[\d.]+", shapes[use.get("href", "")[1:]])]
            used[group.get("data-name")] = tuple(round(n / max(numbers), 1) for n in numbers)
    kinds = {point.name: point.kind for point in points_of(FOUND) if point.kind != "not run"}
    by_kind = {(kind, used[name]) for name, kind in kinds.items()}
    assert len(by_kind) == len(set(kinds.values())) == len({shape for _, shape in by_kind})
    assert len(set(COLOURS.values())) == len(COLOURS)
    assert COLOURS.keys() == DARK.keys()


def test_labels_are_of_the_choice_the_baseline_and_the_frontier() -> None:
    """Written as the model's name above its recipe; what was turned down is told by its mark."""
    texts = [text.text for text in elements(inline(FOUND), "text")]
    assert {"good", "base", "small", "large"} <= set(texts)
    assert not {"worse", "broken", "later"} & set(texts)
    assert "accuracy ≥ 0.87" in texts
    assert {"choice", "baseline", "frontier", "failed", "tied with the choice"} <= set(texts)


@pytest.mark.parametrize(
    "outcomes",
    [(), (NOT_RUN,), (FAILED, NOT_RUN), (SMALL,), (SMALL, replace(SMALL, model="team/twin"))],
    ids=["nothing", "not run", "failed", "one", "two in one place"],
)
def test_a_figure_of_next_to_nothing(outcomes: tuple[Outcome, ...]) -> None:
    """There is always a figure with axes, whatever is known."""
    found = answer(*outcomes)
    assert len(drawn(inline(found))) == len(outcomes)
    assert len(elements(inline(found), "text")) >= 4
    assert race_sentence(found)
    assert png(race_figure(found)).startswith(b"\x89PNG")


def test_a_leaderboard_has_a_frontier_and_turns_nothing_down() -> None:
    """Its figure has no bar, no region and no choice."""
    entries = tuple(replace(o, claims=(), on_frontier=False) for o in (SMALL, CHOICE, WORSE))
    found = Leaderboard("text-classification", "rows", 1000, entries)
    assert [p.kind for p in points_of(found)] == ["frontier", "frontier", "turned down"]
    svg = inline(found)
    assert "not on the frontier" in svg
    assert "turned down" not in re.sub(r"var\(--turned-down\)", "", svg)
    assert "var(--feasible)" not in svg


def test_less_is_better_of_an_error() -> None:
    """The frontier of a leaderboard by an error goes down."""
    entries = tuple(
        replace(
            SMALL, model=f"team/{n}", claims=(), on_frontier=False,
            measurements={"size_mb": Measurement("size_mb", size, "MB", 1),
                          "wer": Measurement("wer", wer, "", 10)},
        )
        for n, size, wer in (("a", 1.0, 0.3), ("b", 2.0, 0.4), ("c", 3.0, 0.2))
    )  # fmt: skip
    found = Leaderboard(
        "automatic-speech-recognition", "rows", 10, entries, metric="wer", higher_is_better=False
    )
    assert [p.kind for p in points_of(found)] == ["frontier", "turned down", "frontier"]


def test_an_axis_that_there_is_not_is_told_with_the_nearest() -> None:
    """One line, for `plot()`."""
    with pytest.raises(NotFound, match=r"unknown axis 'size'. Did you mean 'size_mb'\?"):
        frontier_figure(FOUND, "size")
    assert FOUND.plot().title == "accuracy against size"


# ---------------------------------------------------------------------- very many candidates
MANY = answer(
    *(
        outcome(f"model-{at}", 1.0 + at, None if at % 3 else 0.5 + at % 97 / 250)
        for at in range(2_000)
    ),
    chosen=1200,
)


def test_of_very_many_candidates_some_are_drawn() -> None:
    """The choice and each best for its cost always; the figure says how many, and is small."""
    points, n_all = drawn_points(MANY)
    assert n_all == 2_000
    names = {point.name for point in points}
    known = [point for point in points_of(MANY) if point.quality is not None]
    best = set(staircase([(p.x, p.quality or 0.0) for p in known]))
    assert {p.name for p in known if (p.x, p.quality) in best} <= names
    assert MANY.choice is not None
    assert MANY.choice.name in names
    assert len(points) <= sum(MOST.values()) + 1
    assert {min(p.x for p in points), max(p.x for p in points)} == {1.0, 2_000.0}
    svg = inline(MANY)
    assert len(svg) < 200_000
    assert f"{len(points):,} of 2,000 candidates are drawn" in svg


def on_frontier(n: int, **changes: Any) -> tuple[Outcome, ...]:
    """Each larger and better than the one before, but where `changes` say otherwise."""
    return tuple(
        replace(outcome(f"model-{at}", 1.0 + at, 0.5 + 0.4 * at / n, on_frontier=True), **changes)
        for at in range(n)
    )


def test_of_a_long_frontier_some_are_drawn_and_fewer_are_named() -> None:
    """Both ends of it always; each named candidate is held against each mark, which took 20 s."""
    found = answer(*on_frontier(1_500), chosen=700)
    points, n_all = drawn_points(found)
    assert n_all == 1_500
    assert MOST["frontier"] <= len(points) <= MOST["frontier"] + 1
    assert [min(p.x for p in points), max(p.x for p in points)] == [1.0, 1_500.0]
    assert [p.x for p in points if p.kind == "choice"] == [701.0]
    names = named(Scene.of(found, "size_mb"))
    assert len(names) == MOST_NAMED + 1
    assert names[0].kind == "choice"
    assert {p.x for p in names} >= {1.0, 1_500.0}


def test_of_very_many_equal_candidates_some_are_drawn() -> None:
    """As of a model that many have copied; one stands for the step that they make."""
    clones = tuple(replace(SMALL, model=f"team/{at}", claims=()) for at in range(1_000))
    points, _ = drawn_points(Leaderboard("text-classification", "rows", 1000, clones))
    assert len(points) == MOST["frontier"]
    tied = answer(*clones[:300], CHOICE, chosen=300, ties=tuple(
        f"cannot be told apart in accuracy: {CHOICE.name} and {each.name} differ by 0" for each in
        clones[:300]
    ))  # fmt: skip
    points, _ = drawn_points(replace(tied, candidates=tuple(
        replace(each, on_frontier=False) for each in tied.candidates[:300]
    )))  # fmt: skip
    assert len(points) == MOST["tied"] + 1
    assert all(point.tied for point in points if point.kind != "frontier")


@pytest.mark.parametrize("name", ["one and two", "a: b", "x differ by y", "one"])
def test_a_tie_is_told_by_its_names_alone(name: str) -> None:
    """Whatever words they hold; a part of a name is no name."""
    tied, other = replace(WORSE, model=name), replace(LARGE, model="two")
    pairs = ((CHOICE.name, tied.name), (tied.name, CHOICE.name))
    for first, second in pairs:
        tie = f"cannot be told apart in accuracy: {first} and {second} differ by +0.010 [0, 1]"
        points = points_of(answer(CHOICE, tied, other, chosen=0, ties=(tie,)))
        assert [point.tied for point in points] == [False, True, False]


def test_the_race_of_very_many_names_those_with_the_most_rows() -> None:
    """The rest is one line; nothing is lost from the sentence."""
    figure = race_figure(MANY)
    names = [mark.name for marks in figure.marks.values() for mark in marks]
    assert len(names) == 39
    assert MANY.choice is not None
    assert MANY.choice.name in names
    svg = inline_svg(figure, figure.title, figure.description)
    assert "1,961 others, 628,000 rows in all" in svg
    assert race_sentence(MANY).startswith("667,000 of 2,000,000 answers were needed (33 %)")


# ---------------------------------------------------------------------- the race
def test_a_bar_is_as_long_as_its_rows() -> None:
    """In the order of their size, with a shape for how each ended."""
    half = outcome("half", 5.0, 0.7, n_rows=500, state=State.RACED_OUT, verdict=Verdict.UNDECIDED)
    bad = outcome("bad", 6.0, 0.5, verdict=Verdict.INSUFFICIENT)
    found = answer(bad, half, CHOICE, NOT_RUN, FAILED, chosen=2)
    figure = race_figure(found)
    at = drawn(inline_svg(figure, "t", "d"))
    left, middle, right = at[NOT_RUN.name][0], at[half.name][0], at[CHOICE.name][0]
    assert middle - left == pytest.approx(right - middle, abs=0.05)
    order = sorted(at, key=lambda name: at[name][1])
    assert order == [o.name for o in (half, bad, CHOICE, FAILED, NOT_RUN)]
    said = {mark.label for marks in figure.marks.values() for mark in marks}
    assert said == {
        "half torch-int8: 500 rows, raced out",
        "bad torch-int8: 1,000 rows, shown insufficient",
        "good torch-int8: 1,000 rows, the choice",
        "broken torch-int8: failed",
        "later torch-int8: not run",
    }
    assert figure.description == f"{race_sentence(found)}."
    assert race_sentence(found) == (
        "2,500 of 5,000 answers were needed (50 %): 5 candidates x 1,000 rows; 1 failed"
    )


@pytest.mark.parametrize(
    ("n_rows", "share"), [(0, "0 %"), (1, "less than 1 %"), (999, "99 %"), (1000, "100 %")]
)
def test_a_share_is_never_rounded_to_nothing_or_all(n_rows: int, share: str) -> None:
    """Of one candidate and its 1,000 rows."""
    assert f"({share})" in race_sentence(answer(replace(SMALL, n_rows=n_rows)))


def test_the_rows_of_a_baseline_are_counted() -> None:
    """Beside the pool, or once where it is in it."""
    beside = answer(replace(SMALL, n_rows=500), baseline=BASELINE)
    assert race_sentence(beside).startswith("1,500 of 2,000 answers")
    inside = answer(replace(BASELINE, n_rows=0, state=State.NOT_NEEDED), baseline=BASELINE)
    assert race_sentence(inside).startswith("1,000 of 1,000 answers")


# ---------------------------------------------------------------------- SVG and PNG
TAGS = (
    "svg", "g", "defs", "path", "use", "text", "title", "desc", "clipPath", "rect", "circle",
)  # fmt: skip
HARMFUL = (
    "</text><script>alert(1)</script>",
    r"mathtext $\frac{1}{0$ and $x^2$",
    '"><img src=x onerror=alert(1)>',
    "]]><!--&lt;&amp;'",
    "url(javascript:alert(1))",
    "\x1b[31mred\x00\x9b\u202e",
    "\ud800 \ufffe \U0001f600 模型",
    "line\nbreak\ttab",
    "%s {0} \\n",
    "x" * 3000,
)


@pytest.mark.parametrize("payload", HARMFUL, ids=range(len(HARMFUL)))
def test_what_is_in_a_name_is_text(payload: str) -> None:
    """In ids, reasons and metric names: no element, no attribute, no formula comes of it."""
    recipe = Recipe(payload, "torch", payload)
    harm: dict[str, Any] = {"model": f"team/{payload}", "recipe": recipe, "reason": payload}
    claim = Claim(f"recall[{payload}]", 0.8, 0.9, 0.85, 100)
    found = answer(
        replace(CHOICE, claims=(claim,), **harm), replace(FAILED, **harm), chosen=0,
        asked=('recall["a"] >= 0.8',),
    )  # fmt: skip
    plain = answer(replace(CHOICE, claims=(replace(claim, subject="recall[a]"),)), FAILED,
                   chosen=0, asked=('recall["a"] >= 0.8',))  # fmt: skip
    figures = frontier_figure, race_figure
    for figure, usual in ((draw(found), draw(plain)) for draw in figures):
        svg = inline_svg(figure, figure.title, figure.description)
        tags = {element.tag for element in tree(svg).iter()}
        assert tags <= {f"{{http://www.w3.org/2000/svg}}{tag}" for tag in TAGS}
        attributes = {name for element in tree(svg).iter() for name in element.attrib}
        of_usual = tree(inline_svg(usual, "t", "d"))
        assert attributes <= {name for e in of_usual.iter() for name in e.attrib}
        svg.encode()
        assert tree(standalone_svg(figure)).get("width") == "460"
    assert png(figure).startswith(b"\x89PNG")


def test_a_formula_in_a_name_is_written_as_it_is() -> None:
    """Dollar signs and backslashes stay, in the text as in the label."""
    svg = inline(answer(replace(CHOICE, model="a/$x^2$"), chosen=0))
    assert "$x^2$" in [element.text for element in elements(svg, "text")]
    assert "<title>$x^2$ torch-int8: accuracy" in svg


def test_a_page_may_forbid_styles_and_addresses() -> None:
    """Nothing in it needs more than presentation attributes; colours are the page's variables."""
    svg = inline(FOUND)
    assert "style" not in svg
    assert not re.search(r"<(script|image|a|foreignObject)\b|\bon\w+=", svg)
    assert set(re.findall(r"https?://[^\"]+", svg)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"#[0-9a-f]{6}", re.sub(r"#f[0-9a-f]{8}-[mp]?[0-9a-f]{10}", "", svg))
    names = set(re.findall(r"var\(--([a-z-]+)\)", svg))
    assert {"choice", "frontier", "baseline", "fg", "feasible", "band"} <= names
    assert names <= COLOURS.keys()


def test_several_figures_share_a_page() -> None:
    """No id is given twice, and each that is referred to is there."""
    timed = replace(
        CHOICE,
        measurements={**CHOICE.measurements, "latency_p95_ms": Measurement("p", 9.0, "ms", 9)},
    )
    race = race_figure(FOUND)
    svgs = [inline(FOUND), inline(answer(timed), "latency_p95_ms"), inline_svg(race, "r", "d")]
    ids = [e.get("id") for svg in svgs for e in tree(svg).iter() if e.get("id")]
    assert len(set(ids)) == len(ids)
    named = {name for svg in svgs for name in re.findall(r'(?:href="|url\()#([^")]+)', svg)}
    named |= {tree(svg).get("aria-describedby", "") for svg in svgs}
    assert named == set(ids)


def test_each_mark_of_a_page_can_be_focused_and_heard() -> None:
    """Its name as the table has it, and its label as its title: what it is called, and a hint."""
    labels = {point.label for point in points_of(FOUND)}
    points = [g for g in elements(inline(FOUND), "g") if g.get("class") == "point"]
    assert {g.get("data-name") for g in points} == {p.name for p in points_of(FOUND)}
    for group in points:
        assert (group.get("tabindex"), group.get("role")) == ("0", "img")
        assert group.findtext("{*}title") in labels
    root = tree(inline(FOUND))
    assert (root.get("role"), root.get("aria-label")) == ("group", "accuracy against size")
    assert "1 choice, 1 baseline, 2 frontier" in (root.findtext("{*}desc") or "")


def test_a_file_has_its_own_colours_title_and_description() -> None:
    """On white, readable anywhere; the same each time."""
    svg = svg_report.render(FOUND)
    assert svg == svg_report.render(FOUND)
    assert svg.startswith("<?xml")
    assert "var(" not in svg
    assert tree(svg).findtext("{*}title") == "accuracy against size"
    assert "good torch-int8: accuracy 0.920" in (tree(svg).findtext("{*}desc") or "")
    first = tree(svg).find("{*}path")
    assert first is not None
    assert first.get("fill") == COLOURS["bg"]
    assert "matplotlib" not in svg


def test_a_png_has_two_pixels_for_each_of_the_figure() -> None:
    """For screens with many; it says nothing of when or by what it was made."""
    picture = png_report.render(FOUND)
    width, height = struct.unpack(">II", picture[16:24])
    svg = tree(svg_report.render(FOUND))
    assert (width, height) == (920, 2 * int(float(svg.get("height", "0"))))
    assert b"matplotlib" not in picture
    assert picture == png_report.render(FOUND)


@pytest.mark.parametrize("report", [svg_report, png_report], ids=["svg", "png"])
def test_a_plan_has_no_figure(report: Any) -> None:
    """One line that says what to do instead."""
    with pytest.raises(BadInput, match="choose text, json, md or csv"):
        report.render(FOUND.plan)


def test_the_users_settings_change_nothing_and_are_left_alone() -> None:
    """Neither formulas in TeX, nor text as paths, nor dark styles."""
    usual = svg_report.render(FOUND)
    theirs = {
        "text.usetex": True, "svg.fonttype": "path", "axes.grid": True, "font.size": 30.0,
        "axes.facecolor": "black", "savefig.facecolor": "black", "lines.linewidth": 9.0,
    }  # fmt: skip
    with matplotlib.rc_context(theirs):
        assert svg_report.render(FOUND) == usual
        assert {name: matplotlib.rcParams[name] for name in theirs} == theirs


def test_no_figure_goes_through_global_state() -> None:
    """pyplot keeps figures for ever and picks a window system; nothing imports it."""
    reports = Path(__file__).parents[2] / "recommender" / "reports"
    found = [path.name for path in reports.glob("*.py") if "pyplot" in path.read_text("utf-8")]
    assert found == []


# ---------------------------------------------------------------------- labels and scales
BOX = st.tuples(st.floats(0, 400), st.floats(0, 200))


@settings(max_examples=50)
@given(st.lists(BOX, max_size=8), st.lists(BOX, max_size=8))
def test_labels_never_cover_each_other(
    wanted: list[tuple[float, float]], marks: list[tuple[float, float]]
) -> None:
    """Nor a mark of another candidate, unless they are needed; all are in the room."""
    room = Box(0, 0, 420, 220)
    labels = [
        Wanted(x, y, ("a model", "a recipe"), 12.0, is_needed=at == 0)
        for at, (x, y) in enumerate(wanted)
    ]
    boxes = [around(x, y, 6.0) for x, y in marks]
    found = placed(labels, Taken(boxes, []), room)
    given_place = [box for box in found if box is not None]
    assert not any(one.meets(other) for one, other in combinations(given_place, 2))
    assert all(room.holds(box) for box in given_place)
    for label, box in list(zip(labels, found, strict=True))[1:]:
        own = around(label.x, label.y, 1.0)
        assert box is None or not any(box.meets(m) for m in boxes if not m.meets(own))


def test_a_needed_label_is_placed_where_there_is_no_room_for_another() -> None:
    """It may cover marks, the one that is not needed is left out."""
    crowd = [around(x, y, 6.0) for x in range(0, 400, 10) for y in range(0, 200, 10)]
    label = Wanted(203.0, 104.0, ("a model",), 12.0)
    room = Box(0, 0, 400, 200)
    assert placed([label], Taken(crowd, []), room) == [None]
    assert placed([replace(label, is_needed=True)], Taken(crowd, []), room) != [None]


@given(st.floats(-2, 4), st.floats(0.01, 5))
def test_ticks_are_few_round_and_inside(start: float, width: float) -> None:
    """On a linear axis, and on a logarithmic one."""
    for values in (
        ticks(start, start + width),
        log_ticks(10**start, 10 ** (start + width)),
    ):
        assert 2 <= len(values) <= 7
        assert values == sorted(set(values))
    low, high = 10**start, 10 ** (start + width)
    assert all(low * (1 - 1e-9) <= v <= high * (1 + 1e-9) for v in log_ticks(low, high))


@pytest.mark.parametrize(
    ("values", "aligned", "plain"),
    [
        ([0.84, 0.9], ["0.84", "0.90"], ["0.84", "0.9"]),
        ([0.1, 1, 1000], ["0.1", "1.0", "1,000.0"], ["0.1", "1", "1,000"]),
        ([-0.02, 0.0], ["-0.02", "0.00"], ["-0.02", "0"]),
    ],
)
def test_numbers_along_an_axis(values: list[float], aligned: list[str], plain: list[str]) -> None:
    """Linear axes align their decimals; logarithmic ones write each number in its own digits."""
    assert aligned_texts(values) == aligned
    assert plain_texts(values) == plain


# ---------------------------------------------------------------------- in the terminal
def test_the_plot_of_a_terminal() -> None:
    """Twelve lines: the choice, the baseline, the frontier, the rest, and the bar."""
    assert terminal_plot(FOUND, 60) == PLOT


PLOT = """\
accuracy against size (MB), log scale
     |                                                   =
0.95 |                                       *
     |                    >     ·
0.90 |
     |- - - - - - - - - - - - - - - - - - - - - - - - - - -
0.85 |
     |
0.80 | *
     +-+------------------+------------------+--------------
       1                 10                 100
> choice   = baseline   * frontier   · other   - - asked"""


@pytest.mark.parametrize("width", [20, 40, 60, 79, 80, 200])
def test_a_plot_keeps_to_its_width(width: int) -> None:
    """From 40 to 100 columns; without any escape sequence."""
    lines = terminal_plot(MANY, width).splitlines()
    assert len(lines) == 12
    assert max(map(len, lines)) <= max(40, min(100, width))
    assert all(line.isprintable() for line in lines)


def test_without_a_quality_there_is_no_plot() -> None:
    """Nothing was measured, so nothing is drawn."""
    assert terminal_plot(answer(NOT_RUN, FAILED), 80) == ""
