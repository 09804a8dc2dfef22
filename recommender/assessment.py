"""What a candidate's answers and costs amount to: its verdict, and the reason in words."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cache.key import JSONValue, digest
from cache.measurements import Figure
from evaluators.candidate import Candidate
from evaluators.labels import LabelMap
from evaluators.measurement import Measurement, State
from evaluators.quality.score import quality
from evaluators.quality.specs import OF_LABELS
from evaluators.samples import Row
from recommender.bench import Bench
from recommender.drift import drift_told
from recommender.evidence.verdict import Verdict
from recommender.recommendation import Claim, Outcome
from recommender.reports.figures import certified
from recommender.requirement import STATIC_COSTS, Requirement
from recommender.timing import described, is_missed

if TYPE_CHECKING:
    from recommender.judgement import Judgement

TOO_NOISY = "too noisy to decide"
"""How the A/A check words it, in a timing's note."""

Answered = tuple[Row, str | None]
"""A row with the label that a candidate gave it; None for an output that the data lacks."""


def n_wrong_of(seen: Sequence[Answered]) -> int:
    """How many of the answers are not the row's label."""
    return sum(answer != row.label for row, answer in seen)


def without_scores(bench: Bench, seen: Sequence[Answered]) -> Sequence[Answered]:
    """The same rows with answers as they are where nobody asks for the scores of labels."""
    if not bench.facts.scored:
        return seen
    answers = bench.facts.without_scores([answer for _, answer in seen])
    return [(row, answer) for (row, _), answer in zip(seen, answers, strict=True)]


def as_figure(measurement: Measurement, conditions: str = "", *, note: str = "") -> Figure:
    """A measurement as the store keeps it."""
    m = measurement
    return Figure(m.name, m.value, m.unit, m.n, m.low, m.high, note or m.note, conditions)


def as_measurement(figure: Figure) -> Measurement:
    """A stored figure as a measurement."""
    f = figure
    return Measurement(f.name, f.value, f.unit, f.n, f.low, f.high, f.note)


def judge_seen(
    bench: Bench, candidate: Candidate, seen: Sequence[Answered], *, final: bool = False
) -> "Judgement":
    """What the answers show; kept on the bench, for a second look and the bounds at the end."""
    from recommender.judgement import finished, judge

    n_units, goal = bench.facts.units_of(len(seen)), bench.goal(candidate)
    found = bench.judged.get(candidate.name)
    if found is None or found.n_units != n_units:
        answers = [answer for _, answer in seen]
        known = known_bounds(bench, candidate, n_units)
        found = judge(bench.bar, bench.facts, answers, goal, known=known)
    if final:
        found = finished(bench.bar, found, goal)
    bench.judged[candidate.name] = found
    return found


def known_bounds(bench: Bench, candidate: Candidate, n_units: int) -> dict[str, float]:
    """The certified bounds of its first units that were worked out before, by condition."""
    samples = _bounds_key(bench, candidate, n_units)
    figures = bench.store.figures(bench.key(candidate), conditions="", samples=samples)
    keys = {asked.condition.key for asked in bench.bar.asked}
    start = len(CERTIFIED)
    return {
        name[start:]: figure.value
        for name, figure in figures.items()
        if name.startswith(CERTIFIED) and name[start:] in keys
    }


def record_bounds(
    bench: Bench, candidate: Candidate, n_units: int, bounds: Mapping[str, float]
) -> None:
    """Remember certified bounds: they decide every other target as well."""
    figures = [Figure(CERTIFIED + key, bound, "ratio", n_units) for key, bound in bounds.items()]
    samples = _bounds_key(bench, candidate, n_units)
    bench.store.record_figures(bench.key(candidate), figures, samples=samples)


CERTIFIED = "certified "


def _bounds_key(bench: Bench, candidate: Candidate, n_units: int) -> str:
    """Everything that a certified bound depends on besides the candidate's answers."""
    goal = bench.goal(candidate)
    ends: JSONValue = list(bench.bar.batch_ends)
    facts: JSONValue = [bench.facts.digest, n_units]
    mapped: JSONValue = dict(bench.query.label_map)
    given: list[JSONValue] = [EVIDENCE_VERSION, facts, mapped, str(goal), ends]
    if bench.n_skipped and bench.label_slice:  # the map may come from these rows
        truths: JSONValue = [row.label for _, row in bench.label_slice.rows]
        given += [bench.reordered, truths]
    return digest(given)


EVIDENCE_VERSION = 1
"""Changes when the bets do, so that no bound of other bets is read back."""


