"""The map from a model's outputs to the data's labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cache.errors import BadInput
from cache.key import JSONValue
from evaluators.measurement import CandidateFailed, State

SHOWN_LABELS = 12


class LabelMismatch(CandidateFailed):
    """A model's outputs cannot be told to be the data's labels."""

    def __init__(self, reason: str) -> None:
        super().__init__(State.LABEL_MISMATCH, reason)


@dataclass(frozen=True, slots=True)
class Inferred:
    """How a map does on the rows that it was found on, which are therefore no evidence for it.

    `n_right` of `n_rows` answers are right with it. `n_right_named` are right with the map that
    the model's own names give, where there is one and it was turned down.
    """

    n_rows: int
    n_right: int
    n_right_named: int | None = None

    @property
    def sentence(self) -> str:
        """What was found, as a report says it."""
        now, apart = self._share(self.n_right), "rows that are not used as evidence"
        if self.n_right_named is None:
            return f"labels inferred: {now} right on {self.n_rows:,} {apart}"
        return (
            f"label names permuted: was {self._share(self.n_right_named)}, is {now} after "
            f"alignment, on {self.n_rows:,} {apart}"
        )

    def _share(self, n: int) -> str:
        return f"{100 * n / self.n_rows:.0f} %"

    def to_json(self) -> list[JSONValue]:
        """The three counts."""
        return [self.n_rows, self.n_right, self.n_right_named]

    @classmethod
    def from_json(cls, counts: Sequence[JSONValue]) -> "Inferred":
        """The inverse of `to_json`."""
        match counts:
            case [int(n_rows), int(n_right), int() | None as n_right_named]:
                return cls(n_rows, n_right, n_right_named)
        raise BadInput(f"an inferred label map needs three counts, not {counts!r}")


@dataclass(frozen=True, slots=True)
class LabelMap:
    """For each output of a model, by index, the data's label that it stands for, or None.

    Several outputs may stand for one label. A prediction of an output that stands for None counts
    as wrong. `how` names the rule that found the map, `unused` the outputs that the data lacks, as
    the model calls them, `missing` the labels of the data that the model cannot answer: their rows
    count as wrong. `inferred` marks a map that was found on labelled rows.
    """

    names: tuple[str | None, ...]
    how: str
    unused: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    inferred: Inferred | None = None

    @property
    def sentence(self) -> str:
        """The labels in the order of the outputs, how they were found, and what is lacking."""
        found = ", ".join("none" if name is None else name for name in self.names)
        parts = [f"{found} ({self.how})"]
        if self.inferred is not None:
            parts = [found, self.inferred.sentence]
        if self.missing:
            parts.append(f"the model lacks {quoted(self.missing)}, whose rows count as wrong")
        if self.unused:
            parts.append(f"the data lacks its {quoted(self.unused)}")
        return "; ".join(parts)

    def to_json(self) -> dict[str, JSONValue]:
        """The form that crosses processes and enters keys; what is not the case is left out."""
        found: dict[str, JSONValue] = {
            "names": list(self.names),
            "how": self.how,
            "unused": list(self.unused),
        }
        if self.missing:
            found["missing"] = list(self.missing)
        if self.inferred is not None:
            found["inferred"] = self.inferred.to_json()
        return found

    @classmethod
    def from_json(cls, value: Mapping[str, JSONValue]) -> "LabelMap":
        """The inverse of `to_json`."""
        names, unused = value["names"], value["unused"]
        missing, inferred = value.get("missing", []), value.get("inferred")
        if not all(isinstance(part, list | tuple) for part in (names, unused, missing)):
            raise BadInput("a label map needs the lists 'names' and 'unused'.")
        return cls(
            names=tuple(None if name is None else str(name) for name in _items(names)),
            how=str(value["how"]),
            unused=tuple(str(name) for name in _items(unused)),
            missing=tuple(str(name) for name in _items(missing)),
            inferred=None if inferred is None else Inferred.from_json(_items(inferred)),
        )


def quoted(names: Sequence[str]) -> str:
    """The first dozen in quotes, and how many more; empty where there is none."""
    shown = ", ".join(map(repr, names[:SHOWN_LABELS]))
    more = len(names) - SHOWN_LABELS
    return f"{shown} and {more:,} more" if more > 0 else shown


def _items(value: JSONValue) -> Sequence[JSONValue]:
    return value if isinstance(value, list | tuple) else ()
