"""The command line as a user meets it: answers, exit codes, and one line for bad input."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.testing import LoopbackHub
from recommender import Recommendation, cli, find
from tests.conftest import new_home

Run = Callable[..., tuple[int, str, str]]
Found = tuple[Recommendation, Path]


@pytest.fixture
def run(run_command: Run) -> Run:
    """Runs `recommender ARGS`."""
    return run_command


def environment(home: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "RECOMMENDER_HOME": str(home), "HF_HOME": str(home / "hf"), **more}


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "recommender", *map(str, arguments)]


def test_find_prints_the_answer_first(run: Run, found: Found, zoo: Path, data: Path) -> None:
    """Exit code 0, the choice in the first sentence, the guarantee and the reasons below."""
    arguments = ("find", data, "-r", "accuracy >= 0.85", "--source", f"folder:{zoo}")
    code, out, err = run(*arguments, home=found[1])
    assert code == 0
    assert out.startswith("team/good@")
    for part in ("is the smallest shown to be sufficient", "Guarantee: ", "Turned down"):
        assert part in out
    assert "error" not in err


def test_why_explains_a_model_from_the_newest_search(run: Run, found: Found) -> None:
    """The verdict of every candidate of a model, after how many rows, with which bound."""
    code, out, _ = run("why", "team/good", home=found[1])
    assert code == 0
    assert "(the choice): sufficient" in out
    assert "certified >= 0." in out
    assert "rows" in out
    code, _, err = run("why", "no-such-model", home=found[1])
    assert code == 2
    assert "is in none of" in err


def test_examples_are_in_the_output_that_asks_for_them(
    run: Run, found: Found, zoo: Path, data: Path
) -> None:
    """At most so many wrong answers; less than none is refused."""
    asked = ("find", data, "-r", "accuracy >= 0.85", "--source", f"folder:{zoo}", "-q")
    code, out, _ = run(*asked, "--with-examples", 2, "--format", "json", home=found[1])
    assert code == 0
    told = json.loads(out)
    assert len(told["examples"]) == 2
    assert all(each["text"] in data.read_text("utf-8") for each in told["examples"])
    _, out, _ = run(*asked, "--format", "json", home=found[1])
    assert "examples" not in json.loads(out)
    code, _, err = run(*asked, "--with-examples", -1, home=found[1])
    assert code == 2
    assert "--with-examples" in err


def test_nothing_sufficient_ends_with_3(run: Run, found: Found, zoo: Path, data: Path) -> None:
    """A pool without a sufficient candidate is exit code 3, and JSON tells why for each."""
    code, out, _ = run(
        "find", data, "-r", "accuracy >= 0.98", "--source", f"folder:{zoo}", "--backend",
        "onnxruntime", "--model", "team/guessing", "--format", "json", "-q", home=found[1],
    )  # fmt: skip
    answer = json.loads(out)
    assert code == 3
    assert answer["choice"] is None
    assert {c["verdict"] for c in answer["candidates"]} <= {"insufficient", "undecided"}


def test_a_time_limit_ends_with_5(run: Run, zoo: Path, data: Path) -> None:
    """A budget that ends before an answer is exit code 5, with what is known."""
    code, out, _ = run(
        "find", data, "-r", "accuracy >= 0.85", "--source", f"folder:{zoo}",
        "--time-limit", "0.001",
    )  # fmt: skip
    assert code == 5
    assert "before the time limit" in out


def test_a_dry_run_shows_the_plan_and_runs_nothing(
    run: Run, zoo: Path, data: Path, tmp_path: Path
) -> None:
    """The candidates with their predicted sizes, what the rows prove, the time, who is left out."""
    code, out, _ = run(
        "find", data, "-r", "accuracy >= 0.85", "--source", f"folder:{zoo}", "--dry-run"
    )
    assert code == 0
    assert "300 rows, 32 candidates (4 models x recipes); with 300 rows" in out
    assert "team/remote" in out
    assert "remote code" in out
    assert "rows to answer" in out
    assert not (tmp_path / "artifacts").exists()


def test_a_plan_of_nothing_says_so_first(run: Run, zoo: Path, data: Path) -> None:
    """Instead of a time that it would take."""
    code, out, _ = run(
        "find", data, "-r", "accuracy >= 0.85", "-r", "size_mb <= 0.000001", "--source",
        f"folder:{zoo}", "--dry-run",
    )  # fmt: skip
    assert code == 0
    assert "0 candidates" in out.splitlines()[0]
    assert "nothing is left to run" in out.splitlines()[0]
    assert "Cost: nothing, as no candidate is left." in out


@pytest.mark.parametrize("dry", [(), ("--dry-run",)], ids=["search", "plan"])
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-r", "size_mb <= 50"), "nothing says how good is good enough"),
        (("-r", "accuracy >= 0.5", "--time-limit", "nan"), "--time-limit is nan"),
        (("-r", "accuracy >= 0.5", "--time-limit", "-1"), "--time-limit is -1"),
        (("-r", "accuracy >= 0.5", "--max-download", "-1"), "--max-download is -1"),
        (("-r", "accuracy >= 0.5", "--disk-budget", "nan"), "--disk-budget is nan"),
    ],
    ids=["no quality", "no number", "negative", "download", "disk"],
)
def test_a_dry_run_refuses_what_a_search_refuses(
    run: Run, zoo: Path, data: Path, arguments: tuple[str, ...], said: str, dry: tuple[str, ...]
) -> None:
    """One line and exit code 2, with and without --dry-run."""
    code, out, err = run("find", data, "--source", f"folder:{zoo}", *arguments, *dry)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("suffix", ["json", "md", "csv", "txt"])
def test_the_suffix_of_the_file_is_the_format(
    run: Run, found: Found, zoo: Path, data: Path, tmp_path: Path, suffix: str
) -> None:
    """`-o FILE` writes a whole file in the format that its suffix names."""
    file = tmp_path / f"answer.{suffix}"
    arguments = ("find", data, "-r", "accuracy >= 0.85", "--source", f"folder:{zoo}", "-o", file)
    code, out, err = run(*arguments, home=found[1])
    assert (code, out) == (0, "")
    assert f"wrote {file}" in err
    starts = {"json": "{", "md": "# team/good", "csv": "role,model,", "txt": "team/good@"}
    assert file.read_text("utf-8").startswith(starts[suffix])


@pytest.mark.parametrize(
    ("content", "arguments", "hint"),
    [
        (None, (), "no file"),
        ("", (), "empty"),
        ("text,label\n", (), "no row"),
        ("text,label\na,x\nb,x\n", (), "Two classes"),
        ("text,label\na,x\nb,y\n", ("--label", "lable"), "label"),
        ("text,label\na,x\nb,y\n", ("--task", "text-clasification"), "text-classification"),
        ("text,label\na,x\nb,y\n", ("-r", "acuracy >= 0.9"), "accuracy"),
        ("text,label\na,x\nb,y\n", ("-r", "accuracy=0.9"), "write 'accuracy >= 0.9'"),
        ("text,label\na,x\nb,y\n", ("--model", "nobody/nothing"), "nobody/nothing"),
        ("text,label\na,x\nb,y\n", ("--source", "folder:/no/such/place"), "/no/such/place"),
        ("text,label\na,x\nb,y\n", ("--label-map", "a"), "no label map"),
    ],
)  # fmt: skip
def test_bad_input_gets_one_line_and_a_hint(
    run: Run, zoo: Path, tmp_path: Path, content: str | None, arguments: tuple[str, ...], hint: str
) -> None:
    """What is wrong, in one line on stderr, with exit code 2 and nothing on stdout."""
    file = tmp_path / "rows.csv"
    if content is not None:
        file.write_text(content, "utf-8")
    given = ("find", file, "-r", "accuracy >= 0.5", "--source", f"folder:{zoo}", *arguments)
    code, out, err = run(*given)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert len(err.splitlines()) == 1
    assert hint in err


def test_find_without_a_quality_requirement_shows_an_example(run: Run, data: Path) -> None:
    """Exit code 2 and the option to add."""
    code, _, err = run("find", data)
    assert code == 2
    assert '--require "accuracy >= 0.90"' in err


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_explains_itself(run: Run, name: str) -> None:
    """`--help` is a sentence, the options, and an example."""
    code, out, _ = run(name, "--help")
    assert code == 0
    assert "Example: recommender" in out


@pytest.mark.parametrize("name", ["find", "data"])
def test_the_help_names_each_kind_of_data(run: Run, name: str) -> None:
    """As the README does."""
    told = " ".join(run(name, "--help")[1].split())
    readme = " ".join(Path(__file__).parents[2].joinpath("README.md").read_text("utf-8").split())
    kinds = "is a file (csv, tsv, jsonl, json, parquet, arrow, Excel, CoNLL, SQuAD, COCO), a folder"
    assert kinds in told
    assert kinds in readme


def test_the_leaderboard_and_the_cache_know_what_was_measured(
    run: Run, found: Found, data: Path
) -> None:
    """What `find` paid for is listed without measuring."""
    answer, home = found
    assert "team/good" in run("leaderboard", data, home=home)[1]
    digest = answer.data["fingerprint"][:8]
    asked = ("leaderboard", "--fingerprint", digest, "--since", "2026-01-01", "--format", "json")
    assert json.loads(run(*asked, home=home)[1])["fingerprint"] == answer.data["fingerprint"]
    code, _, err = run("leaderboard", "--machine", "abacus", home=home)
    assert (code, "nothing was evaluated on a machine like 'abacus'" in err) == (2, True)
    assert "predictions" in run("cache", "stats", home=home)[1]
    assert "evaluations" in run("cache", "stats", home=home)[1]
    assert run("cache", "path", home=home)[1].strip() == str(home)


def test_the_catalog_is_listed_and_shown(run: Run, zoo: Path, tmp_path: Path) -> None:
    """`catalog crawl`, `list`, `show` and `stats` speak of the same models."""
    source = f"folder:{zoo}"
    assert "7 models" in run("catalog", "crawl", "--source", source, home=tmp_path)[1]
    assert "team/good" in run("catalog", "list", home=tmp_path)[1]
    shown = json.loads(run("catalog", "show", "team/good", home=tmp_path)[1])
    assert shown["labels"] == ["negative", "positive"]
    assert json.loads(run("catalog", "stats", home=tmp_path)[1])["n_models"] == 7


def test_plugins_and_doctor_describe_the_installation(run: Run) -> None:
    """Every seam is listed; the doctor starts a worker and says how it is isolated."""
    assert "torch-int8" in run("plugins")[1]
    code, out, _ = run("doctor")
    assert code == 0
    assert "worker" in out


def test_the_whole_story_over_a_loopback_hub(zoo: Path, data: Path, home: Path) -> None:
    """The real client lists, downloads and runs models over HTTP; a second time from memory."""
    with LoopbackHub(zoo) as hub:
        given = command("find", data, "-r", "accuracy >= 0.85", "--backend", "onnxruntime")
        settings = environment(home, HF_ENDPOINT=hub.endpoint)
        first = subprocess.run(given, capture_output=True, text=True, env=settings, check=False)
        n_requests = len(hub.requests)
        second = subprocess.run(given, capture_output=True, text=True, env=settings, check=False)
    assert first.returncode == 0, first.stderr
    assert "crawling it once" in first.stderr
    assert first.stdout.startswith("team/good@")
    assert "answered from memory" in second.stdout
    assert len(hub.requests) == n_requests


def test_a_named_model_without_access_ends_with_4(zoo: Path, data: Path, tmp_path: Path) -> None:
    """A gated model that the user asked for is exit code 4 and says where to ask."""
    with LoopbackHub(zoo, gated=["team/good"], token="hf_right") as hub:
        given = command("find", data, "-r", "accuracy >= 0.85", "--model", "team/good", "-q")
        settings = environment(tmp_path, HF_ENDPOINT=hub.endpoint, HF_TOKEN="hf_wrong")
        done = subprocess.run(given, capture_output=True, text=True, env=settings, check=False)
    assert done.returncode == 4, done.stderr
    assert "ask for access at" in done.stderr
    assert "hf_wrong" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
def test_an_interrupt_ends_neatly_with_what_is_known(
    zoo: Path, data: Path, home: Path, number: int, code: int
) -> None:
    """The signal's exit code, the state saved, and the command to go on with."""
    process = _start_and_wait_for_rows(zoo, data, home)
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)  # also closes the pipe
    assert process.returncode == code
    assert "before it was" in out
    assert "recommender find" in out


