"""The published JSON Schemas: they say all of each field, and hold the outputs to it."""

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from math import inf
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from cache.errors import NotFound
from evaluators.candidate import Recipe
from evaluators.labels import Inferred, LabelMap
from evaluators.measurement import Measurement, State
from recommender.details.parts import (
    CalibrationBin,
    ClassQuality,
    Confusion,
    Details,
    Example,
    SliceQuality,
)
from recommender.evidence.verdict import Verdict
from recommender.leaderboard import Leaderboard, Origin
from recommender.plugins import plugin
from recommender.recommendation import Claim, Outcome, Plan, Recommendation
from recommender.reports import json as json_report
from recommender.reports.json import schema
from recommender.reports.table import Result

NAMES = ("recommendation", "plan", "leaderboard")

LABELS = LabelMap(("a", None), "rows", ("X",), ("b",), Inferred(60, 51, 20))
GOOD = Outcome(
    "team/good", "0" * 40, "hub", Recipe("torch-int8", "torch", "int8"), State.EVALUATED,
    Verdict.SUFFICIENT, "good", 12.0, n_rows=900, n_wrong=90, n_units=880,
    claims=(Claim("accuracy", 0.85, 0.9, 0.87, 880), Claim("f1[a]", 0.8, None, None, 0, False)),
    license="mit", labels=LABELS, on_frontier=True, flags=("drift: 2 of 40 rows change",),
    measurements={
        "size_mb": Measurement("size_mb", 12.3, "MB", 1),
        "accuracy": Measurement("accuracy", 0.9, "ratio", 900, 0.88, 0.92, "Wilson interval"),
    },
)  # fmt: skip
FAILED = Outcome(
    "team/bad", "1" * 40, "folder:/models", Recipe("onnx", "onnxruntime", "fp32", "a.onnx"),
    State.NO_HEAD, Verdict.UNDECIDED, "no head", 3.0,
)  # fmt: skip
PLAN = Plan(
    900, 880, 2, 2, 0.05, 7, "size_mb", ("accuracy >= 0.85",), "distinct texts", ledger="ab",
    candidates=((GOOD.name, 12.0), (FAILED.name, 3.0)),
    left_out=(("team/far@2 torch", "gated", "it needs access"),), warnings=("look out",),
)  # fmt: skip
DETAILS = Details(
    confusion=Confusion(("a", "b"), ("a", "b", "(no label of the data)"), ((5, 1, 0), (2, 3, 1))),
    classes=(ClassQuality("a", 6, 5 / 7, 5 / 6, 10 / 13), ClassQuality("b", 6, 0.75, 0.5, None)),
    slices=(SliceQuality("lang", "de", 12, 0.6, 0.4, 0.8), SliceQuality("lang", "en", 2, 1.0)),
    calibration=(CalibrationBin(0.9, 1.0, 12, 0.95, 0.67),), calibration_error=0.28,
    latency_ms={"5": 1.0, "50": 2.0, "99": 9.0},
    memory_mb={"runtime": 60.0, "model": 12.0, "working": 8.0},
)  # fmt: skip
DATA = {
    "name": "rows.csv", "dataset": "stanfordnlp/sst2", "revision": "abc", "n_rows": 900,
    "n_units": 880, "labels": ["a", "b"], "fingerprint": "ff", "positive": None,
    "task": {"name": "text-classification", "max_length": 512, "batch_size": 32,
             "options": {"several_labels": False}},
}  # fmt: skip
ENVIRONMENT = {
    "recommender": "0.1.0", "machine": "a processor, 2 cores", "libraries": {"torch": "2.10"},
    "threads": 1, "elapsed_s": 12.5, "home": "/home/me/.cache/recommender",
}  # fmt: skip
SEARCH = {"reason": "over", "raced_out": 1, "skipped": 0, "excluded": 2, "saved_mb": 10.5}
ANSWER = Recommendation(
    PLAN, GOOD, (GOOD, FAILED), "all is well", "complete", DATA, ENVIRONMENT, SEARCH, ("a tie",),
    ("a note",), "recommender find rows.csv", baseline=GOOD, details={GOOD.name: DETAILS},
    examples=(Example("a row", "b", {GOOD.name: "a"}),),
)  # fmt: skip
NOTHING = Recommendation(PLAN, None, (), "", "time limit", DATA, ENVIRONMENT)
ORIGIN = Origin("2026-11-22T18:00:00+00:00", "a processor", "ab12", True, None, 1)
BOARD = Leaderboard(
    "text-classification", "rows.csv", 900, (GOOD, FAILED), origins=(ORIGIN, ORIGIN),
    notes=("mind this",),
)  # fmt: skip


def told(result: Result) -> Any:
    return json.loads(json_report.render(result))


@pytest.mark.parametrize(
    ("result", "name"),
    [
        (ANSWER, "recommendation-3.json"),
        (NOTHING, "recommendation-3.json"),
        (PLAN, "plan-3.json"),
        (BOARD, "leaderboard-3.json"),
        (Leaderboard("text-classification", "rows.csv", 900, (GOOD,)), "leaderboard-3.json"),
    ],
    ids=["answer", "no answer", "plan", "leaderboard", "leaderboard without origins"],
)
def test_an_output_names_its_schema_and_follows_it(result: Result, name: str) -> None:
    """Everything that can be in it is described, and nothing else is in it."""
    assert told(result)["$schema"] == name
    assert told(result)["schema_version"] == 3
    Draft202012Validator(schema(name)).validate(told(result))


def gone(*path: str | int) -> Callable[[Any], None]:
    def change(value: Any) -> None:
        for step in path[:-1]:
            value = value[step]
        del value[path[-1]]

    return change


