"""The costs of a built candidate, from fresh workers that serve nothing else."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from evaluators.cost.latency import AACheck, Percentile, a_a_check, interleaved_blocks, percentile
from evaluators.cost.size import artifact_size_bytes
from evaluators.measurement import Measurement
from evaluators.worker_process import Loaded, Timing, Worker

WARMUP_REQUESTS = 10
BLOCK_REQUESTS = 10
"""Requests that one worker serves before the next has its turn: long enough to be warm again,
short enough that a drift of the machine meets all of them."""


@dataclass(frozen=True, slots=True)
class CostSettings:
    """How costs are taken: threads, single requests, rows a batch, and what is allowed."""

    threads: int = 1
    n_requests: int = 200
    batch_size: int = 32
    deadline_s: float = 300.0
    memory_limit_mb: float | None = None

    def start_worker(self) -> Worker:
        """A fresh worker under these settings."""
        return Worker.start(
            threads=self.threads,
            memory_limit_mb=self.memory_limit_mb,
            deadline_s=self.deadline_s,
        )


@dataclass(frozen=True, slots=True)
class InterleavedTimings:
    """Durations of each folder's candidate, taken in turn, and whether they may decide."""

    timings: tuple[Timing, ...]
    a_a: AACheck


def measure_costs(
    folder: Path, texts: Sequence[str], *, how: CostSettings | None = None
) -> tuple[Measurement, ...]:
    """All costs of one candidate: size, load time, memory, latency, throughput.

    Latencies are single requests on the texts, in turn. CandidateFailed where it cannot serve.
    """
    how = how or CostSettings()
    requests = _requests(texts, how.n_requests)
    with how.start_worker() as worker:
        loaded = worker.load(folder)
        single = worker.time(requests, warmup=WARMUP_REQUESTS)
        batches = worker.time(requests, warmup=1, batch_size=how.batch_size)
        peak_mb = worker.memory().peak_mb
    return (
        size_measurement(folder),
        *_loading(loaded),
        Measurement("peak_memory_mb", peak_mb, "MB", 1, note=f"batches up to {how.batch_size}"),
        Measurement("model_memory_mb", max(0.0, peak_mb - loaded.runtime_mb), "MB", 1),
        *latency_measurements(single),
        _throughput(batches, n_rows=len(requests), batch_size=how.batch_size),
    )


def time_interleaved(
    folders: Sequence[Path], texts: Sequence[str], *, how: CostSettings | None = None
) -> InterleavedTimings:
    """Single requests to several candidates in turn (A B C A B C), each in a fresh worker.

    The first candidate runs twice, in two workers: the A/A check.
    """
    how = how or CostSettings()
    requests = _requests(texts, how.n_requests)
    with ExitStack() as stack:
        places = (*folders, folders[0])
        workers = [stack.enter_context(how.start_worker()) for _ in places]
        with ThreadPoolExecutor() as pool:  # nothing is timed yet, so the loads may overlap
            list(pool.map(Worker.load, workers, places))
        for worker in workers:
            worker.time(requests[:WARMUP_REQUESTS])
        timings = _in_turn(workers, requests)
    check = a_a_check(timings[0].wall_ms, timings[-1].wall_ms)
    return InterleavedTimings(tuple(timings[:-1]), check)


def size_measurement(folder: Path) -> Measurement:
    """`size_mb`: exact, no interval."""
    return Measurement("size_mb", artifact_size_bytes(folder) / 1e6, "MB", 1)


def latency_measurements(timing: Timing) -> tuple[Measurement, Measurement]:
    """`latency_p50_ms` and `latency_p95_ms` with their distribution-free intervals."""
    return (
        _latency("latency_p50_ms", percentile(timing.wall_ms, 0.50)),
        _latency("latency_p95_ms", percentile(timing.wall_ms, 0.95)),
    )


def _in_turn(workers: Sequence[Worker], requests: Sequence[str]) -> list[Timing]:
    wall: list[list[float]] = [[] for _ in workers]
    cpu: list[list[float]] = [[] for _ in workers]
    for turn, block in enumerate(interleaved_blocks(len(requests), BLOCK_REQUESTS)):
        for step in range(len(workers)):
            index = (turn + step) % len(workers)  # nobody is always first
            timing = workers[index].time(requests[block])
            wall[index] += timing.wall_ms
            cpu[index] += timing.cpu_ms
    return [Timing(tuple(walls), tuple(cpus)) for walls, cpus in zip(wall, cpu, strict=True)]


def _loading(loaded: Loaded) -> list[Measurement]:
    note = f"after {loaded.import_s:.1f} s for importing the runtime"
    measured = [
        Measurement("load_s", loaded.load_s, "s", 1, note=note),
        Measurement("loaded_mb", loaded.loaded_mb, "MB", 1, note=loaded.dtype),
    ]
    if loaded.n_parameters is not None:
        measured.append(Measurement("n_parameters", loaded.n_parameters, "", 1))
    return measured


def _latency(name: str, found: Percentile) -> Measurement:
    return Measurement(name, found.value_ms, "ms", found.n, low=found.low_ms, high=found.high_ms)


def _throughput(timing: Timing, *, n_rows: int, batch_size: int) -> Measurement:
    rows_per_s = n_rows / (sum(timing.wall_ms) / 1000)
    note = f"batches of {batch_size}"
    return Measurement("throughput_per_s", rows_per_s, "rows/s", n_rows, note=note)


def _requests(texts: Sequence[str], n_requests: int) -> list[str]:
    return list(islice(cycle(texts), n_requests))
