"""How much memory and disk there is for candidates, limits of containers included."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SAFE_SHARE = 0.8
"""What of the memory a candidate may be predicted to take: the rest is the system's, this process's
and the prediction's error."""

KEPT_FREE_MB = 1000.0
"""Disk that is left alone."""


@dataclass(frozen=True, slots=True)
class Room:
    """Memory in all and free at the moment, and free disk, in MB; None where it is not known.

    `memory_mb` is the least of the machine's memory and its control groups' limits.
    """

    memory_mb: float | None = None
    available_mb: float | None = None
    disk_free_mb: float | None = None

    @classmethod
    def here(cls, folder: Path) -> "Room":
        """Of this machine, with the disk that a folder lies on."""
        total, available = read_memory(Path("/"))
        return cls(total, available, _disk_free_mb(folder))

    @property
    def safe_memory_mb(self) -> float | None:
        """What a candidate may be predicted to take, at the best of times."""
        return None if self.memory_mb is None else SAFE_SHARE * self.memory_mb

    @property
    def safe_available_mb(self) -> float | None:
        """What a candidate may be predicted to take at the moment."""
        return None if self.available_mb is None else SAFE_SHARE * self.available_mb

    @property
    def spare_disk_mb(self) -> float | None:
        """Free disk beyond what is left alone."""
        return None if self.disk_free_mb is None else max(0.0, self.disk_free_mb - KEPT_FREE_MB)


def read_memory(root: Path) -> tuple[float | None, float | None]:
    """Memory in all and available, in MB, from the files of Linux below `root` (`/`).

    /proc/meminfo as in proc(5); memory.max and memory.current (version 2) or
    memory.limit_in_bytes and memory.usage_in_bytes (version 1) of this process's control group and
    of those around it, as in the kernel's cgroup-v2 and cgroup-v1/memory documents. None elsewhere.
    """
    meminfo = root / "proc/meminfo"
    if not meminfo.is_file():
        return None, None
    fields = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
    total, available = (_kib_in_mb(fields.get(name)) for name in ("MemTotal", "MemAvailable"))
    for limit_mb, used_mb in _limits(root):
        total = _least(total, limit_mb)
        available = _least(available, max(0.0, limit_mb - used_mb))
    return total, available


def _limits(root: Path) -> Iterator[tuple[float, float]]:
    """Each limit that holds for this process, with what is used of it, in MB."""
    for folder, names in _group_folders(root):
        limit, used = (_bytes_in(folder / name) for name in names)
        if limit is not None:
            inactive = _inactive_bytes(folder)  # file pages that are dropped when memory is short
            yield limit / 1e6, max(0, (used or 0) - inactive) / 1e6


V2 = ("memory.max", "memory.current")
V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes")


def _group_folders(root: Path) -> Iterator[tuple[Path, tuple[str, str]]]:
    membership = root / "proc/self/cgroup"
    if not membership.is_file():
        return
    for line in membership.read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        names, mount = (V1, "memory") if controllers else (V2, "")
        top = root / "sys/fs/cgroup" / mount
        folder = top / path.lstrip("/")
        while folder.is_relative_to(top):
            if ".." not in folder.parts:
                yield folder, names
            folder = folder.parent


def _inactive_bytes(folder: Path) -> int:
    stat = folder / "memory.stat"
    if not stat.is_file():
        return 0
    fields = dict(line.split(" ", 1) for line in stat.read_text().splitlines() if " " in line)
    return int(fields.get("total_inactive_file") or fields.get("inactive_file") or 0)


def _bytes_in(file: Path) -> int | None:
    """The number in a file; None where it is missing or says `max`."""
    text = file.read_text().strip() if file.is_file() else ""
    return int(text) if text.isdigit() else None


def _kib_in_mb(field: str | None) -> float | None:
    return int(field.split()[0]) * 1024 / 1e6 if field else None


def _least(one: float | None, other: float) -> float:
    return other if one is None else min(one, other)


def _disk_free_mb(folder: Path) -> float | None:
    """Of the nearest folder that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free / 1e6
    except OSError:
        return None
