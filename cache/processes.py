"""When processes end: a child with its parent, and whether one that is named still runs.

Only the standard library is imported: children call this before anything else.
"""

import ctypes
import os
import select
import signal
import sys
import threading
from pathlib import Path

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent() -> None:
    """On Linux, have the kernel kill this process when the thread that started it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def die_with(descriptor: int) -> None:
    """End this process group when the other end of a pipe is closed, whatever it is doing."""
    threading.Thread(target=_wait_for_hangup, args=(descriptor,), daemon=True).start()


def _wait_for_hangup(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, 0)  # hang-up and error are always reported
    poll.poll()
    if os.getpgid(0) == os.getpid():  # else the group is a shell's
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def started(pid: int) -> str:
    """When a process was started, in the kernel's ticks; empty where that is not told.

    `dead` is one that has ended and that its parent has not looked after yet.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()  # proc(5): state, ..., starttime
    return "dead" if fields[0] in "ZX" else fields[19]


def is_running(pid: int, since: str) -> bool:
    """Whether the process of this machine that was started then runs; empty is any time."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        pass
    now = started(pid)
    return now != "dead" and (not since or now in ("", since))
