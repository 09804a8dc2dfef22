"""The search on recorded reality: real models' answers on real rows, drawn again and again.

python benchmarks/replay/run.py           1,000 draws of each number of rows, on two cores
python benchmarks/replay/run.py --draws 300
python benchmarks/replay/run.py --quick   50 draws; prints, writes nothing

Rows are drawn from sst2.json with replacement, so that they are independent and each candidate's
accuracy on the full set is its true quality. The search is the product's own, Optuna included.
Writes benchmarks/results/replay.json and replay.md.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before numpy: the processes are the parallelism

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from math import nan
from multiprocessing import Pool
from pathlib import Path
from textwrap import fill

import numpy as np
from numpy.typing import NDArray
from recorded import DELTA, POOL_SHARE, Recorded, RecordedBench, crossings

from evaluators.hardware import machine
from recommender.evidence.binomial import upper_bound
from recommender.evidence.wealth import Floats
from recommender.search.study import search

RESULTS = Path(__file__).parents[1] / "results"

TARGETS = (0.80, 0.84, 0.86)
NUMBERS_OF_ROWS = (500, 1000, 2000)
DRAWS, QUICK_DRAWS = 1000, 50
BLOCK = 5
"""Draws whose wealth is computed at once."""

SEED = 20
PROCESSES = 2


@dataclass(frozen=True, slots=True)
class Run:
    """How one draw ended; costs are rows x parameters, as multiples of the oracle's one pass."""

    n_rows: int
    target: float
    wrong: bool  # any certified candidate is insufficient
    chosen: int | None
    cost: float
    touched: int
    seconds: float
    point_chosen: int | None
    point_cost: float


# ---------------------------------------------------------------------- the draws
def block_of_runs(place: tuple[int, int], n_draws: int) -> list[Run]:
    """All targets on some draws of one number of rows."""
    n_rows, first = place
    recorded = Recorded.read()
    goal = recorded.contenders[0].goal
    runs = []
    draws = range(first, min(first + BLOCK, n_draws))
    drawn = [drawn_rows(recorded, n_rows, draw) for draw in draws]
    for target in TARGETS:
        found = crossings(np.concatenate(drawn), target, goal)
        for right, crossing in zip(drawn, np.split(found, len(drawn)), strict=True):
            runs.append(one_run(recorded, right, crossing, target))
    return runs


def drawn_rows(recorded: Recorded, n_rows: int, draw: int) -> NDArray[np.uint8]:
    """(K, n_rows), with replacement."""
    n_recorded = recorded.right.shape[1]
    rows = np.random.default_rng([SEED, n_rows, draw]).integers(0, n_recorded, n_rows)
    return recorded.right[:, rows]


def one_run(
    recorded: Recorded, right: NDArray[np.uint8], crossing: NDArray[np.int64], target: float
) -> Run:
    started = time.perf_counter()
    bench = RecordedBench(recorded, right, crossing, target)
    search(
        recorded.contenders, bench.standings, bench.evaluate,
        target=target, n_units=bench.n_rows, minimize="size_mb", name="replay",
    )  # fmt: skip
    certified = np.zeros(len(right), dtype=bool)
    certified[[index for index, one in bench.standings.items() if one.certified]] = True
    sufficient = recorded.truth >= target
    oracle = recorded.smallest(sufficient)
    assert oracle is not None
    one_pass = bench.n_rows * recorded.n_parameters[oracle]
    point = smallest_first(recorded, right, target)
    walked = recorded.size_mb <= (np.inf if point is None else recorded.size_mb[point])
    return Run(
        n_rows=bench.n_rows,
        target=target,
        wrong=bool((certified & ~sufficient).any()),
        chosen=recorded.smallest(certified),
        cost=float(bench.seen @ recorded.n_parameters / one_pass),
        touched=int(np.count_nonzero(bench.seen)),
        seconds=time.perf_counter() - started,
        point_chosen=point,
        point_cost=float(bench.n_rows * recorded.n_parameters[walked].sum() / one_pass),
    )


def smallest_first(recorded: Recorded, right: NDArray[np.uint8], target: float) -> int | None:
    """The competitor: the smallest whose share of right answers reaches the target."""
    return recorded.smallest(right.mean(axis=1) >= target - 1e-12)


# ---------------------------------------------------------------------- the summary
@dataclass(frozen=True, slots=True)
class Summary:
    """One line of the table; shares are of the draws, ratios are to the oracle's one pass."""

    n_rows: int
    target: float
    n_draws: int
    wrong: float
    wrong_at_most: float  # the exact one-sided 95 % bound
    none: float
    true_smallest: float
    size_ratio: float  # geometric mean of the choice's size by the true smallest's
    cost_ratio: float
    provable: str  # the smallest that is provable alone
    provable_size_ratio: float
    provable_cost_ratio: float
    touched: float
    point_wrong: float
    point_none: float
    point_true_smallest: float
    point_cost_ratio: float


def summaries(recorded: Recorded, runs: Sequence[Run]) -> Iterator[Summary]:
    for n_rows in NUMBERS_OF_ROWS:
        for target in TARGETS:
            own = [run for run in runs if (run.n_rows, run.target) == (n_rows, target)]
            if own:
                yield summary(recorded, own)


