"""One search under way: memory first, then the study, the finals, and the answer."""

import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import TYPE_CHECKING

from cache.errors import BadInput, SourceUnavailable
from evaluators.candidate import Candidate
from evaluators.measurement import CandidateFailed, State
from recommender.assessment import failed
from recommender.bar import Bar
from recommender.bench import Bench, OutOfBudget, prepare
from recommender.builder import is_built
from recommender.evidence.verdict import Verdict
from recommender.finals import (
    is_confirmed,
    lacks_costs,
    measured_freshly,
    needs_finals,
    time_finalists,
)
from recommender.guarantee import notes, promise
from recommender.planning import Declared
from recommender.recommendation import Outcome, Recommendation
from recommender.requirement import STATIC_COSTS
from recommender.space import known_cost
from recommender.trial import Looked, recall, remember_failure, run
from recommender.walk import choose, finalists, next_candidate, on_frontier

if TYPE_CHECKING:
    from evaluators.worker_process import Worker


@dataclass(slots=True)
class Hunt:
    """One search under way: the outcomes so far, by the candidate's place in the fixed order."""

    declared: Declared
    bench: Bench
    stack: ExitStack
    key: str
    command: str
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    baseline: Outcome | None = None
    worker: "Worker | None" = None
    measured: bool = False
    ended: str = "complete"

    def finish(self) -> Recommendation:
        """Run to the end, to a budget's end, or to an interrupt; the answer in any case."""
        started = time.monotonic()
        used_before = 0
        if self.declared.query.quality:
            used_before = self.bench.store.claim_rows(self.bench.row_keys, self.key)
        try:
            self._measure_baseline()
            self._walk()
            if any(limit.is_timed for limit in self.declared.query.limits):
                self._decide_timings()  # before time goes into what is only to be shown
            self._explore()
            self._decide_timings()
        except OutOfBudget as end:
            self.ended = str(end)
        except KeyboardInterrupt as signal:
            self.ended = str(signal) or "interrupted"
        finally:
            self.bench.progress.close()
        self._withhold_unconfirmed()
        return self._recommendation(used_before, time.monotonic() - started)

    # ------------------------------------------------------------------ measuring
    def _measure_baseline(self) -> None:
        candidate = self.declared.baseline
        if candidate is None:
            return
        open_bar = Bar((), self.bench.bar.n_rows, self.bench.bar.level)
        bench = replace(self.bench, bar=open_bar)
        try:
            found = recall(bench, candidate) or run(bench, candidate, self._worker(), _ignore)
        except CandidateFailed as failure:
            found = failed(candidate, failure.state, failure.reason)
        self.baseline = found
        if found.state is not State.EVALUATED:
            self.bench.check_time()
            why = f"{found.state}: {found.reason}"
            kind = SourceUnavailable if found.state is State.UNREACHABLE else BadInput
            raise kind(f"the baseline {candidate.name} cannot be evaluated: {why}")
        values = {name: m.value for name, m in found.measurements.items()}
        bar = Bar.declare(
            self.declared.query,
            n_rows=self.bench.bar.n_rows,
            n_candidates=len(self.declared.pool),
            baseline=values,
        )
        bar.require_enough_rows(len(self.declared.pool))
        self.bench = replace(self.bench, bar=bar)

    def _walk(self) -> None:
        """First all that memory knows; Optuna is imported only when something must be measured."""
        pool, minimize = self.declared.pool, self.declared.query.minimize
        while (index := next_candidate(pool.candidates, self.outcomes, minimize)) is not None:
            known = recall(self.bench, pool.candidates[index])
            if known is None or self._must_measure(known):
                break
            self.outcomes[index] = known
        else:
            return
        from recommender.search import search

        self.bench.progress.start(len(pool) * self.bench.bar.n_rows)
        search(
            pool,
            self.outcomes,
            self._evaluate,
            minimize=minimize,
            storage=self.bench.home.studies,
            name=f"{self.bench.samples.name} {self.key[:12]}",
        )

    def _explore(self) -> None:
        """The smallest recipe of the next larger models: what more size would buy."""
        if choose(self.outcomes, self.declared.query.minimize) is None:
            return
        tried = {outcome.model for outcome in self.outcomes.values()}
        larger: dict[str, int] = {}
        for index, candidate in enumerate(self.declared.pool.candidates):
            if candidate.model.id not in tried:
                larger.setdefault(candidate.model.id, index)
        for index in list(larger.values())[: self.declared.query.explore]:
            self.outcomes[index] = self._evaluate(index, _ignore)

    def _must_measure(self, known: Outcome) -> bool:
        """Whether memory lacks a cost that this query asks for."""
        if self.declared.query.quality:
            return lacks_costs(self.declared.query, known)
        return known.state is State.EVALUATED and "peak_memory_mb" not in known.measurements

    def _evaluate(self, index: int, looked: Looked) -> Outcome:
        self.bench.check_time()
        candidate = self.declared.pool.candidates[index]
        try:
            outcome = self._measure(candidate, looked)
        except CandidateFailed as failure:
            self.bench.check_time()  # a request that the time limit cut short is no time-out
            remember_failure(self.bench, candidate, failure)
            outcome = failed(candidate, failure.state, failure.reason)
        verdict = State.OVER_LIMIT if outcome.misses else outcome.verdict
        self.bench.progress.say(f"{outcome.name}: {verdict}: {outcome.reason}")
        return outcome

    def _measure(self, candidate: Candidate, looked: Looked) -> Outcome:
        self.bench.progress.step(candidate.name)
        outcome = recall(self.bench, candidate)
        if outcome is None:
            outcome = run(self.bench, candidate, self._worker(), looked)
        if self._wants_costs(outcome):
            self._prepare(candidate)
            self.measured = True
            outcome = measured_freshly(self.bench, candidate, outcome)
        return outcome

    def _wants_costs(self, outcome: Outcome) -> bool:
        """Fresh workers are for candidates that pass on quality, and for plain measuring."""
        if outcome.state is not State.EVALUATED or "peak_memory_mb" in outcome.measurements:
            return False
        return outcome.verdict is Verdict.SUFFICIENT or not self.declared.query.quality

    def _prepare(self, candidate: Candidate) -> None:
        """Predictions may be remembered while the artifact was pruned."""
        if not is_built(self.bench.home, candidate, self.declared.query.task):
            prepare(self.bench, candidate, self._worker())

    def _worker(self) -> "Worker":
        """The warm worker, started when the first candidate needs it."""
        if self.worker is None:
            from evaluators.worker_process import Worker

            started = Worker.start(
                threads=self.bench.query.threads, memory_limit_mb=self.bench.memory_limit_mb
            )
            self.worker = self.stack.enter_context(started)
        self.worker.deadline_s = self.bench.deadline_s
        return self.worker

    def _decide_timings(self) -> None:
        """Time the choice again, interleaved; when that turns it down, the walk goes on."""
        if not self.declared.query.quality:
            return
        while (chosen := choose(self.outcomes, self.declared.query.minimize)) is not None:
            if not needs_finals(
                self.bench, self.outcomes[chosen], fresh=self.worker is not None or self.measured
            ):
                return
            self.measured = True
            self.outcomes.update(self._timed(chosen))
            self._walk()

    def _timed(self, chosen: int) -> dict[int, Outcome]:
        """The finalists' outcomes with interleaved timings; where a neighbour fails, the choice's
        alone; where the choice itself fails, its failure."""
        candidates, last = self.declared.pool.candidates, None
        for indices in (finalists(self.outcomes, chosen, self._metric), [chosen]):
            try:
                for index in indices:
                    self._prepare(candidates[index])
                return time_finalists(self.bench, candidates, self.outcomes, indices)
            except CandidateFailed as failure:
                last = failed(candidates[chosen], failure.state, failure.reason)
        return {chosen: last} if last else {}

    @property
    def _metric(self) -> str:
        quality = self.declared.query.quality
        return quality[0].measure if quality else "accuracy"

    # ------------------------------------------------------------------ answering
    def _recommendation(self, used_before: int, elapsed_s: float) -> Recommendation:
        query, pool = self.declared.query, self.declared.pool
        best = choose(self.outcomes, query.minimize)
        front = on_frontier(self.outcomes, self._metric)
        outcomes = [
            self._finished(index, best, on_frontier=index in front)
            if index in self.outcomes
            else self._not_run(index, best)
            for index in range(len(pool))
        ]
        planned = replace(
            self.declared.plan, proven=self.bench.bar.proven,
            allowed_errors=self.bench.bar.allowed_errors,
        )  # fmt: skip
        return Recommendation(
            plan=planned,
            choice=outcomes[best] if best is not None else None,
            candidates=tuple(outcomes),
            baseline=self.baseline,
            guarantee=promise(self.bench, outcomes, used_before),
            ended=self._end(outcomes),
            data=self._data(),
            environment=self._environment(elapsed_s),
            notes=(*self.declared.samples.notes, *notes(outcomes, self.declared)),
            command=self.command,
            from_memory=self.worker is None and not self.measured,
        )

    def _end(self, outcomes: list[Outcome]) -> str:
        limited = any("--max-download" in outcome.reason for outcome in outcomes)
        return "download limit" if limited and self.ended == "complete" else self.ended

    def _finished(self, index: int, best: int | None, *, on_frontier: bool) -> Outcome:
        outcome = replace(self.outcomes[index], on_frontier=on_frontier)
        if best is None or index == best or not outcome.acceptable:
            return outcome
        more = f"more {self.declared.query.minimize} than the choice"
        return replace(outcome, reason=f"{outcome.reason}, but {more}")

    def _withhold_unconfirmed(self) -> None:
        """A budget may end before the finals: a limit on latency is then undecided, not met."""
        timed = [limit for limit in self.declared.query.limits if limit.is_timed]
        while timed and (best := choose(self.outcomes, self.declared.query.minimize)) is not None:
            outcome = self.outcomes[best]
            if is_confirmed(outcome):
                return
            miss = f"{timed[0]} is not confirmed: the {self.ended} came first"
            self.outcomes[best] = replace(outcome, misses=(miss,), reason=miss)

    def _not_run(self, index: int, best: int | None) -> Outcome:
        candidate, minimize = self.declared.pool.candidates[index], self.declared.query.minimize
        bound = None if best is None else self.outcomes[best].value(minimize)
        if minimize not in STATIC_COSTS or bound is None or known_cost(candidate, minimize) < bound:
            return failed(candidate, State.SKIPPED_BY_BUDGET, f"not reached: {self.ended}")
        cost = f"{minimize} {known_cost(candidate, minimize):.3g}"
        return failed(candidate, State.NOT_NEEDED, f"not run: {cost}, more than the choice")

    def _data(self) -> dict[str, object]:
        samples = self.bench.samples
        return {
            "name": samples.name,
            "n_rows": samples.n,
            "labels": list(samples.labels),
            "fingerprint": samples.fingerprint,
            "task": self.declared.query.task.to_json(),
            "positive": self.declared.query.positive,
        }

    def _environment(self, elapsed_s: float) -> dict[str, object]:
        return {
            "recommender": version("recommender"),
            "machine": self.bench.machine.describe(),
            "libraries": dict(self.bench.machine.libraries),
            "threads": self.bench.query.threads,
            "elapsed_s": round(elapsed_s, 2),
            "home": str(self.bench.home.folder),
        }


def _ignore(n_wrong: int, n_seen: int) -> None:
    """Nobody looks at a baseline's errors on the way."""
