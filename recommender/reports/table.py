"""The rows and columns that every format shows."""

from collections import Counter

from evaluators.measurement import Measurement, State
from recommender.leaderboard import Leaderboard
from recommender.recommendation import NOT_RUN, Claim, Outcome, Plan, Recommendation
from recommender.reports.figures import at_least, certified, on_units, quality
from recommender.requirement import Requirement
from recommender.unseen import UNSEEN

Result = Recommendation | Leaderboard | Plan


def clean(text: str) -> str:
    """Text from models and data without control characters, terminal escapes, halves of pairs."""
    return UNSEEN.sub("", text)


def tried(result: Recommendation) -> list[Outcome]:
    """The candidates that were run or tried, in the pool's order."""
    return [outcome for outcome in result.candidates if outcome.state not in NOT_RUN]


def search_sentence(result: Recommendation) -> str:
    """`no smaller candidate is left to try; 12 raced out, 5 skipped; 34 MB not downloaded`."""
    found = result.search
    counts = [f"{found[name]} {word}" for name, word in COUNTED.items() if found.get(name)]
    saved = found.get("saved_mb") or 0.0
    parts = [
        found["reason"],
        ", ".join(counts),
        f"{saved:,.0f} MB not downloaded" if saved >= 1 else "",
    ]
    return "; ".join(part for part in parts if part)


COUNTED = {
    "raced_out": "raced out",
    "skipped": "skipped as unlikely",
    "excluded": "predicted to cost more than the choice",
}
"""What a search counts, in words."""


def why_not_run(result: Recommendation) -> str:
    """`7 more candidates were not run: ...`, each reason once; empty where all were run."""
    found = Counter(
        _reason_not_run(result, outcome)
        for outcome in result.candidates
        if outcome.state in NOT_RUN
    )
    if not found:
        return ""
    n = found.total()
    start = "1 more candidate was not run" if n == 1 else f"{n} more candidates were not run"
    if len(found) == 1:
        return f"{start}: {next(iter(found))}"
    return f"{start}: {'; '.join(f'{count} {why}' for why, count in found.most_common())}"


def _reason_not_run(result: Recommendation, outcome: Outcome) -> str:
    if outcome.state is State.UNLIKELY:
        return "unlikely to be certified with these labels, or not worth the time"
    if outcome.state is State.NOT_NEEDED:
        if result.plan.mode == "open":
            return "not needed, as a certificate came first"
        return f"predicted to have more {result.plan.minimize} than the choice"
    if "--max-download" in outcome.reason:
        return "too much to download (--max-download)"
    return f"not reached before {end_of(result)}"


def metric_of(result: Result) -> str:
    """What the quality column shows: the first asked quality as it is claimed.

    Where nothing was asked, and of a leaderboard, what candidates are ranked by.
    """
    if isinstance(result, Leaderboard):
        return clean(result.metric)
    if not isinstance(result, Recommendation):
        return "accuracy"
    asked = first_asked(result)
    return clean(_claimed_subject(result) or (asked.subject if asked else result.ranking.metric))


def rises(result: Result) -> bool:
    """Whether more of what the quality column shows is better; `1 - wer` rises, `wer` does not."""
    if isinstance(result, Leaderboard):
        return result.higher_is_better
    if not isinstance(result, Recommendation) or _claimed_subject(result):
        return True
    asked = first_asked(result)
    return asked.relation == ">=" if asked else result.ranking.higher_is_better


def first_asked(result: Recommendation) -> Requirement | None:
    """The first requirement on a quality."""
    asked = map(Requirement.again, result.plan.requirements)
    return next((one for one in asked if one.is_quality), None)


def _claimed_subject(result: Recommendation) -> str | None:
    return next((o.claims[0].subject for o in result.candidates if o.claims), None)


def estimate_of(outcome: Outcome, metric: str) -> float | None:
    """What the quality column shows of a candidate, as a number."""
    return outcome.claims[0].estimate if outcome.claims else outcome.quality(metric)


def interval(measurement: Measurement) -> str:
    """`0.861 [0.840, 0.880]`."""
    if measurement.low is None or measurement.high is None:
        return quality(measurement.value)
    low, high = quality(measurement.low), quality(measurement.high)
    return f"{quality(measurement.value)} [{low}, {high}]"


def quality_cell(outcome: Outcome, metric: str) -> str:
    """The first asked quality, as its bound is of it; without claims, the metric on the rows."""
    measured = outcome.measurements.get(metric)
    if outcome.claims:
        return _claim_cell(outcome, outcome.claims[0], measured)
    if measured is not None:
        return interval(measured)
    estimate = outcome.quality(metric)
    return "-" if estimate is None else f"{quality(estimate)} on {outcome.n_rows:,} rows"


def _claim_cell(outcome: Outcome, claim: Claim, measured: Measurement | None) -> str:
    """Its estimate on its units; with the interval of the rows where that is one of the same."""
    if claim.estimate is None:
        return "-"
    found = quality(claim.estimate)
    is_each_row = claim.subject == "accuracy" and outcome.n_units == outcome.n_rows == claim.n
    if is_each_row and measured is not None and abs(measured.value - claim.estimate) < SAME:
        return interval(measured)
    return f"{found} {on_units(outcome, claim.n)}"


SAME = 1e-9
"""Two shares that differ by less are the same."""


