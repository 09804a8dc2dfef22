"""The evidence: the goals and what is reached, on simulated worlds with known truth.

python benchmarks/evidence.py           all runs on two cores; goes on where an earlier call ended
python benchmarks/evidence.py --fresh   the same from the beginning
python benchmarks/evidence.py --quick   a fiftieth of the runs; prints, writes nothing

Writes benchmarks/results/evidence.json (summaries with their seeds) and evidence.md. Nothing here
is a measurement of models: the worlds are recommender.testing's.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before numpy: the processes are the parallelism

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import numpy as np
from procedures import (
    DELTA,
    PROCEDURES,
    Result,
    betting_power,
    exact_sequential_power,
    oracle_cost,
    ours,
    provable,
    quality_for_power,
    with_tpe,
)
from tables import report

from recommender.search.study import search
from recommender.testing import (
    SimulatedBench,
    SimulatedWorld,
    dense,
    hopeless,
    least_favourable,
    realistic,
)

RESULTS = Path(__file__).with_name("results")
PROCESSES = 2
QUICK_SHARE = 50
LEAST_RUNS = 4
SEED = 3

FIRST_LABELS, MOST_LABELS = 200, 500
"""Of the least favourable worlds, whose labels arrive as the results ask for them."""

POWER_PATHS = 4000
POWERS = ((0.025, 0.005, 0.0005), (200, 500, 1000, 2000))

Record = dict[str, float | None]
Run = Callable[[int], dict[str, Record]]


@dataclass(frozen=True, slots=True)
class Row:
    """One world and how often it is drawn; `run` takes the number of the run."""

    name: str
    runs: int
    run: Run


# ---------------------------------------------------------------------- one run of each kind
def adaptive(run: int, *, correlated: bool) -> dict[str, Record]:
    """The least favourable world; more labels come until something is certified, or all are used.

    `read through` counts what any search could find at most: wealth that ever crossed, had every
    contender been read to the last label.
    """
    world = least_favourable(100, MOST_LABELS, (SEED, run), correlated=correlated)
    goals = world.goals(DELTA)
    bench = SimulatedBench(world, goals, n_rows=FIRST_LABELS)
    contenders = world.contenders(goals)
    while True:
        search(
            contenders, bench.standings, bench.evaluate,
            target=world.target, n_units=bench.n_rows, minimize="size_mb", name="simulated",
        )  # fmt: skip
        if bench.certified or bench.n_rows == MOST_LABELS:
            break
        hope = float((bench.wealth_seen() - goals).max())
        bench.add_labels(min(MOST_LABELS, bench.n_rows + (100 if hope > -2.0 else 300)))
    read_through = bool((bench.log_wealth.max(axis=1) >= goals).any())
    return {"ours": {"false": bool(bench.certified), "read_through": read_through}}


def looked(run: int, *, world: Callable[..., SimulatedWorld]) -> dict[str, Record]:
    """Ours alone, in one world."""
    drawn = world(seed=(SEED, run))
    return {"ours": timed(drawn, ours)}


def compared(run: int, *, world: Callable[..., SimulatedWorld]) -> dict[str, Record]:
    """Every procedure in the same world; TPE may spend what ours took."""
    drawn = world(seed=(SEED, run))
    found = {name: timed(drawn, procedure) for name, procedure in PROCEDURES.items()}
    spent = found["ours"]["spent"]
    assert spent is not None
    return found | {"Optuna TPE, the budget of ours": timed(drawn, with_tpe(drawn, spent))}


def timed(world: SimulatedWorld, procedure: Callable[[SimulatedWorld], Result]) -> Record:
    start = time.perf_counter()
    result = procedure(world)
    return record(world, result) | {"seconds": time.perf_counter() - start}


def record(world: SimulatedWorld, result: Result) -> Record:
    """What is known of one result; None where a figure does not exist in this world."""
    n, size = world.n_rows, world.size_mb
    smallest, proven = world.smallest(world.is_sufficient), world.smallest(provable(world, n))
    found: Record = {
        "false": result.false,
        "none": None if proven is None else result.answer is None,
        "share": result.row_cost / (float(size.sum()) * n),
        "touched": result.touched,
        "spent": result.cost,
        "size_true": None,
        "size_provable": None,
        "cost": None,
        "cost_loaded": None,
    }
    if smallest is not None:
        oracle = oracle_cost(world, n)
        found |= {"cost": result.row_cost / oracle, "cost_loaded": result.cost / oracle}
    if result.answer is not None and smallest is not None:
        found["size_true"] = float(size[result.answer] / size[smallest])
    if result.answer is not None and proven is not None:
        found["size_provable"] = float(size[result.answer] / size[proven])
    return found


def power(run: int) -> dict[str, Record]:
    """Our bet against the exact sequential test, where one look has a power of .5 or .8."""
    levels, sizes = POWERS
    cells = [(alpha, n, one) for alpha in levels for n in sizes for one in (0.5, 0.8)]
    alpha, n, one = cells[run]
    quality = quality_for_power(n, 0.9, alpha, one)
    exact = exact_sequential_power(n, 0.9, quality, alpha)
    bet = betting_power(n, 0.9, quality, alpha, n_paths=POWER_PATHS, seed=SEED)
    cell: Record = {"quality": quality, "exact": exact, "betting": bet, "behind": exact - bet}
    return {f"alpha {alpha:g}, n {n}, one look {one:g}": cell}


# ---------------------------------------------------------------------- all of them
def rows() -> list[Row]:
    def at(k: int, published_sd: float = 0.0) -> Callable[..., SimulatedWorld]:
        return partial(realistic, k, 1000, published_sd=published_sd)

    return [
        Row("power", 24, power),
        Row("least favourable", 2000, partial(adaptive, correlated=False)),
        Row("least favourable, correlated", 2000, partial(adaptive, correlated=True)),
        Row("hopeless, K=100, n=1000", 100, partial(looked, world=partial(hopeless, 100, 1000))),
        Row("dense, K=200, n=1000", 100, partial(looked, world=partial(dense, 200, 1000))),
        Row("K=50, n=1000", 300, partial(looked, world=at(50))),
        Row("K=100, n=1000", 2000, partial(looked, world=at(100))),
        Row("K=400, n=1000", 150, partial(looked, world=at(400))),
        Row("K=500, n=1000", 150, partial(looked, world=at(500))),
        Row("K=100, n=1000, published", 300, partial(looked, world=at(100, published_sd=0.03))),
        Row("K=400, n=1000, published", 150, partial(looked, world=at(400, published_sd=0.03))),
        *(
            Row(f"K=200, n={n}", runs, partial(compared, world=partial(realistic, 200, n)))
            for n, runs in ((500, 100), (1000, 150), (2000, 60))
        ),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="few runs, no file")
    parser.add_argument("--fresh", action="store_true", help="forget the results so far")
    parser.add_argument("--only", default="", help="rows whose name contains this; no file")
    options = parser.parse_args()
    writes = not (options.quick or options.only)
    kept = RESULTS / "evidence.json"
    done: dict[str, Any] = {}
    if writes and kept.exists() and not options.fresh:
        done = json.loads(kept.read_text("utf-8"))
    with Pool(PROCESSES) as pool:
        for row in rows():
            if row.name in done or options.only not in row.name:
                continue
            runs = row.runs
            if options.quick and row.name != "power":
                runs = max(LEAST_RUNS, row.runs // QUICK_SHARE)
            done[row.name] = summary(row, runs, pool)
            if writes:
                RESULTS.mkdir(exist_ok=True)
                kept.write_text(json.dumps(done, indent=1) + "\n", encoding="utf-8")
    text = report(done)
    print(text)
    if writes:
        (RESULTS / "evidence.md").write_text(text, encoding="utf-8")


def summary(row: Row, runs: int, pool: Any) -> dict[str, Any]:  # Any: JSON; a multiprocessing Pool
    """The figures of one row over its runs, with the seeds: run r draws from (SEED, r)."""
    start = time.perf_counter()
    records = pool.map(row.run, range(runs), chunksize=max(1, runs // 40))
    seconds = time.perf_counter() - start
    print(f"{row.name}: {runs} runs, {seconds:.0f} s", file=sys.stderr)
    names = dict.fromkeys(name for record in records for name in record)
    figures = {name: statistics([r[name] for r in records if name in r]) for name in names}
    return {"seed": SEED, "runs": runs, "seconds": round(seconds, 1), "figures": figures}


def statistics(records: list[Mapping[str, float | None]]) -> dict[str, dict[str, float]]:
    """Each figure's mean, median and geometric mean over the runs in which it exists."""
    found = {}
    for key in records[0]:
        values = np.array([r[key] for r in records if r[key] is not None], dtype=np.float64)
        if not values.size:
            continue
        each = {
            "runs": values.size,
            "mean": float(values.mean()),
            "median": float(np.median(values)),
        }
        if (values > 0).all():
            each["geometric"] = float(np.exp(np.log(values).mean()))
        found[key] = {name: round(value, 5) for name, value in each.items()}
    return found


if __name__ == "__main__":
    main()
