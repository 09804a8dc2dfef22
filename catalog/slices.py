"""A part of what a source lists: models of one task, language, licence, author or size."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from cache.errors import BadInput
from catalog.model import Model

FILTERS = ("language", "license", "author", "parameters")
UNITS: Mapping[str, float] = {"": 1, "K": 1e3, "M": 1e6, "B": 1e9}
BOUND = r"\d+(?:\.\d+)?[KMB]?"
PARAMETERS = re.compile(rf"(?=.)(?:min:(?P<min>{BOUND}))?(?:(?:^|,)max:(?P<max>{BOUND}))?")
VALUE = re.compile(r"[^\s,\x00-\x1f]{1,100}")


def slice_of(task: str | None, filters: Mapping[str, str] | None = None) -> dict[str, str]:
    """The slice as its source and the store know it. Raises BadInput for an unknown filter.

    `parameters` is written as the Hub does: `min:10M,max:1B`, either part alone as well.
    """
    given = {"task": task, **(filters or {})}
    found = {name: value for name, value in given.items() if value is not None}
    for name, value in found.items():
        if name not in ("task", *FILTERS):
            raise BadInput(f"a crawl has no filter {name!r}; there are {', '.join(FILTERS)}")
        if name != "parameters" and not VALUE.fullmatch(value):
            raise BadInput(f"{name} {value!a} is no single name; crawl once for each")
    if "parameters" in found and not PARAMETERS.fullmatch(found["parameters"]):
        raise BadInput(
            f"parameters {found['parameters']!a} cannot be read; "
            "write min:10M,max:1B, or one of the two"
        )
    return found


def time_of(since: str) -> str:
    """A date or a time as listings write it: UTC, to the millisecond. Raises BadInput."""
    try:
        time = datetime.fromisoformat(since)
    except ValueError as error:
        raise BadInput(f"{since!a} is no date; write 2026-01-31 or 2026-01-31T12:00Z") from error
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    utc = aware.astimezone(UTC).replace(tzinfo=None)
    return f"{utc.isoformat(timespec='milliseconds')}Z"


def matches(model: Model, slice: Mapping[str, str]) -> bool:
    """Whether a described model belongs to a slice."""
    found = {
        "task": [model.task],
        "language": model.languages,
        "license": [model.license],
        "author": [model.id.rpartition("/")[0]],
    }
    is_fitting = _fits(model.n_parameters, slice.get("parameters"))
    return is_fitting and all(
        value in found[name] for name, value in slice.items() if name in found
    )


def _fits(n_parameters: int | None, bounds: str | None) -> bool:
    match = PARAMETERS.fullmatch(bounds or "")
    if match is None:
        return True
    lower, upper = _number(match["min"] or "0"), _number(match["max"] or "1000000B")
    return n_parameters is not None and lower <= n_parameters <= upper


def _number(bound: str) -> float:
    digits = bound.rstrip("KMB")
    return float(digits) * UNITS[bound[len(digits) :]]
