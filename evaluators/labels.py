"""Which output of a model is which label of the user's data? Found out, or refused."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from cache.errors import BadInput
from catalog.labels import GENERIC, output_names
from evaluators.labelling.label_map import Inferred, LabelMap, LabelMismatch, quoted
from evaluators.labelling.spelling import normalised
from evaluators.labelling.synonyms import by_meaning, coarser

__all__ = ["Inferred", "LabelMap", "LabelMismatch", "align", "may_infer", "normalised"]

EXPLICIT = "explicit map"

LEAST_REACHED = 2
"""A partial map reaches at least this many labels: one that reaches a single label says nothing."""


def align(
    outputs: Sequence[str],
    label2id: Mapping[str, int],
    wanted: Sequence[str],
    explicit: Mapping[str, str] | None = None,
    *,
    partial: bool = False,
) -> LabelMap:
    """The map from a model's outputs to the data's labels, by their names alone.

    `outputs` are the model's names by index, `wanted` the data's labels, `explicit` maps a label
    of the data to a name of the model, or to several, as in `4 stars|5 stars` (`--label-map`).
    Rules, in order: explicit map; exact names; normalised names (case, punctuation, a few
    abbreviations); synonyms and star ratings (labelling/synonyms.py); the names in `label2id`; and
    for outputs called LABEL_0.. the index, if the data's labels are 0..n-1. `LABEL_0` is first
    replaced by the name that `label2id` has for it. The first rule that reaches every label holds;
    with `partial`, where none does, the one that reaches most of them, and at least two.

    An explicit map whose model names this model lacks is passed over: it was meant for others.
    Raises LabelMismatch with both lists where no rule holds, and BadInput where `explicit` names a
    label that the data lacks.
    """
    names = output_names(outputs, label2id)
    _refuse_unknown(explicit or {}, wanted)
    tried: list[tuple[str, dict[int, str]]] = []
    for how, found in _by_rule(outputs, names, label2id, wanted, explicit or {}):
        if set(found.values()) == set(wanted):
            return _label_map(how, found, names, wanted)
        tried.append((how, found))
    how, most = max(tried, key=_merit)
    n_reached = len(set(most.values()))
    if partial and n_reached >= LEAST_REACHED:
        return _label_map(how, most, names, wanted)
    raise LabelMismatch(_reason(names, wanted, most if n_reached >= LEAST_REACHED else {}))


def may_infer(
    outputs: Sequence[str],
    label2id: Mapping[str, int],
    wanted: Sequence[str],
    explicit: Mapping[str, str] | None = None,
    *,
    partial: bool = False,
    asked: bool = False,
) -> bool:
    """Whether labels that names do not reach may be inferred from rows (labelling/inference.py).

    They may where the names say nothing (LABEL_0, LABEL_1, ...) or the model was `asked` for by
    its id, and where there are outputs enough. Names that reach two labels say something: such a
    model is for an explicit map, or for `partial`.
    """
    generic = all(GENERIC.fullmatch(name) for name in output_names(outputs, label2id))
    least = LEAST_REACHED if partial else max(LEAST_REACHED, len(wanted))
    if not (asked or generic) or len(outputs) < least:
        return False
    try:
        align(outputs, label2id, wanted, explicit, partial=True)
    except LabelMismatch:
        return True
    return False


def _merit(tried: tuple[str, Mapping[int, str]]) -> tuple[bool, int]:
    """What the user says comes first, then the map that reaches most labels."""
    how, found = tried
    return how == EXPLICIT and bool(found), len(set(found.values()))


def _by_rule(
    outputs: Sequence[str],
    names: Sequence[str],
    label2id: Mapping[str, int],
    wanted: Sequence[str],
    explicit: Mapping[str, str],
) -> Iterable[tuple[str, dict[int, str]]]:
    """What each rule finds, in the rules' order: labels by output."""
    yield EXPLICIT, _explicit(outputs, names, wanted, explicit)
    for how, key in (("exact names", str), ("normalised names", normalised)):
        found = _matched(names, wanted, key)
        finer = coarser(names, wanted, found) if len(found) == len(wanted) else {}
        yield (f"{how} and synonyms" if finer else how), found | finer
    yield "synonyms", by_meaning(names, wanted)
    if label2id.keys() != set(names):
        yield "label2id", _by_label2id(label2id, len(outputs), wanted)
    yield "index", _by_index(outputs, names, wanted)


