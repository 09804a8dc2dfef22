"""Markdown as GitHub shows it."""

import re
from collections.abc import Iterable, Sequence

from recommender.details.parts import Details
from recommender.leaderboard import Leaderboard
from recommender.recommendation import Outcome, Plan, Recommendation
from recommender.reports.figures import quality
from recommender.reports.table import (
    HEADER,
    Result,
    clean,
    header,
    headline,
    metric_of,
    plan_lines,
    search_sentence,
    tried,
    why_not_run,
)
from recommender.reports.terminal_table import NOISY, NOISY_REMARK, row_of

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~$&])")
_LINKED = re.compile(
    r"((?<!\w)@(?=\w)|@(?=[\w-]+\.)|://|\bwww\.|#(?=\d)|\bGH-(?=\d))", re.IGNORECASE
)
_LIST_START = re.compile(r"^(\s*(?:\d{1,9}(?=[.)](?:\s|$))|(?=[-+](?:\s|$)|--)))")
_WIDE_SPACE = re.compile(r"[\t\r\n]+")

MOST_CLASSES = 30


def escape(text: str) -> str:
    """Text from models and data as Markdown shows it literally, in one line.

    The characters are those that GitHub's dialect gives a meaning: its specification, and `$` for
    mathematics. Addresses and mentions, which it finds whatever is escaped, are broken by a comment
    that shows nothing.
    """
    escaped = _SPECIAL.sub(r"\\\1", clean(_WIDE_SPACE.sub(" ", text)))
    return _LINKED.sub(r"\1<!-- -->", escaped)


def item(text: str) -> str:
    """One line of a list; what would begin a list in it is escaped too."""
    return "- " + _LIST_START.sub(r"\1\\", escape(text))


def render(result: Result, *, verbose: bool = True) -> str:
    """The answer, the table, the reasons, the guarantee, the notes, the command."""
    if isinstance(result, Plan):
        return _plan(result)
    if isinstance(result, Leaderboard):
        return _leaderboard(result)
    parts = [f"# {escape(headline(result))}", _table(result)]
    if result.choice is not None:
        parts.append(_choice(result.choice))
        parts += _details(result.details.get(result.choice.name))
    parts += _flags(tried(result))
    reasons = [item(f"{o.name}: {o.reason}") for o in result.turned_down]
    reasons += [item(f"{n}: {s}: {r}") for n, s, r in result.plan.left_out]
    if not_run := why_not_run(result):
        reasons.append(item(not_run))
    if result.plan.requirements and reasons:
        parts.append("## Turned down\n\n" + "\n".join(reasons))
    parts.append(f"## Guarantee\n\n{escape(result.guarantee)}.")
    if said := [*([search_sentence(result)] if result.search else []), *result.ties]:
        parts.append("## Search\n\n" + "\n".join(map(item, said)))
    if result.examples:
        wrong = (item(each.sentence) for each in result.examples)
        parts.append("## Answered wrongly\n\n" + "\n".join(wrong))
    if result.notes:
        parts.append("## Notes\n\n" + "\n".join(map(item, result.notes)))
    if result.command:
        parts.append(f"## Reproduce\n\n    {clean(result.command)}")
    return "\n\n".join(parts)


def _leaderboard(board: Leaderboard) -> str:
    places = [
        item(f"{entry.name}: timed on {machine}")
        for entry, machine in zip(board.entries, board.machines, strict=False)
        if machine
    ]
    parts = [f"# {escape(board.data)}: {board.n_rows:,} rows", _table(board)]
    parts += _flags(board.entries)
    if places or board.notes:
        notes = [*map(item, board.notes), *places]
        parts.append("## Notes\n\n" + "\n".join(notes))
    return "\n\n".join(parts)


def _flags(outcomes: Iterable[Outcome]) -> list[str]:
    """What a reader should be warned of."""
    lines = [item(f"{o.name}: {flag}") for o in outcomes for flag in o.flags]
    return ["## Flags\n\n" + "\n".join(lines)] if lines else []


def _details(details: Details | None) -> list[str]:
    """The choice by class and by slice, and how sure it is; nothing where that is not known."""
    if details is None:
        return []
    parts = []
    if details.classes:
        shown = details.classes[:MOST_CLASSES]
        rows = [
            [each.label, f"{each.n:,}", *map(_share, (each.precision, each.recall, each.f1))]
            for each in shown
        ]
        parts.append(_grid(["class", "rows", "precision", "recall", "F1"], rows))
        if more := len(details.classes) - len(shown):
            parts.append(f"and {more:,} more classes")
    if details.slices:
        rows = [
            [f"{each.column}={each.value}", f"{each.n:,}", _share(each.quality),
             "-" if each.low is None else f"{_share(each.low)} to {_share(each.high)}"]
            for each in details.slices
        ]  # fmt: skip
        parts.append(
            _grid(["slice", "rows", details.slice_metric or "quality", "95 % interval"], rows)
        )
    if details.calibration_error is not None:
        parts.append(f"Expected calibration error: {details.calibration_error:.3f}")
    return ["## The choice in detail", *parts] if parts else []


def _share(value: float | None) -> str:
    return "-" if value is None else quality(value)


def _grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose cells are any text; the columns after the first are numbers."""
    lines = [list(header), ["---", *["---:"] * (len(header) - 1)]]
    lines += [list(map(escape, row)) for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _table(result: Recommendation | Leaderboard) -> str:
    metric = metric_of(result)
    outcomes = tried(result) if isinstance(result, Recommendation) else result.entries
    names = [name if name in HEADER else escape(name) for name in header(result)]
    rows = [names, ["---"] * len(names)]
    rows += [list(map(escape, row_of(result, o, metric).values())) for o in outcomes]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    is_noisy = any(cell.endswith(NOISY) for row in rows for cell in row)
    return f"{table}\n\n{NOISY_REMARK}" if is_noisy else table


def _choice(choice: Outcome) -> str:
    labels = choice.labels.sentence if choice.labels and choice.labels.names else "none"
    facts = {
        "Choice": choice.name,
        "Revision": f"{choice.revision} from {choice.source}",
        "Labels": labels,
        "Licence": choice.license or "unknown",
    }
    lines = [item(f"{name}: {value}") for name, value in facts.items()]
    return "\n".join(
        ["`>` the choice, `*` on the frontier, `~` there from part of the rows", "", *lines]
    )


def _plan(plan: Plan) -> str:
    lines = [item(line) for _, line in plan_lines(plan)]
    lines += [item(f"{name}: {size:.3g} MB predicted") for name, size in plan.candidates]
    lines += [item(f"left out: {n}: {s}: {r}") for n, s, r in plan.left_out]
    return f"# {escape(plan.sentence())}\n\n" + "\n".join(lines)
