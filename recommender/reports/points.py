"""What a figure shows: each candidate as a point of quality and cost."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from types import MappingProxyType
from typing import Literal, TypeVar

from evaluators.measurement import State
from recommender.leaderboard import Leaderboard
from recommender.recommendation import NOT_RUN, Outcome, Recommendation
from recommender.reports.figures import at_least
from recommender.reports.table import (
    SAME,
    clean,
    estimate_of,
    figure,
    first_asked,
    is_asked,
    metric_of,
    quality_cell,
    rises,
    state_cell,
)
from recommender.requirement import Requirement

Shown = Recommendation | Leaderboard
Item = TypeVar("Item")
Kind = Literal["choice", "frontier", "turned down", "failed", "not run", "baseline"]


@dataclass(frozen=True, slots=True)
class Axis:
    """A cost that a figure can show: what it is called, and its unit."""

    name: str
    label: str
    unit: str

    @property
    def title(self) -> str:
        """`p95 latency (ms)`."""
        return f"{self.label} ({self.unit})"


AXES: Mapping[str, Axis] = MappingProxyType(
    {
        axis.name: axis
        for axis in (
            Axis("size_mb", "size", "MB"),
            Axis("latency_p95_ms", "p95 latency", "ms"),
            Axis("peak_memory_mb", "peak memory", "MB"),
            Axis("energy_j", "energy per answer", "J"),
            Axis("download_mb", "download", "MB"),
        )
    }
)
"""The costs that a figure can show, in the order in which a page offers them."""

ENDED = (State.EVALUATED, State.RACED_OUT)
"""How a candidate ends that was judged by its answers."""

MOST: Mapping[str, int] = MappingProxyType(
    {"frontier": 200, "tied": 60, "turned down": 160, "failed": 60, "not run": 60}
)
"""How many points of a kind one figure draws, besides the choice and the baseline.

The best for each cost count as the frontier, ties on neither as tied.
"""

LONGEST = 120
"""Signs of a name or a reason in a label."""


@dataclass(frozen=True, slots=True)
class Point:
    """One candidate in a figure: `x` is its cost, `quality` None where it gave no answers.

    `low` and `high` are the 95 % interval where one is known, `bound` is certified. `label` says
    all of it in words, `short` is the name as a figure writes it. `tied` candidates cannot be told
    from the choice on these rows.
    """

    name: str
    x: float
    quality: float | None
    low: float | None
    high: float | None
    kind: Kind
    label: str
    bound: float | None = None
    short: str = ""
    tied: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a candidate is in a figure, before it is described."""

    outcome: Outcome
    x: float
    quality: float | None
    kind: Kind
    tied: bool


def outcomes_of(result: Shown) -> tuple[Outcome, ...]:
    """The candidates of an answer, or the entries of a leaderboard."""
    return result.candidates if isinstance(result, Recommendation) else result.entries


def points_of(result: Shown, axis: str = "size_mb") -> list[Point]:
    """Every candidate whose cost on this axis is known and above 0, in the pool's order.

    Where the size was not measured, as of those that failed or were not run, it is the predicted
    one. The baseline is one point, whether or not it is in the pool too.
    """
    metric = metric_of(result)
    return [_point(result, axis, metric, place) for place in _places(result, axis, metric)]


def drawn_points(result: Shown, axis: str = "size_mb") -> tuple[list[Point], int]:
    """The points that one figure draws, and how many there are."""
    metric = metric_of(result)
    places = _places(result, axis, metric)
    kept = thinned(places, rising=rises(result))
    return [_point(result, axis, metric, place) for place in kept], len(places)


def available_axes(result: Shown) -> list[str]:
    """The axes on which a candidate with a quality has a cost, in the order of `AXES`."""
    metric = metric_of(result)
    judged = [o for o in _each(result) if _quality(result, o, metric) is not None]
    return [axis for axis in AXES if any(_cost(o, axis) is not None for o in judged)]


def requirement_of(result: Shown) -> float | None:
    """The bar of the first asked quality; None where none was asked, or it is not known yet."""
    if not isinstance(result, Recommendation):
        return None
    claimed = (outcome.claims[0].target for outcome in result.candidates if outcome.claims)
    asked = first_asked(result)
    if asked is None:
        return None
    return next(claimed, None if asked.of_baseline else asked.bound)


def requirement_text(result: Shown) -> str:
    """The first asked quality as it was asked: `accuracy >= 0.9`."""
    asked = first_asked(result) if isinstance(result, Recommendation) else None
    return shortened(clean(str(asked)), 40) if asked else ""


def limit_of(result: Shown, axis: str) -> float | None:
    """The limit that was asked of the cost on this axis."""
    if not isinstance(result, Recommendation):
        return None
    asked = map(Requirement.again, result.plan.requirements)
    return next((one.bound for one in asked if one.measure == axis), None)


