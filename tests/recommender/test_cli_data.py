"""`recommender data` as a user meets it: what was understood, in 80 columns or as JSON."""

import io
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]

ROWS = [("a good film", "pos"), ("a bad film", "neg"), ("a good film", "neg")] * 4


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """Twelve rows, two texts, one of them with two labels, beside a split for training."""
    for name in ("test", "train"):
        lines = [f"{text},{label}" for text, label in ROWS]
        (tmp_path / f"{name}.csv").write_text("\n".join(["review,verdict", *lines]))
    return tmp_path / "test.csv"


@pytest.fixture
def run(run_command: Run, tmp_path: Path) -> Run:
    """Runs `recommender data ARGS`; gives the exit code, stdout and stderr."""
    return partial(run_command, "data", home=tmp_path / "home")


def test_data_says_what_was_understood(run: Run, reviews: Path) -> None:
    """Task, columns, splits, classes, repeats, contradictions and the resolution, no rows."""
    code, out, err = run(reviews)
    assert (code, err) == (0, "")
    for part in (
        "test.csv: 12 rows", "text-classification", "text = review; label = verdict",
        "test is evidence; left for training and calibration: train", "neg        8  66.7%",
        "characters: 5 % up to 10, half up to 11", "10 rows repeat one of 2 texts",
        "1 input carries two or more labels: no model can exceed an accuracy of 0.6667",
        "With 2 units and 50 candidates, not even a faultless model can be proven",
    ):  # fmt: skip
        assert part in " ".join(out.split()) or part in out
    assert "good film" not in out
    assert max(map(len, out.splitlines())) <= 80


def test_data_is_json_too(run: Run, reviews: Path) -> None:
    """The same as JSON, without a row of the user's."""
    code, out, _ = run(reviews, "--format", "json")
    found = json.loads(out)
    assert code == 0
    assert found["classes"] == {"neg": 8, "pos": 4}
    assert found["columns"] == {"text": ["review"], "label": ["verdict"]}
    assert (found["split"], found["other_splits"]) == ("test", ["train"])
    assert found["contradictions"] == {"n": 1, "accuracy_ceiling": pytest.approx(2 / 3)}
    assert "good film" not in out


def test_rows_are_shown_on_a_terminal_only(
    run: Run, reviews: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few rows, without terminal escapes, when a person looks on."""
    path = reviews.with_name("odd.csv")
    path.write_text("text,label\nred \x1b[31m film,x\nlong " + "word " * 40 + ",y\n")
    out = io.StringIO()
    out.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdout", out)
    run(path)
    assert "red [31m film\n    -> x" in out.getvalue()
    assert "\x1b" not in out.getvalue()
    assert max(map(len, out.getvalue().splitlines())) <= 80


def test_roles_of_a_task_are_named(run: Run, tmp_path: Path) -> None:
    """--task and --column say what a guess would not find."""
    path = tmp_path / "a.csv"
    path.write_text("one,two,three\nwho?,Ann came.,Ann\nwhy?,Bob left.,\n")
    arguments = ("--task", "question-answering", "--column", "context=two")
    code, out, _ = run(path, *arguments, "--column", "question=one", "--label", "three")
    assert code == 2
    path.write_text(path.read_text().replace("left.,", "left.,Bob"))
    code, out, _ = run(path, *arguments, "--column", "question=one", "--label", "three")
    assert code == 0
    assert "question-answering, as given" in out
    assert "question = one; context = two; label = three" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--column", "two"), "'two' is no ROLE=COLUMN"),
        (("--column", "context=two"), "no role 'context'; its roles are text, text_pair, label"),
        (("--task", "tabular-regression"), "'tabular-regression' is not supported yet"),
        (("--text", "revue"), "no column 'revue'; it has 'review', 'verdict'"),
        (("--split", "test"), "is read as a whole"),
    ],
)
def test_wrong_use_is_answered_in_one_line(
    run: Run, reviews: Path, arguments: tuple[str, ...], message: str
) -> None:
    """Exit code 2, and one line that says what there is."""
    code, out, err = run(reviews, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_an_empty_name_is_no_folder(run: Run) -> None:
    """An unset variable in a script does not read the current folder."""
    code, out, err = run("")
    assert (code, out) == (2, "")
    assert err.startswith("error: the name of the data is empty")


def test_hidden_characters_of_labels_are_told(run: Run, tmp_path: Path) -> None:
    """They are shown escaped in a note, and not sent to the terminal."""
    path = tmp_path / "a.csv"
    path.write_text("text,label\na,pos\nb,\x1b[31mneg\nc,pos\nd,\x1b[31mneg\n")
    code, out, _ = run(path)
    assert code == 0
    assert r"control characters that are not seen: '\x1b[31mneg'" in " ".join(out.split())
    assert "\x1b" not in out


def test_languages_are_named_where_the_library_is(run: Run, tmp_path: Path) -> None:
    """The shares of the languages of the longer texts."""
    pytest.importorskip("py3langid")
    german = "Das ist ein sehr schöner Film über einen Mann und sein Pferd"
    english = "This is a very beautiful film about a man and his horse"
    path = tmp_path / "a.csv"
    rows = "".join(f"{german} {at},x\n{english} {at},y\n" for at in range(5))
    path.write_text(f"text,label\n{rows}")
    _, out, _ = run(path, "--format", "json")
    assert json.loads(out)["languages"] == {"de": 0.5, "en": 0.5}
