"""The Optuna study of a search: ask, race, tell, resume."""

import math
import sqlite3
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.study import Study
from optuna.trial import Trial, TrialState
from sqlalchemy import event

from recommender.search.contender import Contender, Ending, Report, Standing
from recommender.search.logbook import PROCESS, is_dead, violation, write
from recommender.search.policy import is_paused
from recommender.search.pruner import Racing
from recommender.search.rivals import sampler_named

Evaluate = Callable[[int, Report], Standing]
"""Runs a contender, reports after each rung, and gives its last standing."""

LOCK_TIMEOUT_S = 600.0


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
) -> Ending:
    """Ask for contenders, race them and tell the study, until more is not worth its time.

    contenders: in the fixed order that breaks ties. standings: what is known beforehand, by place
    in that order; it is filled with all that this search and its parallel workers find.
    target: of the binding condition, on the scale of `Standing.mean`. minimize: the name of the
    objective; larger is better with `maximize`. name: of the study, which must stand for the
    whole question (labels, target, limits), as a stored study of this name is continued.
    Without a storage the study is kept in memory. `stop` may end it between two trials. Raises
    BadInput for an unknown sampler.

    Whatever `evaluate` raises ends the search; its trial is marked as failed first, and the same
    search goes on where it was.
    """
    proposer = sampler_named(
        sampler, contenders, standings,
        target=target, n_units=n_units, maximize=maximize, seed=seed,
    )  # fmt: skip
    with one_at_a_time(storage):
        study = open_study(name, minimize=minimize, maximize=maximize, storage=storage)
    study.sampler = proposer.sampler
    while stop is None or not stop():
        with one_at_a_time(storage):
            asked = proposer.ask(study)
        standings.update(proposer.policy.standings)
        if asked is None:
            break
        trial, index = asked
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
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if is_dead(trial.user_attrs.get(PROCESS)):
            study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
    return study


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


@contextmanager
def one_at_a_time(storage: Path | None) -> Iterator[None]:
    """Only one of the searches on a storage opens it or asks, so no two run the same contender.

    SQLite's own lock on a file beside it: a killed holder lets go, on every platform.
    """
    if storage is None:
        yield
        return
    storage.parent.mkdir(parents=True, exist_ok=True)
    beside = storage.with_name(f"{storage.name}.lock")
    with closing(sqlite3.connect(beside, timeout=LOCK_TIMEOUT_S, isolation_level=None)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        yield


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
