"""How a child process ends when its parent does, whatever either of them is doing.

Only the standard library is imported: children call this before anything else.
"""

import ctypes
import os
import select
import signal
import sys
import threading

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
