"""The whole story through the Python API, on real models in real worker processes."""

import json
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from cache.errors import BadInput, NotFound
from cache.measurements import Measurements
from evaluators.samples import Row
from recommender import Leaderboard, Recommendation, State, Verdict, find, measure, plan
from recommender.bench import OutOfBudget
from recommender.plugins import plugin
from recommender.reports.json import schema
from recommender.runs import stored_run
from tests.conftest import new_home

Found = tuple[Recommendation, Path]


def test_the_choice_is_the_smallest_that_is_shown_to_be_sufficient(found: Found) -> None:
    """The trained model is chosen, in the smallest recipe whose lower bound reaches the target."""
    answer, _ = found
    assert answer.choice is not None
    assert answer.choice.model == "team/good"
    assert answer.choice.lower is not None
    assert answer.choice.lower >= 0.85
    smaller = [
        o
        for o in answer.candidates
        if (o.value("size_mb") or 1e9) < (answer.choice.value("size_mb") or 0)
    ]
    assert not any(outcome.acceptable for outcome in smaller)


def test_every_candidate_ends_in_one_state_with_a_reason(found: Found) -> None:
    """The states add up to the pool, and nobody is turned down without a word."""
    answer, _ = found
    states = Counter(outcome.state for outcome in answer.candidates)
    assert sum(states.values()) == answer.plan.n_candidates
    assert all(outcome.reason for outcome in answer.candidates)
    assert states[State.RACED_OUT] + states[State.EVALUATED] >= 2


@pytest.mark.parametrize(
    ("model", "state"),
    [
        ("team/pickled", "unsafe format"),
        ("team/remote", "remote code"),
        ("team/topics", "label mismatch"),
    ],
)
def test_metadata_alone_leaves_out_what_must_not_run(found: Found, model: str, state: str) -> None:
    """Pickled weights, remote code and other labels are turned down before anything is loaded."""
    answer, _ = found
    left_out = {name.split("@")[0]: state for name, state, _ in answer.plan.left_out}
    assert left_out[model] == state


@pytest.mark.parametrize(
    ("model", "state"), [("team/headless", State.NO_HEAD), ("team/poisoned", State.BAD_OUTPUT)]
)
def test_a_broken_model_is_a_named_state_and_the_search_goes_on(
    found: Found, model: str, state: State
) -> None:
    """A missing head and NaN scores are never a prediction."""
    answer, _ = found
    broken = [o for o in answer.candidates if o.model == model and o.state is not State.NOT_NEEDED]
    assert broken
    assert {outcome.state for outcome in broken} == {state}


def test_the_same_question_is_answered_from_memory(found: Found, zoo: Path, data: Path) -> None:
    """The stored answer equals the first one, and says that it is remembered."""
    answer, home = found
    again = find(data, "accuracy >= 0.85", sources=[f"folder:{zoo}"], home=home)
    assert again.from_memory
    assert again.choice == answer.choice
    assert again.candidates == answer.candidates
    find(data, "accuracy >= 0.8", sources=[f"folder:{zoo}"], home=home)
    find(data, "accuracy >= 0.85", sources=[f"folder:{zoo}"], home=home)
    with Measurements(home / "measurements.db", read_only=True) as store:
        assert stored_run(store).result.plan.requirements == ("accuracy >= 0.85",)


