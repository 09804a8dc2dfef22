"""The frames between a coordinator and its worker: JSON, with arrays as safetensors behind it.

A frame is 12 bytes of header (magic, length of the JSON, length of the arrays; big endian), the
JSON text in UTF-8, then the arrays. Nothing is ever unpickled.
"""

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from cache.errors import RecommenderError
from cache.key import JSONValue

HEADER = struct.Struct(">4sII")
MAGIC = b"RCW1"
MAX_JSON_BYTES = 256 * 1024 * 1024
MAX_ARRAY_BYTES = 1024 * 1024 * 1024

Array = NDArray[np.generic]


class ProtocolError(RecommenderError, ValueError):
    """The other side sent something that is no frame, or not the one that was asked for."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message, with the arrays that belong to it by name."""

    message: Mapping[str, JSONValue]
    arrays: Mapping[str, Array] = field(default_factory=dict)

    def encode(self) -> bytes:
        """The bytes that cross the pipe."""
        text = json.dumps(self.message, allow_nan=False).encode("ascii")
        arrays = save(dict(self.arrays)) if self.arrays else b""
        return HEADER.pack(MAGIC, len(text), len(arrays)) + text + arrays


def read_frame(read: Callable[[int], bytes]) -> Frame:
    """The next frame; `read(n)` gives exactly n bytes, or raises EOFError."""
    magic, n_json, n_arrays = HEADER.unpack(read(HEADER.size))
    if magic != MAGIC:
        raise ProtocolError(f"a frame begins with {MAGIC!r}, not with {magic!r}")
    if n_json > MAX_JSON_BYTES or n_arrays > MAX_ARRAY_BYTES:
        raise ProtocolError(f"a frame of {n_json} + {n_arrays} bytes is too large")
    return Frame(_parse_json(read(n_json)), _parse_arrays(read(n_arrays)) if n_arrays else {})


def _parse_json(text: bytes) -> Mapping[str, JSONValue]:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"a message is no JSON: {error}") from error
    if not isinstance(message, dict):
        raise ProtocolError("a message must be a JSON object")
    return message


def _parse_arrays(data: bytes) -> Mapping[str, Array]:
    try:
        arrays: Mapping[str, Array] = load(data)
    except Exception as error:
        raise ProtocolError(f"arrays are no safetensors: {error}") from error
    return arrays
