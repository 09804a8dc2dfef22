"""Searches that are stored, found again by id and told in short."""

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest

from cache.errors import NotFound, StoreError
from cache.measurements import Measurements
from recommender.reports.table import headline
from recommender.runs import all_runs, explain_run, stored_run
from tests.recommender.past_runs import SMALL, about, store_runs
from tests.unwritable import ran, unwritable

COMMANDS = """
import sys
from recommender.cli import completers, main
key, model = sys.argv[1:]
for asked in (("report", "--list"), ("report", key), ("leaderboard",), ("why", model)):
    sys.argv = ["recommender", *asked]
    try:
        main()
    except SystemExit:
        print("<end>", flush=True)
print(*(item.value for item in completers.runs(None, None, "")), "<end>")
"""
"""Prints what each command says."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("home")
    store_runs(made, [about(SMALL, data="old.csv"), about(SMALL, data="new.csv")])
    return made


def opened(home: Path) -> Measurements:
    return Measurements(home / "measurements.db", read_only=True)


@pytest.mark.parametrize("asked", ["", "latest"])
def test_the_newest_search_is_meant_where_none_is_named(home: Path, asked: str) -> None:
    """With its whole answer and its time."""
    with opened(home) as store:
        run = stored_run(store, asked)
    assert run.result.data["name"] == "new.csv"
    assert run.result.candidates == SMALL.candidates
    assert run.answered_at == "2026-01-01T01:00:00+00:00"


def test_a_search_is_found_by_the_first_digits_of_its_id(tmp_path: Path) -> None:
    """In capitals too, as a terminal's double click may give them."""
    first, _ = store_runs(tmp_path, [about(SMALL, data="old.csv"), SMALL])
    with opened(tmp_path) as store:
        assert stored_run(store, first[:10].upper()).result.data["name"] == "old.csv"
        assert stored_run(store, first).id == first


def test_the_newest_choice_may_be_older_than_the_newest_search(tmp_path: Path) -> None:
    """An export is of a search that chose; without any, the newest says what it lacks."""
    nothing = replace(about(SMALL, data="later.csv"), choice=None)
    first, second = store_runs(tmp_path, [SMALL, nothing])
    with opened(tmp_path) as store:
        assert stored_run(store, "latest", chosen=True).id == first
        assert stored_run(store, second[:10], chosen=True).id == second
        assert stored_run(store).id == second
    (tmp_path / "other").mkdir()
    (alone,) = store_runs(tmp_path / "other", [nothing])
    with opened(tmp_path / "other") as store:
        assert stored_run(store, chosen=True).id == alone


def test_the_newest_is_the_one_that_was_asked_last(tmp_path: Path) -> None:
    """Also where its answer came from memory; one that was forgotten is written anew."""
    first, second = store_runs(tmp_path, [about(SMALL, data="old.csv"), SMALL])
    with Measurements(tmp_path / "measurements.db") as store:
        (old,) = (run.answer for run in store.runs(prefix=first))
        store.record_asked(old, samples="", question={})
        assert stored_run(store, "latest").id == first
        assert [run.id for run in all_runs(store)] == [first, second]
        assert stored_run(store).answered_at == "2026-01-01T00:00:00+00:00"
        store.forget_older_than(datetime.now(UTC) + timedelta(hours=1))
        store.record_asked(old, samples="", question={})
        assert stored_run(store).result.data["name"] == "old.csv"


def test_a_search_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    """It is passed over, whether it is no JSON or lacks what every answer has."""
    (fine,) = store_runs(tmp_path, [SMALL])
    with Measurements(tmp_path / "measurements.db") as store:
        for strange in ("no JSON", "{}"):
            store.record_run(strange, samples="", question={})
        assert [run.id for run in all_runs(store)] == [fine]


def test_why_reads_the_named_search_alone(tmp_path: Path) -> None:
    """By its digits in capitals, or as the latest."""
    first, _ = store_runs(tmp_path, [about(SMALL, data="old.csv"), about(SMALL, data="new.csv")])
    name = SMALL.candidates[0].model
    with opened(tmp_path) as store:
        assert "old.csv" in explain_run(store, name, run=first[:9].upper())
        assert "new.csv" in explain_run(store, name, run="latest")
        with pytest.raises(NotFound, match="not in run latest"):
            explain_run(store, "nobody", run="latest")


