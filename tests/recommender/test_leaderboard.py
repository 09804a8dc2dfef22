"""Leaderboards: read from stored evaluations alone, of all tasks, ranked, with their origins."""

import json
from collections.abc import Iterator, Sequence
from csv import DictReader
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from cache.errors import BadInput, NotFound
from cache.evaluations import (
    DataSet,
    Evaluation,
    Evaluations,
    Limits,
    Ranking,
    evaluations_of,
)
from cache.measurements import Measurements
from evaluators.candidate import Recipe
from evaluators.measurement import Measurement, State
from evaluators.samples import Samples
from recommender import Leaderboard
from recommender.api import leaderboard
from recommender.evaluated import ranking_of, rows_digest
from recommender.evidence.verdict import Verdict
from recommender.leaderboard import moment_of, read_leaderboard
from recommender.query import Query
from recommender.recommendation import Claim, Outcome
from recommender.reports import csv, markdown, text

HERE, THERE = "this machine", "another machine"
ROWS, OTHER_ROWS = "f" * 64, "e" * 64
TASKS = (
    ("text-classification", "accuracy"), ("token-classification", "f1"),
    ("question-answering", "exact_match"), ("zero-shot-classification", "accuracy"),
    ("feature-extraction", "ndcg@10"), ("sentence-similarity", "spearman"),
    ("text-ranking", "ndcg@10"), ("fill-mask", "accuracy@1"), ("text-generation", "exact_match"),
    ("summarization", "rougeL"), ("translation", "chrf"), ("image-classification", "accuracy"),
    ("object-detection", "map"), ("automatic-speech-recognition", "wer"),
    ("audio-classification", "accuracy"),
)  # fmt: skip


def outcome(name: str, quality: float | None, size_mb: float = 1.0, **changes: Any) -> Outcome:
    """A candidate that answered 100 rows, timed at 3 ms."""
    metric = changes.pop("metric", "accuracy")
    p50_ms = changes.pop("p50_ms", 3.0)
    measured = {
        "size_mb": Measurement("size_mb", size_mb, "MB", 1),
        "latency_p50_ms": Measurement("latency_p50_ms", p50_ms, "ms", 200),
        **({metric: Measurement(metric, quality, "ratio", 100)} if quality is not None else {}),
    }
    given = {"n_rows": 100, "n_units": 100, "reason": "", "measurements": measured, **changes}
    state = given.pop("state", State.EVALUATED)
    recipe = Recipe("torch-int8", "torch", "int8")
    return Outcome(
        f"team/{name}", "0" * 40, "hub", recipe, state, Verdict.UNDECIDED,
        predicted_size_mb=size_mb, **given,
    )  # fmt: skip


def failed(name: str) -> Outcome:
    return outcome(name, None, n_rows=0, state=State.CRASHED, reason="signal 9", measurements={})


@dataclass
class Board:
    """A store, and the leaderboard that is read from it."""

    store: Measurements

    def record(self, *outcomes: Outcome, **how: Any) -> None:
        self.store.evaluations.record(evaluated(*outcomes, **how))

    def read(self, here: str = HERE, **limits: str) -> Leaderboard:
        return read_leaderboard(self.store, Limits(**limits), here=here)


def evaluated(
    *outcomes: Outcome, day: int = 1, machine: str = HERE, threads: int = 1, rows: str = ROWS,
    libraries: str = "{}", task: str = "text-classification", ranking: Ranking | None = None,
    **question: Any,
) -> Sequence[Evaluation]:  # fmt: skip
    answer = {
        "candidates": [each.to_json() for each in outcomes], "baseline": None,
        "plan": {"mode": "pool"},
        "data": {"name": f"{rows[0]}.csv", "fingerprint": rows, "n_rows": 100,
                 "task": {"name": task}},
        "environment": {"machine": machine, "threads": threads,
                        "libraries": json.loads(libraries)},
    }  # fmt: skip
    at = f"2026-11-{day:02}T12:00:00+00:00"
    run = f"{day:08}"
    return evaluations_of(answer, question, run=run, at=at, ranking=ranking or RANKING)


RANKING = Ranking("accuracy", counts_errors=True)
WER = Ranking("wer", higher_is_better=False)


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    with Measurements(tmp_path / "measurements.db") as store:
        yield Board(store)


