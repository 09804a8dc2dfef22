"""The error ledger: who may spend which share of delta on one labelled sample.

Fixed before any label is used: one random order, the candidates as prediction functions, and their
weights. A line j certifies when its wealth reaches 1/(share_j delta); the shares sum to at most 1,
so anything certified is wrong with a chance of at most delta, whoever looks and whenever they stop
(Ville's inequality for each line, and a union bound).

What may come later without new labels is declared here too. Other targets are free: the wealth is
tuned for each target of a grid, and a bound needs every lower target to be crossed. Reserves pay
for the rest: newcomers that were published independently of the labels, and a fixed menu of other
exact metrics. Everything else is tested on labels that were added afterwards, or not at all.

The standard library alone: every answer from memory reads its ledger first.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import isclose, log
from types import MappingProxyType
from typing import Any, Literal, Protocol

from cache.errors import BadInput
from cache.key import JSONValue, canonical_json, digest

NEWCOMERS_SCALE = 50
"""k0: the weights of newcomers fall slowly over the first k0 of them, then as 1/k^2."""

SETTINGS = ("delta", "seed", "duplicates", "group", "mode")
"""The names of `Settings`."""

SHOWN_NAMES = 3

Duplicates = Literal["drop", "keep"]
Mode = Literal["pool", "open"]


@dataclass(frozen=True, slots=True)
class Reserves:
    """How delta is split: the declared pool, newcomers, other metrics, a baseline's upper bound,
    and the declared candidates with their labels in another order.

    The pool's part costs it 3 % more labels at alpha = .0005, and 7 % at .025.
    """

    pool: float = 0.8
    newcomers: float = 0.05
    menu: float = 0.1
    reference: float = 0.0
    reordered: float = 0.05

    def __post_init__(self) -> None:
        parts = self.parts
        if min(parts) < 0 or sum(parts) > 1 + 1e-12:
            raise ValueError(f"the reserves {parts} must not be negative, nor sum to more than 1")

    @property
    def parts(self) -> tuple[float, ...]:
        """All parts of 1, in the order of the fields."""
        return (self.pool, self.newcomers, self.menu, self.reference, self.reordered)

    @classmethod
    def from_json(cls, parts: Sequence[float]) -> "Reserves":
        """The inverse of `parts`; ledgers of before have four, and nothing for other orders."""
        given = [*parts, 0.0] if len(parts) == 4 else parts
        return cls(*given)


WITH_REFERENCE = Reserves(pool=0.7, reference=0.1)
"""For a ratio of f1, precision or recall: the baseline's upper bound is a claim of its own."""


@dataclass(frozen=True, slots=True)
class Line:
    """A declared candidate: `key` identifies a prediction function, `weight` is its part of 1."""

    key: str
    name: str
    weight: float


@dataclass(frozen=True, slots=True)
class Reference:
    """The baseline whose upper bound is needed, and the conditions that are ratios to it."""

    key: str
    name: str
    conditions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """Conditions that a candidate must meet jointly, each with its target."""

    conditions: tuple[str, ...]
    targets: tuple[float, ...]
    reference: Reference | None = None

    def __post_init__(self) -> None:
        if len(self.targets) != len(self.conditions):
            raise ValueError(f"{len(self.conditions)} conditions, {len(self.targets)} targets")
        if len(set(self.conditions)) != len(self.conditions):
            raise ValueError(f"a condition is asked twice: {self.conditions}")


class Settings(Protocol):
    """What a later question about the same labels cannot change."""

    @property
    def delta(self) -> float: ...  # noqa: D102
    @property
    def seed(self) -> int: ...  # noqa: D102
    @property
    def duplicates(self) -> Duplicates: ...  # noqa: D102
    @property
    def group(self) -> str | None: ...  # noqa: D102
    @property
    def mode(self) -> Mode: ...  # noqa: D102


class Case(StrEnum):
    """What a later question about the same labels is."""

    FREE = "other targets, limits, a subset, more labels"
    RESERVE = "covered by a reserve"
    NEW_LABELS = "new labels are needed"