def _label_map(
    how: str, found: Mapping[int, str], names: Sequence[str], wanted: Sequence[str]
) -> LabelMap:
    reached = set(found.values())
    return LabelMap(
        names=tuple(found.get(at) for at in range(len(names))),
        how=how,
        unused=tuple(name for at, name in enumerate(names) if at not in found),
        missing=tuple(label for label in wanted if label not in reached),
    )


def _refuse_unknown(explicit: Mapping[str, str], wanted: Sequence[str]) -> None:
    unknown = [label for label in explicit if label not in wanted]
    if unknown:
        raise BadInput(
            f"--label-map names {_listed(unknown)}, but the data has {_listed(wanted)}. "
            "Write DATA_LABEL=MODEL_LABEL, as in 0=negative,1=positive."
        )


def _explicit(
    outputs: Sequence[str],
    names: Sequence[str],
    wanted: Sequence[str],
    explicit: Mapping[str, str],
) -> dict[int, str]:
    """The explicit pairs, and for labels that they leave out, outputs of that name or meaning."""
    by_name = _positions(outputs, str) | _positions(names, str)
    by_bare_name = _positions(names, normalised)
    found: dict[int, str] = {}
    for label in sorted(wanted, key=lambda label: label not in explicit) if explicit else ():
        name = explicit.get(label, label)
        for part in [name] if name in by_name else name.split("|"):
            positions = by_name.get(part.strip()) or by_bare_name.get(normalised(part), [])
            if label not in explicit and (len(positions) != 1 or positions[0] in found):
                continue  # another rule may find it
            if len(positions) != 1:
                return {}
            found[positions[0]] = label
    reached = set(found.values())
    meant = by_meaning(names, wanted) if found else {}
    return {at: label for at, label in meant.items() if label not in reached} | found


def _matched(
    names: Sequence[str], wanted: Sequence[str], key: Callable[[str], str]
) -> dict[int, str]:
    """The outputs that have a label's key, where it is that of one label and one output."""
    positions, n_labels = _positions(names, key), Counter(map(key, wanted))
    return {
        positions[key(label)][0]: label
        for label in wanted
        if len(positions.get(key(label), [])) == 1 and n_labels[key(label)] == 1
    }


def _positions(names: Sequence[str], key: Callable[[str], str]) -> dict[str, list[int]]:
    positions: dict[str, list[int]] = {}
    for at, name in enumerate(names):
        positions.setdefault(key(name), []).append(at)
    return positions


def _by_label2id(
    label2id: Mapping[str, int], n_outputs: int, wanted: Sequence[str]
) -> dict[int, str]:
    """The outputs that `label2id` gives a label's name to; several names may mean one output."""
    named = [(name, at) for name, at in label2id.items() if 0 <= at < n_outputs]
    meant = by_meaning([name for name, _ in named], wanted)
    labels_of: dict[int, set[str]] = {}
    for place, label in meant.items():
        labels_of.setdefault(named[place][1], set()).add(label)
    return {at: labels.pop() for at, labels in labels_of.items() if len(labels) == 1}


def _by_index(
    outputs: Sequence[str], names: Sequence[str], wanted: Sequence[str]
) -> dict[int, str]:
    """LABEL_2 is the label 2, if the data's labels are exactly the outputs' numbers."""
    matches = [GENERIC.fullmatch(name) for name in outputs]
    numbers = [match[1] for match in matches if match]
    if tuple(outputs) != tuple(names) or len(numbers) != len(outputs):
        return {}
    return dict(enumerate(numbers)) if sorted(numbers) == sorted(wanted) else {}


def _reason(names: Sequence[str], wanted: Sequence[str], most: Mapping[int, str]) -> str:
    if not names:
        return f"the model does not name its outputs; the data has {_listed(wanted)}"
    pairs = zip(wanted, names, strict=False)
    example = ",".join(f"{label}={name}" for label, name in list(pairs)[:2])
    both = f"the model has {_listed(names)}, the data has {_listed(wanted)}"
    if most:
        reached = set(most.values())
        lacking = _listed([label for label in wanted if label not in reached])
        return (
            f"{both}; nothing stands for {lacking}: say what does, with --label-map, "
            "or count such rows as wrong, with --partial"
        )
    return f"{both}; say which is which, for instance with --label-map {example}"


def _listed(labels: Sequence[str]) -> str:
    return quoted(labels) or "none"
