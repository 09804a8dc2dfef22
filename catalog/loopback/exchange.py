"""One exchange with a local Hub: what is asked, what is answered, and how the answer is sent."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any  # the Hub's JSON
from urllib.parse import parse_qs, urlsplit

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Request:
    """What a client asked: path with query, headers (`Like-This`), a form's body, the method."""

    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    form: str = ""
    method: str = "GET"

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    @cached_property
    def query(self) -> Mapping[str, list[str]]:
        """The query's values by name; a name may come again and again."""
        return parse_qs(urlsplit(self.target).query)

    def value(self, name: str) -> str | None:
        """The first value of a name of the query; None without one."""
        return self.query.get(name, [None])[0]

    def flag(self, name: str) -> bool:
        """Whether a switch of the query is on."""
        return (self.value(name) or "").lower() in ("1", "true")


@dataclass(frozen=True, slots=True)
class Wire:
    """How an answer is sent: whole and at once, unless a fault says otherwise."""

    delay_s: float = 0.0
    bytes_per_s: float | None = None
    n_sent_bytes: int | None = None
    """So much of the body, then the connection ends."""
    is_closed: bool = False
    """The connection ends without any answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """JSON, or raw content, or `n_bytes` of a file from `start` on; status, headers and manner."""

    json: Any = None
    file: Path | None = None
    start: int = 0
    n_bytes: int = 0
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    wire: Wire = Wire()

    @property
    def length(self) -> int:
        """Bytes of the body."""
        return self.n_bytes if self.is_file else len(self.body())

    @property
    def is_file(self) -> bool:
        """Whether the body is read from a file."""
        return self.file is not None and self.content is None

    def body(self) -> bytes:
        """The whole body."""
        if self.content is not None:
            return self.content
        return b"".join(self.chunks()) if self.is_file else json.dumps(self.json).encode()

    def chunks(self) -> Iterator[bytes]:
        """The body in pieces, so that large files need no memory."""
        if self.file is None or self.content is not None:
            yield self.body()
            return
        with self.file.open("rb") as file:
            file.seek(self.start)
            left = self.n_bytes
            while left and (chunk := file.read(min(CHUNK_BYTES, left))):
                yield chunk
                left -= len(chunk)


def refusal(status: int, code: str, message: str, *, commit: str | None = None) -> Answer:
    """An error as the Hub tells it: the client reads the code from a header."""
    told = {"X-Error-Code": code, "X-Error-Message": message}
    pinned = {"X-Repo-Commit": commit} if commit else {}
    return Answer(json={"error": message}, status=status, headers=told | pinned)
