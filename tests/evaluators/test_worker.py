"""The worker's life: scripted candidates fail in every way, and each failure has a name."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from evaluators.measurement import CandidateFailed, State
from evaluators.testing import make_scripted
from evaluators.worker_process import Worker


@pytest.fixture
def scripted(scripted_worker: Worker, tmp_path: Path) -> Worker:
    """A worker with a scripted candidate loaded."""
    scripted_worker.load(make_scripted(tmp_path / "scripted", {}))
    return scripted_worker


def test_scores_come_back_in_order(scripted: Worker) -> None:
    """Rows of scores are in the order of the texts."""
    scores = scripted.scores(["positive", "negative", "neither"]).logits
    assert scores.tolist() == [[0, 1], [1, 0], [0, 0]]


@pytest.mark.parametrize(
    ("text", "state", "reason"),
    [
        ("!nan", State.BAD_OUTPUT, "1 of 1 rows"),
        ("!segfault", State.CRASHED, "SIGSEGV; its log ends: the script asks for an end"),
        ("!exit", State.CRASHED, "exit code 3"),
        ("!bad_alloc", State.OUT_OF_MEMORY, "SIGABRT"),
        ("!rows", State.CRASHED, "1000 rows of scores for 1 texts"),
        ("!garbage", State.CRASHED, "protocol error"),
        ("!connect", State.CRASHED, "no network"),
        ("!hang", State.TIMED_OUT, "within 4 s"),
    ],
    ids=lambda value: str(value).strip("!") if str(value).startswith("!") else "",
)
def test_failure_has_a_name_and_the_next_goes_on(
    scripted: Worker, tmp_path: Path, text: str, state: State, reason: str
) -> None:
    """A candidate that fails ends in a named state, and the next is served."""
    with pytest.raises(CandidateFailed) as caught:
        scripted.scores([text])
    assert (caught.value.state, reason in caught.value.reason) == (state, True), caught.value
    scripted.load(tmp_path / "scripted")
    assert scripted.scores(["positive"]).logits.tolist() == [[0, 1]]


def test_out_of_memory_halves_the_batch_once(scripted: Worker) -> None:
    """A batch that does not fit is tried again at half its size."""
    assert scripted.scores(["!memory"], batch_size=32).logits.tolist() == [[0, 0]]
    with pytest.raises(CandidateFailed) as caught:
        scripted.scores(["!memory"], batch_size=64)
    assert caught.value.state is State.OUT_OF_MEMORY


def test_memory_limit_is_enforced(tmp_path: Path) -> None:
    """A candidate that wants more than the limit is out of memory; the parent is not."""
    folder = make_scripted(tmp_path / "large", {"ballast_mb": "3000"})
    with Worker.start(deadline_s=20, memory_limit_mb=2000) as worker:
        with pytest.raises(CandidateFailed) as caught:
            worker.load(folder)
        assert caught.value.state is State.OUT_OF_MEMORY


def test_no_token_reaches_the_worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment is an allow-list: the parent's token is not on it."""
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with Worker.start(deadline_s=20) as worker:
        worker.load(make_scripted(tmp_path / "scripted", {}))
        assert np.all(worker.scores(["!token"]).logits == 0)


def test_worker_has_no_network(scripted: Worker) -> None:
    """In a namespace of its own a worker sees no network interface; else Python refuses."""
    if scripted.network == "audit hook":
        pytest.skip("this system gives no network namespace; the hook is tested above")
    assert scripted.network == "network namespace"
    assert np.all(scripted.scores(["!interfaces"]).logits == 0)


def test_scores_without_a_candidate_are_refused() -> None:
    """A worker that holds nothing says so."""
    empty = pytest.raises(CandidateFailed, match="no candidate is loaded")
    with Worker.start(deadline_s=20) as worker, empty:
        worker.scores(["good"])


def test_worker_starts_fast_and_light(tmp_path: Path) -> None:
    """A fresh worker costs neither seconds nor torch's memory."""
    start = time.monotonic()
    with Worker.start(deadline_s=20) as worker:
        assert time.monotonic() - start < 3
        assert worker.memory().peak_mb < 80


def test_close_removes_process_and_folder() -> None:
    """Nothing is left of a worker that was closed."""
    worker = Worker.start(deadline_s=20)
    home = worker.home
    worker.close()
    assert (worker.is_alive, home.exists()) == (False, False)


def test_worker_dies_with_its_parent(tmp_path: Path) -> None:
    """kill -9 of the parent ends a worker that is busy, within two seconds."""
    folder = make_scripted(tmp_path / "slow", {"load_sleep_s": "60"})
    script = (
        "import os, sys, pathlib, threading\n"
        "from evaluators.worker_process import Worker\n"
        "worker = Worker.start()\n"
        "print(worker._child.process.pid, flush=True)\n"
        f"worker.load(pathlib.Path({str(folder)!r}))\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        time.sleep(0.3)
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 2
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
