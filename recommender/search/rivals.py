"""Optuna's own samplers in the same search, for comparison."""

from collections.abc import Mapping, Sequence
from math import log
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import Trial, TrialState

from cache.errors import BadInput
from recommender.choices import SAMPLERS
from recommender.search.contender import Contender, Ending, Standing
from recommender.search.logbook import PARAMETER, Logbook, sign, violation
from recommender.search.policy import Policy
from recommender.search.sampler import CheapestSufficient

RIVALS: dict[str, type[BaseSampler]] = {
    "tpe": TPESampler,
    "gp": GPSampler,
    "nsga2": NSGAIISampler,
    "random": RandomSampler,
}

SUGGESTIONS_EACH = 3
"""Suggestions for each contender; after them the untested ones follow in random order."""


class Proposer(Protocol):
    """Proposes one contender after the other, as trials of a study."""

    policy: Policy

    @property
    def sampler(self) -> BaseSampler:
        """What the study samples with."""

    def ask(self, study: Study) -> tuple[Trial, int] | None:
        """A signed trial of the next contender; None where the search should end."""

    def ending(self) -> Ending:
        """Why nothing was next."""


def sampler_named(
    name: str,
    contenders: Sequence[Contender],
    standings: Mapping[int, Standing],
    *,
    target: float,
    n_units: int,
    maximize: bool,
    seed: int,
) -> Proposer:
    """What proposes contenders under a sampler's name; raises BadInput for an unknown one."""
    if name == "cheapest":
        return CheapestSufficient(
            contenders, target=target, n_units=n_units, maximize=maximize, standings=standings
        )
    if name not in RIVALS:
        raise BadInput(f"unknown sampler {name!r}: choose one of {', '.join(SAMPLERS)}")
    policy = Policy(contenders, target=target, n_units=n_units, maximize=maximize)
    for index, standing in standings.items():
        policy.learn(index, standing)
    return Rival(RIVALS[name], policy, target=target, n_units=n_units, seed=seed)


class Rival:
    """One of Optuna's samplers over (log parameters, recipe), snapped to the nearest contender.

    A suggestion that was run before costs nothing: the study is told the same again. One that is
    predicted to cost no less than the best is pruned unrun, so every sampler is spared what cannot
    be the answer. The end is the same for all: nothing is left that could be cheaper.
    """

    def __init__(
        self, kind: type[BaseSampler], policy: Policy, *, target: float, n_units: int, seed: int
    ) -> None:
        self.policy = policy
        self._sampler = kind(seed=seed)  # type: ignore[call-arg]  # each of RIVALS takes a seed
        self._target = target
        self._logbook = Logbook(policy.contenders, n_units=n_units)
        self._running: set[int] = set()
        self._random = np.random.default_rng(seed)
        self._left = SUGGESTIONS_EACH * len(policy.contenders)
        self._places = _places(policy.contenders)
        self._recipes = np.array([c.recipe for c in policy.contenders])

    @property
    def sampler(self) -> BaseSampler:
        """Optuna's."""
        return self._sampler

    def ask(self, study: Study) -> tuple[Trial, int] | None:
        """A signed trial of an untested contender, repeated suggestions answered on the way."""
        self._running = self._logbook.catch_up(self.policy, study)
        while (open_ := self.policy.untried(self._running)).any():
            if self._left <= 0:
                self._enqueue(study, int(self._random.choice(np.flatnonzero(open_))))
            self._left -= 1
            trial = study.ask(self._space())
            index = self._nearest(trial, open_)
            contender = self.policy.contenders[index]
            if open_[index]:
                sign(trial, contender)
                return trial, index
            trial.set_user_attr(PARAMETER, contender.name)
            self._repeat(study, trial, self.policy.standings.get(index))
        return None

    def ending(self) -> Ending:
        """Why nothing was next."""
        return self.policy.ending(self._running)

    def _space(self) -> dict[str, BaseDistribution]:
        return {
            "place": FloatDistribution(float(self._places.min()), float(self._places.max())),
            "recipe": CategoricalDistribution(sorted(set(self._recipes.tolist()))),
        }

    def _nearest(self, trial: Trial, open_: NDArray[np.bool_]) -> int:
        """The contender of the recipe with the nearest size; of equal ones an open one."""
        distance = np.abs(self._places - trial.params["place"])
        distance[self._recipes != trial.params["recipe"]] = np.inf
        nearest = np.flatnonzero(distance == distance.min())
        among = nearest[open_[nearest]]
        return int(among[0] if among.size else nearest[0])

    def _enqueue(self, study: Study, index: int) -> None:
        study.enqueue_trial(
            {"place": float(self._places[index]), "recipe": str(self._recipes[index])}
        )

    def _repeat(self, study: Study, trial: Trial, known: Standing | None) -> None:
        """Tell a repeated trial what is known; nothing is where it was excluded by its cost."""
        if known is None:
            study.tell(trial, state=TrialState.PRUNED)
        elif known.failed:
            study.tell(trial, state=TrialState.FAIL)
        else:
            trial.set_constraint("quality", violation(known, self._target))
            if known.finished and known.cost is not None:
                study.tell(trial, known.cost)
            else:
                study.tell(trial, state=TrialState.PRUNED)


def _places(contenders: Sequence[Contender]) -> NDArray[np.float64]:
    """Log parameters; log cost where the parameters of one are not known: (contenders,)."""
    sizes = [contender.n_parameters for contender in contenders]
    if any(not size for size in sizes):
        sizes = [contender.cost for contender in contenders]
    return np.array([log(max(float(size or 0.0), 1e-9)) for size in sizes])
