"""JSON with a `schema_version`; units are in the names."""

import json
from dataclasses import asdict

from recommender.recommendation import SCHEMA_VERSION, Plan
from recommender.reports.table import Result


def render(result: Result, *, verbose: bool = True) -> str:
    """The whole result; `verbose` changes nothing, a machine gets everything."""
    if isinstance(result, Plan):
        plan = {"schema_version": SCHEMA_VERSION, **asdict(result)}
        return json.dumps(plan, indent=2, ensure_ascii=False)
    return result.to_json()
