"""What the user asks for: a bound on one measure, in one syntax everywhere."""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType

from cache.errors import BadInput, NotFound
from cache.key import JSONValue

COSTS: Mapping[str, str] = MappingProxyType(
    {
        "size_mb": "MB",
        "loaded_mb": "MB",
        "download_mb": "MB",
        "n_parameters": "",
        "load_s": "s",
        "peak_memory_mb": "MB",
        "model_memory_mb": "MB",
        "latency_p50_ms": "ms",
        "latency_p95_ms": "ms",
        "throughput_per_s": "1/s",
    }
)
"""Every cost with its unit. 1 MB is 10^6 bytes."""

STATIC_COSTS = frozenset({"size_mb", "download_mb", "n_parameters"})
"""Costs that metadata tells before anything is run (size_mb as a prediction)."""

LATENCIES = frozenset({"latency_p50_ms", "latency_p95_ms"})
"""Costs that only interleaved timings decide; load_s and throughput come from one fresh worker."""

EXAMPLES = '"accuracy >= 0.90", "f1 >= 0.97 * baseline", "latency_p95_ms <= 20"'

_BOUND = re.compile(
    r"(?P<measure>[a-z][a-z0-9_]*)\s*(?P<relation>>=|<=)\s*"
    r"(?P<number>[0-9]*\.?[0-9]+(?:e[+-]?[0-9]+)?)\s*(?P<percent>%)?"
    r"(?:\s*\*\s*(?P<baseline>baseline))?"
)
_RELATIVE_FIRST = re.compile(r"baseline\s*\*\s*(?P<number>[0-9.]+%?)")
_MEMBER = re.compile(r"(?P<measure>license)\s+in\s+(?P<allowed>\S.*)")


@dataclass(frozen=True, slots=True)
class Requirement:
    """A bound on one measure; `violation` is at most 0 where it is met.

    >>> Requirement.parse("latency_p95_ms <= 20").violation(25.0)
    5.0
    >>> str(Requirement.parse("f1>=0.97*baseline"))
    'f1 >= 0.97 * baseline'
    """

    measure: str
    relation: str
    bound: float = 0.0
    of_baseline: bool = False
    allowed: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str, *, metrics: Collection[str] = ()) -> "Requirement":
        """Read `accuracy >= 0.90`, `f1 >= 0.97 * baseline`, `size_mb <= 50`, `license in mit`.

        `metrics` are the known quality metrics; when given, other names raise NotFound.
        Raises BadInput with the nearest right form for anything else.
        """
        line = text.strip()
        member = _MEMBER.fullmatch(line)
        if member:
            names = (name.strip().lower() for name in member["allowed"].split(","))
            return cls("license", "in", allowed=tuple(name for name in names if name))
        match = _BOUND.fullmatch(_RELATIVE_FIRST.sub(r"\g<number> * baseline", line))
        if not match:
            raise BadInput(f"'{text}' is no requirement; {_suggestion(line)}")
        number = float(match["number"]) / (100 if match["percent"] else 1)
        found = cls(match["measure"], match["relation"], number, bool(match["baseline"]))
        found._check(text, metrics)
        return found

    def _check(self, text: str, metrics: Collection[str]) -> None:
        if metrics and self.measure not in COSTS and self.measure not in metrics:
            known = sorted(metrics) + sorted(COSTS)
            near = get_close_matches(self.measure, known, n=1)
            hint = f"Did you mean '{near[0]}'? " if near else ""
            raise NotFound(f"unknown measure '{self.measure}' in '{text}'. {hint}Known: {known}")
        if self.is_quality and self.relation == "<=":
            raise BadInput(f"'{text}' bounds quality from above; write '{self.measure} >= ...'")
        if self.is_quality and not self.of_baseline and not 0 <= self.bound <= 1:
            raise BadInput(
                f"'{text}': {self.measure} lies between 0 and 1; "
                f"write '{self.measure} >= {self.bound / 100:g}' or '{self.bound:g}%'"
            )
        if not self.is_quality and self.of_baseline:
            raise BadInput(f"'{text}': only quality can be relative to the baseline")
        faster_is_more = self.measure == "throughput_per_s"
        if not self.is_quality and (self.relation == ">=") != faster_is_more:
            right = ">=" if faster_is_more else "<="
            raise BadInput(f"'{text}' is the wrong way round; write '{self.measure} {right} ...'")

    @property
    def is_quality(self) -> bool:
        """Whether it bounds a quality metric (not a cost, not the licence)."""
        return self.measure not in COSTS and self.measure != "license"

    @property
    def is_timed(self) -> bool:
        """Whether deciding it needs interleaved timings, which noise can spoil."""
        return self.measure in LATENCIES

    def target(self, baseline: float | None = None) -> float:
        """The bound as a number; a relative one needs the baseline's value."""
        if not self.of_baseline:
            return self.bound
        if baseline is None:
            raise BadInput(f"'{self}' needs a baseline; name one with --baseline MODEL")
        return self.bound * baseline

    def violation(self, value: float | None, *, baseline: float | None = None) -> float:
        """How far a value misses the bound, in the measure's unit; infinite when not measured."""
        if value is None or math.isnan(value):
            return math.inf
        target = self.target(baseline)
        return value - target if self.relation == "<=" else target - value

    def allows_license(self, name: str | None) -> bool:
        """Whether a licence is in the list; an unknown licence never is."""
        return name is not None and name.lower() in self.allowed

    def __str__(self) -> str:
        if self.relation == "in":
            return f"license in {','.join(self.allowed)}"
        relative = " * baseline" if self.of_baseline else ""
        return f"{self.measure} {self.relation} {self.bound:.12g}{relative}"

    def to_json(self) -> JSONValue:
        """Its text, which `parse` reads back."""
        return str(self)


def _suggestion(line: str) -> str:
    name = re.match(r"[a-zA-Z][a-zA-Z0-9_]*", line)
    number = re.search(r"[0-9]*\.?[0-9]+%?", line[name.end() :] if name else line)
    if name and number:
        measure = name[0].lower()
        relation = "<=" if measure in COSTS and measure != "throughput_per_s" else ">="
        return f"write '{measure} {relation} {number[0]}'"
    return f"write for example {EXAMPLES}"
