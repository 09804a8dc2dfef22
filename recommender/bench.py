"""What all trials of a search share, and how a candidate's files come to be on this machine."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import inf, log
from pathlib import Path
from typing import TYPE_CHECKING

from cache.errors import AccessRequired, NotFound, RecommenderError, SourceUnavailable, StoreError
from cache.key import JSONValue, digest
from cache.measurements import Measurements, Spent
from cache.paths import Home
from catalog.deliveries import Prefetching
from catalog.model import File, Model
from catalog.protocols import Source
from catalog.untrusted import Unreadable
from evaluators.artifact import BUILD_VERSION, artifact_folder
from evaluators.candidate import Candidate
from evaluators.corpus import CORPUS, keep_corpus
from evaluators.hardware import Machine
from evaluators.measurement import CandidateFailed, State
from evaluators.protocols import RecipeMethod
from evaluators.requests import request_of
from evaluators.samples import Samples
from recommender.bar import Bar, Screening
from recommender.builder import PROBE_ROWS, build, is_built
from recommender.costs import spent_key, spent_on
from recommender.label_slice import LabelSlice
from recommender.progress import Progress
from recommender.query import Budget, Query
from recommender.space import needed_files

if TYPE_CHECKING:
    from evaluators.worker_process import Worker
    from recommender.evidence.split import HeldOut
    from recommender.facts import Facts
    from recommender.judgement import Judgement

REQUEST_DEADLINE_S = 300.0

LEAST_ADDRESS_SPACE_MB = 12_000.0
"""Importing torch and OpenVINO maps several GB that are never touched."""


class OutOfBudget(RecommenderError):
    """A budget ended; what is known so far stands."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What all trials of a search share. The samples' rows are in the one fixed random order."""

    query: Query
    samples: Samples
    bar: Bar
    facts: "Facts"
    home: Home
    store: Measurements
    sources: Mapping[str, Source]
    methods: Mapping[str, RecipeMethod]
    machine: Machine
    progress: Progress
    budget: Budget
    versions: Mapping[str, Mapping[str, str]]  # of each backend's libraries, read once
    row_keys: tuple[str, ...]  # of the samples' rows, hashed once
    conditions: str  # what timings and memory depend on besides the candidate
    stop_at: float | None = None  # of time.monotonic()
    downloaded: dict[tuple[str, str], float] = field(default_factory=dict)  # file -> MB
    coming: set[tuple[str, str]] = field(default_factory=set)  # what the last prefetch began
    judged: dict[str, "Judgement"] = field(default_factory=dict)  # by the candidate's name
    label_slice: LabelSlice | None = None  # where maps of labels may be inferred
    n_skipped: int = 0  # units that lie before the first one here
    reordered: bool = False  # labels stand in the order that the slice shows

    def key(self, candidate: Candidate) -> str:
        """Everything that a candidate's predictions depend on besides the row's text."""
        versions = self.versions[candidate.recipe.backend]
        run_with: JSONValue = [versions, list(self.machine.cpu_flags), self.query.threads]
        return digest([BUILD_VERSION, candidate.artifact_key, self.query.task.to_json(), run_with])

    @contextmanager
    def timed(self, kind: str, candidate: Candidate) -> Iterator[None]:
        """Remember how long a step took, so that later plans know; not where it failed."""
        started = time.monotonic()
        yield
        self.record_spent(spent_on(kind, candidate, time.monotonic() - started))

    def record_spent(self, step: Spent) -> None:
        """Remember one step's seconds for this machine and number of threads."""
        self.store.record_spent(spent_key(self.machine, self.query.threads), [step])

    def goal(self, candidate: Candidate) -> float:
        """The wealth at which the candidate is certified; infinite where no ledger covers it."""
        return self.bar.goals.get(line_key(candidate, self.query), inf)

    def after(self, n_units: int) -> "Bench":
        """The bench without the first units, as for a candidate that may not use them."""
        first = self.facts.rows_of(n_units)
        ends = tuple(end - n_units for end in self.bar.batch_ends if end > n_units)
        bar = replace(self.bar, n_units=self.bar.n_units - n_units, batch_ends=ends)
        return replace(
            self,
            samples=replace(self.samples, rows=self.samples.rows[first:]),
            facts=self.facts.rows(first, self.samples.n),
            row_keys=self.row_keys[first:],
            bar=bar,
            judged={},
            n_skipped=self.n_skipped + n_units,
        )

    @property
    def is_after_slice(self) -> bool:
        """Whether no row that a map of labels was inferred on is evidence here."""
        n_apart = self.label_slice.n_units if self.label_slice else 0
        return self.n_skipped >= n_apart or self.bar.screening is not None

    def screening(self, n_units: int, held_out: "HeldOut[Bench]") -> "Bench":
        """The bench with the first units alone, on which nothing is certified."""
        end = self.facts.rows_of(n_units)
        later = Screening(self.bar.n_units - n_units, held_out.next_level or 0.0)
        bar = replace(self.bar, n_units=n_units, batch_ends=(n_units,), goals={}, screening=later)
        return replace(
            self,
            samples=replace(self.samples, rows=self.samples.rows[:end]),
            facts=self.facts.rows(0, end),
            row_keys=self.row_keys[:end],
            bar=bar,
            judged={},
        )

    def at_level(self, candidate: Candidate, level: float) -> "Bench":
        """The bench on which one candidate has this much of delta."""
        return self.at_goal(candidate, -log(level))

    def at_goal(self, candidate: Candidate, goal: float) -> "Bench":
        """The bench on which one candidate must reach this wealth, and no other has a goal."""
        goals = {line_key(candidate, self.query): goal}
        return replace(self, bar=replace(self.bar, goals=goals))

    def artifact(self, candidate: Candidate) -> Path:
        """Where the candidate is built."""
        return artifact_folder(self.home.artifacts, candidate, self.query.task)

    def failure_key(self, candidate: Candidate) -> str:
        """Failures may depend on the user's texts (a NaN for one of them), so they are keyed so."""
        return digest([self.key(candidate), self.conditions])

    @property
    def deadline_s(self) -> float:
        """The longest that one request to a worker may take: never past the time limit."""
        if self.stop_at is None:
            return REQUEST_DEADLINE_S
        return max(1.0, min(REQUEST_DEADLINE_S, self.stop_at - time.monotonic()))

    @property
    def memory_limit_mb(self) -> float:
        """Address space of a worker: this machine's memory, and never less than torch maps."""
        return max(float(self.machine.memory_mb), LEAST_ADDRESS_SPACE_MB)

    def check_time(self) -> None:
        """Raise OutOfBudget once the time limit has passed."""
        if self.stop_at is not None and time.monotonic() >= self.stop_at:
            raise OutOfBudget("time limit")


