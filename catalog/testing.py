"""A Hub on this machine: serves folders of models over real HTTP, for tests and trials.

`python -m catalog.testing FOLDER` prints the HF_ENDPOINT under which huggingface_hub and
transformers find the folder's models.
"""

import argparse
import json
import threading
from collections.abc import Collection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

from catalog.hosted import hosted_models
from catalog.hub_answers import Answer, Hosting, Request, answer

CHUNK_BYTES = 1 << 20


class LoopbackHub:
    """A directory of repositories, `name` or `owner/name`, as a Hub on 127.0.0.1.

    A repository's `.hub.json` overrides what the API tells of it (`downloads`, `likes`, `private`,
    `safetensors`, ...). `gated` ids give their files only to requests with `token`, and private
    ones are hidden without it. Files are read afresh for each request.
    """

    def __init__(
        self,
        root: Path,
        *,
        page_size: int = 100,
        gated: Collection[str] = (),
        token: str | None = None,
        port: int = 0,
    ) -> None:
        self.root = Path(root)
        self.requests: list[tuple[str, str]] = []
        """What was asked so far, as (method, path with query)."""
        self._page_size = page_size
        self._gated = frozenset(gated)
        self._token = token
        self._hashes = _Hashes()
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
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, request: Request) -> Answer:
        """What this Hub answers to a request."""
        hosting = Hosting(
            endpoint=self.endpoint,
            models=hosted_models(self.root, self._hashes),
            page_size=self._page_size,
            gated=self._gated,
            token=self._token,
        )
        return answer(hosting, request)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, hub: LoopbackHub, port: int) -> None:
        self.hub = hub
        super().__init__(("127.0.0.1", port), _Connection)


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
        """Stays silent; `LoopbackHub.requests` keeps what was asked."""

    def _answer(self) -> Answer:
        self.server.hub.requests.append((self.command, self.path))
        form = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        headers = {name.title(): value for name, value in self.headers.items()}
        return self.server.hub.answer(Request(self.path, headers, form))

    def _send(self, answer: Answer, *, body: bool = True) -> None:
        content = b"" if answer.file else json.dumps(answer.json).encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header(
            "Content-Type", "application/octet-stream" if answer.file else "application/json"
        )
        self.send_header("Content-Length", str(answer.n_bytes if answer.file else len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)
            self._send_file(answer)

    def _send_file(self, answer: Answer) -> None:
        if answer.file is None:
            return
        with answer.file.open("rb") as file:
            file.seek(answer.start)
            left = answer.n_bytes
            while chunk := file.read(min(CHUNK_BYTES, left)):
                self.wfile.write(chunk)
                left -= len(chunk)


class _Hashes:
    """Remembers the hashes of served files as long as the Hub runs; any thread may ask."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, int, str]] = {}

    def known_sha256(self, path: str, size_bytes: int, modified_ns: int) -> str | None:
        known = self._known.get(path)
        return known[2] if known and known[:2] == (size_bytes, modified_ns) else None

    def remember_sha256(self, path: str, size_bytes: int, modified_ns: int, sha256: str) -> None:
        self._known[path] = (size_bytes, modified_ns, sha256)


def main() -> None:
    """Serves a folder until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m catalog.testing", description=main.__doc__)
    parser.add_argument("folder", type=Path, help="a directory of repositories, name or owner/name")
    parser.add_argument(
        "--port", type=int, default=0, help="a port of 127.0.0.1; 0 takes a free one"
    )
    options = parser.parse_args()
    with LoopbackHub(options.folder, port=options.port) as hub:
        print(f"HF_ENDPOINT={hub.endpoint}", flush=True)  # noqa: T201  # a script's answer
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
