"""One candidate: what the store knows, the rest measured, all of it stored."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from cache.measurements import Figure, Measurements, Prediction
from evaluators.candidate import Candidate
from evaluators.cost.size import artifact_size_bytes
from evaluators.labels import LabelMap
from evaluators.measurement import CandidateFailed, State
from evaluators.requests import request_of
from evaluators.samples import Row
from recommender.assessment import Answered, as_figure, assess, failed, judge_seen
from recommender.bench import Bench, prepare
from recommender.costs import spent_on
from recommender.details.distribution import keep_distribution
from recommender.drift import DRIFT, drifted
from recommender.evidence.verdict import Verdict
from recommender.naming import known_outputs, label_map, looks_reordered
from recommender.recommendation import Outcome
from recommender.search.contender import LEAST_CHANCE

if TYPE_CHECKING:
    from evaluators.worker_process import Worker
    from recommender.judgement import Judgement

WARM_REQUESTS = 40
"""Single requests for a first look at the latency."""

CHUNK_ROWS = 256
"""Rows that are answered and committed at once."""

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

Known = dict[str, str | None]
"""A candidate's answers by row key; None for an output that the data lacks."""

NO_LABELS = LabelMap((), "no labels")
"""Of tasks whose answers are no labels."""

Told = Callable[["Judgement"], bool]
"""Told after each rung what the answers show so far; True: stop here, it is raced out."""


def recall(bench: Bench, candidate: Candidate, *, fully: bool = False) -> Outcome | None:
    """The outcome as far as the store alone can tell; None where rows must be answered first.

    A candidate that was raced out before stays so; with `fully` every row must be answered.
    """
    known = recalled_failure(bench, candidate)
    if known is not None:
        return known
    key = bench.key(candidate)
    labels = _known_labels(bench, candidate)
    if isinstance(labels, Outcome) or labels is None:
        return labels
    seen = _seen(bench, _recorded(bench, key, labels))
    if not seen or (fully and len(seen) < bench.samples.n):
        return None
    outcome = assess(bench, candidate, seen, labels)
    if bench.bar.asked and is_open(bench.judged[candidate.name], bench.bar.n_units):
        return None
    if not bench.bar.asked and len(seen) < bench.samples.n:
        return None
    return None if outcome.value("size_mb") is None else outcome


def is_open(judged: "Judgement", n_units: int) -> bool:
    """Whether more rows could still change the verdict, and are likely enough to."""
    decided = judged.verdict is Verdict.SUFFICIENT or judged.n_units == n_units
    return not decided and judged.chance >= LEAST_CHANCE


def answers_of(bench: Bench, candidate: Candidate) -> list[str | None]:
    """The label that a candidate gave to each row; it has answered all of them."""
    key = bench.key(candidate)
    labels = _known_labels(bench, candidate)
    if not isinstance(labels, LabelMap):
        raise CandidateFailed(State.LABEL_MISMATCH, "its outputs are not the data's labels")
    return [answer for _, answer in _seen(bench, _recorded(bench, key, labels))]


def answered_by(bench: Bench, candidate: Candidate, labels: LabelMap) -> list[Answered]:
    """The leading rows that a candidate has answered, with its answers by such a map."""
    return _seen(bench, _recorded(bench, bench.key(candidate), labels))


def recalled_failure(bench: Bench, candidate: Candidate) -> Outcome | None:
    """A failure that was met lately, on these rows and this machine.

    Of one that may be the machine's fault, the reason says for how long it is believed.
    """
    found = bench.store.failure(bench.failure_key(candidate))
    if found is None:
        return None
    state = State(found.state)
    left = (HOUR if state in WORKER_ENDS else MONTH) - found.age
    if left <= timedelta(0):
        return None
    minutes = ceil(left / timedelta(minutes=1))
    passing = f"; not tried again for {minutes} min" if state in WORKER_ENDS else ""
    return failed(candidate, state, f"{found.reason}{passing}")


