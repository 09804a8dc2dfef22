"""What the user asks for: a bound on one measure, in one syntax everywhere."""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from difflib import get_close_matches
from types import MappingProxyType

from cache.errors import BadInput, NotFound
from cache.key import JSONValue
from catalog.licenses import in_list
from evaluators.reading.table import in_words
from recommender.bound_meant import LEAST_PERCENT, MAX_FACTOR, closest_bound
from recommender.evidence.conditions import CLASS_METRICS, Relative

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

EXAMPLES = (
    '"accuracy >= 0.90", "recall[urgent] >= 0.95", "f1 >= 0.97 * baseline", "latency_p95_ms <= 20"'
)

ERRORS = frozenset({"wer", "cer", "perplexity", "bits_per_byte"})
"""Quality metrics of which less is better."""

ERRORS_IN_PERCENT = frozenset({"wer", "cer"})
"""Those errors that papers give in percent: 15 is 15 %, and so is 5."""

USUAL = {"": 0.9, "times": 0.97, "minus": 0.02}
"""The bound in an example, where nothing tells what was meant."""

MAX_PERCENT = 100.0

NAME_BASELINE = "name one with --baseline MODEL, in Python baseline='MODEL'"


def at_any_k(measure: str) -> str:
    """`ndcg@k` for `ndcg@10`; other names as they are."""
    return re.sub(r"@[0-9]+$", "@k", measure)


def canonical(measure: str) -> str:
    """`accuracy@5` for `top5`, `top-5` and `top_5_accuracy`; other names as they are."""
    return _TOP_K.sub(r"accuracy@\1", measure)


