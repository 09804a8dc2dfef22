"""Which output of a model is which label of the user's data? Found out, or refused."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from cache.errors import BadInput
from catalog.labels import GENERIC, output_names
from evaluators.labelling.label_map import Inferred, LabelMap, LabelMismatch, quoted
from evaluators.labelling.spelling import normalised
from evaluators.labelling.synonyms import by_meaning, coarser

__all__ = [
    "Inferred", "LabelMap", "LabelMismatch", "align", "check_label_map", "may_infer", "normalised",
    "told_outputs",
]  # fmt: skip

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
    asked: bool = False,
) -> LabelMap:
    """The map from a model's outputs to the data's labels, by their names alone.

    `outputs` are the model's names by index, `wanted` the data's labels, `explicit` maps a label
    of the data to a name of the model, or to several, as in `4 stars|5 stars` (`--label-map`).
    Rules, in order: explicit map; exact names; normalised names (case, punctuation, a few
    abbreviations); synonyms and star ratings (labelling/synonyms.py); the names in `label2id`; and
    for outputs called LABEL_0.. the index, if the data's labels are 0..n-1. `LABEL_0` is first
    replaced by the name that `label2id` has for it. The first rule that reaches every label holds;
    with `partial`, where none does, the one that reaches most of them, and at least two.

    An explicit map that names no output of this model was meant for others: it is passed over,
    and `how` says so, unless the model was `asked` for by its id. No rule contradicts one that
    names some. Raises LabelMismatch with both lists where no rule holds or the explicit map does
    not fit, and BadInput as `check_label_map` does.
    """
    explicit = explicit or {}
    check_label_map(explicit, wanted)
    names = output_names(outputs, label2id)
    told = told_outputs(outputs, label2id, explicit, partial=partial)
    remark = _not_used(explicit) if explicit and not told else ""
    if remark and asked:
        raise LabelMismatch(f"{remark}; the model has {_listed(names)}")
    tried: list[tuple[str, dict[int, str]]] = []
    for how, found in _by_rule(outputs, names, label2id, wanted, explicit, told):
        if set(found.values()) == set(wanted):
            return _label_map(how, found, names, wanted, remark)
        tried.append((how, found))
    how, most = max(tried, key=_merit)
    n_reached = len(set(most.values()))
    if partial and n_reached >= LEAST_REACHED:
        return _label_map(how, most, names, wanted, remark)
    if told:
        remark = f"--label-map leaves no output for {_listed(_unreached(wanted, most))}"
    reason = _reason(names, wanted, most if n_reached >= LEAST_REACHED else {})
    raise LabelMismatch(f"{remark}; {reason}" if remark else reason)


def check_label_map(explicit: Mapping[str, str], wanted: Sequence[str]) -> None:
    """BadInput where it names a label that the data lacks, or one output for two labels."""
    unknown = [label for label in explicit if label not in wanted]
    if unknown:
        raise BadInput(
            f"--label-map names {_listed(unknown)}, but the data has {_listed(wanted)}. "
            "Write DATA_LABEL=MODEL_LABEL, as in 0=negative,1=positive."
        )
    label_of: dict[str, str] = {}
    for label, name in explicit.items():
        for part in _parts(name):
            if label_of.setdefault(part, label) != label:
                raise BadInput(
                    f"--label-map gives the output {part!r} to two labels, {label_of[part]!r} and "
                    f"{label!r}; an output stands for one label"
                )


def told_outputs(
    outputs: Sequence[str],
    label2id: Mapping[str, int],
    explicit: Mapping[str, str],
    *,
    partial: bool = False,
) -> dict[int, str]:
    """The outputs that an explicit map names, with their labels; none where it is for others.

    Raises LabelMismatch where it names some outputs of this model and others that it lacks (of
    which whole labels are passed over with `partial`), or where a name is not of one output.
    """
    names = output_names(outputs, label2id)
    by_name = _positions(outputs, str) | _positions(names, str)
    by_bare_name = _positions(names, normalised)
    found: dict[int, str] = {}
    lacking: list[str] = []
    for label, name in explicit.items():
        parts = [name] if name in by_name else _parts(name)
        places = [by_name.get(part) or by_bare_name.get(normalised(part), []) for part in parts]
        if partial and not any(places):
            continue
        lacking += [part for part, at in zip(parts, places, strict=True) if not at]
        for part, positions in zip(parts, places, strict=True):
            if len(positions) > 1 or any(at in found for at in positions):
                reason = f"--label-map names {part!r}, which is not one output for one label"
                raise LabelMismatch(f"{reason}; the model has {_listed(names)}")
            found |= dict.fromkeys(positions, label)
    if found and lacking:
        reason = f"--label-map names {_listed(lacking)}, no output of the model"
        raise LabelMismatch(f"{reason}, which has {_listed(names)}")
    return found


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
        is_told = bool(told_outputs(outputs, label2id, explicit or {}, partial=partial))
    except LabelMismatch:
        return False
    if is_told or (explicit and asked):  # what the user says is not replaced by what rows say
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
    told: Mapping[int, str],
) -> Iterable[tuple[str, dict[int, str]]]:
    """What each rule finds, in the rules' order: labels by output.

    Where outputs were `told`, only what agrees, and all of it is owed to the explicit map.
    """
    own = _by_names(outputs, names, label2id, wanted)
    if not told:
        yield from own
        return
    yield EXPLICIT, _completed(names, wanted, explicit, told)
    for _, found in own:
        if {at: label for at, label in found.items() if label in explicit} == told:
            yield EXPLICIT, found


def _by_names(
    outputs: Sequence[str],
    names: Sequence[str],
    label2id: Mapping[str, int],
    wanted: Sequence[str],
) -> Iterable[tuple[str, dict[int, str]]]:
    """The same of the rules that need no explicit map."""
    for how, key in (("exact names", str), ("normalised names", normalised)):
        found = _matched(names, wanted, key)
        finer = coarser(names, wanted, found) if len(found) == len(wanted) else {}
        yield (f"{how} and synonyms" if finer else how), found | finer
    yield "synonyms", by_meaning(names, wanted)
    if label2id.keys() != set(names):
        yield "label2id", _by_label2id(label2id, len(outputs), wanted)
    yield "index", _by_index(outputs, names, wanted)


def _label_map(
    how: str, found: Mapping[int, str], names: Sequence[str], wanted: Sequence[str], remark: str
) -> LabelMap:
    reached = set(found.values())
    return LabelMap(
        names=tuple(found.get(at) for at in range(len(names))),
        how=f"{how}; {remark}" if remark else how,
        unused=tuple(name for at, name in enumerate(names) if at not in found),
        missing=tuple(label for label in wanted if label not in reached),
    )


def _not_used(explicit: Mapping[str, str]) -> str:
    named = [part for name in explicit.values() for part in _parts(name)]
    return f"--label-map was not used: the model has no output {_listed(named)}"


def _parts(name: str) -> list[str]:
    """The outputs that one side of an explicit map names."""
    return [part.strip() for part in name.split("|")]


def _completed(
    names: Sequence[str],
    wanted: Sequence[str],
    explicit: Mapping[str, str],
    told: Mapping[int, str],
) -> dict[int, str]:
    """What was told, and for labels that it leaves out, outputs of that name or meaning."""
    by_name, by_bare_name = _positions(names, str), _positions(names, normalised)
    found = dict(told)
    for label in wanted:
        positions = by_name.get(label) or by_bare_name.get(normalised(label), [])
        if label not in explicit and len(positions) == 1 and positions[0] not in found:
            found[positions[0]] = label
    reached = {*found.values(), *explicit}
    meant = by_meaning(names, wanted)
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
        lacking = _listed(_unreached(wanted, most))
        return (
            f"{both}; nothing stands for {lacking}: say what does, with --label-map, "
            "or count such rows as wrong, with --partial"
        )
    return f"{both}; say which is which, for instance with --label-map {example}"


def _unreached(wanted: Sequence[str], found: Mapping[int, str]) -> list[str]:
    return [label for label in wanted if label not in found.values()]


def _listed(labels: Sequence[str]) -> str:
    return quoted(labels) or "none"
