"""The search through the real Optuna loop: what is found, skipped, raced out, resumed, shared."""

import os
import platform
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from cache.errors import BadInput
from recommender.search.contender import Contender, Ending, Standing
from recommender.search.front import FrontPoint, record_front
from recommender.search.logbook import is_dead, mark_of, this_process
from recommender.search.policy import ELSEWHERE
from recommender.search.rivals import RIVALS
from recommender.search.study import open_study, rdb, search
from tests.recommender.simulated_search import N_UNITS, TARGET, World, contender, walk_up

EASY = [0.55, 0.60, 0.62, 0.66, 0.70, 0.72, 0.75, 0.78, 0.80, 0.82, 0.97, 0.98, 0.98, 0.99]


def hunt(
    world: World,
    standings: dict[int, Standing] | None = None,
    *,
    storage: Path | None = None,
    sampler: str = "cheapest",
    maximize: bool = False,
) -> tuple[dict[int, Standing], Ending]:
    standings = {} if standings is None else standings
    ending = search(
        world.contenders, standings, world.evaluate, target=TARGET, n_units=N_UNITS,
        minimize="size_mb", name="simulated", storage=storage, sampler=sampler, maximize=maximize,
    )  # fmt: skip
    return standings, ending


def chosen(world: World, standings: dict[int, Standing]) -> int:
    accepted = [index for index, standing in standings.items() if standing.accepted]
    return min(accepted, key=lambda index: world.contenders[index].cost)


def trials(storage: Path) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name="simulated", storage=rdb(storage)).get_trials()


def test_it_finds_the_smallest_and_runs_nothing_larger() -> None:
    """Eight easy worlds of different answers."""
    for seed in range(8):
        world = World(walk_up(EASY), EASY, seed=seed)
        standings, ending = hunt(world)
        assert chosen(world, standings) == 10
        assert max(standings) <= 13
        assert ending.excluded == sum(index not in standings for index in range(11, 14))
        assert ending.reason.startswith("no smaller candidate")


def test_racing_gives_up_the_hopeless_after_few_units() -> None:
    """All that are far below the target take a sixth of the units at most."""
    world = World(walk_up(EASY), EASY)
    _, ending = hunt(world)
    assert ending.raced_out >= 3
    assert all(world.seen[index] <= 64 for index in world.seen if EASY[index] <= 0.75)


def test_the_surrogate_skips_what_its_neighbours_speak_against() -> None:
    """Thirty of equal, clearly insufficient quality are not all run before a larger is."""
    qualities = [0.6] * 30 + [0.98]
    contenders = [
        contender(f"m{i}", 1.0 + i / 100, recipe="fp32", row_s=1.0) for i in range(30)
    ] + [contender("large", 50.0, row_s=50.0)]
    world = World(contenders, qualities)
    standings, ending = hunt(world)
    assert standings[30].accepted
    assert len(world.seen) < 20
    assert ending.skipped == 31 - len(world.seen)
    assert ending.saved_mb == pytest.approx(
        sum(c.download_mb for i, c in enumerate(contenders) if i not in world.seen)
    )


def test_without_an_answer_every_candidate_is_tried() -> None:
    """Skipping only puts off: a hopeless pool is run through, and the reason says so."""
    world = World(walk_up([0.6] * 12), [0.6] * 12)
    standings, ending = hunt(world)
    assert sorted(standings) == list(range(12))
    assert ending.reason == "every candidate was tried"
    assert not any(standing.accepted for standing in standings.values())


def test_a_measured_cost_never_excludes_by_cost() -> None:
    """A latency is not known before it is measured: the large ones are run as well."""
    qualities = [0.97] * 6
    world = World(walk_up(qualities, known=False), qualities)
    standings, ending = hunt(world)
    assert len(standings) == 6
    assert ending.excluded == 0


def test_more_is_better_where_the_objective_is_maximized() -> None:
    """Throughput: the search starts at the largest and stops there."""
    qualities = [0.98] * 6
    world = World(walk_up(qualities), qualities)
    standings, _ = hunt(world, maximize=True)
    assert list(standings) == [5]


def test_the_same_world_gives_the_same_search() -> None:
    """Nothing is drawn."""
    first, second = (World(walk_up(EASY), EASY, seed=3) for _ in range(2))
    hunt(first)
    hunt(second)
    assert first.runs == second.runs


def test_what_is_known_beforehand_is_not_run() -> None:
    """Answers from memory are standings."""
    world = World(walk_up(EASY), EASY)
    standings, _ = hunt(world)
    again = World(walk_up(EASY), EASY)
    hunt(again, dict(standings))
    assert again.runs == []


def test_what_was_judged_again_is_not_believed_from_the_study(tmp_path: Path) -> None:
    """A choice that the final timings turned down is no answer: larger ones are run."""
    storage = tmp_path / "studies.db"
    world = World(walk_up(EASY), EASY)
    standings, _ = hunt(world, storage=storage)
    first = chosen(world, standings)
    standings[first] = replace(standings[first], accepted=False)
    hunt(world, standings, storage=storage)
    assert not standings[first].accepted
    assert world.contenders[chosen(world, standings)].cost > world.contenders[first].cost


