"""One candidate: what the store knows, the rest measured, all of it stored."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cache.errors import AccessRequired, NotFound, RecommenderError, SourceUnavailable, StoreError
from cache.key import JSONValue, digest
from cache.measurements import Figure, Measurements, Prediction
from cache.paths import Home
from catalog.model import File, Model
from catalog.protocols import Source
from catalog.untrusted import Unreadable
from evaluators.artifact import BUILD_VERSION, artifact_folder
from evaluators.candidate import Candidate
from evaluators.cost.size import artifact_size_bytes
from evaluators.hardware import Machine
from evaluators.labels import LabelMap, align
from evaluators.measurement import CandidateFailed, Measurement, State
from evaluators.protocols import RecipeMethod
from evaluators.quality.score import quality
from evaluators.samples import Row, Samples
from recommender.bar import Bar, Target
from recommender.builder import PROBE_ROWS, build, is_built
from recommender.evidence import Verdict, lower_bound, upper_bound
from recommender.progress import Progress
from recommender.query import Budget, Query
from recommender.recommendation import Outcome
from recommender.requirement import STATIC_COSTS, Requirement
from recommender.space import needed_files

if TYPE_CHECKING:
    from evaluators.worker_process import Worker

WARM_REQUESTS = 40
"""Single requests for a first look at the latency."""

REQUEST_DEADLINE_S = 300.0

LEAST_ADDRESS_SPACE_MB = 12_000.0
"""Importing torch and OpenVINO maps several GB that are never touched."""

TOO_NOISY = "too noisy to decide"
"""How the A/A check words it, in a timing's note."""

CHUNK_ROWS = 256
"""Rows between two looks at the error count; each chunk is committed before the next."""

NEVER_REMEMBERED = frozenset(
    {
        State.UNREACHABLE,
        State.NOT_FOUND,
        State.GATED,
        State.SKIPPED_BY_BUDGET,
        State.LABEL_MISMATCH,  # follows from the label map, which costs nothing to try
        State.OVER_LIMIT,
    }
)
"""States that say nothing of the candidate itself: it is tried again at once."""

WORKER_ENDS = frozenset({State.TIMED_OUT, State.OUT_OF_MEMORY, State.CRASHED})
"""States that may be the machine's fault: remembered for an hour, other failures for a month."""

PASSING = WORKER_ENDS | NEVER_REMEMBERED - {State.LABEL_MISMATCH, State.SKIPPED_BY_BUDGET}
"""States that keep an answer from being remembered."""

HOUR, MONTH = timedelta(hours=1), timedelta(days=30)


Answered = tuple[Row, str | None]
"""A row with the label that a candidate gave it; None for an output that the data lacks."""

Looked = Callable[[int, int], None]
"""Told after each chunk of rows: how many answers were wrong, of how many."""


class OutOfBudget(RecommenderError):
    """A budget ended; what is known so far stands."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What all trials of a search share. `rows` are in the one fixed random order."""

    query: Query
    samples: Samples
    bar: Bar
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

    def key(self, candidate: Candidate) -> str:
        """Everything that a candidate's predictions depend on besides the row's text."""
        versions = self.versions[candidate.recipe.backend]
        run_with: JSONValue = [versions, list(self.machine.cpu_flags), self.query.threads]
        return digest([BUILD_VERSION, candidate.artifact_key, self.query.task.to_json(), run_with])

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


def conditions_key(machine: Machine, threads: int, fingerprint: str) -> str:
    """The key of the machine, the threads and the texts that figures are taken with."""
    return digest([machine.key, threads, fingerprint])


