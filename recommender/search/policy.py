"""Which contender is next and when the search ends: the index, without a study around it."""

from collections.abc import Collection, Iterator, Sequence
from math import inf

import numpy as np
from numpy.typing import NDArray

from recommender.search.contender import Contender, Ending, Standing
from recommender.search.surrogate import Surrogate

FLOORS = (0.02, 0.004, 0.0)
"""Before the first certificate: chances below which an untested contender waits for the others.
Afterwards those below the first of them are skipped."""

RESUMED_LAST, RESUMED_AFTERWARDS = 0.02, 0.10
"""A raced-out contender runs on where its chance, its neighbours counted, is above this: the first
where nothing else is left and there is no answer, the second after a certificate. Simulated with
100 candidates and 1,000 rows: running none on after a certificate gives an answer 2 % larger,
running all on that are worth the price costs 40 % more."""

PRICE = 0.03
"""One full pass of the best so far must buy this much of the logarithm of the cost."""

PASS_SHARE, RACE_SHARE = 0.6, 0.1
"""The share of the units that is usually read of one that will be certified, and of one that
will be raced out."""


NOTHING_LEFT = "no smaller candidate is left to try"
NOT_LIKELY = "no smaller candidate is likely to be certified with these labels"
ALL_TRIED = "every candidate was tried"
NONE_TO_TRY = "no candidate was left to try"
ELSEWHERE = "another search is running what is left"


