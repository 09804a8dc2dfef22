"""What does a draw from millions of rows cost: time, and memory that must not grow with them?

python benchmarks/large_files.py                 all kinds and sizes, about half an hour
python benchmarks/large_files.py --only csv      the kinds whose name contains this; no file
python benchmarks/large_files.py --millions 1 3  other sizes; no file

`recommender data SOURCE` in a process of its own reads each source, draws 100,000 rows and looks at
them. The rows are short texts, all different, with five labels of different frequencies; a data set
on the Hub is one parquet file of a Hub on this machine. Files are written to the folder for
temporary files (1 GB) and removed. Writes benchmarks/results/large_files.md.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from catalog.testing import LoopbackHub
from evaluators.hardware import machine

RESULT = Path(__file__).with_name("results") / "large_files.md"
MILLIONS = (1, 3, 10)
CHUNK = 100_000
LABELS = {"billing": 50, "delivery": 30, "returns": 15, "praise": 4.9, "fraud": 0.1}
"""With their shares in percent."""

CHILD = """
import sys
from evaluators.cost.memory import memory
from recommender.cli.data import command
command.main([sys.argv[1], "--format", "json"], standalone_mode=False)
print(memory().peak_mb, file=sys.stderr)
"""

Rows = list[tuple[str, str]]
Told = dict[str, float]
"""Seconds on the wall and of the processor, and MB at the most."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--only", default="", help="kinds whose name contains this; no file")
    parser.add_argument("--millions", type=int, nargs="+", default=MILLIONS, help="rows; no file")
    options = parser.parse_args()
    found: dict[str, dict[int, Told]] = {}
    for kind, write in KINDS.items():
        if options.only in kind:
            found[kind] = {n: measured(write, n, kind) for n in options.millions}
    text = report(found)
    print(text)
    if not options.only and tuple(options.millions) == MILLIONS:
        RESULT.write_text(text, encoding="utf-8")


def measured(write: Callable[[Path, Iterator[Rows]], Path], millions: int, kind: str) -> Told:
    """One source, written, read and removed."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        file = write(Path(folder), rows(millions * 10**6))
        size = file.stat().st_size / 1e6
        if kind != HUB:
            told = asked(str(file), Path(folder))
        else:
            with LoopbackHub(Path(folder) / "hub") as hub:
                told = asked("demo/tickets", Path(folder), HF_ENDPOINT=hub.endpoint)
    print(f"{kind}, {millions} million: {told}", file=sys.stderr, flush=True)
    return {**told, "file_mb": size}


def asked(source: str, home: Path, **environment: str) -> Told:
    """`recommender data SOURCE` in a process of its own; what it shows is checked."""
    own = {"HF_HOME": str(home / "home"), "XDG_DATA_HOME": str(home), **environment}
    before, start = os.times(), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", CHILD, source], capture_output=True, text=True, check=True,
        env={**os.environ, **own},
    )  # fmt: skip
    wall, after = time.perf_counter() - start, os.times()
    check(json.loads(done.stdout))
    cpu = sum(after[2:4]) - sum(before[2:4])
    return {"wall_s": wall, "cpu_s": cpu, "peak_mb": float(done.stderr.split()[-1])}


def check(shown: dict[str, object]) -> None:
    """Labels are drawn in proportion: here in the very numbers."""
    counts = shown["classes"]
    expected = {label: round(1000 * share) for label, share in LABELS.items()}
    if counts != expected:
        raise SystemExit(f"drawn: {counts}; wanted: {expected}")


def rows(n: int) -> Iterator[Rows]:
    """Chunks of rows; every chunk has the labels in proportion."""
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefghijklmnoprstuvw", k=draw.randint(2, 9)))
             for _ in range(3_000)]  # fmt: skip
    texts = [" ".join(draw.choices(words, k=draw.randint(3, 12))) for _ in range(CHUNK)]
    labels = [label for label, share in LABELS.items() for _ in range(round(share * CHUNK / 100))]
    draw.shuffle(labels)
    for start in range(0, n, CHUNK):
        yield [(f"{text} {start + at}", label)
               for at, (text, label) in enumerate(zip(texts, labels, strict=True))]  # fmt: skip


# ---------------------------------------------------------------------- kinds of sources
def write_csv(folder: Path, chunks: Iterator[Rows]) -> Path:
    file = folder / "tickets.csv"
    with file.open("w", encoding="utf-8") as out:
        out.write("text,label\n")
        for chunk in chunks:
            out.writelines(f"{text},{label}\n" for text, label in chunk)
    return file


def write_jsonl(folder: Path, chunks: Iterator[Rows]) -> Path:
    file = folder / "tickets.jsonl"
    with file.open("w", encoding="utf-8") as out:
        for chunk in chunks:
            out.writelines(f'{{"text": "{text}", "label": "{label}"}}\n' for text, label in chunk)
    return file


def write_parquet(folder: Path, chunks: Iterator[Rows], per_group: int = 10) -> Path:
    """Row groups of a million rows, as libraries write them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = folder / "tickets.parquet"
    schema = pa.schema([("text", pa.string()), ("label", pa.string())])
    with pq.ParquetWriter(file, schema) as out:
        while several := list(islice(chunks, per_group)):
            pairs = [pair for chunk in several for pair in chunk]
            columns = [list(column) for column in zip(*pairs, strict=True)]
            out.write_table(pa.table(columns, schema=schema), row_group_size=len(pairs))
    return file


def write_data_set(folder: Path, chunks: Iterator[Rows]) -> Path:
    """A data set of one parquet file, in row groups of 100,000 rows."""
    place = folder / "hub" / "datasets" / "demo" / "tickets"
    (place / "data").mkdir(parents=True)
    (place / "README.md").write_text("---\nlicense: mit\n---\n")
    written = write_parquet(folder, chunks, 1)
    return written.rename(place / "data" / "test-00000-of-00001.parquet")


HUB = "data set on the Hub"
KINDS: dict[str, Callable[[Path, Iterator[Rows]], Path]] = {
    "csv": write_csv, "jsonl": write_jsonl, "parquet": write_parquet, HUB: write_data_set,
}  # fmt: skip


# ---------------------------------------------------------------------- the report
def report(found: dict[str, dict[int, Told]]) -> str:
    here = machine()
    lines = [
        "# A draw from millions of rows",
        "",
        f"Written by `python benchmarks/large_files.py`, {datetime.now(UTC):%Y-%m-%d}: "
        "`recommender data SOURCE`,",
        "which draws 100,000 rows, labels in proportion. Seconds of the whole process, and the",
        "most memory that it had (VmHWM). The labels of the draw are counted: each has exactly its",
        "share.",
        "",
        "| source | rows | file, MB | wall, s | processor, s | peak memory, MB |",
        "|---|---|---|---|---|---|",
        *(
            f"| {kind} | {n},000,000 | {told['file_mb']:.0f} | {told['wall_s']:.1f} | "
            f"{told['cpu_s']:.1f} | {told['peak_mb']:.0f} |"
            for kind, sizes in found.items() for n, told in sizes.items()
        ),
        "",
        f"- Machine: {here.describe()}, shared with other work; load average "
        f"{os.getloadavg()[0]:.1f} at the end.",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
