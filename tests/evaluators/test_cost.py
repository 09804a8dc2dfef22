"""Costs against known truth: a backend that sleeps, an allocation of known size."""

from pathlib import Path

import numpy as np
import pytest

from evaluators.cost.latency import a_a_check, interleaved_blocks, percentile
from evaluators.cost.measure import CostSettings, measure_costs, time_interleaved
from evaluators.cost.size import artifact_size_bytes
from evaluators.testing import make_scripted

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


def test_interleaved_timings_tell_the_faster(tmp_path: Path) -> None:
    """Candidates that sleep 4 and 6 ms are told apart, and the same one twice is not."""
    folders = [
        make_scripted(tmp_path / name, {"sleep_s": seconds})
        for name, seconds in (("fast", "0.004"), ("slow", "0.006"))
    ]
    found = time_interleaved(folders, ["good"], how=FEW)
    fast, slow = (np.median(timing.wall_ms) for timing in found.timings)
    assert slow / fast == pytest.approx(1.5, rel=0.15)
    assert found.a_a.ratio_p50 == pytest.approx(1, rel=0.1)


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


def test_blocks_cover_every_request_once() -> None:
    """Interleaving leaves no request out."""
    requests = list(range(25))
    assert [r for block in interleaved_blocks(25, 10) for r in requests[block]] == requests