def names(found: Leaderboard) -> list[str]:
    return [entry.model.removeprefix("team/") for entry in found.entries]


# ---------------------------------------------------------------------- the order
def test_the_best_come_first_and_failures_last(board: Board) -> None:
    """By quality, size and name; those that answered only some rows behind those with all."""
    part = outcome("part", None, n_rows=40, n_wrong=0, state=State.RACED_OUT)
    poor = outcome("poor part", None, n_rows=40, n_wrong=20, state=State.RACED_OUT)
    board.record(
        failed("broken"), poor, part, outcome("large", 0.9, 5.0), outcome("b", 0.9),
        outcome("a", 0.9), outcome("worst", 0.5),
    )  # fmt: skip
    found = board.read()
    assert names(found) == ["a", "b", "large", "worst", "part", "poor part", "broken"]
    assert [origin.complete for origin in found.origins] == [True] * 4 + [False] * 3
    assert found.entries[-1].reason == "signal 9"


def test_what_is_forgotten_while_it_is_read_is_not_found(board: Board) -> None:
    """Between the look at which rows there are and the reading of them."""
    board.record(outcome("a", 0.9))
    data_sets = Evaluations.data_sets

    def and_forget(self: Evaluations, limits: Limits) -> list[DataSet]:
        found = data_sets(self, limits)
        board.store.forget_older_than(datetime.now(UTC) + timedelta(days=10_000))
        return found

    with (
        mock.patch.object(Evaluations, "data_sets", and_forget),
        pytest.raises(NotFound, match="nothing was evaluated yet"),
    ):
        board.read()


def test_what_answered_some_rows_comes_before_what_failed(board: Board) -> None:
    """Also where nothing tells its quality yet."""
    part = outcome("part", None, 9.0, n_rows=40, state=State.RACED_OUT)
    sized = replace(failed("broken"), measurements=outcome("broken", None).measurements)
    board.record(sized, part, outcome("a", 0.9, metric="wer"), ranking=WER)
    assert names(board.read()) == ["a", "part", "broken"]


@pytest.mark.parametrize(("task", "metric"), TASKS, ids=[task for task, _ in TASKS])
def test_every_task_is_ranked_by_its_first_metric(board: Board, task: str, metric: str) -> None:
    """Where less is better, the least comes first."""
    query = Query.parse((), task=task)
    ranking = ranking_of(query)
    assert ranking == Ranking(metric, metric != "wer", query.labelled)
    entries = [outcome(name, quality, metric=metric) for name, quality in (("a", 0.3), ("b", 0.6))]
    board.record(*entries, task=task, ranking=ranking)
    found = board.read(task=task)
    assert names(found) == (["a", "b"] if metric == "wer" else ["b", "a"])
    assert found.metric == metric
    assert [entry.on_frontier for entry in found.entries] == [True, False]


def test_likelihoods_are_ranked_by_the_asked_one() -> None:
    """Of how likely texts are, less perplexity is better."""
    options = {"likelihoods": True}
    query = Query.parse(
        "bits_per_byte <= 2", task="text-generation", task_options=options
    )  # fmt: skip
    assert ranking_of(query) == Ranking("bits_per_byte", higher_is_better=False)


def test_the_certified_bound_is_that_of_the_ranked_metric(board: Board) -> None:
    """What was shown of another quality does not stand beside it."""
    shown, other = Claim("accuracy", 0.8, 0.9, 0.85, 100), Claim("f1[a]", 0.5, 0.7, 0.6, 100)
    board.record(outcome("a", 0.9, claims=(other, shown)), outcome("b", 0.8, claims=(other,)))
    assert [entry.lower for entry in board.read().entries] == [0.85, None]


# ---------------------------------------------------------------------- machines
def test_quality_travels_and_timings_do_not(board: Board) -> None:
    """A candidate keeps this machine's timings, however new and good another's are."""
    board.record(outcome("a", 0.7, p50_ms=3.0), day=1)
    board.record(outcome("a", 0.8, p50_ms=1.0), outcome("b", 0.9, p50_ms=2.0), machine=THERE, day=2)
    found = board.read()
    assert names(found) == ["b", "a"]
    (b, a) = found.entries
    assert (a.value("accuracy"), a.value("latency_p50_ms")) == (0.8, 3.0)
    assert (b.value("accuracy"), b.value("latency_p50_ms")) == (0.9, 2.0)
    assert [o.timed_on for o in found.origins] == [THERE, HERE]
    assert [o.evaluated_on for o in found.origins] == [THERE, THERE]
    assert found.machines == (THERE, "")
    assert found.notes == (
        f"timings and memory of 1 candidate are not this machine's but of: {THERE}",
    )


