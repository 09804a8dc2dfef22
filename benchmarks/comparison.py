"""The processes that benchmarks/answer.py compares, one round at a time."""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from recommender import Recommendation

ROOT = Path(__file__).parent.parent
REPEATS = 5
"""Of the find that memory answers, in each round."""

Rows = list[tuple[str, str]]  # text, label


@dataclass(frozen=True, slots=True)
class Setting:
    """What is asked of which models on which rows; `labels` maps a data label to the models'."""

    rows: Rows
    data: str
    zoo: Path
    target: float
    labels: dict[str, str]


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one process: rows answered for quality, and the weights, in memory, that answered them."""

    seconds: float
    n_rows: int
    weights_mb: float = 0.0
    accuracy: float | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """Every comparison once, in one fresh RECOMMENDER_HOME."""

    found: Recommendation
    find: Cost
    every: Cost
    chosen: Cost
    worker: Cost
    again: Cost
    raised: Cost
    lowered: Cost


@dataclass(frozen=True, slots=True)
class Place:
    """The temporary folder of one round."""

    setting: Setting
    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data.jsonl"

    @property
    def expected(self) -> Path:
        return self.folder / "expected.jsonl"

    def write(self) -> None:
        """The rows with the data's labels for `find`, and with the models' labels for the rest."""
        names = self.setting.labels
        write_rows(self.data, self.setting.rows)
        write_rows(self.expected, [(text, names[label]) for text, label in self.setting.rows])

    def find(self, target: float) -> tuple[Recommendation, Cost]:
        label_map = ",".join(f"{ours}={theirs}" for ours, theirs in self.setting.labels.items())
        before = self.answered()
        seconds, output = timed(
            ["-m", "recommender", "find", str(self.data), "--require", f"accuracy >= {target:g}",
             "--source", f"folder:{self.setting.zoo}", "--label-map", label_map,
             "--format", "json", "--quiet"],
            home=self.folder / "home",
        )  # fmt: skip
        found = Recommendation.from_json(output)
        after = self.answered()
        n_new = {key: n - before.get(key, (0, 0.0))[0] for key, (n, _) in after.items()}
        weights_mb = sum((mb for key, (_, mb) in after.items() if n_new[key]), 0.0)
        return found, Cost(seconds, sum(n_new.values()), weights_mb)

    def evaluate(self, runner: str, places: Sequence[Path]) -> Cost:
        script = str(Path(__file__).with_name("rows.py"))
        arguments = [script, runner, str(self.expected), *map(str, places)]
        seconds, output = timed(arguments, home=self.folder / "home")
        return Cost(seconds, **json.loads(output.splitlines()[-1]))

    def answered(self) -> dict[str, tuple[int, float]]:
        """By candidate, the distinct texts that it has answered, and its weights in MB."""
        store = self.folder / "home" / "measurements.db"
        if not store.is_file():
            return {}
        with closing(sqlite3.connect(store)) as connection:
            rows = connection.execute(
                "SELECT candidate_key, COUNT(*), (SELECT value FROM figures f WHERE name = "
                "'loaded_mb' AND f.candidate_key = p.candidate_key) FROM predictions p GROUP BY 1"
            )
            return {key: (n_rows, weights_mb) for key, n_rows, weights_mb in rows}


def run_round(setting: Setting, number: int) -> Round:
    """Search and pipeline take turns at being first."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        place = Place(setting, Path(folder))
        place.write()
        models = sorted({path.parent for path in text_classifiers(setting.zoo)})
        say(f"round {number + 1}: find, and the pipeline on {len(models)} models")
        every = place.evaluate("pipeline", models) if number % 2 else None
        found, find = place.find(setting.target)
        every = every or place.evaluate("pipeline", models)
        chosen = found.choice
        if chosen is None:
            raise SystemExit(f"nothing was shown to reach {setting.target}; lower the target")
        say(f"round {number + 1}: {chosen.name} alone, and from memory")
        repeated = [place.find(setting.target)[1] for _ in range(REPEATS)]
        return Round(
            found=found,
            find=find,
            every=every,
            chosen=place.evaluate("pipeline", [setting.zoo / chosen.model]),
            worker=place.evaluate("worker", [found.load().folder]),
            again=Cost(
                median(cost.seconds for cost in repeated), sum(cost.n_rows for cost in repeated)
            ),
            raised=place.find(setting.target + 0.001)[1],
            lowered=place.find(setting.target - 0.01)[1],
        )


def text_classifiers(zoo: Path) -> list[Path]:
    """The configs of the zoo's models that classify text."""
    return [
        config
        for config in zoo.rglob("config.json")
        if any("SequenceClassification" in name for name in read_json(config)["architectures"])
    ]


def timed(arguments: Sequence[str], *, home: Path) -> tuple[float, str]:
    """Wall seconds and standard output of a Python process, its bytecode cached as usual."""
    environment = {
        **os.environ,
        "RECOMMENDER_HOME": str(home),
        "HF_HUB_OFFLINE": "1",
        "OMP_WAIT_POLICY": "PASSIVE",  # on a busy machine two spinning threads stand still
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=ROOT, capture_output=True, text=True
    )
    seconds = time.perf_counter() - start
    if done.returncode not in (0, 3):  # 3: none was shown to be sufficient
        raise SystemExit(f"{' '.join(arguments[:4])}: exit {done.returncode}\n{done.stderr}")
    return seconds, done.stdout


def write_rows(file: Path, rows: Rows) -> None:
    lines = [json.dumps({"text": text, "label": label}) for text, label in rows]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_json(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