@pytest.mark.parametrize(
    ("asked", "said"),
    [("zzz", "hexadecimal digits only, not 'zzz'"), ("0000000", "no stored run starts with"),
     ("%", "hexadecimal digits only"), ("'; DROP TABLE runs", "report --list")],
)  # fmt: skip
def test_an_unknown_search_is_told_in_one_line(home: Path, asked: str, said: str) -> None:
    """What was given, and how to list what there is."""
    with opened(home) as store, pytest.raises(NotFound) as error:
        stored_run(store, asked)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_digits_of_several_searches_ask_for_more(tmp_path: Path) -> None:
    """Two of them are named."""
    ids = store_runs(tmp_path, [replace(SMALL, command=f"run {i}") for i in range(17)])
    digit = next(d for d in "0123456789abcdef" if sum(key.startswith(d) for key in ids) > 1)
    with opened(tmp_path) as store, pytest.raises(NotFound, match="give more digits") as error:
        stored_run(store, digit)
    assert sum(key in str(error.value) for key in ids) == 2


def test_an_empty_store_says_what_to_run(tmp_path: Path) -> None:
    """One line with the command."""
    with Measurements(tmp_path / "measurements.db") as store:
        with pytest.raises(NotFound, match="recommender find"):
            stored_run(store)
        assert list(all_runs(store)) == []


def test_a_summary_says_what_the_whole_answer_says(tmp_path: Path) -> None:
    """Its sentence and its size are those of the report, with an answer, without, and measured."""
    plan = replace(SMALL.plan, requirements=())
    measured = replace(about(SMALL, chosen=False), plan=plan)
    ended = replace(about(SMALL, chosen=False), ended="time limit")
    found = [SMALL, about(SMALL, data="other.csv", chosen=False), ended, measured]
    store_runs(tmp_path, found)
    with opened(tmp_path) as store:
        runs = list(all_runs(store))[::-1]
    assert [run.answer for run in runs] == list(map(headline, found))
    assert SMALL.choice is not None
    assert runs[0].size_mb == SMALL.choice.value("size_mb")
    assert [run.size_mb for run in runs[1:]] == [None, None, None]
    assert runs[1].data == runs[1].fingerprint == "other.csv"
    assert {run.task for run in runs} == {"text-classification"}
    assert [run.requirement for run in runs] == ["accuracy >= 0.9"] * 3 + [""]


def test_known_searches_are_not_read_again(home: Path) -> None:
    """Only the others are told."""
    with opened(home) as store:
        newest, oldest = all_runs(store)
        assert list(all_runs(store, known=[newest.id])) == [oldest]


@pytest.mark.skipif(sys.platform != "linux", reason="gives up capabilities of Linux")
def test_commands_that_only_read_need_no_right_to_write(tmp_path: Path) -> None:
    """As in a home that belongs to another, or on a file system that is mounted to be read."""
    key, _ = store_runs(tmp_path, [SMALL, about(SMALL, data="new.csv")])
    with unwritable(tmp_path):
        said = ran(COMMANDS, key[:9], SMALL.candidates[0].model, home=tmp_path)
    listed, reported, board, why, words = said.split("<end>\n")[:-1]
    assert len(listed.splitlines()) == 2
    assert " ".join(reported.split()).startswith(headline(SMALL))
    assert "nothing was evaluated yet" in board
    assert why.startswith("Run ")
    assert key[:8] in words


def test_a_search_that_is_forgotten_while_it_is_looked_up_is_not_found(tmp_path: Path) -> None:
    """In one line; a list of searches goes on without it."""
    measured = replace(SMALL, plan=replace(SMALL.plan, requirements=()))
    gone, left = store_runs(tmp_path, [measured, SMALL])
    forgotten = mock.patch.object(Measurements, "runs", return_value=iter(()))
    with Measurements(tmp_path / "measurements.db") as store, forgotten:
        with pytest.raises(NotFound, match=f"no stored run starts with '{gone}'"):
            stored_run(store, gone)
        assert [run.id for run in all_runs(store)] == [left]


def test_a_summary_says_what_was_asked(tmp_path: Path) -> None:
    """What was to be least, how sure, and the baseline where the requirement is relative to one."""
    baseline = SMALL.candidates[0]
    plan = replace(SMALL.plan, minimize="latency_p50_ms", delta=0.01)
    relative = replace(plan, requirements=("accuracy >= 0.97 * baseline",))
    store_runs(
        tmp_path,
        [replace(SMALL, plan=plan, baseline=baseline) for plan in (plan, relative)],
    )
    with opened(tmp_path) as store:
        later, first = all_runs(store)
    assert (first.minimize, first.delta, first.baseline) == ("latency_p50_ms", 0.01, "")
    assert later.baseline == baseline.name


def test_what_is_opened_to_read_cannot_be_changed(home: Path, tmp_path: Path) -> None:
    """Nor does opening create anything."""
    with opened(home) as store, pytest.raises(StoreError, match="readonly"):
        store.record_answer("key", "{}", samples="", question={})
    with pytest.raises(StoreError, match="cannot read"):
        opened(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
