"""Does it fit here? The figures, the verdicts, and the exit codes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cache.errors import NotFound
from catalog.model import File, Model
from evaluators.candidate import Recipe
from evaluators.plugins import recipe_methods
from evaluators.testing import make_bert
from evaluators.worker_process import Worker
from recommender import cli
from recommender.fit import fits, judge
from recommender.footprint import FOOTPRINTS, predicted_peak_mb
from recommender.plugins import plugin
from recommender.query import Query
from recommender.room import Room

ASKED = Query.parse((), backends=("torch",))
MODEL = Model(
    "demo/ant",
    "a" * 40,
    "hub",
    task="text-classification",
    parameters={"F32": 20_000_000},
    files=(
        File("config.json", 1_000),
        File("model.safetensors", 80_000_000),
        File("vocab.txt", 200_000),
    ),
    n_layers=6,
    labels=("negative", "positive"),
)
LARGE = Room(memory_mb=32_000.0, available_mb=30_000.0, disk_free_mb=100_000.0)


def test_every_recipe_is_judged_with_its_figures() -> None:
    """What it weighs, what it would take, and that it fits."""
    found = judge(MODEL, ASKED, LARGE)
    assert {recipe.recipe for recipe in found.recipes} == {"torch-fp32", "torch-bf16", "torch-int8"}
    assert found.any
    for recipe in found.recipes:
        assert (recipe.fits, recipe.weights_mb, recipe.download_mb) == (True, 80.0, 80.201)
        assert recipe.peak_memory_mb > recipe.weights_mb
        assert recipe.disk_mb > recipe.download_mb


@pytest.mark.parametrize(
    ("room", "reason"),
    [
        (replace(LARGE, memory_mb=100.0), "of this machine's 100 MB"),
        (replace(LARGE, available_mb=100.0), "not at the moment: 100 MB of memory are available"),
        (replace(LARGE, disk_free_mb=1_100.0), "MB of disk, more than is free"),
    ],
    ids=["memory", "memory now", "disk"],
)
def test_what_does_not_fit_is_said(room: Room, reason: str) -> None:
    """No recipe fits, and each says why."""
    found = judge(MODEL, ASKED, room)
    assert not found.any
    assert all(reason in recipe.reason for recipe in found.recipes)


def test_a_model_that_cannot_be_run_fits_nowhere() -> None:
    """Its state and the reason stand in place of the recipes."""
    found = judge(replace(MODEL, gated=True), ASKED, LARGE)
    assert (found.any, found.recipes) == (False, ())
    assert found.reason.startswith("gated: access is asked for")


def test_more_weights_take_more_memory() -> None:
    """In every recipe, and a stranger's recipe is taken to be as hungry as the hungriest."""
    larger = replace(MODEL, parameters={"F32": 40_000_000})
    for method in FOOTPRINTS:
        recipe = Recipe(method, method.partition("-")[0], "fp32")
        assert predicted_peak_mb(larger, recipe) > predicted_peak_mb(MODEL, recipe)
    stranger = predicted_peak_mb(MODEL, Recipe("acme-int2", "acme", "int2"))
    ours = (predicted_peak_mb(MODEL, Recipe(m, m.partition("-")[0], "")) for m in FOOTPRINTS)
    assert stranger == max(ours)


def test_every_recipe_of_ours_was_measured() -> None:
    """None is predicted by the figures for strangers."""
    assert set(recipe_methods()) == set(FOOTPRINTS)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one tiny model."""
    root = tmp_path_factory.mktemp("models")
    make_bert(root / "demo" / "ant")
    return root


def test_the_prediction_is_near_what_a_worker_takes(models: Path, tmp_path: Path) -> None:
    """torch in float32 on a tiny model: the fixed part, which is nearly all of it."""
    with Worker.start(threads=1) as worker:
        worker.build(
            Recipe("torch-fp32", "torch", "fp32"), source=models / "demo" / "ant",
            folder=tmp_path / "built", task=plugin("tasks", "text-classification")().settings(),
            texts=["it was good"],
        )  # fmt: skip
        worker.load(tmp_path / "built")
        worker.scores(["it was good"] * 32)
        taken_mb = worker.memory().peak_mb
    (found,) = [
        recipe
        for recipe in fits("demo/ant", sources=[f"folder:{models}"], home=tmp_path / "home").recipes
        if recipe.recipe == "torch-fp32"
    ]
    assert taken_mb / 2 < found.peak_memory_mb < 2 * taken_mb


def run(monkeypatch: pytest.MonkeyPatch, home: Path, *arguments: str) -> int:
    """The exit code of `recommender fits`."""
    monkeypatch.setenv("RECOMMENDER_HOME", str(home))
    monkeypatch.setattr("sys.argv", ["recommender", "fits", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_the_command_shows_a_row_a_recipe(
    models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 0: at least one fits."""
    asked = ("demo/ant", "--source", f"folder:{models}", "--backend", "torch")
    assert run(monkeypatch, tmp_path, *asked) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("here: ")
    assert lines[2].split() == [
        "recipe", "weights_mb", "peak_memory_mb", "download_mb", "disk_mb", "fits"
    ]  # fmt: skip
    assert [line.split()[0] for line in lines[3:]] == ["torch-bf16", "torch-fp32", "torch-int8"]
    assert all(line.endswith("yes") for line in lines[3:])


def test_the_command_tells_machines_too(
    models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As JSON with units in the names; exit code 1 where none fits."""
    (models / "demo" / "ant" / "modeling.py").write_text("")
    asked = ("demo/ant", "--source", f"folder:{models}", "--format", "json")
    assert run(monkeypatch, tmp_path, *asked) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["fits"] is False
    assert told["reason"].startswith("remote code: it brings modeling.py")
    (models / "demo" / "ant" / "modeling.py").unlink()


def test_an_unknown_model_is_an_error(models: Path, tmp_path: Path) -> None:
    """Wrong use, not a model that does not fit."""
    with pytest.raises(NotFound):
        fits("demo/anr", sources=[f"folder:{models}"], home=tmp_path)
