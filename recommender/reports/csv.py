"""CSV, one row a candidate, safe against spreadsheet formulas."""

import csv
import io
from collections.abc import Mapping
from typing import Any

from recommender.recommendation import Plan
from recommender.reports.table import Result, clean

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""How formulas of a spreadsheet start, in East Asian versions with full-width signs too (OWASP, CSV
injection). A text that does gets an apostrophe before it; figures stay figures."""


def render(result: Result, *, verbose: bool = True) -> str:
    """Every candidate with all its figures; what was not measured is empty."""
    rows = _records(result)
    known = dict.fromkeys(name for row in rows for name in row)
    names = sorted(known, key=lambda name: name == "reason")  # the longest stands last
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _safe(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _records(result: Result) -> list[Mapping[str, Any]]:
    if isinstance(result, Plan):
        return [{"candidate": name, "predicted_size_mb": size} for name, size in result.candidates]
    return [{clean(name): value for name, value in row.items()} for row in result.records()]


def _safe(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = clean(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
