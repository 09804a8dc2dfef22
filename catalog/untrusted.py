"""Reads values out of JSON that strangers wrote: with caps; wrong types become None."""

import json
import math
from collections.abc import Mapping
from typing import Any  # JSON values have any type until they are read

from cache.errors import RecommenderError

JSON_LIMIT_BYTES = 5_000_000
DEPTH_LIMIT = 50
DIGITS_LIMIT = 20
NESTING = (dict, list)
COUNT_LIMIT = 2**53  # beyond it, neither SQLite's nor JSON's integers are safe


class Unreadable(RecommenderError, ValueError):
    """A file or an answer that is not what it should be; the message says what was found."""


def parse_object(text: bytes, *, limit_bytes: int = JSON_LIMIT_BYTES) -> dict[str, Any]:
    """A JSON object. Raises Unreadable for anything else, too large, or too deep."""
    value = parse_json(text, limit_bytes=limit_bytes)
    if not isinstance(value, dict):
        raise Unreadable(f"expected a JSON object, found {type(value).__name__}")
    return value


def parse_json(
    text: bytes, *, limit_bytes: int = JSON_LIMIT_BYTES, depth: int | None = DEPTH_LIMIT
) -> Any:
    """A JSON value whose NaN and Infinity are None. Raises Unreadable.

    Without a `depth`, whoever reads its parts asks `is_deep` of each.
    """
    if len(text) > limit_bytes:
        raise Unreadable(f"{len(text):,} bytes of JSON; at most {limit_bytes:,} are read")
    try:
        value = _load(text)
    except (ValueError, RecursionError) as error:  # ValueError: not JSON, or not UTF-8
        raise Unreadable(f"not JSON: {_reason(error)}") from error
    if depth is not None and _deeper_than(value, depth):
        raise Unreadable(f"JSON nested deeper than {depth} levels")
    return value


def is_deep(value: object) -> bool:
    """Whether a JSON value is nested deeper than is read."""
    return _deeper_than(value, DEPTH_LIMIT)


def _load(text: bytes) -> Any:
    try:
        return json.loads(text, parse_constant=lambda _name: None)
    except json.JSONDecodeError:
        raise
    except ValueError:  # a number of thousands of digits, which Python refuses to read
        return json.loads(text, parse_constant=lambda _name: None, parse_int=_whole_number)


def _whole_number(digits: str) -> int | None:
    return int(digits) if len(digits) <= DIGITS_LIMIT else None


def text(value: object) -> str | None:
    """A string that is not empty and can be stored; else None."""
    if not isinstance(value, str) or not value.strip():
        return None
    if value.isascii():
        return value
    return value.encode("utf-8", "replace").decode("utf-8")  # half surrogates cannot be stored


def texts(value: object) -> tuple[str, ...]:
    """The strings of a list, or one string alone, as a tuple."""
    values = value if isinstance(value, list) else [value]
    return tuple([found for item in values if (found := text(item)) is not None])


def count(value: object) -> int | None:
    """A whole number from 0 up to 2**53; else None."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < COUNT_LIMIT else None


def number(value: object) -> float | None:
    """A finite number, also one that is written as a string; else None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        parsed = float(value)
    except (ValueError, OverflowError):
        return None
    return parsed if math.isfinite(parsed) else None


def mapping(value: object) -> Mapping[str, Any]:
    """A JSON object; an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def objects(value: object) -> tuple[Mapping[str, Any], ...]:
    """The JSON objects of a list; other entries are left out."""
    return (
        tuple(item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()
    )


def _deeper_than(value: object, limit: int) -> bool:
    """Only what holds others is looked into: most values of millions of rows do not."""
    level = [value] if isinstance(value, NESTING) else []
    for _ in range(limit - 1):
        level = [
            child
            for item in level
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, NESTING)
        ]
        if not level:
            return False
    return any(level)


def _reason(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
