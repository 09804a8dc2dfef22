"""What the shell is offered at a press of Tab, by the process that it really starts."""

import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cache.measurements import Measurements
from catalog.model import Model
from catalog.store import Catalog
from recommender.cli.completers import MOST
from tests.recommender.past_runs import SMALL, store_runs

HOSTILE = (
    "team/$(touch pwned)", "team/`id`", "team/a b", "team/a\nplain,b", "team/*", "team/;rm -rf",
    "team/'x", 'team/"x', "team/\x1b[31m", "team/ü", "-team/option", "team/x,y", "team/a:b",
)  # fmt: skip
OFFERED = ("team/good", "team/good-2.1_b+c", "other/model")


def model(id: str, n_downloads: int = 1) -> Model:
    return Model(id, "a" * 40, "hub", task="text-classification", downloads=n_downloads)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stores with two searches, three models to complete, and as many as there are dangers."""
    made = tmp_path_factory.mktemp("home")
    with Catalog(made / "catalog.db") as catalog:
        catalog.upsert(map(model, (*OFFERED, *HOSTILE)))
        catalog.upsert(model(f"many/model-{i:03}") for i in range(MOST + 30))
        catalog.bury("hub", "other/model")
    store_runs(made, [SMALL, replace(SMALL, command="another")])
    with Measurements(made / "measurements.db") as store:
        for name in ("team/searched", *HOSTILE):
            store.describe(
                name, {"model": name, "revision": "a", "source": "hub", "recipe": "torch-fp32"}
            )
    return made


def offered(home: Path, *words: str, shell: str = "bash") -> list[str]:
    """The lines that the completing process prints for the last of the words."""
    last = words[-1] if shell == "fish" else str(len(words))
    settings = {
        "RECOMMENDER_HOME": str(home),
        "_RECOMMENDER_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": "\n".join(["recommender", *words]),
        "COMP_CWORD": last,
    }
    done = subprocess.run(
        [sys.executable, "-m", "recommender"],
        capture_output=True, text=True, env=os.environ | settings, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.splitlines()


def words_of(home: Path, *words: str) -> list[str]:
    """The words that bash is offered."""
    return [line.removeprefix("plain,") for line in offered(home, *words) if line]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (("f",), ["find", "fits"]),
        (("find", "--mode", "p"), ["pool"]),
        (("find", "--min"), ["--minimize"]),
        (("find", "--task", "text-c"), ["text-classification"]),
        (("find", "--metric", "f1_m"), ["f1_macro", "f1_micro"]),
        (("find", "--backend", "o"), ["onnxruntime", "openvino"]),
        (("report", "--format", "j"), ["json"]),
        (("find", "--model", "team/"), ["team/good", "team/good-2.1_b+c"]),
        (("fits", "team/good-"), ["team/good-2.1_b+c"]),
        (("catalog", "show", "other/"), []),
        (("why", "team/"), ["team/searched"]),
        (("find", "--model=team/good-"), ["team/good-2.1_b+c"]),
    ],
)
def test_commands_options_choices_and_ids_are_completed(
    home: Path, typed: tuple[str, ...], expected: list[str]
) -> None:
    """Ids only where no shell could take them for more than a word; deleted models are not."""
    assert words_of(home, *typed) == expected


def test_at_most_fifty_models_are_offered(home: Path) -> None:
    """In the order of their ids."""
    assert words_of(home, "fits", "many/") == [f"many/model-{i:03}" for i in range(MOST)]


def test_runs_are_completed_with_their_times(home: Path) -> None:
    """The newest first; zsh and fish show the times."""
    with Measurements(home / "measurements.db", read_only=True) as store:
        newest, oldest = store.past.ids()
    assert words_of(home, "report", "") == [newest[:8], oldest[:8]]
    assert words_of(home, "why", "team/good", "--run", oldest[:3])[-1] == oldest[:8]
    shown = offered(home, "report", oldest[:6], shell="zsh")
    assert shown[:3] == ["plain", oldest[:8], "2026-01-01 00:00"]
    assert offered(home, "report", oldest[:6], shell="fish")[0].split("\t")[0].endswith(oldest[:8])


@pytest.mark.parametrize(
    ("typed", "kind"),
    [(("find", "rev"), "file,rev"), (("report", "-o", "x"), "file,x"),
     (("report", "--all", "d"), "dir,d")],
)  # fmt: skip
def test_files_and_folders_are_left_to_the_shell(
    home: Path, typed: tuple[str, ...], kind: str
) -> None:
    """It is told which of both is meant."""
    assert offered(home, *typed) == [kind]


def test_stores_that_are_missing_locked_or_damaged_complete_nothing(
    home: Path, tmp_path: Path
) -> None:
    """Without a word and without creating anything; what another process writes is no obstacle."""
    assert words_of(tmp_path / "none", "fits", "team/") == []
    assert not (tmp_path / "none").exists()
    (tmp_path / "catalog.db").write_bytes(b"no database" * 100)
    (tmp_path / "measurements.db").mkdir()
    assert words_of(tmp_path, "fits", "team/") == []
    assert words_of(tmp_path, "report", "") == []
    with sqlite3.connect(home / "catalog.db", isolation_level=None) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        assert "team/good" in words_of(home, "fits", "team/")
        writer.execute("ROLLBACK")


def test_bash_completes_with_the_script_that_the_command_prints(home: Path, tmp_path: Path) -> None:
    """A real bash: the ids become words, and nothing of a stranger's is run."""
    program = tmp_path / "recommender"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m recommender "$@"\n')
    program.chmod(0o755)
    script = f"""
        source <("{program}" completion bash)
        COMP_WORDS=(recommender fits team/) COMP_CWORD=2
        _recommender_completion "{program}"
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", script], capture_output=True, text=True, cwd=tmp_path,
        env=os.environ | {"RECOMMENDER_HOME": str(home)}, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["team/good", "team/good-2.1_b+c"]
    assert [path.name for path in tmp_path.iterdir()] == ["recommender"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_script_of_another_shell_names_our_variable(shell: str) -> None:
    """As click writes it."""
    done = subprocess.run(
        [sys.executable, "-m", "recommender", "completion", shell],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert f"_RECOMMENDER_COMPLETE={shell}_complete " in done.stdout


def test_completing_imports_little(home: Path) -> None:
    """Nothing that knows a model, and none of what takes a tenth of a second to import."""
    code = (
        "import sys, os; sys.argv = ['recommender']\n"
        "os._exit = lambda code: print(*sys.modules, file=sys.stderr)\n"
        "from recommender.cli import main; main()"
    )
    settings = {
        "RECOMMENDER_HOME": str(home), "_RECOMMENDER_COMPLETE": "bash_complete",
        "COMP_WORDS": "recommender find --model team/", "COMP_CWORD": "3",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | settings,
        check=False,
    )  # fmt: skip
    loaded = done.stderr.split()
    assert "plain,team/good" in done.stdout
    ours = {name for name in loaded if name.partition(".")[0] in ("evaluators", "catalog")}
    heavy = {"importlib.metadata", "sqlite_utils", "json", "decimal", "numpy", "email", "hashlib"}
    assert ours | (heavy & set(loaded)) == set()
