"""CSV, one row a candidate, safe against spreadsheet formulas."""

import csv
import io
from collections.abc import Mapping
from typing import Any

from recommender.leaderboard import Leaderboard
from recommender.recommendation import Outcome, Plan
from recommender.reports.table import Result, clean

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""How formulas of a spreadsheet start, in East Asian versions with full-width signs too (OWASP, CSV
injection). A text that does gets an apostrophe before it; figures stay figures."""


def render(result: Result, *, verbose: bool = True) -> str:
    """Every candidate with all its figures; what was not measured is empty."""
    rows = _records(result)
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _safe(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _records(result: Result) -> list[Mapping[str, Any]]:
    if isinstance(result, Plan):
        return [{"candidate": name, "predicted_size_mb": size} for name, size in result.candidates]
    rows = result.records()
    if isinstance(result, Leaderboard):
        outcomes = list(result.entries)
    else:
        outcomes = [*result.candidates, *([result.baseline] if result.baseline else [])]
    return [_record(row, outcome) for row, outcome in zip(rows, outcomes, strict=False)]


def _record(row: dict[str, Any], outcome: Outcome) -> Mapping[str, Any]:
    """The flat row, with the estimate and the units beside each certified bound."""
    known = {}
    for claim in outcome.claims:
        known[f"{claim.subject}_estimate"] = claim.estimate
        known[f"{claim.subject}_certified"] = row.pop(f"{claim.subject}_certified", claim.lower)
        known[f"{claim.subject}_target"] = claim.target
        known[f"{claim.subject}_n"] = claim.n
    reason = row.pop("reason")
    named = {**row, **known, "reason": reason}
    return {clean(name): value for name, value in named.items()}


def _safe(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = clean(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
