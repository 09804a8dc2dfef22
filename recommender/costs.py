"""How long the work will take: learned from what this machine has spent before.

Each step of a candidate (download, build, load, rows) takes a fixed time and a time for each unit
of work. What was spent corrects these lines: those of one backend and precision where enough is
known of them, else their defaults scaled by what is known of the backend, or of all backends.
Seconds are expected, never promised: no verdict depends on them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, log, log2
from typing import TYPE_CHECKING

from cache.key import digest
from cache.measurements import Spent

if TYPE_CHECKING:
    from evaluators.candidate import Candidate
    from evaluators.hardware import Machine

STEPS = ("download", "build", "load", "rows")

TYPICAL_ROW_KB = 0.1
"""The text of a row, where nothing is known of the rows: a sentence."""

MOST_ROW_KB = 2.0
"""Models cut a text at about 512 tokens; what is cut costs nothing."""

ENOUGH = 3
"""Steps (and sizes) that outvote one stalled step; fewer are not believed."""

LEAST = 1e-7
"""Less work or time than this (a tenth of a parameter, or of a microsecond) counts as this."""

FARTHER = 16.0
"""Beyond the largest work seen, by this factor, a learned line is held to the scaled default."""

BYTES_PER_PARAMETER: Mapping[str, float] = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "int8": 1.0}


@dataclass(frozen=True, slots=True)
class Line:
    """Seconds as a fixed part and a part for each unit of work; neither is negative."""

    fixed_s: float
    unit_s: float

    def at(self, work: float) -> float:
        """Seconds for an amount of work."""
        return self.fixed_s + self.unit_s * work

    def scaled(self, factor: float) -> "Line":
        """The same, on a machine that takes `factor` times as long."""
        return Line(self.fixed_s * factor, self.unit_s * factor)


STARTING_S = 8.0
"""The first worker's start with its imports."""

DEFAULT_DOWNLOAD = Line(0.5, 0.05)
"""A request, and 20 MB/s: assumed, not measured."""

DEFAULTS: Mapping[str, Mapping[tuple[str, str], Line]] = {
    "build": {
        ("onnxruntime", "fp32"): Line(0.0443, 0.000871),
        ("onnxruntime", "int8"): Line(0.266, 0.273),
        ("openvino", "bf16"): Line(0.0681, 0.0143),
        ("openvino", "fp32"): Line(0.0596, 0.0292),
        ("openvino", "int8"): Line(1.67, 0.211),
        ("torch", "bf16"): Line(0.0548, 0.00234),
        ("torch", "fp32"): Line(0.0422, 0.0115),
        ("torch", "int8"): Line(0.108, 0.0409),
    },
    "load": {
        ("onnxruntime", "fp32"): Line(0.339, 0.0242),
        ("onnxruntime", "int8"): Line(0.282, 0.0292),
        ("openvino", "bf16"): Line(0.627, 0.0228),
        ("openvino", "fp32"): Line(0.596, 0.0345),
        ("openvino", "int8"): Line(0.647, 0.0121),
        ("torch", "bf16"): Line(0.445, 0.00641),
        ("torch", "fp32"): Line(0.315, 0.021),
        ("torch", "int8"): Line(0.338, 0.0601),
    },
    "rows": {
        ("onnxruntime", "fp32"): Line(0.000267, 0.0114),
        ("onnxruntime", "int8"): Line(0.000316, 0.00426),
        ("openvino", "bf16"): Line(0.000512, 0.00497),
        ("openvino", "fp32"): Line(0.000357, 0.009),
        ("openvino", "int8"): Line(0.000491, 0.00638),
        ("torch", "bf16"): Line(0.000487, 0.00603),
        ("torch", "fp32"): Line(0.000347, 0.0107),
        ("torch", "int8"): Line(0.000504, 0.00581),
    },
}
"""Lines through the medians of six BERT-like models (0.08 to 10.5 million parameters) on one thread
of a Xeon with AMX: seconds by millions of parameters; for rows, of those outside the embedding,
times kB of text. The export of a model's graph counts with the recipe that asked for it first."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Seconds expected of one candidate: once for each step, and for each row."""

    download_s: float
    build_s: float
    load_s: float
    row_s: float

    @property
    def fixed_s(self) -> float:
        """Before the first row is answered."""
        return self.download_s + self.build_s + self.load_s


