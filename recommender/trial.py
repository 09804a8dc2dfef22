"""One candidate: what the store knows, the rest measured, all of it stored."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cache.measurements import Figure, Prediction
from evaluators.candidate import Candidate
from evaluators.cost.size import artifact_size_bytes
from evaluators.labels import LabelMap, align
from evaluators.measurement import CandidateFailed, State
from recommender.assessment import Answered, as_figure, assess, failed, n_wrong_of
from recommender.bench import Bench, prepare
from recommender.recommendation import Outcome

if TYPE_CHECKING:
    from evaluators.worker_process import Worker

WARM_REQUESTS = 40
"""Single requests for a first look at the latency."""

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

Looked = Callable[[int, int], None]
"""Told after each chunk of rows: how many answers were wrong, of how many."""


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
    if not complete and n_wrong_of(seen) <= bench.bar.hopeless_above:
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
        looked(n_wrong := n_wrong_of(seen), len(seen))
        if n_wrong > bench.bar.hopeless_above:
            break
    if n_cut:
        cut = Figure("rows_cut", n_cut, "rows", len(missing), conditions=bench.conditions)
        bench.store.record_figures(key, [cut])
    return _seen(bench, outputs, labels)


def _seen(bench: Bench, outputs: Mapping[str, int], labels: LabelMap) -> list[Answered]:
    keyed = zip(bench.row_keys, bench.samples.rows, strict=True)
    return [(row, labels.names[outputs[key]]) for key, row in keyed if key in outputs]


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