_TOP_K = re.compile(r"^\s*top[-_ ]?([1-9][0-9]*)(?:[-_ ]accuracy)?(?![\w@])")
_NAME = r"""(?:"(?:[^"]|"")*+"|'(?:[^']|'')*+'|[^\s\[\]=,"'][^\[\]=,]*+)"""
_PART = rf"\s*{_NAME}\s*(?:=\s*{_NAME}\s*)?"
_PARTS = re.compile(rf"\s*(?P<name>{_NAME})\s*(?:=\s*(?P<value>{_NAME})\s*)?(?:,|$)")
_SUBJECT = re.compile(
    rf"(?P<measure>[a-z][a-zA-Z0-9_]*(?:@[0-9]+)?)\s*(?:\[(?P<brackets>{_PART}(?:,{_PART})*)\]\s*)?"
)
_NUMBER = r"(?P<number>[0-9]*\.?[0-9]+(?:e[+-]?[0-9]+)?)\s*(?P<percent>%)?"
_RELATION = r"(?P<relation>>=|<=)\s*"
_BOUNDS: tuple[tuple[re.Pattern[str], Relative], ...] = (
    (re.compile(rf"{_RELATION}(?P<sign>-\s*)?{_NUMBER}"), ""),
    (re.compile(rf"{_RELATION}{_NUMBER}\s*\*\s*baseline"), "times"),
    (re.compile(rf"{_RELATION}baseline\s*\*\s*{_NUMBER}"), "times"),
    (re.compile(rf"{_RELATION}baseline\s*-\s*{_NUMBER}"), "minus"),
    (re.compile(rf"(?P<relation>within)\s+{_NUMBER}\s+of\s+baseline"), "minus"),
)
_LICENSE = re.compile(r"license\s+in\b(?P<allowed>.*)")
_ALMOST = re.compile(
    r"(?P<measure>[a-z]\w*(?:@[0-9]+)?)\s*(?P<opened>\[(?P<square>.*)\]|\((?P<round>[^)]*)\)|\{(?P<curly>[^}]*)\}"
    r"|\[(?P<unclosed>[^]<>=]*))?(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Requirement:
    """A bound on one measure; `violation` is at most 0 where it is met.

    A quality may be that of one class (`label`), of the rows of one slice (`slice`: column and
    value), or of both. `relative` says how `bound` follows the baseline's quality: not at all,
    `times` (bound * baseline) or `minus` (baseline - bound).

    >>> Requirement.parse("latency_p95_ms <= 20").violation(25.0)
    5.0
    >>> str(Requirement.parse("f1>=0.97*baseline"))
    'f1 >= 0.97 * baseline'
    >>> str(Requirement.parse("recall[urgent, lang=de] within 2% of baseline"))
    'recall[urgent, lang=de] >= baseline - 0.02'
    """

    measure: str
    relation: str
    bound: float = 0.0
    relative: Relative = ""
    label: str | None = None
    slice: tuple[str, str] | None = None
    allowed: tuple[str, ...] = ()

    @classmethod
    def parse(
        cls, text: str, *, metrics: Collection[str] = (), errors: Collection[str] = ()
    ) -> "Requirement":
        """Read `accuracy >= 0.90`, `recall[urgent] >= 0.95`, `accuracy[lang=de] >= 85%`,
        `f1 >= 0.97 * baseline`, `accuracy within 0.02 of baseline`, `size_mb <= 50`,
        `license in mit`.

        A label, column or value in quotes may hold any character; a quote in it is written
        twice. `metrics` are the known quality metrics; when given, other names raise NotFound.
        `errors` are those of the user's own of which less is better.
        Raises BadInput with the nearest right form for anything else.
        """
        line = text.strip()
        found = cls._read(canonical(line))
        if found is None:
            hint = _suggestion(line, metrics, errors)
            raise BadInput(f"'{text}' is no requirement; {hint}")
        found._check(text, metrics, errors)
        return found

    @classmethod
    def again(cls, text: str) -> "Requirement":
        """Read one that was parsed before; BadInput where it is none."""
        found = cls._read(canonical(text.strip()))
        if found is None:
            raise BadInput(f"'{text}' is no requirement; write for example {EXAMPLES}")
        return found

    @classmethod
    def _read(cls, line: str) -> "Requirement | None":
        """What a line says, right or wrong; None where it has no such form."""
        member = _LICENSE.fullmatch(line)
        if member:
            listed = member["allowed"].strip().strip("{}[]()")
            names = (name.strip().lower() for name in listed.split(","))
            return cls("license", "in", allowed=tuple(name for name in names if name))
        subject = _SUBJECT.match(line)
        names_read = _read_brackets(subject["brackets"] or "") if subject else None
        if subject is None or names_read is None:
            return None
        label, rows = names_read
        for pattern, relative in _BOUNDS:
            found = pattern.fullmatch(line, subject.end())
            if found and found["percent"] and subject["measure"] in COSTS:
                return None  # a share of what?
            if found:
                relation = ">=" if found["relation"] == "within" else found["relation"]
                bound = _number(found["number"], is_percent=bool(found["percent"]))
                bound = -bound if found.groupdict().get("sign") else bound
                return cls(subject["measure"], relation, bound, relative, label, rows)
        return None

    def _check(self, text: str, metrics: Collection[str], errors: Collection[str]) -> None:
        if self.measure == "license":
            if not self.allowed:
                raise BadInput(f"'{text}' names no licence; write 'license in mit, apache-2.0'")
            return
        named = {self.measure, at_any_k(self.measure)}  # map@50 is a name of its own
        if metrics and self.measure not in COSTS and named.isdisjoint(metrics):
            known = sorted(metrics) + sorted(COSTS)
            near = get_close_matches(self.measure, known, n=1)
            hint = f"Did you mean '{near[0]}'? " if near else ""
            raise NotFound(f"unknown measure '{self.measure}' in '{text}'. {hint}Known: {known}")
        if not math.isfinite(self.bound):
            raise BadInput(
                f"'{text}': the bound is too large a number; write for example {EXAMPLES}"
            )
        if self.is_quality:
            is_error = self.measure in ERRORS or self.measure in errors
            self._check_quality(text, is_error=is_error)
        else:
            self._check_cost(text)

    def _is_askable(self, metrics: Collection[str], errors: Collection[str]) -> bool:
        """Whether it passes all checks, and can be met by some candidates and not by all."""
        try:
            self._check("", metrics, errors)
        except (BadInput, NotFound):
            return False
        is_share = self.is_quality and self.relation == ">=" and not self.relative
        return 0 < self.bound < 1 if is_share else self.bound > 0

    def _check_quality(self, text: str, *, is_error: bool) -> None:
        if self.label is not None and self.measure not in CLASS_METRICS:
            raise BadInput(
                f"'{text}': {self.measure} judges no one class; write {self._of_class(is_error)}"
            )
        if is_error:
            self._check_error(text)
            return
        if self.relation == "<=":
            raise BadInput(f"'{text}' bounds quality from above; write '{self.subject} >= ...'")
        likely = self._likely_bound()
        if likely == self.bound:
            return
        within = "lies between 0 and 1"
        if self.relative == "times":
            within = f"has a factor of the baseline above 0 and below {MAX_FACTOR:g}"
        example = "" if math.isclose(100 * likely, self.bound) else "for example "
        right = replace(self, bound=likely)
        raise BadInput(f"'{text}': {self.measure} {within}; write {example}'{right}'")

    def _of_class(self, is_error: bool) -> str:
        """What to ask instead of a quality of one class that there is none of."""
        right = self if is_error else replace(self, relation=">=", bound=self._likely_bound())
        of_slice = replace(right, label=None, slice=("COLUMN", str(self.label)))
        if is_error:
            return f"'{of_slice}' for the rows of a slice"
        near = self.measure.partition("_")[0]
        of_class = replace(right, measure=near if near in CLASS_METRICS else "recall")
        return f"'{of_class}'" + (
            "" if self.slice else f", or for the rows of a slice '{of_slice}'"
        )

    def _likely_bound(self) -> float:
        """The bound where a quality can have it, else the one that was meant: 90 is 90 %."""
        is_factor = self.relative == "times"
        if (0 < self.bound < MAX_FACTOR) if is_factor else (0 <= self.bound <= 1):
            return self.bound
        least = LEAST_PERCENT if not self.relative else 1
        if least <= self.bound <= MAX_PERCENT:
            return float(Decimal(repr(self.bound)).scaleb(-2))
        return USUAL[self.relative]

    def _check_error(self, text: str) -> None:
        if self.relation == ">=" or self.relative or self.bound < 0:
            is_given = self.bound > 1 and not self.relative  # 0.8 was meant as a quality
            right = _in_digits(self.bound) if is_given else "0.1"
            raise BadInput(
                f"'{text}': of {self.measure}, less is better; write '{self.subject} <= {right}'"
            )

    def _check_cost(self, text: str) -> None:
        right = ">=" if self.measure == "throughput_per_s" else "<="
        if self.relative:
            raise BadInput(f"'{text}': only quality can be relative to the baseline")
        if self.label is not None or self.slice is not None:
            raise BadInput(
                f"'{text}': {self.measure} is one figure for a model and takes no brackets; "
                f"write '{self.measure} {right} {_in_digits(self.bound)}'"
            )
        if self.relation != right:
            raise BadInput(f"'{text}' is the wrong way round; write '{self.measure} {right} ...'")
        if self.bound < 0:
            raise BadInput(f"'{text}': {self.measure} is never below 0; give a bound above it")

    def check_data(
        self, labels: Collection[str] | None, values: Mapping[str, Collection[str]]
    ) -> None:
        """NotFound, with the nearest name and the list, where the data lacks its class or slice.

        `labels` are the data's labels, None where classes are no labels; `values` maps each column
        that was read for slices to its values (`Samples.labels`, `Samples.slice_values`).
        """
        if self.label is not None and labels is not None:
            self._find(self.label, labels, "the data has no label")
        if self.slice is not None:
            column, value = self.slice
            self._find(column, values, "the data was read without a column")
            self._find(value, values[column], f"the column {column!r} has no value")

    def _find(self, name: str, known: Collection[str], lacking: str) -> None:
        if name in known:
            return
        folded = {other.casefold(): other for other in known}
        near = get_close_matches(name.casefold(), folded, 1, 0.5)
        hint = f" Did you mean {folded[near[0]]!r}?" if near else ""
        raise NotFound(f"'{self}': {lacking} {name!r}; it has {in_words(sorted(known))}.{hint}")

    @property
    def subject(self) -> str:
        """What is bounded: `recall[urgent]`, the measure with its class and slice."""
        parts = [] if self.label is None else [_quoted(self.label)]
        if self.slice is not None:
            parts.append("=".join(map(_quoted, self.slice)))
        return f"{self.measure}[{', '.join(parts)}]" if parts else self.measure

    @property
    def of_baseline(self) -> bool:
        """Whether its target follows the baseline's quality."""
        return self.relative != ""

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
            raise BadInput(f"'{self}' needs a baseline; {NAME_BASELINE}")
        return self.bound * baseline if self.relative == "times" else baseline - self.bound

    def violation(self, value: float | None, *, baseline: float | None = None) -> float:
        """How far a value misses the bound, in the measure's unit; infinite when not measured."""
        if value is None or math.isnan(value):
            return math.inf
        target = self.target(baseline)
        return value - target if self.relation == "<=" else target - value

    def allows_license(self, name: str | None) -> bool:
        """Whether a licence is in the list, however both are spelled; an unknown one never is."""
        return in_list(name, self.allowed)

    def __str__(self) -> str:
        if self.relation == "in":
            return f"license in {','.join(self.allowed)}"
        amount = _in_digits(self.bound)
        forms = {"": amount, "times": f"{amount} * baseline", "minus": f"baseline - {amount}"}
        return f"{self.subject} {self.relation} {forms[self.relative]}"

    def to_json(self) -> JSONValue:
        """Its text, which `parse` reads back."""
        return str(self)


def _number(digits: str, *, is_percent: bool) -> float:
    """The nearest float to what is written: 97.3% is 0.973, not 97.3 / 100."""
    return float(Decimal(digits).scaleb(-2)) if is_percent else float(digits)


def _in_digits(number: float) -> str:
    """The shortest digits that are read back as the same number."""
    short = f"{number:.12g}"
    return short if float(short) == number else repr(number)


def _read_brackets(inside: str) -> tuple[str | None, tuple[str, str] | None] | None:
    """The label and the slice between brackets; None where there are two of one kind."""
    label: str | None = None
    rows: tuple[str, str] | None = None
    for part in _PARTS.finditer(inside):
        name, value = _unquoted(part["name"]), part["value"]
        if value is None and label is None:
            label = name
        elif value is not None and rows is None:
            rows = (name, _unquoted(value))
        else:
            return None
    return label, rows


def _unquoted(name: str) -> str:
    quote = name[0]
    return name[1:-1].replace(2 * quote, quote) if quote in "\"'" else name.strip()


def _quoted(name: str) -> str:
    """A name as `parse` reads it: bare where that is clear, else in double quotes."""
    is_clear = re.fullmatch(_NAME, name) and name[0] not in "\"'" and name == name.strip()
    return name if is_clear else '"' + name.replace('"', '""') + '"'


def _suggestion(line: str, metrics: Collection[str], errors: Collection[str]) -> str:
    """The nearest right form of a line that has none; examples where none is near."""
    if re.match(r"licen[cs]es?\b", line, re.IGNORECASE):
        return "write for example 'license in mit, apache-2.0'"
    meant = _meant(line, metrics, errors)
    return f"write '{meant}'" if meant else f"write for example {EXAMPLES}"


def _meant(line: str, metrics: Collection[str], errors: Collection[str]) -> Requirement | None:
    """The requirement that a line comes closest to, where it is one that could be asked."""
    almost = _ALMOST.match(canonical(line))
    measure = _measure_meant(almost["measure"], metrics) if almost else None
    if almost is None or measure is None:
        return None
    kinds = ("square", "round", "curly", "unclosed")
    inside = next((almost[kind] for kind in kinds if (almost[kind] or "").strip()), "LABEL")
    subject = f"{measure}[{_mended(inside)}]" if almost["opened"] else measure
    is_error = measure in ERRORS or measure in errors
    least_percent = LEAST_PERCENT if not is_error else math.inf
    bound = closest_bound(
        almost["rest"],
        unit=COSTS.get(measure),
        least_percent=1 if measure in ERRORS_IN_PERCENT else least_percent,
    )
    is_less = is_error or (measure in COSTS and measure != "throughput_per_s")
    found = Requirement._read(f"{subject} {'<=' if is_less else '>='} {bound}")
    if found is None or not found._is_askable(metrics, errors):
        return None
    return found


def _measure_meant(name: str, metrics: Collection[str]) -> str | None:
    """The measure of a name, or the nearest known one. Any may be a quality without `metrics`."""
    known = {*metrics, *COSTS}
    if at_any_k(name.lower()) in known or name in known:
        return name if name in known else name.lower()
    near = get_close_matches(name.lower(), known, n=1)
    return near[0] if near else None if metrics else name.lower()


def _mended(inside: str) -> str:
    """What stands between brackets, with quotes around the names that need them."""
    if re.fullmatch(rf"{_PART}(?:,{_PART})*", inside) and _read_brackets(inside):
        return inside
    slices = [part for part in inside.split(",") if "=" in part]
    kept = slices[0] if len(slices) > 1 else inside
    name, equals, value = (part.strip(" \"'") for part in kept.partition("="))
    return f"{_quoted(name)}={_quoted(value or 'VALUE')}" if equals else _quoted(name)