@pytest.mark.parametrize("target", ["0.85", "0.8"], ids=["same question", "lower target"])
def test_memory_answers_without_the_heavy_libraries(
    found: Found, zoo: Path, data: Path, target: str
) -> None:
    """The cached path imports none of optuna, datasets, evaluate, torch."""
    _, home = found
    code = (
        "import sys; from pathlib import Path; from recommender import find\n"
        f"found = find({str(data)!r}, 'accuracy >= {target}', "
        f"sources=['folder:{zoo}'], home=Path({str(home)!r}))\n"
        "heavy = ('optuna', 'datasets', 'evaluate', 'torch', 'transformers', 'sklearn')\n"
        "print(found.choice.model, [name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "team/good []"


def test_another_target_on_the_same_labels_is_free(found: Found, zoo: Path, data: Path) -> None:
    """The ledger covers every target at once, and a later question says that it does."""
    answer, home = found
    later = find(data, "accuracy >= 0.8", sources=[f"folder:{zoo}"], home=home)
    assert later.plan.ledger == answer.plan.ledger
    assert answer.plan.ledger[:8] in later.guarantee
    assert "free" in later.plan.coverage


def test_a_model_named_after_the_labels_were_used_is_not_covered(
    found: Found, zoo: Path, data: Path, tmp_path: Path
) -> None:
    """A sibling of what did well cannot be certified on the same labels, and the answer says so."""
    _, home = found
    shutil.copytree(zoo / "team" / "good", tmp_path / "team" / "better")
    answer = find(
        data, "accuracy >= 0.85", sources=[f"folder:{tmp_path}"], backends=["onnxruntime"],
        home=home,
    )  # fmt: skip
    assert answer.choice is None
    assert {state for _, state, _ in answer.plan.left_out} == {"not covered"}
    assert "new rows" in " ".join(answer.notes)


def test_a_model_named_late_is_tested_on_later_rows_only(
    zoo: Path,
    rows: list[dict[str, str]],
    more_rows: list[dict[str, str]],
    home: Path,
    tmp_path: Path,
) -> None:
    """A hundred new rows, and not one of those that were used before it was named."""
    options = {"backends": ["onnxruntime"], "home": home}
    shutil.copytree(zoo / "team" / "good", tmp_path / "late" / "team" / "better")
    find(rows, "accuracy >= 0.75", models=["team/guessing"], sources=[f"folder:{zoo}"], **options)  # type: ignore[arg-type]
    later = find(more_rows, "accuracy >= 0.75", sources=[f"folder:{tmp_path / 'late'}"], **options)  # type: ignore[arg-type]
    assert later.plan.n_rows == len(more_rows)
    assert "labels added afterwards only" in later.plan.coverage
    tested = [outcome for outcome in later.candidates if outcome.n_rows]
    assert tested
    assert max(outcome.n_rows for outcome in tested) == 100
    assert later.choice is not None


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"confidence": 0.9}, {"duplicates": "keep"}], ids=str
)
def test_the_same_labels_cannot_be_tried_again_under_other_settings(
    found: Found, zoo: Path, data: Path, other: dict[str, object]
) -> None:
    """A new order or another confidence, until it passes, is refused in one line."""
    with pytest.raises(BadInput, match="used before"):
        find(data, "accuracy >= 0.85", sources=[f"folder:{zoo}"], home=found[1], **other)  # type: ignore[arg-type]


def test_new_rows_cost_only_themselves(
    zoo: Path, rows: list[dict[str, str]], more_rows: list[dict[str, str]], home: Path
) -> None:
    """A hundred new rows are a hundred predictions for each candidate that needs them."""
    options = {"models": ["team/good"], "sources": [f"folder:{zoo}"], "backends": ["onnxruntime"]}
    find(rows, "accuracy >= 0.85", home=home, **options)  # type: ignore[arg-type]
    before = _predictions(home)
    grown = find(more_rows, "accuracy >= 0.85", home=home, **options)  # type: ignore[arg-type]
    after = _predictions(home)
    new = {after[key] - before.get(key, 0) for key in after} - {0}
    assert grown.choice is not None
    assert new == {100}


def _predictions(home: Path) -> dict[str, int]:
    connection = sqlite3.connect(home / "measurements.db")
    rows = connection.execute("SELECT candidate_key, count(*) FROM predictions GROUP BY 1")
    return dict(rows.fetchall())


def test_nothing_sufficient_is_an_answer_too(found: Found, zoo: Path, data: Path) -> None:
    """A target out of reach ends without a choice, and every candidate says why."""
    _, home = found
    answer = find(
        data, "accuracy >= 0.98", sources=[f"folder:{zoo}"], backends=["onnxruntime"], home=home
    )
    assert answer.choice is None
    assert answer.ended == "complete"
    assert all(outcome.verdict is not Verdict.SUFFICIENT for outcome in answer.candidates)


