"""The machine that figures were taken on, and the libraries that artifacts depend on."""

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cache.key import digest

CPU_FLAGS = (
    "avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "avx512_fp16", "amx_tile",
    "amx_bf16", "amx_int8", "asimd", "asimddp", "bf16", "i8mm", "sve",
)  # fmt: skip
"""Instructions that decide which precision is fast, as Linux names them (x86 and ARM)."""

LIBRARIES = ("torch", "transformers", "tokenizers", "onnxruntime", "openvino", "nncf", "numpy")

LIBRARIES_BY_BACKEND: Mapping[str, tuple[str, ...]] = {
    "torch": ("torch", "transformers", "tokenizers"),
    "onnxruntime": ("torch", "transformers", "tokenizers", "onnx", "onnxruntime"),
    "openvino": ("torch", "transformers", "tokenizers", "onnx", "openvino", "nncf"),
    "graph": ("torch", "transformers", "onnx"),
}
"""What the bytes of an artifact depend on, by backend; the graph comes from torch."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What timings and memory depend on."""

    cpu: str
    n_cores: int
    cpu_flags: tuple[str, ...]
    memory_mb: int
    system: str
    python: str
    libraries: Mapping[str, str]

    @property
    def key(self) -> str:
        """Identifies machines whose timings may be compared."""
        return digest(asdict(self))

    def describe(self) -> str:
        """One line for a report."""
        flags = f" ({', '.join(self.cpu_flags)})" if self.cpu_flags else ""
        memory_gb = self.memory_mb / 1000
        return (
            f"{self.cpu}, {self.n_cores} cores{flags}, {memory_gb:.0f} GB, {self.system}, "
            f"Python {self.python}"
        )


def machine() -> Machine:
    """This machine. Versions are read from metadata: no library is imported."""
    cpu, flags = _cpu()
    return Machine(
        cpu=cpu,
        n_cores=_n_cores(),
        cpu_flags=tuple(flag for flag in CPU_FLAGS if flag in flags),
        memory_mb=_memory_mb(),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        libraries=_versions(LIBRARIES),
    )


def library_versions(backend: str) -> dict[str, str]:
    """Versions of the installed libraries that decide what a backend's artifacts hold.

    For a stranger's backend: of all that we know.
    """
    return _versions(LIBRARIES_BY_BACKEND.get(backend, LIBRARIES))


def _versions(names: tuple[str, ...]) -> dict[str, str]:
    return {name: found for name in names if (found := _version(name)) is not None}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cpu() -> tuple[str, frozenset[str]]:
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return platform.processor() or platform.machine(), frozenset()
    fields: dict[str, str] = {}
    for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip().lower(), value.strip())
    flags = fields.get("flags") or fields.get("features") or ""
    return fields.get("model name") or platform.machine(), frozenset(flags.split())


def _n_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_mb() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 10**6
    except (ValueError, OSError):
        return 0
