"""What a report shows of one candidate besides its figures: where it is right, sure and fast.

Counts and means only: no row of the user's is in here.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often each label was answered with which: `counts[truth][answer]`, integers.

    `truths` are the data's labels, of many those with the most errors; `answers` are these and,
    where it happened, one for all other labels and one for answers that the data lacks.
    """

    truths: tuple[str, ...]
    answers: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class ClassQuality:
    """One label, or type of entity: its rows or entities, precision, recall and F1.

    None where one is not defined, as the precision of a label that was never answered.
    """

    label: str
    n: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, slots=True)
class SliceQuality:
    """The first asked quality on the rows with one value of a column, with its 95 % interval."""

    column: str
    value: str
    n: int
    quality: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Rows whose highest softmax score lies above `low`, up to `high`: its mean, the accuracy."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Details:
    """One candidate in detail. What does not apply to its task, or was not measured, is empty.

    `calibration_error` is the expected calibration error: the mean over rows of the bins' |accuracy
    - confidence| (Guo et al., On Calibration of Modern Neural Networks, 2017). `slice_metric` is
    the quality that `slices` hold. `latency_ms` are percentiles of single requests by their number
    (`5`, `25`, `50`, ..., `99`). `memory_mb` splits the peak into named parts, which add up to it.
    """

    confusion: Confusion | None = None
    classes: tuple[ClassQuality, ...] = ()
    slices: tuple[SliceQuality, ...] = ()
    slice_metric: str = ""
    calibration: tuple[CalibrationBin, ...] = ()
    calibration_error: float | None = None
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    memory_mb: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """JSON form, read back by `from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Details":
        """The inverse of `to_json`."""
        confusion = value["confusion"]
        return cls(
            confusion=confusion
            and Confusion(
                tuple(confusion["truths"]),
                tuple(confusion["answers"]),
                tuple(map(tuple, confusion["counts"])),
            ),
            classes=tuple(ClassQuality(**each) for each in value["classes"]),
            slices=tuple(SliceQuality(**each) for each in value["slices"]),
            slice_metric=value.get("slice_metric", ""),
            calibration=tuple(CalibrationBin(**each) for each in value["calibration"]),
            calibration_error=value["calibration_error"],
            latency_ms=dict(value["latency_ms"]),
            memory_mb=dict(value["memory_mb"]),
        )


@dataclass(frozen=True, slots=True)
class Example:
    """One of the user's rows as it was answered; in a report only where that was asked for."""

    text: str
    label: str
    answers: Mapping[str, str]
    """By candidate."""

    @property
    def sentence(self) -> str:
        """`a fine film: positive, and team/good answered negative`."""
        told = ", ".join(f"{name} answered {answer}" for name, answer in self.answers.items())
        return f"{self.text}: {self.label}, and {told}"
