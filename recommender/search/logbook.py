"""What a study's trials say of the contenders, and the attributes that they say it in."""

import os
import platform
import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from cache.processes import is_running, started
from recommender.search.contender import Contender, Standing
from recommender.search.policy import Policy

PARAMETER = "candidate"
"""The parameter is a contender's place in the fixed order; the attribute of that name its name."""

STANDING, PROCESS, UNITS = "standing", "process", "n_units"

BELIEVED_S = 3600.0
"""How long a trial of another machine is taken to be running: nobody here can see that its process
was killed, as each container is another machine. A candidate takes minutes."""

TOKEN = uuid4().hex[:8]
"""Tells this process from an ended one that had the same id, where the kernel tells no times."""


class Logbook:
    """Reads each finished trial once; trials under way are looked at again each time."""

    def __init__(self, contenders: Sequence[Contender], *, n_units: int) -> None:
        self._index = {contender.name: index for index, contender in enumerate(contenders)}
        self._n_units = n_units
        self._n_read = 0
        self._pending: list[int] = []
        self._start: int | None = None

    def read(self, study: Study) -> tuple[list[tuple[int, int, Standing]], set[int]]:
        """What was told since the last reading, and the contenders that are being run.

        First (trial, contender, standing) of each finished trial.

        A failure that an earlier search met is not told: whoever keeps failures says which of
        them still hold (the standings that a search begins with).
        """
        trials = study.get_trials(deepcopy=False)
        if self._start is None:
            self._start = len(trials)
        told, running, pending = [], set(), []
        for number in (*self._pending, *range(self._n_read, len(trials))):
            trial = trials[number]
            index = self._index.get(str(trial.user_attrs.get(PARAMETER)))
            if not trial.state.is_finished():
                pending.append(number)
                if index is not None and _is_running(trial):
                    running.add(index)
            elif index is not None and (standing := self._standing(trial)) is not None:
                told.append((number, index, standing))
        self._pending, self._n_read = pending, len(trials)
        return told, running

    def catch_up(self, policy: Policy, study: Study) -> set[int]:
        """Let the policy learn what the trials told; the contenders that are being run."""
        told, running = self.read(study)
        for number, index, standing in told:
            known = policy.standings.get(index)
            # What a search begins with was judged again: of as many units, it knows better.
            known_units = -1 if known is None else known.n_seen
            is_new = number >= (self._start or 0)
            if standing.n_seen > known_units or (is_new and standing.n_seen == known_units):
                policy.learn(index, standing)
        return running

    def _standing(self, trial: FrozenTrial) -> Standing | None:
        stored = trial.user_attrs.get(STANDING)
        if stored is None:
            return None
        fields = dict(stored)
        n_units = fields.pop(UNITS)
        standing = Standing(**fields)
        if trial.state is TrialState.FAIL:
            is_new = self._start is not None and trial.number >= self._start
            return standing if standing.failed and is_new else None
        if n_units == self._n_units or standing.certified:
            return standing
        return _for_more_units(standing)


def sign(trial: Trial, contender: Contender) -> None:
    """Write on a trial whose it is, so that parallel searches leave its contender alone."""
    trial.set_user_attr(PARAMETER, contender.name)
    trial.set_user_attr(PROCESS, this_process())


def write(trial: Trial, standing: Standing, *, n_units: int) -> None:
    """Write a standing on its trial, and how many units there were when it was told."""
    trial.set_user_attr(STANDING, {**as_json(standing), UNITS: n_units})


def violation(standing: Standing, target: float) -> float:
    """The quality constraint: -1 where accepted, else 1 plus how far the estimate is below.

    The distance is for Optuna's own samplers, which rank what is infeasible by it.
    """
    if standing.accepted:
        return -1.0
    below = 0.0 if standing.mean is None else max(0.0, target - standing.mean)
    return 1.0 + below


def as_json(standing: Standing) -> dict[str, Any]:  # Any: numbers, booleans and None
    """A standing as JSON can hold it."""
    return {name: getattr(standing, name) for name in Standing.__dataclass_fields__}


def this_process() -> str:
    """The host, the process id and a token, which tell a killed search from a living one."""
    return mark_of(os.getpid())


def mark_of(pid: int) -> str:
    """What trials of a process of this machine carry."""
    return f"{platform.node()}:{pid}:{started(pid) or TOKEN}"


def is_dead(process: object) -> bool:
    """Whether the process that started a trial has ended; another host's may be alive."""
    host, pid, token = [*str(process).split(":"), "", ""][:3]
    if not pid:
        return True
    if host != platform.node():
        return False
    if int(pid) == os.getpid():
        return str(process) != this_process()
    return not is_running(int(pid), token)


def runs_here(process: object) -> bool:
    """Whether the process that started a trial is a living one of this machine."""
    return str(process).startswith(f"{platform.node()}:") and not is_dead(process)


def _is_running(trial: FrozenTrial) -> bool:
    process, started = trial.user_attrs.get(PROCESS), trial.datetime_start
    if is_dead(process):
        return False
    return runs_here(process) or started is None or time.time() - started.timestamp() < BELIEVED_S


def _for_more_units(standing: Standing) -> Standing:
    """A standing from before labels were added: it may go on."""
    return Standing(
        standing.n_seen, standing.mean, standing.chance, certified=False, accepted=False,
        finished=False, cost=standing.cost, informative=standing.informative,
    )  # fmt: skip
