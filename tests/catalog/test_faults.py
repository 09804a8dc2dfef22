"""A local Hub goes wrong as it is told to, on the request that it is told, over real HTTP."""

import http.client
import json
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from email.message import Message
from pathlib import Path
from typing import NamedTuple

import pytest

from catalog.loopback.exchange import Request
from catalog.loopback.faults import (
    Action,
    Fault,
    change,
    close,
    corrupt,
    drip,
    gzip_bomb,
    hang,
    link,
    redirect,
    replace,
    status,
    truncate,
)
from catalog.loopback.quota import Quota, QuotaMeter
from catalog.testing import LoopbackHub

Serve = Callable[..., LoopbackHub]
LISTING = "/api/models?limit=2"
WEIGHTS = "/plain/resolve/main/model.safetensors"


@pytest.fixture
def serve(zoo: Path) -> Iterator[Serve]:
    """The zoo as a Hub with faults or a quota."""
    hubs: list[LoopbackHub] = []

    def start(*faults: Fault, quota: Quota | None = None) -> LoopbackHub:
        hubs.append(LoopbackHub(zoo, faults=faults, quota=quota))
        return hubs[-1].__enter__()

    yield start
    for hub in hubs:
        hub.__exit__(None, None, None)


class Reply(NamedTuple):
    status: int
    headers: Message
    content: bytes


def ask(hub: LoopbackHub, path: str, token: str | None = None) -> Reply:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    host = hub.endpoint.removeprefix("http://")
    with closing(http.client.HTTPConnection(host, timeout=20)) as connection:
        connection.request("GET", path, headers=headers)
        with connection.getresponse() as reply:
            return Reply(reply.status, reply.headers, reply.read())


def asked_with(serve: Serve, action: Action, path: str = LISTING) -> Reply:
    return ask(serve(Fault("GET /", None, action)), path)


def test_the_nth_matching_request_goes_wrong(serve: Serve) -> None:
    """Others are answered as ever, and do not count."""
    hub = serve(Fault(r"GET /api/models\?limit", 2, status(503)))
    paths = [LISTING, "/api/models/plain", LISTING, LISTING]
    assert [ask(hub, path).status for path in paths] == [200, 200, 503, 200]


def test_a_status_carries_its_headers(serve: Serve) -> None:
    """Also a wait that no one would sit out."""
    reply = asked_with(serve, status(429, {"Retry-After": "999999"}))
    assert (reply.status, reply.headers["Retry-After"]) == (429, "999999")


def test_a_redirection_names_the_new_place(serve: Serve) -> None:
    """As the Hub does for a model that was renamed."""
    reply = asked_with(serve, redirect("/api/models/new"))
    assert (reply.status, reply.headers["Location"]) == (307, "/api/models/new")


def test_a_closed_connection_answers_nothing(serve: Serve) -> None:
    """Not even a status."""
    with pytest.raises(http.client.RemoteDisconnected):
        asked_with(serve, close())


def test_a_truncated_file_ends_before_its_length(serve: Serve) -> None:
    """The length that was told is the whole file's."""
    with pytest.raises(http.client.IncompleteRead) as caught:
        asked_with(serve, truncate(50), WEIGHTS)
    assert len(caught.value.partial) == 50


def test_a_corrupt_file_has_the_right_size_and_name(serve: Serve, zoo: Path) -> None:
    """Only its SHA-256 gives it away (fault F14)."""
    right = (zoo / "plain/model.safetensors").read_bytes()
    reply = asked_with(serve, corrupt(), WEIGHTS)
    assert len(reply.content) == len(right)
    assert reply.content != right
    assert len(reply.headers["ETag"].strip('"')) == 64


def test_a_replaced_body_is_sent_as_it_is(serve: Serve) -> None:
    """A log-in page in place of the API."""
    reply = asked_with(serve, replace(b"<html>", {"Content-Type": "text/html"}))
    assert (reply.content, reply.headers["Content-Type"]) == (b"<html>", "text/html")


