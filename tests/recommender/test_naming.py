"""Labels that names do not tell: inferred on rows that are then no evidence, or refused."""

import shutil
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cache.errors import BadInput
from evaluators.samples import Row
from recommender import Recommendation, Verdict, find, measure, plan
from recommender.cli import cli
from recommender.label_slice import LabelSlice, slice_size
from recommender.recommendation import Outcome
from tests.conftest import edit_config, write_csv

Rows = list[dict[str, str]]
Ask = Callable[..., Recommendation]

N_APART = 60
"""A fifth of the 300 rows."""

NAMES = ("turned", "unnamed", "foreign", "nameless-guess", "good", "guessing")

SAID = {
    "turned": "label names permuted: was ",
    "unnamed": "labels inferred: ",
    "foreign": "labels inferred: ",
}


@pytest.fixture(scope="module")
def renamed(zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The good model under other names of its outputs, and one that guesses without names."""
    root = tmp_path_factory.mktemp("renamed")
    for name, source, labels in (
        ("turned", "good", ("positive", "negative")),
        ("unnamed", "good", ("LABEL_0", "LABEL_1")),
        ("foreign", "good", ("mauvais", "bon")),
        ("nameless-guess", "guessing", ("LABEL_0", "LABEL_1")),
    ):
        folder = root / "team" / name
        shutil.copytree(zoo / "team" / source, folder)
        edit_config(
            folder,
            id2label=dict(enumerate(labels)),
            label2id={label: at for at, label in enumerate(labels)},
        )
    return root


@pytest.fixture(scope="module")
def known(
    renamed: Path, zoo: Path, rows: Rows, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Mapping[str, Outcome]]:
    """A home that knows the answers of all of them, and what was measured of each."""
    home = tmp_path_factory.mktemp("known") / "home"
    found = measure(
        rows, sources=[f"folder:{renamed}", f"folder:{zoo}"], backends=["onnxruntime"],
        models=[f"team/{name}" for name in NAMES], home=home,
    )  # fmt: skip
    fp32 = [outcome for outcome in found.candidates if outcome.recipe.name == "onnxruntime-fp32"]
    return home, {outcome.model.removeprefix("team/"): outcome for outcome in fp32}


@pytest.fixture
def ask(
    known: tuple[Path, Mapping[str, Outcome]], renamed: Path, rows: Rows, tmp_path: Path
) -> Ask:
    """Questions to a copy of it that counts every label as unused."""
    home = tmp_path / "home"
    shutil.copytree(known[0], home)
    with sqlite3.connect(home / "measurements.db") as connection:
        named = "SELECT type, name FROM sqlite_master WHERE name LIKE 'ledger%' AND type IN (?, ?)"
        found = connection.execute(named, ("trigger", "table")).fetchall()
        for kind, name in sorted(found, reverse=True):  # the guards first
            connection.execute(
                f"DROP TRIGGER {name}" if kind == "trigger" else f"DELETE FROM {name}"
            )

    def asked(*models: str, **settings: Any) -> Recommendation:  # Any: settings of `find`
        given: dict[str, Any] = {"require": "accuracy >= 0.8", "backends": ["onnxruntime"]}
        names = [f"team/{name}" for name in models]
        sources = [f"folder:{renamed}"]
        return find(rows, models=names, sources=sources, home=home, **(given | settings))

    return asked


def test_a_map_from_rows_is_judged_on_the_other_rows(
    known: tuple[Path, Mapping[str, Outcome]],
) -> None:
    """One model under four kinds of names: the same answers, whatever its outputs are called."""
    found = known[1]
    n_wrong_apart = {}
    for name, said in SAID.items():
        labels = found[name].labels
        assert labels is not None
        assert labels.inferred is not None
        assert labels.names[:2] in {("negative", "positive"), ("positive", "negative")}
        assert found[name].n_rows == found[name].n_units == 300 - N_APART
        assert labels.inferred.n_rows == N_APART
        assert labels.inferred.sentence.startswith(said)
        n_wrong_apart[name] = N_APART - labels.inferred.n_right
    assert found["good"].n_rows == 300
    totals = {found[name].n_wrong + n for name, n in n_wrong_apart.items()}
    assert totals == {found["good"].n_wrong}


def test_rows_that_do_not_tell_are_no_map(known: tuple[Path, Mapping[str, Outcome]]) -> None:
    """A model that guesses: refused as ambiguous, with what to do; its names are believed."""
    nameless, named = known[1]["nameless-guess"], known[1]["guessing"]
    assert str(nameless.state) == "label mismatch"
    assert "60 rows do not tell which of 2 outputs is which" in nameless.reason
    assert "--label-map" in nameless.reason
    assert named.labels is not None
    assert named.labels.inferred is None
    assert named.n_rows == 300


def test_what_is_found_is_certified_at_its_own_share(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another order at log(1/(0.05 w delta)), an inferred map at 0.8 of it; all from memory."""
    monkeypatch.setattr("evaluators.worker_process.Worker.start", None)  # nothing is run again
    answer = ask("turned", "unnamed", explore=1)
    claims = {o.model: o for o in answer.candidates if o.recipe.name == "onnxruntime-int8"}
    turned, unnamed = claims["team/turned"], claims["team/unnamed"]
    assert turned.verdict is unnamed.verdict is Verdict.SUFFICIENT
    assert turned.n_wrong == unnamed.n_wrong
    assert (turned.claims[0].lower or 1) < (unnamed.claims[0].lower or 0)
    assert answer.choice is not None
    assert answer.choice.labels is not None
    assert answer.choice.labels.inferred is not None
    assert answer.choice.labels.inferred.sentence in answer.choice.reason
    assert answer.choice.labels.inferred.sentence in " ".join(str(answer).split())


def test_an_inferred_map_is_shown_in_detail_on_its_own_rows(ask: Ask) -> None:
    """Also where the answer is remembered: the rows of the slice are no part of it."""
    answer = ask("unnamed")
    again = ask("unnamed", with_examples=1)
    assert again.from_memory
    assert answer.choice is not None
    matrix = answer.details[answer.choice.name].confusion
    assert matrix is not None
    assert sum(map(sum, matrix.counts)) == 300 - N_APART
    assert len(again.examples) == 1
    assert answer.choice.flags[0].startswith("inferred labels: labels inferred: ")


def test_a_search_finds_out_by_itself(renamed: Path, rows: Rows, tmp_path: Path) -> None:
    """From nothing: the names are tested first, seen to be turned, and the rest tested anew."""
    answer = find(
        rows, "accuracy >= 0.8", models=["team/turned"], sources=[f"folder:{renamed}"],
        backends=["onnxruntime"], home=tmp_path,
    )  # fmt: skip
    assert answer.choice is not None
    assert answer.choice.n_rows == 300 - N_APART
    assert "label names permuted: was " in answer.choice.reason
    assert answer.plan.ledger


def test_the_open_mode_infers_on_the_screened_rows(ask: Ask) -> None:
    """The held-out rows certify, and none of them gave the map."""
    answer = ask("unnamed", "turned", mode="open")
    assert answer.choice is not None
    assert answer.choice.n_rows == 300 - N_APART
    assert answer.choice.labels is not None
    assert answer.choice.labels.inferred is not None


def test_an_explicit_map_is_believed(ask: Ask) -> None:
    """What the user says is not put in another order, and uses every row."""
    answer = ask("unnamed", label_map={"negative": "LABEL_0", "positive": "LABEL_1"})
    assert answer.choice is not None
    assert answer.choice.labels is not None
    assert answer.choice.labels.how == "explicit map"
    assert answer.choice.n_rows == 300


def test_another_map_of_a_declared_candidate_is_named_as_such(ask: Ask) -> None:
    """It has the same name and is another prediction function, chosen after labels were used."""
    ask("unnamed", label_map={"negative": "LABEL_0", "positive": "LABEL_1"})
    other = ask("unnamed", label_map={"negative": "LABEL_1", "positive": "LABEL_0"})
    reasons = {why for _, state, why in other.plan.left_out if state == "not covered"}
    assert len(reasons) == 1
    assert reasons.pop().startswith("another prediction function than the one of this name")
    assert other.search["reason"] == "no candidate was left to try"


SLIPS = {
    "a label of the data": ({"bad": "LABEL_0"}, "names 'bad', but the data has 'negative', 'pos"),
    "an output of the model": (
        {"negative": "LABEL_0", "positive": "LABEL_2"},
        "team/unnamed.*names 'LABEL_2', no output of the model, which has 'LABEL_0', 'LABEL_1'",
    ),
    "all outputs": (
        {"negative": "0", "positive": "1"}, "no output '0', '1'; the model has 'LABEL_0', 'LAB",
    ),
    "one output twice": ({"negative": "A", "positive": "A"}, "'A' to two labels"),
}  # fmt: skip


@pytest.mark.parametrize(("label_map", "said"), SLIPS.values(), ids=SLIPS.keys())
def test_a_slip_in_an_explicit_map_is_refused(
    label_map: dict[str, str], said: str, renamed: Path, rows: Rows
) -> None:
    """For a model that was asked for, no other map takes its place."""
    with pytest.raises(BadInput, match=said):
        plan(
            rows, "accuracy >= 0.8", models=["team/unnamed"], sources=[f"folder:{renamed}"],
            backends=["torch"], label_map=label_map,
        )  # fmt: skip


def test_the_plan_names_models_that_an_explicit_map_says_nothing_of(
    renamed: Path, rows: Rows
) -> None:
    """They go by their own names; a map that says nothing of any model is a slip."""
    settings: dict[str, Any] = {"sources": [f"folder:{renamed}"], "backends": ["torch"]}
    foreign = {"negative": "mauvais", "positive": "bon"}
    found = plan(rows, "accuracy >= 0.8", label_map=foreign, **settings)
    (said,) = [line for line in found.warnings if "--label-map" in line]
    assert said.startswith("--label-map was not used for team/")
    assert said.endswith(": there is no output 'mauvais', 'bon'")
    assert "team/foreign" not in said
    with pytest.raises(BadInput, match=r"'POSTIVE', which fits none of \d models, such as team/"):
        plan(rows, "accuracy >= 0.8", label_map={"positive": "POSTIVE"}, **settings)


def test_a_map_that_changes_nothing_is_refused(tmp_path: Path) -> None:
    """Tags of words are matched by name."""
    data = tmp_path / "tags.conll"
    data.write_text("Anna B-PER\nsleeps O\n\nBob B-PER\nruns O\n")
    with pytest.raises(BadInput, match="changes nothing for token-classification"):
        plan(
            data, "f1 >= 0.5", task="token-classification", label_map={"PER": "PERSON"},
            sources=[f"folder:{tmp_path}"],
        )  # fmt: skip


def test_the_baseline_needs_names(ask: Ask) -> None:
    """It answers all rows, so nothing is left to infer on."""
    with pytest.raises(BadInput, match=r"baseline team/unnamed.*--label-map"):
        ask("unnamed", baseline="team/unnamed", require="accuracy within 0.02 of baseline")


def test_a_model_that_lacks_labels_runs_only_partially(
    zoo: Path, rows: Rows, tmp_path: Path
) -> None:
    """Rows of the label that it lacks count as wrong, and the answer names the label."""
    with_neutral = [*rows, *({"text": f"it was a film {n}", "label": "neutral"} for n in range(9))]
    settings = {"models": ["team/good"], "sources": [f"folder:{zoo}"], "home": tmp_path}
    with pytest.raises(BadInput, match=r"nothing stands for 'neutral'.*--partial"):
        find(with_neutral, "accuracy >= 0.8", **settings)  # type: ignore[arg-type]
    settings["backends"] = ["onnxruntime"]
    answer = find(with_neutral, "accuracy >= 0.8", partial=True, **settings)  # type: ignore[arg-type]
    assert answer.choice is not None
    assert answer.choice.labels is not None
    assert answer.choice.labels.missing == ("neutral",)
    assert answer.choice.n_wrong >= 9
    assert "lacks 'neutral', whose rows count as wrong" in " ".join(str(answer).split())


def test_the_plan_names_models_whose_labels_are_to_be_inferred(renamed: Path, rows: Rows) -> None:
    """Before a label is used."""
    found = plan(
        rows, "accuracy >= 0.8", models=["team/unnamed"], sources=[f"folder:{renamed}"],
        backends=["torch"],
    )  # fmt: skip
    (said,) = [line for line in found.warnings if "inferred" in line]
    assert said == (
        "labels to be inferred on 60 rows, which are then no evidence for these models: "
        "team/unnamed"
    )


def test_partial_from_the_command_line(zoo: Path, rows: Rows, tmp_path: Path) -> None:
    data = write_csv(tmp_path / "rows.csv", [*rows, {"text": "was it so", "label": "neutral"}])
    ran = CliRunner().invoke(
        cli,
        ["find", str(data), "-r", "accuracy >= 0.8", "--model", "team/good", "--partial",
         "--source", f"folder:{zoo}", "--dry-run", "-q"],
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    assert "team/good" in ran.output


def test_the_slice_grows_with_the_labels_and_stays_small() -> None:
    """30 units a label and 30 more, and never more than a fifth."""
    assert [slice_size(n, 2) for n in (100, 450, 10_000)] == [20, 90, 90]
    assert slice_size(10_000, 77) == 2_000


def test_the_slice_has_one_row_of_each_unit() -> None:
    rows = [Row(text=text, label="x") for text in "abcde"]
    found = LabelSlice.of(2, list("abcde"), rows, [0, 0, 1, 1, 2])
    assert [key for key, _ in found.rows] == ["a", "c"]
