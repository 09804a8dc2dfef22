"""What a worker does for each request; every failure becomes a reply."""

import gc
import os
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from evaluators.candidate import Recipe
from evaluators.cost.memory import memory
from evaluators.failures import failure_of
from evaluators.measurement import CandidateFailed, State
from evaluators.protocols import Answerer, Classifier, Preparing
from evaluators.task import Task
from evaluators.wire import Frame, read_frame

Message = Mapping[str, Any]  # a request as the parent wrote it: JSON


class Server:
    """Reads requests from one descriptor, writes replies to another, holds one candidate."""

    def __init__(self, request: int, reply: int, *, threads: int, network: str) -> None:
        self._request = request
        self._reply = reply
        self._threads = threads
        self._network = network
        self._classifier: Classifier | Answerer | None = None
        self._commands: Mapping[str, Callable[[Message], Frame]] = {
            "hello": self._hello,
            "build": self._build,
            "graph": self._graph,
            "load": self._load,
            "prepare": self._prepare,
            "scores": self._scores,
            "answers": self._answers,
            "time": self._time,
            "memory": self._memory,
            "unload": self._unload,
            "metric": self._metric,
        }

    def run(self) -> None:
        """Serve until the parent hangs up."""
        while True:
            try:
                message = read_frame(self._read).message
            except EOFError:
                return
            self._write(self._answer(message).encode())

    def _answer(self, message: Message) -> Frame:
        try:
            return self._commands[message["command"]](message)
        except Exception as error:  # noqa: BLE001 - here a candidate's failure becomes data
            failure = failure_of(error)
            return Frame({"state": failure.state.value, "reason": failure.reason})

    def _hello(self, message: Message) -> Frame:
        return Frame({"python": platform.python_version(), "network": self._network})

    def _build(self, message: Message) -> Frame:
        from evaluators.artifact import build_artifact

        start = time.perf_counter()
        graph = message["graph"]
        build_artifact(
            Recipe.from_json(message["recipe"]),
            Path(message["source"]),
            Path(message["folder"]),
            graph=Path(graph) if graph else None,
            task=Task(**message["task"]),
            texts=message["texts"],
        )
        return Frame({"seconds": time.perf_counter() - start})

    def _graph(self, message: Message) -> Frame:
        from evaluators.artifact import build_graph

        start = time.perf_counter()
        build_graph(
            Path(message["source"]),
            Path(message["folder"]),
            task=Task(**message["task"]),
            texts=message["texts"],
        )
        return Frame({"seconds": time.perf_counter() - start})

    def _load(self, message: Message) -> Frame:
        from evaluators.plugins import backend
        from evaluators.serving import Serving

        self._unload(message)
        folder = Path(message["folder"])
        serving = Serving.read(folder)
        start = time.perf_counter()
        runtime = backend(serving.backend)
        imported, before = time.perf_counter(), memory()
        classifier = runtime.load(folder, threads=self._threads)
        end = time.perf_counter()
        self._classifier = classifier
        return Frame(
            {
                "labels": list(getattr(classifier, "labels", ())),
                "import_s": imported - start,
                "load_s": end - imported,
                "runtime_mb": before.peak_mb,
                "loaded_mb": classifier.weight_bytes / 1e6,
                "dtype": classifier.dtype,
                "n_parameters": serving.n_parameters,
                "max_length": serving.max_length,
                "is_ready": not hasattr(classifier, "prepare"),
            }
        )

    def _prepare(self, message: Message) -> Frame:
        return Frame({"is_ready": cast(Preparing, self._loaded()).prepare(message["seconds"])})

    def _scores(self, message: Message) -> Frame:
        classifier, texts = self._loaded(), message["texts"]
        scores = cast(Classifier, classifier).scores(texts, batch_size=message["batch_size"])
        return Frame(
            {"n_cut": classifier.n_cut(texts)}, {"scores": np.asarray(scores, dtype=np.float32)}
        )

    def _answers(self, message: Message) -> Frame:
        answerer, texts = self._loaded(), message["texts"]
        answers = cast(Answerer, answerer).answers(texts, batch_size=message["batch_size"])
        return Frame({"n_cut": answerer.n_cut(texts), "answers": answers})

    def _time(self, message: Message) -> Frame:
        serve, texts = _request_of(self._loaded()), message["texts"]
        size = message["batch_size"]
        batches = [texts[start : start + size] for start in range(0, len(texts), size)]
        for index in range(message["warmup"]):
            serve(batches[index % len(batches)], batch_size=size)
        durations, answered = _timed(serve, batches, size, keep=message["keep"])
        if not message["keep"]:
            return Frame({}, durations)
        if hasattr(self._classifier, "scores"):
            scores = np.concatenate(answered).astype(np.float32)
            return Frame({}, {**durations, "scores": scores})
        return Frame({"answers": [answer for batch in answered for answer in batch]}, durations)

    def _memory(self, message: Message) -> Frame:
        now = memory()
        return Frame({"resident_mb": now.resident_mb, "peak_mb": now.peak_mb})

    def _unload(self, message: Message) -> Frame:
        self._classifier = None
        gc.collect()
        return Frame({})

    def _metric(self, message: Message) -> Frame:
        from evaluators.quality.own_files import answer

        return Frame(answer(message))

    def _loaded(self) -> Classifier | Answerer:
        if self._classifier is None:
            raise CandidateFailed(State.CRASHED, "no candidate is loaded: call load() first")
        return self._classifier

    def _read(self, n_bytes: int) -> bytes:
        parts = []
        while n_bytes:
            part = os.read(self._request, min(n_bytes, 1 << 20))
            if not part:
                raise EOFError
            parts.append(part)
            n_bytes -= len(part)
        return b"".join(parts)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._reply, rest) :]


def _request_of(candidate: Classifier | Answerer) -> Callable[..., Any]:
    """What serves a batch of requests, whatever the answers are."""
    return candidate.scores if hasattr(candidate, "scores") else candidate.answers


def _timed(
    serve: Callable[..., Any], batches: list[list[str]], size: int, *, keep: bool
) -> tuple[dict[str, NDArray[np.int64]], list[Any]]:
    """Nanoseconds of each request, on the wall and of this process's threads; kept answers."""
    wall_ns = np.empty(len(batches), dtype=np.int64)
    cpu_ns = np.empty(len(batches), dtype=np.int64)
    kept = []
    for index, batch in enumerate(batches):
        cpu, wall = time.process_time_ns(), time.perf_counter_ns()
        answered = serve(batch, batch_size=size)
        wall_ns[index] = time.perf_counter_ns() - wall
        cpu_ns[index] = time.process_time_ns() - cpu
        kept += [answered] if keep else []
    return {"wall_ns": wall_ns, "cpu_ns": cpu_ns}, kept
