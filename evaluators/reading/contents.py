"""The one form in which rows are kept: plain strings, or canonical JSON where they have parts."""

import json
from collections.abc import Mapping

from cache.key import JSONValue, canonical_json


def content_of(parts: Mapping[str, JSONValue], *, plain: bool) -> str:
    """The content of an input: its text alone where it is nothing else, else a JSON object.

    `plain` tasks keep a lone text as it is; of the others every input is an object.
    """
    text = parts.get("text")
    if plain and len(parts) == 1 and isinstance(text, str):
        return text
    return canonical_json(dict(parts))


def parts_of(content: str) -> dict[str, JSONValue]:
    """The parts of a content: the inverse of `content_of`; a plain text is `{"text": it}`."""
    if content.startswith("{"):
        try:
            found = json.loads(content)
            if canonical_json(found) == content:
                return dict(found)
        except (ValueError, RecursionError):
            pass
    return {"text": content}


def texts_of(truth: str) -> list[str]:
    """The texts of a JSON list; an empty list for anything else."""
    try:
        found = json.loads(truth)
    except (ValueError, RecursionError):
        return []
    return [str(text) for text in found] if isinstance(found, list) else []