def plan_lines(plan: Plan) -> list[tuple[str, str]]:
    """What a plan says below its first sentence, by topic: `("Asked", "Asked: ...")`."""
    best = "most" if plan.minimize == "throughput_per_s" else "least"
    asked = " and ".join(plan.requirements)
    confidence = f"{100 * (1 - plan.delta):.4g} %, mode {plan.mode}"
    if plan.mode == "open":
        confidence += " (a fifth of the units screens, the rest certifies, for this question only)"
    if not plan.exact:
        confidence += ", approximate"
    said = {
        "Asked": f"{asked}; the {best} {plan.minimize} wins; confidence {confidence}",
        "Units": plan.estimand,
        "Labels": plan.coverage or "no ledger, as no candidate is left",
        "Cost": plan.cost or f"at most {plan.download_mb:,.1f} MB to download",
    }
    notes = [("Note", warning) for warning in plan.warnings]
    return [(name, clean(f"{name}: {text}.")) for name, text in [*said.items(), *notes] if text]


def figure(value: float | None) -> str:
    """Three significant digits, or `-` where nothing was measured."""
    return "-" if value is None else f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def bound_cell(outcome: Outcome) -> str:
    """The certified bound of the first asked quality, never rounded up."""
    return "-" if outcome.lower is None else at_least(outcome.lower)


def is_asked(result: Result) -> bool:
    """Whether a quality was asked for, so that candidates have verdicts."""
    return isinstance(result, Recommendation) and bool(result.plan.requirements)


def header(result: Result) -> list[str]:
    """The columns as they are called in this result, by `HEADER`."""
    called = {"quality": metric_of(result), "verdict": "verdict" if is_asked(result) else "state"}
    return [called.get(name, name) for name in HEADER]


def state_cell(outcome: Outcome, *, is_asked: bool = True) -> str:
    """The verdict of an evaluated candidate; where nothing was asked, that it was measured."""
    if not is_asked:
        return "measured" if outcome.state is State.EVALUATED else str(outcome.state)
    if outcome.state is State.EVALUATED:
        return "over a limit" if outcome.misses else str(outcome.verdict)
    if outcome.state is State.RACED_OUT:
        return f"{outcome.verdict}, raced out"
    return str(outcome.state)


def mark(result: Result, outcome: Outcome) -> str:
    """`>` for the choice, `*` for the frontier, `~` for a place there from part of the rows."""
    if isinstance(result, Recommendation) and outcome is result.choice:
        return ">"
    if not outcome.on_frontier:
        return " "
    return "*" if outcome.state is State.EVALUATED else "~"


HEADER = (
    "",
    "candidate",
    "quality",
    "certified",
    "size_mb",
    "p50_ms",
    "p95_ms",
    "peak_mb",
    "verdict",
)


def cells(result: Result, outcome: Outcome, metric: str) -> tuple[str, ...]:
    """One row of the table."""
    return (
        mark(result, outcome),
        clean(outcome.name),
        quality_cell(outcome, metric),
        bound_cell(outcome),
        figure(outcome.value("size_mb")),
        figure(outcome.value("latency_p50_ms")),
        figure(outcome.value("latency_p95_ms")),
        figure(outcome.value("peak_memory_mb")),
        state_cell(outcome, is_asked=is_asked(result)),
    )


def headline(result: Recommendation) -> str:
    """The answer in one or two sentences."""
    asked = clean(" and ".join(result.plan.requirements))
    if not result.plan.requirements:
        return f"Measured on {result.plan.n_rows:,} rows: {len(tried(result))} candidates."
    if result.choice is None:
        n = result.plan.n_candidates
        return f"None of {n} candidates was shown to meet {asked}{ended_early(result)}."
    choice = result.choice
    minimize = result.plan.minimize
    best = "most" if minimize == "throughput_per_s" else "least"
    smallest = "smallest" if minimize == "size_mb" else f"one with the {best} {minimize}"
    shown = (
        "shown to be sufficient" if result.plan.exact else "shown to be sufficient (approximate)"
    )
    claims = "; ".join(_claimed(claim, choice) for claim in choice.claims)
    parts = ", ".join(part for part in (_cost(choice, minimize), claims) if part)
    return f"{clean(choice.name)} is the {smallest} {shown}{ended_early(result)}: {parts}."


def _cost(choice: Outcome, minimize: str) -> str:
    """`12.3 MB`; a plain number with its name, `6,000 n_parameters`."""
    measured = choice.measurements.get(minimize)
    if measured is None:
        return ""
    return f"{figure(measured.value)} {measured.unit or minimize}"


def _claimed(claim: Claim, choice: Outcome) -> str:
    """`accuracy / baseline 0.991 on 913 rows, certified >= 0.982`."""
    subject, bound = clean(claim.subject), certified(claim)
    if claim.estimate is None:
        return " ".join(part for part in (subject, bound) if part)
    found = f"{subject} {quality(claim.estimate)} {on_units(choice, claim.n)}"
    return f"{found}, {bound}" if bound else found


def ended_early(result: Recommendation) -> str:
    """` before the time limit`, ` before it was interrupted`; empty where it came to its end."""
    if result.ended == "complete":
        return ""
    within = "within" if result.ended == "download limit" else "before"
    return f" {within} {end_of(result)}"


def end_of(result: Recommendation) -> str:
    """What ended the search early: `it was interrupted`, `the time limit`."""
    by_signal = result.ended in ("interrupted", "terminated")
    return f"it was {result.ended}" if by_signal else f"the {result.ended}"


LEGEND = (
    "> the choice   * on the frontier of quality, size and latency   ~ the same, from part of the "
    "rows\ncertified: holds for all candidates together   undecided: may meet the bar, not proven\n"
    "raced out: unlikely to be certified with all rows   - not measured"
)
BOARD_LEGEND = (
    "* on the frontier of quality, size and, where comparable, latency   certified: by the search "
    "that answered most rows   - not measured"
)
