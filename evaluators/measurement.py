"""What was measured of a candidate, or why it could not be."""

from dataclasses import dataclass
from enum import StrEnum

from cache.errors import RecommenderError


class State(StrEnum):
    """How a candidate ended; every candidate of a pool ends in exactly one."""

    EVALUATED = "evaluated"
    RACED_OUT = "raced out"
    UNLIKELY = "unlikely to be certified"
    NOT_NEEDED = "not needed"
    NOT_COVERED = "not covered"
    SKIPPED_BY_BUDGET = "skipped by budget"
    OVER_LIMIT = "over a limit"
    LABEL_MISMATCH = "label mismatch"
    GATED = "gated"
    DISABLED = "disabled"
    NOT_FOUND = "not found"
    UNREACHABLE = "unreachable"
    FLAGGED_UNSAFE = "flagged unsafe"
    UNSAFE_FORMAT = "unsafe format"
    REMOTE_CODE = "remote code"
    UNSUPPORTED = "unsupported"
    CORRUPT = "corrupt"
    NO_TOKENIZER = "no tokenizer"
    NO_HEAD = "no head"
    BAD_OUTPUT = "bad output"
    EXPORT_DISAGREES = "export disagrees"
    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "out of memory"
    CRASHED = "crashed"


class CandidateFailed(RecommenderError, RuntimeError):
    """A candidate cannot be evaluated; its state and reason become data."""

    def __init__(self, state: State, reason: str) -> None:
        super().__init__(f"{state}: {reason}")
        self.state = state
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Measurement:
    """One figure with its unit, its 95 % interval where one is known, and its n."""

    name: str
    value: float
    unit: str
    n: int
    low: float | None = None
    high: float | None = None
    note: str = ""