def summary(recorded: Recorded, runs: Sequence[Run]) -> Summary:
    target, n = runs[0].target, len(runs)
    oracle = recorded.smallest(recorded.truth >= target)
    assert oracle is not None
    found = [run.chosen for run in runs if run.chosen is not None]
    sizes, passes = recorded.size_mb, recorded.n_parameters
    provable = recorded.smallest(recorded.provable(runs[0].n_rows, target))
    cost_ratio = float(np.mean([run.cost for run in runs]))
    point = [run.point_chosen for run in runs if run.point_chosen is not None]
    n_wrong = sum(run.wrong for run in runs)
    return Summary(
        n_rows=runs[0].n_rows,
        target=target,
        n_draws=n,
        wrong=n_wrong / n,
        wrong_at_most=upper_bound(n_wrong, n, 0.05),
        none=1 - len(found) / n,
        true_smallest=found.count(oracle) / n,
        size_ratio=mean_ratio(sizes[found], sizes[oracle]),
        cost_ratio=cost_ratio,
        provable="none" if provable is None else recorded.names[provable],
        provable_size_ratio=nan if provable is None else mean_ratio(sizes[found], sizes[provable]),
        provable_cost_ratio=nan
        if provable is None
        else cost_ratio * passes[oracle] / passes[provable],
        touched=float(np.mean([run.touched for run in runs])),
        point_wrong=float((recorded.truth[point] < target).sum()) / n,
        point_none=1 - len(point) / n,
        point_true_smallest=point.count(oracle) / n,
        point_cost_ratio=float(np.mean([run.point_cost for run in runs])),
    )


def mean_ratio(sizes: Floats, yardstick: float) -> float:
    """The geometric mean."""
    return float(np.exp(np.log(sizes / yardstick).mean())) if len(sizes) else nan


def report(recorded: Recorded, found: Sequence[Summary]) -> str:
    return "\n\n".join([title(recorded, found), truths(recorded), table(found)]) + "\n"


def title(recorded: Recorded, found: Sequence[Summary]) -> str:
    n_recorded = recorded.right.shape[1]
    said = f"""{len(recorded.names)} candidates (7 models x 8 recipes), whose answers on
{n_recorded:,} rows of SST-2 (dev and test) were recorded. Rows are drawn with replacement,
{found[0].n_draws:,} times for each number of rows, so the accuracy on all {n_recorded:,} is the
truth. Ours: the product's search, delta {DELTA:g}, of which the pool has {POOL_SHARE:g}, in equal
shares. Point estimate: smallest first, all rows, until the share of right answers reaches the
target. Sizes are geometric means. Costs: rows x parameters, in passes over all rows of the true
smallest sufficient candidate, or of the smallest provable: the one that these rows prove four times
in five where it is alone, in one exact look at delta.
Written by `python benchmarks/replay/run.py`, {datetime.now(UTC):%Y-%m-%d}, seed {SEED}."""
    return "# Recorded reality\n\n" + fill(said, width=100, break_on_hyphens=False)


def truths(recorded: Recorded) -> str:
    lines = ["| target | the true smallest sufficient | MB | accuracy |", "|---|---|---|---|"]
    for target in TARGETS:
        index = recorded.smallest(recorded.truth >= target)
        assert index is not None
        lines.append(
            f"| {target:.2f} | {recorded.names[index]} | {recorded.size_mb[index]:.3g} | "
            f"{recorded.truth[index]:.4f} |"
        )
    return "\n".join(lines)


def table(found: Sequence[Summary]) -> str:
    """Ours, then the point estimate."""
    lines = [
        "| rows | target | wrong certificates (at most, 95 %) | no answer | true smallest | size, "
        "of the true smallest | of the provable | cost, of the true smallest | of the provable "
        "| candidates run |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(
            f"| {s.n_rows:,} | {s.target:.2f} | {s.wrong:.1%} ({s.wrong_at_most:.1%}) | "
            f"{s.none:.1%} | {s.true_smallest:.1%} | {s.size_ratio:.2f} | "
            f"{s.provable_size_ratio:.2f} | {s.cost_ratio:.3g} | {s.provable_cost_ratio:.3g} | "
            f"{s.touched:.1f} |"
            for s in found
        ),
        "",
        "| rows | target | the smallest provable | point estimate: wrong | no answer "
        "| true smallest | cost, of the true smallest |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {s.n_rows:,} | {s.target:.2f} | {s.provable} | {s.point_wrong:.1%} | "
            f"{s.point_none:.1%} | {s.point_true_smallest:.1%} | {s.point_cost_ratio:.3g} |"
            for s in found
        ),
    ]
    return "\n".join(lines)


def as_json(one: Summary) -> dict[str, object]:
    """A ratio that does not exist is null."""
    return {name: None if value != value else value for name, value in asdict(one).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_DRAWS} draws, no file")
    parser.add_argument("--draws", type=int, default=DRAWS, help="default: %(default)s")
    options = parser.parse_args()
    started = time.perf_counter()
    n_draws = QUICK_DRAWS if options.quick else options.draws
    places = [(n, first) for n in NUMBERS_OF_ROWS for first in range(0, n_draws, BLOCK)]
    with Pool(PROCESSES) as pool:
        blocks = pool.map(partial(block_of_runs, n_draws=n_draws), places, chunksize=1)
    runs = [run for block in blocks for run in block]
    recorded = Recorded.read()
    found = list(summaries(recorded, runs))
    text = report(recorded, found)
    print(text)
    elapsed_s = time.perf_counter() - started
    print(f"{elapsed_s:.0f} s; a search took {np.mean([r.seconds for r in runs]):.2f} s")
    if not options.quick:
        RESULTS.mkdir(exist_ok=True)
        stored = {
            "command": f"python benchmarks/replay/run.py --draws {n_draws}",
            "seed": SEED, "delta": DELTA,
            "written": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine().describe(),
            "seconds": round(elapsed_s), "summaries": [as_json(one) for one in found],
        }  # fmt: skip
        (RESULTS / "replay.json").write_text(json.dumps(stored, indent=1) + "\n", "utf-8")
        (RESULTS / "replay.md").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