def staircase(
    points: Iterable[tuple[float, float]], *, rising: bool = True
) -> list[tuple[float, float]]:
    """Of costs and qualities, the best quality at most at each cost: its steps, costs rising.

    >>> staircase([(1.0, 0.8), (2.0, 0.7), (3.0, 0.9)])
    [(1.0, 0.8), (3.0, 0.9)]
    """
    sign = 1 if rising else -1
    steps: list[tuple[float, float]] = []
    for x, quality in sorted(points, key=lambda point: (point[0], -sign * point[1])):
        if not steps or sign * quality > sign * steps[-1][1]:
            steps.append((x, quality))
    return steps


def thinned(places: Sequence[Place], *, rising: bool = True) -> list[Place]:
    """The places that one figure draws.

    The choice and the baseline; of each other kind at most `MOST`, evenly spread over those sorted
    by cost, the first and the last included. Of the frontier the best for each cost come first.
    """
    if len(places) <= min(MOST.values()):
        return list(places)
    steps = _steps(places, rising=rising)
    by_kind: dict[str, list[int]] = {kind: [] for kind in MOST}
    for at in sorted(set(range(len(places))) - steps, key=lambda at: places[at].x):
        place = places[at]
        by_kind.setdefault("tied" if place.tied else place.kind, []).append(at)
    kept = set(spread(sorted(steps, key=lambda at: places[at].x), MOST["frontier"]))
    by_kind["frontier"] = spread(by_kind["frontier"], MOST["frontier"] - len(kept))
    for kind, found in by_kind.items():
        kept.update(spread(found, MOST.get(kind, len(found))))
    always = ("choice", "baseline")
    return [place for at, place in enumerate(places) if at in kept or place.kind in always]


def _steps(places: Sequence[Place], *, rising: bool) -> set[int]:
    """One place for each step of the best quality for a cost; the choice where it is one."""
    known = [(place.x, place.quality) for place in places if place.quality is not None]
    best = set(staircase(known, rising=rising))
    found: dict[tuple[float, float | None], int] = {}
    for at in sorted(range(len(places)), key=lambda at: places[at].kind != "choice"):
        step = (places[at].x, places[at].quality)
        if step in best:
            found.setdefault(step, at)
    return set(found.values())


def spread(found: Sequence[Item], most: int) -> list[Item]:
    """At most so many of a sequence, evenly spread over it, the first and the last included.

    >>> spread("abcde", 3)
    ['a', 'c', 'e']
    """
    if len(found) <= most:
        return list(found)
    last = len(found) - 1
    return [found[round(step * last / max(1, most - 1))] for step in range(most)]


def short_name(outcome: Outcome) -> str:
    """`tweets-micro onnxruntime-int8`: the model's own name and the recipe."""
    model = clean(outcome.model).rstrip("/").rpartition("/")[2]
    return f"{shortened(model, LONGEST)} {shortened(clean(outcome.recipe.name), LONGEST)}"


