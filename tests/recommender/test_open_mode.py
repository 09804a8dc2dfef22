"""The open mode in whole searches: what the held-out rows show decides, and nobody hears of it."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from evaluators.candidate import Candidate
from recommender import Recommendation, find
from recommender.bench import Bench
from recommender.hunt import Hunt
from recommender.search.contender import Report, Standing

Ask = Callable[..., Recommendation]
Rows = list[dict[str, str]]

N_SCREENED = 60


@pytest.fixture
def ask(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Questions whose first three candidates are promoted, however little hope there is."""
    monkeypatch.setattr("recommender.hunt.PROMOTED_FROM", 0.0)

    def asked(rows: Rows, target: float, home: Path) -> Recommendation:
        return find(
            rows, f"f1_macro >= {target}", models=["team/guessing", "team/good"],
            sources=[f"folder:{zoo}"], backends=["onnxruntime"], home=home,
        )  # fmt: skip

    return asked


def forget_answers(home: Path) -> None:
    """As after a search that was cut short."""
    with sqlite3.connect(home / "measurements.db") as connection:
        connection.execute("DELETE FROM answers")


def test_a_resumed_search_keeps_what_the_held_out_rows_showed(
    ask: Ask, rows: Rows, home: Path
) -> None:
    """Who failed there is screened again for the search; the answer shows the test itself."""
    answer = ask(rows, 0.99, home)
    n_tested = [outcome.n_rows for outcome in answer.candidates].count(len(rows) - N_SCREENED)
    assert n_tested == 3
    forget_answers(home)
    assert ask(rows, 0.99, home).candidates == answer.candidates


def test_each_promotion_is_written_down_and_has_its_level_before_it_is_tested(
    zoo: Path, rows: Rows, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The m-th owns 0.2 * 0.8^(m-1) of delta, and as much again where the search is resumed."""
    monkeypatch.setattr("recommender.hunt.PROMOTED_FROM", 0.0)
    levels: list[float] = []
    n_written: list[int] = []
    at_level = Bench.at_level

    def noted(bench: Bench, candidate: Candidate, level: float) -> Bench:
        levels.append(level)
        with sqlite3.connect(home / "measurements.db") as connection:
            n_written.append(
                connection.execute("SELECT count(*) FROM ledger_promotions").fetchone()[0]
            )
        return at_level(bench, candidate, level)

    monkeypatch.setattr(Bench, "at_level", noted)
    for _ in range(2):
        find(
            rows, "accuracy >= 0.95", models=["team/guessing"], sources=[f"folder:{zoo}"],
            backends=["onnxruntime"], mode="open", home=home,
        )  # fmt: skip
        forget_answers(home)
    assert levels == pytest.approx([0.01, 0.008] * 2)
    assert n_written == [1, 2, 2, 2]


def test_without_a_promotion_no_held_out_row_is_answered(
    ask: Ask, rows: Rows, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search sees the first fifth of the fixed order, and predicts nothing else."""
    monkeypatch.setattr("recommender.hunt.PROMOTED_FROM", 2.0)
    answer = ask(rows, 0.8, home)
    assert answer.choice is None
    with sqlite3.connect(home / "measurements.db") as connection:
        each = "SELECT count(*) FROM predictions GROUP BY candidate_key"
        screened = (
            "SELECT count(DISTINCT p.row_key) FROM predictions p "
            "JOIN ledger_rows l USING (row_key) WHERE l.place < ?"
        )
        assert connection.execute(each).fetchall() == [(N_SCREENED,)] * 4
        assert connection.execute(screened, (N_SCREENED,)).fetchone() == (N_SCREENED,)


def test_the_study_hears_nothing_of_the_held_out_rows(
    ask: Ask, rows: Rows, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All their labels are turned round, and the search is told just the same."""
    told: list[object] = []
    screened: set[str] = set()
    race = Hunt._race

    def overheard(hunt: Hunt, index: int, report: Report) -> Standing:
        def reported(standing: Standing) -> bool:
            told.append(standing)
            return report(standing)

        screened.update(row.text for row in hunt.bench.samples.rows)
        found = race(hunt, index, reported)
        told.append((index, found, dict(hunt._standings)))
        return found

    monkeypatch.setattr(Hunt, "_race", overheard)
    other_home = shutil.copytree(home, tmp_path / "other", symlinks=True)
    honest = ask(rows, 0.99, home)
    heard = told.copy()
    told.clear()
    assert len(screened) == N_SCREENED
    other = {"negative": "positive", "positive": "negative"}
    poisoned = [
        row if row["text"] in screened else {**row, "label": other[row["label"]]} for row in rows
    ]
    assert ask(poisoned, 0.99, other_home).candidates != honest.candidates
    assert told == heard