def put(value_there: object, *path: str | int) -> Callable[[Any], None]:
    def change(value: Any) -> None:
        for step in path[:-1]:
            value = value[step]
        value[path[-1]] = value_there

    return change


@pytest.mark.parametrize(
    "change",
    [
        put(4, "schema_version"),
        put("recommendation-4.json", "$schema"),
        gone("guarantee"),
        put("small", "candidates", 0, "predicted_size_mb"),
        put(12.0, "candidates", 0, "size"),
        put("fine", "candidates", 0, "state"),
        put("12", "candidates", 0, "measurements", "size_mb", "value"),
        gone("candidates", 0, "measurements", "size_mb", "unit"),
        gone("candidates", 0, "flags"),
        put([60, 51], "candidates", 0, "labels", "inferred"),
        put("0.9", "choice", "claims", 0, "lower"),
        put([["team/good", "12"]], "plan", "candidates"),
        put([["team/far", "gated"]], "plan", "left_out"),
        put({"6": 1.0}, "details", GOOD.name, "latency_ms"),
        put([[1.5]], "details", GOOD.name, "confusion", "counts"),
        put("text", "examples", 0, "answers"),
        put(1.0, "search", "saved_gb"),
    ],
)
def test_a_changed_output_is_refused(change: Callable[[Any], None]) -> None:
    """A field that is renamed, gone, new or of another type needs another version."""
    changed = copy.deepcopy(told(ANSWER))
    validator = Draft202012Validator(schema("recommendation"))
    assert validator.is_valid(changed)
    change(changed)
    assert not validator.is_valid(changed)


@pytest.mark.parametrize("form", ["text", "md"])
def test_examples_are_shown_where_there_are_some(form: str) -> None:
    """The row, its label, and what was answered."""
    report = " ".join(plugin("reports", form)(ANSWER, verbose=True).split()).replace("\\", "")
    assert "a row: b, and team/good@00000000 torch-int8 answered a" in report
    assert "Answered wrongly" not in plugin("reports", form)(NOTHING, verbose=True)


def test_what_json_cannot_hold_is_null_or_escaped() -> None:
    """Any parser reads it: no `Infinity`, and only text that UTF-8 can hold."""
    perplexity = Measurement("perplexity", inf, "ratio", 900, 3.5, inf, "bootstrap interval")
    endless = replace(
        GOOD, measurements={"perplexity": perplexity}, license="half \ud800, \x9b31m\u202e"
    )
    text = json_report.render(replace(ANSWER, choice=endless, candidates=(endless, FAILED)))
    found = json.loads(text.encode("utf-8"), parse_constant=pytest.fail)
    Draft202012Validator(schema("recommendation")).validate(found)
    shown = found["choice"]["measurements"]["perplexity"]
    assert (shown["value"], shown["low"], shown["high"]) == (None, 3.5, None)
    assert found["choice"]["license"] == "half \ud800, \x9b31m\u202e"
    assert not {"\ud800", "\x9b", "\u202e"}.intersection(text)


def test_the_whole_answer_survives_its_json() -> None:
    """With warnings, details and examples."""
    back = Recommendation.from_json(ANSWER.to_json())
    assert back == ANSWER
    assert back.choice is back.candidates[0]
    assert "examples" not in told(NOTHING)


# ---------------------------------------------------------------------- the schemas themselves
def fields(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property of every object in a schema, with its path."""
    if isinstance(value, list):
        for item in value:
            yield from fields(item, path)
    if not isinstance(value, dict):
        return
    for name, each in value.get("properties", {}).items():
        yield f"{path}.{name}", each
    for name, each in value.items():
        inner = each if name != "properties" else list(each.values())
        yield from fields(inner, f"{path}.{name}" if name in value.get("$defs", {}) else path)


@pytest.mark.parametrize("name", NAMES)
def test_each_field_has_a_title_a_description_and_its_unit(name: str) -> None:
    """Units are in the names too, where a figure is a cost."""
    found = schema(name)
    Draft202012Validator.check_schema(found)
    assert found["$id"].endswith(f"{name}-3.json")
    assert len(list(fields(found))) > 10
    units = {"_mb": "MB", "_s": "s", "_ms": "ms"}
    for path, field in fields(found):
        assert field["title"], path
        assert field["description"].endswith("."), path
        types = field.get("type", [])
        if {"number", "integer"}.intersection([types] if isinstance(types, str) else types):
            assert "unit" in field, path
        for end, unit in units.items():
            if path.endswith(end):
                assert field["unit"] == unit, path


def test_what_two_schemas_describe_they_describe_alike() -> None:
    """A claim is a claim in each of them."""
    first, second = (schema(name)["$defs"] for name in ("recommendation", "leaderboard"))
    shared = first.keys() & second.keys()
    assert {"claim", "measurement", "recipe", "labels"} <= shared
    assert all(first[name] == second[name] for name in shared)
    outcome, entry = first["outcome"]["properties"], second["entry"]["properties"]
    assert outcome.items() <= entry.items()
    assert schema("plan")["properties"].items() >= first["plan"]["properties"].items()


def test_the_schema_knows_every_state_and_verdict() -> None:
    """A new state is a new version, or an addition to this one."""
    known = schema("recommendation")["$defs"]["outcome"]["properties"]
    assert known["state"]["enum"] == [str(state) for state in State]
    assert known["verdict"]["enum"] == [str(verdict) for verdict in Verdict]


def test_an_unknown_schema_is_answered_with_the_list() -> None:
    """By name or by file."""
    assert schema("plan") == schema("plan-3.json")
    with pytest.raises(NotFound, match=r"no schema 'plans'; there are leaderboard-3\.json, plan-3"):
        schema("plans")
