"""The table of all candidates, as a page shows it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from types import MappingProxyType

from evaluators.measurement import Measurement, State
from recommender.evidence.verdict import Verdict
from recommender.leaderboard import Leaderboard
from recommender.recommendation import NOT_RUN, Outcome, Recommendation
from recommender.reports.table import (
    bound_cell,
    estimate_of,
    figure,
    is_asked,
    metric_of,
    quality_cell,
    state_cell,
)

LISTED = 300
"""So many candidates have a row of their own, those that were run first; the others are named."""
MOST_NAMED = 60_000
"""Characters of the names that are written out, of all states together."""
TOO_NOISY = "too noisy"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the table: its text, what it is sorted by, and a remark in small letters."""

    text: str
    kind: str = "text"
    sort: float | str | None = None
    note: str = ""
    badge: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column's title, and whether it is sorted as `number` or as `text`."""

    title: str
    kind: str = "text"
    hint: str = ""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One candidate: `role` marks the choice."""

    name: str
    state: str
    cells: tuple[Cell, ...]
    role: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Candidates that have no rows of their own."""

    title: str
    names: str


@dataclass(frozen=True, slots=True)
class Table:
    """All candidates."""

    columns: tuple[Column, ...]
    rows: tuple[TableRow, ...]
    rest: tuple[Group, ...] = ()
    notes: tuple[str, ...] = ()
    words: tuple[tuple[str, str], ...] = ()

    @property
    def states(self) -> list[str]:
        """Each state that occurs, once."""
        return list(dict.fromkeys(row.state for row in self.rows))


def table_of(result: Recommendation | Leaderboard, machines: Sequence[str] = ()) -> Table:
    """Every candidate with its state and reason: those that were run first, in their order."""
    metric = metric_of(result)
    outcomes = _in_order(result) if isinstance(result, Recommendation) else list(result.entries)
    names = machines or ("",) * len(outcomes)
    rows = [
        _row(result, outcome, metric, machine)
        for outcome, machine in zip(outcomes[:LISTED], names, strict=False)
    ]
    rest = tuple(_groups(outcomes[LISTED:], is_asked=is_asked(result)))
    return Table(_columns(metric), tuple(rows), rest, tuple(_notes(outcomes)), _words(rows))


def _in_order(result: Recommendation) -> list[Outcome]:
    """The choice, the baseline, the frontier, those that were run, and the others."""
    choice, baseline = result.choice, result.baseline
    known = {outcome.name for outcome in result.candidates}
    extra = [baseline] if baseline is not None and baseline.name not in known else []
    rest = [outcome for outcome in result.candidates if outcome is not choice]
    rest.sort(key=lambda outcome: (outcome.state in NOT_RUN, not outcome.on_frontier))
    return [*([choice] if choice is not None else []), *extra, *rest]


def _notes(outcomes: Sequence[Outcome]) -> Iterator[str]:
    if len(outcomes) > LISTED:
        yield f"{LISTED:,} of {len(outcomes):,} candidates have a row; the others are named below."
    if any(is_noisy(outcome.measurements.get("latency_p95_ms")) for outcome in outcomes):
        yield "Timings marked as noisy decide nothing: the same candidate differed from itself."


MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "sufficient": "certified to reach what was asked, and within every limit",
        "undecided": "may reach what was asked; the rows it was given do not show it",
        "insufficient": "shown to miss what was asked",
        "measured": "nothing was asked of it, so nothing was judged",
        "raced out": "stopped before all rows: it was unlikely to be certified with the rest",
        str(
            State.OVER_LIMIT
        ): "good enough, but a limit on size, time, memory or licence is missed",
        str(State.NOT_NEEDED): "not run: it could not have become the choice",
        str(State.UNLIKELY): "not run: these labels would hardly have certified it",
        str(State.SKIPPED_BY_BUDGET): "not run: time or download was used up",
    }
)
"""States in plain words; of a failure the reason tells."""
ALWAYS = (
    ("recipe", "how the model is run: the runtime, and the numbers that its weights are stored in"),
    ("certified", "the true quality is at least this, for all candidates at once, with the "
                  "confidence that was asked"),
    ("on the frontier", "none is better in quality, size and latency at once"),
)  # fmt: skip


def _words(rows: Sequence[TableRow]) -> tuple[tuple[str, str], ...]:
    """What the words of the table mean, those that occur."""
    seen = {part for row in rows for part in row.state.split(", ")}
    return (*((word, said) for word, said in MEANINGS.items() if word in seen), *ALWAYS)


