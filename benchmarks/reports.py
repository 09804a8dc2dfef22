"""How long reports take, and how large they are.

python benchmarks/reports.py           10 to 10,000 candidates; writes results/reports.json and .md
python benchmarks/reports.py --quick   10 and 100, writes nothing

The results are made up (recommender/reports/testing.py): what is measured is the writing, in a
fresh process each, with everything that it must import. `renewed` is the second report of the same
process.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results"
SIZES = (10, 100, 1_000, 10_000)
FORMATS = ("html", "md", "json", "csv", "svg", "png")
TURNS = 5
GOAL_S, GOAL_MB = 1.0, 1.0

ONE = """
import json, sys, time
started = time.perf_counter()
from recommender.reports.testing import made_up_recommendation
result = made_up_recommendation(int(sys.argv[1]))
made = time.perf_counter()
from recommender.plugins import plugin
render = plugin("reports", sys.argv[2])
text = render(result)
first = time.perf_counter()
render(result)
print(json.dumps({
    "first_s": first - made, "renewed_s": time.perf_counter() - first,
    "bytes": len(text if isinstance(text, bytes) else text.encode()),
}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="10 and 100 candidates, no file")
    quick = parser.parse_args().quick
    sizes = SIZES[:2] if quick else SIZES
    found = [measured(n, form) for n in sizes for form in FORMATS]
    report = written(found)
    print(report)
    if not quick:
        (RESULTS / "reports.json").write_text(json.dumps(found, indent=2) + "\n", "utf-8")
        (RESULTS / "reports.md").write_text(report, "utf-8")


def measured(n: int, form: str) -> dict[str, Any]:
    """Medians of fresh processes."""
    runs = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", ONE, str(n), form],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for _ in range(TURNS)
    ]
    return {
        "candidates": n,
        "format": form,
        "first_s": median(run["first_s"] for run in runs),
        "renewed_s": median(run["renewed_s"] for run in runs),
        "mb": runs[0]["bytes"] / 1e6,
    }


def written(found: list[dict[str, Any]]) -> str:
    """The figures as Markdown."""
    lines = [
        "# What reports cost",
        "",
        "Results that are made up, written in each format; medians of "
        f"{TURNS} fresh processes. `first` includes",
        "what must be imported, `renewed` is the second report of a process. Written by `python "
        "benchmarks/reports.py`.",
        "",
        "| candidates | format | first, s | renewed, s | MB |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {each['candidates']:,} | {each['format']} | {each['first_s']:.2f}{_goal(each)} "
        f"| {each['renewed_s']:.2f} | {each['mb']:.3f}{_size_goal(each)} |"
        for each in found
    ]
    return "\n".join(lines) + "\n"


def _goal(each: dict[str, Any]) -> str:
    if (each["candidates"], each["format"]) != (100, "html"):
        return ""
    return f" (goal {GOAL_S:g}: {'met' if each['first_s'] < GOAL_S else 'MISSED'})"


def _size_goal(each: dict[str, Any]) -> str:
    if each["format"] != "html":
        return ""
    return f" (goal {GOAL_MB:g}: {'met' if each['mb'] <= GOAL_MB else 'MISSED'})"


if __name__ == "__main__":
    main()
