"""Parameters by dtype, read from safetensors headers without the weights behind them.

The format: 8 bytes with the header's length (little-endian), the header as JSON, the values.
https://huggingface.co/docs/safetensors#format
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from catalog.model import BYTES_BY_DTYPE
from catalog.plan import INDEX
from catalog.policy import path_trick
from catalog.untrusted import Unreadable, count, mapping, parse_object, text

LENGTH_BYTES = 8
SHARDS_LIMIT = 200  # each costs a request; the largest real models have about 190
DIMENSIONS_LIMIT = 64
HEADER_LIMIT_BYTES = 25_000_000  # the limit of huggingface_hub; the largest real ones hold 10 MB


def parameters_of(paths: Iterable[Path]) -> dict[str, int]:
    """Values by dtype, summed over the files of one model. Raises Unreadable."""
    total: Counter[str] = Counter()
    for path in paths:
        total.update(read_parameters(path))
    return dict(total)


def read_parameters(path: Path) -> dict[str, int]:
    """Values by dtype in one safetensors file. Raises Unreadable when its header lies."""
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        length = header_length(file.read(LENGTH_BYTES))
        header = file.read(length)
    try:
        return parse_parameters(header, n_value_bytes=size_bytes - LENGTH_BYTES - length)
    except Unreadable as error:
        raise Unreadable(f"{path.name}: {error}") from error


def parse_index(text: bytes, present: Collection[str]) -> tuple[str, ...]:
    """The shards that the index of sharded weights names, sorted. Raises Unreadable.

    Each must be one of the `present` files and have a plain relative path.
    """
    weight_map = mapping(parse_object(text, limit_bytes=HEADER_LIMIT_BYTES).get("weight_map"))
    shards = sorted({str(path) for path in weight_map.values()})
    if not 0 < len(shards) <= SHARDS_LIMIT:
        raise Unreadable(f"{INDEX} names {len(shards):,} files; 1 to {SHARDS_LIMIT} are read")
    for path in shards:
        if path not in present or not path.endswith(".safetensors") or path_trick([path]):
            raise Unreadable(f"{INDEX} names {path[:120]!r}, no safetensors file of the repository")
    return tuple(shards)


def header_length(first_bytes: bytes) -> int:
    """The header's length in bytes, as the file's first eight bytes give it. Raises Unreadable."""
    if len(first_bytes) < LENGTH_BYTES:
        raise Unreadable("no safetensors file: shorter than eight bytes")
    length = int.from_bytes(first_bytes[:LENGTH_BYTES], "little")
    if not 2 <= length <= HEADER_LIMIT_BYTES:
        raise Unreadable(f"no safetensors file: a header of {length:,} bytes")
    return length


def parse_parameters(header: bytes, *, n_value_bytes: int) -> dict[str, int]:
    """Values by dtype; the tensors must fill the bytes behind the header exactly."""
    tensors = parse_object(header, limit_bytes=HEADER_LIMIT_BYTES)
    tensors.pop("__metadata__", None)
    total: Counter[str] = Counter()
    stated_bytes = 0
    for name, tensor in tensors.items():
        dtype, n_values, n_bytes = _read_tensor(name, mapping(tensor))
        total[dtype] += n_values
        stated_bytes += n_bytes
    if stated_bytes != n_value_bytes:
        raise Unreadable(
            f"its header states {stated_bytes:,} bytes of values, it has {n_value_bytes:,}"
        )
    return dict(total)


def stored_bytes(parameters: Mapping[str, int]) -> float:
    """Bytes that so many values of these dtypes take."""
    return sum(BYTES_BY_DTYPE[dtype] * n for dtype, n in parameters.items())


def _read_tensor(name: str, tensor: Mapping[str, object]) -> tuple[str, int, int]:
    """The dtype, the number of values and the number of bytes, which must agree."""
    dtype = text(tensor.get("dtype")) or "no dtype"
    shape = _counts(name, tensor.get("shape"))
    if len(shape) > DIMENSIONS_LIMIT:
        raise Unreadable(f"tensor {name[:80]!r} has {len(shape):,} dimensions")
    n_values = math.prod(shape)
    start, end = (*_counts(name, tensor.get("data_offsets")), 0, 0)[:2]
    wanted_bytes = BYTES_BY_DTYPE.get(dtype, 0) * n_values
    too_many = n_values > 8 * max(end - start, 0)  # of a dtype that we do not know: 1 bit each
    if end < start or too_many or (wanted_bytes and wanted_bytes != end - start):
        raise Unreadable(
            f"tensor {name[:80]!r} states {n_values:,} {dtype} in {end - start:,} bytes"
        )
    return dtype, n_values, end - start


def _counts(name: str, values: object) -> list[int]:
    found = [count(value) for value in values] if isinstance(values, list) else [None]
    known = [value for value in found if value is not None]
    if len(known) < len(found):
        raise Unreadable(f"tensor {name[:80]!r} has no readable shape or place")
    return known