def remember_failure(bench: Bench, candidate: Candidate, failure: CandidateFailed) -> None:
    """Keep a failure that is the candidate's own."""
    if failure.state not in NEVER_REMEMBERED:
        key = bench.failure_key(candidate)
        bench.store.record_failure(key, failure.state, failure.reason)


def _known_labels(bench: Bench, candidate: Candidate) -> LabelMap | Outcome | None:
    """The map from outputs that metadata or an earlier load told; None where neither did."""
    outputs = known_outputs(bench, candidate)
    if not bench.query.labelled:
        return _named(bench, candidate, outputs)
    if not outputs:
        return None
    try:
        found = label_map(bench, candidate, outputs)
    except CandidateFailed as mismatch:
        return failed(candidate, mismatch.state, mismatch.reason)
    return found if isinstance(found, LabelMap) else None


def _named(bench: Bench, candidate: Candidate, outputs: Sequence[str]) -> LabelMap | Outcome:
    """What the outputs stand for in answers that hold labels; NO_LABELS in others."""
    try:
        found = bench.query.method.label_map(tuple(outputs), bench.query.task) if outputs else None
    except CandidateFailed as mismatch:
        return failed(candidate, mismatch.state, mismatch.reason)
    if found is not None and found.missing and not bench.query.partial:
        lacking = ", ".join(map(repr, found.missing))
        reason = f"nothing stands for {lacking}: count them as missed, with --partial"
        return failed(candidate, State.LABEL_MISMATCH, reason)
    return found or NO_LABELS


def run(
    bench: Bench, candidate: Candidate, worker: "Worker", told: Told, *, rungs: Sequence[int]
) -> Outcome:
    """Answer the rows that are still missing, rung by rung, until the verdict is known.

    `rungs` are numbers of units, the last one all. Raises CandidateFailed.
    """
    labels, artifact = _load(bench, candidate, worker)
    _record_static(bench, candidate, artifact)
    seen = _answer(bench, candidate, worker, labels, told, rungs=rungs)
    if bench.query.labelled and looks_reordered(bench, candidate, labels):
        _answer_slice(bench, candidate, worker, labels)
    _record_warm_latency(bench, candidate, worker)
    return assess(bench, candidate, seen, labels)


def _load(bench: Bench, candidate: Candidate, worker: "Worker") -> tuple[LabelMap, Path]:
    folder = prepare(bench, candidate, worker)
    with bench.timed("load", candidate):
        loaded = worker.load(folder)
    if not loaded.is_ready:
        _embed_corpus(bench, candidate, worker)
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
    if bench.query.labelled:
        return _mapped(bench, candidate, worker, loaded.labels), folder
    named = _named(bench, candidate, loaded.labels)
    if isinstance(named, LabelMap):
        return named, folder
    raise CandidateFailed(State.LABEL_MISMATCH, named.reason)


def _embed_corpus(bench: Bench, candidate: Candidate, worker: "Worker") -> None:
    """Let the candidate read the documents, which are work as rows are."""
    documents, started = bench.samples.corpus.values(), time.monotonic()
    bench.progress.step(f"{candidate.name} reads {len(documents):,} documents")
    worker.prepare(bench.check_time)
    bench.record_spent(
        spent_on(
            "rows", candidate, time.monotonic() - started,
            n_rows=len(documents), text_kb=sum(len(text.encode()) for text in documents) / 1e3,
        )
    )  # fmt: skip


def _mapped(
    bench: Bench, candidate: Candidate, worker: "Worker", outputs: Sequence[str]
) -> LabelMap:
    """The map from outputs to labels; where it must be inferred, the slice is answered first."""
    found = label_map(bench, candidate, outputs)
    if not isinstance(found, LabelMap):
        unknown = LabelMap(tuple(None for _ in outputs), "not known yet")
        _answer_slice(bench, candidate, worker, unknown)
        found = label_map(bench, candidate, outputs)
    if not isinstance(found, LabelMap):
        raise CandidateFailed(State.LABEL_MISMATCH, found.reason)
    return found


