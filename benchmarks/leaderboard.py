"""How long a leaderboard takes: from the store alone, of 10 to 10,000 evaluations.

python benchmarks/leaderboard.py           writes results/leaderboard.json and .md
python benchmarks/leaderboard.py --quick   10 and 100 evaluations, writes nothing

The evaluations are simulated: nothing was measured but the reading. Half of them were taken on
another machine, and all are on one set of rows, or on 20 sets of which the newest is asked for.
Each figure is the median of fresh processes; seconds are of the clock, and of the processor, since
the machine may be busy.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from textwrap import fill
from typing import Any

from cache.evaluations import Evaluation, Ranking, evaluations_of
from cache.measurements import Measurements
from evaluators.candidate import Recipe
from evaluators.hardware import machine
from evaluators.labels import LabelMap
from evaluators.measurement import Measurement, State
from recommender.evidence.verdict import Verdict
from recommender.recommendation import Claim, Outcome

RESULTS = Path(__file__).with_name("results")
SIZES = (10, 100, 1_000, 10_000)
N_SETS = 20
N_ROWS = 1_000
TURNS = 5
GOAL_N, GOAL_S = 1_000, 1.0
THERE = "another machine, simulated"
RECIPES = ("torch-fp32", "torch-int8", "onnxruntime-fp32", "onnxruntime-int8", "openvino-int8")

Figures = dict[str, Any]  # Any: JSON

READ = """
import json, time
from recommender.api import leaderboard
def clocks():
    return time.perf_counter(), time.process_time()
