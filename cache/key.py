"""Cache keys: the SHA-256 of everything that a value depends on."""

import hashlib
import json
from collections.abc import Mapping, Sequence

ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)

JSONValue = None | bool | int | float | str | Sequence["JSONValue"] | Mapping[str, "JSONValue"]


def canonical_json(value: JSONValue) -> str:
    """The one JSON text of a value: sorted keys, no spaces, no NaN (ValueError)."""
    return ENCODER.encode(value)


def digest(value: JSONValue) -> str:
    """The SHA-256 of a value's canonical JSON, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()