def in_two(short: str, most: int) -> tuple[str, str]:
    """The model and the recipe of a short name, both in at most so many characters."""
    model, _, recipe = short.rpartition(" ")
    recipe = shortened(recipe, max(6, most // 2))
    return shortened(model, max(6, most - len(recipe) - 1)), recipe


def shortened(text: str, most: int) -> str:
    """A text of at most so many characters, its middle left out where it is longer."""
    if len(text) <= most:
        return text
    kept = most - 1
    return f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"


def _each(result: Shown) -> list[Outcome]:
    """The candidates, and the baseline in place of its twin in the pool."""
    if not isinstance(result, Recommendation) or result.baseline is None:
        return list(outcomes_of(result))
    baseline, choice = result.baseline, result.choice
    if choice is not None and choice.name == baseline.name:
        return list(result.candidates)
    twins = [o for o in result.candidates if o.name == baseline.name and o.state in ENDED]
    others = [o for o in result.candidates if o.name != baseline.name]
    return [*others, twins[0] if twins else baseline]


def _places(result: Shown, axis: str, metric: str) -> list[Place]:
    best, tied = _best(result, axis, metric), _tied(result)
    found = []
    for outcome in _each(result):
        x, quality = _cost(outcome, axis), _quality(result, outcome, metric)
        if x is None:
            continue
        kind = _kind(result, outcome, is_best=quality is not None and best.get(x) == quality)
        is_tied = kind != "choice" and outcome.name in tied
        found.append(Place(outcome, x, quality, kind, is_tied))
    return found


def _point(result: Shown, axis: str, metric: str, place: Place) -> Point:
    outcome, quality = place.outcome, place.quality
    low, high = _interval(outcome, metric, quality)
    return Point(
        name=clean(outcome.name),
        x=place.x,
        quality=quality,
        low=low,
        high=high,
        kind=place.kind,
        label=_label(result, place, axis, metric),
        bound=outcome.lower if quality is not None and _claims(outcome, metric) else None,
        short=short_name(outcome),
        tied=place.tied,
    )


def _kind(result: Shown, outcome: Outcome, *, is_best: bool) -> Kind:
    if isinstance(result, Recommendation):
        if outcome is result.choice:
            return "choice"
        if result.baseline is not None and outcome.name == result.baseline.name:
            return "baseline"
    if outcome.state in NOT_RUN:
        return "not run"
    if outcome.state not in ENDED:
        return "failed"
    return "frontier" if outcome.on_frontier or is_best else "turned down"


def _best(result: Shown, axis: str, metric: str) -> Mapping[float, float]:
    """The steps of a leaderboard's frontier; a search has marked its own."""
    if isinstance(result, Recommendation) or any(entry.on_frontier for entry in result.entries):
        return {}
    costs = [(_cost(o, axis), _quality(result, o, metric)) for o in result.entries]
    known = [(x, quality) for x, quality in costs if x is not None and quality is not None]
    return dict(staircase(known, rising=rises(result)))


def _tied(result: Shown) -> set[str]:
    """The names in `cannot be told apart in accuracy: NAME and NAME differ by ...`, of which one is
    the choice; a name may hold any of these words."""
    if not isinstance(result, Recommendation) or result.choice is None:
        return set()
    choice, found = result.choice.name, set()
    for sentence in result.ties:
        if sentence.startswith("cannot be told apart"):
            pair = sentence.partition(": ")[2].rpartition(" differ by ")[0]
            found |= {pair.removeprefix(f"{choice} and "), pair.removesuffix(f" and {choice}")}
    return found


def _cost(outcome: Outcome, axis: str) -> float | None:
    """A measured cost; a logarithmic axis has no place for 0."""
    found = outcome.value(axis)
    if found is None and axis == "size_mb":
        found = outcome.predicted_size_mb
    return found if found is not None and found > 0 else None


def _claims(outcome: Outcome, metric: str) -> bool:
    return bool(outcome.claims) and clean(outcome.claims[0].subject) == metric


def _quality(result: Shown, outcome: Outcome, metric: str) -> float | None:
    """What the quality column shows; the baseline compared with itself is 1, or 0.

    None where it is infinite, as a perplexity may be: no axis has a place for that.
    """
    if _claims(outcome, metric) or not outcome.claims:
        found = estimate_of(outcome, metric)
        if found is not None:
            return found if isfinite(found) else None
    if isinstance(result, Recommendation) and outcome is result.baseline:
        of_itself = 1.0 if metric.endswith("/ baseline") else 0.0
        return of_itself if metric.endswith(" baseline") else None
    return None


def _interval(
    outcome: Outcome, metric: str, quality: float | None
) -> tuple[float | None, float | None]:
    """The 95 % interval of the quality; none where it is that of another quantity."""
    measured = outcome.measurements.get(metric)
    if measured is None or quality is None or abs(measured.value - quality) > SAME:
        return None, None
    return measured.low, measured.high


def _label(result: Shown, place: Place, axis: str, metric: str) -> str:
    """`tweets-micro onnxruntime-int8: accuracy 0.897 [0.883, 0.910], ..., the choice`."""
    outcome, kind, quality = place.outcome, place.kind, place.quality
    parts = [f"{metric} {_said(outcome, metric, quality)}" if quality is not None else ""]
    if outcome.lower is not None and _claims(outcome, metric):
        parts.append(f"certified {at_least(outcome.lower)}")
    parts.append(_cost_said(outcome, axis))
    if outcome.state not in ENDED or is_asked(result):
        parts.append(state_cell(outcome))
    if kind == "failed":
        parts.append(shortened(clean(outcome.reason), LONGEST))
    parts.append(
        {"choice": "the choice", "frontier": "on the frontier", "baseline": "the baseline"}.get(
            kind, ""
        )
    )
    return f"{short_name(outcome)}: {', '.join(part for part in parts if part)}"


def _said(outcome: Outcome, metric: str, quality: float) -> str:
    is_known = _claims(outcome, metric) or not outcome.claims
    found = quality_cell(outcome, metric) if is_known else "-"
    return f"{quality:g}" if found == "-" else found


def _cost_said(outcome: Outcome, axis: str) -> str:
    """`0.186 MB`, `p95 latency 0.719 ms`, `predicted 0.32 MB`."""
    shown, value = AXES[axis], outcome.value(axis)
    if value is None:
        return f"predicted {figure(_cost(outcome, axis))} {shown.unit}"
    what = "" if axis == "size_mb" else f"{shown.label} "
    return f"{what}{figure(value)} {shown.unit}"
