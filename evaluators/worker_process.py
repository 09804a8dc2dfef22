"""The parent's side of a worker: starts it, asks it, trusts nothing that it says."""

import contextlib
import math
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from evaluators.candidate import Recipe
from evaluators.cost.memory import Memory
from evaluators.failures import failure_of_death, plain
from evaluators.isolation import worker_environment
from evaluators.measurement import CandidateFailed, State
from evaluators.task import Task
from evaluators.wire import Frame, ProtocolError, read_frame

GRACE_S = 2.0
PART_S = 20.0
"""How long a part of a candidate's preparation takes."""

MAX_NAME = 1000
MAX_ANSWER = 1_000_000
LOG_BYTES = 20_000

Answered = TypeVar("Answered")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a worker says of the candidate that it holds.

    `load_s` is without `import_s`, the import of the runtime; `runtime_mb` is the worker's
    high-water mark after that import; `loaded_mb` the weights in memory, of type `dtype`.
    One that is not ready may `prepare` before it answers.
    """

    labels: tuple[str, ...]
    load_s: float
    import_s: float
    runtime_mb: float
    loaded_mb: float
    dtype: str
    n_parameters: int | None
    max_length: int
    is_ready: bool = True


@dataclass(frozen=True, slots=True)
class Scores:
    """Logits, (n, labels), and how many of the n texts were cut to the longest length."""

    logits: NDArray[np.float32]
    n_cut: int


@dataclass(frozen=True, slots=True)
class Answers:
    """One answer a request, as JSON, and how many of the requests were cut."""

    texts: tuple[str, ...]
    n_cut: int


@dataclass(frozen=True, slots=True)
class Timing:
    """Durations of requests one after the other, on the wall and of the worker's processor."""

    wall_ms: tuple[float, ...]
    cpu_ms: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Singles:
    """Requests served one by one: durations, and answers as JSON or logits, (n, labels)."""

    timing: Timing
    texts: tuple[str, ...] = ()
    scores: NDArray[np.float32] | None = None


@dataclass(slots=True)
class _Child:
    """A running worker: its process and the two ends that we hold."""

    process: "subprocess.Popen[bytes]"
    request: int
    reply: int


