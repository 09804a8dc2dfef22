"""Plain text for the terminal."""

import shutil
import sys
from collections.abc import Iterable, Sequence
from math import inf
from textwrap import fill

from recommender.leaderboard import Leaderboard
from recommender.recommendation import Outcome, Plan, Recommendation
from recommender.reports.table import (
    BOARD_LEGEND,
    LEGEND,
    Result,
    clean,
    estimate_of,
    headline,
    metric_of,
    plan_lines,
    search_sentence,
    tried,
    why_not_run,
)
from recommender.reports.terminal_table import terminal_table

SHOWN_LEFT_OUT = 5
SHOWN_ENTRIES = 40
"""Of a leaderboard in a terminal."""
LEAST_WIDTH, PROSE_WIDTH = 60, 100
LEAST_POINTS = 4


def render(result: Result, *, verbose: bool = False) -> str:
    """The answer first, then the table, the guarantee, the notes and how to reproduce it."""
    if isinstance(result, Plan):
        return _plan(result, verbose=verbose)
    if isinstance(result, Leaderboard):
        return _leaderboard(result, verbose=verbose)
    shown = _shown(result, verbose=verbose)
    parts = [_wrap(headline(result)), _table(result, shown)]
    if verbose or sys.stdout.isatty():
        parts.append(_plot(result))
    is_long = verbose or result.choice is None
    parts.append(_flags(shown if is_long else [o for o in shown if o is result.choice]))
    parts += [_turned_down(result, verbose=verbose), _wrap(f"Guarantee: {result.guarantee}.")]
    parts += [_search(result), _choice(result)]
    parts.append(_list("Answered wrongly:", (each.sentence for each in result.examples)))
    parts += [_notes(result), _reproduce(result)]
    return "\n\n".join(part for part in parts if part)


def _leaderboard(board: Leaderboard, *, verbose: bool) -> str:
    n = len(board.entries)
    title = f"{board.data}: {board.n_rows:,} rows, {n:,} {'candidate' if n == 1 else 'candidates'}"
    shown = board.entries if verbose else board.entries[:SHOWN_ENTRIES]
    more = n - len(shown)
    parts = [_wrap(title), _table(board, shown)]
    parts += [_wrap(f"and {more:,} more (all with -v, or in a file: -o board.html)")] * (more > 0)
    parts += [_flags(shown), _list("Notes:", board.notes)]
    return "\n\n".join(part for part in parts if part)