def _answer_slice(bench: Bench, candidate: Candidate, worker: "Worker", labels: LabelMap) -> None:
    """Answer the rows that maps of labels are inferred on, whatever is known already."""
    rows = bench.label_slice.rows if bench.label_slice else ()
    known = _recorded(bench, bench.key(candidate), labels)
    _answer_rows(bench, candidate, worker, dict(rows), known, labels)


def _answer(
    bench: Bench, candidate: Candidate, worker: "Worker", labels: LabelMap, told: Told,
    *, rungs: Sequence[int],
) -> list[Answered]:  # fmt: skip
    """The leading rows answered so far, with the label that the candidate gave."""
    known = _recorded(bench, bench.key(candidate), labels)
    already = len(_seen(bench, known))
    for rung in rungs:
        end = bench.facts.rows_of(rung)
        if end < already and rung != rungs[-1]:
            continue
        _answer_to(bench, candidate, worker, known, labels, end)
        seen = _seen(bench, known)
        if not bench.bar.asked:
            continue
        judged = judge_seen(bench, candidate, seen)
        if judged.verdict is Verdict.SUFFICIENT or told(judged):
            break
    return _seen(bench, known)


def _answer_to(
    bench: Bench, candidate: Candidate, worker: "Worker", known: Known, labels: LabelMap, end: int
) -> None:
    """Answer the first `end` rows; a text that is repeated is answered once."""
    rows = dict(zip(bench.row_keys[:end], bench.samples.rows[:end], strict=True))
    _answer_rows(bench, candidate, worker, rows, known, labels)


def _answer_rows(
    bench: Bench, candidate: Candidate, worker: "Worker", rows: Mapping[str, Row],
    known: Known, labels: LabelMap,
) -> None:  # fmt: skip
    """Answer those of the rows, by key, that are not known yet, chunk by chunk."""
    key = bench.key(candidate)
    missing = [(row_key, row) for row_key, row in rows.items() if row_key not in known]
    n_cut = 0
    for start in range(0, len(missing), CHUNK_ROWS):
        bench.check_time()
        chunk = missing[start : start + CHUNK_ROWS]
        texts = [request_of(row) for _, row in chunk]
        started = time.monotonic()
        asked = {row_key: text for (row_key, _), text in zip(chunk, texts, strict=True)}
        answered = _ask(bench, worker, asked)
        bench.record_spent(
            spent_on(
                "rows", candidate, time.monotonic() - started,
                n_rows=len(texts), text_kb=sum(len(text.encode()) for text in texts) / 1e3,
            )
        )  # fmt: skip
        n_cut += answered.n_cut
        n_new = answered.record(bench.store, key)
        known.update(answered.named(labels, bench.query.places))
        if n_new < len(chunk):  # another process was first, and the first answer counts
            known.update(_recorded(bench, key, labels))
        bench.progress.rows(len(chunk))
    before = bench.store.figures(key, conditions=bench.conditions).get("rows_cut")
    if n_cut or before:
        cut = n_cut + (before.value if before else 0.0)
        n_answered = sum(row in known for row in bench.row_keys)
        figure = Figure("rows_cut", cut, "rows", n_answered, conditions=bench.conditions)
        bench.store.record_figures(key, [figure])


@dataclass(frozen=True, slots=True)
class _Outputs:
    """A chunk of rows with the output that scored highest, and all scores as bytes."""

    found: Mapping[str, tuple[int, bytes]]
    n_cut: int

    def record(self, store: Measurements, key: str) -> int:
        """Commit them; how many are new."""
        return store.record_predictions(
            key, (Prediction(row_key, *answer) for row_key, answer in self.found.items())
        )

    def named(self, labels: LabelMap, places: int) -> Known:
        """The data's labels that they stand for, with the scores of so many."""
        if places:
            return with_scores({key: line for key, (_, line) in self.found.items()}, labels, places)
        return {row_key: labels.names[output] for row_key, (output, _) in self.found.items()}


