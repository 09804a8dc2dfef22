"""One search under way: memory first, then the study, the finals, and the answer."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import inf

from cache.errors import BadInput, SourceUnavailable
from cache.evaluations import Ranking
from cache.ledgers import Ledgers
from evaluators.candidate import Candidate
from evaluators.measurement import CandidateFailed, State
from recommender.assessment import failed
from recommender.bench import Bench, OutOfBudget, line_key, protect, stop_prefetching
from recommender.contest import contenders_of, standing_of
from recommender.costs import in_words
from recommender.evaluated import ranking_of
from recommender.evidence.split import PROMOTED_FROM, HeldOut
from recommender.finals import is_confirmed, needs_finals, time_finalists, with_timings_of
from recommender.naming import Naming, naming_of
from recommender.planning import Declared
from recommender.recommendation import Outcome
from recommender.reference import with_baseline
from recommender.runner import Runner
from recommender.search.contender import Contender, Ending, Report, Standing
from recommender.search.policy import ELSEWHERE, Policy
from recommender.space import known_cost
from recommender.timing import latency_shares
from recommender.walk import choose, finalists

CERTIFIED_ONCE = "the first certificate ends a search in the open mode"

WAIT_S = 0.5
"""Between two looks at what another process has found."""


@dataclass(slots=True)
class Hunt:
    """One search under way: the outcomes so far, by the candidate's place in the fixed order.

    `benches` are those on which the outcomes came about, with their units and goals.
    """

    declared: Declared
    bench: Bench
    runner: Runner
    key: str
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    baseline: Outcome | None = None
    ended: str = "complete"
    ending: Ending | None = None
    elapsed_s: float = 0.0
    held_out: HeldOut[Bench] | None = None
    benches: dict[int, Bench] = field(default_factory=dict)
    _standings: dict[int, Standing] = field(default_factory=dict)
    _later: dict[tuple[int, int | None], Bench] = field(default_factory=dict)
    _namings: dict[int, Naming] = field(default_factory=dict)
    _shares: Iterator[float] = field(default_factory=latency_shares)

    def finish(self) -> None:
        """Run to the end, to a budget's end, or to an interrupt."""
        started = time.monotonic()
        try:
            self._measure_baseline()
            if self.declared.query.quality:
                self._search()
            else:
                self._measure_all()
        except OutOfBudget as end:
            self.ended = str(end)
        except KeyboardInterrupt as signal:
            self.ended = str(signal) or "interrupted"
        finally:
            stop_prefetching(self.bench)
            self.bench.progress.close()
        self._withhold_unconfirmed()
        self.elapsed_s = time.monotonic() - started

    @property
    def chosen(self) -> int | None:
        """The place of the best acceptable candidate so far."""
        return choose(self.outcomes, self.declared.query.minimize)

    def _search(self) -> None:
        if self.declared.mode == "open":
            self._hold_out()
        self._walk()
        if any(limit.is_timed for limit in self.declared.query.limits):
            self._decide_timings()  # before time goes into what is only to be shown
        if self.held_out is None:
            self._complete_choice()
            self._explore()
        self._decide_timings()

    def _measure_all(self) -> None:
        candidates = self.declared.pool.candidates
        for index, candidate in enumerate(candidates):
            self._expect(iter(range(index + 1, len(candidates))))
            known = self.runner.from_memory(self._bench_of(index), candidate, fully=True)
            if known:
                self._note(index, known)
            else:
                self._run(index, fully=True)

    # ------------------------------------------------------------------ the baseline
    def _measure_baseline(self) -> None:
        """The baseline answers every row; that settles what is relative to it."""
        candidate = self.declared.baseline
        if candidate is None or not len(self.declared.pool):
            return
        bench = replace(self.bench, bar=replace(self.bench.bar, asked=()))
        found = self.runner.run(bench, candidate, fully=True, with_costs=False)
        self.baseline = found
        if found.state is not State.EVALUATED:
            self.bench.check_time()
            why = f"{found.state}: {found.reason}"
            kind = SourceUnavailable if found.state is State.UNREACHABLE else BadInput
            raise kind(f"the baseline {candidate.name} cannot be evaluated: {why}")
        self.bench = with_baseline(self.bench, candidate, self.declared.reference_goals)

    # ------------------------------------------------------------------ the search
    def _walk(self) -> None:
        """First all that memory knows; Optuna is imported only when something must be measured."""
        declared = self.declared
        contenders = contenders_of(self.bench, declared, self.runner.costs)
        if declared.query.sampler == "cheapest" and self._walked_in_memory(contenders):
            return
        from recommender.search.study import search

        self.bench.progress.start()
        self.ending = search(
            contenders,
            self._standings,
            self._race,
            target=self.bench.bar.search_target,
            n_units=self.bench.bar.n_units,
            minimize=declared.query.minimize,
            name=f"{self.bench.samples.name} {self.key[:12]}",
            storage=None if self.held_out else self.bench.home.studies,
            sampler=declared.query.sampler,
            seed=declared.query.seed,
            maximize=self._maximize,
            stop=self._is_certified_on_held_out,
            wait=self._wait,
            ahead=self._expect if declared.query.sampler == "cheapest" else None,
        )
        self._expect(iter(()))
        stop_prefetching(self.bench)  # nobody follows
        self._make_good()
        if self._is_certified_on_held_out():
            self.ending = replace(self.ending, reason=CERTIFIED_ONCE, skipped=0)
        if self.ending.reason == ELSEWHERE:
            self.ended = "search that runs elsewhere"

    def _walked_in_memory(self, contenders: list[Contender]) -> bool:
        """Whether the store alone could answer all that the search asked for."""
        if self.held_out is not None:
            return False
        policy = Policy(
            contenders,
            target=self.bench.bar.search_target,
            n_units=self.bench.bar.n_units,
            maximize=self._maximize,
        )
        for known_index, standing in self._standings.items():
            policy.learn(known_index, standing)
        while (index := policy.next()) is not None:
            bench, candidate = self._bench_of(index), self.declared.pool.candidates[index]
            known = self.runner.from_memory(bench, candidate, fully=index in self.outcomes)
            if known is None:
                return False
            self._note(index, known)
            policy.learn(index, self._standings[index])
        self.ending = policy.ending()
        return True

    def _expect(self, following: Iterator[int]) -> None:
        """Let the files of whoever is likely to follow come while the next candidate is run."""
        candidates = self.declared.pool.candidates
        self.runner.following = ((self._bench_of(at), candidates[at]) for at in following)

    def _race(self, index: int, report: Report) -> Standing:
        """One trial of the study; one that was raced out before runs on to the end."""
        fully = index in self.outcomes or self.held_out is not None
        self.bench.progress.left(in_words(self._left_s()))
        self._run(index, report, fully=fully)
        standing = self._standings[index]
        if self.held_out is not None and standing.chance >= PROMOTED_FROM:
            self._promote(index)
        return standing

    def _run(self, index: int, report: Report | None = None, *, fully: bool = False) -> None:
        """Run a candidate on its bench, and note what became of it.

        A first run may tell that its map of labels comes from rows: then its evidence is others.
        """
        candidate, bench = self.declared.pool.candidates[index], self._bench_of(index)
        outcome = self.runner.run(bench, candidate, report, fully=fully)
        self._namings.pop(index, None)
        if self._bench_of(index) is not bench:
            outcome = self.runner.run(self._bench_of(index), candidate, report, fully=fully)
        self._note(index, outcome)

    def _make_good(self) -> None:
        """What other searches on the study found out; answers that are gone are given again."""
        for index, standing in sorted(self._standings.items()):
            known = self.outcomes.get(index)
            if known is None or standing.n_seen > known.n_units:
                self._run(index)

    def _wait(self) -> None:
        """Another process runs what is left of this very search: its results are awaited."""
        self.bench.check_time()
        self.bench.progress.step("waiting for the same search in another process")
        time.sleep(WAIT_S)

    def _note(self, index: int, outcome: Outcome) -> None:
        """An outcome for the answer, and where the candidate stands for the search.

        In the open mode that is what the screened part shows; the answer keeps what the rest did.
        """
        candidate, bench = self.declared.pool.candidates[index], self._bench_of(index)
        if self.held_out is None or not self.held_out.has(candidate.name):
            self.outcomes[index], self.benches[index] = outcome, bench
        judged = bench.judged.get(candidate.name)
        self._standings[index] = standing_of(
            outcome, judged, self.declared.query.minimize, bench.bar.n_units
        )
        best = self.chosen
        protect(bench, None if best is None else self.declared.pool.candidates[best])

    def _bench_of(self, index: int) -> Bench:
        """The bench of a candidate: without the labels that it has no part in.

        One that came late has none in those before it, and one whose map of labels was inferred
        none in those that gave the map. A head whose names stand in another order is a line of its
        own in the ledger, with its own goal.
        """
        opened, candidate = self.declared.opened, self.declared.pool.candidates[index]
        since = opened.since.get(line_key(candidate, self.declared.query), 0) if opened else 0
        if index not in self._namings:
            self._namings[index] = naming_of(self.bench, candidate)
        naming, is_screened = self._namings[index], self.bench.bar.screening is not None
        if naming is not Naming.NAMES and self.bench.label_slice and not is_screened:
            since = max(since, self.bench.label_slice.n_units)
        reordered = naming is Naming.REORDERED
        if not since and not reordered:
            return self.bench
        place = since, index if reordered else None
        if place not in self._later:
            bench = self.bench.after(since) if since else self.bench
            self._later[place] = self._reordered(bench, candidate) if reordered else bench
        return self._later[place]

    def _reordered(self, bench: Bench, candidate: Candidate) -> Bench:
        goal = self.declared.reordered_goal(candidate)
        if bench.bar.screening is None:
            bench = bench.at_goal(candidate, goal)
        return replace(bench, reordered=True, judged={})

    @property
    def _maximize(self) -> bool:
        return self.declared.query.minimize == "throughput_per_s"

    def _left_s(self) -> float:
        """What all candidates that could still be better would take, each to its last row."""
        minimize, best = self.declared.query.minimize, self.chosen
        bound = inf if best is None else self.outcomes[best].value(minimize) or inf
        pool = enumerate(self.declared.pool.candidates)
        untried = [
            c for at, c in pool if at not in self.outcomes and known_cost(c, minimize) < bound
        ]
        expected = [self.runner.costs.expect(candidate) for candidate in untried]
        return sum(e.fixed_s + self.bench.samples.n * e.row_s for e in expected)

    # ------------------------------------------------------------------ the open mode
    def _hold_out(self) -> None:
        """Screen on the first units; the rest is read for promoted candidates only."""
        whole, n_screened = self.bench, self.declared.n_screened
        approximate = not whole.bar.exact
        self.held_out = HeldOut(
            self.declared.query.delta, approximate, lambda: whole.after(n_screened)
        )
        self.bench = whole.screening(n_screened, self.held_out)
        places = {
            line_key(candidate, self.declared.query): index
            for index, candidate in enumerate(self.declared.pool.candidates)
        }
        for line in self._ledgers.promotions(self._ledger):  # of a search that was cut short
            if not self.held_out.is_closed:
                self._promote(places[line])

    @property
    def _ledgers(self) -> Ledgers:
        return self.bench.store.ledgers

    @property
    def _ledger(self) -> str:
        return self.declared.opened.hash if self.declared.opened else ""

    def _promote(self, index: int) -> None:
        """One look at the held-out units; what it shows reaches no study."""
        candidate = self.declared.pool.candidates[index]
        if self.held_out is None or self.held_out.has(candidate.name):
            return
        if self.held_out.next_level is None:
            return
        self._ledgers.promote(self._ledger, line_key(candidate, self.declared.query))
        level = self.held_out.promote(candidate.name)
        bench = self.held_out.open(candidate.name).at_level(candidate, level)
        bench = replace(bench, reordered=self._bench_of(index).reordered)
        self.benches[index] = bench
        outcome = self.outcomes[index] = self.runner.run(bench, candidate, fully=True)
        if outcome.acceptable:
            self.held_out.close()

    def _is_certified_on_held_out(self) -> bool:
        return self.held_out is not None and self.held_out.is_closed

    # ------------------------------------------------------------------ after the first answer
    def _complete_choice(self) -> None:
        """The choice may have been certified early: all rows give its estimate and its bound."""
        chosen = self.chosen
        if chosen is None or self.outcomes[chosen].n_rows == self.bench.samples.n:
            return
        timed, bench = self.outcomes[chosen], self._bench_of(chosen)
        self._run(chosen, fully=True)
        self._note(chosen, with_timings_of(timed, self.outcomes[chosen], bench))

    def _explore(self) -> None:
        """The smallest recipe of the next larger models: what more size would buy."""
        if self.chosen is None:
            return
        tried = {outcome.model for outcome in self.outcomes.values()}
        larger: dict[str, int] = {}
        for index, candidate in enumerate(self.declared.pool.candidates):
            if candidate.model.id not in tried:
                larger.setdefault(candidate.model.id, index)
        for index in list(larger.values())[: self.declared.query.explore]:
            self._run(index, fully=True)

    def _decide_timings(self) -> None:
        """Time the choice again, interleaved; when that turns it down, the search goes on."""
        while (chosen := self.chosen) is not None:
            fresh = self.runner.worker is not None or self.runner.measured
            if not needs_finals(self.bench, self.outcomes[chosen], fresh=fresh):
                return
            self.runner.measured = True
            for index, outcome in self._timed(chosen).items():
                self.outcomes[index] = outcome
            if self.outcomes[chosen].acceptable:
                continue
            if self.held_out is not None:
                return  # the certificate has closed the rest, and the study must not hear of it
            self._note(chosen, self.outcomes[chosen])
            self._walk()

    def _timed(self, chosen: int) -> dict[int, Outcome]:
        """The finalists' outcomes with interleaved timings; where a neighbour fails, the choice's
        alone; where the choice itself fails, its failure."""
        candidates, last = self.declared.pool.candidates, None
        for indices in (finalists(self.outcomes, chosen, self.ranking), [chosen]):
            try:
                for index in indices:
                    self.runner.prepare(self.bench, candidates[index])
                return time_finalists(
                    self.bench, candidates, self.outcomes, indices, shares=self._shares
                )
            except CandidateFailed as failure:
                last = failed(candidates[chosen], failure.state, failure.reason)
        return {chosen: last} if last else {}

    @property
    def ranking(self) -> Ranking:
        """The quality that the frontier and the report show: the first that is asked."""
        query = self.declared.query
        return ranking_of(query, query.quality[0].measure if query.quality else None)

    def _withhold_unconfirmed(self) -> None:
        """A budget may end before the finals: a limit on latency is then undecided, not met."""
        timed = [limit for limit in self.declared.query.limits if limit.is_timed]
        while timed and (best := self.chosen) is not None:
            outcome = self.outcomes[best]
            if is_confirmed(outcome):
                return
            miss = f"{timed[0]} is not confirmed: the search ended early ({self.ended})"
            self.outcomes[best] = replace(outcome, misses=(miss,), reason=miss)