def line_key(candidate: Candidate, query: Query) -> str:
    """The prediction function that a line of the ledger names.

    Threads, batches and library versions are not meant to change predictions, so they are no
    hypotheses of their own (docs/guarantee.md).
    """
    mapped: JSONValue = dict(query.label_map)
    return digest([candidate.artifact_key, query.task.to_json(), mapped])


def conditions_key(machine: Machine, threads: int, fingerprint: str) -> str:
    """The key of the machine, the threads and the texts that figures are taken with."""
    return digest([machine.key, threads, fingerprint])


def prepare(bench: Bench, candidate: Candidate, worker: "Worker") -> Path:
    """The candidate's artifact, fetched and built where it is not yet there.

    The corpus of a retrieval is laid beside it.
    """
    if bench.samples.corpus:
        found = str(bench.query.task.options[CORPUS])
        keep_corpus(bench.home.artifacts, bench.samples.corpus, found)
    if is_built(bench.home, candidate, bench.query.task):
        return bench.artifact(candidate)
    source = fetch(bench, candidate)
    with bench.timed("build", candidate):
        return build(
            candidate,
            worker,
            source=source,
            task=bench.query.task,
            home=bench.home,
            methods=bench.methods,
            texts=[request_of(row) for row in bench.samples.rows[:PROBE_ROWS]],
        )


