"""CSV as spreadsheets and data frames read it."""

import csv
import io
import math
from typing import Any

import pandas
import polars
import pytest

from evaluators.candidate import Recipe
from evaluators.measurement import Measurement, State
from recommender.evidence.verdict import Verdict
from recommender.leaderboard import Leaderboard
from recommender.recommendation import Claim, Outcome, Plan, Recommendation
from recommender.reports.csv import render

PLAN = Plan(10, 10, 2, 2, 0.05, 0, "size_mb", ("accuracy >= 0.85",), "rows")
NASTY = 'say "1,5", then\x1b[31m;\nwait'


def outcome(name: str, **changes: Any) -> Outcome:
    given: dict[str, Any] = {
        "reason": NASTY, "license": None, "flags": ("drift: 2 of 40 rows", "cut rows: 3 rows"),
        "claims": (Claim("accuracy - baseline", -0.02, -0.0081, None, 1000),), **changes,
    }  # fmt: skip
    size = Measurement("size_mb", 12.300000000000001, "MB", 1)
    return Outcome(
        name, "0" * 40, "hub", Recipe("torch-int8", "torch", "int8"), State.EVALUATED,
        Verdict.SUFFICIENT, predicted_size_mb=12.0, n_rows=10,
        measurements=given.pop("measurements", {"size_mb": size}), **given,
    )  # fmt: skip


def table(*outcomes: Outcome) -> str:
    return render(Recommendation(PLAN, None, outcomes, "", "complete", {}, {}))


def test_three_parsers_read_the_same_values() -> None:
    """Quotes, commas, separators, missing figures and every digit survive."""
    names = ("team/good", "команда/модель", "團隊/模型", 'a,"b"', "NA", "1e5")
    text = table(*(outcome(name) for name in names))
    rows = list(csv.DictReader(io.StringIO(text)))
    by_pandas = pandas.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    by_polars = polars.read_csv(io.StringIO(text), infer_schema_length=0).fill_null("")
    assert by_pandas.to_dict("records") == rows
    assert by_polars.to_dicts() == rows
    assert [row["model"] for row in rows] == list(names)
    first = rows[0]
    assert float(first["size_mb"]) == 12.300000000000001
    assert float(first["accuracy - baseline_estimate"]) == -0.0081
    assert first["accuracy - baseline_certified"] == first["license"] == ""
    assert first["flags"] == "drift: 2 of 40 rows; cut rows: 3 rows"
    assert first["reason"] == 'say "1,5", then[31m;wait'


def test_figures_are_numbers_for_both_data_frames() -> None:
    """Also negative ones: they get no apostrophe. A missing one is missing."""
    text = table(outcome("team/good"))
    one = pandas.read_csv(io.StringIO(text)).iloc[0]
    other = polars.read_csv(io.StringIO(text)).row(0, named=True)
    for column in ("size_mb", "predicted_size_mb", "accuracy - baseline_estimate", "n_rows"):
        assert one[column] == other[column]
    assert one["accuracy - baseline_estimate"] == -0.0081
    assert math.isnan(one["accuracy - baseline_certified"])
    assert other["accuracy - baseline_certified"] is None


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t=", "\r=", "\n=", "\x00=", "\u200b=", "＝", "＋", "－", "＠"]
)
def test_no_text_is_a_formula(start: str) -> None:
    """In no column, whatever a model, a licence, a reason or a warning is called."""
    evil = f'{start}HYPERLINK("http://127.0.0.1/?"&A1)'
    bad = outcome(evil, license=evil, reason=evil, flags=(evil,))
    board = Leaderboard("text-classification", evil, 10, (bad,))
    plan = Plan(10, 10, 1, 1, 0.05, 0, "size_mb", (), "rows", candidates=((evil, 1.0),))
    for text in (table(bad), render(board), render(plan)):
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        told = [cell for cell in cells if "HYPERLINK" in cell]
        assert told
        assert all(cell.startswith("'") for cell in told)


def test_a_row_has_intervals_and_whole_counts() -> None:
    """What is counted is whole, and a figure's interval stands beside it."""
    measured = {
        "accuracy": Measurement("accuracy", 0.9, "ratio", 10, 0.8, 0.95),
        "rows_cut": Measurement("rows_cut", 3.0, "rows", 10),
    }
    (row,) = csv.DictReader(io.StringIO(table(outcome("a", measurements=measured))))
    assert (row["accuracy_low"], row["accuracy"], row["accuracy_high"]) == ("0.8", "0.9", "0.95")
    assert row["rows_cut"] == "3"
    frame = Recommendation(PLAN, None, (outcome("a"),), "", "complete", {}, {}).to_pandas()
    assert frame["accuracy - baseline_estimate"].tolist() == [-0.0081]


def test_pandas_has_the_warnings() -> None:
    """One text a candidate, as in the CSV."""
    frame = Recommendation(PLAN, None, (outcome("a"),), "", "complete", {}, {}).to_pandas()
    assert frame["flags"].tolist() == ["drift: 2 of 40 rows; cut rows: 3 rows"]