def test_changed_json_is_sent_in_place_of_the_right_one(serve: Serve) -> None:
    """One row can be spoilt while the others stay."""
    rows = json.loads(asked_with(serve, change(lambda rows: [{"id": 7}, *rows[1:]])).content)
    assert [row["id"] for row in rows] == [7, "demo/bee"]


def test_a_bomb_is_small_on_the_wire(serve: Serve) -> None:
    """It unpacks to the size that was asked for."""
    content = asked_with(serve, gzip_bomb(10 << 20)).content
    assert len(content) < 20_000
    assert len(zlib.decompress(content, wbits=31)) == 10 << 20


@pytest.mark.parametrize(
    ("url", "told"), [("http://evil.test/x", "<http://evil.test/x>"), (None, f"<{LISTING}>")]
)
def test_a_link_leads_where_it_is_told(serve: Serve, url: str | None, told: str) -> None:
    """To another host, or to the same page."""
    assert asked_with(serve, link(url)).headers["Link"] == f'{told}; rel="next"'


def test_a_dripping_body_takes_its_time(serve: Serve) -> None:
    """The rate is the one that was asked for, and the body is whole."""
    hub = serve(Fault("GET", None, drip(bytes_per_s=60)))
    start = time.monotonic()
    content = ask(hub, "/plain/resolve/main/vocab.txt").content
    assert content == b"[PAD]\n[UNK]\n"
    assert 0.15 < time.monotonic() - start < 5


def test_a_hanging_answer_comes_late_or_with_the_end(serve: Serve) -> None:
    """Closing the Hub does not wait for it."""
    hub = serve(Fault("GET", 1, hang(0.2)), Fault("GET", 2, hang(600)))
    start = time.monotonic()
    assert ask(hub, LISTING).status == 200
    assert time.monotonic() - start > 0.2
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(ask, hub, LISTING)
        while len(hub.requests) < 2:
            time.sleep(0.01)
        hub.stopping.set()
        assert late.result(timeout=5).status == 200


def test_several_faults_act_in_turn(serve: Serve) -> None:
    """The link of a listing whose rows are spoilt can lead astray as well."""
    hub = serve(Fault("GET", None, change(lambda rows: [])), Fault("limit=2", None, link("/x")))
    reply = ask(hub, LISTING)
    assert (reply.content, reply.headers["Link"]) == (b"[]", '</x>; rel="next"')


def test_what_was_asked_is_kept_with_its_headers(serve: Serve) -> None:
    """A token that went astray would be found here."""
    hub = serve()
    ask(hub, LISTING, token="hf_canary")
    assert hub.requests == [("GET", LISTING)]
    assert [seen.headers["Authorization"] for seen in hub.seen] == ["Bearer hf_canary"]


def test_the_quota_is_told_and_enforced(serve: Serve) -> None:
    """API requests count, files do not, and a token has its own allowance."""
    hub = serve(Fault("GET /api", 3, status(500)), quota=Quota(n=2, window_s=60))
    replies = [ask(hub, path) for path in (LISTING, WEIGHTS, LISTING, LISTING)]
    assert [reply.status for reply in replies] == [200, 200, 200, 429]
    assert [(reply.headers["RateLimit"] or "")[:10] for reply in replies] == [
        '"api";r=1;', "", '"api";r=0;', '"api";r=0;',
    ]  # fmt: skip
    assert replies[0].headers["RateLimit-Policy"] == '"fixed window";"api";q=2;w=60'
    assert ask(hub, LISTING, token="other").status == 500  # refused requests meet no fault


def test_a_new_window_allows_as_much_again() -> None:
    """The window begins with its first request, and the remaining seconds are told."""
    now = [100.0]
    meter = QuotaMeter(Quota(n=1, window_s=10), clock=lambda: now[0])
    told = []
    for time_s in (100, 104, 110):
        now[0] = time_s
        headers, refused = meter.count(Request("/api/models"))
        told.append((headers["RateLimit"], refused is None))
    assert told == [('"api";r=0;t=11', True), ('"api";r=0;t=7', False), ('"api";r=0;t=11', True)]
