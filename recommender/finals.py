"""Figures that may decide: from fresh workers, and for the finalists interleaved."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cache.measurements import Figure
from evaluators.candidate import Candidate
from evaluators.measurement import Measurement, State
from evaluators.requests import request_of
from recommender.assessment import as_figure, as_measurement, explain, is_noisy
from recommender.bench import Bench
from recommender.details.distribution import APART, keep_distribution, measured_percentiles
from recommender.evidence.quantile import lower_bound, rounds_needed, upper_bound, upper_rank
from recommender.evidence.verdict import Verdict
from recommender.query import Query
from recommender.recommendation import Outcome
from recommender.requirement import STATIC_COSTS
from recommender.timing import (
    DELTA_LATENCY,
    INTERLEAVED,
    QUANTILES,
    REMEMBERED,
    is_interleaved,
    latency_shares,
)
from recommender.timing import is_confirmed as is_confirmed_timing
from recommender.walk import Outcomes

if TYPE_CHECKING:
    from evaluators.cost.latency import AACheck
    from evaluators.cost.measure import CostSettings

TRIES = 2
"""How often a noisy A/A check is repeated before a latency limit stays undecided."""

N_ABOVE = 2
"""The bound on the 95th percentile is the largest duration but two: the largest of all would be a
bound after 59 rounds already, but one hiccup of the machine would then decide."""

REPEATED = frozenset({"peak_memory_mb", "model_memory_mb", "load_s", "throughput_per_s"})
"""Costs that a limit decides by several fresh processes, since one alone is noise."""

N_PROCESSES = 3


def measured_freshly(bench: Bench, candidate: Candidate, outcome: Outcome) -> Outcome:
    """The outcome with memory, load time and latencies of fresh workers; or CandidateFailed.

    One worker, or N_PROCESSES where a limit on what they repeat is asked.
    """
    from evaluators.cost.measure import measure_costs

    bench.check_time()
    bench.progress.step(f"costs of {candidate.name}")
    texts = [request_of(row) for row in bench.samples.rows]
    n_processes = N_PROCESSES if _asks_repeated(bench.query) else 1
    how = replace(_settings(bench), n_processes=n_processes)
    found = measure_costs(bench.artifact(candidate), texts, how=how)
    shown = [m for m in found if m.name not in STATIC_COSTS | APART]
    figures = [as_figure(m, bench.conditions) for m in shown]
    bench.store.record_figures(bench.key(candidate), figures)
    keep_distribution(bench, candidate, measured_percentiles(found), n=how.n_requests)
    return _with_figures(bench, outcome, figures)


def _asks_repeated(query: Query) -> bool:
    return any(limit.measure in REPEATED for limit in query.limits)


def _with_figures(bench: Bench, outcome: Outcome, figures: Sequence[Figure]) -> Outcome:
    """The outcome with these figures, judged anew against the limits."""
    added = {figure.name: as_measurement(figure) for figure in figures}
    return explain(bench, replace(outcome, measurements={**outcome.measurements, **added}))


def lacks_costs(query: Query, outcome: Outcome) -> bool:
    """Whether a sufficient outcome waits for a cost that a limit or the ranking asks for."""
    if outcome.verdict is not Verdict.SUFFICIENT:
        return False
    if _asks_repeated(query) and _n_processes(outcome) < N_PROCESSES:
        return True
    asked = {limit.measure for limit in query.limits} | {query.minimize}
    return any(_is_provisional(outcome, name) for name in asked - STATIC_COSTS)


def _n_processes(outcome: Outcome) -> int:
    found = outcome.measurements.get("peak_memory_mb")
    return 0 if found is None else found.n


def _is_provisional(outcome: Outcome, name: str) -> bool:
    found = outcome.measurements.get(name)
    return found is None or found.note.startswith("warm worker")


def is_confirmed(outcome: Outcome) -> bool:
    """Whether its latencies were taken interleaved, as the choice, in this search."""
    return is_confirmed_timing(outcome.measurements.get("latency_p95_ms"))


def with_timings_of(timed: Outcome, outcome: Outcome, bench: Bench) -> Outcome:
    """The outcome with the timings that were confirmed of the same candidate in this search."""
    if not is_confirmed(timed) or outcome.state is not State.EVALUATED:
        return outcome
    kept = {name: timed.measurements[name] for name in QUANTILES if name in timed.measurements}
    return explain(bench, replace(outcome, measurements={**outcome.measurements, **kept}))


def needs_finals(bench: Bench, chosen: Outcome, *, fresh: bool) -> bool:
    """Whether the choice must be timed against its neighbours.

    Always where a timing decides, also where an earlier search has timed it: the machine may have
    another load by now. Else only when something was measured anyway, so that an answer from
    memory stays an answer from memory.
    """
    if any(limit.is_timed for limit in bench.query.limits):
        return not is_confirmed(chosen)
    return fresh and not is_interleaved(chosen.measurements.get("latency_p95_ms"))


def time_finalists(
    bench: Bench,
    candidates: Sequence[Candidate],
    outcomes: Outcomes,
    indices: Sequence[int],
    *,
    shares: Iterator[float] | None = None,
) -> dict[int, Outcome]:
    """The outcomes of these candidates with latencies taken in rounds, and the A/A check.

    The first one is the choice: its quantiles are bounded at the next of the search's `shares` of
    error (timing.py), and it runs twice. Where it differs too much from itself, it is timed again,
    at the share after that; then timings decide nothing: a limit on them is undecided, which is
    not met. The others are only shown beside it; each is timed afresh where it becomes the choice.
    Raises CandidateFailed.
    """
    from evaluators.cost.latency import percentiles
    from evaluators.cost.measure import time_interleaved

    bench.progress.step("timing the finalists")
    texts = [request_of(row) for row in bench.samples.rows]
    folders = [bench.artifact(candidates[index]) for index in indices]
    for level in _levels(bench.query, shares or latency_shares()):
        bench.check_time()
        n_rounds = rounds_needed(QUANTILES["latency_p95_ms"], level, n_above=N_ABOVE)
        how = replace(_settings(bench), n_requests=n_rounds)
        timed = time_interleaved(folders, texts, how=how)
        if timed.a_a.may_decide:
            break
    bench.progress.say(timed.a_a.describe())
    updated = {}
    for index, timing in zip(indices, timed.timings, strict=True):
        if index != indices[0] and is_confirmed(outcomes[index]):
            continue  # its own timing has decided; another one must not undo that
        found = bounded(timing.wall_ms, level, timed.a_a, is_choice=index == indices[0])
        if timed.a_a.may_decide:  # what decides nothing is not remembered either
            _remember(bench, candidates[index], found)
        shown = percentiles(timing.wall_ms)
        keep_distribution(bench, candidates[index], shown, n=len(timing.wall_ms))
        figures = [as_figure(m, bench.conditions) for m in found]
        updated[index] = _with_figures(bench, outcomes[index], figures)
    return updated


def _levels(query: Query, shares: Iterator[float]) -> Iterator[float]:
    """The error of each bound in each try: a timing's share, divided among the limits on it."""
    n_limits = len(_timed_measures(query))
    for _ in range(TRIES):
        yield next(shares) / max(1, n_limits)


