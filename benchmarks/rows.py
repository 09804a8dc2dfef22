"""Evaluates models on rows in a process of its own, for benchmarks/answer.py to time.

python benchmarks/rows.py pipeline ROWS MODEL...   transformers' pipeline, float32, default batch
python benchmarks/rows.py worker ROWS ARTIFACT     our worker, default batch, one thread

ROWS is a jsonl file of texts with the label that the model should give. Prints JSON.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Rows = list[dict[str, str]]


def main(runner: str, rows_file: str, *places: str) -> None:
    rows: Rows = [json.loads(line) for line in Path(rows_file).read_text("utf-8").splitlines()]
    evaluate = {"pipeline": with_pipeline, "worker": with_worker}[runner]
    results = [evaluate(rows, Path(place)) for place in places]
    print(json.dumps({
        "n_rows": len(rows) * len(results),
        "weights_mb": sum(result["weights_mb"] for result in results),
        "accuracy": results[-1]["accuracy"],
    }))  # fmt: skip


def with_pipeline(rows: Rows, model: Path) -> dict[str, float]:
    """The model as it is, in float32, with the pipeline's own batch size and threads."""
    import torch
    from transformers import pipeline

    classify: Any = pipeline("text-classification", model=str(model), dtype=torch.float32)
    answers = classify([row["text"] for row in rows], truncation=True)
    return {
        "weights_mb": sum(weight.nbytes for weight in classify.model.parameters()) / 1e6,
        "accuracy": accuracy(rows, [answer["label"] for answer in answers]),
    }


def with_worker(rows: Rows, artifact: Path) -> dict[str, float]:
    """A candidate that is already built, in a child process of ours."""
    from evaluators.worker_process import Worker

    with Worker.start() as worker:
        loaded = worker.load(artifact)
        logits = worker.scores([row["text"] for row in rows]).logits
    answers = [loaded.labels[index] for index in logits.argmax(axis=1)]
    return {"weights_mb": loaded.loaded_mb, "accuracy": accuracy(rows, answers)}


def accuracy(rows: Rows, answers: Sequence[str]) -> float:
    right = sum(row["label"] == answer for row, answer in zip(rows, answers, strict=True))
    return right / len(rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
