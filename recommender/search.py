"""The Optuna study: which candidate is next, and what it was told. The home of optuna."""

import os
import platform
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy import event

from evaluators.measurement import State
from recommender.recommendation import Outcome
from recommender.space import Pool
from recommender.trial import Looked
from recommender.walk import next_candidate

PARAMETER = "candidate"
PROCESS = "process"

Evaluate = Callable[[int, Looked], Outcome]


class SmallestFirst(BaseSampler):
    """Suggests the next candidate of the fixed order that could still be the answer.

    General samplers over unordered model names need several times the evaluations that a walk
    along the known sizes needs (docs/decisions/0003-smallest-first.md).
    """

    def __init__(self, pool: Pool, outcomes: Mapping[int, Outcome], minimize: str) -> None:
        self._candidates = pool.candidates
        self._outcomes = outcomes
        self._minimize = minimize

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
    ) -> str:
        """The name of the next candidate; RuntimeError when nothing is left to try."""
        index = next_candidate(self._candidates, self._outcomes, self._minimize)
        if index is None:
            raise RuntimeError("every candidate that could be the answer has an outcome")
        return self._candidates[index].name


def search(
    pool: Pool,
    outcomes: dict[int, Outcome],
    evaluate: Evaluate,
    *,
    minimize: str,
    storage: Path,
    name: str,
) -> None:
    """Walk the pool by ask and tell until the answer is known; fills `outcomes` by index.

    Whatever `evaluate` raises ends the walk; the trial at hand is marked as failed first, and the
    same search goes on where it was.
    """
    study = open_study(pool, outcomes, minimize=minimize, storage=storage, name=name)
    names = [candidate.name for candidate in pool.candidates]
    space: dict[str, BaseDistribution] = {PARAMETER: CategoricalDistribution(names)}
    while next_candidate(pool.candidates, outcomes, minimize) is not None:
        trial = study.ask(space)
        trial.set_user_attr(PROCESS, this_process())
        index = names.index(trial.params[PARAMETER])
        try:
            outcome = evaluate(index, lambda wrong, seen, t=trial: t.report(1 - wrong / seen, seen))  # type: ignore[misc]
        except BaseException:
            study.tell(trial, state=TrialState.FAIL)
            raise
        outcomes[index] = outcome
        _tell(study, trial, outcome, minimize)


def open_study(
    pool: Pool,
    outcomes: Mapping[int, Outcome],
    *,
    minimize: str,
    storage: Path,
    name: str,
) -> Study:
    """The stored study of a pool, or a new one; trials that a kill left running become failed."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(
            study_name=name,
            storage=_rdb(storage),
            direction="maximize" if minimize == "throughput_per_s" else "minimize",
            sampler=SmallestFirst(pool, outcomes, minimize),
            load_if_exists=True,
        )
        study.set_metric_names([minimize])
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if is_dead(trial.user_attrs.get(PROCESS)):
            study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
    return study


def this_process() -> str:
    """The host and the process id, which tell a killed search's trials from a living one's."""
    return f"{platform.node()}:{os.getpid()}"


def is_dead(process: object) -> bool:
    """Whether the process that started a trial has ended; another host's may be alive."""
    host, _, pid = str(process).rpartition(":")
    if not host:
        return True
    if host != platform.node():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return int(pid) == os.getpid()


def _rdb(path: Path) -> optuna.storages.RDBStorage:
    storage = optuna.storages.RDBStorage(
        f"sqlite:///{path}", engine_kwargs={"connect_args": {"timeout": 60}}
    )

    def use_wal(connection: Any, _: object) -> None:  # Any: sqlalchemy's DBAPI connection
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")  # rebuildable from measurements.db

    event.listen(storage.engine, "connect", use_wal)
    storage.engine.dispose()  # so that the connection which made the tables is opened anew
    return storage


def _tell(study: Study, trial: Trial, outcome: Outcome, minimize: str) -> None:
    trial.set_user_attr("state", str(outcome.state))
    trial.set_user_attr("reason", outcome.reason)
    trial.set_user_attr("n_rows", outcome.n_rows)
    cost = outcome.value(minimize)
    if outcome.state is State.REJECTED_EARLY:
        study.tell(trial, state=TrialState.PRUNED)
    elif outcome.state is not State.EVALUATED or cost is None:
        study.tell(trial, state=TrialState.FAIL)
    else:
        trial.set_constraint("requirements", -1.0 if outcome.acceptable else 1.0)
        study.tell(trial, cost)
