"""Which output of a candidate is which label: by its names, else by a slice of rows kept apart.

Names are believed first. Where they say nothing, the map is inferred on the first units in the
fixed order, and the candidate's evidence begins after them. Where they say something that these
units show to be in another order, that order is a hypothesis of its own in the ledger, tested on
the rows after them. Either map follows from the answers to the slice alone, so that it is the same
whenever it is asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from cache.errors import BadInput
from catalog.model import Model
from evaluators.candidate import Candidate
from evaluators.labelling.label_map import quoted
from evaluators.labels import EXPLICIT, LabelMap, LabelMismatch, check_label_map, told_outputs
from recommender.bench import Bench
from recommender.query import Query
from recommender.space import may_be_inferred, named_labels

SHOWN_MODELS = 3

HINT = 0.5
"""From this level on, a few rows look as if names were in another order: the slice is answered."""


class Naming(StrEnum):
    """Where a candidate's map comes from, and with it which rows are its evidence."""

    NAMES = "its names, or not known yet"
    INFERRED = "inferred on the label slice"
    REORDERED = "its names, in the order that the label slice shows"


@dataclass(frozen=True, slots=True)
class Pending:
    """No map before the rows of the label slice are answered."""

    reason: str


def check_told_labels(query: Query, labels: Sequence[str]) -> None:
    """BadInput where --label-map fits no data of these labels, or no model of the task."""
    if query.label_map and not query.labelled:
        answers = "several labels to a row" if query.several else query.task.name
        raise BadInput(
            f"--label-map changes nothing for {answers}: leave it out, and write the labels in "
            "the data as the models do"
        )
    check_label_map(query.label_map, labels)


def unused_label_map(query: Query, models: Sequence[Model]) -> list[str]:
    """A warning for models that have no output that --label-map names, and go by their own names.

    BadInput where that is so for all of them: then the map is a slip.
    """
    distinct = {model.name: model for model in models} if query.label_map else {}
    outputs = {
        name: query.method.known_labels(model.labels, query.task)
        for name, model in distinct.items()
    }
    unused = [
        name
        for name, known in outputs.items()
        if known and not _is_told(distinct[name], known, query)
    ]
    if not unused:
        return []
    named, first = quoted(tuple(query.label_map.values())), unused[0]
    if len(unused) == len(distinct):
        raise BadInput(
            f"--label-map names {named}, which fits none of {len(distinct)} models, such as "
            f"{first}: it has {quoted(outputs[first])}"
        )
    more = f" and {len(unused) - SHOWN_MODELS} more" if len(unused) > SHOWN_MODELS else ""
    shown = ", ".join(unused[:SHOWN_MODELS])
    return [f"--label-map was not used for {shown}{more}: there is no output {named}"]


def _is_told(model: Model, outputs: Sequence[str], query: Query) -> bool:
    """Whether --label-map names an output of the model."""
    try:
        told = told_outputs(outputs, model.label2id, query.label_map, partial=query.partial)
    except LabelMismatch:
        return True
    return bool(told)


def naming_of(bench: Bench, candidate: Candidate) -> Naming:
    """What is known by now of where the candidate's map comes from."""
    outputs = known_outputs(bench, candidate)
    if not (bench.query.labelled and bench.label_slice and outputs):
        return Naming.NAMES
    try:
        named = named_labels(outputs, candidate.model, bench.samples.labels, bench.query)
    except LabelMismatch:
        return Naming.INFERRED if _may_infer(bench, candidate, outputs) else Naming.NAMES
    return Naming.REORDERED if _reordered(bench, candidate, named) else Naming.NAMES


def known_outputs(bench: Bench, candidate: Candidate) -> Sequence[str]:
    """The names of the outputs, as metadata or an earlier load told; empty where neither did."""
    told = bench.query.method.known_labels(candidate.model.labels, bench.query.task)
    return told or bench.store.labels(bench.key(candidate))


def label_map(bench: Bench, candidate: Candidate, outputs: Sequence[str]) -> LabelMap | Pending:
    """The map from outputs to labels on this bench, or that the slice must be answered first.

    Raises LabelMismatch where names do not tell it and rows do not, or may not.
    """
    try:
        named = named_labels(outputs, candidate.model, bench.samples.labels, bench.query)
    except LabelMismatch as mismatch:
        if not _may_infer(bench, candidate, outputs):
            raise
        return _inferred(bench, candidate, outputs, mismatch)
    return (bench.reordered and _reordered(bench, candidate, named)) or named


def looks_reordered(bench: Bench, candidate: Candidate, named: LabelMap) -> bool:
    """Whether the rows of the slice that are answered hint at another order, and some are not."""
    if bench.label_slice is None or named.inferred is not None:
        return False
    found = _answered(bench, candidate)
    if len(found) == len(bench.label_slice.rows):
        return False
    return _another_order(bench, found, named, HINT) is not None


def _may_infer(bench: Bench, candidate: Candidate, outputs: Sequence[str]) -> bool:
    return may_be_inferred(outputs, candidate.model, bench.samples.labels, bench.query)


def _inferred(
    bench: Bench, candidate: Candidate, outputs: Sequence[str], mismatch: LabelMismatch
) -> LabelMap | Pending:
    """The map that the slice shows; only for a bench whose rows are none of the slice."""
    from evaluators.labelling.inference import infer

    if bench.label_slice is None or not bench.is_after_slice:
        raise mismatch
    found = _answered(bench, candidate)
    if len(found) < len(bench.label_slice.rows):
        return Pending(str(mismatch))
    at, truths = [output for output, _ in found], [truth for _, truth in found]
    reason = ""
    for partial in (False, True)[: 1 + bench.query.partial]:
        result = infer(
            at, truths, bench.samples.labels, len(outputs), called=outputs, partial=partial
        )
        if isinstance(result, LabelMap):
            return result
        reason = result.reason
    raise LabelMismatch(f"{mismatch.reason}; {reason}")


def _reordered(bench: Bench, candidate: Candidate, named: LabelMap) -> LabelMap | None:
    """The names in another order, where the whole slice is answered and shows it."""
    if bench.label_slice is None or named.how == EXPLICIT:
        return None
    found = _answered(bench, candidate)
    if len(found) < len(bench.label_slice.rows):
        return None
    return _another_order(bench, found, named)


def _another_order(
    bench: Bench, found: Sequence[tuple[int, str]], named: LabelMap, level: float | None = None
) -> LabelMap | None:
    from evaluators.labelling.inference import PERMUTED, permuted

    outputs, truths = [output for output, _ in found], [truth for _, truth in found]
    wanted = bench.samples.labels
    return permuted(named, outputs, truths, wanted, level=level or PERMUTED)


def _answered(bench: Bench, candidate: Candidate) -> list[tuple[int, str]]:
    """The output that the store has for each row of the slice, with the row's label."""
    rows = bench.label_slice.rows if bench.label_slice else ()
    outputs = bench.store.outputs(bench.key(candidate)) if rows else {}
    return [(outputs[key], row.label) for key, row in rows if key in outputs]