def test_grown_labels_continue_the_ledger(
    found: Found, zoo: Path, more_rows: list[dict[str, str]]
) -> None:
    """More labels are a new batch of the same ledger: covered, at no price."""
    options = {"models": ["team/good"], "sources": [f"folder:{zoo}"], "backends": ["onnxruntime"]}
    grown = find(more_rows[:350], "accuracy >= 0.85", home=found[1], **options)  # type: ignore[arg-type]
    assert grown.plan.ledger == found[0].plan.ledger
    assert grown.choice is not None


def test_a_kill_before_the_size_was_stored_is_made_good(
    found: Found, zoo: Path, data: Path, tmp_path: Path
) -> None:
    """Predictions without a size are measured again: the answer is the one without a kill."""
    answer, home = found
    copy = tmp_path / "home"
    shutil.copytree(home, copy)
    with sqlite3.connect(copy / "measurements.db") as connection:
        connection.execute("DELETE FROM figures WHERE name = 'size_mb'")
        connection.execute("DELETE FROM answers")
    again = find(data, "accuracy >= 0.85", sources=[f"folder:{zoo}"], home=copy)
    assert again.choice is not None
    assert answer.choice is not None
    assert again.choice.name == answer.choice.name


def test_rows_that_change_with_the_batch_are_told_from_memory_too(
    found: Found, zoo: Path, data: Path, tmp_path: Path
) -> None:
    """Every candidate that ran was compared with batch 1; what is stored is told, and no fault."""
    answer, home = found
    ran = [o for o in answer.candidates if o.value("accuracy") is not None]
    assert ran
    assert all(o.measurements["rows_drifted"].n == 40 for o in ran)
    assert all(o.value("rows_drifted") == 0 for o in ran if o.recipe.precision == "fp32")
    copy = shutil.copytree(home, tmp_path / "home")
    with sqlite3.connect(copy / "measurements.db") as connection:
        connection.execute("UPDATE figures SET value = 3 WHERE name = 'rows_drifted'")
        connection.execute("DELETE FROM answers")
    again = find(data, "accuracy >= 0.85", sources=[f"folder:{zoo}"], home=copy)
    assert again.from_memory
    assert again.choice is not None
    assert answer.choice is not None
    assert again.choice.name == answer.choice.name
    assert "3 of 40 rows change with the batch size" in again.choice.reason
    assert any("3 of 40 rows change with the batch size" in note for note in again.notes)


def test_a_model_named_twice_counts_once(found: Found, zoo: Path, data: Path) -> None:
    """The pool holds a candidate once, however often its model is named."""
    answer = find(
        data, "accuracy >= 0.85", models=["team/good", "team/good"], sources=[f"folder:{zoo}"],
        backends=["onnxruntime"], home=found[1],
    )  # fmt: skip
    assert answer.plan.n_candidates == 2


def test_a_named_model_of_a_folder_is_read_as_it_is_now(
    zoo: Path, rows: list[dict[str, str]], tmp_path: Path
) -> None:
    """Replaced weights are another revision, also for a model that is named."""
    models = tmp_path / "models"
    shutil.copytree(zoo / "team" / "good", models / "good")
    asked = {"models": ["good"], "sources": [f"folder:{models}"], "home": tmp_path / "home"}
    before = plan(rows, "accuracy >= 0.85", **asked)  # type: ignore[arg-type]
    shutil.copy(zoo / "team" / "guessing" / "model.safetensors", models / "good")
    after = plan(rows, "accuracy >= 0.85", **asked)  # type: ignore[arg-type]
    assert before.candidates[0][0] != after.candidates[0][0]