def _timed_measures(query: Query) -> list[str]:
    asked = {limit.measure for limit in query.limits if limit.is_timed}
    return [name for name in QUANTILES if name in asked]


def bounded(
    durations_ms: Sequence[float], level: float, a_a: "AACheck", *, is_choice: bool
) -> list[Measurement]:
    """`latency_p50_ms` and `latency_p95_ms` of a finalist, one duration for each round.

    `low` and `high` bound the quantile from below and above, each wrong with a chance of `level`;
    the note says so for the choice. They take rounds as independent draws of this machine's load.
    """
    return [_bounded(name, durations_ms, level, a_a, is_choice=is_choice) for name in QUANTILES]


def _bounded(
    name: str, durations_ms: Sequence[float], level: float, a_a: "AACheck", *, is_choice: bool
) -> Measurement:
    from evaluators.cost.latency import percentile

    n, quantile = len(durations_ms), QUANTILES[name]
    high = upper_bound(durations_ms, quantile, level)
    if not is_choice:
        how = "beside the choice, in its rounds"
    elif high is None or not a_a.may_decide:
        how = INTERLEAVED
    else:
        how = (
            f"{_short(name)} <= {high:.4g} ms with {100 * (1 - level):.4g} % confidence: order "
            f"statistic {upper_rank(n, quantile, level)} of {n} rounds, {INTERLEAVED}"
        )
    return Measurement(
        name,
        percentile(durations_ms, quantile).value_ms,
        "ms",
        n,
        low=lower_bound(durations_ms, quantile, level),
        high=high,
        note=f"{how}; {a_a.describe()}",
    )


def _short(name: str) -> str:
    """`p95` of `latency_p95_ms`."""
    return name.split("_")[1]


def _remember(bench: Bench, candidate: Candidate, found: Sequence[Measurement]) -> None:
    """Later searches are told that another one took these; they confirm no limit there."""
    figures = [as_figure(m, bench.conditions, note=f"{REMEMBERED}: {m.note}") for m in found]
    bench.store.record_figures(bench.key(candidate), figures)


def timing_promise(outcome: Outcome, query: Query) -> str | None:
    """What the choice's timings claim; None where no limit asked for them or they decide nothing.

    All timings of a search together claim something wrong with a chance of at most
    2 * DELTA_LATENCY (timing.py).
    """
    found = [outcome.measurements.get(name) for name in _timed_measures(query)]
    timings = [timing for timing in found if timing is not None and timing.high is not None]
    confirmed = [t for t in timings if is_confirmed_timing(t) and not is_noisy(t)]
    if not confirmed or len(confirmed) < len(found):
        return None
    bounds = " and ".join(f"{_short(t.name)} latency <= {t.high:.4g} ms" for t in confirmed)
    return (
        f"{bounds} on this machine under this load, wrong with a chance of at most "
        f"{2 * DELTA_LATENCY:.3g} (said separately from quality: both together at most the sum)"
    )


def _settings(bench: Bench) -> "CostSettings":
    from evaluators.cost.measure import CostSettings

    return CostSettings(
        threads=bench.query.threads,
        batch_size=bench.query.task.batch_size,
        deadline_s=bench.deadline_s,
        memory_limit_mb=bench.memory_limit_mb,
    )
