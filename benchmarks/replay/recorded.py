"""What was recorded of real candidates, and an evaluator that answers from it."""

import json
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.costs import TYPICAL_ROW_KB, CostModel
from recommender.evidence.binomial import binomial_cdf, max_errors
from recommender.evidence.predictive import chance_from_counts
from recommender.evidence.wealth import MIXTURE, STARTS, Floats, log_wealth
from recommender.search.contender import Contender, Report, Standing, first_rung, rungs

RECORD = Path(__file__).with_name("sst2.json")

DELTA, POOL_SHARE = 0.05, 0.8
"""The allowed chance of a wrong certificate, and the share of it that the declared pool has."""

LEAST_POWER = 0.8
"""Of the one-candidate test that says what these rows can prove at all."""

GRID = 0.001


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """What was recorded: (K, N) of right answers, and each candidate's size, time and name."""

    names: tuple[str, ...]
    contenders: tuple[Contender, ...]
    right: NDArray[np.uint8]
    size_mb: Floats
    n_parameters: Floats

    @classmethod
    def read(cls) -> "Recorded":
        record = json.loads(RECORD.read_text("utf-8"))
        found = record["candidates"]
        bits = [np.frombuffer(b64decode(one["right"]), dtype=np.uint8) for one in found]
        goal = float(np.log(len(found) / (DELTA * POOL_SHARE)))
        return cls(
            names=tuple(f"{one['model']} {one['recipe']}" for one in found),
            contenders=tuple(contender(one, goal) for one in found),
            right=np.array([np.unpackbits(one, count=record["n_rows"]) for one in bits]),
            size_mb=np.array([one["size_mb"] for one in found]),
            n_parameters=np.array([one["n_parameters"] for one in found]),
        )

    @property
    def truth(self) -> Floats:
        """(K,), the accuracy on the full set."""
        return np.asarray(self.right.mean(axis=1))

    def provable(self, n_rows: int, target: float) -> NDArray[np.bool_]:
        """(K,), who would be proven 4 times in 5 if it were alone: one exact look at delta."""
        allowed = max_errors(n_rows, target, DELTA)
        if allowed is None:
            return np.zeros(len(self.names), dtype=bool)
        powers = [binomial_cdf(allowed, n_rows, 1 - quality) for quality in self.truth]
        return np.array(powers) >= LEAST_POWER

    def smallest(self, allowed: NDArray[np.bool_]) -> int | None:
        return int(np.where(allowed, self.size_mb, np.inf).argmin()) if allowed.any() else None


def contender(one: dict[str, Any], goal: float) -> Contender:
    """As the search sees it: uniform weights, and the seconds that the cost model expects."""
    backend, precision = one["recipe"].rsplit("-", 1)
    model, millions = CostModel.learn(), one["n_parameters"] / 1e6
    return Contender(
        name=f"{one['model']} {one['recipe']}",
        cost=one["size_mb"],
        cost_is_known=True,
        n_parameters=one["n_parameters"],
        family="bert",
        recipe=one["recipe"],
        prior_quality=None,
        goal=goal,
        fixed_s=sum(model.line(s, backend, precision).at(millions) for s in ("build", "load")),
        row_s=model.line("rows", backend, precision).at(millions * TYPICAL_ROW_KB),
        model=one["model"],
    )


# ---------------------------------------------------------------------- the evaluator
class RecordedBench:
    """Answers rungs of drawn rows for the search, from what was recorded."""

    def __init__(
        self, recorded: Recorded, right: NDArray[np.uint8], crossing: NDArray[np.int64],
        target: float,
    ) -> None:  # fmt: skip
        self.recorded, self.target, self.n_rows = recorded, target, right.shape[1]
        self.seen = np.zeros(len(right), dtype=np.int64)
        self.standings: dict[int, Standing] = {}
        self._right, self._crossing = right, crossing
        self._n_right = np.cumsum(right, axis=1, dtype=np.int32)

    def evaluate(self, index: int, report: Report) -> Standing:
        standing = self._standing(index)
        one = self.recorded.contenders[index]
        first = first_rung(one.fixed_s, one.row_s)
        for end in rungs(self.n_rows, first):
            if standing.finished:
                break
            if end > self.seen[index]:
                self.seen[index] = end
                standing = self._standing(index)
                if report(standing):
                    break
        return standing

    def _standing(self, index: int) -> Standing:
        n_seen, one = int(self.seen[index]), self.recorded.contenders[index]
        n_right = int(self._n_right[index, n_seen - 1]) if n_seen else 0
        certified = bool(self._crossing[index] <= n_seen) and is_certified(
            self._right[index, :n_seen], self.target, goal=one.goal, n_rows=self.n_rows
        )
        chance = chance_from_counts(
            n_seen - n_right, n_right, threshold=self.target, goal=one.goal,
            n_informative=self.n_rows,
        )  # fmt: skip
        return Standing(
            n_seen=n_seen,
            mean=n_right / n_seen if n_seen else None,
            chance=1.0 if certified else chance,
            certified=certified,
            accepted=certified,
            finished=certified or n_seen == self.n_rows,
            cost=one.cost,
        )


def crossings(right: NDArray[np.uint8], target: float, goal: float) -> NDArray[np.int64]:
    """(paths,), the row with which the bet on the target is won; more than there are if never."""
    won = _wealth(right, np.full(len(right), target), goal, right.shape[1]) >= goal
    return np.asarray(np.where(won.any(axis=1), won.argmax(axis=1) + 1, right.shape[1] + 1))


def is_certified(right: NDArray[np.uint8], target: float, *, goal: float, n_rows: int) -> bool:
    """Whether the bets on all grid targets up to this one were won with these rows.

    As recommender.evidence.bounds has it, faster for right and wrong alone: the constant bets,
    whose wealth depends on the two counts only, settle the targets far below.
    """
    targets: Floats = np.arange(1, round(target / GRID) + 1, dtype=np.float64) * GRID
    open_ = targets[constant_bets(right, targets) < goal]
    paths = np.broadcast_to(right, (len(open_), len(right)))
    won = _wealth(paths, open_, goal, n_rows).max(axis=1, initial=-np.inf) >= goal
    return bool(won.all())


def constant_bets(right: NDArray[np.uint8], targets: Floats) -> Floats:
    """The log wealth that the constant bets alone hold after all rows, for each target."""
    n_right = float(right.sum())
    wins = np.log1p(np.outer(1 / targets - 1, MIXTURE))  # (targets, bets)
    parts = np.log(STARTS[-len(MIXTURE) :]) + n_right * wins
    parts = parts + (len(right) - n_right) * np.log1p(-MIXTURE)
    return np.asarray(np.logaddexp.reduce(parts, axis=1))


def _wealth(right: NDArray[np.uint8], targets: Floats, goal: float, n_rows: int) -> Floats:
    return log_wealth(
        right - targets[:, None],
        bound=targets,
        goal=goal,
        batch_ends=[n_rows],
        second_moment=targets * (1 - targets),
    )
