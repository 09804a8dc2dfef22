"""A Hub that misbehaves during a crawl: what is kept, what is asked again, and where it ends.

The faults are those of the list F01-F19, injected for real by the loopback Hub's plan.
"""

import functools
import json
import logging
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cache.errors import RecommenderError, SourceUnavailable, StoreError
from catalog.allowance import OutOfTime, Quota
from catalog.crawl import Crawled, CrawlProgress, crawl
from catalog.loopback.exchange import Answer, Request
from catalog.loopback.faults import (
    Action,
    Fault,
    close,
    drip,
    gzip_bomb,
    hang,
    link,
    redirect,
    replace,
    status,
    truncate,
)
from catalog.model import Model
from catalog.slices import time_of
from catalog.sources.hub import HubSource
from catalog.sources.hub_client import Patience
from catalog.store import Catalog
from catalog.synthetic import SyntheticHub
from catalog.testing import LoopbackHub

QUICK = Patience(
    connect_s=1.0, read_s=0.3, reply_s=0.5, pauses_s=(0.01, 0.02), longest_pause_s=0.05, total_s=3.0
)
N_MODELS, PAGE_SIZE = 60, 10
LISTING = r"GET /api/models\?"
CANARY = "hf_canaryDoNotLeak0123456789"


def served(*faults: Fault, n_models: int = N_MODELS) -> SyntheticHub:
    return SyntheticHub(n_models, seed=3, page_size=PAGE_SIZE, faults=faults)


def source(hub: SyntheticHub | LoopbackHub, token: str | bool = False) -> HubSource:
    return HubSource(hub.endpoint, token, patience=QUICK)


def edited(edit: Callable[[Any], Any]) -> Action:
    """The answer's JSON, edited."""

    def act(request: Request, answer: Answer) -> Answer:
        return replace(json.dumps(edit(json.loads(answer.body()))).encode())(request, answer)

    return act


def run(hub: SyntheticHub | LoopbackHub, store: Catalog, **asked: Any) -> Crawled:
    return crawl(source(hub), store, **asked)


def ids(store: Catalog) -> list[str]:
    return sorted(model.id for model in store.models())


