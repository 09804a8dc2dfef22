"""What an exception or a death says about a candidate."""

import re
import signal

from evaluators.measurement import CandidateFailed, State

MEMORY_SIGNS = ("bad_alloc", "cannot allocate memory", "can't allocate memory", "not enough memory",
                "memoryerror", "failed to allocate")  # fmt: skip
"""How the runtimes and the C++ library say that memory ran out."""

MAX_REASON = 600
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def failure_of(error: Exception) -> CandidateFailed:
    """An exception from loading or running a candidate as its named state."""
    if isinstance(error, CandidateFailed):
        return CandidateFailed(error.state, plain(error.reason))
    reason = plain(f"{type(error).__name__}: {error}")
    if isinstance(error, ImportError):
        return CandidateFailed(State.UNSUPPORTED, reason)
    if isinstance(error, MemoryError) or speaks_of_memory(reason):
        return CandidateFailed(State.OUT_OF_MEMORY, reason)
    return CandidateFailed(State.CRASHED, reason)


def failure_of_death(exit_code: int, log: str) -> CandidateFailed:
    """A worker's death as its named state; `exit_code` is negative for a signal."""
    tail = plain(log[-MAX_REASON:])
    after = f"; its log ends: {tail}" if tail else ""
    if exit_code >= 0:
        how = f"the worker ended with exit code {exit_code}"
    else:
        how = f"the worker died of {_signal_name(-exit_code)}"
    if speaks_of_memory(log[-10 * MAX_REASON :]):
        return CandidateFailed(State.OUT_OF_MEMORY, how + after)
    if exit_code == -signal.SIGKILL:  # we did not send it: Linux kills what outgrows the memory
        return CandidateFailed(State.OUT_OF_MEMORY, f"{how}, most likely for its memory{after}")
    return CandidateFailed(State.CRASHED, how + after)


def speaks_of_memory(text: str) -> bool:
    """Whether a message says that memory ran out."""
    lower = text.lower()
    return any(sign in lower for sign in MEMORY_SIGNS)


def plain(text: str) -> str:
    """A message without control characters, on one line, of bounded length."""
    line = " ".join(CONTROL.sub("", text).split())
    return line if len(line) <= MAX_REASON else f"{line[: MAX_REASON - 1]}…"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