def test_a_candidate_that_fails_is_tried_once() -> None:
    """A failure is a failed trial, and the search goes on."""
    qualities = [0.97] * 4
    world = World(walk_up(qualities), qualities)

    def evaluate(index: int, report: object) -> Standing:
        world.runs.append(index)
        assert len(world.runs) < 20
        return Standing(
            0, None, 0.0, certified=False, accepted=False, finished=True, cost=None, failed=True
        )

    world.evaluate = evaluate  # type: ignore[method-assign]
    standings, ending = hunt(world)
    assert sorted(world.runs) == [0, 1, 2, 3]
    assert ending.raced_out == 0
    assert all(standing.failed for standing in standings.values())


def test_running_on_without_progress_ends() -> None:
    """A paused candidate that answers no new unit is not offered for ever."""
    qualities = [0.88] * 3
    world = World(walk_up(qualities), qualities)

    def evaluate(index: int, report: object) -> Standing:
        world.runs.append(index)
        assert len(world.runs) < 50
        return Standing(16, 0.9, 0.04, certified=False, accepted=False, finished=False, cost=None)

    world.evaluate = evaluate  # type: ignore[method-assign]
    hunt(world)
    assert len(world.runs) <= 6


def test_an_interrupted_search_goes_on_where_it_was(tmp_path: Path) -> None:
    """The trial at hand is marked as failed; nothing that ended is run again."""
    storage = tmp_path / "studies.db"
    first = World(walk_up(EASY), EASY, interrupt_at=5)
    with pytest.raises(KeyboardInterrupt):
        hunt(first, storage=storage)
    states = [trial.state.name for trial in trials(storage)]
    assert states.count("FAIL") == 1
    assert "RUNNING" not in states
    second = World(walk_up(EASY), EASY)
    standings, _ = hunt(second, storage=storage)
    assert chosen(second, standings) == 10
    assert not set(second.runs) & set(first.runs[:4])
    whole = World(walk_up(EASY), EASY)
    hunt(whole)
    assert first.runs[:4] + second.runs == whole.runs


def test_a_trial_says_what_it_was(tmp_path: Path) -> None:
    """The dashboard shows the candidate's name, the estimates by units, and the constraint."""
    storage = tmp_path / "studies.db"
    world = World(walk_up(EASY), EASY)
    hunt(world, storage=storage)
    told = trials(storage)
    assert {trial.user_attrs["candidate"] for trial in told} <= {f"m{i}" for i in range(14)}
    assert all(
        trial.params["candidate"] == int(trial.user_attrs["candidate"][1:]) for trial in told
    )
    assert all(16 in trial.intermediate_values for trial in told if trial.state.name == "PRUNED")
    complete = [trial for trial in told if trial.state.name == "COMPLETE"]
    accepted = [trial for trial in complete if trial.constraints["quality"] <= 0]
    assert min(trial.value or 0.0 for trial in accepted) == world.contenders[10].cost


def test_a_killed_search_leaves_no_running_trial(tmp_path: Path) -> None:
    """A trial of a process that ended is marked as failed when the study is opened again."""
    storage = tmp_path / "studies.db"
    study = open_study("simulated", minimize="size_mb", maximize=False, storage=storage)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    study.ask().set_user_attr("process", f"{platform.node()}:{ended.pid}:0000")
    study.ask().set_user_attr("process", this_process())
    open_study("simulated", minimize="size_mb", maximize=False, storage=storage)
    assert [trial.state.name for trial in trials(storage)] == ["FAIL", "RUNNING"]


def test_a_process_is_told_from_an_ended_one_with_its_id() -> None:
    """Process ids come again, in containers at once."""
    assert not is_dead(this_process())
    assert is_dead(f"{platform.node()}:{os.getpid()}:00000000")
    assert is_dead(None)
    assert not is_dead("another-host:1")
    assert is_dead(f"{platform.node()}:{os.getppid()}:00000000")


