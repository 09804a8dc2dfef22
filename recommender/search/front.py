"""The front as a second, multi-objective study, for Optuna's own plots and dashboard."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, create_trial

from cache.database import one_at_a_time
from recommender.search.logbook import PARAMETER
from recommender.search.study import rdb

METRICS = ("quality", "latency_ms", "size_mb")
"""The first is maximized, the others are minimized."""


@dataclass(frozen=True, slots=True)
class FrontPoint:
    """One measured candidate: its estimated quality, where more is better, and its costs.

    sufficient: whether it is certified and within every limit; others are marked as infeasible.
    """

    name: str
    quality: float
    latency_ms: float
    size_mb: float
    sufficient: bool


def record_front(storage: Path | BaseStorage, name: str, points: Sequence[FrontPoint]) -> Study:
    """Bring the study `name` up to date, one trial a point; its `best_trials` are the front.

    A finished trial cannot be changed, so where a point was measured anew the study is filled anew.
    """
    if isinstance(storage, Path):
        with one_at_a_time(storage):
            return record_front(rdb(storage), name, points)
    study = _open(storage, name)
    stored = {_as_told(trial) for trial in study.get_trials(deepcopy=False)}
    wanted = {_as_told(trial): trial for trial in map(_trial, points)}
    if not stored <= wanted.keys():
        optuna.delete_study(study_name=name, storage=storage)
        study, stored = _open(storage, name), set()
    study.add_trials([trial for told, trial in wanted.items() if told not in stored])
    return study


def _open(storage: BaseStorage, name: str) -> Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(
            study_name=name,
            storage=storage,
            directions=["maximize", "minimize", "minimize"],
            load_if_exists=True,
        )
        study.set_metric_names(list(METRICS))
    return study


def _trial(point: FrontPoint) -> FrozenTrial:
    return create_trial(
        values=(point.quality, point.latency_ms, point.size_mb),
        user_attrs={PARAMETER: point.name},
        constraints={"quality": -1.0 if point.sufficient else 1.0},
    )


def _as_told(trial: FrozenTrial) -> tuple[object, ...]:
    return (trial.user_attrs.get(PARAMETER), *trial.values, *trial.constraints.items())