started, began = clocks()
board = leaderboard()
wall_s, cpu_s = (after - before for after, before in zip(clocks(), (started, began)))
print(json.dumps({"wall_s": wall_s, "cpu_s": cpu_s, "entries": len(board.entries)}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="10 and 100 evaluations, no file")
    quick = parser.parse_args().quick
    sizes = SIZES[:2] if quick else SIZES
    load_before = os.getloadavg()[0]
    measured = [measure(n, n_sets) for n_sets in (1, N_SETS) for n in sizes if n >= n_sets]
    figures: Figures = {
        "measured": measured,
        "machine": machine().describe(),
        "load_before": load_before,
        "written": f"{datetime.now(UTC):%Y-%m-%d}",
    }
    text = report(figures)
    print(text)
    if not quick:
        (RESULTS / "leaderboard.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
        (RESULTS / "leaderboard.md").write_text(text, "utf-8")


# ---------------------------------------------------------------------- what is measured
def measure(n: int, n_sets: int) -> Figures:
    """The medians for a store of so many evaluations on so many sets of rows."""
    with tempfile.TemporaryDirectory(prefix="leaderboard-") as folder:
        home = Path(folder)
        with Measurements(home / "measurements.db") as store:
            store.evaluations.record(simulated(n, n_sets))
        file_mb = (home / "measurements.db").stat().st_size / 1e6
        reads = [json.loads(child(home, "-c", READ)[0]) for _ in range(TURNS)]
        told = home / "board.json"
        command = ("-m", "recommender", "leaderboard", "-o", str(told))
        whole_s = [child(home, *command)[1] for _ in range(TURNS)]
    return {
        "n": n,
        "n_sets": n_sets,
        "entries": reads[0]["entries"],
        "read_s": median(each["wall_s"] for each in reads),
        "read_cpu_s": median(each["cpu_s"] for each in reads),
        "command_cpu_s": median(whole_s),
        "file_mb": file_mb,
    }


def child(home: Path, *arguments: str) -> tuple[str, float]:
    """What a fresh Python prints, and its seconds of processor time."""
    before = os.times()
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "RECOMMENDER_HOME": str(home)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    after = os.times()
    spent_s = after.children_user + after.children_system
    return done.stdout, spent_s - before.children_user - before.children_system


# ---------------------------------------------------------------------- simulated evaluations
def simulated(n: int, n_sets: int) -> Iterator[Evaluation]:
    """So many candidates with every figure that a search records, each on one set of rows."""
    draw = random.Random(0)
    here = machine().describe()
    ranking = Ranking("accuracy", counts_errors=True)
    for place in range(n):
        where = here if place % 2 else THERE
        at = f"2026-11-01T{place // 3600 % 24:02}:{place // 60 % 60:02}:{place % 60:02}+00:00"
        answer = answer_of(outcome(draw, place), place % n_sets, where)
        yield from evaluations_of(answer, {}, run=f"{place:064x}", at=at, ranking=ranking)


def answer_of(found: Outcome, at_set: int, where: str) -> Figures:
    return {
        "candidates": [found.to_json()],
        "baseline": None,
        "plan": {"mode": "pool"},
        "data": {
            "name": f"rows-{at_set}.csv", "fingerprint": f"{at_set:064x}", "n_rows": N_ROWS,
            "task": {"name": "text-classification", "max_length": 512, "batch_size": 32},
        },
        "environment": {"machine": where, "threads": 1, "libraries": {"torch": "simulated"}},
    }  # fmt: skip


def outcome(draw: random.Random, place: int) -> Outcome:
    name = RECIPES[place % len(RECIPES)]
    backend, _, precision = name.partition("-")
    size_mb = 0.1 * 10_000 ** draw.random()
    n_wrong = draw.randint(30, 300)
    accuracy = 1 - n_wrong / N_ROWS
    figures = [
        Measurement("download_mb", 2 * size_mb, "MB", 1),
        Measurement("loaded_mb", size_mb, "MB", 1),
        Measurement("n_parameters", 2.5e5 * size_mb, "", 1),
        Measurement("size_mb", size_mb, "MB", 1),
        Measurement("rows_drifted", 0.0, "rows", 40),
        *(
            Measurement(cost, size_mb**0.5 * draw.uniform(1, 2), unit, 200, 0.5, 90.0, "simulated")
            for cost, unit in COSTS.items()
        ),
        Measurement("accuracy", accuracy, "ratio", N_ROWS, accuracy - 0.02, accuracy + 0.02),
    ]
    return Outcome(
        model=f"simulated/model-{place // len(RECIPES):05}",
        revision=f"{place // len(RECIPES):040x}",
        source="hub",
        recipe=Recipe(name, backend, precision),
        state=State.EVALUATED,
        verdict=Verdict.UNDECIDED,
        reason=f"accuracy {accuracy:.4f}, certified >= {accuracy - 0.03:.3f}, not 0.98",
        predicted_size_mb=size_mb,
        n_rows=N_ROWS,
        n_wrong=n_wrong,
        n_units=N_ROWS,
        claims=(Claim("accuracy", 0.98, accuracy, accuracy - 0.03, N_ROWS),),
        license="apache-2.0",
        labels=LabelMap(("negative", "positive"), "exact names"),
        measurements={figure.name: figure for figure in figures},
    )


COSTS = {
    "latency_p50_ms": "ms",
    "latency_p95_ms": "ms",
    "load_s": "s",
    "peak_memory_mb": "MB",
    "model_memory_mb": "MB",
    "throughput_per_s": "1/s",
}


# ---------------------------------------------------------------------- the report
def report(figures: Figures) -> str:
    """The text of leaderboard.md."""
    intro = f"""Simulated evaluations, half of them of another machine, read from the store alone:
nothing is measured but the reading. `read` is `recommender.api.leaderboard()` in a fresh process,
its imports aside; `command` is all of `recommender leaderboard -o board.json`, from the start of
Python. Medians of {TURNS} processes; the load average was {figures["load_before"]:.1f} at the
start, so look at the processor time. Written by `python benchmarks/leaderboard.py`,
{figures["written"]}."""
    lines = [
        "| evaluations | sets of rows | entries | read, s | read, s of processor "
        "| command, s of processor | store, MB |",
        "|---|---|---|---|---|---|---|",
        *map(line, figures["measured"]),
    ]
    parts = ["# What a leaderboard costs", paragraph(intro), "\n".join(lines)]
    parts.append(paragraph(f"Machine: {figures['machine']}."))
    return "\n\n".join(parts) + "\n"


def line(each: Figures) -> str:
    goal = ""
    if each["n"] == GOAL_N:
        goal = f" (goal {GOAL_S:g}: {'met' if each['read_s'] < GOAL_S else 'MISSED'})"
    return (
        f"| {each['n']:,} | {each['n_sets']} | {each['entries']:,} | {each['read_s']:.3f}{goal} "
        f"| {each['read_cpu_s']:.3f} | {each['command_cpu_s']:.2f} | {each['file_mb']:.1f} |"
    )


def paragraph(text: str) -> str:
    return fill(" ".join(text.split()), 100, break_on_hyphens=False)


if __name__ == "__main__":
    main()
