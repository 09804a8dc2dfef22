"""Frames: what is sent arrives, and nothing else gets through."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.wire import HEADER, MAGIC, MAX_JSON_BYTES, Frame, ProtocolError, read_frame

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip


def _reader(data: bytes) -> Callable[[int], bytes]:
    stream = io.BytesIO(data)

    def read(n_bytes: int) -> bytes:
        part = stream.read(n_bytes)
        if len(part) < n_bytes:
            raise EOFError
        return part

    return read


@given(message=st.dictionaries(st.text(), JSON, max_size=4))
def test_message_arrives_as_it_was_sent(message: dict[str, object]) -> None:
    """Any JSON object crosses unchanged, lone surrogates included."""
    assert read_frame(_reader(Frame(message).encode())).message == message  # type: ignore[arg-type]


def test_arrays_arrive_as_they_were_sent() -> None:
    """Arrays keep type, shape and values."""
    scores = np.arange(6, dtype=np.float32).reshape(3, 2)
    frame = read_frame(_reader(Frame({}, {"scores": scores}).encode()))
    assert frame.arrays["scores"].dtype == np.float32
    assert np.array_equal(frame.arrays["scores"], scores)


@given(text=st.binary(max_size=40), arrays=st.binary(max_size=40))
def test_hostile_bytes_raise_protocol_error_only(text: bytes, arrays: bytes) -> None:
    """Whatever a worker writes, the reader either parses it or says that it is no frame."""
    data = HEADER.pack(MAGIC, len(text), len(arrays)) + text + arrays
    try:
        frame = read_frame(_reader(data))
    except ProtocolError:
        return
    assert isinstance(frame.message, dict)


@pytest.mark.parametrize(
    "header",
    [HEADER.pack(b"HTTP", 2, 0), HEADER.pack(MAGIC, MAX_JSON_BYTES + 1, 0)],
    ids=["magic", "too large"],
)
def test_wrong_header_is_refused_before_it_is_read(header: bytes) -> None:
    """A frame that is none, or too large, is refused by its first bytes."""
    with pytest.raises(ProtocolError):
        read_frame(_reader(header))
