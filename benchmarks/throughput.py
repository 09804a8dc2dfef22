"""Rows a second of each task: ours, transformers' pipeline, and a forward loop written by hand.

python benchmarks/throughput.py                all cases; goes on where an earlier call ended
python benchmarks/throughput.py --only images  the cases whose name contains this; no file

All three get the same rows and give an answer for each: reading files, tokenizing and decoding is
in every one's time. They run in one process on one thread in float32, and take turns; a rate is
rows by the seconds of processor time in the best of the rounds, since the machine may be busy. The
pipeline is given its best batch size of 1, 8, 32 and 64. The loop sorts rows by length into batches
of our size. Models whose weights are random are as fast as trained ones. Writes
benchmarks/results/throughput.json and .md.
"""

import os

os.environ.update(
    OMP_NUM_THREADS="1", OMP_WAIT_POLICY="PASSIVE", HF_HUB_OFFLINE="1",
    TOKENIZERS_PARALLELISM="false", TRANSFORMERS_VERBOSITY="error",
)  # fmt: skip  # before torch

import argparse
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import transformers
from throughput_case import Case
from throughput_cases import cases

from evaluators.artifact import build_artifact
from evaluators.candidate import Recipe
from evaluators.classifier import load_artifact
from evaluators.hardware import machine

RESULTS = Path(__file__).with_name("results")
SIZES = (1, 8, 32, 64)
ROUNDS = 7
WARM_UP = 32
GOALS = {"pipeline": 1.0, "loop": 0.9}

Run = Callable[[Sequence[Any]], Any]


@dataclass(frozen=True, slots=True)
class Measured:
    """Rows a second of processor time in the best of the rounds, and ours by the others'."""

    name: str
    n_rows: int
    batch_size: int
    rates: Mapping[str, float]
    ratios: Mapping[str, float]
    pipeline_batch: int | None
    same: str


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--fresh", action="store_true", help="forget the results so far")
    parser.add_argument("--only", default="", help="cases whose name contains this; no file")
    parser.add_argument("--root", type=Path, default=Path("/"), help="of the unpacked package")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    kept = RESULTS / "throughput.json"
    done: dict[str, Any] = {}
    if kept.exists() and not options.fresh and not options.only:
        done = json.loads(kept.read_text("utf-8"))
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        makers = cases(Path(folder), options.root)
        for name, make in makers.items():
            if name not in done and options.only in name:
                done[name] = asdict(measured(name, make(), Path(folder)))
                print(f"{name}: {done[name]['ratios']}", file=sys.stderr, flush=True)
                if not options.only:
                    kept.write_text(json.dumps(done, indent=1) + "\n", encoding="utf-8")
    found = [Measured(**done[name]) for name in makers if name in done]
    text = report(found, [name for name in makers if name not in done])
    print(text)
    if not options.only:
        (RESULTS / "throughput.md").write_text(text, encoding="utf-8")


def measured(name: str, case: Case, folder: Path) -> Measured:
    """Ours, the loop and the pipeline at its best batch size, in turns."""
    with torch.inference_mode():
        runs: dict[str, Run] = {"ours": ours(case, folder), "loop": case.loop}
        best = None
        if case.pipeline is not None:
            best = best_size(case)
            runs["pipeline"] = with_size(case.pipeline, best)
        answers = {other: run(case.rows) for other, run in runs.items()}  # all are warm now
        rounds = [turn(runs, case.rows, at) for at in range(ROUNDS)]
    others = [run for run in runs if run != "ours"]
    least = {run: min(one[run] for one in rounds) for run in runs}  # other work only adds
    return Measured(
        name=name, n_rows=len(case.rows), batch_size=case.batch_size,
        rates={run: len(case.rows) / least[run] for run in runs},
        ratios={run: least[run] / least["ours"] for run in others},
        pipeline_batch=best,
        same=case.compare(answers["ours"], answers["loop"]),
    )  # fmt: skip


