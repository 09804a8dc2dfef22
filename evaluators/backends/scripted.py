"""A backend whose behaviour is written down: tests know the truth that others must measure.

serving.json's settings tell it what to do; a text that begins with `!` tells it at that request.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluators.serving import Serving


@dataclass(frozen=True, slots=True)
class ScriptedClassifier:
    """Scores are 1 for the class whose name is a word of the text, else 0."""

    labels: tuple[str, ...]
    dtype: str
    weight_bytes: int
    sleep_s: float
    ballast: NDArray[np.uint8]

    def scores(self, texts: Sequence[str], *, batch_size: int | None = None) -> NDArray[np.float32]:
        """One row a text, after the sleep that the script asks for."""
        time.sleep(self.sleep_s)
        for text in texts:
            if text in FAULTS:
                return FAULTS[text](batch_size or len(texts), len(self.labels))
        return np.array(
            [[float(label in text.split()) for label in self.labels] for text in texts],
            dtype=np.float32,
        )

    def n_cut(self, texts: Sequence[str]) -> int:
        """How many texts have more than ten words."""
        return sum(len(text.split()) > 10 for text in texts)


class ScriptedBackend:
    """Settings: `load_sleep_s`, `sleep_s` a request, `ballast_mb` to hold."""

    def load(self, folder: Path, *, threads: int) -> ScriptedClassifier:
        """A classifier that does as its folder's serving.json says."""
        serving = Serving.read(folder)
        settings = serving.settings
        time.sleep(float(settings.get("load_sleep_s", 0)))
        n_bytes = int(float(settings.get("ballast_mb", 0)) * 1e6)
        return ScriptedClassifier(
            labels=serving.labels,
            dtype="uint8",
            weight_bytes=n_bytes,
            sleep_s=float(settings.get("sleep_s", 0)),
            ballast=np.ones(n_bytes, dtype=np.uint8),
        )


Fault = Callable[[int, int], NDArray[np.float32]]


def _hang(batch_size: int, n_labels: int) -> NDArray[np.float32]:
    while True:
        time.sleep(1)


def _nan(batch_size: int, n_labels: int) -> NDArray[np.float32]:
    return np.full((1, n_labels), np.nan, dtype=np.float32)


def _die(batch_size: int, n_labels: int) -> NDArray[np.float32]:
    sys.stderr.write("the script\x1b[31m asks for an end\n")
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGSEGV)
    return _hang(batch_size, n_labels)


def _exit(batch_size: int, n_labels: int) -> NDArray[np.float32]:
    os._exit(3)


def _memory(batch_size: int, n_labels: int) -> NDArray[np.float32]:
    if batch_size > 16:
        raise MemoryError("more than 16 rows at once")
    return np.zeros((1, n_labels), dtype=np.float32)


def _bad_alloc(batch_size: int, n_labels: int) -> NDArray[np.float32]:
    sys.stderr.write("terminate called after throwing an instance of 'std::bad_alloc'\n")
    sys.stderr.flush()
    ctypes.CDLL(None).abort()
    return _hang(batch_size, n_labels)


def _too_many(batch_size: int, n_labels: int) -> NDArray[np.float32]:
    return np.zeros((1000, n_labels), dtype=np.float32)


def _garbage(batch_size: int, n_labels: int) -> NDArray[np.float32]:
    for descriptor in range(3, 4096):  # whichever of them is the reply pipe
        try:
            os.write(descriptor, b"this is no frame")
        except OSError:
            continue
    return _hang(batch_size, n_labels)


def _connect(batch_size: int, n_labels: int) -> NDArray[np.float32]:
    import socket

    with socket.create_connection(("127.0.0.1", 9)):
        return _hang(batch_size, n_labels)


def _token(batch_size: int, n_labels: int) -> NDArray[np.float32]:
    visible = [name for name in os.environ if "TOKEN" in name and "TOKENIZERS" not in name]
    return np.full((1, n_labels), len(visible), dtype=np.float32)


def _interfaces(batch_size: int, n_labels: int) -> NDArray[np.float32]:
    lines = Path("/proc/net/dev").read_text(encoding="ascii").splitlines()[2:]
    others = [line for line in lines if line.split(":")[0].strip() != "lo"]
    return np.full((1, n_labels), len(others), dtype=np.float32)


FAULTS: Mapping[str, Fault] = {
    "!hang": _hang,
    "!nan": _nan,
    "!segfault": _die,
    "!exit": _exit,
    "!memory": _memory,
    "!bad_alloc": _bad_alloc,
    "!rows": _too_many,
    "!garbage": _garbage,
    "!connect": _connect,
    "!token": _token,
    "!interfaces": _interfaces,
}
"""What a text makes the backend do."""
