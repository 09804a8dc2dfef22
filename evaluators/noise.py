"""How good can any model be on labels that contradict each other?"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Labelled(Protocol):
    """A text with its label."""

    @property
    def text(self) -> str:
        """What a model reads."""

    @property
    def label(self) -> str:
        """What it should answer."""


@dataclass(frozen=True, slots=True)
class NoiseCeiling:
    """The highest accuracy that any function of the text reaches on given rows.

    `n_texts` is the number of texts that carry two or more labels. Without one the ceiling is 1.
    """

    n_texts: int
    ceiling: float

    @property
    def shown(self) -> str:
        """The ceiling in three decimals, rounded up: no function of the text is above it."""
        return f"{math.ceil(self.ceiling * 1000 - 1e-9) / 1000:.3f}"

    @property
    def note(self) -> str:
        """One sentence; empty where no text carries two labels."""
        if not self.n_texts:
            return ""
        texts = "1 text carries" if self.n_texts == 1 else f"{self.n_texts:,} texts carry"
        return (
            f"{texts} two or more labels: "
            f"no model can have an accuracy above {self.shown} on these rows"
        )


def noise_ceiling(rows: Sequence[Labelled], weights: Sequence[float] | None = None) -> NoiseCeiling:
    """The ceiling of the accuracy that weighs rows by `weights`, by default all alike.

    For each text the best answer is the label with the most weight (the Bayes rule of the rows'
    own distribution), so the ceiling is the sum of these weights over the sum of all.
    """
    votes: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    heaviness = [1.0] * len(rows) if weights is None else weights
    for row, weight in zip(rows, heaviness, strict=True):
        votes[row.text][row.label].append(weight)
    most = [max(map(math.fsum, labels.values())) for labels in votes.values()]
    total = math.fsum(heaviness)
    n_texts = sum(len(labels) > 1 for labels in votes.values())
    return NoiseCeiling(n_texts, math.fsum(most) / total if n_texts else 1.0)
