"""Costs against known truth: a backend that sleeps, an allocation of known size."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evaluators.cost.latency import a_a_check, percentile
from evaluators.cost.measure import CostSettings, measure_costs, time_interleaved
from evaluators.cost.size import artifact_size_bytes
from evaluators.testing import make_scripted
from evaluators.worker_process import Worker

FEW = CostSettings(n_requests=60, batch_size=10, deadline_s=30)


def test_latency_is_the_known_sleep(tmp_path: Path) -> None:
    """A backend that sleeps 5 ms takes 5 ms, plus little."""
    folder = make_scripted(tmp_path / "sleeps", {"sleep_s": "0.005"})
    found = {m.name: m for m in measure_costs(folder, ["good", "bad"], how=FEW)}
    p50 = found["latency_p50_ms"]
    assert 5.0 <= p50.value < 8.0
    assert p50.n == 60
    assert (p50.low or 0.0) <= p50.value <= (p50.high or 0.0)
    assert found["throughput_per_s"].value == pytest.approx(10 / 0.005, rel=0.5)


def test_load_time_is_the_known_sleep(tmp_path: Path) -> None:
    """A load that sleeps 200 ms takes 200 ms, the runtime's import apart."""
    folder = make_scripted(tmp_path / "slow", {"load_sleep_s": "0.2"})
    found = {m.name: m.value for m in measure_costs(folder, ["good"], how=FEW)}
    assert 0.2 <= found["load_s"] < 0.5


def test_memory_is_the_known_allocation(tmp_path: Path) -> None:
    """A model of 200 MB shows as 200 MB of memory, whatever its parent holds."""
    parent_holds = np.ones(300_000_000, dtype=np.uint8)
    folder = make_scripted(tmp_path / "large", {"ballast_mb": "200"})
    found = {m.name: m.value for m in measure_costs(folder, ["good"], how=FEW)}
    assert found["loaded_mb"] == 200
    assert found["model_memory_mb"] == pytest.approx(200, abs=15)
    assert found["peak_memory_mb"] < 300 <= parent_holds.nbytes / 1e6


def test_several_processes_give_the_largest_memory_and_the_median_time(tmp_path: Path) -> None:
    """Where three processes allocate and load differently, the largest and the median are kept."""
    folder = tmp_path / "varies"
    changes = iter([("60", "0.1"), ("120", "0.4"), ("20", "0.2")])

    class Varying(CostSettings):
        """Rewrites the artifact before each process starts."""

        def start_worker(self) -> Worker:
            ballast_mb, load_sleep_s = next(changes)
            make_scripted(folder, {"ballast_mb": ballast_mb, "load_sleep_s": load_sleep_s})
            return Worker.start(threads=self.threads, deadline_s=self.deadline_s)

    how = Varying(n_requests=20, batch_size=10, deadline_s=30, n_processes=3)
    found = {m.name: m for m in measure_costs(folder, ["good"], how=how)}
    assert found["model_memory_mb"].value == pytest.approx(120, abs=15)
    assert 0.2 <= found["load_s"].value < 0.35
    assert found["peak_memory_mb"].n == found["load_s"].n == 3
    assert found["peak_memory_mb"].note.startswith("largest of 3 fresh processes")
    assert found["throughput_per_s"].note.startswith("median of 3 fresh processes")


def test_one_process_says_nothing_of_several(tmp_path: Path) -> None:
    """A single measurement is not called the largest of anything."""
    folder = make_scripted(tmp_path / "one", {})
    found = {m.name: m for m in measure_costs(folder, ["good"], how=FEW)}
    assert (found["peak_memory_mb"].n, found["peak_memory_mb"].note) == (1, "batches up to 10")


def test_each_round_is_one_text_for_every_finalist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All answer a round's text before the next round begins; nobody is always first."""
    served: list[tuple[int, str]] = []
    serve = Worker.time

    def noted(worker: Worker, texts: list[str], **options: int) -> object:
        if len(texts) == 2:
            served.append((id(worker), texts[-1]))
        return serve(worker, texts, **options)

    monkeypatch.setattr(Worker, "time", noted)
    folders = [make_scripted(tmp_path / name, {}) for name in ("a", "b")]
    texts = [f"text {number}" for number in range(24)]
    found = time_interleaved(folders, texts, how=replace(FEW, n_requests=24))
    rounds = [served[start : start + 3] for start in range(0, len(served), 3)]
    assert [{text for _, text in part} for part in rounds] == [{text} for text in texts]
    assert all(len({worker for worker, _ in part}) == 3 for part in rounds)
    assert len({part[0][0] for part in rounds}) == 3
    assert [len(timing.wall_ms) for timing in found.timings] == [24, 24]


def test_interleaved_timings_tell_the_faster(tmp_path: Path) -> None:
    """Candidates that sleep 4 and 16 ms are told apart, and the same one twice is not."""
    folders = [
        make_scripted(tmp_path / name, {"sleep_s": seconds})
        for name, seconds in (("fast", "0.004"), ("slow", "0.016"))
    ]
    found = time_interleaved(folders, ["good"], how=FEW)
    fast, slow = (np.median(timing.wall_ms) for timing in found.timings)
    assert slow > 16
    assert 4 < fast < slow
    assert found.a_a.ratio_p50 == pytest.approx(1, rel=0.5)


def test_size_follows_links(tmp_path: Path) -> None:
    """Linked weights count: a deployment needs them."""
    (tmp_path / "weights").write_bytes(b"x" * 1000)
    folder = tmp_path / "artifact"
    folder.mkdir()
    (folder / "model.safetensors").symlink_to(tmp_path / "weights")
    (folder / "config.json").write_bytes(b"{}")
    assert artifact_size_bytes(folder) == 1002


@pytest.mark.parametrize("share", [0.50, 0.95])
def test_percentile_interval_covers(share: float) -> None:
    """The 95 % interval holds the true percentile in at least 95 % of samples (simulation)."""
    generator = np.random.default_rng(7)
    truth = float(-np.log(1 - share))  # of the exponential distribution
    intervals = [percentile(generator.exponential(size=200).tolist(), share) for _ in range(2000)]
    held = [(i.low_ms or 0.0) <= truth <= (i.high_ms or float("inf")) for i in intervals]
    assert np.mean(held) >= 0.945


def test_too_few_requests_bound_nothing_above() -> None:
    """Ten requests say nothing about how large the 95th percentile may be."""
    found = percentile(list(range(10)), 0.95)
    assert (found.value_ms, found.high_ms) == (9, None)


@pytest.mark.parametrize(
    ("factor", "may_decide"), [(1.0, True), (1.09, True), (1.2, False), (0.8, False)]
)
def test_a_a_check_refuses_noise(factor: float, may_decide: bool) -> None:
    """Timings decide only where one candidate, measured twice, takes the same time."""
    durations = [float(ms) for ms in range(1, 201)]
    check = a_a_check([ms * factor for ms in durations], durations)
    assert check.may_decide is may_decide
