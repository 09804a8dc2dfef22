"""Plain text for the terminal."""

import shutil
from collections.abc import Sequence
from math import inf
from textwrap import fill

from recommender.leaderboard import Leaderboard
from recommender.recommendation import Outcome, Plan, Recommendation
from recommender.reports.table import (
    HEADER,
    LEGEND,
    Result,
    cells,
    clean,
    estimate_of,
    headline,
    metric_of,
    plan_lines,
    search_sentence,
    tried,
    why_not_run,
)

SHOWN_LEFT_OUT = 5


def render(result: Result, *, verbose: bool = False) -> str:
    """The answer first, then the table, the guarantee, the notes and how to reproduce it."""
    if isinstance(result, Plan):
        return _plan(result, verbose=verbose)
    if isinstance(result, Leaderboard):
        title = f"{clean(result.data)}: {result.n_rows:,} rows, {len(result.entries)} candidates"
        return "\n\n".join([title, _table(result, result.entries)])
    parts = [
        _wrap(headline(result)),
        _table(result, _shown(result, verbose=verbose)),
    ]
    parts += [_turned_down(result, verbose=verbose), _wrap(f"Guarantee: {result.guarantee}.")]
    parts += [_search(result), _choice(result), _notes(result), _reproduce(result)]
    return "\n\n".join(part for part in parts if part)


def _wrap(text: str, indent: str = "") -> str:
    return fill(clean(text), width=_width(), subsequent_indent=indent, break_on_hyphens=False)


def _wrap_line(text: str) -> str:
    """One line of a list."""
    return _wrap(f"  {clean(text)}", "    ")


def _width() -> int:
    return min(100, max(60, shutil.get_terminal_size((100, 24)).columns))


def _table(result: Result, outcomes: Sequence[Outcome]) -> str:
    if not outcomes:
        return ""
    metric = metric_of(result)
    rows = [tuple(metric if h == "quality" else h for h in HEADER)]
    rows += [cells(result, outcome, metric) for outcome in outcomes]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    numeric = range(4, 8)
    lines = [
        " ".join(
            cell.rjust(width) if column in numeric else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, LEGEND] if isinstance(result, Recommendation) else lines)


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
    left_out = [f"  {clean(n)}: {s}: {clean(r)}" for n, s, r in result.plan.left_out]
    more = len(left_out) - SHOWN_LEFT_OUT
    if more > 0 and not verbose:
        left_out = [*left_out[:SHOWN_LEFT_OUT], f"  and {more} more (all with -v)"]
    title = "Turned down:" if verbose else "Turned down (each candidate with -v):"
    parts = [(title, lines), ("Left out before the search:", left_out)]
    return "\n\n".join("\n".join([title, *body]) for title, body in parts if body)


def _each(result: Recommendation) -> list[str]:
    return [f"  {clean(o.name)}: {clean(o.reason)}" for o in result.turned_down]


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
    lines = [
        f"Choice    {choice.name}",
        f"Revision  {choice.revision} from {choice.source}",
        _wrap(f"Labels    {labels}", " " * 10) if labels else "",
        f"Licence   {choice.license or 'unknown'}",
    ]
    return "\n".join(clean(line) for line in lines if line)


def _notes(result: Recommendation) -> str:
    threads = result.environment.get("threads", 1)
    machine = result.environment.get("machine", "this machine")
    when = ", as measured then" if result.from_memory else ""
    measured = f"timings{when}: single requests on {threads} thread(s) of {machine}"
    remembered = ["answered from memory: nothing was loaded"] if result.from_memory else []
    lines = [*result.notes, *([measured, *remembered] if result.candidates else [])]
    if not lines:
        return ""
    return "\n".join(["Notes:", *(_wrap(f"  - {line}", "    ") for line in lines)])


def _reproduce(result: Recommendation) -> str:
    return f"Reproduce: {clean(result.command)}" if result.command else ""


def _plan(plan: Plan, *, verbose: bool) -> str:
    lines = [_wrap(f"Plan: {plan.sentence()}.", "  ")]
    lines += [line if name == "Cost" else _wrap(line, "  ") for name, line in plan_lines(plan)]
    lines += [f"  {clean(name)}: {size:.3g} MB predicted" for name, size in plan.candidates]
    if plan.left_out:
        lines.append(f"Left out ({len(plan.left_out)}):")
        lines += [_wrap_line(f"{n}: {state}: {why}") for n, state, why in plan.left_out]
    return "\n".join(lines)
