"""What people read, compared letter by letter with files that were looked at.

After a change that is meant, renew the files and read their differences before they are committed:

    RECOMMENDER_RENEW_SNAPSHOTS=1 pytest tests/recommender/test_snapshots.py
"""

import os
from pathlib import Path
from typing import Any

import pytest

from evaluators.candidate import Recipe
from evaluators.labels import LabelMap
from evaluators.measurement import Measurement, State
from recommender.details.parts import ClassQuality, Details, SliceQuality
from recommender.evidence.verdict import Verdict
from recommender.leaderboard import Leaderboard, Origin
from recommender.recommendation import Claim, Outcome, Plan, Recommendation
from recommender.reports import markdown, text
from recommender.reports.table import Result
from recommender.reports.widths import columns

SNAPSHOTS = Path(__file__).parent / "snapshots"
RENEW = "RECOMMENDER_RENEW_SNAPSHOTS"

INT8, FP32 = (
    Recipe("onnxruntime-int8", "onnxruntime", "int8"),
    Recipe("torch-fp32", "torch", "fp32"),
)
LONG = "distilbert/distilbert-base-uncased-finetuned-sst-2-english"
HOSTILE = "evil/\x1b[2J\u202e<img src=x>|`code`*bold*_$x$~~&lt;"
NOISY = "too noisy to decide: the same candidate differed from itself"


def outcome(model: str, recipe: Recipe, size_mb: float, estimate: float, **changes: Any) -> Outcome:
    """A candidate that answered all of 1,000 rows; its figures follow from its size."""
    lower = estimate - 0.026
    is_sufficient = lower >= 0.85
    ratio = Measurement("accuracy", estimate, "ratio", 1000, estimate - 0.02, estimate + 0.02)
    measured = [
        Measurement("size_mb", size_mb, "MB", 1),
        Measurement("latency_p50_ms", size_mb / 12, "ms", 100),
        Measurement("latency_p95_ms", size_mb / 8, "ms", 100, note=changes.pop("note", "")),
        Measurement("peak_memory_mb", 90 + 1.4 * size_mb, "MB", 1),
        ratio,
    ]
    given: dict[str, Any] = {
        "state": State.EVALUATED,
        "verdict": Verdict.SUFFICIENT if is_sufficient else Verdict.UNDECIDED,
        "reason": f"accuracy {estimate:.4f}, certified >= {lower:.3f}",
        "n_rows": 1000, "n_units": 1000, "n_wrong": round(1000 * (1 - estimate)),
        "claims": (Claim("accuracy", 0.85, estimate, lower, 1000),),
        "license": "apache-2.0", "labels": LabelMap(("negative", "positive"), "exact names"),
        "measurements": {m.name: m for m in measured},
    }  # fmt: skip
    return Outcome(
        model, "714eb0fa" * 5, "hub", recipe, predicted_size_mb=size_mb, **given | changes
    )


def failed(model: str, state: State, reason: str) -> Outcome:
    """One that answered nothing."""
    return Outcome(model, "0" * 40, "hub", FP32, state, Verdict.UNDECIDED, reason, 55.0)


SMALL = outcome("team/tiny", INT8, 4.4, 0.82, on_frontier=True)
CHOICE = outcome(LONG, INT8, 67.5, 0.911, on_frontier=True, note=NOISY)
LARGE = outcome(LONG, FP32, 268, 0.914)
STRANGE = outcome(
    HOSTILE, INT8, 31.0, 0.84,
    on_frontier=True, flags=("contamination: its card names the data set '- 1. imdb'",),
)  # fmt: skip
POOL = (
    SMALL,
    STRANGE,
    failed("team/crashing", State.CRASHED, "the worker ended with signal 11\x07"),
    CHOICE,
    LARGE,
    failed("team/later", State.NOT_NEEDED, "not run: size_mb 500, more than the choice"),
)
ASKED = Plan(
    n_rows=1000, n_units=1000, n_candidates=6, n_models=5, delta=0.05, seed=0, minimize="size_mb",
    requirements=("accuracy >= 0.85", "latency_p95_ms <= 20"),
    estimand="distinct texts, each counting once",
    coverage="these labels are used for the first time",
    resolution="with 1,000 rows and 6 candidates, a model must truly reach about 0.880",
    cost="up to about 3 min: 540 MB to download, at most 6,000 rows to answer",
    candidates=tuple((o.name, o.predicted_size_mb) for o in POOL),
    left_out=(("team/remote", "remote code", "it would run its own code: modeling_evil.py"),),
    warnings=("the catalog is 12 days old",),
)  # fmt: skip