def recall(bench: Bench, candidate: Candidate) -> Outcome | None:
    """The outcome as far as the store alone can tell; None where rows must be answered first."""
    known = recalled_failure(bench, candidate)
    if known is not None:
        return known
    key = bench.key(candidate)
    outputs = candidate.model.labels or bench.store.labels(key)
    labels = _labels(bench, candidate, outputs, candidate.model.label2id)
    if isinstance(labels, Outcome) or labels is None:
        return labels
    seen = _seen(bench, bench.store.outputs(key), labels)
    complete = len(seen) == bench.bar.n_rows
    if not complete and _n_wrong(seen) <= bench.bar.hopeless_above:
        return None
    outcome = assess(bench, candidate, seen, labels)
    return None if outcome.value("size_mb") is None else outcome


def recalled_failure(bench: Bench, candidate: Candidate) -> Outcome | None:
    """A failure that was met lately, on these rows and this machine."""
    found = bench.store.failure(bench.failure_key(candidate))
    if found is None:
        return None
    state = State(found.state)
    lifetime = HOUR if state in WORKER_ENDS else MONTH
    return failed(candidate, state, found.reason) if found.age < lifetime else None


def remember_failure(bench: Bench, candidate: Candidate, failure: CandidateFailed) -> None:
    """Keep a failure that is the candidate's own."""
    if failure.state not in NEVER_REMEMBERED:
        key = bench.failure_key(candidate)
        bench.store.record_failure(key, failure.state, failure.reason)


def _labels(
    bench: Bench, candidate: Candidate, outputs: Sequence[str], label2id: Mapping[str, int]
) -> LabelMap | Outcome | None:
    if not outputs:
        return None
    wanted, explicit = bench.samples.labels, bench.query.label_map or None
    try:
        return align(outputs, label2id, wanted, explicit)
    except CandidateFailed as mismatch:
        return failed(candidate, mismatch.state, mismatch.reason)


def run(bench: Bench, candidate: Candidate, worker: "Worker", looked: Looked) -> Outcome:
    """Answer the rows that are still missing, batch by batch, until the candidate cannot pass.

    `looked(n_wrong, n_seen)` is told after each chunk. Raises CandidateFailed.
    """
    labels, artifact = _load(bench, candidate, worker)
    _record_static(bench, candidate, artifact)
    seen = _answer(bench, candidate, worker, labels, looked)
    _record_warm_latency(bench, candidate, worker)
    return assess(bench, candidate, seen, labels)


def _load(bench: Bench, candidate: Candidate, worker: "Worker") -> tuple[LabelMap, Path]:
    folder = prepare(bench, candidate, worker)
    loaded = worker.load(folder)
    bench.store.describe(
        bench.key(candidate),
        {
            "model": candidate.model.id,
            "revision": candidate.model.revision,
            "source": candidate.model.source,
            "recipe": candidate.recipe.name,
            "detail": {
                "labels": list(loaded.labels),
                "label2id": dict(candidate.model.label2id),
                "dtype": loaded.dtype,
                "recipe": candidate.recipe.to_json(),
                "license": candidate.model.license,
                "task": bench.query.task.name,
            },
        },
    )
    figures = [Figure("loaded_mb", loaded.loaded_mb, "MB", 1)]
    n_parameters = loaded.n_parameters or candidate.model.n_parameters
    if n_parameters:
        figures.append(Figure("n_parameters", n_parameters, "", 1))
    bench.store.record_figures(bench.key(candidate), figures)
    aligned = _labels(bench, candidate, loaded.labels, candidate.model.label2id)
    if isinstance(aligned, LabelMap):
        return aligned, folder
    reason = aligned.reason if aligned else "the model names no outputs"
    raise CandidateFailed(State.LABEL_MISMATCH, reason)


