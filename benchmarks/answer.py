"""What an answer costs: `find` against transformers' pipeline over the same models and rows.

python benchmarks/answer.py           three rounds, about ten minutes; writes results/answer.md
python benchmarks/answer.py --quick   one round on 300 rows; prints, writes nothing

Uses ../shared/zoo and ../shared/data/sst2 where they are, else the demo's zoo and tweets. Every
duration is that of a whole process, imports included.
"""

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from textwrap import fill

from comparison import REPEATS, ROOT, Cost, Round, Setting, run_round, timed

from evaluators.hardware import machine
from recommender.demo import ZOO

SHARED = ROOT.parent / "shared"
RESULT = Path(__file__).parent / "results" / "answer.md"
ROUNDS = 3
QUICK_ROWS = 300
QUICK_STEP = 0.05  # so few rows prove less


def main() -> None:
    summary = (__doc__ or "").split("\n", 1)[0]
    parser = argparse.ArgumentParser(description=summary)
    parser.add_argument("--quick", action="store_true", help="one round on 300 rows, no file")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="default: %(default)s")
    options = parser.parse_args()
    setting = quick(choose_setting()) if options.quick else choose_setting()
    load_before = os.getloadavg()[0]
    timed(["-m", "recommender", "--help"], home=ROOT)  # writes our bytecode
    rounds = [run_round(setting, n) for n in range(1 if options.quick else options.rounds)]
    text = report(setting, rounds, load_before)
    print(text)
    if not options.quick:
        RESULT.write_text(text, encoding="utf-8")


def choose_setting() -> Setting:
    """The shared zoo on SST-2's dev and test rows, else the demo's."""
    sst2, zoo = SHARED / "data" / "sst2", SHARED / "zoo"
    if sst2.is_dir() and zoo.is_dir():
        texts = [(sst2 / name).read_text("utf-8") for name in ("dev.tsv", "test.tsv")]
        pairs = [line.rsplit("\t", 1) for text in texts for line in text.splitlines()]
        rows = [(text, label) for text, label in pairs]
        return Setting(rows, "SST-2, dev and test", zoo, 0.80, {"0": "negative", "1": "positive"})
    from recommender.demo.tweets import LABELS, TARGET, read_tweets

    rows = [(tweet.text, tweet.label) for tweet in read_tweets().demo]
    return Setting(rows, "the demo's tweets", ZOO, TARGET, {label: label for label in LABELS})


def quick(setting: Setting) -> Setting:
    """Few rows, and the lower target that so few can prove."""
    return replace(setting, rows=setting.rows[:QUICK_ROWS], target=setting.target - QUICK_STEP)


# ---------------------------------------------------------------------- the report
def report(setting: Setting, rounds: Sequence[Round], load_before: float) -> str:
    parts = [title(setting, rounds), costs(setting, rounds), ratios(setting, rounds)]
    return "\n\n".join([*parts, remarks(load_before)]) + "\n"


def title(setting: Setting, rounds: Sequence[Round]) -> str:
    first = rounds[0]
    plan, choice = first.found.plan, first.found.choice
    assert choice is not None
    asked = f"""`find` with `accuracy >= {setting.target:g}` on {setting.data}
({len(setting.rows):,} rows), {plan.n_models} models x recipes = {plan.n_candidates} candidates,
against transformers' `pipeline` on the same rows. Written by `python benchmarks/answer.py`,
{datetime.now(UTC):%Y-%m-%d}; rounds: {len(rounds)}, each with an empty RECOMMENDER_HOME. Seconds
are those of whole processes, imports included: median (least to most over the rounds)."""
    answer = f"""The choice: {choice.name}, {choice.value("size_mb") or 0:.3g} MB, accuracy
{choice.value("accuracy") or 0:.4f}. Run by itself it scores {first.worker.accuracy or 0:.4f}; its
model in float32, by the pipeline, {first.chosen.accuracy or 0:.4f}."""
    paragraphs = [fill(text, width=100, break_on_hyphens=False) for text in (asked, answer)]
    return "\n\n".join(["# What an answer costs", *paragraphs])


def costs(setting: Setting, rounds: Sequence[Round]) -> str:
    n_rows, n_pool = len(setting.rows), rounds[0].found.plan.n_candidates
    n_models = rounds[0].every.n_rows // n_rows
    of: dict[str, Callable[[Round], Cost]] = {
        "`find`, nothing known": lambda one: one.find,
        f"(a) pipeline: each of the {n_models} models as it is": lambda one: one.every,
        "(b) pipeline: the chosen model alone": lambda one: one.chosen,
        "(b) our worker: the chosen candidate alone, already built": lambda one: one.worker,
        f"the same `find` again (median of {REPEATS})": lambda one: one.again,
        f"`find` with {setting.target + 0.001:g} instead": lambda one: one.raised,
        f"`find` with {setting.target - 0.01:g} instead": lambda one: one.lowered,
    }
    lines = [
        "| what | seconds | rows answered | weights, MB |",
        "|---|---|---|---|",
        *(cost_line(name, [cost(one) for one in rounds]) for name, cost in of.items()),
        f"| counted, not timed: each of the {n_pool} candidates | | {n_pool * n_rows:,} | |",
    ]
    return "\n".join(lines)


def ratios(setting: Setting, rounds: Sequence[Round]) -> str:
    n_all = rounds[0].found.plan.n_candidates * len(setting.rows)
    of: dict[str, Callable[[Round], float]] = {
        "`find` : (a), seconds": lambda one: one.find.seconds / one.every.seconds,
        "`find` : (a), weights": lambda one: one.find.weights_mb / one.every.weights_mb,
        "`find` : every candidate, rows answered": lambda one: one.find.n_rows / n_all,
        "`find` : (b) pipeline, seconds": lambda one: one.find.seconds / one.chosen.seconds,
        "(b) worker : (b) pipeline, seconds": lambda one: one.worker.seconds / one.chosen.seconds,
        "`find` again : `find`, seconds": lambda one: one.again.seconds / one.find.seconds,
    }
    lines = [f"| {name} | {spread([ratio(one) for one in rounds])} |" for name, ratio in of.items()]
    head = ["| ratio, within each round | median (least to most) |", "|---|---|"]
    return "\n".join([*head, *lines])


def remarks(load_before: float) -> str:
    here = machine()
    return f"""\
- The pipeline runs in float32 at its default batch (1) with torch's default threads, which wait
  without spinning (OMP_WAIT_POLICY=PASSIVE); candidates run on 1 thread, in batches of 32.
- `find` also exports graphs, quantizes, and times the choice and its neighbours in fresh workers:
  that is in its seconds, not in its rows and weights. Weights are in the precision that they have
  in memory, once for each candidate that answered a row. A text that is repeated counts once.
- A changed target is answered from stored predictions where these suffice. A candidate that was
  stopped early and could pass now is given its missing rows: seconds and rows are theirs.
- Machine: {here.describe()}; load average {load_before:.1f} at the start.
- Libraries: {", ".join(f"{name} {version}" for name, version in here.libraries.items())}."""


def cost_line(name: str, costs: Sequence[Cost]) -> str:
    rows = between([cost.n_rows for cost in costs])
    weights = between([round(cost.weights_mb, 1) for cost in costs])
    return f"| {name} | {spread([cost.seconds for cost in costs])} | {rows} | {weights} |"


def spread(values: Sequence[float]) -> str:
    middle = f"{median(values):.3g}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.3g} to {max(values):.3g})"


def between(values: Sequence[float]) -> str:
    low, high = f"{min(values):,}", f"{max(values):,}"
    return low if low == high else f"{low} to {high}"


if __name__ == "__main__":
    main()
