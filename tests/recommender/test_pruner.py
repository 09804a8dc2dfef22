"""Racing gives up what the flat prior gives no chance, and looks at nothing else."""

import optuna
import pytest

from recommender.search.contender import Standing, first_rung, rungs
from recommender.search.logbook import write
from recommender.search.pruner import Racing


def asked(standing: Standing) -> bool:
    study = optuna.create_study(pruner=Racing(), sampler=optuna.samplers.RandomSampler(seed=0))
    for better in (0.99, 0.98, 0.97):  # what a median pruner would compare with
        trial = study.ask()
        write(
            trial,
            Standing(16, better, 0.9, certified=False, accepted=False, finished=False, cost=1.0),
            n_units=100,
        )
        trial.report(better, 16)
        study.tell(trial, 1.0)
    trial = study.ask()
    write(trial, standing, n_units=100)
    trial.report(standing.mean or 0.0, standing.n_seen)
    return trial.should_prune()


@pytest.mark.parametrize(
    ("chance", "pruned"), [(0.0, True), (0.049, True), (0.051, False), (1.0, False)]
)
def test_only_the_chance_of_the_last_standing_decides(chance: float, pruned: bool) -> None:
    """Neither the other trials nor the reported mean matters."""
    for mean in (0.1, 0.95):
        standing = Standing(
            16, mean, chance, certified=False, accepted=False, finished=False, cost=None
        )
        assert asked(standing) is pruned


def test_a_certified_contender_is_never_pruned() -> None:
    """What is proven needs no forecast."""
    assert not asked(
        Standing(16, 0.9, 0.0, certified=True, accepted=False, finished=True, cost=1.0)
    )


def test_the_rungs_double_with_a_step_between_and_end_with_all_units() -> None:
    """The first one is at least as costly as loading."""
    assert rungs(100) == (16, 24, 32, 48, 64, 96, 100)
    assert rungs(100, first=33) == (48, 64, 96, 100)
    assert rungs(10) == (10,)
    assert rungs(64, first=500) == (64,)
    assert first_rung(5.0, 0.1) == 50
    assert first_rung(0.0, 0.1) == 16
