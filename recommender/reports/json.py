"""JSON by a published schema (recommender/reports/schema/); units are in the names."""

import json
from dataclasses import asdict
from importlib.resources import files
from typing import Any

from cache.errors import NotFound
from recommender.recommendation import SCHEMA_VERSION, Plan, json_text
from recommender.reports.table import Result


def render(result: Result, *, verbose: bool = True) -> str:
    """The whole result; `verbose` changes nothing, a machine gets everything."""
    if isinstance(result, Plan):
        named = {"$schema": f"plan-{SCHEMA_VERSION}.json", "schema_version": SCHEMA_VERSION}
        return json_text({**named, **asdict(result)})
    return result.to_json()


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) that an output's `$schema` names, `recommendation-3.json`.

    `recommendation`, `leaderboard` and `plan` are the newest ones. NotFound for any other.
    """
    every = {file.name: file for file in files("recommender.reports").joinpath("schema").iterdir()}
    versions = sorted((n for n in every if n.startswith(f"{name}-")), key=lambda n: (len(n), n))
    newest = versions[-1] if versions else name
    if newest not in every:
        raise NotFound(f"there is no schema '{name}'; there are {', '.join(sorted(every))}")
    found: dict[str, Any] = json.loads(every[newest].read_text("utf-8"))
    return found