@dataclass(frozen=True, slots=True)
class CostModel:
    """Seconds by step, as far as this machine's own past tells, else by the defaults."""

    lines: Mapping[tuple[str, str, str], Line]  # by step, backend and precision
    scales: Mapping[tuple[str, str], float]  # by step and backend; "" stands for all backends

    @classmethod
    def learn(cls, spent: Iterable[Spent] = ()) -> "CostModel":
        """A model of these steps; without any, the defaults. Steps without a size teach nothing."""
        known = [(step, work) for step in spent if (work := _work_of(step))]
        ratios: dict[tuple[str, str], list[float]] = {}
        points: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
        for step, work in known:
            work, seconds = max(work, LEAST), max(step.seconds / max(1, step.n_rows), LEAST)
            ratio = seconds / _default(step.kind, step.backend, step.precision).at(work)
            for backend in (step.backend, ""):
                ratios.setdefault((step.kind, backend), []).append(ratio)
            points.setdefault((step.kind, step.backend, step.precision), []).append((work, seconds))
        scales = {key: _median(found) for key, found in ratios.items() if len(found) >= ENOUGH}
        bare = cls({}, scales)
        lines = {key: _fit(found, bare.line(*key)) for key, found in points.items()}
        return cls({key: line for key, line in lines.items() if line is not None}, scales)

    def line(self, step: str, backend: str, precision: str) -> Line:
        """Seconds by millions of parameters; of a download by MB.

        Of a row, by millions of parameters outside the embedding, times its kB of text.
        """
        learned = self.lines.get((step, backend, precision))
        if learned is not None:
            return learned
        scale = self.scales.get((step, backend), self.scales.get((step, ""), 1.0))
        return _default(step, backend, precision).scaled(scale)

    def expect(self, candidate: "Candidate", *, row_kb: float = TYPICAL_ROW_KB) -> Expected:
        """What a candidate will take that is neither fetched nor built; `row_kb` is a row's text.

        A model in a folder is not downloaded.
        """
        recipe, size_mb = candidate.recipe, candidate.predicted_size_mb
        millions = _millions(candidate.model.n_parameters, size_mb, recipe.precision)
        build, load, row = (
            self.line(step, recipe.backend, recipe.precision) for step in ("build", "load", "rows")
        )
        return Expected(
            download_s=0.0 if candidate.model.is_local else self.download_s(candidate.download_mb),
            build_s=build.at(millions),
            load_s=load.at(millions),
            row_s=row.at((_computing(candidate) or millions) * min(row_kb, MOST_ROW_KB)),
        )

    def download_s(self, download_mb: float) -> float:
        """Seconds that a download will take."""
        return self.line("download", "", "").at(download_mb) if download_mb > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is left to do, at most, and the seconds that it will take."""

    seconds: float
    download_mb: float
    n_to_build: int
    n_to_load: int
    n_rows: int

    def describe(self) -> str:
        """One line for a plan."""
        parts = [f"{_megabytes(self.download_mb)} to download"] if self.download_mb else []
        if self.n_to_build:
            parts.append(f"{_candidates(self.n_to_build)} to build")
        if self.n_to_load:
            parts.append(f"{_candidates(self.n_to_load)} to load")
        parts.append(f"at most {self.n_rows:,} rows to answer")
        return f"up to about {in_words(self.seconds)}: {', '.join(parts)}"


def forecast(
    model: CostModel,
    left: Sequence[tuple["Candidate", int]],
    *,
    download_mb: float = 0.0,
    built: frozenset[str] = frozenset(),
    row_kb: float = TYPICAL_ROW_KB,
) -> Forecast:
    """What candidates with these numbers of rows left will take; done ones are not looked at.

    `download_mb` counts a file once that several candidates need; `built` holds the names of
    candidates whose artifacts are there.
    """
    to_run = [(candidate, n_rows) for candidate, n_rows in left if n_rows > 0]
    to_build = [candidate for candidate, _ in to_run if candidate.name not in built]
    seconds = model.download_s(download_mb) + (STARTING_S if to_run else 0.0)
    for candidate, n_rows in to_run:
        expected = model.expect(candidate, row_kb=row_kb)
        build_s = 0.0 if candidate.name in built else expected.build_s
        seconds += build_s + expected.load_s + n_rows * expected.row_s
    return Forecast(
        seconds, download_mb, len(to_build), len(to_run), sum(n_rows for _, n_rows in to_run)
    )


def remaining_s(
    expected: Expected,
    n_rows_left: int,
    *,
    fetched: bool = False,
    built: bool = False,
    loaded: bool = False,
) -> float:
    """Seconds until a candidate has answered its rows; a later step makes the earlier needless."""
    if n_rows_left <= 0:
        return 0.0
    seconds = n_rows_left * expected.row_s
    if loaded:
        return seconds
    seconds += expected.load_s
    if built:
        return seconds
    return seconds + expected.build_s + (0.0 if fetched else expected.download_s)


def spent_key(machine: "Machine", threads: int) -> str:
    """What seconds depend on besides the candidate: the machine, its libraries, the threads."""
    return digest([machine.key, threads])


def spent_on(
    kind: str, candidate: "Candidate", seconds: float, *, n_rows: int = 0, text_kb: float = 0.0
) -> Spent:
    """One step of a candidate, as the store keeps it; `text_kb` is that of all its rows.

    The parameters of rows are those outside the embedding, of which a row reads but a few.
    """
    recipe, n_parameters = candidate.recipe, candidate.model.n_parameters
    if kind == "download":
        return Spent(kind, "", "", n_parameters, candidate.download_mb, 0, seconds)
    if kind == "rows":
        computing = 1e6 * _computing(candidate) or n_parameters
        size = (computing, text_kb / 1e3, n_rows)
    else:
        size = (n_parameters, candidate.predicted_size_mb, 0)
    return Spent(kind, recipe.backend, recipe.precision, *size, seconds)


def in_words(seconds: float) -> str:
    """A duration as coarse as it is known: `40 s`, `3 min`, `2 h`."""
    if seconds < 60:
        return f"{max(5, 5 * round(seconds / 5))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 3600)} h"


# ---------------------------------------------------------------------- the lines
def _default(step: str, backend: str, precision: str) -> Line:
    """The default line; a stranger's backend or precision is taken for torch in float32."""
    if step == "download":
        return DEFAULT_DOWNLOAD
    lines = DEFAULTS[step]
    return lines.get((backend, precision)) or lines["torch", "fp32"]


