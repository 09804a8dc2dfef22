"""The sampler of the search: the cheapest contender that is likely to be sufficient."""

from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial

from recommender.search.contender import Contender, Ending, Standing
from recommender.search.logbook import PARAMETER, Logbook, sign
from recommender.search.policy import Policy


class CheapestSufficient(BaseSampler):
    """Suggests the place of the next contender, from what the study's trials say of all.

    General samplers over model names need several times the evaluations that a walk along the
    known sizes needs (docs/decisions/0003-smallest-first.md). Deterministic: it draws nothing.
    """

    def __init__(
        self,
        contenders: Sequence[Contender],
        *,
        target: float,
        n_units: int,
        maximize: bool = False,
        standings: Mapping[int, Standing] | None = None,
    ) -> None:
        self._contenders = contenders
        self.policy = Policy(contenders, target=target, n_units=n_units, maximize=maximize)
        self._logbook = Logbook(contenders, n_units=n_units)
        self._running: set[int] = set()
        self._next: int | None = None
        for index, standing in (standings or {}).items():
            self.policy.learn(index, standing)

    @property
    def sampler(self) -> BaseSampler:
        """What the study samples with: itself."""
        return self

    def next(self, study: Study) -> int | None:
        """The place of the next contender; None where the search should end."""
        self.refresh(study)
        self._next = self.policy.next(self._running)
        return self._next

    def ask(self, study: Study) -> tuple[Trial, int] | None:
        """A trial of the next contender, signed; None where the search should end."""
        index = self.next(study)
        if index is None:
            return None
        trial = study.ask({PARAMETER: IntDistribution(0, len(self._contenders) - 1)})
        sign(trial, self._contenders[index])
        return trial, index

    def ending(self) -> Ending:
        """Why nothing was next."""
        return self.policy.ending(self._running)

    def refresh(self, study: Study) -> None:
        """Learn what the trials have told since the last time."""
        self._running = self._logbook.catch_up(self.policy, study)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Empty: the one parameter is sampled on its own."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Empty, as the search space is."""
        return {}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> int:
        """The place of the next contender; RuntimeError where none is worth running."""
        index = self._next if self._next is not None else self.next(study)
        self._next = None
        if index is None:
            raise RuntimeError(self.ending().reason)
        return index
