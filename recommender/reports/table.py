"""The rows and columns that every format shows."""

import re
from math import floor

from evaluators.measurement import Measurement, State
from recommender.leaderboard import Leaderboard
from recommender.recommendation import Outcome, Plan, Recommendation
from recommender.requirement import Requirement

Result = Recommendation | Leaderboard | Plan

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """Text from models and data without control characters and terminal escapes."""
    return _CONTROL.sub("", text)


def tried(result: Recommendation) -> list[Outcome]:
    """The candidates that were run or tried, in the pool's order."""
    not_run = (State.NOT_NEEDED, State.SKIPPED_BY_BUDGET)
    return [outcome for outcome in result.candidates if outcome.state not in not_run]


def metric_of(result: Result) -> str:
    """The quality metric that the table shows: the first that is bounded, else accuracy."""
    asked = result.plan.requirements if isinstance(result, Recommendation) else ()
    quality = [r.measure for r in map(Requirement.parse, asked) if r.is_quality]
    return quality[0] if quality else "accuracy"


def interval(measurement: Measurement | None) -> str:
    """`0.861 [0.84, 0.88]`, or `-` where nothing was measured."""
    if measurement is None:
        return "-"
    if measurement.low is None or measurement.high is None:
        return f"{measurement.value:.3f}"
    return f"{measurement.value:.3f} [{measurement.low:.3f}, {measurement.high:.3f}]"


def quality_cell(outcome: Outcome, metric: str) -> str:
    """The quality on all rows, or what is known of a candidate that was not given all."""
    if metric in outcome.measurements:
        return interval(outcome.measurements[metric])
    estimate = outcome.quality(metric)
    return "-" if estimate is None else f"{estimate:.3f} on {outcome.n_rows} rows"


def figure(value: float | None) -> str:
    """Three significant digits, or `-` where nothing was measured."""
    return "-" if value is None else f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def state_cell(outcome: Outcome) -> str:
    """The verdict of an evaluated candidate, the state of any other."""
    if outcome.state is State.EVALUATED:
        return "over a limit" if outcome.misses else str(outcome.verdict)
    if outcome.state is State.REJECTED_EARLY:
        return f"{outcome.verdict}, stopped early"
    return str(outcome.state)


def mark(result: Result, outcome: Outcome) -> str:
    """`>` for the choice, `*` for the frontier, `~` for a place there from part of the rows."""
    if isinstance(result, Recommendation) and outcome is result.choice:
        return ">"
    if not outcome.on_frontier:
        return " "
    return "*" if outcome.state is State.EVALUATED else "~"


HEADER = ("", "candidate", "quality", "size_mb", "p50_ms", "p95_ms", "peak_mb", "verdict")


def cells(result: Result, outcome: Outcome, metric: str) -> tuple[str, ...]:
    """One row of the table."""
    return (
        mark(result, outcome),
        clean(outcome.name),
        quality_cell(outcome, metric),
        figure(outcome.value("size_mb")),
        figure(outcome.value("latency_p50_ms")),
        figure(outcome.value("latency_p95_ms")),
        figure(outcome.value("peak_memory_mb")),
        state_cell(outcome),
    )


def headline(result: Recommendation) -> str:
    """The answer in one or two sentences."""
    asked = clean(" and ".join(result.plan.requirements))
    if not result.plan.requirements:
        return f"Measured on {result.plan.n_rows:,} rows: {len(tried(result))} candidates."
    if result.choice is None:
        n = result.plan.n_candidates
        return f"None of {n} candidates was shown to meet {asked}{_ended(result)}."
    choice = result.choice
    minimize = result.plan.minimize
    best = "most" if minimize == "throughput_per_s" else "least"
    smallest = "smallest" if minimize == "size_mb" else f"one with the {best} {minimize}"
    shown = "shown to be sufficient" if result.plan.proven else "sufficient (estimate, not proven)"
    cost = figure(choice.value(result.plan.minimize))
    unit = choice.measurements[result.plan.minimize].unit
    metric = metric_of(result)
    proven = floor((choice.lower or 0.0) * 1000) / 1000  # a bound is never rounded up
    bound = f", proven >= {proven:.3f}" if result.plan.proven else ""
    return (
        f"{clean(choice.name)} is the {smallest} {shown}{_ended(result)}: {cost} {unit}, "
        f"{metric} {figure(choice.value(metric))} on {choice.n_rows:,} rows{bound}."
    )


def _ended(result: Recommendation) -> str:
    return "" if result.ended == "complete" else f" before {end_of(result)}"


def end_of(result: Recommendation) -> str:
    """What ended the search early: `it was interrupted`, `the time limit`."""
    by_signal = result.ended in ("interrupted", "terminated")
    return f"it was {result.ended}" if by_signal else f"the {result.ended}"


LEGEND = (
    "> the choice   * on the frontier of quality, size and latency   ~ the same, from part of the "
    "rows\nundecided: may truly meet the bar, but these rows cannot prove it   - not measured"
)