def test_timings_of_two_machines_are_not_mixed(board: Board) -> None:
    """What was not measured here is not filled in from elsewhere."""
    board.record(outcome("a", 0.7))
    there = outcome("a", 0.7)
    peak = {"peak_memory_mb": Measurement("peak_memory_mb", 500.0, "MB", 1)}
    board.record(replace(there, measurements={**there.measurements, **peak}), machine=THERE, day=2)
    assert board.read().entries[0].value("peak_memory_mb") is None
    assert board.read(machine=THERE).entries[0].value("peak_memory_mb") == 500.0


def test_what_another_search_asked_is_not_told(board: Board) -> None:
    """Verdicts and limits are of their own question; noise is that of the timings shown."""
    noisy, cut = "noisy timing: 9 %", "cut rows: 1 row was"
    asked = {"verdict": Verdict.INSUFFICIENT, "misses": ("latency_p95_ms is 90",),
             "reason": "shown to miss 0.95", "flags": (noisy, cut)}  # fmt: skip
    board.record(outcome("a", 0.7), day=1)
    board.record(replace(outcome("a", 0.8, p50_ms=90.0), **asked), machine=THERE, day=2)
    found = board.read()
    (entry,) = found.entries
    assert (entry.value("accuracy"), entry.value("latency_p50_ms")) == (0.8, 3.0)
    assert (entry.verdict, entry.misses, entry.reason) == (
        Verdict.UNDECIDED, (), "100 rows answered",
    )  # fmt: skip
    assert entry.flags == (cut,)
    assert board.read(machine=THERE).entries[0].flags == (cut, noisy)
    for shown in (text.render(found), markdown.render(found)):
        assert "measured" in shown
        assert "insufficient" not in shown


def test_several_versions_of_a_library_are_told(board: Board) -> None:
    """One that runs models faster makes its candidates look better."""
    board.record(outcome("a", 0.9), libraries='{"onnxruntime": "1.20", "torch": "2.13"}')
    board.record(outcome("b", 0.9), libraries='{"onnxruntime": "1.30", "torch": "2.13"}')
    found = board.read()
    assert found.notes == ("timings were taken with several versions of onnxruntime: 1.20, 1.30",)
    assert [o.libraries["onnxruntime"] for o in found.origins] == ["1.20", "1.30"]


def test_a_file_says_where_each_figure_comes_from(board: Board) -> None:
    """Also the one for spreadsheets."""
    board.record(outcome("a", 0.7), machine=THERE, threads=4)
    (row,) = DictReader(StringIO(csv.render(board.read())))
    assert (row["timed_on"], row["threads"], row["run"]) == (THERE, "4", "00000001")


def test_timings_of_two_machines_are_not_compared(board: Board) -> None:
    """A larger candidate that is as good is on the frontier by its latency, on one machine only."""
    board.record(outcome("slow", 0.9, 1.0, p50_ms=9.0))
    board.record(outcome("fast", 0.9, 2.0, p50_ms=1.0))
    assert names_on_frontier(board.read()) == ["slow", "fast"]
    board.record(outcome("third", 0.1, 3.0), machine=THERE)
    assert names_on_frontier(board.read()) == ["slow"]


def names_on_frontier(found: Leaderboard) -> list[str]:
    return [entry.model.removeprefix("team/") for entry in found.frontier]


def test_threads_that_differ_are_told(board: Board) -> None:
    """Of one candidate the timings with fewest threads are shown."""
    board.record(outcome("a", 0.9, p50_ms=9.0), threads=1)
    board.record(outcome("a", 0.9, p50_ms=3.0), outcome("b", 0.8), threads=4, day=2)
    found = board.read()
    assert found.entries[0].value("latency_p50_ms") == 9.0
    assert found.notes == ("timings were taken with different numbers of threads: 1, 4",)


