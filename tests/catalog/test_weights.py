"""Headers of safetensors files: true ones are read, lying ones are refused."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.untrusted import Unreadable
from catalog.weights import parameters_of, parse_index, read_parameters


def test_parameters_are_those_that_safetensors_wrote(tmp_path: Path) -> None:
    """A file written by the reference library is counted by dtype, over all its parts."""
    import numpy as np
    from safetensors.numpy import save_file

    save_file({"a": np.zeros((3, 5), np.float32), "b": np.zeros(4, np.float16)}, tmp_path / "1")
    save_file({"c": np.zeros(7, np.float32)}, tmp_path / "2")
    assert parameters_of([tmp_path / "1", tmp_path / "2"]) == {"F32": 22, "F16": 4}


def header_file(header: object, n_value_bytes: int) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(n_value_bytes)


def lie(n_value_bytes: int, shape: list[int], end: int) -> bytes:
    tensor = {"dtype": "F32", "shape": shape, "data_offsets": [0, end]}
    return header_file({"a": tensor}, n_value_bytes)


LIES = {
    "no file": b"PK",
    "a header of 2^60 bytes": (1 << 60).to_bytes(8, "little") + b"{}",
    "a header beyond the file": (100).to_bytes(8, "little") + b"{}",
    "no JSON": (2).to_bytes(8, "little") + b"[[",
    "too few values": lie(4, [9], 36),
    "a wrong shape": lie(4, [9], 4),
    "a negative shape": lie(4, [-1], 4),
    "a huge shape": lie(4, [2**60, 2**60], 4),
    "more values than bits, of an unknown dtype": header_file(
        {"a": {"dtype": "X", "shape": [2**52, 2**52], "data_offsets": [0, 0]}}, 0
    ),
    "a thousand dimensions": lie(4, [1] * 1000, 4),
    "no tensor": header_file({"a": 1}, 0),
}


@pytest.mark.parametrize("content", LIES.values(), ids=LIES.keys())
def test_a_lying_header_is_unreadable(tmp_path: Path, content: bytes) -> None:
    """Nothing is allocated or believed; the error names the file."""
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(Unreadable):
        read_parameters(tmp_path / "model.safetensors")


def test_an_unknown_dtype_is_counted(tmp_path: Path, weights_file: Callable[..., bytes]) -> None:
    """A dtype that is newer than this program does not make a model corrupt."""
    (tmp_path / "w").write_bytes(weights_file({"a": ("F6_E2M3", [4], 3)}))
    assert read_parameters(tmp_path / "w") == {"F6_E2M3": 4}


@pytest.mark.parametrize(
    "path", ["../a.safetensors", "/a.safetensors", "x\\a.safetensors", "a\0.safetensors"]
)
def test_an_index_leads_nowhere_outside(path: str) -> None:
    """Not even to a file that the Hub claims to list."""
    index = json.dumps({"weight_map": {"a": path}}).encode()
    with pytest.raises(Unreadable, match=r"index\.json names"):
        parse_index(index, {path})