@dataclass(slots=True)
class Worker:
    """A child process that builds, loads and measures one candidate at a time.

    It has no token and no network. A candidate's failure is raised as CandidateFailed; where it
    cost the process its life, the next request starts another. A worker belongs to the thread
    that started it: on Linux it dies with that thread.
    """

    threads: int
    deadline_s: float
    memory_limit_mb: float | None
    home: Path
    network: str = ""
    _child: _Child | None = field(default=None, repr=False)
    _folder: Path | None = None

    @classmethod
    def start(
        cls, *, threads: int = 1, memory_limit_mb: float | None = None, deadline_s: float = 300.0
    ) -> "Worker":
        """A running worker. No request may take longer than `deadline_s`."""
        home = Path(tempfile.mkdtemp(prefix="recommender-worker-"))
        worker = cls(threads, deadline_s, memory_limit_mb, home)
        try:
            worker.restart()
        except BaseException:
            worker.close()
            raise
        return worker

    def __enter__(self) -> "Worker":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def is_alive(self) -> bool:
        """Whether the process runs; False after a failure that ended it."""
        return self._child is not None and self._child.process.poll() is None

    @property
    def log(self) -> str:
        """The end of what the process wrote to its standard output and error."""
        try:
            data = (self.home / "log").read_bytes()
        except OSError:
            return ""
        return data[-LOG_BYTES:].decode("utf-8", "replace")

    def restart(self) -> None:
        """End the process, if there is one, and start a fresh one that holds no candidate."""
        self._end()
        self._child = _spawn(self)
        self.network = _text(self._ask({"command": "hello"}).message, "network")

    def close(self) -> None:
        """End the process and remove its temporary folder."""
        self._end()
        shutil.rmtree(self.home, ignore_errors=True)

    def graph(self, *, source: Path, folder: Path, task: Task, texts: Sequence[str]) -> float:
        """Export a repository's fp32 graph into `folder` where it is not yet; seconds taken."""
        request = {
            "command": "graph",
            "source": str(source),
            "folder": str(folder),
            "task": task.to_json(),
            "texts": list(texts),
        }
        return _number(self._ask(request).message, "seconds")

    def build(
        self,
        recipe: Recipe,
        *,
        source: Path,
        folder: Path,
        task: Task,
        texts: Sequence[str],
        graph: Path | None = None,
    ) -> float:
        """Build a candidate into `folder` where it is not yet; seconds taken.

        `graph` is the folder of the exported graph, for recipes that need one; `texts` are a few
        of the user's, on which the exported tokenizer is checked.
        """
        request = {
            "command": "build",
            "recipe": recipe.to_json(),
            "source": str(source),
            "folder": str(folder),
            "graph": str(graph) if graph else None,
            "task": task.to_json(),
            "texts": list(texts),
        }
        return _number(self._ask(request).message, "seconds")

    def load(self, folder: Path) -> Loaded:
        """Load a built candidate, in the place of the one before."""
        self._folder = None
        message = self._ask({"command": "load", "folder": str(folder)}).message
        self._folder = folder
        labels = message.get("labels")
        if not isinstance(labels, list) or len(labels) > 100_000:
            raise self._protocol_error(f"labels {labels!r}")
        return Loaded(
            labels=tuple(str(label)[:MAX_NAME] for label in labels),
            load_s=_number(message, "load_s"),
            import_s=_number(message, "import_s"),
            runtime_mb=_number(message, "runtime_mb"),
            loaded_mb=_number(message, "loaded_mb"),
            dtype=_text(message, "dtype"),
            n_parameters=_optional_count(message, "n_parameters"),
            max_length=int(_number(message, "max_length")),
            is_ready=message.get("is_ready") is not False,
        )

    def prepare(self, between: Callable[[], None]) -> None:
        """Let a candidate that is not ready get so, in parts; `between` them it may be ended."""
        request = {"command": "prepare", "seconds": min(PART_S, self.deadline_s / 4)}
        while not self._ask(request).message.get("is_ready"):
            between()

    def scores(self, texts: Sequence[str], *, batch_size: int = 32) -> Scores:
        """Logits in the order of the texts. Out of memory, half the batch is tried once."""
        if not texts:
            raise ValueError("scores() wants at least one text")
        return self._smaller_if_too_large(self._scores, texts, batch_size)

    def answers(self, texts: Sequence[str], *, batch_size: int = 32) -> Answers:
        """Answers in the order of the requests. Out of memory, half the batch is tried once."""
        if not texts:
            raise ValueError("answers() wants at least one request")
        return self._smaller_if_too_large(self._answers, texts, batch_size)

    def time(self, texts: Sequence[str], *, warmup: int = 0, batch_size: int = 1) -> Timing:
        """Serve the texts as single requests, or as batches, after `warmup` that do not count."""
        return self._timing(self._time(texts, warmup, batch_size), len(texts), batch_size)

    def single(self, texts: Sequence[str], *, warmup: int = 0) -> Singles:
        """Serve the texts as single requests, and say what was answered and how fast."""
        frame = self._time(texts, warmup, 1, keep=True)
        scores = frame.arrays.get("scores")
        if scores is not None:
            self._check_scores(scores, len(texts))
            return Singles(self._timing(frame, len(texts)), scores=scores.astype(np.float32))
        return Singles(self._timing(frame, len(texts)), self._texts(frame.message, len(texts)))

    def memory(self) -> Memory:
        """What the process holds now, and its high-water mark."""
        message = self._ask({"command": "memory"}).message
        return Memory(_number(message, "resident_mb"), _number(message, "peak_mb"))

    def metric(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a user's own metric from a file answers (quality/own_files.py), unchecked."""
        return self._ask({**request, "command": "metric"}).message

    def unload(self) -> None:
        """Let go of the candidate; the process stays warm."""
        self._folder = None
        self._ask({"command": "unload"})

    def _smaller_if_too_large(
        self, ask: Callable[[Sequence[str], int], Answered], texts: Sequence[str], batch_size: int
    ) -> Answered:
        try:
            return ask(texts, batch_size)
        except CandidateFailed as failure:
            if failure.state is not State.OUT_OF_MEMORY or batch_size < 2 or not self._folder:
                raise
        self.restart()
        self.load(self._folder)
        return ask(texts, batch_size // 2)

    def _answers(self, texts: Sequence[str], batch_size: int) -> Answers:
        message = self._ask(
            {"command": "answers", "texts": list(texts), "batch_size": batch_size}
        ).message
        return Answers(self._texts(message, len(texts)), int(_number(message, "n_cut")))

    def _texts(self, message: Mapping[str, Any], n: int) -> tuple[str, ...]:
        found = message.get("answers")
        if not isinstance(found, list) or len(found) != n:
            raise self._protocol_error(f"no {n} answers")
        if not all(isinstance(answer, str) and len(answer) <= MAX_ANSWER for answer in found):
            raise self._protocol_error("an answer that is no text, or too long")
        return tuple(found)

    def _scores(self, texts: Sequence[str], batch_size: int) -> Scores:
        frame = self._ask({"command": "scores", "texts": list(texts), "batch_size": batch_size})
        logits = frame.arrays.get("scores")
        if logits is None:
            raise self._protocol_error("no scores")
        self._check_scores(logits, len(texts))
        finite = np.asarray(np.isfinite(logits)).all(axis=1)
        if not finite.all():
            reason = f"{int((~finite).sum())} of {len(texts)} rows have scores that are no numbers"
            raise CandidateFailed(State.BAD_OUTPUT, reason)
        return Scores(logits.astype(np.float32), int(_number(frame.message, "n_cut")))

    def _check_scores(self, logits: NDArray[np.generic], n: int) -> None:
        if logits.dtype != np.float32 or logits.ndim != 2:
            raise self._protocol_error("no scores")
        if logits.shape[0] != n:
            raise self._protocol_error(f"{logits.shape[0]} rows of scores for {n} texts")

    def _time(
        self, texts: Sequence[str], warmup: int, batch_size: int, *, keep: bool = False
    ) -> Frame:
        return self._ask(
            {
                "command": "time",
                "texts": list(texts),
                "warmup": warmup,
                "batch_size": batch_size,
                "keep": keep,
            }
        )

    def _timing(self, frame: Frame, n_texts: int, batch_size: int = 1) -> Timing:
        n_requests = math.ceil(n_texts / batch_size)
        wall, cpu = (self._durations(frame, name, n_requests) for name in ("wall_ns", "cpu_ns"))
        return Timing(wall_ms=wall, cpu_ms=cpu)

    def _durations(self, frame: Frame, name: str, n_requests: int) -> tuple[float, ...]:
        array = frame.arrays.get(name)
        if array is None or array.dtype != np.int64 or array.shape != (n_requests,):
            raise self._protocol_error(f"no {n_requests} durations {name}")
        nanoseconds = array.astype(np.int64)
        if (nanoseconds < 0).any():
            raise self._protocol_error("a negative duration")
        return tuple((nanoseconds / 1e6).tolist())

    def _ask(self, request: Mapping[str, Any]) -> Frame:
        if not self.is_alive:
            self.restart()
        child = self._child
        assert child is not None
        try:
            pipe = _Pipe(child, deadline=time.monotonic() + self.deadline_s)
            pipe.write(Frame(request).encode())
            frame = read_frame(pipe.read)
        except TimeoutError:
            self._end()
            reason = f"no answer to {request['command']!r} within {self.deadline_s:g} s"
            raise CandidateFailed(State.TIMED_OUT, reason) from None
        except ProtocolError as error:
            raise self._protocol_error(str(error)) from error
        except (EOFError, BrokenPipeError):
            raise self._death() from None
        return self._checked(frame)

    def _checked(self, frame: Frame) -> Frame:
        """The reply, unless it is a failure: then that is raised."""
        if "state" not in frame.message:
            return frame
        try:
            state = State(str(frame.message["state"]))
        except ValueError:
            raise self._protocol_error(f"the state {frame.message['state']!r}") from None
        if state in (State.OUT_OF_MEMORY, State.CRASHED):
            self._end()  # what is left of the process is not to be trusted with the next one
        raise CandidateFailed(state, plain(str(frame.message.get("reason"))))

    def _protocol_error(self, what: str) -> CandidateFailed:
        self._end()
        return CandidateFailed(State.CRASHED, f"protocol error: the worker sent {plain(what)}")

    def _death(self) -> CandidateFailed:
        """Why the process ended by itself: it is given time to do so."""
        assert self._child is not None
        try:
            exit_code = self._child.process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            return self._protocol_error("the end of its answers, and goes on")
        self._end()
        return failure_of_death(exit_code, self.log)

    def _end(self) -> None:
        """Kill the process with all its children, if it still runs."""
        child, self._child = self._child, None
        if child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.process.pid, signal.SIGKILL)
        child.process.wait()
        os.close(child.request)
        os.close(child.reply)


def _spawn(worker: Worker) -> _Child:
    """A worker's process: in a session of its own, so that Ctrl-C is the parent's alone."""
    request_read, request_write = os.pipe()
    reply_read, reply_write = os.pipe()
    limit = () if worker.memory_limit_mb is None else (str(worker.memory_limit_mb),)
    arguments = (str(request_read), str(reply_write), str(worker.threads), *limit)
    with (worker.home / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own module, in our own interpreter
            [sys.executable, "-P", "-m", "evaluators.worker", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=worker.home,
            env=worker_environment(os.environ, worker.home, threads=worker.threads),
            pass_fds=(request_read, reply_write),
            start_new_session=True,
        )
    os.close(request_read)
    os.close(reply_write)
    os.set_blocking(request_write, False)
    return _Child(process, request_write, reply_read)


def _number(message: Mapping[str, Any], name: str) -> float:
    value = message.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CandidateFailed(State.CRASHED, f"protocol error: {name} is {value!r}")
    if not math.isfinite(value) or value < 0:
        raise CandidateFailed(State.CRASHED, f"protocol error: {name} is {value!r}")
    return float(value)


def _optional_count(message: Mapping[str, Any], name: str) -> int | None:
    return None if message.get(name) is None else int(_number(message, name))


def _text(message: Mapping[str, Any], name: str) -> str:
    return plain(str(message.get(name, "")))[:MAX_NAME]


class _Pipe:
    """Reads and writes that give up at a deadline, without spinning."""

    def __init__(self, child: _Child, *, deadline: float) -> None:
        self._child = child
        self._deadline = deadline

    def read(self, n_bytes: int) -> bytes:
        parts = []
        while n_bytes:
            self._wait(self._child.reply, select.POLLIN)
            part = os.read(self._child.reply, min(n_bytes, 1 << 20))
            if not part:
                raise EOFError
            parts.append(part)
            n_bytes -= len(part)
        return b"".join(parts)

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self._wait(self._child.request, select.POLLOUT)
            rest = rest[os.write(self._child.request, rest) :]

    def _wait(self, descriptor: int, event: int) -> None:
        left_s = self._deadline - time.monotonic()
        poll = select.poll()
        poll.register(descriptor, event)
        if left_s <= 0 or not poll.poll(left_s * 1000):
            raise TimeoutError
