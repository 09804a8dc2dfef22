"""Markdown as GitHub shows it."""

import re

from recommender.leaderboard import Leaderboard
from recommender.recommendation import Outcome, Plan, Recommendation
from recommender.reports.table import (
    HEADER,
    Result,
    cells,
    clean,
    headline,
    metric_of,
    plan_lines,
    search_sentence,
    tried,
    why_not_run,
)

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#])")


def escape(text: str) -> str:
    """Text from models and data as Markdown shows it literally."""
    return _SPECIAL.sub(r"\\\1", clean(text))


def render(result: Result, *, verbose: bool = True) -> str:
    """The answer, the table, the reasons, the guarantee, the notes, the command."""
    if isinstance(result, Plan):
        return _plan(result)
    if isinstance(result, Leaderboard):
        return f"# {escape(result.data)}: {result.n_rows:,} rows\n\n{_table(result)}"
    parts = [f"# {escape(headline(result))}", _table(result)]
    if result.choice is not None:
        parts.append(_choice(result.choice))
    reasons = [f"- {escape(o.name)}: {escape(o.reason)}" for o in result.turned_down]
    reasons += [f"- {escape(n)}: {s}: {escape(r)}" for n, s, r in result.plan.left_out]
    if not_run := why_not_run(result):
        reasons.append(f"- {escape(not_run)}")
    if result.plan.requirements and reasons:
        parts.append("## Turned down\n\n" + "\n".join(reasons))
    parts.append(f"## Guarantee\n\n{escape(result.guarantee)}.")
    if said := [*([search_sentence(result)] if result.search else []), *result.ties]:
        parts.append("## Search\n\n" + "\n".join(f"- {escape(line)}" for line in said))
    if result.notes:
        parts.append("## Notes\n\n" + "\n".join(f"- {escape(note)}" for note in result.notes))
    if result.command:
        parts.append(f"## Reproduce\n\n    {clean(result.command)}")
    return "\n\n".join(parts)


def _table(result: Recommendation | Leaderboard) -> str:
    metric = metric_of(result)
    outcomes = tried(result) if isinstance(result, Recommendation) else result.entries
    header = [escape(metric) if name == "quality" else name for name in HEADER]
    rows = [header, ["---"] * len(header)]
    rows += [[escape(cell) for cell in cells(result, o, metric)] for o in outcomes]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _choice(choice: Outcome) -> str:
    labels = choice.labels.sentence if choice.labels and choice.labels.names else "none"
    facts = {
        "Choice": choice.name,
        "Revision": f"{choice.revision} from {choice.source}",
        "Labels": labels,
        "Licence": choice.license or "unknown",
    }
    lines = [f"- {name}: {escape(value)}" for name, value in facts.items()]
    return "\n".join(
        ["`>` the choice, `*` on the frontier, `~` there from part of the rows", "", *lines]
    )


def _plan(plan: Plan) -> str:
    lines = [f"- {escape(line)}" for _, line in plan_lines(plan)]
    lines += [f"- {escape(name)}: {size:.3g} MB predicted" for name, size in plan.candidates]
    lines += [f"- left out: {escape(n)}: {s}: {escape(r)}" for n, s, r in plan.left_out]
    return f"# {escape(plan.sentence())}\n\n" + "\n".join(lines)
