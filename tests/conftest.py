"""Real tiny models, good and broken ones, and labelled rows that they can be judged on."""

import csv
import json
import os
import random
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from xdist.scheduler import LoadFileScheduling

from cache.paths import Home
from evaluators.testing import make_bert
from recommender import cli

POSITIVE = ("good", "great", "fine", "liked", "loved")
NEGATIVE = ("bad", "poor", "dull", "slow", "hated")
FILLERS = ("film", "movie", "plot", "actor", "scene", "music", "story", "it", "was", "and", "this")

nightly = pytest.mark.skipif(
    os.environ.get("RECOMMENDER_NIGHTLY") != "1", reason="set RECOMMENDER_NIGHTLY=1: it takes long"
)
"""For what a faster test covers in part: a whole search for each further task."""

SEARCHED = (
    *("test_cli.py", "test_export.py", "test_find.py", "test_open_mode.py", "test_examples.py"),
    "test_readme.py",
)
"""Files that share the one search of `found`: `make test` runs them in one process, in this order.

The first two ask for the newest search in its home, the third adds others.
"""

SLOWEST = (
    *(*SEARCHED, "test_side_by_side.py", "test_images.py", "test_text_generation.py"),
    *("test_naming.py", "test_worlds.py", "test_prefetch.py", "test_finals.py"),
)
"""Run first: with a long file at the end, all processes but one would wait for it."""

N_ROWS = 300
NOISE = 0.04


class Shared(LoadFileScheduling):  # type: ignore[misc]
    """A file's tests run in one process, and so do those of all files that share a search."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return "found" if file.endswith(SEARCHED) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Shared | None:
    return Shared(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ranks = {name: rank for rank, name in enumerate(SLOWEST)}
    items.sort(key=lambda item: ranks.get(item.path.name, len(ranks)))


def make_rows(n_rows: int, *, seed: int) -> list[dict[str, str]]:
    """Distinct sentences with a sentiment word; a few carry the wrong label, as real rows do."""
    draw = random.Random(seed)
    rows: dict[str, str] = {}
    while len(rows) < n_rows:
        label = draw.choice(("negative", "positive"))
        words = draw.choices(FILLERS, k=draw.randint(2, 12))
        words.insert(
            draw.randint(0, len(words)), draw.choice(POSITIVE if label == "positive" else NEGATIVE)
        )
        flipped = {"negative": "positive", "positive": "negative"}[label]
        rows[" ".join(words)] = flipped if draw.random() < NOISE else label
    return [{"text": text, "label": label} for text, label in rows.items()]


def write_csv(path: Path, rows: Sequence[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["text", "label"])
        writer.writeheader()
        writer.writerows(rows)
    return path


def train(folder: Path) -> None:
    """Teach the model in a folder the sentiment words, in a second or two."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.manual_seed(0)
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(0.2 if weights.dim() > 1 else 1.0)
    rows = make_rows(4000, seed=7)
    batch = tokenizer([row["text"] for row in rows], padding=True, return_tensors="pt")
    gold = torch.tensor([int(row["label"] == "positive") for row in rows])
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for start in range(0, len(rows), 64):
        part = slice(start, start + 64)
        inputs = {name: tensor[part] for name, tensor in batch.items()}
        loss = model(**inputs, labels=gold[part]).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.save_pretrained(folder)


def edit_config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def edit_weights(folder: Path, *, drop: str = "", poison: str = "") -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    weights = {name: tensor.clone() for name, tensor in load_file(path).items()}
    kept = {name: tensor for name, tensor in weights.items() if not drop or drop not in name}
    for name, tensor in kept.items():
        if poison and poison in name:
            tensor.fill_(float("nan"))
    save_file(kept, path, metadata={"format": "pt"})


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven repositories: one that is good, one that guesses, and five that are broken."""
    root = tmp_path_factory.mktemp("zoo")
    names = ("good", "guessing", "pickled", "remote", "topics", "headless", "poisoned")
    for name in names:
        labels = ("sports", "politics") if name == "topics" else ("negative", "positive")
        make_bert(root / "team" / name, labels=labels)
    team = root / "team"
    train(team / "good")
    (team / "pickled" / "model.safetensors").rename(team / "pickled" / "pytorch_model.bin")
    edit_config(team / "remote", auto_map={"AutoModel": "modeling.Evil"})
    edit_weights(team / "headless", drop="classifier")
    edit_weights(team / "poisoned", poison="classifier")
    return root


@pytest.fixture(scope="session")
def rows() -> list[dict[str, str]]:
    return make_rows(N_ROWS, seed=1)


@pytest.fixture(scope="session")
def more_rows() -> list[dict[str, str]]:
    """The same rows and a hundred more."""
    return make_rows(N_ROWS + 100, seed=1)


@pytest.fixture(scope="session")
def data(rows: list[dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("data") / "reviews.csv", rows)


@pytest.fixture(scope="session")
def found(zoo: Path, data: Path, tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    """One search with every recipe, and the home in which it is remembered."""
    from recommender import find

    home = tmp_path_factory.mktemp("home")
    answer = find(data, "accuracy >= 0.85", sources=[f"folder:{zoo}"], home=home)
    return answer, home


def new_home(found: tuple[object, Path], folder: Path) -> Path:
    """A home that knows nothing, but has all that was built of the zoo's models already."""
    folder.mkdir(exist_ok=True)
    Home(folder).artifacts.symlink_to(Home(found[1]).artifacts)
    return folder


@pytest.fixture
def home(found: tuple[object, Path], tmp_path: Path) -> Path:
    return new_home(found, tmp_path / "home")


RunCommand = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> RunCommand:
    """Runs `recommender ARGS` in this process; gives the exit code, stdout and stderr."""

    def go(*arguments: object, home: Path = tmp_path) -> tuple[int, str, str]:
        monkeypatch.setenv("RECOMMENDER_HOME", str(home))
        monkeypatch.setattr(sys, "argv", ["recommender", *map(str, arguments)])
        monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)  # put back afterwards
        before = signal.getsignal(signal.SIGTERM)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        signal.signal(signal.SIGTERM, before)
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    return go
