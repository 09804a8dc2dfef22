"""How much memory this process holds and has held."""

import resource
import sys
from dataclasses import dataclass
from pathlib import Path

STATUS = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory now, and its high-water mark since the program began."""

    resident_mb: float
    peak_mb: float


def memory() -> Memory:
    """Of this process.

    VmHWM, not ru_maxrss: the latter inherits its parent's high-water mark across fork and exec
    (proc(5), getrusage(2)). Elsewhere than on Linux ru_maxrss is all there is.
    """
    if not STATUS.is_file():
        unit = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
        return Memory(resident_mb=peak, peak_mb=peak)
    fields = dict(line.split(":", 1) for line in STATUS.read_text().splitlines() if ":" in line)
    return Memory(resident_mb=_megabytes(fields["VmRSS"]), peak_mb=_megabytes(fields["VmHWM"]))


def _megabytes(kibibytes: str) -> float:
    return int(kibibytes.split()[0]) * 1024 / 1e6
