"""The costs of a built candidate, from fresh workers that serve nothing else."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from random import Random
from statistics import median

from evaluators.cost.latency import AACheck, Percentile, a_a_check, percentile, percentiles
from evaluators.cost.size import artifact_size_bytes
from evaluators.measurement import Measurement
from evaluators.worker_process import Loaded, Timing, Worker

WARMUP_REQUESTS = 10
ORDER_SEED = 0
"""Of the order in which the workers of each round have their turn."""


@dataclass(frozen=True, slots=True)
class CostSettings:
    """How costs are taken: threads, single requests, rows a batch, and what is allowed.

    `n_processes` fresh workers do the same one after the other; latencies are the first one's.
    """

    threads: int = 1
    n_requests: int = 200
    batch_size: int = 32
    n_processes: int = 1
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
    """Durations of each folder's candidate, one a round, and whether they may decide."""

    timings: tuple[Timing, ...]
    a_a: AACheck


def measure_costs(
    folder: Path, texts: Sequence[str], *, how: CostSettings | None = None
) -> tuple[Measurement, ...]:
    """All costs of one candidate: size, load time, memory, latency, throughput.

    Latencies are single requests on the texts, in turn; beside the median and the 95th percentile
    there are others without an interval. CandidateFailed where it cannot serve.
    """
    how = how or CostSettings()
    requests = _requests(texts, how.n_requests)
    runs = [_run(folder, requests, how) for _ in range(how.n_processes)]
    return (
        size_measurement(folder),
        *_over_processes(runs, how.batch_size),
        *latency_measurements(runs[0].single),
        *_further_percentiles(runs[0].single),
    )


@dataclass(frozen=True, slots=True)
class _Run:
    """What one fresh worker measured: durations of single requests, and of batches after them."""

    loaded: Loaded
    single: Timing
    rows_per_s: float
    n_rows: int
    peak_mb: float


def _run(folder: Path, requests: Sequence[str], how: CostSettings) -> _Run:
    with how.start_worker() as worker:
        loaded = worker.load(folder)
        single = worker.time(requests, warmup=WARMUP_REQUESTS)
        batches = worker.time(requests, warmup=1, batch_size=how.batch_size)
        peak_mb = worker.memory().peak_mb
    rows_per_s = len(requests) / (sum(batches.wall_ms) / 1000)
    return _Run(loaded, single, rows_per_s, len(requests), peak_mb)


def time_interleaved(
    folders: Sequence[Path], texts: Sequence[str], *, how: CostSettings | None = None
) -> InterleavedTimings:
    """`how.n_requests` rounds; in each one, every candidate answers the same text once.

    Each candidate has a fresh worker, and the workers' order is drawn anew for each round, so that
    a drift of the machine meets all of them. The first candidate runs twice, in two workers: the
    A/A check. CandidateFailed where one cannot serve.
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
        timings = _in_rounds(workers, requests)
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


def _further_percentiles(timing: Timing) -> list[Measurement]:
    """`latency_p5_ms` and so on, without those that have an interval."""
    found = percentiles(timing.wall_ms).items()
    return [
        Measurement(f"latency_p{number}_ms", value, "ms", len(timing.wall_ms))
        for number, value in found
        if number not in ("50", "95")
    ]


def _in_rounds(workers: Sequence[Worker], requests: Sequence[str]) -> list[Timing]:
    """One duration a worker and round.

    In its turn a worker serves the text of the round before, which does not count, and then the
    round's: a service is warm from its last request, not cold from another process (which makes
    the median of a tiny model 15 % longer).
    """
    wall: list[list[float]] = [[] for _ in workers]
    cpu: list[list[float]] = [[] for _ in workers]
    draw = Random(ORDER_SEED)  # noqa: S311 - an order of turns is no secret
    for before, text in zip([requests[-1], *requests], requests, strict=False):
        for index in draw.sample(range(len(workers)), len(workers)):
            timing = workers[index].time([before, text])
            wall[index].append(timing.wall_ms[-1])
            cpu[index].append(timing.cpu_ms[-1])
    return [Timing(tuple(walls), tuple(cpus)) for walls, cpus in zip(wall, cpu, strict=True)]


def _over_processes(runs: Sequence[_Run], batch_size: int) -> list[Measurement]:
    """Memory is the largest of all processes, load time and throughput the median.

    One process is one draw of what the machine was doing; no chance is attached to several either.
    """
    loaded, n = runs[0].loaded, len(runs)
    load_s = median(run.loaded.load_s for run in runs)
    import_s = median(run.loaded.import_s for run in runs)
    rows_per_s = median(run.rows_per_s for run in runs)
    peak_mb = max(run.peak_mb for run in runs)
    model_mb = max(0.0, *(run.peak_mb - run.loaded.runtime_mb for run in runs))
    load_note = _note(f"after {import_s:.1f} s for importing the runtime", "median", n)
    peak_note = _note(f"batches up to {batch_size}", "largest", n)
    rate_note = _note(f"batches of {batch_size}", "median", n)
    measured = [
        Measurement("load_s", load_s, "s", n, note=load_note),
        Measurement("loaded_mb", loaded.loaded_mb, "MB", 1, note=loaded.dtype),
        Measurement("peak_memory_mb", peak_mb, "MB", n, note=peak_note),
        Measurement("model_memory_mb", model_mb, "MB", n, note=_note("", "largest", n)),
        Measurement("throughput_per_s", rows_per_s, "rows/s", runs[0].n_rows, note=rate_note),
    ]
    if loaded.n_parameters is not None:
        measured.append(Measurement("n_parameters", loaded.n_parameters, "", 1))
    return measured


def _note(what: str, chosen: str, n: int) -> str:
    """`largest of 3 fresh processes; batches up to 32`."""
    of_several = f"{chosen} of {n} fresh processes" if n > 1 else ""
    return "; ".join(part for part in (of_several, what) if part)


def _latency(name: str, found: Percentile) -> Measurement:
    return Measurement(name, found.value_ms, "ms", found.n, low=found.low_ms, high=found.high_ms)


def _requests(texts: Sequence[str], n_requests: int) -> list[str]:
    return list(islice(cycle(texts), n_requests))
