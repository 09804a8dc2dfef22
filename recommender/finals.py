"""Figures that may decide: from fresh workers, and for the finalists interleaved."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cache.measurements import Figure
from evaluators.candidate import Candidate
from recommender.assessment import as_figure, as_measurement, explain
from recommender.bench import Bench
from recommender.evidence.verdict import Verdict
from recommender.query import Query
from recommender.recommendation import Outcome
from recommender.requirement import STATIC_COSTS
from recommender.walk import Outcomes

if TYPE_CHECKING:
    from evaluators.cost.measure import CostSettings

INTERLEAVED = "interleaved"
TRIES = 2
"""How often a noisy A/A check is repeated before a latency limit stays undecided."""


def measured_freshly(bench: Bench, candidate: Candidate, outcome: Outcome) -> Outcome:
    """The outcome with memory, load time and latencies of a fresh worker; or CandidateFailed."""
    from evaluators.cost.measure import measure_costs

    bench.check_time()
    bench.progress.step(f"costs of {candidate.name}")
    texts = [row.text for row in bench.samples.rows]
    found = measure_costs(bench.artifact(candidate), texts, how=_settings(bench))
    figures = [as_figure(m, bench.conditions) for m in found if m.name not in STATIC_COSTS]
    bench.store.record_figures(bench.key(candidate), figures)
    return _with_figures(bench, outcome, figures)


def _with_figures(bench: Bench, outcome: Outcome, figures: Sequence[Figure]) -> Outcome:
    """The outcome with these figures, judged anew against the limits."""
    added = {figure.name: as_measurement(figure) for figure in figures}
    return explain(bench, replace(outcome, measurements={**outcome.measurements, **added}))


def lacks_costs(query: Query, outcome: Outcome) -> bool:
    """Whether a sufficient outcome waits for a cost that a limit or the ranking asks for."""
    if outcome.verdict is not Verdict.SUFFICIENT:
        return False
    asked = {limit.measure for limit in query.limits} | {query.minimize}
    return any(_is_provisional(outcome, name) for name in asked - STATIC_COSTS)


def _is_provisional(outcome: Outcome, name: str) -> bool:
    found = outcome.measurements.get(name)
    return found is None or found.note.startswith("warm worker")


def is_confirmed(outcome: Outcome) -> bool:
    """Whether its latencies were taken interleaved."""
    latency = outcome.measurements.get("latency_p95_ms")
    return latency is not None and latency.note.startswith(INTERLEAVED)


def needs_finals(bench: Bench, chosen: Outcome, *, fresh: bool) -> bool:
    """Whether the choice must be timed against its neighbours.

    Always where a timing decides; else only when something was measured anyway, so that an answer
    from memory stays an answer from memory.
    """
    timed = any(limit.is_timed for limit in bench.query.limits)
    return not is_confirmed(chosen) and (timed or fresh)


def time_finalists(
    bench: Bench, candidates: Sequence[Candidate], outcomes: Outcomes, indices: Sequence[int]
) -> dict[int, Outcome]:
    """The outcomes of these candidates with latencies taken in turn, A B A B, and the A/A check.

    The first one runs twice. Where it differs too much from itself, timings decide nothing: a
    limit on them is then undecided, which is not met. Raises CandidateFailed.
    """
    from evaluators.cost.measure import latency_measurements, time_interleaved

    bench.progress.step("timing the finalists")
    texts = [row.text for row in bench.samples.rows]
    folders = [bench.artifact(candidates[index]) for index in indices]
    for _ in range(TRIES):
        bench.check_time()
        timed = time_interleaved(folders, texts, how=_settings(bench))
        if timed.a_a.may_decide:
            break
    bench.progress.say(timed.a_a.describe())
    note = f"{INTERLEAVED}; {timed.a_a.describe()}"
    updated = {}
    for index, timing in zip(indices, timed.timings, strict=True):
        figures = [as_figure(m, bench.conditions, note=note) for m in latency_measurements(timing)]
        if timed.a_a.may_decide:  # what decides nothing is not remembered either
            bench.store.record_figures(bench.key(candidates[index]), figures)
        updated[index] = _with_figures(bench, outcomes[index], figures)
    return updated


def _settings(bench: Bench) -> "CostSettings":
    from evaluators.cost.measure import CostSettings

    return CostSettings(
        threads=bench.query.threads,
        batch_size=bench.query.task.batch_size,
        deadline_s=bench.deadline_s,
        memory_limit_mb=bench.memory_limit_mb,
    )
