"""The Optuna study of a search: ask, race, tell, resume."""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import optuna
from optuna.study import Study
from optuna.trial import Trial, TrialState
from sqlalchemy import event

from cache.database import one_at_a_time
from recommender.search.contender import Contender, Ending, Report, Standing
from recommender.search.logbook import PROCESS, is_dead, runs_here, violation, write
from recommender.search.policy import ELSEWHERE, is_paused
from recommender.search.pruner import Racing
from recommender.search.rivals import sampler_named

Evaluate = Callable[[int, Report], Standing]
"""Runs a contender, reports after each rung, and gives its last standing."""


def search(
    contenders: Sequence[Contender],
    standings: dict[int, Standing],
    evaluate: Evaluate,
    *,
    target: float,
    n_units: int,
    minimize: str,
    name: str,
    storage: Path | None = None,
    sampler: str = "cheapest",
    seed: int = 0,
    maximize: bool = False,
    stop: Callable[[], bool] | None = None,
    wait: Callable[[], None] | None = None,
    ahead: Callable[[Iterator[int]], None] | None = None,
) -> Ending:
    """Ask for contenders, race them and tell the study, until more is not worth its time.

    contenders: in the fixed order that breaks ties. standings: what is known beforehand, by place
    in that order; it is filled with all that this search and its parallel workers find.
    target: of the binding condition, on the scale of `Standing.mean`. minimize: the name of the
    objective; larger is better with `maximize`. name: of the study, which must stand for the
    whole question (labels, target, limits), as a stored study of this name is continued.
    Without a storage the study is kept in memory. `stop` may end it between two trials. `wait` is
    called, again and again, while another process of this machine runs all that is left; without
    it the search ends then. `ahead` is told before each trial which contenders are likely to
    follow, the next first. Raises BadInput for an unknown sampler.

    Whatever `evaluate` raises ends the search; its trial is marked as failed first, and the same
    search goes on where it was.
    """
    proposer = sampler_named(
        sampler, contenders, standings,
        target=target, n_units=n_units, maximize=maximize, seed=seed,
    )  # fmt: skip
    with _alone_on(storage):
        study = open_study(name, minimize=minimize, maximize=maximize, storage=storage)
    study.sampler = proposer.sampler
    while stop is None or not stop():
        with _alone_on(storage):
            asked = proposer.ask(study)
            if asked is None:
                _fail_dead(study)
        standings.update(proposer.policy.standings)
        if asked is None:
            if wait is None or not _is_run_beside(study, proposer.ending()):
                break
            wait()
            continue
        trial, index = asked
        if ahead is not None:
            ahead(proposer.policy.after(index))
        before = standings.get(index)
        found = _run(trial, index, evaluate, target=target, n_units=n_units)
        standings[index] = found
        if before is not None and is_paused(found) and found.n_seen <= before.n_seen:
            proposer.policy.give_up(index)
    return proposer.ending()


def open_study(name: str, *, minimize: str, maximize: bool, storage: Path | None) -> Study:
    """The study of this name, stored or new; trials that a kill left running become failed."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        study_name=name,
        storage=None if storage is None else rdb(storage),
        direction="maximize" if maximize else "minimize",
        sampler=optuna.samplers.RandomSampler(seed=0),  # replaced by the search's own
        pruner=Racing(),
        load_if_exists=True,
    )
    if storage is not None and study.metric_names is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", category=optuna.exceptions.ExperimentalWarning)
            study.set_metric_names([minimize])
    _fail_dead(study)
    return study


def _fail_dead(study: Study) -> None:
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if is_dead(trial.user_attrs.get(PROCESS)):
            study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)


def rdb(path: Path) -> optuna.storages.RDBStorage:
    """A SQLite storage with a write-ahead log, a third of the default's time for each trial."""
    path.parent.mkdir(parents=True, exist_ok=True)
    storage = optuna.storages.RDBStorage(
        f"sqlite:///{path}", engine_kwargs={"connect_args": {"timeout": 60}}
    )

    def use_wal(connection: Any, _: object) -> None:  # Any: sqlalchemy's DBAPI connection
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")  # rebuildable from measurements.db

    event.listen(storage.engine, "connect", use_wal)
    storage.engine.dispose()  # so that the connection which made the tables is opened anew
    return storage


def _alone_on(storage: Path | None) -> AbstractContextManager[None]:
    """Only one of the searches on a storage opens it or asks, so no two run the same contender."""
    return nullcontext() if storage is None else one_at_a_time(storage)


def _is_run_beside(study: Study, ending: Ending) -> bool:
    """Whether other searches run all that is left, and one of them is a process of this machine."""
    if ending.reason != ELSEWHERE:
        return False
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return any(runs_here(trial.user_attrs.get(PROCESS)) for trial in running)


def _run(trial: Trial, index: int, evaluate: Evaluate, *, target: float, n_units: int) -> Standing:
    last: Standing | None = None

    def report(standing: Standing) -> bool:
        nonlocal last
        last = standing
        write(trial, standing, n_units=n_units)
        if standing.mean is not None and math.isfinite(standing.mean):
            trial.report(standing.mean, step=standing.n_seen)
        return trial.should_prune()

    try:
        found = evaluate(index, report)
    except BaseException:
        trial.study.tell(trial, state=TrialState.FAIL)
        raise
    if found != last:
        write(trial, found, n_units=n_units)
    _tell(trial, found, target=target)
    return found


def _tell(trial: Trial, found: Standing, *, target: float) -> None:
    """A value for what is finished and has a cost; its quality is a constraint, not a value."""
    if found.failed:
        trial.study.tell(trial, state=TrialState.FAIL)
        return
    trial.set_constraint("quality", violation(found, target))
    if (found.finished or found.certified) and found.cost is not None:
        trial.study.tell(trial, found.cost)
    else:
        trial.study.tell(trial, state=TrialState.PRUNED)
