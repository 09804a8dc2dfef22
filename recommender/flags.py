"""Short warnings of one candidate for a reader, as `topic: explanation`."""

from collections.abc import Iterator
from dataclasses import replace

from catalog.model import Model
from evaluators.labelling.label_map import quoted
from recommender.assessment import TOO_NOISY
from recommender.drift import drift_told
from recommender.evidence.weights import trained_on
from recommender.recommendation import NOISY_TIMING, Outcome

NO_DATA: frozenset[str] = frozenset()


def flagged(outcome: Outcome, model: Model | None, own_data: frozenset[str] = NO_DATA) -> Outcome:
    """The outcome with its warnings; `own_data` are the names of the rows' data set."""
    data = trained_on(model, own_data) if model is not None else None
    known = [f"contamination: its card names the data set '{data}'"] if data else []
    return replace(outcome, flags=(*known, *flags_of(outcome)))


def flags_of(outcome: Outcome) -> tuple[str, ...]:
    """What the outcome alone tells."""
    return (*_of_labels(outcome), *_of_quality(outcome), *_of_timings(outcome))


def _of_labels(outcome: Outcome) -> Iterator[str]:
    labels = outcome.labels
    if labels is not None and labels.inferred is not None:
        yield f"inferred labels: {labels.inferred.sentence}"
    if labels is not None and labels.missing:
        yield f"partial labels: it lacks {quoted(labels.missing)}, whose rows count as wrong"


def _of_quality(outcome: Outcome) -> Iterator[str]:
    open_ = [claim.subject for claim in outcome.claims if not claim.exact]
    if open_:
        yield f"approximate metric: what is certified of {', '.join(open_)} holds for large samples"
    cut = outcome.value("rows_cut")
    if cut:
        rows = "1 row was" if cut == 1 else f"{cut:,.0f} rows were"
        yield f"cut rows: {rows} longer than it reads, and cut to its length"
    if drifted := drift_told(outcome.measurements):
        yield f"drift: {drifted}"


def _of_timings(outcome: Outcome) -> Iterator[str]:
    """One warning, as all timings of a round are judged by one check of the machine."""
    notes = (measured.note for measured in outcome.measurements.values())
    noisy = next((note for note in notes if TOO_NOISY in note), None)
    if noisy is not None:
        why = noisy.partition(f"{TOO_NOISY}: ")[2]
        yield f"{NOISY_TIMING}: {why or TOO_NOISY}"