def _work_of(step: Spent) -> float | None:
    """The units that a step's line counts; None where the step does not tell them."""
    if step.kind == "download":
        return step.mb or None
    if step.kind != "rows":
        return _millions(step.n_parameters, step.mb, step.precision) or None
    if step.n_rows < 1 or not step.n_parameters:
        return None
    row_kb = 1e3 * step.mb / step.n_rows or TYPICAL_ROW_KB
    return step.n_parameters / 1e6 * min(row_kb, MOST_ROW_KB)


def _computing(candidate: "Candidate") -> float:
    """Millions of parameters outside the embedding; 0 where that is not known."""
    model = candidate.model
    if not model.n_parameters or not model.embedding_parameters:
        return 0.0
    return max(0.0, (model.n_parameters - model.embedding_parameters) / 1e6)


def _millions(n_parameters: float | None, size_mb: float, precision: str) -> float:
    """Millions of parameters, by the size where their number is unknown."""
    return n_parameters / 1e6 if n_parameters else size_mb / BYTES_PER_PARAMETER.get(precision, 4.0)


def _fit(points: Sequence[tuple[float, float]], scaled: Line) -> Line | None:
    """The line with the least absolute error of the logarithm; None where too little is known.

    Of the lines through two points, it is that nearest to all: a stalled step is outvoted. One
    point more, far out on the scaled default, decides what the others leave open.
    """
    middles = _middles(points)
    if len(middles) < ENOUGH:
        return scaled.scaled(_ratio(points, scaled)) if len(points) >= ENOUGH else None
    far = FARTHER * max(work for work, _ in middles)
    own = scaled.scaled(_ratio(middles, scaled))
    middles.append((far, own.at(far)))
    return min((own, *_lines(middles)), key=lambda line: _error(line, middles))


def _middles(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The median of the points in each half octave of work."""
    groups: dict[int, list[tuple[float, float]]] = {}
    for work, seconds in points:
        groups.setdefault(round(2 * log2(work)), []).append((work, seconds))
    return [
        (_median(work for work, _ in group), _median(seconds for _, seconds in group))
        for group in groups.values()
    ]


def _median(values: Iterable[float]) -> float:
    """As statistics.median, whose import takes longer than all of the above."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return (ordered[middle] + ordered[~middle]) / 2


def _ratio(points: Sequence[tuple[float, float]], line: Line) -> float:
    return _median(seconds / line.at(work) for work, seconds in points)


def _lines(points: Sequence[tuple[float, float]]) -> list[Line]:
    """The flat and the proportional line through each point, and the rising through each two."""
    found = [Line(seconds, 0.0) for _, seconds in points]
    found += [Line(0.0, seconds / work) for work, seconds in points]
    for place, (work, seconds) in enumerate(points):
        for other_work, other_seconds in points[:place]:
            run = work - other_work
            unit_s = (seconds - other_seconds) / run if run else -inf
            fixed_s = seconds - unit_s * work
            if unit_s >= 0 and fixed_s >= 0:
                found.append(Line(fixed_s, unit_s))
    return found


def _error(line: Line, points: Sequence[tuple[float, float]]) -> float:
    return sum(abs(log(line.at(work) / seconds)) for work, seconds in points)


def _megabytes(size_mb: float) -> str:
    return f"{size_mb:,.0f} MB" if size_mb >= 1 else "less than 1 MB"


def _candidates(n: int) -> str:
    return "1 candidate" if n == 1 else f"{n:,} candidates"
