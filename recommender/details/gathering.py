"""The details of the choice, its baseline and the frontier, from what the store has of their rows.

Nothing is measured and no row leaves the store: there are counts, means and percentiles only.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from evaluators.candidate import Candidate
from evaluators.reading.shapes import Kind
from recommender.assessment import Answered, n_wrong_of, without_scores
from recommender.bench import Bench, line_key
from recommender.details.breakdown import (
    calibration_of,
    classes_of,
    confusion_of,
    entities_of,
    several_of,
)
from recommender.details.distribution import distribution_of
from recommender.details.parts import CalibrationBin, ClassQuality, Details
from recommender.details.slicing import slice_metric, slices_of
from recommender.naming import Naming, naming_of
from recommender.recommendation import Outcome, Recommendation
from recommender.trial import answered_by

if TYPE_CHECKING:
    from recommender.hunt import Hunt
    from recommender.planning import Declared

MOST_DETAILED = 12

MOST_SCORES = 20_000_000
"""Scores of one candidate that are read for its calibration: 80 MB."""


@dataclass(frozen=True, slots=True)
class Given:
    """A candidate, and the bench whose leading rows it was given."""

    candidate: Candidate
    bench: Bench

    def answered(self, outcome: Outcome) -> Sequence[Answered] | None:
        """The rows that the outcome is of, with its answers.

        None where it answered none, or where the store has others by now.
        """
        if outcome.labels is None or not outcome.n_rows:
            return None
        seen = answered_by(self.bench, self.candidate, outcome.labels)[: outcome.n_rows]
        if len(seen) < outcome.n_rows:
            return None
        if self.bench.query.labelled:
            wrong = n_wrong_of(without_scores(self.bench, seen))
            return seen if wrong == outcome.n_wrong else None
        return seen


@dataclass(frozen=True, slots=True)
class Givens:
    """The candidates of the pool by name, with the bench of each that was run, and the baseline."""

    candidates: Mapping[str, Candidate]
    bench_of: Callable[[Candidate], Bench | None]
    baseline: Given | None = None

    @classmethod
    def of(cls, hunt: "Hunt") -> "Givens":
        """Those of a search that has ended."""
        pool = hunt.declared.pool.candidates
        benches = {pool[at].name: bench for at, bench in hunt.benches.items()}
        return cls(
            {candidate.name: candidate for candidate in pool},
            lambda candidate: benches.get(candidate.name),
            _baseline(hunt.declared, hunt.bench),
        )

    @classmethod
    def again(cls, declared: "Declared", bench: Bench) -> "Givens":
        """Those of a search that was answered before; `bench` has all of its rows."""
        opened = declared.opened.hash if declared.opened else ""
        promoted = bench.store.ledgers.promotions(opened)

        def bench_of(candidate: Candidate) -> Bench:
            n_skipped = _n_skipped(declared, bench, candidate, promoted)
            return bench.after(n_skipped) if n_skipped else bench

        pool = {candidate.name: candidate for candidate in declared.pool.candidates}
        return cls(pool, bench_of, _baseline(declared, bench))

    def of_outcome(self, found: Recommendation, outcome: Outcome) -> Given | None:
        """The candidate behind an outcome of the answer."""
        if outcome is found.baseline:
            return self.baseline
        candidate = self.candidates.get(outcome.name)
        bench = None if candidate is None else self.bench_of(candidate)
        return None if candidate is None or bench is None else Given(candidate, bench)


def _n_skipped(
    declared: "Declared", bench: Bench, candidate: Candidate, promoted: Collection[str]
) -> int:
    """The leading units that a candidate had no part in, as a search says (hunt.py)."""
    line, opened, label_slice = line_key(candidate, bench.query), declared.opened, bench.label_slice
    if declared.mode == "open":
        return declared.n_screened if line in promoted else 0
    since = opened.since.get(line, 0) if opened else 0
    if label_slice is None or naming_of(bench, candidate) is Naming.NAMES:
        return since
    return max(since, label_slice.n_units)


def _baseline(declared: "Declared", bench: Bench) -> Given | None:
    if declared.baseline is None:
        return None
    samples = declared.samples
    whole = replace(
        bench, samples=samples, facts=declared.facts, row_keys=tuple(r.key for r in samples.rows)
    )
    return Given(declared.baseline, whole)


def with_details(found: Recommendation, givens: Givens) -> Recommendation:
    """The answer with the details of those that a reader looks at first."""
    details = {}
    for outcome in shown_in_detail(found):
        given = givens.of_outcome(found, outcome)
        if given is not None:
            details[outcome.name] = details_of(given, outcome)
    return replace(found, details=details)


def shown_in_detail(found: Recommendation) -> list[Outcome]:
    """The choice, the baseline and the frontier, each name once, at most `MOST_DETAILED`."""
    pool = [outcome for outcome in (found.choice, *found.frontier) if outcome is not None]
    first, rest = pool[:1], pool[1:]
    every = [*first, *([found.baseline] if found.baseline else []), *rest]
    by_name = {outcome.name: outcome for outcome in every} | {one.name: one for one in pool}
    return [outcome for outcome in by_name.values() if outcome.n_rows][:MOST_DETAILED]


def details_of(given: Given, outcome: Outcome) -> Details:
    """One candidate in detail, as far as its task and the store tell."""
    bench = given.bench
    costs = Details(
        latency_ms=distribution_of(bench, given.candidate, outcome),
        memory_mb=memory_split(outcome),
    )
    seen = given.answered(outcome)
    if not seen:
        return costs
    slices = slices_of(bench.query, bench.facts, [answer for _, answer in seen])
    plain = without_scores(bench, seen)
    answers, truths = [answer for _, answer in plain], [row.label for row, _ in plain]
    sliced = replace(costs, slices=slices, slice_metric=slice_metric(bench.query) if slices else "")
    details = replace(sliced, classes=_classes(bench, answers, truths))
    if not bench.query.labelled:
        return details
    bins, error = _calibration(given, outcome, answers, truths)
    confusion = confusion_of(answers, truths, bench.samples.labels)
    return replace(details, confusion=confusion, calibration=bins, calibration_error=error)


def memory_split(outcome: Outcome) -> dict[str, float]:
    """The peak as the runtime before the model was loaded, its weights, and all else."""
    peak, of_model = outcome.value("peak_memory_mb"), outcome.value("model_memory_mb")
    if peak is None or of_model is None:
        return {}
    weights = min(outcome.value("loaded_mb") or 0.0, of_model)
    return {"runtime": peak - of_model, "model": weights, "working": of_model - weights}


def _classes(
    bench: Bench, answers: Sequence[str | None], truths: Sequence[str]
) -> tuple[ClassQuality, ...]:
    """By label, or by type of entity; none for tasks whose answers are neither."""
    if bench.query.labelled:
        return classes_of(answers, truths, bench.samples.labels)
    if bench.query.several:
        return several_of(answers, truths, bench.samples.labels)
    if bench.samples.truth is Kind.TAGS:
        return entities_of(answers, truths)
    return ()


def _calibration(
    given: Given, outcome: Outcome, answers: Sequence[str | None], truths: Sequence[str]
) -> tuple[tuple[CalibrationBin, ...], float | None]:
    names = outcome.labels.names if outcome.labels else ()
    if len(answers) * len(names) > MOST_SCORES:
        return (), None
    keys = given.bench.row_keys[: len(answers)]
    lines = given.bench.store.scores(given.bench.key(given.candidate))
    scores = b"".join(lines[key] for key in keys)
    logits = np.frombuffer(scores, dtype=np.float32).reshape(len(keys), -1)
    right = np.array([a == t for a, t in zip(answers, truths, strict=True)], dtype=bool)
    return calibration_of(logits, right)


# ---------------------------------------------------------------------- answers of earlier versions
def lacks_details(found: Recommendation) -> bool:
    """Whether it was stored before there were any."""
    return not found.details and bool(shown_in_detail(found))


def completed(found: Recommendation, givens: Givens, own_data: frozenset[str]) -> Recommendation:
    """The answer with the warnings and details that its version did not have."""
    from recommender.flags import flagged

    def warned(outcome: Outcome, candidate: Candidate | None) -> Outcome:
        return flagged(outcome, candidate.model if candidate else None, own_data)

    pool = {id(o): warned(o, givens.candidates.get(o.name)) for o in found.candidates}
    reference = givens.baseline.candidate if givens.baseline else None
    filled = replace(
        found,
        candidates=tuple(pool.values()),
        choice=pool[id(found.choice)] if found.choice else None,
        baseline=warned(found.baseline, reference) if found.baseline else None,
    )
    return with_details(filled, givens)
