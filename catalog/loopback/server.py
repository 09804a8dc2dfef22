"""What local Hubs share: the HTTP server on 127.0.0.1, its record, its quota and its fault plan."""

import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from catalog.loopback.exchange import Answer, Request
from catalog.loopback.faults import Fault, FaultPlan
from catalog.loopback.quota import Quota, QuotaMeter

DRIPS_PER_S = 20


class HubServer(ABC):
    """Serves what `answer` gives over real HTTP, from `with` to its end."""

    def __init__(
        self, *, port: int = 0, faults: Iterable[Fault] = (), quota: Quota | None = None
    ) -> None:
        self.requests: list[tuple[str, str]] = []
        """What was asked so far, as (method, path with query)."""
        self.seen: list[Request] = []
        """The same requests with their headers and bodies."""
        self.stopping = threading.Event()
        self._plan = FaultPlan(faults)
        self._meter = QuotaMeter(quota) if quota else None
        self._server = _Server(self, port)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )

    @property
    def endpoint(self) -> str:
        """The value for HF_ENDPOINT."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @abstractmethod
    def answer(self, request: Request) -> Answer:
        """What this Hub answers to a request when nothing goes wrong."""

    def respond(self, request: Request) -> Answer:
        """What is sent: recorded, counted against the quota, answered, then spoilt by the plan."""
        self.requests.append((request.method, request.target))
        self.seen.append(request)
        if self._meter is None:
            return self._plan.spoil(request, self.answer(request))
        headers, refused = self._meter.count(request)
        right = refused or self.answer(request)
        counted = replace(right, headers={**right.headers, **headers})
        return counted if refused else self._plan.spoil(request, counted)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, hub: HubServer, port: int) -> None:
        self.hub = hub
        super().__init__(("127.0.0.1", port), _Connection)

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # clients may leave when they like
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # as given


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms for an acknowledgement
    server: _Server

    def do_GET(self) -> None:
        self._send(self._answer())

    def do_HEAD(self) -> None:
        self._send(self._answer(), body=False)

    def do_POST(self) -> None:
        self._send(self._answer())

    def log_message(self, format: str, *args: object) -> None:
        """Stays silent; `HubServer.requests` keeps what was asked."""

    def _answer(self) -> Answer:
        form = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        headers = {name.title(): value for name, value in self.headers.items()}
        return self.server.hub.respond(Request(self.path, headers, form, self.command))

    def _send(self, answer: Answer, *, body: bool = True) -> None:
        self.server.hub.stopping.wait(answer.wire.delay_s)
        if answer.wire.is_closed:
            self.close_connection = True
            return
        ready = answer if answer.is_file else replace(answer, content=answer.body())
        try:
            self._send_head(ready)
            if body:
                self._send_body(ready)
        except ConnectionError:  # the client had enough
            self.close_connection = True

    def _send_head(self, answer: Answer) -> None:
        kind = "application/octet-stream" if answer.file else "application/json"
        told = {"Content-Type": kind, "Content-Length": str(answer.length), **answer.headers}
        self.send_response(answer.status)
        for name, value in told.items():
            self.send_header(name, value)
        self.end_headers()

    def _send_body(self, answer: Answer) -> None:
        left = answer.wire.n_sent_bytes
        for chunk in answer.chunks():
            sent = chunk if left is None else chunk[:left]
            for piece in self._paced(sent, answer.wire.bytes_per_s):
                self.wfile.write(piece)
            left = None if left is None else left - len(sent)
        self.close_connection = self.close_connection or left is not None

    def _paced(self, chunk: bytes, bytes_per_s: float | None) -> Iterator[bytes]:
        if bytes_per_s is None:
            yield chunk
            return
        n_bytes = max(1, int(bytes_per_s / DRIPS_PER_S))
        for start in range(0, len(chunk), n_bytes):
            piece = chunk[start : start + n_bytes]
            yield piece
            if self.server.hub.stopping.wait(len(piece) / bytes_per_s):
                return
