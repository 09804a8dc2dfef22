"""A fault plan: which requests of a local Hub go wrong, and how.

LoopbackHub(root, faults=[
    Fault(r"GET /api/models\\?", nth=3, action=status(429, {"Retry-After": "240"})),
    Fault(r"/resolve/.*safetensors", nth=None, action=corrupt()),
])
"""

import dataclasses
import re
import threading
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any  # the Hub's JSON

from catalog.loopback.exchange import Answer, Request, Wire

BLOCK = b" " * (1 << 20)
GZIP_WINDOW = 31  # zlib's name for the gzip format

Action = Callable[[Request, Answer], Answer]
"""Turns the right answer into the one that is sent; a test may pass its own function."""


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """An action on the requests in which the pattern is found, as `METHOD /path?query`.

    `nth` counts these from 1; None is each of them. Where several faults meet, the earlier ones of
    the plan act first.
    """

    match: str
    nth: int | None
    action: Action


class FaultPlan:
    """The faults of one Hub with their counts; any thread may ask."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self._faults = tuple((re.compile(fault.match), fault) for fault in faults)
        self._counts = [0] * len(self._faults)
        self._lock = threading.Lock()

    def spoil(self, request: Request, answer: Answer) -> Answer:
        """The answer after all faults that are due for this request."""
        for action in self._due(f"{request.method} {request.target}"):
            answer = action(request, answer)
        return answer

    def _due(self, asked: str) -> list[Action]:
        found = []
        with self._lock:
            for position, (pattern, fault) in enumerate(self._faults):
                if pattern.search(asked):
                    self._counts[position] += 1
                    if fault.nth in (None, self._counts[position]):
                        found.append(fault.action)
        return found


def status(code: int, headers: Mapping[str, str] | None = None) -> Action:
    """Another status with these headers and an error in place of the answer."""
    return lambda _request, _answer: Answer(
        json={"error": f"fault {code}"}, status=code, headers=headers or {}
    )


def redirect(path: str, code: int = 307) -> Action:
    """The answer lies at another path, or at another address, as after a renaming."""
    return status(code, {"Location": path})


def close() -> Action:
    """The connection ends without an answer."""
    return lambda _request, answer: dataclasses.replace(answer, wire=Wire(is_closed=True))


def hang(seconds: float) -> Action:
    """Nothing comes for so long; then the answer. The Hub's end ends the wait."""
    return lambda _request, answer: dataclasses.replace(
        answer, wire=dataclasses.replace(answer.wire, delay_s=seconds)
    )


def drip(bytes_per_s: float) -> Action:
    """The body comes at this rate."""
    return lambda _request, answer: dataclasses.replace(
        answer, wire=dataclasses.replace(answer.wire, bytes_per_s=bytes_per_s)
    )


def truncate(n_bytes: int) -> Action:
    """The connection ends after so many bytes of the body; Content-Length tells the whole."""
    return lambda _request, answer: dataclasses.replace(
        answer, wire=dataclasses.replace(answer.wire, n_sent_bytes=n_bytes)
    )


def replace(content: bytes, headers: Mapping[str, str] | None = None) -> Action:
    """Another body, with a fitting length; `headers` over the answer's own."""
    return lambda _request, answer: dataclasses.replace(
        answer, content=content, headers={**answer.headers, **(headers or {})}
    )


def gzip_bomb(n_bytes: int = 200_000_000) -> Action:
    """A small body that unpacks to so many spaces."""
    packer = zlib.compressobj(wbits=GZIP_WINDOW)
    packed = [packer.compress(BLOCK) for _ in range(n_bytes // len(BLOCK))]
    content = b"".join([*packed, packer.flush()])
    return replace(content, {"Content-Encoding": "gzip"})


def link(url: str | None = None) -> Action:
    """The next page is said to lie at this address; None is the same page again."""

    def act(request: Request, answer: Answer) -> Answer:
        told = f'<{request.target if url is None else url}>; rel="next"'
        return dataclasses.replace(answer, headers={**answer.headers, "Link": told})

    return act


def change(edit: Callable[[Any], Any]) -> Action:
    """The answer's JSON, edited. The function gets what would be sent and gives what is sent."""
    return lambda _request, answer: dataclasses.replace(answer, json=edit(answer.json))


def corrupt() -> Action:
    """Other bytes of the right number, under the right headers."""
    flipped = bytes(255 - byte for byte in range(256))
    return lambda _request, answer: dataclasses.replace(
        answer, content=answer.body().translate(flipped)
    )