def prepare(bench: Bench, candidate: Candidate, worker: "Worker") -> Path:
    """The candidate's artifact, fetched and built where it is not yet there."""
    if is_built(bench.home, candidate, bench.query.task):
        return bench.artifact(candidate)
    return build(
        candidate,
        worker,
        source=_fetch(bench, candidate),
        task=bench.query.task,
        home=bench.home,
        methods=bench.methods,
        texts=[row.text for row in bench.samples.rows[:PROBE_ROWS]],
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


def _fetch(bench: Bench, candidate: Candidate) -> Path:
    model = candidate.model
    files = needed_files(model, candidate.recipe)
    if not model.source.startswith("folder:"):
        _spend_download(bench, model, files)
    return fetch_or_fail(bench.sources[model.source], model, [file.path for file in files])


def _spend_download(bench: Bench, model: Model, files: Sequence[File]) -> None:
    """Count files that this search has not fetched yet; CandidateFailed beyond the budget."""
    new = {(model.name, file.path): file.size_bytes / 1e6 for file in files}
    total_mb = sum({**bench.downloaded, **new}.values())
    limit = bench.budget.max_download_mb
    if limit is not None and total_mb > limit:
        raise CandidateFailed(State.SKIPPED_BY_BUDGET, f"--max-download {limit:g} MB is used up")
    bench.downloaded.update(new)


def _answer(
    bench: Bench,
    candidate: Candidate,
    worker: "Worker",
    labels: LabelMap,
    looked: Looked,
) -> list[Answered]:
    """The rows answered so far, in the fixed order, with the label that the candidate gave."""
    key = bench.key(candidate)
    outputs = bench.store.outputs(key)
    keyed = zip(bench.row_keys, bench.samples.rows, strict=True)
    missing = list({key: row for key, row in keyed if key not in outputs}.items())
    n_cut = 0
    for start in range(0, len(missing), CHUNK_ROWS):
        bench.check_time()
        chunk = missing[start : start + CHUNK_ROWS]
        answered = worker.scores(
            [row.text for _, row in chunk], batch_size=bench.query.task.batch_size
        )
        scores = answered.logits
        n_cut += answered.n_cut
        found = scores.argmax(axis=1)
        bench.store.record_predictions(
            key,
            (
                Prediction(row_key, int(output), line.astype("float32").tobytes())
                for (row_key, _), output, line in zip(chunk, found, scores, strict=True)
            ),
        )
        outputs.update(zip((row_key for row_key, _ in chunk), map(int, found), strict=True))
        bench.progress.rows(len(chunk))
        seen = _seen(bench, outputs, labels)
        looked(n_wrong := _n_wrong(seen), len(seen))
        if n_wrong > bench.bar.hopeless_above:
            break
    if n_cut:
        cut = Figure("rows_cut", n_cut, "rows", len(missing), conditions=bench.conditions)
        bench.store.record_figures(key, [cut])
    return _seen(bench, outputs, labels)


def _seen(bench: Bench, outputs: Mapping[str, int], labels: LabelMap) -> list[Answered]:
    keyed = zip(bench.row_keys, bench.samples.rows, strict=True)
    return [(row, labels.names[outputs[key]]) for key, row in keyed if key in outputs]


def _n_wrong(seen: Sequence[Answered]) -> int:
    return sum(answer != row.label for row, answer in seen)


def _record_static(bench: Bench, candidate: Candidate, artifact: Path) -> None:
    size_mb = artifact_size_bytes(artifact) / 1e6
    figures = [
        Figure("size_mb", size_mb, "MB", 1),
        Figure("download_mb", candidate.download_mb, "MB", 1),
    ]
    bench.store.record_figures(bench.key(candidate), figures)


def _record_warm_latency(bench: Bench, candidate: Candidate, worker: "Worker") -> None:
    """A first look at the latency for the frontier; it decides nothing (see finals.py)."""
    known = bench.store.figures(bench.key(candidate), conditions=bench.conditions)
    if "latency_p50_ms" in known:
        return
    texts = [row.text for row in bench.samples.rows[:WARM_REQUESTS]]
    from evaluators.cost.measure import latency_measurements

    found = latency_measurements(worker.time(texts, warmup=5))
    figures = [as_figure(m, bench.conditions, note="warm worker") for m in found]
    bench.store.record_figures(bench.key(candidate), figures)


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
    n_wrong = _n_wrong(seen)
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