def test_a_race_that_was_lost_elsewhere_undoes_nothing(board: Board) -> None:
    """Whoever answered all rows is evaluated, though a later search turned it down early."""
    board.record(outcome("a", 0.9))
    board.record(failed("a"), machine=THERE, day=2)
    (entry,) = board.read().entries
    assert entry.state is State.EVALUATED


def test_settings_that_differ_are_told(board: Board) -> None:
    """The newest evaluation of a candidate counts."""
    board.record(outcome("a", 0.1), label_map={"0": "bad", "1": "good"})
    board.record(outcome("a", 0.9), label_map={"0": "good", "1": "bad"}, day=2)
    found = board.read()
    assert [entry.value("accuracy") for entry in found.entries] == [0.9]
    assert "several settings" in found.notes[0]


# ---------------------------------------------------------------------- which rows
def test_without_a_name_the_newest_rows_are_meant(board: Board) -> None:
    """And the others are named."""
    board.record(outcome("a", 0.9))
    board.record(outcome("b", 0.9), rows=OTHER_ROWS, day=2)
    found = board.read()
    assert (names(found), found.data, found.fingerprint) == (["b"], "e.csv", OTHER_ROWS)
    assert "f.csv (ffffffff, text-classification, 100 rows)" in found.notes[0]
    assert names(board.read(fingerprint="ff")) == ["a"]
    assert names(board.read(since="2026-11-02")) == ["b"]


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"task": "translation"}, "evaluations for text-classification"),
        ({"machine": "abacus"}, f"there are: {HERE}"),
        ({"since": "2027-01-01"}, "name an earlier"),
        ({"fingerprint": "abc"}, "f.csv (ffffffff, text-classification, 100 rows)"),
        ({"fingerprint": "ff", "task": "translation"}, "--task text-classification"),
    ],
    ids=["task", "machine", "time", "rows", "rows of another task"],
)
def test_what_is_lacking_is_told_with_what_there_is(
    board: Board, limits: dict[str, str], told: str
) -> None:
    """One line that leads on."""
    board.record(outcome("a", 0.9))
    with pytest.raises(NotFound) as error:
        board.read(**limits)
    assert told in str(error.value)


def test_a_name_from_the_store_cannot_steer_the_terminal(board: Board) -> None:
    """A data set may be called anything."""
    (one,) = evaluated(outcome("a", 0.9))
    board.store.evaluations.record([replace(one, data="\x1b[31mred.csv")])
    with pytest.raises(NotFound, match=r"were: \[31mred\.csv"):
        board.read(fingerprint="abc")


def test_an_empty_store_says_how_to_begin(board: Board) -> None:
    """Nothing was evaluated yet."""
    with pytest.raises(NotFound, match="recommender measure"):
        board.read()


def test_a_start_that_two_sets_have_is_refused(board: Board) -> None:
    """With what to choose from."""
    board.record(outcome("a", 0.9), rows="ab" * 32)
    board.record(outcome("a", 0.9), rows="ac" * 32)
    with pytest.raises(BadInput, match="give more of it"):
        board.read(fingerprint="a")
    assert names(board.read(fingerprint="ac")) == ["a"]


def test_the_rows_themselves_come_before_others_of_which_they_were_used(board: Board) -> None:
    """A search may have left rows out that belong to another one."""
    board.record(outcome("a", 0.9))
    (more,) = evaluated(outcome("b", 0.9), day=2)
    board.store.evaluations.record([replace(more, rows=OTHER_ROWS)])
    assert names(board.read(fingerprint=ROWS)) == ["a"]
    assert names(board.read(fingerprint=OTHER_ROWS)) == ["b"]


LABELLED = [
    {"text": f"{label} {n}", "label": label, "site": f"s{n % 3}"}
    for n in range(4)
    for label in ("bad", "good")
]


def test_rows_are_recognised_however_they_are_grouped() -> None:
    """Groups and slices belong to a question; a label belongs to the rows."""
    plain = Samples.of(LABELLED, text="text", label="label")
    how = {"text": "text", "label": "label"}
    grouped = Samples.of(LABELLED, group="site", **how)
    sliced = Samples.of(LABELLED, slices=["site"], **how)
    assert grouped.fingerprint != plain.fingerprint
    assert {rows_digest(each) for each in (plain, grouped, sliced)} == {plain.fingerprint}
    wrong = Samples.of([{**LABELLED[0], "label": "good"}, *LABELLED[1:]], group="site", **how)
    assert rows_digest(wrong) != plain.fingerprint