def assess(
    bench: Bench,
    candidate: Candidate,
    seen: Sequence[Answered],
    labels: LabelMap,
) -> Outcome:
    """The outcome of a candidate from its answers; computes and stores what is not stored yet."""
    complete = len(seen) == bench.samples.n
    judged = judge_seen(bench, candidate, seen, final=True) if bench.bar.asked else None
    verdict = judged.verdict if judged else Verdict.UNDECIDED
    measured = _quality(bench, candidate, seen, labels) if complete else []
    stored = bench.store.figures(bench.key(candidate), conditions=bench.conditions)
    costs = {name: as_measurement(figure) for name, figure in stored.items()}
    outcome = Outcome(
        **_identity(candidate),
        state=State.EVALUATED if complete or verdict is Verdict.SUFFICIENT else State.RACED_OUT,
        verdict=verdict,
        reason="",
        n_rows=len(seen),
        n_wrong=n_wrong_of(without_scores(bench, seen)) if bench.query.labelled else None,
        n_units=bench.facts.units_of(len(seen)),
        claims=judged.claims if judged else (),
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
        measurement = _measured(bench, metric, seen)
        if metric not in bench.query.own:  # whose code may change under the same name
            bench.store.record_figures(key, [as_figure(measurement)], samples=samples_key)
        found.append(measurement)
    return found


def _measured(bench: Bench, metric: str, seen: Sequence[Answered]) -> Measurement:
    """One metric of all answers, with its 95 % interval."""
    query, labels = bench.query, bench.samples.labels
    facts = bench.facts
    if query.spec(metric).needs not in OF_LABELS:
        seen, facts = without_scores(bench, seen), facts.plain
    answers, truths = [answer for _, answer in seen], [row.label for row, _ in seen]
    if query.spec(metric).form == "counts" or (query.labelled and metric == "accuracy"):
        return quality(metric, answers, truths, labels=labels, positive=query.positive)
    from recommender.measures import rated

    return rated(metric, answers, facts)


def explain(bench: Bench, outcome: Outcome) -> Outcome:
    """The outcome with the limits that it misses, and its reason in words."""
    misses = tuple(_miss(limit, outcome) for limit in bench.query.limits if _misses(limit, outcome))
    outcome = replace(outcome, misses=misses)
    said = (_reason(bench, outcome), drift_told(outcome.measurements))
    return replace(outcome, reason="; ".join(filter(None, said)))


def _misses(limit: Requirement, outcome: Outcome) -> bool:
    """Costs are measured in full only for candidates that pass on quality."""
    if limit.measure not in STATIC_COSTS and outcome.verdict is not Verdict.SUFFICIENT:
        return False
    if limit.is_timed:
        timing = outcome.measurements.get(limit.measure)
        return _undecided(limit, outcome) or is_missed(limit, timing)
    return limit.violation(outcome.value(limit.measure)) > 0


def _undecided(limit: Requirement, outcome: Outcome) -> bool:
    return limit.is_timed and is_noisy(outcome.measurements.get(limit.measure))


def is_noisy(timing: Measurement | None) -> bool:
    """Whether the A/A check said that this timing decides nothing."""
    return timing is not None and TOO_NOISY in timing.note


def _miss(limit: Requirement, outcome: Outcome) -> str:
    found = outcome.measurements.get(limit.measure)
    if found is None:
        return f"{limit.measure} is not measured, asked: {limit}"
    if _undecided(limit, outcome):
        return f"{limit} is undecided: timings are {TOO_NOISY} here and now ({found.value:.4g})"
    if limit.is_timed:
        return described(limit, found)
    return f"{limit.measure} is {found.value:.4g}, asked: {limit}"


def _reason(bench: Bench, outcome: Outcome) -> str:
    if outcome.misses and outcome.verdict is Verdict.SUFFICIENT:
        return "; ".join(outcome.misses)
    if not outcome.claims:
        return "measured"
    said = "; ".join(_claim_reason(claim, outcome) for claim in outcome.claims)
    if outcome.labels and outcome.labels.inferred:
        said = f"{said}; {outcome.labels.inferred.sentence}"
    given = f"{outcome.n_rows:,} of {bench.samples.n:,} rows"
    if outcome.state is State.RACED_OUT and outcome.verdict is Verdict.UNDECIDED:
        return f"{said}; raced out after {given}: unlikely to be certified with all of them"
    return said if outcome.n_rows == bench.samples.n else f"{said}, after {given}"


def _claim_reason(claim: Claim, outcome: Outcome) -> str:
    value = "not measured" if claim.estimate is None else f"{claim.estimate:.4f}"
    found, is_sufficient = f"{claim.subject} {value}", outcome.verdict is Verdict.SUFFICIENT
    kind = "" if claim.exact else " (approximate)"
    is_below = claim.estimate is not None and claim.estimate < claim.target
    if outcome.verdict is Verdict.INSUFFICIENT and claim.exact and is_below:
        return f"{found}, shown to miss {claim.target:g}"
    if claim.lower is None:
        shown = f", certified >= {claim.target:g}" if is_sufficient else ""
        return found + shown + kind
    bound = f"{found}, {certified(claim)}{kind}"
    return bound if is_sufficient else f"{bound}, not {claim.target:g}"


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