def recommendation(choice: Outcome | None) -> Recommendation:
    return Recommendation(
        plan=ASKED, choice=choice, candidates=POOL, ended="complete",
        guarantee="if these 1,000 units (distinct texts, each counting once) are independent draws "
        "from the inputs you will meet, the chance that any candidate called sufficient truly "
        "misses 'accuracy >= 0.85' is at most 0.05",
        data={"name": "reviews.csv", "fingerprint": "ce4b776a" * 8},
        environment={"machine": "a machine, 2 cores", "threads": 1},
        search={"reason": "no smaller candidate is left to try", "raced_out": 1, "saved_mb": 812.0},
        ties=(f"cannot be told apart: {CHOICE.name} and {LARGE.name} differ by -0.003",),
        notes=("12 rows were longer than a model reads",),
        command="recommender find reviews.csv --require 'accuracy >= 0.85'",
        details={
            CHOICE.name: Details(
                classes=(ClassQuality("negative", 480, 0.92, 0.9, 0.91),
                         ClassQuality("a|b\n- 1. <b>", 520, None, 0.905, 0.9125)),
                slice_metric="accuracy",
                slices=(SliceQuality("lang", "de", 120, 0.88, 0.81, 0.93),
                        SliceQuality("lang", "fr", 80, 0.9)),
                calibration_error=0.0213,
            )
        },
    )  # fmt: skip


def origin(machine: str | None, *, complete: bool = True) -> Origin:
    return Origin(
        "2026-11-22T18:00:00+00:00", "a machine, 2 cores", "ab" * 32, complete, machine, 1
    )


BOARD = Leaderboard(
    task="text-classification", data="reviews.csv", n_rows=1000,
    entries=(LARGE, CHOICE, SMALL), metric="accuracy", fingerprint="ce4b776a" * 8,
    machine="a machine, 2 cores",
    origins=(origin("a server, 64 cores"), origin("a machine, 2 cores"), origin("a laptop")),
    notes=("timings are shown for the machine that they were taken on",),
)  # fmt: skip

RESULTS: dict[str, Result] = {
    "answer": recommendation(CHOICE),
    "no-answer": recommendation(None),
    "leaderboard": BOARD,
    "plan": ASKED,
}


def compare(name: str, shown: str) -> None:
    """With the file of that name, which RECOMMENDER_RENEW_SNAPSHOTS=1 writes anew."""
    file = SNAPSHOTS / name
    if os.environ.get(RENEW) == "1":
        file.write_bytes(f"{shown}\n".encode())
    assert f"{shown}\n".encode() == file.read_bytes()


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("name", RESULTS)
def test_the_terminal_shows_what_was_looked_at(
    name: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is wider than the terminal, but for a name that is, and for what is to be copied."""
    monkeypatch.setenv("COLUMNS", str(width))
    shown = text.render(RESULTS[name], verbose=width == 80)
    compare(f"{name}-{width}.txt", shown)
    assert [line for line in shown.split("\n") if _is_too_wide(line, width)] == []
    assert shown.isprintable() or set(shown) - set(filter(str.isprintable, shown)) == {"\n"}


def _is_too_wide(line: str, width: int) -> bool:
    has_a_long_name = any(columns(word) > width - 12 for word in line.split())
    is_to_be_copied = line.startswith("Reproduce:")
    return columns(line) > width and not has_a_long_name and not is_to_be_copied


@pytest.mark.parametrize("width", [60, 72, 80, 99, 120, 200])
@pytest.mark.parametrize("name", ["answer", "leaderboard"])
def test_the_table_is_never_wider_than_the_terminal(
    name: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever candidates are called; each of them is in it."""
    monkeypatch.setenv("COLUMNS", str(width))
    table = text.render(RESULTS[name]).split("\n\n")[1].split("\n")
    assert max(map(columns, table)) <= width
    assert all(any(line.startswith(start) for line in table) for start in ("* team/tiny", "* "))


@pytest.mark.parametrize("name", RESULTS)
def test_markdown_reads_as_was_looked_at(name: str) -> None:
    """As GitHub shows it."""
    compare(f"{name}.md", markdown.render(RESULTS[name]))


def test_no_snapshot_is_left_over() -> None:
    """Each file is compared with something."""
    expected = {f"{name}-{width}.txt" for name in RESULTS for width in (60, 80, 120)}
    assert {file.name for file in SNAPSHOTS.iterdir()} == expected | {f"{n}.md" for n in RESULTS}
