"""Records which rows each candidate answers rightly, for benchmarks/replay/run.py to resample.

python benchmarks/replay/record.py   writes benchmarks/replay/sst2.json

`measure` answers SST-2's dev and test rows with every recipe of ../shared/zoo's text classifiers:
about a quarter of an hour, at once where RECOMMENDER_HOME remembers it. No text is written.
"""

import json
import sys
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import recommender
from cache.measurements import Measurements
from evaluators.hardware import machine
from evaluators.samples import Samples
from recommender import Outcome
from recommender.api import home_of

SHARED = Path(__file__).parents[3] / "shared"
RECORD = Path(__file__).with_name("sst2.json")
MODEL_LABELS = {"0": "negative", "1": "positive"}


def main() -> None:
    samples = read_rows(SHARED / "data" / "sst2")
    found = recommender.measure(
        samples, sources=[f"folder:{SHARED / 'zoo'}"], label_map=MODEL_LABELS, progress=True
    )
    if found.ended != "complete":
        raise SystemExit(f"not every candidate was measured: {found.ended}")
    with Measurements(home_of(None).measurements) as store:
        candidates = [candidate(outcome, store, samples) for outcome in found.candidates]
    here = machine()
    record = {
        "data": "SST-2, dev and test, as the files order them",
        "n_rows": samples.n,
        "right": "for each row, in order, whether the answer was right: numpy.packbits, base64",
        "latency_p50_ms": "single requests, on the machine as busy as it was: not to compare with",
        "written": f"{datetime.now(UTC):%Y-%m-%d}",
        "command": "python benchmarks/replay/record.py",
        "machine": here.describe(),
        "libraries": dict(here.libraries),
        "candidates": candidates,
    }
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"{len(candidates)} candidates, {RECORD.stat().st_size / 1e3:.0f} kB", file=sys.stderr)


def read_rows(folder: Path) -> Samples:
    """The dev and the test sentences with their labels, in the files' order."""
    texts = [(folder / name).read_text("utf-8") for name in ("dev.tsv", "test.tsv")]
    pairs = [line.rsplit("\t", 1) for text in texts for line in text.splitlines()]
    return Samples.of([{"text": text, "label": label} for text, label in pairs], name="SST-2")


def candidate(outcome: Outcome, store: Measurements, samples: Samples) -> dict[str, Any]:
    right = answered_rightly(outcome, stored_outputs(outcome, store), samples)
    return {
        "model": outcome.model,
        "recipe": outcome.recipe.name,
        "size_mb": outcome.value("size_mb"),
        "n_parameters": outcome.value("n_parameters"),
        "latency_p50_ms": outcome.value("latency_p50_ms"),
        "accuracy": sum(right) / samples.n,
        "right": b64encode(np.packbits(right).tobytes()).decode("ascii"),
    }


def stored_outputs(outcome: Outcome, store: Measurements) -> dict[str, int]:
    """What the candidate answered, by row key; one set of libraries must have answered alone."""
    wanted = (outcome.model, outcome.revision, outcome.recipe.name)
    keys = [
        row["key"]
        for row in store.candidates()
        if (row["model"], row["revision"], row["recipe"]) == wanted
    ]
    if len(keys) != 1:
        raise SystemExit(f"{outcome.name} was run {len(keys)} times; use a fresh RECOMMENDER_HOME")
    return store.outputs(keys[0])


def answered_rightly(outcome: Outcome, outputs: dict[str, int], samples: Samples) -> Sequence[bool]:
    if outcome.labels is None:
        raise SystemExit(f"{outcome.name} was not evaluated: {outcome.reason}")
    names = outcome.labels.names
    right = [names[outputs[row.key]] == row.label for row in samples.rows]
    if abs(sum(right) / samples.n - (outcome.value("accuracy") or 0.0)) > 1e-9:
        raise SystemExit(f"{outcome.name}: the stored answers are not those that were measured")
    return right


if __name__ == "__main__":
    main()
