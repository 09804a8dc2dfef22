"""A small simulated world for the search: contenders with known qualities and their answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp, log

import numpy as np

from recommender.evidence.predictive import allowed_errors, chance_from_counts, quantile
from recommender.search.contender import Contender, Report, Standing, first_rung, rungs

N_UNITS, TARGET = 400, 0.9


def contender(
    name: str, cost: float, *, fixed_s: float = 0.0, row_s: float = 1.0, recipe: str = "fp32",
    goal: float = log(1 / 0.0005), known: bool = True, published: float | None = None,
) -> Contender:  # fmt: skip
    return Contender(
        name, cost, known, cost * 1e6, name, recipe, published, goal, fixed_s, row_s, cost, name
    )


def walk_up(qualities: Sequence[float], **known: bool) -> list[Contender]:
    """Contenders of 1.5 times the size of the one before, half of them in another recipe."""
    return [
        contender(
            f"m{i}", exp(0.4 * i), recipe=("fp32", "int8")[i % 2], row_s=exp(0.4 * i), **known
        )
        for i in range(len(qualities))
    ]


@dataclass
class World:
    """Answers rows up to the next rung, remembers how far it came, and certifies by counting.

    `interrupt_at` raises KeyboardInterrupt at that many evaluations.
    """

    contenders: list[Contender]
    qualities: Sequence[float]
    seed: int = 0
    interrupt_at: int | None = None
    seen: dict[int, int] = field(default_factory=dict)
    runs: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        draws = np.random.default_rng(self.seed).random((len(self.contenders), N_UNITS))
        self.right = draws < np.array(self.qualities)[:, None]

    def evaluate(self, index: int, report: Report) -> Standing:
        self.runs.append(index)
        one = self.contenders[index]
        if len(self.runs) == self.interrupt_at:
            raise KeyboardInterrupt
        for at in rungs(
            N_UNITS, max(first_rung(one.fixed_s, one.row_s), self.seen.get(index, 0) + 1)
        ):
            self.seen[index] = at
            standing = self.standing(index)
            if standing.finished or report(standing):
                return standing
        raise AssertionError("the last rung is all units")

    def standing(self, index: int) -> Standing:
        one, at = self.contenders[index], self.seen[index]
        right = int(self.right[index, :at].sum())
        passes = at - right <= allowed_errors(at, TARGET, quantile(one.goal))
        done = passes or at == N_UNITS
        chance = float(passes) if done else chance_from_counts(
            at - right, right, threshold=TARGET, goal=one.goal, n_informative=N_UNITS
        )  # fmt: skip
        return Standing(at, right / at, chance, passes, passes, done, one.cost if done else None)
