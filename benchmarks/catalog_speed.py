"""What a catalog of millions costs: to crawl, to keep, to refresh and to ask.

python benchmarks/catalog_speed.py             2,000,000 models; writes results/catalog.json and .md
python benchmarks/catalog_speed.py --models N  another number, nothing is written
python benchmarks/catalog_speed.py --quick     the same with 50,000

A synthetic Hub lists the models. Three clients walk through the same listing in turns, so many
pages each: our crawl into an empty catalog, huggingface_hub's list_models, and the floor, a loop
that only fetches the pages and parses their JSON. Then 0.1 % of the models change, and the crawl is
refreshed. Then the catalog is asked. The Hub and each client are processes of their own.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from textwrap import fill
from typing import Any
from urllib.request import Request, urlopen

HERE = Path(__file__).parent
RESULTS = HERE / "results"
CLIENTS = ("crawl", "list_models", "floor")
N_MODELS, QUICK_MODELS = 2_000_000, 50_000
TURNS = 20
CHANGED_SHARE = 0.001
N_QUESTIONS = 1_000
PAGE_ROWS = 1_000
GOALS_MS = {"filters": 20.0, "words": 50.0}
GOAL_RSS_MB = 200.0

Figures = dict[str, Any]  # Any: JSON


@dataclass(slots=True)
class Client:
    """A process of catalog_clients.py, with what it told of its turns so far."""

    process: subprocess.Popen[str]
    turns: list[Figures]

    def go_on(self, n_pages: int) -> Figures:
        """One turn of so many pages."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{n_pages}\n")
        self.process.stdin.flush()
        told: Figures = json.loads(self.process.stdout.readline())
        self.turns.append(told)
        return told

    @property
    def is_over(self) -> bool:
        """Whether the listing has come to its end."""
        return bool(self.turns and self.turns[-1]["is_over"])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--models", type=int, metavar="N", help="how many; no file")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_MODELS:,} models, no file")
    options = parser.parse_args()
    n_models = options.models or (QUICK_MODELS if options.quick else N_MODELS)
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="catalog-") as folder:
        figures = measure(n_models, Path(folder))
    figures |= {"n_models": n_models, "load_before": load_before, "machine": machine()}
    figures |= {
        "command": "python benchmarks/catalog_speed.py",
        "written": f"{datetime.now(UTC):%Y-%m-%d}",
    }
    text = report(figures)
    print(text)
    if n_models == N_MODELS:
        (RESULTS / "catalog.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
        (RESULTS / "catalog.md").write_text(text, "utf-8")


# ---------------------------------------------------------------------- what is measured
def measure(n_models: int, folder: Path) -> Figures:
    """All figures of one run."""
    with ExitStack() as stack:
        endpoint = stack.enter_context(hub(n_models))
        clients = {name: stack.enter_context(client(name, endpoint, folder)) for name in CLIENTS}
        walk(clients, n_pages=max(1, n_models // PAGE_ROWS // TURNS))
        figures: Figures = {"turns": {name: each.turns for name, each in clients.items()}}
        n_touched = touch(endpoint)
        crawled = clients["crawl"]
        figures["catalog_mb"] = (folder / "catalog.db").stat().st_size / 1e6
        figures["refresh"] = crawled.go_on(sys.maxsize) | {"n_touched": n_touched}
        figures["unchanged"] = crawled.go_on(sys.maxsize)
    figures["asked"] = child("catalog_questions.py", str(folder / "catalog.db"), str(N_QUESTIONS))
    return figures


def walk(clients: Mapping[str, Client], *, n_pages: int) -> None:
    """Lets the clients go on in turns, in another order each time, until all are at the end."""
    n_turns, names = 0, list(clients)
    while not all(each.is_over for each in clients.values()):
        for name in names:
            if not clients[name].is_over:
                told = clients[name].go_on(n_pages)
                show(f"turn {n_turns + 1}: {name} {told['n'] / told['seconds']:,.0f} models/s")
        names = [*names[1:], names[0]]
        n_turns += 1


@contextmanager
def hub(n_models: int) -> Iterator[str]:
    """The endpoint of a synthetic Hub in a process of its own."""
    command = [sys.executable, "-P", "-m", "catalog.synthetic", "--models", str(n_models)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip().removeprefix("HF_ENDPOINT=")
        finally:
            process.terminate()


@contextmanager
def client(name: str, endpoint: str, folder: Path) -> Iterator[Client]:
    """A client that waits for its turns."""
    script = [sys.executable, "-P", str(HERE / "catalog_clients.py"), name, endpoint, str(folder)]
    pipe = subprocess.PIPE
    with subprocess.Popen(script, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield Client(process, [])
        finally:
            process.terminate()


def touch(endpoint: str) -> int:
    """Changes a share of the models; tells how many."""
    request = Request(f"{endpoint}/_control/touch?share={CHANGED_SHARE}", method="POST")
    with urlopen(request) as answer:
        return int(json.load(answer)["touched"])


def child(script: str, *arguments: str) -> Figures:
    """What a script of this folder prints."""
    done = subprocess.run(
        [sys.executable, "-P", str(HERE / script), *arguments],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    told: Figures = json.loads(done.stdout)
    return told


def machine() -> str:
    """The machine in words."""
    from evaluators.hardware import machine as this_machine

    return this_machine().describe()


def show(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


# ---------------------------------------------------------------------- the report
def report(figures: Figures) -> str:
    """The text of catalog.md."""
    intro = f"""{figures["n_models"]:,} models of a synthetic Hub on this machine, listed in pages
of {PAGE_ROWS:,}. Written by `{figures["command"]}`, {figures["written"]}. Each client is a process
of its own; they take turns on the same pages, {n_turns(figures)} turns each, in changing order."""
    parts = ["# What a catalog of millions costs", paragraph(intro), crawling(figures)]
    parts += [keeping(figures), asking(figures), remarks(figures)]
    return "\n\n".join(parts) + "\n"


def n_turns(figures: Figures) -> int:
    return len(figures["turns"]["floor"])


def crawling(figures: Figures) -> str:
    names = {
        "crawl": "our crawl, rows checked and kept",
        "list_models": "huggingface_hub's `list_models`, nothing kept",
        "floor": "the floor: pages fetched, JSON parsed",
    }
    lines = [
        "| client | models/s | ours : its, turn by turn | processor, us a model | memory, MB |",
        "|---|---|---|---|---|",
    ]
    for name, text in names.items():
        turns = figures["turns"][name]
        n = sum(turn["n"] for turn in turns)
        rate = n / sum(turn["seconds"] for turn in turns)
        cpu_us = 1e6 * sum(turn["cpu_seconds"] for turn in turns) / n
        shown = spread(rate_ratios(figures, name)) if name != "crawl" else ""
        lines.append(
            f"| {text} | {rate:,.0f} | {shown} | {cpu_us:.0f} | {turns[-1]['rss_mb']:.0f} |"
        )
    return "\n".join(lines)


def rate_ratios(figures: Figures, name: str) -> list[float]:
    """How fast our crawl is against a client, turn by turn."""
    pairs = zip(figures["turns"]["crawl"], figures["turns"][name], strict=False)
    return [
        (ours["n"] / ours["seconds"]) / (theirs["n"] / theirs["seconds"])
        for ours, theirs in pairs
        if ours["n"] and theirs["n"]
    ]


def keeping(figures: Figures) -> str:
    n, refresh, unchanged = figures["n_models"], figures["refresh"], figures["unchanged"]
    turns = figures["turns"]["crawl"]
    rss_mb, asking_mb = max(turn["rss_mb"] for turn in turns), figures["asked"]["rss_mb"]
    lines = [
        "| what | measured |",
        "|---|---|",
        f"| the catalog's file | {figures['catalog_mb']:,.0f} MB, "
        f"{1e6 * figures['catalog_mb'] / n:.0f} bytes a model |",
        f"| its write-ahead log at most | {max(turn['wal_mb'] for turn in turns):.0f} MB |",
        f"| memory of the crawling process, at most | {rss_mb:.0f} MB "
        f"({verdict(rss_mb, GOAL_RSS_MB)}) |",
        f"| memory of the process that asks, at most | {asking_mb:.0f} MB "
        f"({verdict(asking_mb, GOAL_RSS_MB)}) |",
        f"| refresh after {refresh['n_touched']:,} models changed | {refresh['n_requests']} "
        f"requests, {refresh['n']:,} rows, {refresh['seconds']:.1f} s |",
        f"| refresh when nothing changed | {unchanged['n_requests']} requests, "
        f"{unchanged['seconds']:.2f} s |",
    ]
    return "\n".join(lines)


def asking(figures: Figures) -> str:
    names = {"filters": "filters, any sort", "words": "words, with and without filters, any sort"}
    lines = [
        "| 1,000 questions each, pages of 50 | median, ms | 95 % | 99 % | slowest | none found "
        "| counted, ms: median | 95 % |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, text in names.items():
        told = figures["asked"][name]
        cuts, counts = quantiles(told["select_ms"], n=100), quantiles(told["count_ms"], n=100)
        n_empty = sum(n == 0 for n in told["found"])
        lines.append(
            f"| {text} | {cuts[49]:.2f} | {cuts[94]:.1f} ({verdict(cuts[94], GOALS_MS[name])}) "
            f"| {cuts[98]:.1f} | {max(told['select_ms']):.0f} | {n_empty / len(told['found']):.0%} "
            f"| {counts[49]:.2f} | {counts[94]:.1f} |"
        )
    return "\n".join(lines)


def verdict(value: float, goal: float) -> str:
    return f"goal {goal:g}: {'met' if value <= goal else 'MISSED'}"


def remarks(figures: Figures) -> str:
    lines = [
        "The Hub makes its pages up as they are asked for, in another process on the same machine: "
        "that is part of everybody's seconds, not of the processor time.",
        "The public Hub allows 500 requests in 5 minutes without a token, 1,667 models/s.",
        "A question is made from facts of a model in the catalog, in one of seven with a fact of "
        "another; 300 others are asked first, and sets of models that questions have in common "
        "stay in memory. Selecting reads the models, counting does not stop at a page.",
        f"Machine: {figures['machine']}; load average {figures['load_before']:.1f} at the start.",
    ]
    return "\n".join(fill(line, 100, initial_indent="- ", subsequent_indent="  ") for line in lines)


def paragraph(text: str) -> str:
    return fill(" ".join(text.split()), 100, break_on_hyphens=False)


def spread(values: Sequence[float]) -> str:
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})" if values else ""


if __name__ == "__main__":
    main()