def turn(runs: Mapping[str, Run], rows: Sequence[Any], at: int) -> dict[str, float]:
    """Seconds of processor time of each, in an order that changes from turn to turn."""
    names = list(runs)
    order = [*names[at % len(names) :], *names[: at % len(names)]]
    return {name: seconds(runs[name], rows) for name in order}


def seconds(run: Run, rows: Sequence[Any]) -> float:
    start = time.process_time()
    run(rows)
    return time.process_time() - start


def best_size(case: Case) -> int:
    """The batch size with which the pipeline takes least, each tried once after a warm-up."""
    assert case.pipeline is not None
    with_size(case.pipeline, 1)(case.rows[:WARM_UP])
    took = {size: seconds(with_size(case.pipeline, size), case.rows) for size in SIZES}
    return min(took, key=took.__getitem__)


def with_size(pipeline: Callable[[Sequence[Any], int], Any], size: int) -> Run:
    """A pipeline's call with a batch size."""
    return lambda rows: pipeline(rows, size)


def ours(case: Case, folder: Path) -> Run:
    """The torch-fp32 candidate as a worker serves it: answers, and how many rows were cut."""
    place = folder / f"artifact-{len(list(folder.iterdir()))}"
    recipe = Recipe("torch-fp32", "torch", "fp32")
    requests = {id(row): case.request(row) for row in case.rows}
    build_artifact(
        recipe, case.source, place, graph=None, task=case.task,
        texts=list(requests.values())[:2],
    )  # fmt: skip
    loaded = load_artifact(place, threads=1)
    serve = loaded.scores if hasattr(loaded, "scores") else loaded.answers

    def run(rows: Sequence[Any]) -> Any:
        asked = [requests[id(row)] for row in rows]
        found = serve(asked, batch_size=case.batch_size)
        loaded.n_cut(asked)
        return found

    return run


# ---------------------------------------------------------------------- the report
def report(found: Sequence[Measured], lacking: Sequence[str]) -> str:
    here = machine()
    missed = [one.name for one in found if any(one.ratios[run] < GOALS[run] for run in one.ratios)]
    lines = [
        "# Throughput",
        "",
        f"Written by `python benchmarks/throughput.py`, {datetime.now(UTC):%Y-%m-%d}, torch fp32, "
        f"one thread, {ROUNDS} rounds in turns.",
        "Rates are rows by seconds of processor time in the best round: other work only adds.",
        "Goals: at least 1 x the pipeline at its best batch size of 1, 8, 32 and 64, and at least",
        f"0.9 x a loop in batches of our size. Missed: {', '.join(missed) or 'none'}.",
        "",
        "| case | rows | batch | ours, rows/s | loop | pipeline (its batch) | ours : loop | "
        "ours : pipeline | answers against the loop's |",
        "|---|---|---|---|---|---|---|---|---|",
        *map(line, found),
        "",
        f"- Machine: {here.describe()}, shared with other work; load average "
        f"{os.getloadavg()[0]:.1f} at the end.",
        f"- Not run: {'; '.join(lacking) or 'none'}.",
        "- Models that write get up to 8 times as many rows a batch where these are short; the "
        "loop's do not.",
        f"- transformers {transformers.__version__}, torch {torch.__version__}. A dash: there is "
        "no pipeline for the task.",
    ]
    return "\n".join(lines) + "\n"


def line(one: Measured) -> str:
    pipeline, against = "-", "-"
    if one.pipeline_batch is not None:
        pipeline = f"{one.rates['pipeline']:.4g} ({one.pipeline_batch})"
        against = f"{one.ratios['pipeline']:.2f}"
    cells = (one.name, one.n_rows, one.batch_size, f"{one.rates['ours']:.4g}",
             f"{one.rates['loop']:.4g}", pipeline, f"{one.ratios['loop']:.2f}", against,
             one.same)  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    main()