PASSING: dict[str, Action] = {
    "F01 Retry-After in seconds": status(429, {"Retry-After": "0"}),
    "F01 Retry-After as a date": status(429, {"Retry-After": "Wed, 21 Oct 2065 07:28:00 GMT"}),
    "F01 absurd Retry-After": status(429, {"Retry-After": "999999"}),
    "F01 unreadable Retry-After": status(429, {"Retry-After": "soon"}),
    "F02 unavailable": status(503),
    "F02 time-out at the gateway": status(504),
    "F03 hang": hang(1.0),
    "F03 drip": drip(2_000),
    "F03 close": close(),
    "F04 truncated": truncate(500),
    "F04 portal": replace(b"<html>Please log in</html>", {"Content-Type": "text/html"}),
    "F04 broken gzip": replace(b"\x1f\x8b\x08broken", {"Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("action", PASSING.values(), ids=PASSING.keys())
def test_a_fault_that_passes_changes_nothing(action: Action, store: Catalog) -> None:
    """One bad answer in the middle is asked for again, and all models are kept."""
    with served(Fault(LISTING, 3, action)) as hub:
        done = run(hub, store)
    assert len(ids(store)) == N_MODELS
    assert (
        done.n_requests == N_MODELS // PAGE_SIZE + 2 + 1
    )  # the changes before and after, the fault


def empty(request: Request, answer: Answer) -> Answer:
    """No rows, and a cursor that was never seen before."""
    following = f'<{request.target}+>; rel="next"'
    return Answer(content=b"[]", headers={"Link": following})


LASTING: dict[str, tuple[Action, str]] = {
    "F01": (status(429, {"Retry-After": "999999"}), "allows no more requests"),
    "F02": (status(504), "answers 504"),
    "F03 hang": (hang(1.0), "cannot be reached"),
    "F03 drip": (drip(2_000), "took longer"),
    "F04 truncated": (truncate(500), "cannot be reached"),
    "F04 portal": (replace(b"<html>Please log in</html>"), "does not answer as a Hub"),
    "F04 another JSON": (replace(b'{"error": "no"}'), "is it a Hub"),
    "F04 bomb": (gzip_bomb(), "more than 50,000,000 bytes"),
    "F04 unknown packing": (replace(b"x", {"Content-Encoding": "br"}), "unknown way"),
    "F05 empty pages": (empty, "empty pages again and again"),
    "F05 the same page": (link(), "again and again"),
    "F05 another port": (link("http://127.0.0.1:1/api/models"), "not followed"),
    "F05 another scheme": (link("ftp://127.0.0.1/api/models"), "not followed"),
    "F05 no address": (link("https://[bad"), "leads to no address"),
    "F05 moved away": (redirect("http://127.0.0.1:1/api/models"), "not followed"),
    "F05 moved in circles": (redirect("/api/models?cursor=x"), "redirects without end"),
}


@pytest.mark.parametrize(("action", "told"), LASTING.values(), ids=LASTING.keys())
def test_a_fault_that_stays_ends_the_crawl_in_words(
    action: Action, told: str, store: Catalog
) -> None:
    """Within seconds; what was kept before stays, and nothing counts as gone."""
    cursor = Fault(rf"{LISTING}.*cursor", None, action)
    with served(cursor) as hub:
        start = time.monotonic()
        with pytest.raises(SourceUnavailable, match=told):
            run(hub, store)
        assert time.monotonic() - start < 8
    assert len(ids(store)) >= PAGE_SIZE
    assert store.crawled(f"hub:{hub.endpoint}", None) is None


def test_an_ended_crawl_goes_on_at_its_page(store: Catalog) -> None:
    """F02: two pages were kept, so four of six are asked for the second time."""
    faults = [Fault(LISTING, n, status(504)) for n in (4, 5, 6)]
    with served(*faults) as hub:
        with pytest.raises(SourceUnavailable):
            run(hub, store)
        assert len(ids(store)) == 2 * PAGE_SIZE
        n_before = len(hub.requests)
        done = run(hub, store)
        assert len(hub.requests) - n_before == 4 + 1
    assert len(ids(store)) == N_MODELS
    assert done.is_finished


@pytest.mark.parametrize("code", [400, 404, 410])
def test_a_cursor_that_the_hub_forgot_is_no_dead_end(code: int, store: Catalog) -> None:
    """The listing starts once more from its first page."""
    with served(Fault(rf"{LISTING}.*cursor", 2, status(code))) as hub:
        run(hub, store, max_requests=3)
        done = run(hub, store)
    assert done.is_finished
    assert len(ids(store)) == N_MODELS


def test_the_quota_is_kept_without_being_told_off(store: Catalog, tmp_path: Path) -> None:
    """F01: the crawl waits before it asks; a refused request would be a request more."""
    waits: list[float] = []
    with SyntheticHub(100, page_size=PAGE_SIZE, quota=Quota(8, 1.0)) as hub:
        asked = HubSource(
            hub.endpoint, False, allowance_path=tmp_path / "r.db", on_wait=waits.append
        )
        done = crawl(asked, store)
        assert len(hub.requests) == done.n_requests == 100 // PAGE_SIZE + 2
    assert waits
    assert sum(waits) < 5


def test_a_wait_beyond_the_deadline_ends_the_crawl(store: Catalog) -> None:
    """F01: the quota's window is longer than the patience; the message says for how long."""
    with (
        SyntheticHub(100, page_size=PAGE_SIZE, quota=Quota(4, 300.0)) as hub,
        pytest.raises(SourceUnavailable, match=r"no more requests for 30\d s; then run"),
    ):
        run(hub, store)
    assert len(ids(store)) == 3 * PAGE_SIZE


def test_a_wait_beyond_the_time_limit_ends_the_run(store: Catalog) -> None:
    """F01: what was had is kept, and all that is asked afterwards has no limit."""
    with SyntheticHub(100, page_size=PAGE_SIZE, quota=Quota(4, 300.0)) as hub:
        asked = source(hub)
        done = crawl(asked, store, time_limit_s=1.0)
        assert (done.is_finished, done.n_models, len(hub.requests)) == (False, 30, 4)
        with pytest.raises(SourceUnavailable) as caught:
            asked.describe(store.models()[0])
        assert not isinstance(caught.value, OutOfTime)
    assert store.begin(asked.name, {}).n_models == 30


def test_a_page_that_is_too_large_comes_in_smaller_ones(store: Catalog) -> None:
    """F04: the first row makes any page of more than 20 rows too large; then all is as before."""
    bomb, sizes = gzip_bomb(60_000_000), list[int]()

    def act(request: Request, answer: Answer) -> Answer:
        sizes.append(len(json.loads(answer.body())))
        is_large = sizes[-1] > 20 and "cursor" not in request.query
        return bomb(request, answer) if is_large else answer

    fault = Fault(rf"{LISTING}.*sort=createdAt", None, act)
    with SyntheticHub(600, page_size=400, faults=[fault]) as hub:
        done = run(hub, store)
    assert sizes == [400, 100, *[10] * 10, 400, 100]
    assert (done.is_finished, done.n_models, len(ids(store))) == (True, 600, 600)


EARLY, LATE = "2001-01-01T00:00:00.000Z", "2099-01-01T00:00:00.000Z"


def test_one_old_time_ends_no_listing_by_change(store: Catalog) -> None:
    """F10: the first row of each page claims to be old; the others are kept, on all pages."""
    lie = edited(lambda rows: [rows[0] | {"lastModified": EARLY}, *rows[1:]])
    fault = Fault(rf"{LISTING}.*sort=lastModified.*limit=1000", None, lie)
    with SyntheticHub(400, page_size=PAGE_SIZE, faults=[fault]) as hub:
        run(hub, store)
        n_touched = hub.touch(0.1)
        done = run(hub, store)
    assert n_touched > 3 * PAGE_SIZE
    assert n_touched * 0.9 - 1 <= done.n_models <= n_touched
    assert done.n_requests <= n_touched // PAGE_SIZE + 2


def test_a_change_of_the_future_hides_no_change(
    zoo: Path, store: Catalog, write_repository: Callable[..., Path]
) -> None:
    """F10: not what changes while the crawl goes on, and not what changes after it."""
    lie = edited(lambda rows: [rows[0] | {"lastModified": LATE}, *rows[1:]])
    lies = [Fault(LISTING, n, lie) for n in (1, 2)]

    def change(now: CrawlProgress) -> None:
        if now.n_models == 4:
            later = {
                "lastModified": time_of((datetime.now(UTC) + timedelta(seconds=5)).isoformat())
            }
            for name in ("plain", "demo/ant", "demo/bee", "demo/cat"):
                write_repository(zoo / name, files={"notes.txt": b"changed"}, hub=later)

    with LoopbackHub(zoo, page_size=2, faults=lies) as hub:
        run(hub, store, progress=change)
        kept = {model.id: model.revision for model in store.models()}
        assert kept == {id: source(hub).model(id).revision for id in kept}
    assert (store.watermark(f"hub:{hub.endpoint}", {}) or LATE) < LATE


def test_rows_that_come_twice_are_one_model(store: Catalog) -> None:
    """F06: rows that move to a later page while the listing goes on."""
    seen: list[Any] = []

    def with_earlier(rows: list[Any]) -> list[Any]:
        seen.extend(rows)
        return [*seen[:5], *rows]

    with served(Fault(LISTING, None, edited(with_earlier))) as hub:
        run(hub, store)
    assert len(ids(store)) == N_MODELS


def test_what_vanished_is_gone_after_a_whole_crawl_only(
    zoo: Path, hub: LoopbackHub, store: Catalog, write_repository: Callable[..., Path]
) -> None:
    """F07: a crawl of the changes cannot know; `get` still finds it, for older results."""
    write_repository(zoo / "plain", hub={"createdAt": "2024-01-01T00:00:00.000Z"})
    run(hub, store)
    (zoo / "plain").rename(zoo.parent / "elsewhere")
    assert (run(hub, store).n_gone, "plain" in ids(store)) == (0, True)
    assert (run(hub, store, fresh=True).n_gone, "plain" in ids(store)) == (1, False)
    assert store.get("plain").id == "plain"


def test_what_was_made_private_is_gone(
    zoo: Path, hub: LoopbackHub, store: Catalog, write_repository: Callable[..., Path]
) -> None:
    """F07: as the Hub lists it no more."""
    run(hub, store)
    write_repository(zoo / "plain", hub={"private": True})
    run(hub, store, fresh=True)
    assert "plain" not in ids(store)


def test_a_renamed_model_is_found_by_both_names(
    zoo: Path, hub: LoopbackHub, store: Catalog, write_repository: Callable[..., Path]
) -> None:
    """F07: the same commit, made at the same time, under another id; a twin is another model."""
    for name, created_at in (
        ("demo/ant", "2024-01-01T00:00:00.000Z"),
        ("demo/bee", "2025-01-01T00:00:00.000Z"),
    ):
        write_repository(zoo / name, hub={"createdAt": created_at})
    run(hub, store)
    (zoo / "demo/ant").rename(zoo / "demo/emmet")
    run(hub, store, fresh=True)
    assert "demo/ant" not in ids(store)
    assert store.get("demo/ant").id == "demo/emmet"


def test_what_was_renamed_survives_a_crash(
    zoo: Path, hub: LoopbackHub, store: Catalog, write_repository: Callable[..., Path]
) -> None:
    """F07: the end of a crawl is noted with all that follows from it, or not at all."""
    write_repository(zoo / "demo/ant", hub={"createdAt": "2024-01-01T00:00:00.000Z"})
    run(hub, store)
    (zoo / "demo/ant").rename(zoo / "demo/emmet")
    with closing(sqlite3.connect(store.path)) as other:
        other.execute(
            "CREATE TRIGGER crash BEFORE INSERT ON renamed BEGIN SELECT RAISE(FAIL, ''); END"
        )
        with pytest.raises(StoreError):
            run(hub, store, fresh=True)
        assert "demo/ant" in ids(store)
        other.execute("DROP TRIGGER crash")
    done = run(hub, store)
    assert (done.is_finished, done.n_gone, done.since) == (True, 0, None)
    assert store.get("demo/ant").id == "demo/emmet"
    assert "demo/ant" not in ids(store)


def test_shut_models_are_listed_in_their_state(
    zoo: Path, hub: LoopbackHub, store: Catalog, write_repository: Callable[..., Path]
) -> None:
    """F08: nothing of them is opened."""
    write_repository(zoo / "plain", hub={"gated": "manual"})
    write_repository(zoo / "demo/ant", hub={"disabled": True})
    run(hub, store)
    assert (store.get("plain").gated, store.get("demo/ant").disabled) == (True, True)


BAD_ROWS: list[Any] = [
    None, 7, "demo/ant", [], {}, {"id": None}, {"id": 7}, {"id": ""}, {"id": "a\u001b[31m/b"},
    {"id": "../etc"}, {"id": "x" * 300}, {"id": "a\u0000b"}, {"id": "demo/\ud800"},
]  # fmt: skip
BAD_VALUES: dict[str, Any] = {
    "id": "demo/odd", "sha": 12, "tags": {"a": 1}, "downloads": 10**400, "likes": -1,
    "lastModified": "yesterday", "createdAt": 0, "safetensors": {"parameters": {"F32": "many"}},
    "config": [1], "cardData": "text", "model-index": 9, "gated": [], "library_name": ["x"],
}  # fmt: skip


def test_bad_rows_are_counted_and_kept_apart(store: Catalog) -> None:
    """F09: each costs itself; the rest of its page, and of its own values, is kept."""
    bad = Fault(LISTING, 2, edited(lambda rows: [*BAD_ROWS, *rows, BAD_VALUES]))
    with served(bad) as hub:
        done = run(hub, store)
    assert done.n_refused == len(BAD_ROWS)
    assert len(store.refusals()) == len(BAD_ROWS)
    assert len(ids(store)) == N_MODELS + 1
    odd = store.get("demo/odd")
    assert (odd.revision, odd.downloads, odd.last_modified, odd.gated) == ("", None, None, False)


def test_values_that_json_does_not_know_are_absent(store: Catalog) -> None:
    """F09: NaN and Infinity in the page's text."""
    page = b'[{"id": "demo/odd", "downloads": NaN, "likes": Infinity, "private": NaN}]'
    with served(Fault(LISTING, None, replace(page))) as hub:
        run(hub, store)
    assert (store.get("demo/odd").downloads, store.get("demo/odd").likes) == (None, None)


def test_one_absurd_row_costs_no_page(store: Catalog) -> None:
    """F09: JSON nested a hundred deep, and a number of ten thousand digits."""
    deep = functools.reduce(lambda inner, _: [inner], range(100), 1)
    page = json.dumps([{"id": "demo/deep", "cardData": deep}, {"id": "demo/good"}])
    page = page.replace(
        ']}, {"id": "demo/good"', ']}, {"id": "demo/good", "likes": ' + "9" * 10_000
    )
    with served(Fault(LISTING, None, replace(page.encode()))) as hub:
        run(hub, store)
    assert store.get("demo/good").likes is None
    assert [refusal.id for refusal in store.refusals()] == ["demo/deep"]


@pytest.fixture
def thief() -> Iterator[SyntheticHub]:
    """Another origin that would gladly take a token."""
    with SyntheticHub(5) as other:
        yield other


def echo(request: Request, answer: Answer) -> Answer:
    """A server that sends our token back wherever a text may stand, then leads to a host of it."""
    told = request.headers["Authorization"].removeprefix("Bearer ")
    row = {"id": f"demo/{told}", "tags": [told], "author": told, "library_name": told}
    content = json.dumps([row, {"id": f"!{told}"}]).encode()
    following, away = f"{request.target}&again={told}", f"http://{told}.example/"
    where = away if "again" in request.target else following
    return Answer(content=content, headers={"Link": f'<{where}>; rel="next"'})


def for_members(request: Request, answer: Answer) -> Answer:
    """A Hub that shows nothing without a token."""
    return answer if "Authorization" in request.headers else status(401)(request, answer)


def leading_to(thief: SyntheticHub) -> dict[str, Action]:
    elsewhere = f"{thief.endpoint}/api/models"
    return {"link": link(elsewhere), "redirect": redirect(elsewhere), "echo": echo}


@pytest.mark.parametrize("kind", ["link", "redirect", "echo"])
def test_the_token_stays_with_its_origin(
    kind: str, thief: SyntheticHub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """F05, F17: not in a request to another origin, a log, a row, or an error's text."""
    caplog.set_level(logging.INFO if kind == "echo" else logging.DEBUG)  # httpcore logs headers
    path = tmp_path / "catalog.db"
    led = Fault(rf"{LISTING}.*cursor", None, leading_to(thief)[kind])
    with served(Fault(LISTING, None, for_members), led) as hub:
        with Catalog(path) as store, pytest.raises(RecommenderError) as caught:
            crawl(source(hub, CANARY), store)
        sent = [request.headers.get("Authorization") for request in hub.seen]
    assert (sent[0], set(sent[1:])) == (None, {f"Bearer {CANARY}"})
    assert not any(CANARY in request.target for request in hub.seen)
    assert thief.seen == []
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert CANARY.encode() not in written
    assert CANARY not in caplog.text + str(caught.value) + repr(caught.value)


def test_the_token_is_sent_only_where_it_is_needed(
    zoo: Path, store: Catalog, tmp_path: Path, write_repository: Callable[..., Path]
) -> None:
    """F17: not for what everybody is shown; what is private or gated is asked for twice once."""
    write_repository(zoo / "secret", hub={"private": True})
    counts = tmp_path / "requests.db"
    with LoopbackHub(zoo, token=CANARY, gated=["demo/cat"], quota=Quota(99, 300.0)) as hub:
        asked = HubSource(hub.endpoint, CANARY, patience=QUICK, allowance_path=counts)
        crawl(asked, store, task="text-classification")
        described = [asked.describe(store.get(id)) for id in ("demo/ant", "demo/bee", "plain")]
        assert all(isinstance(found, Model) and found.described for found in described)
        assert sent_with_token(hub) == []
        assert not asked.model("demo/cat").gated
        assert asked.model("secret").parameters == {"F32": 70}
        is_sent = [with_token for path, with_token in sent(hub) if "secret" in path]
        assert is_sent == [False, *[True] * (len(is_sent) - 1)]
        n_stranger = sum(path.startswith("/api/") and not token for path, token in sent(hub))
        n_member = sum(path.startswith("/api/") and token for path, token in sent(hub))
        assert asked.model("plain").labels
    assert all("secret" in path or "cat" in path for path in sent_with_token(hub))
    with closing(sqlite3.connect(counts)) as connection:
        kept = dict(connection.execute("SELECT key, COUNT(*) FROM requests GROUP BY key"))
    keys = [f"{hub.endpoint} {who} api" for who in ("anonymous", "token")]
    first = 1  # before it the quota was not known
    assert [kept.get(key, 0) for key in keys] == [n_stranger + 1 - first, n_member - first]


def sent(hub: LoopbackHub) -> list[tuple[str, bool]]:
    """What was asked, and whether with the token."""
    return [(request.path, "Authorization" in request.headers) for request in hub.seen]


def sent_with_token(hub: LoopbackHub) -> list[str]:
    return [path for path, with_token in sent(hub) if with_token]


def test_a_file_elsewhere_is_had_without_the_token(zoo: Path, tmp_path: Path) -> None:
    """F17: large files lie with another host, which is asked as a stranger."""
    with LoopbackHub(zoo) as other:

        def elsewhere(request: Request, answer: Answer) -> Answer:
            return redirect(f"{other.endpoint}{request.target}", 302)(request, answer)

        moved = Fault("/resolve/", None, elsewhere)
        with LoopbackHub(zoo, faults=[moved]) as hub:
            model = HubSource(hub.endpoint, CANARY, patience=QUICK).model("plain")
        assert model.parameters == {"F32": 70}
        assert other.seen
        assert not any("Authorization" in request.headers for request in other.seen)


def test_a_token_of_the_environment_is_for_its_endpoint_only(zoo: Path) -> None:
    """F17: a mirror that is named on the command line gets none that was not given for it."""
    code = (
        "from catalog.model import Model; from catalog.sources.hub import HubSource\n"
        "print(HubSource({}).describe(Model('plain', '', 'hub', described=False)).gated)"
    )
    gated = functools.partial(LoopbackHub, zoo, gated=["plain"], token=CANARY)
    told: list[str] = []
    with gated() as own, gated() as mirror:
        environment = os.environ | {"HF_ENDPOINT": own.endpoint, "HF_TOKEN": CANARY}
        for place in ("", repr(mirror.endpoint)):
            told.append(subprocess.run(
                [sys.executable, "-c", code.format(place)],
                env=environment, check=True, capture_output=True, text=True,
            ).stdout.strip())  # fmt: skip
    assert told == ["False", "True"]
    assert sent_with_token(own)
    assert mirror.seen
    assert not sent_with_token(mirror)


def closed_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def test_without_network_the_catalog_still_answers(store: Catalog) -> None:
    """F18: nobody listens, or the name is unknown: an error within 2 seconds."""
    with served() as hub:
        run(hub, store)
    for endpoint in (closed_port(), "http://hub.invalid"):
        start = time.monotonic()
        with pytest.raises(SourceUnavailable, match=r"HF_ENDPOINT.*folder:PATH"):
            crawl(HubSource(endpoint, False), store)
        assert time.monotonic() - start < 2
    assert len(ids(store)) == N_MODELS


def test_a_jumping_clock_disturbs_no_crawl(
    store: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F19: the time of day jumps by years with each look; nobody waits for it."""
    jumps = iter(range(1, 1_000_000))
    monkeypatch.setattr(time, "time", lambda: 1e9 * (next(jumps) % 3))
    rates: list[float] = []
    with SyntheticHub(60, page_size=PAGE_SIZE, quota=Quota(500, 300.0)) as hub:
        asked = HubSource(hub.endpoint, False, patience=QUICK, allowance_path=tmp_path / "r.db")
        crawl(asked, store, progress=lambda now: rates.append(now.elapsed_s))
    assert len(ids(store)) == 60
    assert rates == sorted(rates)
    assert rates[-1] < 60