def test_an_unconfirmed_latency_is_not_met(
    found: Found, zoo: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the budget ends before the interleaved timing, the limit is undecided: no choice."""

    def out_of_time(*_: object, **__: object) -> None:
        raise OutOfBudget("time limit")

    monkeypatch.setattr("recommender.hunt.time_finalists", out_of_time)
    answer = find(
        data, ["accuracy >= 0.85", "latency_p95_ms <= 1000"], models=["team/good"],
        sources=[f"folder:{zoo}"], backends=["onnxruntime"], home=found[1],
    )  # fmt: skip
    assert answer.choice is None
    assert any("not confirmed" in outcome.reason for outcome in answer.candidates)


def test_a_ratio_of_f1_is_certified_through_the_baselines_upper_bound(
    zoo: Path, rows: list[dict[str, str]], home: Path
) -> None:
    """F1 against a baseline has an exact test: the target is a share of its upper bound."""
    answer = find(
        rows, "f1 >= 0.8 * baseline", baseline="team/good", positive="positive",
        models=["team/good"], sources=[f"folder:{zoo}"], backends=["onnxruntime"], home=home,
    )  # fmt: skip
    assert answer.choice is not None
    claim = answer.choice.claims[0]
    assert answer.plan.exact
    assert claim.estimate is not None
    assert claim.target > 0.8 * claim.estimate


def test_accuracy_is_compared_with_a_baseline_row_by_row(
    zoo: Path, rows: list[dict[str, str]], home: Path
) -> None:
    """A model that answers as its baseline does is within a margin by far fewer rows."""
    answer = find(
        rows, "accuracy within 0.05 of baseline", baseline="team/good", models=["team/good"],
        sources=[f"folder:{zoo}"], backends=["onnxruntime"], home=home,
    )  # fmt: skip
    assert answer.choice is not None
    assert answer.choice.claims[0].target == -0.05


FLOORS = ("accuracy >= 0.8", "recall[positive] >= 0.7", "accuracy[half=1] >= 0.7")


@pytest.fixture(scope="module")
def floors(
    found: Found, zoo: Path, rows: list[dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Found:
    """A search with floors for a class and a slice, and two of the rows that it got wrong."""
    sliced = [{**row, "half": str(at % 2)} for at, row in enumerate(rows)]
    home = new_home(found, tmp_path_factory.mktemp("floors"))
    answer = find(
        sliced, FLOORS, models=["team/good"], sources=[f"folder:{zoo}"], backends=["onnxruntime"],
        home=home, with_examples=2,
    )  # fmt: skip
    return answer, home


def test_floors_for_a_class_and_a_slice_are_conditions_of_one_candidate(floors: Found) -> None:
    """Several floors hold together, with bounds at one common distance from the targets."""
    answer, _ = floors
    assert answer.choice is not None
    claims = answer.choice.claims
    assert [claim.subject for claim in claims] == [text.split(" ")[0] for text in FLOORS]
    distances = {round(claim.target - (claim.lower or 0.0), 6) for claim in claims}
    assert len(distances) == 1
    assert max(distances) <= 0


def test_groups_are_the_units(zoo: Path, rows: list[dict[str, str]], home: Path) -> None:
    """Rows of one customer are one draw, and the answer says what was counted."""
    grouped = [{**row, "customer": str(at // 2)} for at, row in enumerate(rows)]
    answer = find(
        grouped, "accuracy >= 0.7", group="customer", models=["team/good"],
        sources=[f"folder:{zoo}"], backends=["onnxruntime"], home=home,
    )  # fmt: skip
    assert answer.plan.n_units == len(rows) // 2
    assert "`customer`" in answer.guarantee
    lower = find(
        grouped, "accuracy >= 0.6", group="customer", models=["team/good"],
        sources=[f"folder:{zoo}"], backends=["onnxruntime"], home=home,
    )  # fmt: skip
    assert lower.plan.ledger == answer.plan.ledger
    assert lower.choice is not None


def test_an_approximate_metric_is_screened_and_certified_on_held_out_rows(
    zoo: Path, rows: list[dict[str, str]], home: Path
) -> None:
    """Macro-F1 has no exact test: one look at the held-out rows, marked approximate everywhere."""
    asked = {
        "models": ["team/good", "team/guessing"], "sources": [f"folder:{zoo}"],
        "backends": ["onnxruntime"], "home": home,
    }  # fmt: skip
    answer = find(rows, "f1_macro >= 0.8", **asked)  # type: ignore[arg-type]
    assert answer.plan.mode == "open"
    assert answer.choice is not None
    assert answer.choice.model == "team/good"
    assert answer.choice.n_rows == len(rows) - 60
    assert not answer.choice.claims[0].exact
    assert "approximate" in answer.guarantee
    assert "approximate" in str(answer)
    assert "first certificate ends" in str(answer)
    with sqlite3.connect(home / "measurements.db") as connection:
        connection.execute("DELETE FROM answers")  # as after a search that was cut short
    again = find(rows, "f1_macro >= 0.8", **asked)  # type: ignore[arg-type]
    assert again.choice is not None
    assert again.choice.name == answer.choice.name
    without_details(home)
    recalled = find(rows, "f1_macro >= 0.8", **asked)  # type: ignore[arg-type]
    assert recalled.details == again.details
    assert recalled.details[again.choice.name].confusion is not None  # of the held-out rows
    assert recalled.choice is not None
    assert [flag.partition(":")[0] for flag in recalled.choice.flags] == ["approximate metric"]
    with pytest.raises(BadInput, match="one look"):
        find(rows, "f1_macro >= 0.7", **asked)  # type: ignore[arg-type]


def test_a_plan_writes_no_ledger(zoo: Path, rows: list[dict[str, str]], home: Path) -> None:
    """A dry run binds nobody: the search after it may ask under other settings."""
    asked = {"models": ["team/good"], "sources": [f"folder:{zoo}"], "home": home}
    planned = plan(rows, "accuracy >= 0.85", backends=["onnxruntime"], **asked)  # type: ignore[arg-type]
    assert "must truly reach" in planned.resolution
    assert "rows to answer" in planned.cost
    answer = find(rows, "accuracy >= 0.8", seed=3, backends=["onnxruntime"], **asked)  # type: ignore[arg-type]
    assert answer.choice is not None


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        (["accuracy >= 0.8", "accuracy >= 0.9"], "bounded twice"),
        (["f1_macro within 0.02 of baseline"], "no test against a baseline"),
        (["recall[postive] >= 0.9"], "Did you mean 'positive'"),
        (["accuracy[lang=de] >= 0.9"], "lang"),
    ],
    ids=["twice", "approximate-relative", "label", "column"],
)
def test_requirements_that_cannot_be_tested_are_refused_before_a_label_is_used(
    zoo: Path, rows: list[dict[str, str]], tmp_path: Path, asked: list[str], hint: str
) -> None:
    """One line, and the labels stay unused."""
    options = {"sources": [f"folder:{zoo}"], "home": tmp_path, "baseline": "team/good"}
    with pytest.raises((BadInput, NotFound), match=hint):
        find(rows, asked, **options)  # type: ignore[arg-type]


CARD = """---
datasets: [stanfordnlp/sst2]
model-index:
- name: good
  results:
  - task: {type: text-classification}
    dataset: {name: SST-2, type: sst2}
    metrics: [{type: accuracy, value: 0.99}]
---
"""


def test_results_on_the_rows_own_data_set_are_left_out_and_named(
    zoo: Path, rows: list[dict[str, str]], tmp_path: Path
) -> None:
    """A local file of rows that came from the Hub earlier is found out by their hashes."""
    shutil.copytree(zoo / "team" / "good", tmp_path / "models" / "team" / "good")
    (tmp_path / "models" / "team" / "good" / "README.md").write_text(CARD, encoding="utf-8")
    keys = [Row(row["text"], row["label"]).key for row in rows]
    with Measurements(tmp_path / "home" / "measurements.db") as store:
        store.ledgers.remember_source(keys[:10], "stanfordnlp/sst2")
    answer = find(
        rows, "accuracy >= 0.85", sources=[f"folder:{tmp_path / 'models'}"],
        backends=["onnxruntime"], home=tmp_path / "home",
    )  # fmt: skip
    said = " ".join(answer.notes)
    assert "not used, since earned on this data set: team/good: accuracy published on" in said
    told = {flag for outcome in answer.candidates for flag in outcome.flags}
    assert "contamination: its card names the data set 'stanfordnlp/sst2'" in told


def test_without_an_answer_it_says_what_would_help(zoo: Path, data: Path, home: Path) -> None:
    """The best certified bounds, the tolerance that passes, and how many labels."""
    options = {"models": ["team/good"], "sources": [f"folder:{zoo}"], "home": home}
    answer = find(data, "accuracy >= 0.95", backends=["onnxruntime"], **options)  # type: ignore[arg-type]
    assert answer.choice is None
    said = " ".join(answer.notes)
    assert "certified all the same" in said
    assert "more labels" in said
    short = min(o.shortfall for o in answer.candidates if o.shortfall is not None)
    again = find(
        data,
        f"accuracy >= {0.95 - short:.3f}",
        backends=["onnxruntime"],
        **options,  # type: ignore[arg-type]
    )
    assert again.choice is not None


def test_a_limit_is_checked_on_what_was_measured(
    found: Found, zoo: Path, rows: list[dict[str, str]]
) -> None:
    """A candidate that passes on quality and misses a limit is over the limit, with the figure."""
    answer = find(
        rows, ["accuracy >= 0.85", "peak_memory_mb <= 5"], models=["team/good"],
        sources=[f"folder:{zoo}"], backends=["onnxruntime"], home=found[1],
    )  # fmt: skip
    assert answer.choice is None
    sufficient = [o for o in answer.candidates if o.verdict is Verdict.SUFFICIENT]
    assert sufficient
    assert all("peak_memory_mb is" in outcome.reason for outcome in sufficient)


def test_a_limit_on_size_leaves_out_before_anything_runs(
    zoo: Path, rows: list[dict[str, str]], tmp_path: Path
) -> None:
    """What metadata predicts to be too large is not in the pool."""
    answer = find(
        rows, ["accuracy >= 0.85", "size_mb <= 0.001"], sources=[f"folder:{zoo}"], home=tmp_path
    )
    assert answer.choice is None
    assert answer.candidates == ()
    assert "over a limit" in " ".join(answer.notes)


def test_the_choice_can_be_called(found: Found) -> None:
    """`load()` gives a callable that answers in the user's labels."""
    answer, _ = found
    classify = answer.load()
    assert classify("it was a great movie and i loved this") == "positive"
    assert classify(["the plot was dull and bad", "great"]) == ["negative", "positive"]
    assert classify([]) == []


def test_the_answer_survives_its_json(found: Found) -> None:
    """JSON text and back gives the same answer, with a schema version."""
    answer, _ = found
    back = Recommendation.from_json(answer.to_json())
    assert back == answer
    assert json.loads(answer.to_json())["schema_version"] == 3


# ---------------------------------------------------------------------- details and examples
def test_the_choice_is_shown_in_detail(found: Found) -> None:
    """Its answers label by label, its scores, its single requests and its memory."""
    answer, _ = found
    assert answer.choice is not None
    details = answer.details[answer.choice.name]
    matrix = details.confusion
    assert matrix is not None
    assert sum(map(sum, matrix.counts)) == answer.choice.n_rows
    n_right = sum(matrix.counts[at][at] for at in range(len(matrix.truths)))
    assert answer.choice.n_rows - n_right == answer.choice.n_wrong
    assert [each.n for each in details.classes] == [sum(row) for row in matrix.counts]
    assert sum(each.n for each in details.calibration) == answer.choice.n_rows
    assert list(details.latency_ms) == ["5", "25", "50", "75", "90", "95", "99"]
    assert details.latency_ms["50"] == answer.choice.value("latency_p50_ms")
    assert sorted(details.latency_ms.values()) == list(details.latency_ms.values())
    assert sum(details.memory_mb.values()) == pytest.approx(answer.choice.value("peak_memory_mb"))


def test_slices_that_are_asked_for_are_shown(floors: Found) -> None:
    """Both halves, together all rows, with their quality and interval."""
    answer, _ = floors
    assert answer.choice is not None
    slices = answer.details[answer.choice.name].slices
    assert {(each.column, each.value) for each in slices} == {("half", "0"), ("half", "1")}
    mean = sum(each.n * each.quality for each in slices) / sum(each.n for each in slices)
    assert mean == pytest.approx(answer.choice.value("accuracy"))
    claimed = answer.choice.claims[2].estimate
    assert next(each.quality for each in slices if each.value == "1") == pytest.approx(claimed)


def test_rows_are_shown_only_where_they_are_asked_for(
    floors: Found, rows: list[dict[str, str]]
) -> None:
    """Wrong answers with their texts: in this answer and its JSON, and in no store."""
    answer, home = floors
    labels = {row["text"]: row["label"] for row in rows}
    assert len(answer.examples) == 2
    for example in answer.examples:
        assert labels[example.text] == example.label
        assert answer.choice is not None
        assert example.answers[answer.choice.name] != example.label
        assert example.text in answer.to_json()
    with sqlite3.connect(home / "measurements.db") as connection:
        stored = "".join(map(str, connection.execute("SELECT * FROM answers").fetchall()))
        stored += "".join(map(str, connection.execute("SELECT * FROM runs").fetchall()))
    assert answer.choice is not None
    assert answer.choice.name in stored
    assert not [text for text in labels if text in stored]


@pytest.mark.parametrize("form", ["json", "text", "md", "csv", "html"])
def test_no_report_has_a_row_by_itself(found: Found, rows: list[dict[str, str]], form: str) -> None:
    """No text of the user's is in an answer, whatever its format."""
    report = plugin("reports", form)(found[0], verbose=True)
    assert "team/good" in report
    assert not [row["text"] for row in rows if row["text"] in report]


def test_examples_of_an_answer_from_memory(found: Found, zoo: Path, data: Path) -> None:
    """They come from the stored answers; the stored answer stays without them."""
    answer, home = found
    asked = {"sources": [f"folder:{zoo}"], "home": home}
    again = find(data, "accuracy >= 0.85", with_examples=3, **asked)  # type: ignore[arg-type]
    assert again.from_memory
    assert len(again.examples) == 3
    assert replace(again, examples=(), plan=answer.plan) == answer.remembered()
    assert find(data, "accuracy >= 0.85", **asked).examples == ()  # type: ignore[arg-type]
    with pytest.raises(BadInput, match=r"with_examples .* is -1; give a whole"):
        find(data, "accuracy >= 0.85", with_examples=-1, **asked)  # type: ignore[arg-type]


def without_details(home: Path) -> None:
    """Makes the stored answers those of version 2."""
    with sqlite3.connect(home / "measurements.db") as connection:
        for key, text in connection.execute("SELECT key, answer FROM answers").fetchall():
            old = json.loads(text) | {"schema_version": 2}
            del old["details"], old["$schema"]
            for outcome in filter(None, [*old["candidates"], old["choice"]]):
                del outcome["flags"]
            connection.execute(
                "UPDATE answers SET answer = ? WHERE key = ?", (json.dumps(old), key)
            )


def test_a_stored_answer_of_the_version_before_gets_its_details(
    found: Found, zoo: Path, data: Path, tmp_path: Path
) -> None:
    """It had neither details nor warnings; both follow from what the store has."""
    answer, home = found
    copy = tmp_path / "home"
    shutil.copytree(home, copy)
    without_details(copy)
    again = find(data, "accuracy >= 0.85", sources=[f"folder:{zoo}"], home=copy)
    assert again.from_memory
    assert again.details == answer.details
    assert again.candidates == answer.candidates
    assert again.choice is next(o for o in again.candidates if o == answer.choice)


def test_the_json_of_an_answer_and_of_its_plan_follow_their_schemas(floors: Found) -> None:
    """With examples too; any other shape is refused."""
    answer, _ = floors
    for result, name in ((answer, "recommendation-3.json"), (answer.plan, "plan-3.json")):
        told = json.loads(plugin("reports", "json")(result, verbose=True))
        assert told["$schema"] == name
        validator = jsonschema.Draft202012Validator(schema(name))
        validator.validate(told)
        assert not validator.is_valid(told | {"extra": 1})


def test_why_answers_for_each_candidate(found: Found) -> None:
    """The reason of every candidate can be asked for by a part of its name."""
    answer, _ = found
    assert "label mismatch" in answer.why("team/topics")
    assert "guessing" in answer.why()
    with pytest.raises(NotFound, match="no candidate is called"):
        answer.why("no-such-model")


def test_a_data_frame_has_a_row_a_candidate(found: Found) -> None:
    """`to_pandas` shows the whole pool."""
    answer, _ = found
    frame = answer.to_pandas()
    assert len(frame) == answer.plan.n_candidates
    assert {"model", "recipe", "verdict", "size_mb", "reason"} <= set(frame.columns)


def test_the_leaderboard_measures_nothing(found: Found, data: Path) -> None:
    """What was evaluated is ranked from the store, the most accurate first."""
    answer, home = found
    board = Leaderboard.of(data=data, home=home)
    scores = [entry.value("accuracy") or 0.0 for entry in board.entries]
    assert board.entries[0].model == "team/good"
    assert scores == sorted(scores, reverse=True)
    tried = {o.name for o in answer.candidates if o.n_rows or o.state is State.BAD_OUTPUT}
    assert tried <= {entry.name for entry in board.entries}
    assert board.fingerprint == answer.data["fingerprint"]
    assert {origin.timed_on for origin in board.origins} <= {board.machine, None}


def test_an_interrupted_search_is_on_the_leaderboard(
    found: Found, zoo: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was known when it ended is kept as of every other run."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    home = shutil.copytree(found[1], tmp_path / "home")
    monkeypatch.setattr("recommender.hunt.time_finalists", interrupted)
    answer = find(
        data, ["accuracy >= 0.84", "latency_p95_ms <= 1000"], models=["team/good"],
        sources=[f"folder:{zoo}"], backends=["torch"], home=home,
    )  # fmt: skip
    assert answer.ended == "interrupted"
    with Measurements(home / "measurements.db") as store:
        newest = next(store.runs()).key
    board = Leaderboard.of("text-classification", data, home=home)
    runs = {e.name: o.run for e, o in zip(board.entries, board.origins, strict=True)}
    assert {runs[o.name] for o in answer.candidates if o.n_rows} == {newest}


def test_measure_needs_no_requirement(found: Found, zoo: Path, rows: list[dict[str, str]]) -> None:
    """Every candidate is given every row, and its costs are taken."""
    answer = measure(
        rows, models=["team/good", "team/guessing"], metrics=["f1_macro"],
        sources=[f"folder:{zoo}"], backends=["onnxruntime"], home=found[1],
    )  # fmt: skip
    assert answer.choice is None
    assert {outcome.state for outcome in answer.candidates} == {State.EVALUATED}
    wanted = {"accuracy", "f1_macro", "size_mb", "peak_memory_mb", "latency_p95_ms", "load_s"}
    assert all(wanted <= set(outcome.measurements) for outcome in answer.candidates)


def test_the_study_opens_in_optuna(found: Found) -> None:
    """studies.db is an Optuna storage whose best trial is the choice."""
    import optuna

    answer, home = found
    storage = f"sqlite:///{home / 'studies.db'}"
    names = optuna.get_all_study_names(storage)
    studies = [optuna.load_study(study_name=name, storage=storage) for name in names]
    searches = [study for study in studies if len(study.directions) == 1 and study.best_trials]
    assert answer.choice is not None
    assert answer.choice.name in {study.best_trial.user_attrs["candidate"] for study in searches}
    fronts = [study for study in studies if len(study.directions) == 3]
    assert any(study.best_trials for study in fronts)


@pytest.mark.parametrize(
    ("require", "options", "hint"),
    [
        ((), {}, "add a quality requirement"),
        ("size_mb <= 5", {}, "add a quality requirement"),
        ("accuracy >= 0.9", {"minimize": "colour"}, "choose one of"),
        ("f1 >= 0.9 * baseline", {}, "--baseline MODEL"),
        ("f1 >= 0.9", {}, "--positive LABEL"),
        ("accuracy >= 0.999", {}, "give at least"),
        ("accuracy >= 0.9", {"confidence": 1.5}, "must lie in"),
    ],
)
def test_bad_questions_are_answered_with_a_hint(
    zoo: Path,
    rows: list[dict[str, str]],
    tmp_path: Path,
    require: str,
    options: dict[str, object],
    hint: str,
) -> None:
    """A question that cannot be answered is refused before anything is run."""
    with pytest.raises(BadInput) as refused:
        find(rows, require, sources=[f"folder:{zoo}"], home=tmp_path, **options)  # type: ignore[arg-type]
    assert hint in str(refused.value)