def test_after_a_kill_the_same_command_goes_on(
    found: Found, zoo: Path, data: Path, home: Path, tmp_path: Path
) -> None:
    """kill -9 loses at most the batch in flight: the answer is the same, paid rows stay paid."""
    expected = find(
        data, "accuracy >= 0.85", sources=[f"folder:{zoo}"], backends=["onnxruntime"],
        home=new_home(found, tmp_path / "undisturbed"),
    )  # fmt: skip
    only = ("--backend", "onnxruntime", "--format", "json", "-q")
    process = _start_and_wait_for_rows(zoo, data, home, *only)
    process.kill()
    process.communicate()
    paid = _n_predictions(home)
    given = command("find", data, "-r", "accuracy >= 0.85", "--source", f"folder:{zoo}", *only)
    done = subprocess.run(given, capture_output=True, text=True, env=environment(home), check=False)
    answer = json.loads(done.stdout)
    assert expected.choice is not None
    assert answer["choice"]["name"] == expected.choice.name
    assert answer["choice"]["claims"][0]["lower"] == expected.choice.lower
    assert _n_predictions(home) >= paid > 0


def _start_and_wait_for_rows(
    zoo: Path, data: Path, home: Path, *more: str
) -> "subprocess.Popen[str]":
    given = command("find", data, "-r", "accuracy >= 0.85", "--source", f"folder:{zoo}", *more)
    process = subprocess.Popen(
        given, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment(home),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # as in a terminal
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while _n_predictions(home) == 0 and time.monotonic() < deadline:
        assert process.poll() is None, "it ended before any row was answered"
        time.sleep(0.05)
    return process


def _n_predictions(home: Path) -> int:
    import sqlite3

    file = home / "measurements.db"
    if not file.exists():
        return 0
    try:
        with sqlite3.connect(file, timeout=10) as connection:
            return int(connection.execute("SELECT count(*) FROM predictions").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
