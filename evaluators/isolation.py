"""What a worker may not do: reach the network, read secrets, outlive or outgrow its parent.

Only the standard library is imported: the network namespace must be entered while the process
has one thread, before numpy starts more.
"""

import ctypes
import os
import resource
import sys
from collections.abc import Mapping
from pathlib import Path

from cache.processes import die_with_parent

CLONE_NEWUSER = 0x10000000  # linux/sched.h
CLONE_NEWNET = 0x40000000
MAX_FILE_BYTES = 64 * 10**9

INHERITED = (
    "PATH", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE",
)  # fmt: skip
"""The variables that a worker takes from its parent; no token is among them."""

NETWORK_EVENTS = frozenset(
    {
        "socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo",
        "socket.gethostbyname", "socket.gethostbyaddr",
    }
)  # fmt: skip


def worker_environment(inherited: Mapping[str, str], home: Path, *, threads: int) -> dict[str, str]:
    """The environment of a worker whose home and temporary folder is `home`."""
    kept = {name: inherited[name] for name in INHERITED if name in inherited}
    folders = dict.fromkeys(("HOME", "TMPDIR", "HF_HOME", "XDG_CACHE_HOME"), str(home))
    n_threads = dict.fromkeys(
        ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads)
    )
    return {
        **kept,
        **folders,
        **n_threads,
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "OMP_WAIT_POLICY": "PASSIVE",  # spinning at barriers: 50 ms become 2 s on two busy cores
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONHASHSEED": "0",
        "PYTHONIOENCODING": "utf-8:backslashreplace",
    }


def enter(*, memory_limit_mb: float | None) -> str:
    """Give up the network and set the limits; returns how the network is shut."""
    network = "network namespace" if _leave_network() else "audit hook"
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, MAX_FILE_BYTES)
    if memory_limit_mb is not None:
        _limit(resource.RLIMIT_AS, int(memory_limit_mb * 1e6))
    die_with_parent()  # after the namespace: a change of credentials clears it
    sys.addaudithook(_refuse_network)
    return network


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _leave_network() -> bool:
    if sys.platform != "linux":
        return False
    user, group = os.getuid(), os.getgid()
    if _libc().unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        return False
    maps = {"setgroups": "deny", "uid_map": f"{user} {user} 1", "gid_map": f"{group} {group} 1"}
    for name, text in maps.items():
        try:
            Path("/proc/self", name).write_text(text)
        except OSError:  # the ids stay unmapped; the network is gone all the same
            break
    return True


def _limit(what: int, value: int) -> None:
    _, hard = resource.getrlimit(what)
    capped = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (capped, capped))


def _refuse_network(event: str, arguments: tuple[object, ...]) -> None:
    if event in NETWORK_EVENTS:
        raise PermissionError(f"a worker has no network: {event} is refused")