def _columns(metric: str) -> tuple[Column, ...]:
    return (
        Column("candidate"),
        Column("state"),
        Column(metric, "number", "the estimate with its 95 % interval"),
        Column("certified", "number", "a bound that holds for all candidates together"),
        Column("rows", "number", "how many rows it was given"),
        Column("size MB", "number", "bytes that a deployment needs; 1 MB is 10^6 bytes"),
        Column("p50 ms", "number", "median latency of single requests"),
        Column("p95 ms", "number", "95th percentile of the latency of single requests"),
        Column("peak MB", "number", "peak memory of the process"),
        Column("download MB", "number"),
        Column("licence"),
        Column("flags"),
        Column("reason"),
    )


def _row(
    result: Recommendation | Leaderboard, outcome: Outcome, metric: str, machine: str
) -> TableRow:
    role = role_of(result, outcome)
    state = state_cell(outcome, is_asked=is_asked(result))
    estimate = estimate_of(outcome, metric)
    size = outcome.value("size_mb")
    predicted = outcome.predicted_size_mb
    cells = (
        Cell(outcome.model, note=", ".join(filter(None, (_pinned(outcome), role, machine)))),
        Cell(state, badge=_badge(outcome)),
        _number(quality_cell(outcome, metric), estimate),
        _number(bound_cell(outcome), outcome.lower),
        _number(f"{outcome.n_rows:,}" if outcome.n_rows else "-", outcome.n_rows or None),
        _number(figure(size), size)
        if size is not None or not predicted
        else _number(figure(predicted), predicted, "predicted"),
        *(_timing(outcome, name) for name in ("latency_p50_ms", "latency_p95_ms")),
        *(
            _number(figure(outcome.value(name)), outcome.value(name))
            for name in ("peak_memory_mb", "download_mb")
        ),
        Cell(outcome.license or "unknown", sort=outcome.license or ""),
        Cell("; ".join(outcome.flags), kind="long"),
        Cell(outcome.reason, kind="long"),
    )
    return TableRow(outcome.name, state, cells, "choice" if role == "the choice" else "")


def _pinned(outcome: Outcome) -> str:
    """`onnxruntime-int8 @d207b0e4`."""
    return f"{outcome.recipe.name} @{outcome.revision[:8]}"


def _number(text: str, value: float | None, note: str = "") -> Cell:
    return Cell(text, "number", value, note)


def _timing(outcome: Outcome, name: str) -> Cell:
    timing = outcome.measurements.get(name)
    value = None if timing is None else timing.value
    return _number(figure(value), value, "noisy" if is_noisy(timing) else "")


def is_noisy(timing: Measurement | None) -> bool:
    """Whether a timing decides nothing."""
    return timing is not None and TOO_NOISY in timing.note


def role_of(result: Recommendation | Leaderboard, outcome: Outcome) -> str:
    """What a candidate is to the answer, in words."""
    if isinstance(result, Recommendation):
        if outcome is result.choice:
            return "the choice"
        if result.baseline is not None and outcome.name == result.baseline.name:
            return "the baseline"
    return "on the frontier" if outcome.on_frontier else ""


def _badge(outcome: Outcome) -> str:
    if outcome.acceptable:
        return "good"
    if outcome.state in NOT_RUN:
        return "open"
    is_run = outcome.state in (State.EVALUATED, State.RACED_OUT)
    if is_run and outcome.verdict is Verdict.UNDECIDED and not outcome.misses:
        return "open"
    return "bad"


def _groups(outcomes: Sequence[Outcome], *, is_asked: bool) -> list[Group]:
    """The others, by what the table calls their state."""
    found: dict[str, list[str]] = {}
    for outcome in outcomes:
        found.setdefault(state_cell(outcome, is_asked=is_asked), []).append(outcome.name)
    return [
        Group(f"{len(names):,} more: {state}", _named(names, MOST_NAMED // len(found)))
        for state, names in found.items()
    ]


def _named(names: Sequence[str], room: int) -> str:
    """As many names as there is room for, and how many more there are."""
    n = max(1, sum(end <= room for end in accumulate(len(name) + 2 for name in names)))
    more = f", and {len(names) - n:,} more" if len(names) > n else ""
    return ", ".join(names[:n]) + more
