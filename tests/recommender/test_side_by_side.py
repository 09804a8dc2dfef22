"""Two whole searches of the same question at once, on one home: one ledger, one answer."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import N_ROWS

Start = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture
def start(zoo: Path, data: Path, tmp_path: Path):  # type: ignore[no-untyped-def]
    """Starts `recommender find` in a process of its own; what is left of them ends with the test.

    Eight candidates: the two recipes of each model share a graph, which only one of them exports.
    """
    started = []

    def go() -> "subprocess.Popen[str]":
        given = [
            sys.executable, "-m", "recommender", "find", str(data), "-r", "accuracy >= 0.85",
            "--source", f"folder:{zoo}", "--backend", "onnxruntime", "--format", "json",
        ]  # fmt: skip
        settings = {**os.environ, "RECOMMENDER_HOME": str(tmp_path / "home")}
        started.append(
            subprocess.Popen(
                given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=settings
            )
        )
        return started[-1]

    yield go
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


def answered(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """The answer of a search that must end well."""
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "locked" not in err
    found: dict[str, Any] = json.loads(out)
    return found


def ask(file: Path, query: str) -> list[Any]:
    """What a store says; nothing while it does not exist or has no such table."""
    if not file.exists():
        return []
    try:
        with closing(sqlite3.connect(file, timeout=10)) as connection:
            return connection.execute(query).fetchall()
    except sqlite3.OperationalError:
        return []


def wait_for(
    process: "subprocess.Popen[str]", file: Path, query: str, *, seconds: float = 120
) -> None:
    """Until the store has a row for this query, which the process brings about."""
    deadline = time.monotonic() + seconds
    while not ask(file, query) and time.monotonic() < deadline:
        assert process.poll() is None, "it ended too early"
        time.sleep(0.02)


def check_stores(home: Path, *, n_runs: int) -> None:
    """Each row is in the one ledger once, all searches are remembered, and no file is damaged."""
    store = home / "measurements.db"
    assert ask(store, "PRAGMA integrity_check") == [("ok",)]
    assert ask(store, "SELECT count(*), count(used_at) FROM ledgers") == [(1, 1)]
    assert ask(store, "SELECT ends_at FROM ledger_batches") == [(N_ROWS,)]
    assert ask(store, "SELECT count(DISTINCT place) FROM ledger_rows") == [(N_ROWS,)]
    assert ask(store, "SELECT count(*) FROM answers") == [(1,)]
    assert ask(store, "SELECT count(*) FROM runs") == [(n_runs,)]
    assert ask(home / "studies.db", "SELECT * FROM trials WHERE state = 'RUNNING'") == []


def test_two_searches_at_once_give_one_answer(start: Start, tmp_path: Path) -> None:
    """Both end well, with the same choice, bound and reasons; a third one only remembers."""
    both = [start(), start()]
    first, second = map(answered, both)
    check_stores(tmp_path / "home", n_runs=2)
    assert first["choice"]["name"] == second["choice"]["name"]
    assert first["choice"]["claims"] == second["choice"]["claims"]
    one, other = (
        {c["name"]: c["verdict"] for c in answer["candidates"] if c["n_rows"]}
        for answer in (first, second)
    )
    both_ran = (
        one.keys() & other.keys()
    )  # who began a larger one before the choice was found ran it
    assert {name: one[name] for name in both_ran} == {name: other[name] for name in both_ran}
    assert first["ended"] == second["ended"] == "complete"
    third = answered(start())
    assert third["from_memory"]
    assert third["choice"]["name"] == first["choice"]["name"]
    assert third["plan"]["ledger"] == first["plan"]["ledger"] == second["plan"]["ledger"]


def test_one_of_two_searches_is_killed(start: Start, tmp_path: Path) -> None:
    """kill -9 amid a candidate: the other search takes it over and ends as if it were alone.

    It is stopped first, so that the other one meets its unfinished trial.
    """
    home = tmp_path / "home"
    killed = start()
    signed = "SELECT 1 FROM trial_user_attributes WHERE value_json LIKE '%:{}:%'"
    wait_for(killed, home / "studies.db", signed.format(killed.pid))
    killed.send_signal(signal.SIGSTOP)
    other = start()
    wait_for(other, home / "studies.db", signed.format(other.pid), seconds=20)
    killed.kill()
    killed.communicate()
    found = answered(other)
    check_stores(home, n_runs=1)
    assert found["choice"]["model"] == "team/good"
    assert found["ended"] == "complete"
    assert answered(start())["from_memory"]
