"""Runs one candidate of a search: from memory, or measured in a worker; a failure becomes data."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from evaluators.candidate import Candidate
from evaluators.measurement import CandidateFailed, State
from recommender.assessment import failed
from recommender.bench import Bench, fetch, prefetch, prepare, stop_prefetching
from recommender.builder import is_built
from recommender.contest import standing_so_far
from recommender.costs import CostModel
from recommender.evidence.verdict import Verdict
from recommender.finals import lacks_costs, measured_freshly
from recommender.recommendation import Outcome
from recommender.search.contender import Report, first_rung, rungs
from recommender.trial import Told, recall, remember_failure, run

if TYPE_CHECKING:
    from evaluators.worker_process import Worker
    from recommender.judgement import Judgement

LOOK_AHEAD = 4
"""Of the candidates that may follow, the first that must be downloaded is looked for among these:
several in a row are often recipes of one model."""


@dataclass(slots=True)
class Runner:
    """Runs candidates on benches, in one warm worker that is started when it is first needed.

    `following` are the candidates that are likely to come after the next one that is run.
    """

    stack: ExitStack
    costs: CostModel
    worker: "Worker | None" = None
    measured: bool = False
    following: Iterator[tuple[Bench, Candidate]] = field(default_factory=lambda: iter(()))

    def from_memory(self, bench: Bench, candidate: Candidate, *, fully: bool) -> Outcome | None:
        """The outcome that the store alone can tell, with the costs that the query asks for."""
        known = recall(bench, candidate, fully=fully)
        if known is None:
            return None
        if not bench.query.quality:
            lacks = known.state is State.EVALUATED and "peak_memory_mb" not in known.measurements
            return None if lacks else known
        return None if lacks_costs(bench.query, known) else known

    def run(
        self,
        bench: Bench,
        candidate: Candidate,
        report: Report | None = None,
        *,
        fully: bool = False,
        with_costs: bool = True,
    ) -> Outcome:
        """The candidate's outcome, and why it has none; OutOfBudget where the time is over.

        `report` is told after each rung and says when to stop; `fully` answers every row.
        """
        bench.check_time()
        bench.progress.step(candidate.name)
        try:
            outcome = self._measured(bench, candidate, report, fully=fully, with_costs=with_costs)
        except CandidateFailed as failure:
            bench.check_time()  # a request that the time limit cut short is no time-out
            remember_failure(bench, candidate, failure)
            outcome = failed(candidate, failure.state, failure.reason)
        verdict = State.OVER_LIMIT if outcome.misses else outcome.verdict
        bench.progress.say(f"{outcome.name}: {verdict}: {outcome.reason}")
        return outcome

    def prepare(self, bench: Bench, candidate: Candidate) -> None:
        """Build it where it is not: its predictions may be remembered while it was pruned."""
        if not is_built(bench.home, candidate, bench.query.task):
            prepare(bench, candidate, self.warm(bench))

    def warm(self, bench: Bench) -> "Worker":
        """The warm worker, started when the first candidate needs it."""
        if self.worker is None:
            from evaluators.worker_process import Worker

            started = Worker.start(
                threads=bench.query.threads, memory_limit_mb=bench.memory_limit_mb
            )
            self.worker = self.stack.enter_context(started)
        self.worker.deadline_s = bench.deadline_s
        return self.worker

    def _measured(
        self, bench: Bench, candidate: Candidate, report: Report | None, *,
        fully: bool, with_costs: bool,
    ) -> Outcome:  # fmt: skip
        outcome = recall(bench, candidate, fully=fully)
        if outcome is None:
            self._fetch(bench, candidate)
            looks = (bench.bar.n_units,) if fully else self._rungs(bench, candidate)
            outcome = run(bench, candidate, self.warm(bench), _told(report), rungs=looks)
        if with_costs and _wants_costs(bench, outcome):
            self.prepare(bench, candidate)
            self.measured = True
            stop_prefetching(bench)
            outcome = measured_freshly(bench, candidate, outcome)
        return outcome

    def _fetch(self, bench: Bench, candidate: Candidate) -> None:
        """Its files first; those of a later one come while it is built and run."""
        if not is_built(bench.home, candidate, bench.query.task):
            fetch(bench, candidate)
        following, self.following = self.following, iter(())
        for later, expected in islice(following, LOOK_AHEAD):
            is_due = not is_built(later.home, expected, later.query.task)
            if is_due and recall(later, expected) is None and prefetch(later, expected):
                return

    def _rungs(self, bench: Bench, candidate: Candidate) -> tuple[int, ...]:
        """Looks at the evidence, the first when answering has cost as much as loading did."""
        expected = self.costs.expect(candidate)
        return rungs(bench.bar.n_units, first_rung(expected.fixed_s, expected.row_s))


def _told(report: Report | None) -> Told:
    def told(judged: "Judgement") -> bool:
        return report is not None and report(standing_so_far(judged))

    return told


def _wants_costs(bench: Bench, outcome: Outcome) -> bool:
    """Fresh workers are for candidates that pass on quality, and for plain measuring."""
    if outcome.state is not State.EVALUATED:
        return False
    if "peak_memory_mb" in outcome.measurements and not lacks_costs(bench.query, outcome):
        return False
    return outcome.verdict is Verdict.SUFFICIENT or not bench.query.quality