@dataclass(frozen=True, slots=True)
class _Texts:
    """A chunk of rows with answers that are texts."""

    found: Mapping[str, str]
    n_cut: int

    def record(self, store: Measurements, key: str) -> int:
        """Commit them; how many are new."""
        return store.record_texts(key, self.found)

    def named(self, labels: LabelMap, places: int) -> Known:
        """They are the answers."""
        return dict(self.found)


def _ask(bench: Bench, worker: "Worker", asked: Mapping[str, str]) -> _Outputs | _Texts:
    """The worker's answers to a chunk, by row key."""
    texts, batch_size = list(asked.values()), bench.query.task.batch_size
    if not bench.query.labelled:
        told = worker.answers(texts, batch_size=batch_size)
        return _Texts(dict(zip(asked, told.texts, strict=True)), told.n_cut)
    answered = worker.scores(texts, batch_size=batch_size)
    scores = answered.logits.astype("float32")
    outputs = scores.argmax(axis=1)
    found = zip(asked, outputs, scores, strict=True)
    return _Outputs({key: (int(at), line.tobytes()) for key, at, line in found}, answered.n_cut)


def _recorded(bench: Bench, key: str, labels: LabelMap) -> Known:
    """The answers that the store has, by row key."""
    if not bench.query.labelled:
        return dict(bench.store.texts(key))
    if bench.query.places:
        return with_scores(bench.store.scores(key), labels, bench.query.places)
    outputs = bench.store.outputs(key)
    return {row_key: labels.names[output] for row_key, output in outputs.items()}


def with_scores(lines: Mapping[str, bytes], labels: LabelMap, places: int) -> Known:
    """Answers that hold the scores of labels, from stored scores by row key."""
    from evaluators.quality.scored import ranked_bytes

    return dict(zip(lines, ranked_bytes(labels.names, lines.values(), places=places), strict=True))


def _seen(bench: Bench, known: Known) -> list[Answered]:
    """The answers to the leading rows, up to the first that is missing."""
    keyed = zip(bench.row_keys, bench.samples.rows, strict=True)
    leading = takewhile(lambda pair: pair[0] in known, keyed)
    return [(row, known[key]) for key, row in leading]


def _record_static(bench: Bench, candidate: Candidate, artifact: Path) -> None:
    size_mb = artifact_size_bytes(artifact) / 1e6
    figures = [
        Figure("size_mb", size_mb, "MB", 1),
        Figure("download_mb", candidate.download_mb, "MB", 1),
    ]
    bench.store.record_figures(bench.key(candidate), figures)


def _record_warm_latency(bench: Bench, candidate: Candidate, worker: "Worker") -> None:
    """A first look at the latency for the frontier; it decides nothing (see finals.py).

    What the single requests are answered is compared with the answers in batches.
    """
    key = bench.key(candidate)
    known = bench.store.figures(key, conditions=bench.conditions)
    if known.keys() >= {"latency_p50_ms", DRIFT}:
        return
    texts = [request_of(row) for row in bench.samples.rows[:WARM_REQUESTS]]
    from evaluators.cost.latency import percentiles
    from evaluators.cost.measure import latency_measurements

    served = worker.single(texts, warmup=5)
    found = latency_measurements(served.timing)
    figures = [as_figure(m, bench.conditions, note="warm worker") for m in found]
    drift = drifted(bench.store, key, bench.row_keys[:WARM_REQUESTS], served, bench.query.task)
    figures += [as_figure(drift, bench.conditions)]
    bench.store.record_figures(key, figures)
    shown = percentiles(served.timing.wall_ms)
    keep_distribution(bench, candidate, shown, n=len(served.timing.wall_ms))
