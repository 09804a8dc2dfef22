"""The table of candidates as wide as a terminal is: fewer columns, or two lines a candidate."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count, product
from string import ascii_lowercase

from recommender.leaderboard import Leaderboard
from recommender.recommendation import Outcome, Recommendation
from recommender.reports.table import HEADER, cells, clean, header, metric_of
from recommender.reports.table_view import is_noisy
from recommender.reports.widths import columns, shortened

Row = Mapping[str, str]

MARK, NAME, QUALITY = HEADER[:3]
RIGHT = frozenset({"size_mb", "p50_ms", "p95_ms", "peak_mb"})
MEASURES = {"p50_ms": "latency_p50_ms", "p95_ms": "latency_p95_ms", "peak_mb": "peak_memory_mb"}
INTERVAL = "interval"
INDENT = "    "
NOISY, NOISY_REMARK = "?", "? too noisy to decide"

ONE_LINE: tuple[tuple[str, ...], ...] = (
    (),
    ("p50_ms",),
    ("p50_ms", "peak_mb"),
    ("p50_ms", "peak_mb", INTERVAL),
)
"""What is left out where it does not fit, in this order; then each name has a line of its own."""

TWO_LINES = (
    *ONE_LINE,
    (*ONE_LINE[-1], "p95_ms"),
    (*ONE_LINE[-1], "p95_ms", "certified"),
)


def terminal_table(
    result: Recommendation | Leaderboard, outcomes: Sequence[Outcome], width: int
) -> tuple[list[str], list[str]]:
    """The lines of the table, and what its marks mean beside those of the legend.

    No line is wider than `width`, of 60 columns or more, unless a figure itself is.
    """
    metric = metric_of(result)
    places = _places(result)
    head = dict(zip(HEADER, header(result), strict=True))
    letters = _letters(result, places)
    rows = [head, *(row_of(result, o, metric, letters.get(id(o), "")) for o in outcomes)]
    lines, left_out = _fitted(rows, width)
    return lines, _remarks(rows, left_out, places)


def row_of(
    result: Recommendation | Leaderboard, outcome: Outcome, metric: str, letter: str = ""
) -> Row:
    """The cells of a candidate by their column, with a mark where a timing is noisy, and the letter
    of the machine where it was taken on another one."""
    row = dict(zip(HEADER, cells(result, outcome, metric), strict=True))
    for name, measure in MEASURES.items():
        if row[name] != "-":
            noisy = NOISY if is_noisy(outcome.measurements.get(measure)) else ""
            row[name] += noisy + letter
    return row


def _places(result: Recommendation | Leaderboard) -> dict[str, str]:
    """A letter for each machine other than this one on which entries were timed."""
    machines = result.machines if isinstance(result, Leaderboard) else ()
    others = dict.fromkeys(machine for machine in machines if machine)
    return dict(zip(others, _labels(), strict=False))


def _labels() -> Iterator[str]:
    """`a` to `z`, `aa`, `ab`, and so on."""
    return ("".join(letters) for n in count(1) for letters in product(ascii_lowercase, repeat=n))


def _letters(result: Recommendation | Leaderboard, places: Mapping[str, str]) -> dict[int, str]:
    """The letter of each entry that was timed on another machine, by its identity."""
    if not isinstance(result, Leaderboard):
        return {}
    pairs = zip(result.entries, result.machines, strict=False)
    return {id(entry): places.get(machine, "") for entry, machine in pairs}


def _fitted(rows: Sequence[Row], width: int) -> tuple[list[str], tuple[str, ...]]:
    """The first layout that fits, and what it leaves out."""
    for left_out in ONE_LINE:
        lines = _laid_out(rows, HEADER, left_out)
        if _widest(lines) <= width:
            return lines, left_out
    for left_out in TWO_LINES:
        lines = _laid_out(rows, HEADER[2:], left_out)
        if _widest(lines) + len(INDENT) <= width:
            break
    apart = [
        part
        for row, line in zip(rows, lines, strict=True)
        for part in (f"{row[MARK]:1} {shortened(row[NAME], width - 2, in_the_middle=True)}",
                     f"{INDENT}{line}")
    ]  # fmt: skip
    return apart, left_out


def _laid_out(rows: Sequence[Row], names: Sequence[str], left_out: Sequence[str]) -> list[str]:
    """A line for each row, its cells below one another."""
    if INTERVAL in left_out:
        rows = [rows[0], *map(_without_interval, rows[1:])]
    shown = [name for name in names if name not in left_out]
    widths = [max(columns(row[name]) for row in rows) for name in shown]
    return [
        " ".join(
            _padded(row[name], width, is_right=name in RIGHT)
            for name, width in zip(shown, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def _without_interval(row: Row) -> Row:
    """With the estimate alone."""
    return {**row, QUALITY: row[QUALITY].partition(" ")[0]}


def _padded(cell: str, width: int, *, is_right: bool) -> str:
    space = " " * (width - columns(cell))
    return space + cell if is_right else cell + space


def _widest(lines: Sequence[str]) -> int:
    return max(map(columns, lines))


def _remarks(rows: Sequence[Row], left_out: Sequence[str], places: Mapping[str, str]) -> list[str]:
    timed = [row[name] for row in rows[1:] for name in MEASURES if name not in left_out]
    remarks = [f"{letter} timed on {clean(machine)}" for machine, letter in places.items()]
    if any(NOISY in cell for cell in timed):
        remarks.insert(0, NOISY_REMARK)
    if left_out:
        remarks.append(f"left out for width: {', '.join(left_out)}")
    return remarks
