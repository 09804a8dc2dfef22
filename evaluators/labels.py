"""Which output of a model is which label of the user's data? Found out, or refused."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cache.errors import BadInput
from cache.key import JSONValue
from evaluators.measurement import CandidateFailed, State

SYNONYMS = {"pos": "positive", "neg": "negative", "neu": "neutral"}
"""Abbreviations that mean the same in every model that was seen; anything else is a guess."""

GENERIC = re.compile(r"label_(\d+)", re.IGNORECASE)
"""What transformers calls the outputs of a model whose author named none."""

SHOWN_LABELS = 12


class LabelMismatch(CandidateFailed):
    """A model's outputs cannot be told to be the data's labels."""

    def __init__(self, reason: str) -> None:
        super().__init__(State.LABEL_MISMATCH, reason)


@dataclass(frozen=True, slots=True)
class LabelMap:
    """For each output of a model, by index, the data's label that it stands for, or None.

    A prediction of an output that stands for None counts as wrong. `how` names the rule that
    found the map, `unused` the outputs that the data lacks, as the model calls them.
    """

    names: tuple[str | None, ...]
    how: str
    unused: tuple[str, ...] = ()

    def to_json(self) -> dict[str, JSONValue]:
        """The form that crosses processes and enters keys."""
        return {"names": list(self.names), "how": self.how, "unused": list(self.unused)}

    @classmethod
    def from_json(cls, value: Mapping[str, JSONValue]) -> "LabelMap":
        """The inverse of `to_json`."""
        names, unused = value["names"], value["unused"]
        if not isinstance(names, Sequence) or not isinstance(unused, Sequence):
            raise BadInput("a label map needs the lists 'names' and 'unused'.")
        return cls(
            names=tuple(None if name is None else str(name) for name in names),
            how=str(value["how"]),
            unused=tuple(str(name) for name in unused),
        )


def align(
    outputs: Sequence[str],
    label2id: Mapping[str, int],
    wanted: Sequence[str],
    explicit: Mapping[str, str] | None = None,
) -> LabelMap:
    """The one-to-one map from a model's outputs to the data's labels.

    `outputs` are the model's names by index, `wanted` the data's labels, `explicit` maps a label
    of the data to a name of the model (`--label-map 0=negative,1=positive`). Rules, in order:
    explicit map; exact names; normalised names (case, punctuation, a few abbreviations); and for
    outputs called LABEL_0.. the index, if the data's labels are 0..n-1. `LABEL_0` is first
    replaced by the name that `label2id` has for it.

    An explicit map whose model names this model lacks is passed over: it was meant for others.
    Raises LabelMismatch with both lists where no rule reaches every label by exactly one output,
    and BadInput where `explicit` names a label that the data lacks.
    """
    names = _real_names(outputs, label2id)
    _refuse_unknown(explicit or {}, wanted)
    chosen = _explicit(outputs, names, wanted, explicit or {})
    for how, found in (
        ("explicit map", chosen),
        ("exact names", _matched(names, wanted, str)),
        ("normalised names", _matched(names, wanted, normalised)),
        ("index", _by_index(outputs, names, wanted)),
    ):
        if found is not None and set(found.values()) == set(wanted):
            unused = tuple(name for at, name in enumerate(names) if at not in found)
            return LabelMap(tuple(found.get(at) for at in range(len(names))), how, unused)
    raise LabelMismatch(_reason(names, wanted))


def normalised(label: str) -> str:
    """A label without case, spaces and punctuation, abbreviations written out.

    Numbers keep their sign and point: -1 is not 1. So do labels of punctuation only.
    """
    folded = label.strip().casefold()
    if re.fullmatch(r"[-+]?[\d.,]+", folded):
        return folded
    bare = "".join(sign for sign in folded if sign.isalnum()) or folded
    return SYNONYMS.get(bare, bare)


def _real_names(outputs: Sequence[str], label2id: Mapping[str, int]) -> tuple[str, ...]:
    """The outputs' names, from `label2id` where `outputs` are generic and it is not."""
    by_index = {index: name for name, index in label2id.items()}
    complete = len(by_index) == len(label2id) and set(by_index) == set(range(len(outputs)))
    if not complete or not all(GENERIC.fullmatch(name) for name in outputs):
        return tuple(outputs)
    return tuple(by_index[index] for index in range(len(outputs)))


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
) -> dict[int, str] | None:
    """The explicit pairs, and for labels that they leave out, outputs of the same name."""
    by_name = _positions(outputs, str) | _positions(names, str)
    by_bare_name = _positions(names, normalised)
    found: dict[int, str] = {}
    for label in wanted if explicit else ():
        name = explicit.get(label, label)
        positions = by_name.get(name) or by_bare_name.get(normalised(name), [])
        if len(positions) != 1:
            return None
        found[positions[0]] = label
    return found or None


def _matched(
    names: Sequence[str], wanted: Sequence[str], key: Callable[[str], str]
) -> dict[int, str] | None:
    """The outputs that have a label's key; None unless keys tell all labels and outputs apart."""
    positions = _positions(names, key)
    found = {
        positions[key(label)][0]: label
        for label in wanted
        if len(positions.get(key(label), [])) == 1
    }
    return found if len(found) == len(wanted) else None


def _positions(names: Sequence[str], key: Callable[[str], str]) -> dict[str, list[int]]:
    positions: dict[str, list[int]] = {}
    for at, name in enumerate(names):
        positions.setdefault(key(name), []).append(at)
    return positions


def _by_index(
    outputs: Sequence[str], names: Sequence[str], wanted: Sequence[str]
) -> dict[int, str] | None:
    """LABEL_2 is the label 2, if the data's labels are exactly the outputs' numbers."""
    matches = [GENERIC.fullmatch(name) for name in outputs]
    numbers = [match[1] for match in matches if match]
    if tuple(outputs) != tuple(names) or len(numbers) != len(outputs):
        return None
    return dict(enumerate(numbers)) if sorted(numbers) == sorted(wanted) else None


def _reason(names: Sequence[str], wanted: Sequence[str]) -> str:
    if not names:
        return f"the model does not name its outputs; the data has {_listed(wanted)}"
    pairs = zip(wanted, names, strict=False)
    example = ",".join(f"{label}={name}" for label, name in list(pairs)[:2])
    return (
        f"the model has {_listed(names)}, the data has {_listed(wanted)}; say which is which, "
        f"for instance with --label-map {example}"
    )


def _listed(labels: Sequence[str]) -> str:
    shown = ", ".join(repr(label) for label in labels[:SHOWN_LABELS])
    more = len(labels) - SHOWN_LABELS
    return f"{shown} and {more:,} more" if more > 0 else shown or "none"