def _wrap(text: str, indent: str = "", *, start: str = "") -> str:
    """Lines of at most the width; a name is never broken. `start` stands before the first."""
    return fill(
        clean(text),
        width=min(PROSE_WIDTH, _width()),
        initial_indent=start,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _wrap_line(text: str) -> str:
    """One line of a list."""
    return _wrap(text, "    ", start="  ")


def _width() -> int:
    """Columns of the terminal; what is no terminal has as many as are needed."""
    return max(LEAST_WIDTH, shutil.get_terminal_size((sys.maxsize, 24)).columns)


def _table(result: Recommendation | Leaderboard, outcomes: Sequence[Outcome]) -> str:
    if not outcomes:
        return ""
    lines, remarks = terminal_table(result, outcomes, _width())
    is_answer = isinstance(result, Recommendation)
    legend = (LEGEND if is_answer else BOARD_LEGEND).replace("\n", "   ").split("   ")
    return "\n".join([*lines, *_flowing([*legend, *remarks])])


def _flowing(parts: Iterable[str]) -> list[str]:
    """Short remarks, as many in a line as fit."""
    width = min(PROSE_WIDTH, _width())
    lines: list[str] = []
    for part in parts:
        joined = f"{lines[-1]}   {part}" if lines else part
        if lines and len(joined) <= width:
            lines[-1] = joined
        else:
            lines += _wrap(part, "  ").split("\n")
    return lines


def _plot(result: Recommendation) -> str:
    """The candidates as points, where there are enough of them to see something."""
    from recommender.reports.points import points_of
    from recommender.reports.terminal_plot import terminal_plot

    n_points = sum(point.quality is not None for point in points_of(result))
    return terminal_plot(result, min(PROSE_WIDTH, _width())) if n_points >= LEAST_POINTS else ""


def _flags(outcomes: Iterable[Outcome]) -> str:
    """What a reader should be warned of, a line each; the same of several candidates once."""
    warned: dict[str, list[str]] = {}
    for outcome in outcomes:
        for flag in outcome.flags:
            warned.setdefault(flag, []).append(outcome.name)
    return _list("Flags:", (f"{_of(names)}: {flag}" for flag, names in warned.items()))


def _of(names: Sequence[str]) -> str:
    """The name, or the first of several and how many others there are."""
    more = len(names) - 1
    return names[0] if not more else f"{names[0]} and {more:,} other{'s' if more > 1 else ''}"


def _list(title: str, lines: Iterable[str]) -> str:
    body = [_wrap(line, "    ", start="  - ") for line in lines]
    return "\n".join([title, *body]) if body else ""


def _shown(result: Recommendation, *, verbose: bool) -> list[Outcome]:
    """The rows of the table: the choice and the frontier, or with -v all that was tried."""
    outcomes = tried(result)
    if verbose or not result.plan.requirements:
        return outcomes
    shown = [o for o in outcomes if o.on_frontier or o is result.choice]
    return sorted(shown, key=lambda o: o is not result.choice)


def _turned_down(result: Recommendation, *, verbose: bool) -> str:
    if not result.plan.requirements:
        return ""
    lines = _each(result) if verbose else _by_model(result)
    if not_run := why_not_run(result):
        lines.append(_wrap_line(not_run))
    left_out = [_wrap_line(f"{n}: {s}: {r}") for n, s, r in result.plan.left_out]
    more = len(left_out) - SHOWN_LEFT_OUT
    if more > 0 and not verbose:
        left_out = [*left_out[:SHOWN_LEFT_OUT], f"  and {more} more (all with -v)"]
    title = "Turned down:" if verbose else "Turned down (each candidate with -v):"
    parts = [(title, lines), ("Left out before the search:", left_out)]
    return "\n\n".join("\n".join([title, *body]) for title, body in parts if body)


def _each(result: Recommendation) -> list[str]:
    return [_wrap_line(f"{o.name}: {o.reason}") for o in result.turned_down]


def _by_model(result: Recommendation) -> list[str]:
    """One line a model: how many of its recipes, and the reason of the best of them."""
    metric = metric_of(result)
    models: dict[str, list[Outcome]] = {}
    for outcome in result.turned_down:
        models.setdefault(outcome.model, []).append(outcome)
    lines = []
    for model, outcomes in models.items():
        best = max(outcomes, key=lambda o: _or_least(estimate_of(o, metric)))
        recipes = "recipe" if len(outcomes) == 1 else "recipes, the best"
        lines.append(
            _wrap_line(f"{model}: {len(outcomes)} {recipes} {best.recipe.name}: {best.reason}")
        )
    return lines


def _or_least(estimate: float | None) -> float:
    """A quality, also a negative difference, ranks above one that is not known."""
    return -inf if estimate is None else estimate


def _search(result: Recommendation) -> str:
    """Why the search stopped, what it saved, and who cannot be told from the choice."""
    lines = [f"Search: {search_sentence(result)}."] if result.search else []
    return "\n".join(_wrap(line, "    ") for line in [*lines, *result.ties])


def _choice(result: Recommendation) -> str:
    choice = result.choice
    if choice is None:
        return ""
    labels = choice.labels.sentence if choice.labels and choice.labels.names else ""
    facts = {
        "Choice": choice.name,
        "Revision": f"{choice.revision} from {choice.source}",
        "Labels": labels,
        "Licence": choice.license or "unknown",
    }
    return "\n".join(
        _wrap(fact, " " * 10, start=f"{name:10}") for name, fact in facts.items() if fact
    )


def _notes(result: Recommendation) -> str:
    threads = result.environment.get("threads", 1)
    machine = result.environment.get("machine", "this machine")
    when = ", as measured then" if result.from_memory else ""
    measured = f"timings{when}: single requests on {threads} thread(s) of {machine}"
    remembered = ["answered from memory: nothing was loaded"] if result.from_memory else []
    lines = [*result.notes, *([measured, *remembered] if result.candidates else [])]
    return _list("Notes:", lines)


def _reproduce(result: Recommendation) -> str:
    return f"Reproduce: {clean(result.command)}" if result.command else ""


def _plan(plan: Plan, *, verbose: bool) -> str:
    lines = [_wrap(f"Plan: {plan.sentence()}.", "  ")]
    lines += [_wrap(line, "  ") for _, line in plan_lines(plan)]
    lines += [_wrap_line(f"{name}: {size:.3g} MB predicted") for name, size in plan.candidates]
    if plan.left_out:
        lines.append(f"Left out ({len(plan.left_out)}):")
        lines += [_wrap_line(f"{n}: {state}: {why}") for n, state, why in plan.left_out]
    return "\n".join(lines)