@pytest.mark.parametrize(("hours", "runs"), [(0.5, []), (2.0, [0])], ids=["lately", "long ago"])
def test_a_trial_of_another_machine_is_believed_for_an_hour(
    hours: float, runs: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process may have been killed with its container: the candidate is not lost for good."""
    storage = tmp_path / "studies.db"
    study = open_study("simulated", minimize="size_mb", maximize=False, storage=storage)
    trial = study.ask()
    trial.set_user_attr("candidate", "m0")
    trial.set_user_attr("process", "another-host:1:0000")
    later = time.time() + 3600 * hours
    monkeypatch.setattr("recommender.search.logbook.time.time", lambda: later)
    world = World(walk_up([0.98]), [0.98])
    _, ending = hunt(world, storage=storage)
    assert world.runs == runs
    assert (ending.reason == ELSEWHERE) is (not runs)


def test_who_has_nothing_left_waits_for_the_other_process(tmp_path: Path) -> None:
    """Until it has told its trial, or is dead; without a wait the search ends."""
    storage = tmp_path / "studies.db"
    study = open_study("simulated", minimize="size_mb", maximize=False, storage=storage)
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    trial = study.ask()
    trial.set_user_attr("candidate", "m0")
    trial.set_user_attr("process", mark_of(other.pid))
    world = World(walk_up([0.98]), [0.98])
    _, ending = hunt(world, storage=storage)
    assert (world.runs, ending.reason) == ([], ELSEWHERE)
    waits: list[list[int]] = []

    def wait() -> None:
        waits.append(world.runs.copy())
        if len(waits) == 3:
            other.kill()
            other.communicate()

    standings: dict[int, Standing] = {}
    search(
        world.contenders, standings, world.evaluate, target=TARGET, n_units=N_UNITS,
        minimize="size_mb", name="simulated", storage=storage, wait=wait,
    )  # fmt: skip
    assert waits == [[], [], []]
    assert standings[0].accepted


def test_two_searches_on_one_storage_share_the_work(tmp_path: Path) -> None:
    """No candidate is finished by both, and both know the answer that one of them found."""
    qualities = [0.6, 0.65, 0.7, 0.7, 0.72, 0.75, 0.78, 0.8, 0.98, 0.98]
    storage = tmp_path / "studies.db"
    worlds = [World(walk_up(qualities), qualities) for _ in range(2)]
    found: list[dict[int, Standing]] = []
    threads = [
        threading.Thread(target=lambda w=w: found.append(hunt(w, storage=storage)[0]))  # type: ignore[misc]
        for w in worlds
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert len(found) == 2
    finished = [t.user_attrs["candidate"] for t in trials(storage) if t.state.name == "COMPLETE"]
    assert len(finished) == len(set(finished))  # a raced-out one may be run on by the other
    assert any(standings[8].accepted for standings in found if 8 in standings)
    assert "RUNNING" not in [trial.state.name for trial in trials(storage)]


@pytest.mark.parametrize("name", sorted(RIVALS))
def test_optunas_samplers_run_the_same_search(name: str) -> None:
    """They find the same answer, each candidate at most once."""
    world = World(walk_up(EASY), EASY)
    standings, ending = hunt(world, sampler=name)
    assert chosen(world, standings) == 10
    assert len(world.runs) == len(set(world.runs))
    assert ending.reason in ("every candidate was tried", "no smaller candidate is left to try")


def test_an_unknown_sampler_is_refused_with_the_list() -> None:
    """The error names what is allowed."""
    with pytest.raises(BadInput, match="cheapest, tpe, gp, nsga2, random"):
        hunt(World(walk_up(EASY), EASY), sampler="annealing")


POINTS = [
    FrontPoint("small", 0.91, 3.0, 20.0, sufficient=True),
    FrontPoint("large", 0.95, 9.0, 90.0, sufficient=True),
    FrontPoint("worse", 0.90, 4.0, 30.0, sufficient=True),
    FrontPoint("unproven", 0.97, 1.0, 10.0, sufficient=False),
]


def names(found: list[optuna.trial.FrozenTrial]) -> list[str]:
    return sorted(trial.user_attrs["candidate"] for trial in found)


def test_the_front_is_a_study_of_its_own(tmp_path: Path) -> None:
    """Optuna finds the front in it: sufficient candidates that no other beats."""
    record_front(tmp_path / "studies.db", "front", POINTS)
    study = optuna.load_study(study_name="front", storage=rdb(tmp_path / "studies.db"))
    assert names(study.best_trials) == ["large", "small"]
    assert study.metric_names == ["quality", "latency_ms", "size_mb"]
    if optuna.visualization.is_available():
        optuna.visualization.plot_pareto_front(study)


def test_recording_a_front_again_keeps_one_trial_a_candidate() -> None:
    """New candidates are added, and one measured anew replaces its old self."""
    storage = optuna.storages.InMemoryStorage()
    record_front(storage, "front", POINTS[:3])
    study = record_front(storage, "front", POINTS)
    assert names(study.get_trials()) == ["large", "small", "unproven", "worse"]
    faster = FrontPoint("worse", 0.90, 2.0, 30.0, sufficient=True)
    study = record_front(storage, "front", [*POINTS[:2], faster])
    assert names(study.best_trials) == ["large", "small", "worse"]


def test_names_find_the_contenders_where_the_order_changed(tmp_path: Path) -> None:
    """A stored study goes on although the pool grew at its small end."""
    storage = tmp_path / "studies.db"
    world = World(walk_up(EASY), EASY)
    hunt(world, storage=storage)
    grown: list[Contender] = [contender("new", 0.5), *walk_up(EASY)]
    again = World(grown, [0.5, *EASY])
    standings, _ = hunt(again, storage=storage)
    assert set(again.runs) <= {0}
    assert chosen(again, standings) == 11
