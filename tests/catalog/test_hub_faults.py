"""A Hub that misbehaves when single models are asked for; listings are in test_crawl_faults."""

import gzip
import json
import os
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cache.errors import BadInput, SourceUnavailable
from catalog.model import Model
from catalog.policy import Refusal, refuse
from catalog.sources.hub import HubSource
from catalog.sources.hub_client import HubClient, Patience

Script = Callable[[BaseHTTPRequestHandler], None]
Serve = Callable[[Script], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers that answer each GET by a script, and gives their addresses."""
    servers: list[ThreadingHTTPServer] = []

    def start(script: Script) -> str:
        kind = type("Scripted", (BaseHTTPRequestHandler,), {
            "do_GET": script, "log_message": lambda *_: None,
        })  # fmt: skip
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), kind))
        threading.Thread(target=servers[-1].serve_forever, args=(0.05,), daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def reply(
    request: BaseHTTPRequestHandler, status: int, body: bytes = b"[]", **headers: str
) -> None:
    request.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()
    request.wfile.write(body)


QUICK = Patience(pauses_s=(0.005, 0.02), longest_pause_s=0.1)


def crawl(endpoint: str) -> list[str]:
    return [row.id for row in HubSource(endpoint, False, patience=QUICK).models("fill-mask")]


def test_a_spent_allowance_ends_the_crawl(serve: Serve) -> None:
    """Requests over the limit say nothing of a model: none is refused for them (fault F01)."""

    def script(request: BaseHTTPRequestHandler) -> None:
        if request.path.startswith("/api/models?"):
            return reply(request, 200, b'[{"id": "demo/ant"}]')
        return reply(request, 429, Retry_After="240")

    with pytest.raises(SourceUnavailable, match=r"240 s; then run the same command"):
        crawl(serve(script))


def test_one_failing_model_is_one_refusal(serve: Serve) -> None:
    """A server error for one repository does not end the crawl."""

    def script(request: BaseHTTPRequestHandler) -> None:
        if request.path.startswith("/api/models?"):
            return reply(request, 200, b'[{"id": "demo/ant"}, {"id": "demo/bee"}]')
        if "bee" in request.path:
            return reply(request, 500)
        return reply(request, 200, json.dumps({"id": "demo/ant", "sha": "a" * 40}).encode())

    found = list(HubSource(serve(script), False, patience=QUICK).models(None))
    assert [(row.id, getattr(row, "state", "")) for row in found] == [
        ("demo/ant", ""), ("demo/bee", "unreachable"),
    ]  # fmt: skip


SHUT = {
    "gated": (403, {"X_Error_Code": "GatedRepo"}, "gated"),
    "disabled": (403, {"X_Error_Message": "Access to this resource is disabled."}, "disabled"),
    "legal reasons": (451, {}, "disabled"),
}  # fmt: skip


@pytest.mark.parametrize(("status", "headers", "state"), SHUT.values(), ids=SHUT.keys())
def test_a_model_that_is_shut_stays_in_the_listing(
    serve: Serve, status: int, headers: dict[str, str], state: str
) -> None:
    """It keeps its task and its commit, and the policy turns it down by its state."""

    def script(request: BaseHTTPRequestHandler) -> None:
        row = {"id": "demo/ant", "sha": "a" * 40, "pipeline_tag": "fill-mask"}
        if request.path.startswith("/api/models?"):
            return reply(request, 200, json.dumps([row]).encode())
        return reply(request, status, **headers)

    (model,) = HubSource(serve(script), False, patience=QUICK).models(None)
    assert isinstance(model, Model)
    refusal = refuse(model)
    assert (model.task, refusal and refusal.state) == ("fill-mask", state)


MISSING = {
    "gone": (404, {"X_Error_Code": "RepoNotFound"}, "not found", 1),
    "gone or hidden": (401, {"X_Error_Code": "RepoNotFound"}, "not found", 1),
    "a portal's 404": (404, {}, "unreachable", 2),
}  # fmt: skip


@pytest.mark.parametrize(
    ("status", "headers", "state", "n_asked"), MISSING.values(), ids=MISSING.keys()
)
def test_only_a_hub_says_that_a_model_is_gone(
    serve: Serve, status: int, headers: dict[str, str], state: str, n_asked: int
) -> None:
    """What is gone is not asked for again; another server's 404 tells nothing of the model."""
    asked: list[str] = []

    def script(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        return reply(request, status, **headers)

    listed = Model("demo/ant", "a" * 40, "hub", described=False)
    found = HubSource(serve(script), False, patience=QUICK).describe(listed)
    assert isinstance(found, Refusal)
    assert (found.state, len(asked)) == (state, n_asked)


def test_a_server_without_the_api_is_no_hub(serve: Serve) -> None:
    """The address is asked about, not a model."""
    with pytest.raises(SourceUnavailable, match="is it a Hub"):
        crawl(serve(lambda request: reply(request, 404)))


def test_a_compressed_bomb_is_cut_off(serve: Serve) -> None:
    """The cap counts what comes out of the compression, and no more of it is unpacked."""
    body = gzip.compress(json.dumps(["x" * 10_000_000]).encode())
    endpoint = serve(lambda request: reply(request, 200, body, Content_Encoding="gzip"))
    tracemalloc.start()
    with pytest.raises(SourceUnavailable, match="more than 10,000 bytes"):
        HubClient(endpoint, False).json("/api/models", limit_bytes=10_000)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 3_000_000


def test_a_renamed_model_comes_under_its_new_id(serve: Serve) -> None:
    """The redirection is followed, and the id that the Hub answers is kept (fault F07)."""

    def script(request: BaseHTTPRequestHandler) -> None:
        if request.path.startswith("/api/models/old"):
            return reply(request, 307, Location="/api/models/new")
        return reply(request, 200, json.dumps({"id": "new", "sha": "a" * 40}).encode())

    assert HubSource(serve(script), False).model("old").id == "new"


def test_the_token_is_not_sent_over_plain_http(serve: Serve) -> None:
    """Only to this machine: there it cannot be overheard (fault F17)."""
    assert HubClient("http://mirror.example", "hf_secret").token is False
    assert HubClient("https://mirror.example", "hf_secret").token == "hf_secret"
    assert HubClient("http://127.0.0.1:1", "hf_secret").token == "hf_secret"


@pytest.mark.parametrize("endpoint", ["huggingface.co", "ftp://x", "https://user:hf_secret@x"])
def test_an_address_that_is_none_is_wrong_use(endpoint: str) -> None:
    """The message shows how it should look, and never the credentials in it."""
    with pytest.raises(BadInput, match=r"https://huggingface\.co") as caught:
        HubSource(endpoint)
    assert "hf_secret" not in str(caught.value)


def test_offline_mode_says_so() -> None:
    """HF_HUB_OFFLINE ends a crawl before any request."""
    code = (
        "from catalog.sources.hub import HubSource\n"
        "try: list(HubSource().models('fill-mask'))\n"
        "except ConnectionError as error: print(error)\n"
    )
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )  # fmt: skip
    assert "offline mode is on" in done.stdout
    assert done.stderr == ""
