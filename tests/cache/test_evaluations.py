"""What became of each candidate: kept by what it depends on, filled from old runs, seen in SQL."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from cache.database import connect
from cache.evaluations import DataSet, Evaluation, Limits, Ranking, evaluations_of
from cache.measurements import MIGRATIONS, Measurements

Json = dict[str, Any]
HERE, THERE = "this machine", "another machine"
QUESTION = {"label_map": {}, "positive": None}


def figure(value: float, unit: str = "ratio") -> Json:
    return {"name": "", "value": value, "unit": unit, "n": 100, "low": None, "high": 1.0}


def outcome(model: str = "team/a", **changes: Any) -> Json:
    """A candidate that answered all of 100 rows, as the stored answers of version 2 have it."""
    recipe = {"method": "torch-int8", "backend": "torch", "precision": "int8", "file": None}
    measured = {"size_mb": figure(5.0, "MB"), "accuracy": figure(0.9)}
    return {
        "model": model, "revision": "0" * 40, "source": "hub", "state": "evaluated",
        "verdict": "undecided", "reason": "all rows answered", "n_rows": 100, "n_wrong": 10,
        "n_units": 100, "license": "mit", "on_frontier": False, "predicted_size_mb": 5.0,
        "name": f"{model}@00000000 torch-int8", "recipe": recipe, "labels": None, "claims": [],
        "misses": [], "acceptable": False, "measurements": measured, **changes,
    }  # fmt: skip


def claim(lower: float) -> Json:
    return {"subject": "accuracy", "target": 0.8, "estimate": 0.9, "lower": lower, "n": 100}


def answer(*outcomes: Json, machine: str = HERE, **changes: Any) -> Json:
    return {
        "candidates": list(outcomes), "baseline": None, "plan": {"mode": "pool"},
        "data": {"name": "rows.csv", "fingerprint": "f" * 64, "n_rows": 100,
                 "task": {"name": "text-classification"}},
        "environment": {"machine": machine, "threads": 1, "libraries": {"torch": "2.10"}},
        **changes,
    }  # fmt: skip


def found_at(day: int, *outcomes: Json, machine: str = HERE, **how: Any) -> list[Evaluation]:
    asked = {"question": QUESTION, "run": f"run {day}", **how}
    return evaluations_of(answer(*outcomes, machine=machine), at=f"2026-11-{day:02}", **asked)


@pytest.fixture
def store(tmp_path: Path):  # type: ignore[no-untyped-def]
    with Measurements(tmp_path / "measurements.db") as opened:
        yield opened


def stored(store: Measurements) -> list[Evaluation]:
    evaluations = store.evaluations
    every = [evaluations.of(data, Limits()) for data in evaluations.data_sets(Limits())]
    return [one for each in every for one in each]


# ---------------------------------------------------------------------- what is kept
def test_an_evaluation_is_read_back_as_it_was(store: Measurements) -> None:
    """Nothing is lost on the way through the table."""
    (given,) = found_at(1, outcome(claims=[claim(0.85)]))
    store.evaluations.record([given])
    assert stored(store) == [given]
    assert given.quality == 0.9
    assert given.certified == 0.85


def test_what_was_not_tried_is_no_evaluation() -> None:
    """Only candidates that answered rows, or failed to, and the baseline."""
    states = ("evaluated", "raced out", "crashed", "not needed", "skipped by budget")
    outcomes = [outcome(f"team/{state}", state=state) for state in states]
    told = answer(*outcomes, baseline=outcome("team/baseline"))
    found = evaluations_of(told, QUESTION, run="run", at="2026-11-01")
    names = [one.outcome["model"] for one in found]
    assert names == ["team/baseline", "team/evaluated", "team/raced out", "team/crashed"]


@pytest.mark.parametrize(
    ("later", "kept"),
    [
        ({"measurements": {"accuracy": figure(0.8)}}, 2),
        ({"measurements": {}, "n_rows": 40, "state": "raced out"}, 1),
        ({"measurements": {}, "n_rows": 0, "state": "crashed"}, 1),
    ],
    ids=["as many rows", "fewer rows", "a failure"],
)
def test_the_newest_of_those_with_most_rows_stays(
    store: Measurements, later: Json, kept: int
) -> None:
    """A search that raced a candidate out does not undo its evaluation."""
    store.evaluations.record(found_at(1, outcome()))
    store.evaluations.record(found_at(2, outcome(**later)))
    assert [one.run for one in stored(store)] == [f"run {kept}"]


def test_what_only_an_older_evaluation_has_is_kept(store: Measurements) -> None:
    """Metrics and proofs that the newer one was not asked for."""
    f1 = {"accuracy": figure(0.9), "f1_macro": figure(0.7)}
    proven = outcome(measurements=f1, claims=[claim(0.85)], verdict="sufficient", reason="shown")
    store.evaluations.record(found_at(1, proven))
    store.evaluations.record(found_at(2, outcome()))
    (one,) = stored(store)
    assert one.run == "run 2"
    assert (one.figure("f1_macro"), one.figure("size_mb")) == (0.7, 5.0)
    assert (one.certified, one.outcome["verdict"], one.outcome["reason"]) == (
        0.85, "sufficient", "shown",
    )  # fmt: skip


def test_the_newest_failure_is_told(store: Measurements) -> None:
    """With its own reason."""
    failed = {"state": "crashed", "n_rows": 0, "measurements": {}}
    for day in (1, 2):
        store.evaluations.record(found_at(day, outcome(**failed, reason=f"signal {day}")))
    assert [one.outcome["reason"] for one in stored(store)] == ["signal 2"]


@pytest.mark.parametrize(
    ("other", "n"),
    [
        (found_at(2, outcome()), 1),
        (found_at(2, outcome(), machine=THERE), 2),
        (found_at(2, outcome(), question={**QUESTION, "label_map": {"0": "bad"}}), 2),
        (found_at(2, outcome(), question={**QUESTION, "positive": "bad"}), 2),
        (found_at(2, outcome(), question={**QUESTION, "seed": 7}), 1),
        (found_at(2, outcome(), rows="e" * 64), 2),
    ],
    ids=["the same", "machine", "label map", "positive label", "seed", "rows"],
)
def test_the_key_holds_what_the_figures_depend_on(
    store: Measurements, other: list[Evaluation], n: int
) -> None:
    """And nothing else."""
    store.evaluations.record(found_at(1, outcome()))
    store.evaluations.record(other)
    assert len(stored(store)) == n


@pytest.mark.parametrize(
    ("ranking", "given", "quality"),
    [
        (Ranking("accuracy", counts_errors=True), {"n_rows": 40, "n_wrong": 10}, 0.75),
        (Ranking("accuracy"), {"n_rows": 40, "n_wrong": 0}, None),
        (Ranking("f1", counts_errors=True), {"n_rows": 40, "n_wrong": 10}, None),
        (Ranking("accuracy"), {"measurements": {"accuracy": figure(float("nan"))}}, None),
    ],
    ids=["counted errors", "nothing was counted", "another metric", "no number"],
)
def test_a_quality_is_known_where_it_was_measured_or_counted(
    ranking: Ranking, given: Json, quality: float | None
) -> None:
    """Of rows that were answered before a candidate raced out, wrong answers tell the accuracy."""
    (one,) = found_at(1, outcome(**{"measurements": {}, **given}), ranking=ranking)
    assert one.quality == quality
    assert one.complete == (ranking.metric in one.outcome["measurements"])


# ---------------------------------------------------------------------- which rows
def test_data_sets_are_told_the_newest_first_within_the_limits(store: Measurements) -> None:
    """Each with the number of its candidates, also where a machine evaluated some twice."""
    store.evaluations.record(found_at(1, outcome("team/a"), outcome("team/b")))
    store.evaluations.record(found_at(2, outcome("team/a"), machine=THERE))
    store.evaluations.record(found_at(3, outcome("team/a"), rows="e" * 64))
    old = DataSet("text-classification", "rows.csv", "f" * 64, 100, 2, "2026-11-02")
    new = DataSet("text-classification", "rows.csv", "e" * 64, 100, 1, "2026-11-03")
    asked = store.evaluations.data_sets
    assert asked(Limits()) == [new, old]
    assert [data.rows for data in asked(Limits(machine="ANOTHER"))] == ["f" * 64]
    assert [data.rows for data in asked(Limits(since="2026-11-03"))] == ["e" * 64]
    assert [data.rows for data in asked(Limits(fingerprint="EEE"))] == ["e" * 64]
    assert asked(Limits(task="translation")) == []
    assert [len(store.evaluations.of(old, limits)) for limits in (Limits(), Limits(machine=THERE))
            ] == [3, 1]  # fmt: skip


def test_forgetting_drops_what_is_older(store: Measurements) -> None:
    """`cache prune` knows the table, and so do its counts."""
    store.evaluations.record(found_at(1, outcome()))
    assert store.counts()["evaluations"] == 1
    dropped = store.forget_older_than(datetime.now(UTC) + timedelta(days=1))
    assert dropped["evaluations"] == 1
    assert store.counts()["evaluations"] == 0


# ---------------------------------------------------------------------- old stores
def test_an_old_store_keeps_its_history(tmp_path: Path) -> None:
    """The migration reads the answers of all runs, the newest last, and passes strange ones."""
    path = tmp_path / "measurements.db"
    before = dict(takewhile(lambda item: item[0] != "evaluations", MIGRATIONS.items()))
    old = connect(path, before)
    older = answer(outcome(measurements={"accuracy": figure(0.7)}))
    wer = answer(
        outcome("team/ears", measurements={"size_mb": figure(5.0, "MB"), "wer": figure(0.2)})
    )
    wer["data"] |= {"task": {"name": "automatic-speech-recognition"}, "fingerprint": "a" * 64}
    told = [json.dumps(each) for each in (older, answer(outcome()), wer)] + ["{}", "no JSON"]
    old.executemany(
        "INSERT INTO runs VALUES (?, 's', ?, ?, ?)",
        [
            (f"run {day}", json.dumps(QUESTION), t, f"2026-11-{day:02}")
            for day, t in enumerate(told)
        ],
    )
    old.close()
    with Measurements(path) as store:
        speech, text = stored(store)
        assert len(list(store.runs())) == 5
    assert (text.run, text.quality, text.ranking) == (
        "run 1", 0.9, Ranking("accuracy", counts_errors=True),
    )  # fmt: skip
    assert (speech.quality, speech.ranking) == (0.2, Ranking("wer", higher_is_better=False))
    assert speech.complete


# ---------------------------------------------------------------------- views
def in_datasette(path: Path, view: str) -> list[Json]:
    """What Datasette shows of a view."""
    page = f"/{path.stem}/{view}.json?_shape=array"
    done = subprocess.run(
        [sys.executable, "-m", "datasette", str(path), "--get", page],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows: list[Json] = json.loads(done.stdout)
    return rows


def sized(model: str, size_mb: float, accuracy: float, **changes: Any) -> Json:
    measured = {"size_mb": figure(size_mb, "MB"), "accuracy": figure(accuracy)}
    return outcome(model, measurements=measured, **changes)


def test_datasette_shows_a_leaderboard(store: Measurements, tmp_path: Path) -> None:
    """The best first, one row a machine, with the columns that people ask for."""
    claims = [claim(0.85)]
    store.evaluations.record(found_at(1, sized("team/a", 5, 0.8), sized("team/b", 9, 0.9)))
    store.evaluations.record(found_at(2, sized("team/b", 9, 0.9, claims=claims), machine=THERE))
    rows = in_datasette(tmp_path / "measurements.db", "v_leaderboard")
    assert [row["model"] for row in rows] == ["team/b", "team/b", "team/a"]
    assert {row["machine"] for row in rows[:2]} == {HERE, THERE}
    best = next(row for row in rows if row["machine"] == THERE)
    assert best.items() >= {
        "task": "text-classification", "data": "rows.csv", "recipe": "torch-int8",
        "metric": "accuracy", "quality": 0.9, "low": None, "high": 1.0, "certified": 0.85,
        "size_mb": 9.0, "latency_p95_ms": None, "peak_memory_mb": None, "licence": "mit",
        "evaluated_at": "2026-11-02", "revision": "0" * 40,
    }.items()  # fmt: skip


POINTS = (
    ("small", 1, 0.7), ("same", 1, 0.6), ("twin", 1, 0.7), ("worse", 2, 0.6), ("equal", 3, 0.7),
    ("best", 4, 0.9), ("large", 5, 0.8),
)  # fmt: skip


def test_the_frontier_is_what_no_other_beats(store: Measurements) -> None:
    """In quality and size, on each set of rows; of errors the fewest are best."""
    store.evaluations.record(found_at(1, *(sized(name, *point) for name, *point in POINTS)))
    fewest = Ranking("accuracy", higher_is_better=False)
    errors = (sized(name, size, 1 - quality) for name, size, quality in POINTS)
    store.evaluations.record(found_at(2, *errors, rows="e" * 64, ranking=fewest))
    for digest in ("f" * 64, "e" * 64):
        rows = store._connection.execute(
            "SELECT model FROM v_frontier WHERE fingerprint = ?", (digest,)
        )
        assert [row["model"] for row in rows] == ["small", "twin", "best"]


def test_a_later_metric_moves_nobody_off_the_frontier_of_another(store: Measurements) -> None:
    """Each metric has a frontier of its own."""
    store.evaluations.record(found_at(1, sized("small", 1, 0.7), sized("large", 2, 0.9)))
    by_f1 = outcome("team/small", measurements={"size_mb": figure(1.0, "MB"), "f1": figure(0.5)})
    question = {**QUESTION, "positive": "a"}
    store.evaluations.record(found_at(2, by_f1, ranking=Ranking("f1"), question=question))
    rows = store._connection.execute("SELECT metric FROM v_frontier ORDER BY metric")
    assert [row["metric"] for row in rows] == ["accuracy", "accuracy", "f1"]


def test_failures_are_shown_with_their_reasons(store: Measurements) -> None:
    """One that was evaluated later is no failure any more."""
    failed = {"state": "crashed", "reason": "signal 9", "n_rows": 0, "measurements": {}}
    store.evaluations.record(found_at(1, outcome("team/a", **failed), outcome("team/b", **failed)))
    store.evaluations.record(found_at(2, outcome("team/b")))
    rows = store._connection.execute("SELECT candidate, state, reason, failed_at FROM v_failures")
    assert [tuple(row) for row in rows] == [
        ("team/a@00000000 torch-int8", "crashed", "signal 9", "2026-11-01")
    ]
