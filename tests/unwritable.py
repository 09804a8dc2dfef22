"""Folders that cannot be written, also where the tests run as root."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BEYOND_PERMISSIONS = (1, 2, 3)
"""CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH and CAP_FOWNER of linux/capability.h."""

DROP = 24
"""PR_CAPBSET_DROP of linux/prctl.h."""


@contextmanager
def unwritable(folder: Path) -> Iterator[None]:
    """As on a file system that is mounted to be read."""
    modes = {path: path.stat().st_mode for path in (*folder.rglob("*"), folder)}
    for path, mode in modes.items():
        path.chmod(mode & ~0o222)
    try:
        yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


def ran(code: str, *arguments: object, home: Path | None = None) -> str:
    """What a Python process printed that has to keep to permissions; its errors too."""
    environment = {**os.environ, "RECOMMENDER_HOME": str(home)} if home else None
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], env=environment, preexec_fn=_give_up,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    return done.stdout


def _give_up() -> None:
    """What follows has no more rights than any user; where we are none but one, nothing changes."""
    libc = ctypes.CDLL(None)
    for capability in BEYOND_PERMISSIONS:
        libc.prctl(DROP, capability, 0, 0, 0)