# ---------------------------------------------------------------------- from Python
def test_python_asks_by_task_data_and_limits(board: Board, tmp_path: Path) -> None:
    """`Leaderboard.of(task, data)` reads the same store."""
    samples = Samples.of(LABELLED, text="text", label="label")
    board.record(outcome("a", 0.9), rows=samples.fingerprint)
    board.record(outcome("b", 0.9), rows=OTHER_ROWS, day=2)
    assert names(Leaderboard.of(home=tmp_path)) == ["b"]
    assert names(Leaderboard.of("text-classification", LABELLED, home=tmp_path)) == ["a"]
    assert names(Leaderboard.of(data=LABELLED, home=tmp_path)) == ["a"]
    assert names(leaderboard(fingerprint="eee", home=tmp_path)) == ["b"]
    assert names(leaderboard(since=date(2026, 11, 2), home=tmp_path)) == ["b"]
    with pytest.raises(BadInput, match="fingerprint"):
        leaderboard(LABELLED, fingerprint="ee", home=tmp_path)
    with pytest.raises(NotFound, match="Did you mean 'text-classification'"):
        Leaderboard.of("text-clasification", home=tmp_path)
    with pytest.raises(BadInput, match="data="):
        Leaderboard.of(LABELLED, home=tmp_path)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "moment"),
    [
        (None, ""),
        ("2026-11-22", "2026-11-22T00:00:00+00:00"),
        ("2026-11-22T18:00+02:00", "2026-11-22T16:00:00+00:00"),
        (date(2026, 11, 22), "2026-11-22T00:00:00+00:00"),
    ],
)
def test_a_time_is_taken_as_utc(given: str | date | None, moment: str) -> None:
    """A date begins at its first second."""
    assert moment_of(given) == moment


def test_what_is_no_date_is_refused() -> None:
    """With one that is."""
    with pytest.raises(BadInput, match="2026-11-22"):
        moment_of("yesterday")


# ---------------------------------------------------------------------- as others read it
def test_it_is_written_in_every_form(board: Board) -> None:
    """JSON with its own version, a data frame, and the reports."""
    board.record(outcome("a", 0.9), outcome("b", 0.8), failed("broken"))
    found = board.read()
    told = json.loads(found.to_json())
    assert (told["schema_version"], told["metric"], told["fingerprint"]) == (3, "accuracy", ROWS)
    assert [entry["model"] for entry in told["entries"]] == ["team/a", "team/b", "team/broken"]
    assert told["entries"][0].items() >= {"run": "00000001", "timed_on": HERE, "threads": 1}.items()
    frame = found.to_pandas()
    assert list(frame["evaluated_on"]) == [HERE] * 3
    assert list(frame["accuracy"])[:2] == [0.9, 0.8]
    for render in (text.render, markdown.render, csv.render):
        assert render(found).index("team/a") < render(found).index("team/broken")
    assert "crashed" in str(found)


def test_a_notebook_shows_it(board: Board) -> None:
    """As a page's part, and as a figure by each cost."""
    from matplotlib.figure import Figure

    board.record(outcome("a", 0.9), outcome("b", 0.8, 0.5))
    found = board.read()
    assert "team/a" in found._repr_html_()
    assert isinstance(found.plot(), Figure)


def test_the_quality_column_is_called_after_the_metric(board: Board) -> None:
    """Not every task is judged by accuracy."""
    entries = [outcome("a", 0.3, metric="wer")]
    board.record(*entries, ranking=WER)
    assert "wer" in text.render(board.read()).split("\n\n")[1].splitlines()[0]


def test_a_board_made_by_hand_needs_no_origins() -> None:
    """As examples and tests make them."""
    made = Leaderboard("text-classification", "rows", 100, (outcome("a", 0.9),))
    assert made.to_dict()["entries"][0]["model"] == "team/a"
    assert list(made.to_pandas()["model"]) == ["team/a"]
    assert replace(made, entries=()).frontier == ()