@dataclass(frozen=True, slots=True)
class Coverage:
    """Which case holds, in a plain sentence, and what is not covered (keys and conditions)."""

    case: Case
    sentence: str
    uncovered_lines: tuple[str, ...] = ()
    uncovered_conditions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ledger:
    """One labelled sample's ledger, fixed before any of its labels was used.

    `question` is what was asked first, `menu` the other exact conditions; with several conditions
    asked jointly the menu must hold each of them, since the joint claim says nothing about one
    alone. `scope` is canonical JSON of what newcomers must match. `order` is the digest of the
    units in their random order, so that the hash is the sample's too. Raises ValueError where the
    shares could sum to more than 1.
    """

    delta: float
    seed: int
    duplicates: Duplicates
    group: str | None
    mode: Mode
    question: Question
    menu: tuple[str, ...]
    lines: tuple[Line, ...]
    scope: str
    order: str
    reserves: Reserves = Reserves()
    _weights: Mapping[str, float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        weights = {line.key: line.weight for line in self.lines}
        total = sum(weights.values())
        if len(weights) != len(self.lines) or min(weights.values(), default=0.0) < 0:
            raise ValueError("every line needs its own key, and a weight that is not negative")
        if total > 1 + 1e-9:
            raise ValueError(f"the weights sum to {total:.6g}, more than 1")
        if not 0 < self.delta < 1:
            raise ValueError(f"delta {self.delta:g} must lie between 0 and 1")
        if len(set(self.menu)) != len(self.menu):
            raise ValueError(f"the menu names a condition twice: {self.menu}")
        if self.is_joint and not set(self.conditions) <= set(self.menu):
            raise ValueError("conditions that are asked jointly must each be in the menu too")
        if (self.question.reference is not None) != (self.reserves.reference > 0):
            raise ValueError("a reference and its reserve come together")
        object.__setattr__(self, "_weights", MappingProxyType(weights))

    # ------------------------------------------------------------------ its text
    @property
    def conditions(self) -> tuple[str, ...]:
        """The conditions that were asked first."""
        return self.question.conditions

    @property
    def is_joint(self) -> bool:
        """Whether several conditions were asked together."""
        return len(self.conditions) > 1

    @property
    def hash(self) -> str:
        """The SHA-256 of its canonical JSON."""
        return digest(self._as_json())

    def to_json(self) -> str:
        """Its canonical JSON, which `from_json` reads back."""
        return canonical_json(self._as_json())

    @classmethod
    def from_json(cls, text: str) -> "Ledger":
        """The inverse of `to_json`."""
        value: dict[str, Any] = json.loads(text)  # Any: JSON
        asked = value.pop("question")
        reference = asked["reference"]
        question = Question(
            tuple(asked["conditions"]),
            tuple(asked["targets"]),
            reference and Reference(reference[0], reference[1], tuple(reference[2])),
        )
        value["menu"] = tuple(value["menu"])
        value["lines"] = tuple(Line(*line) for line in value["lines"])
        value["reserves"] = Reserves.from_json(value["reserves"])
        return cls(question=question, **value)

    def _as_json(self) -> dict[str, JSONValue]:
        ref = self.question.reference
        return {
            "delta": self.delta,
            "seed": self.seed,
            "duplicates": self.duplicates,
            "group": self.group,
            "mode": self.mode,
            "question": {
                "conditions": list(self.conditions),
                "targets": list(self.question.targets),
                "reference": None if ref is None else [ref.key, ref.name, list(ref.conditions)],
            },
            "menu": list(self.menu),
            "lines": [[line.key, line.name, line.weight] for line in self.lines],
            "scope": self.scope,
            "order": self.order,
            "reserves": list(self.reserves.parts),
        }

    # ------------------------------------------------------------------ shares of delta
    def asks_first(self, question: Question) -> bool:
        """Whether a question is the first one with other targets that are free.

        One condition: any target. Several: all targets moved by the same amount, since the claim
        is that they hold together at one distance from the targets.
        """
        if set(question.conditions) != set(self.conditions):
            return False
        first = dict(zip(self.conditions, self.question.targets, strict=True))
        shifts = [
            target - first[name]
            for name, target in zip(question.conditions, question.targets, strict=True)
        ]
        return all(isclose(shift, shifts[0], abs_tol=1e-9) for shift in shifts)

    def reserve_of(
        self, condition: str, question: Question | None = None
    ) -> Literal["pool", "menu"] | None:
        """What pays for a condition of a question (of the first one by default), if anything."""
        asked = question or self.question
        if not self._has_reference(asked, condition):
            return None
        alone = not self.is_joint and condition in self.conditions
        if condition in asked.conditions and (alone or self.asks_first(asked)):
            return "pool"
        return "menu" if condition in self.menu else None

    def share(self, line: str, condition: str, question: Question | None = None) -> float | None:
        """A declared line's share of delta for a condition of a question; None if not covered."""
        weight = self._weights.get(line)
        reserve = self.reserve_of(condition, question)
        if weight is None or reserve is None:
            return None
        part = self.reserves.pool if reserve == "pool" else self.reserves.menu / len(self.menu)
        return part * weight

    def reordered_share(
        self, line: str, condition: str, question: Question | None = None
    ) -> float | None:
        """The share of a declared line whose names the label slice shows in another order.

        It is a hypothesis of its own: which order that is follows from the slice, before a label
        of its evidence is used. It has none of the menu.
        """
        weight = self._weights.get(line)
        if weight is None or self.reserve_of(condition, question) != "pool":
            return None
        return self.reserves.reordered * weight

    def newcomer_share(
        self, rank: int, condition: str, question: Question | None = None, *, later: bool = False
    ) -> float | None:
        """The share of the rank-th newcomer, from 1; newcomers have none of the menu.

        Slot k owns rho k0/((k0 + k - 1)(k0 + k)), which telescopes to rho. Those published
        independently of the labels take the odd slots, and with `later` those that were named
        after labels had been used the even ones: the rank among one kind never depends on how
        many of the other there are, so no choice made after results moves a weight.
        """
        if self.reserve_of(condition, question) != "pool":
            return None
        slot, scale = 2 * rank - (not later), NEWCOMERS_SCALE
        return self.reserves.newcomers * scale / ((scale + slot - 1) * (scale + slot))

    def reference_share(self, condition: str) -> float | None:
        """The share of the baseline's upper bound for one ratio; None if it has none."""
        reference = self.question.reference
        if reference is None or condition not in reference.conditions:
            return None
        return self.reserves.reference / len(reference.conditions)

    def _has_reference(self, question: Question, condition: str) -> bool:
        """Whether the upper bound that a condition may need was declared."""
        asked, ours = question.reference, self.question.reference
        if asked is None or condition not in asked.conditions:
            return True
        return ours is not None and ours.key == asked.key and condition in ours.conditions

    def goal(self, share: float | None) -> float | None:
        """log(1/(share delta)): the log wealth that a share must reach; None for no share."""
        return None if not share else -log(share * self.delta)

    # ------------------------------------------------------------------ later questions
    def check_settings(self, given: Settings) -> None:
        """BadInput where a later question would use the same labels under other settings."""
        for name in SETTINGS:
            ours, theirs = getattr(self, name), getattr(given, name)
            if ours != theirs:
                raise BadInput(
                    f"these rows were used before with {_setting(name, ours)}, and now "
                    f"{_setting(name, theirs)} was given; other settings need rows that were "
                    "never used (the same labels cannot be tried again until they pass)"
                )

    def check_open(self, question: Question, lines: Sequence[Line], *, same_units: bool) -> None:
        """BadInput unless it is the very question that was asked in the open mode.

        Each search there spends its levels on the candidates that it promotes, so nothing is left
        for another target, another pool or more labels.
        """
        asked, ours = _targets(question), _targets(self.question)
        if asked == ours and same_units and {line.key for line in lines} == self._weights.keys():
            return
        words = ", ".join(f"{name} >= {target:g}" for name, target in ours.items())
        raise BadInput(
            f"these rows were searched in the open mode for '{words}', which has one look at the "
            "held-out rows; ask the same again, or use rows that were never used"
        )

    def coverage(
        self, question: Question, lines: Sequence[Line], *,
        newcomers: Collection[str] = (), later: Collection[str] = (),
    ) -> Coverage:  # fmt: skip
        """Which case a later question is, for the candidates that it is asked about.

        `newcomers` and `later` are the keys of those that entered by the one rule or the other.
        """
        outside = [line for line in lines if line.key not in self._weights]
        fresh = [line.name for line in outside if line.key in newcomers]
        after = [line.name for line in outside if line.key in later]
        entered = {*newcomers, *later}
        unknown = [line for line in outside if line.key not in entered]
        paid = {name: self.reserve_of(name, question) for name in question.conditions}
        open_conditions = [name for name, reserve in paid.items() if reserve is None]
        menu = [name for name, reserve in paid.items() if reserve == "menu"]
        parts = [
            f"{_named([line.name for line in unknown])}: made or named after these labels were "
            "used: new rows are needed" if unknown else "",
            f"{_named(open_conditions)}: not declared before these labels were used: new rows "
            "are needed" if open_conditions else "",
            f"{_named(after)}: certified on labels added afterwards only" if after else "",
            f"{_named(fresh)}: by the reserve for newcomers" if fresh else "",
            f"{_named(menu)}: by the reserve for other metrics" if menu else "",
        ]  # fmt: skip
        sentence = "; ".join(part for part in parts if part)
        if unknown or open_conditions:
            keys = tuple(line.key for line in unknown)
            return Coverage(Case.NEW_LABELS, sentence, keys, tuple(open_conditions))
        if sentence:
            return Coverage(Case.RESERVE, sentence)
        if self.mode == "open":
            return Coverage(Case.FREE, "the same question, asked again in the open mode")
        return Coverage(
            Case.FREE,
            "covered by the ledger of these labels: other targets and limits, a subset of the "
            "candidates, and more labels are free",
        )


def menu_of(conditions: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    """The menu beside the asked conditions: the others, and, of several asked, each alone."""
    alone = tuple(conditions) if len(conditions) > 1 else ()
    rest = (name for name in others if name not in conditions)
    return tuple(dict.fromkeys((*alone, *rest)))


def _targets(question: Question) -> dict[str, float]:
    return dict(zip(question.conditions, question.targets, strict=True))


def _setting(name: str, value: object) -> str:
    """A setting as the option that gives it."""
    if value is None:
        return f"no --{name}"
    if isinstance(value, float) and name == "delta":
        return f"--confidence {round(1 - value, 12):.12g}"
    return f"--{name} {value}"


def _named(names: Sequence[str]) -> str:
    rest = len(names) - SHOWN_NAMES
    return ", ".join(names[:SHOWN_NAMES]) + (f" and {rest} more" if rest > 0 else "")