class Policy:
    """The order of a search; it learns from standings and never touches a study.

    Before the first accepted contender: the cheapest untested one that has a chance. Afterwards,
    among those predicted to be cheaper: the largest chance times the logarithm of the saving, for
    each second it is expected to take, until that is below the price (evidence.md 2.5).
    """

    def __init__(
        self,
        contenders: Sequence[Contender],
        *,
        target: float,
        n_units: int,
        maximize: bool = False,
    ) -> None:
        self.contenders = contenders
        self.standings: dict[int, Standing] = {}
        self._n_units, self._sign = n_units, -1.0 if maximize else 1.0
        self._surrogate = Surrogate(contenders, target=target, n_units=n_units)
        self._costs = self._sign * np.array([c.cost for c in contenders])
        self._known = np.array([c.cost_is_known for c in contenders], dtype=bool)
        self._order = np.lexsort((np.arange(len(contenders)), self._costs))
        self._fixed_s = np.array([c.fixed_s for c in contenders])
        self._row_s = np.array([c.row_s for c in contenders])
        self._untested = np.ones(len(contenders), dtype=bool)
        self._paused = np.zeros(len(contenders), dtype=bool)
        self._n_seen = np.zeros(len(contenders))
        self._given_up: set[int] = set()
        self.best: int | None = None

    def learn(self, index: int, standing: Standing) -> None:
        """Take in the newest standing of a contender."""
        self.standings[index] = standing
        self._untested[index] = False
        self._paused[index] = is_paused(standing) and index not in self._given_up
        self._n_seen[index] = standing.n_seen
        self._surrogate.update(index, standing)
        if standing.accepted or index == self.best:
            self.best = self._cheapest_accepted()

    def give_up(self, index: int) -> None:
        """Never offer this contender again: running it on brought nothing."""
        self._given_up.add(index)
        self._paused[index] = False

    def next(self, running: Collection[int] = ()) -> int | None:
        """The next contender to run, or to run on; None where the search should end."""
        free = np.ones(len(self.contenders), dtype=bool)
        free[list(running)] = False
        if self.best is None:
            return self._first_answer(free)
        return self._improvement(free)

    def after(self, index: int) -> Iterator[int]:
        """The contenders that would follow if this one and they showed nothing, the next first."""
        running = {index}
        while (following := self.next(running)) is not None:
            running.add(following)
            yield following

    def ending(self, running: Collection[int] = ()) -> Ending:
        """Why nothing is next."""
        excluded = self._untested & ~self.could_be_cheaper()
        skipped = self._untested & ~excluded
        raced_out = sum(is_paused(s) for s in self.standings.values())
        return Ending(
            self._reason(running, skipped=int(skipped.sum())),
            raced_out=raced_out,
            skipped=int(skipped.sum()),
            excluded=int(excluded.sum()),
            saved_mb=self._saved_mb(),
        )

    def untried(self, running: Collection[int] = ()) -> NDArray[np.bool_]:
        """Whether each contender is untested, free and could be cheaper: (contenders,) of bool."""
        found = self._untested & self.could_be_cheaper()
        found[list(running)] = False
        return found

    def could_be_cheaper(self) -> NDArray[np.bool_]:
        """Whether each contender could still cost less than the best: (contenders,) of bool."""
        return ~self._known | (self._costs < self._best_cost())

    def _first_answer(self, free: NDArray[np.bool_]) -> int | None:
        chances = self._surrogate.chances()
        for floor in FLOORS:
            found = self._order[(self._untested & free & (chances >= floor))[self._order]]
            if found.size:
                return int(found[0])
        resumable = self._paused & free & (chances >= RESUMED_LAST)
        if not resumable.any():
            return None
        return int(np.argmax(np.where(resumable, chances, -1.0)))

    def _improvement(self, free: NDArray[np.bool_]) -> int | None:
        open_ = (self._untested | self._paused) & free & self.could_be_cheaper()
        if not open_.any():
            return None
        chances = self._surrogate.chances()
        index = chances * self._savings() / self._expected_s(chances)
        likely = chances >= np.where(self._paused, RESUMED_AFTERWARDS, FLOORS[0])
        # A cost that must be measured has no known saving, so no price ends the search for it.
        worth = ~self._known | (index * self._full_pass_s() >= PRICE)
        index = np.where(open_ & likely & worth, index, 0.0)
        found = int(np.argmax(index))
        return found if index[found] > 0 else None

    def _savings(self) -> NDArray[np.float64]:
        """The logarithm of best/cost where it is known, else 1: (contenders,)."""
        ratios = np.abs(self._best_cost()) / np.maximum(np.abs(self._costs), 1e-12)
        return np.asarray(np.where(self._known, np.maximum(self._sign * np.log(ratios), 0.0), 1.0))

    def _expected_s(self, chances: NDArray[np.float64]) -> NDArray[np.float64]:
        """The seconds that running each contender is expected to take: (contenders,)."""
        share = chances * PASS_SHARE + (1.0 - chances) * RACE_SHARE
        rows = np.maximum(share * self._n_units, 1.0)
        rows = np.minimum(rows, np.maximum(self._n_units - self._n_seen, 1.0))
        return np.asarray(np.maximum(self._fixed_s + self._row_s * rows, 1e-9))

    def _full_pass_s(self) -> float:
        if self.best is None:
            return 0.0
        contender = self.contenders[self.best]
        return contender.fixed_s + contender.row_s * self._n_units

    def _best_cost(self) -> float:
        """The measured cost of the best so far, with the sign that makes less better."""
        if self.best is None:
            return inf
        cost = self.standings[self.best].cost
        return inf if cost is None else self._sign * cost

    def _cheapest_accepted(self) -> int | None:
        costs = {i: s.cost for i, s in self.standings.items() if s.accepted and s.cost is not None}
        return min(costs, key=lambda i: (self._sign * costs[i], i)) if costs else None

    def _reason(self, running: Collection[int], *, skipped: int) -> str:
        waiting = [i for i in running if self.could_be_cheaper()[i]]
        if waiting:
            return ELSEWHERE
        if self._untested.sum() == 0:
            return ALL_TRIED if self.contenders else NONE_TO_TRY
        return NOT_LIKELY if skipped else NOTHING_LEFT

    def _saved_mb(self) -> float:
        """Each model is downloaded once for all its recipes."""
        fetched = {self._model(i) for i in self.standings}
        left: dict[str, float] = {}
        for index, contender in enumerate(self.contenders):
            if self._model(index) not in fetched:
                key = self._model(index)
                left[key] = max(left.get(key, 0.0), float(contender.download_mb))
        return sum(left.values())

    def _model(self, index: int) -> str:
        return self.contenders[index].model or self.contenders[index].name


def is_paused(standing: Standing) -> bool:
    """Raced out: more of its units could be run."""
    return not (standing.finished or standing.certified or standing.failed)
