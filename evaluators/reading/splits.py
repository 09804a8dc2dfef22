"""Which part of a data set may certify, and which are left for training and calibration?"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cache.errors import BadInput, NotFound
from evaluators.reading.table import in_words

ROLES = {
    "train": ("train", "training", "trn"),
    "validation": ("validation", "valid", "val", "dev", "development", "eval"),
    "test": ("test", "testing", "tst", "heldout"),
}
"""What splits are called, by what they are for."""

EVIDENCE = ("test", "validation", "train")
"""The split that certifies: the first of these that there is."""


@dataclass(frozen=True, slots=True)
class Splits:
    """The splits of a data set, the one whose rows are evidence, and the others.

    Nothing that trains or calibrates may touch the rows of `evidence`. `warning` is what must be
    said where these are the rows for training; empty otherwise. `unlabelled` are splits that lack
    a column of the others, as published test splits without their labels do.
    """

    names: tuple[str, ...]
    evidence: str
    unlabelled: tuple[str, ...] = ()

    @property
    def others(self) -> tuple[str, ...]:
        """The splits for training and calibration: a test split is for neither."""
        without = (self.evidence, *self.unlabelled)
        return tuple(name for name in self.names if name not in without and role_of(name) != "test")

    @property
    def warning(self) -> str:
        """What must be said of the evidence; empty where it is a test or validation split."""
        if role_of(self.evidence) != "train":
            return ""
        return "made for training: models that were trained on these rows look too good on them"

    @property
    def note(self) -> str:
        """Which split was taken among which."""
        said = f"split: {self.evidence!r} of {in_words(self.names)}"
        lacking = f"{in_words(self.unlabelled)} has no labels" if self.unlabelled else ""
        return "; ".join(part for part in (said, lacking, self.warning) if part)


def role_of(name: str) -> str | None:
    """What a split is for, by its name or its first or last word; None for other names."""
    words = re.split(r"[\W_]+|(?<=[a-z])(?=\d)|(?<=\d)(?=[a-z])", name.strip().casefold())
    for word in (words[0], words[-1]):
        for role, names in ROLES.items():
            if word in names:
                return role
    return None


def chosen_splits(names: Sequence[str], asked: str | None, source: str) -> Splits:
    """The splits with the asked one as evidence, else test, else validation, else train.

    Of several for the same purpose the plainly named one is taken. NotFound for an asked name
    that is not there; BadInput where no name tells what it is for, or two tell the same.
    """
    if asked is not None:
        if asked in names:
            return Splits(tuple(names), asked)
        same = [name for name in names if role_of(name) == role_of(asked) and role_of(asked)]
        if len(same) == 1:
            return Splits(tuple(names), same[0])
        raise NotFound(f"{source} has no split {asked!r}; it has {in_words(names)}.")
    if len(names) == 1:
        return Splits(tuple(names), names[0])
    for role in EVIDENCE:
        found = [name for name in names if role_of(name) == role]
        plain = [name for name in found if name.casefold() in ROLES[role]] or found
        if len(plain) == 1:
            return Splits(tuple(names), plain[0])
        if plain:
            break
    raise BadInput(f"{source} has the splits {in_words(names)}. Choose one with --split.")