FETCH_STATES: Mapping[type[Exception], State] = {
    AccessRequired: State.GATED,
    NotFound: State.NOT_FOUND,
    SourceUnavailable: State.UNREACHABLE,
    Unreadable: State.CORRUPT,
    StoreError: State.OVER_LIMIT,  # the disk is too small
    OSError: State.UNREACHABLE,
}
"""What each error of a fetch means for the candidate, the most special first."""


def fetch_or_fail(source: Source, model: Model, paths: Sequence[str]) -> Path:
    """The model's files, or CandidateFailed with the state that the source's error means."""
    try:
        return source.fetch(model, paths)
    except tuple(FETCH_STATES) as error:
        state = next(s for kind, s in FETCH_STATES.items() if isinstance(error, kind))
        raise CandidateFailed(state, str(error)) from error


def fetch(bench: Bench, candidate: Candidate) -> Path:
    """The candidate's files. Raises CandidateFailed, also where a budget does not allow them."""
    model = candidate.model
    files = needed_files(model, candidate.recipe)
    source, paths = bench.sources[model.source], [file.path for file in files]
    if model.is_local or not _spend_download(bench, model, files):
        return fetch_or_fail(source, model, paths)
    with bench.timed("download", candidate):
        return fetch_or_fail(source, model, paths)


def prefetch(bench: Bench, candidate: Candidate) -> bool:
    """Begin to fetch a candidate's files while another one is run: whether that was begun.

    It is a guess: it may take half of what is left of the download budget, and no failure of its
    own is told before the candidate's turn.
    """
    model, files = candidate.model, needed_files(candidate.model, candidate.recipe)
    source = bench.sources[model.source]
    if not isinstance(source, Prefetching):
        return False
    spent = {**bench.downloaded, **_sizes_mb(model, files)}
    already_mb, limit = sum(bench.downloaded.values()), bench.budget.max_download_mb
    if limit is not None and sum(spent.values()) - already_mb > (limit - already_mb) / 2:
        return False
    try:
        begun = source.prefetch(model, [file.path for file in files])
    except tuple(FETCH_STATES):
        return False
    if begun:
        bench.coming.clear()
        bench.coming.update(spent.keys() - bench.downloaded.keys())
        bench.downloaded.update(spent)
    return begun


def stop_prefetching(bench: Bench) -> None:
    """End a download that goes on beside: it would disturb timings. Its bytes stay counted."""
    for source in bench.sources.values():
        if isinstance(source, Prefetching) and source.cancel() is not None:
            for name, path in bench.coming & bench.downloaded.keys():
                given_up = f"{name}, given up as file {len(bench.downloaded)}"
                bench.downloaded[given_up, path] = bench.downloaded.pop((name, path))


def protect(bench: Bench, candidate: Candidate | None) -> None:
    """Let no download evict the files of this candidate, the best so far."""
    for name, source in bench.sources.items():
        if isinstance(source, Prefetching):
            is_its = candidate is not None and candidate.model.source == name
            source.protect([candidate.model] if candidate and is_its else [])


def _sizes_mb(model: Model, files: Sequence[File]) -> dict[tuple[str, str], float]:
    return {(model.name, file.path): file.size_bytes / 1e6 for file in files}


def _spend_download(bench: Bench, model: Model, files: Sequence[File]) -> bool:
    """Count files that this search has not fetched yet; CandidateFailed beyond the budget.

    Whether all of them are new to it.
    """
    new = _sizes_mb(model, files)
    total_mb = sum({**bench.downloaded, **new}.values())
    limit = bench.budget.max_download_mb
    if limit is not None and total_mb > limit:
        raise CandidateFailed(State.SKIPPED_BY_BUDGET, f"--max-download {limit:g} MB is used up")
    unseen = not new.keys() & bench.downloaded.keys()
    bench.downloaded.update(new)
    return unseen
