"""What a candidate's answers and costs amount to: its verdict, and the reason in words."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cache.key import digest
from cache.measurements import Figure
from evaluators.candidate import Candidate
from evaluators.labels import LabelMap
from evaluators.measurement import Measurement, State
from evaluators.quality.score import quality
from evaluators.samples import Row
from recommender.bar import Bar, Target
from recommender.bench import Bench
from recommender.evidence.binomial import lower_bound, upper_bound
from recommender.evidence.verdict import Verdict
from recommender.recommendation import Outcome
from recommender.requirement import STATIC_COSTS, Requirement

TOO_NOISY = "too noisy to decide"
"""How the A/A check words it, in a timing's note."""

Answered = tuple[Row, str | None]
"""A row with the label that a candidate gave it; None for an output that the data lacks."""


def n_wrong_of(seen: Sequence[Answered]) -> int:
    """How many of the answers are not the row's label."""
    return sum(answer != row.label for row, answer in seen)


def as_figure(measurement: Measurement, conditions: str = "", *, note: str = "") -> Figure:
    """A measurement as the store keeps it."""
    m = measurement
    return Figure(m.name, m.value, m.unit, m.n, m.low, m.high, note or m.note, conditions)


def as_measurement(figure: Figure) -> Measurement:
    """A stored figure as a measurement."""
    f = figure
    return Measurement(f.name, f.value, f.unit, f.n, f.low, f.high, f.note)


def assess(
    bench: Bench,
    candidate: Candidate,
    seen: Sequence[Answered],
    labels: LabelMap,
) -> Outcome:
    """The outcome of a candidate from its answers; computes and stores what is not stored yet."""
    n_wrong = n_wrong_of(seen)
    complete = len(seen) == bench.bar.n_rows
    measured = _quality(bench, candidate, seen, labels) if complete else []
    verdict = bench.bar.verdict(n_wrong, len(seen), measured)
    stored = bench.store.figures(bench.key(candidate), conditions=bench.conditions)
    costs = {name: as_measurement(figure) for name, figure in stored.items()}
    outcome = Outcome(
        **_identity(candidate),
        state=State.EVALUATED if complete else State.REJECTED_EARLY,
        verdict=verdict,
        reason="",
        n_rows=len(seen),
        n_wrong=n_wrong,
        lower=lower_bound(len(seen) - n_wrong, len(seen), bench.bar.level),
        upper=upper_bound(len(seen) - n_wrong, len(seen), bench.bar.level),
        labels=labels,
        measurements={**costs, **{m.name: m for m in measured}},
    )
    return explain(bench, outcome)


def _quality(
    bench: Bench,
    candidate: Candidate,
    seen: Sequence[Answered],
    labels: LabelMap,
) -> list[Measurement]:
    """Every asked metric and accuracy; other metrics than accuracy are computed once and stored."""
    samples_key = digest([bench.samples.fingerprint, labels.to_json(), bench.query.positive])
    key = bench.key(candidate)
    known = bench.store.figures(key, conditions=bench.conditions, samples=samples_key)
    found = []
    for metric in bench.query.measured_metrics:
        if metric in known:
            found.append(as_measurement(known[metric]))
            continue
        measurement = quality(
            metric,
            [answer for _, answer in seen],
            [row.label for row, _ in seen],
            labels=bench.samples.labels,
            positive=bench.query.positive,
        )
        bench.store.record_figures(key, [as_figure(measurement)], samples=samples_key)
        found.append(measurement)
    return found


def explain(bench: Bench, outcome: Outcome) -> Outcome:
    """The outcome with the limits that it misses, and its reason in words."""
    misses = tuple(_miss(limit, outcome) for limit in bench.query.limits if _misses(limit, outcome))
    outcome = replace(outcome, misses=misses)
    return replace(outcome, reason=_reason(bench.bar, outcome))


def _misses(limit: Requirement, outcome: Outcome) -> bool:
    """Costs are measured in full only for candidates that pass on quality."""
    value = outcome.value(limit.measure)
    if limit.measure not in STATIC_COSTS and outcome.verdict is not Verdict.SUFFICIENT:
        return False
    return limit.violation(value) > 0 or _undecided(limit, outcome)


def _undecided(limit: Requirement, outcome: Outcome) -> bool:
    return limit.is_timed and is_noisy(outcome.measurements.get(limit.measure))


def is_noisy(timing: Measurement | None) -> bool:
    """Whether the A/A check said that this timing decides nothing."""
    return timing is not None and TOO_NOISY in timing.note


def _miss(limit: Requirement, outcome: Outcome) -> str:
    value = outcome.value(limit.measure)
    if _undecided(limit, outcome):
        return f"{limit} is undecided: timings are {TOO_NOISY} here and now ({value:.4g})"
    shown = "not measured" if value is None else f"{value:.4g}"
    return f"{limit.measure} is {shown}, asked: {limit}"


def _reason(bar: Bar, outcome: Outcome) -> str:
    if outcome.state is State.REJECTED_EARLY:
        return (
            f"{outcome.n_wrong} wrong in the first {outcome.n_rows} rows; "
            f"at most {bar.hopeless_above} in {bar.n_rows} can pass"
        )
    if outcome.misses and outcome.verdict is Verdict.SUFFICIENT:
        return "; ".join(outcome.misses)
    return "; ".join(_target_reason(target, bar, outcome) for target in bar.targets) or "measured"


def _target_reason(target: Target, bar: Bar, outcome: Outcome) -> str:
    value = outcome.value(target.metric)
    found = f"{target.metric} {value:.4f}" if value is not None else f"{target.metric} not measured"
    if target.level is None:
        relation = ">=" if value is not None and value >= target.value else "<"
        return f"{found} {relation} {target.value:.4f} (estimate, not proven)"
    if outcome.verdict is Verdict.SUFFICIENT:
        return f"{found}, proven >= {target.value:g} (lower bound {outcome.lower:.4f})"
    allowed = max(bar.hopeless_above, 0)
    if outcome.verdict is Verdict.INSUFFICIENT:
        return f"{found}: its upper bound {outcome.upper:.4f} is below {target.value:g}"
    return (
        f"{found} is not enough to prove {target.value:g}: {outcome.n_wrong} wrong, "
        f"at most {allowed} allowed (lower bound {outcome.lower:.4f})"
    )


def _identity(candidate: Candidate) -> dict[str, Any]:
    model = candidate.model
    return {
        "model": model.id,
        "revision": model.revision,
        "source": model.source,
        "recipe": candidate.recipe,
        "predicted_size_mb": candidate.predicted_size_mb,
        "license": model.license,
    }


def failed(candidate: Candidate, state: State, reason: str) -> Outcome:
    """The outcome of a candidate that was not evaluated."""
    return Outcome(**_identity(candidate), state=state, verdict=Verdict.UNDECIDED, reason=reason)
