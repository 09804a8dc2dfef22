"""Every example runs, offline, on small things."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import new_home

EXAMPLES = Path(__file__).parent.parent / "examples"
MAX_LINES = 40

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def models(zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two small models, one that is good and one that guesses."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("good", "guessing"):
        shutil.copytree(zoo / "team" / name, folder / "team" / name)
    return folder


@pytest.fixture(scope="module")
def run(found: tuple[object, Path], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs an example in a process of its own; all of them share one memory."""
    home = new_home(found, tmp_path_factory.mktemp("home"))
    environment = {**os.environ, "RECOMMENDER_HOME": str(home), "HF_HUB_OFFLINE": "1"}

    def start(name: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, str(EXAMPLES / name), *map(str, arguments)],
            capture_output=True, text=True, env=environment, cwd=home, timeout=300,
        )  # fmt: skip

    return start


def test_find_from_python_prints_the_choice_and_uses_it(
    run: Run, rows: list[dict[str, str]], models: Path, tmp_path: Path
) -> None:
    """The search on rows in memory ends with a model that answers."""
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    done = run("find_from_python.py", file, models)
    assert done.returncode == 0, done.stderr
    assert "choice: team/good@" in done.stdout
    assert done.stdout.endswith("'a very good film' is positive\n")


@pytest.mark.parametrize(
    ("model", "exit_code", "said"),
    [
        pytest.param("team/good", 0, "certified >= 0.", id="good-enough"),
        pytest.param("team/guessing", 3, "team/guessing was not shown to meet", id="not-shown"),
    ],
)
def test_gate_in_ci_tells_by_its_exit_code(
    run: Run, data: Path, models: Path, model: str, exit_code: int, said: str
) -> None:
    """The pipeline passes with a model that was shown to meet its requirements only."""
    done = run("gate_in_ci.py", data, models, model)
    assert done.returncode == exit_code, done.stderr
    assert said in done.stdout


def test_loopback_hub_serves_the_real_client(run: Run, data: Path, models: Path) -> None:
    """The search through the loopback Hub finds what the folder holds."""
    done = run("loopback_hub.py", data, models)
    assert done.returncode == 0, done.stderr
    assert "team/good@" in done.stdout
    assert "requests, 0 for weights" not in done.stdout


def test_compare_recipes_prints_a_line_for_each(run: Run, data: Path, models: Path) -> None:
    """Every recipe of the runtime is measured."""
    done = run("compare_recipes.py", data, models, "team/good", "onnxruntime")
    assert done.returncode == 0, done.stderr
    recipes = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("onnx")]
    assert sorted(recipes) == ["onnxruntime-fp32", "onnxruntime-int8"]


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_is_short_and_tested(example: Path) -> None:
    """At most forty lines each, and each has a test above."""
    assert len(example.read_text("utf-8").splitlines()) <= MAX_LINES
    assert f'"{example.name}"' in Path(__file__).read_text("utf-8")
