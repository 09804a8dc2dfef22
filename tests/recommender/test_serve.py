"""`recommender serve`, over a real connection to this machine."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from starlette.testclient import TestClient

from cache.paths import Home
from cache.runs import RunPart, Runs
from recommender.reports.pages import policy
from recommender.reports.site import site
from tests.recommender.past_runs import SMALL, about, store_runs

Run = Callable[..., tuple[int, str, str]]


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: HTTPMessage
    body: bytes


@dataclass(frozen=True)
class Served:
    """A running server, the ids of its two searches, and the file it reads."""

    port: int
    ids: list[str]
    store: Path
    process: "subprocess.Popen[str]"

    def ask(self, path: str, *, method: str = "GET", host: str | None = None) -> Answer:
        """One request, its path as it is given."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Host", host or f"127.0.0.1:{self.port}")
        connection.endheaders()
        response = connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        connection.close()
        return answer


def started(home: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "recommender", "serve", "--port", "0", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "RECOMMENDER_HOME": str(home)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # as in a terminal
    )


def port_of(process: "subprocess.Popen[str]") -> int:
    """As the line says that it prints when it listens."""
    assert process.stderr is not None
    told = re.search(r"at http://127\.0\.0\.1:(\d+)/", process.stderr.readline())
    assert told is not None
    return int(told[1])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("home")
    evil = about(SMALL, data="<script>alert(1)</script>.csv")
    ids = store_runs(home, [about(SMALL, data="old.csv"), evil])
    with started(home) as process:
        yield Served(port_of(process), ids, home / "measurements.db", process)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert (process.returncode, said.strip()) == (130, "")


def test_the_index_leads_to_the_searches(served: Served) -> None:
    """Names of data are text in it."""
    page = served.ask("/").body.decode()
    assert [page.count(f'href="/runs/{id}"') for id in served.ids] == [1, 1]
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page


def test_pages_lead_to_each_other(served: Served) -> None:
    """A search to all searches, and to its other formats."""
    page = served.ask(f"/runs/{served.ids[0]}").body.decode()
    links = dict(re.findall(r'<a href="(/[^"]*)">([^<]*)</a>', page))
    assert links.pop("/") == "All searches"
    assert set(links.values()) == {"JSON", "CSV", "Markdown"}
    assert [served.ask(link).status for link in links] == [200, 200, 200]


def test_a_search_has_an_address_for_each_format(served: Served) -> None:
    """By the first digits of its id too."""
    kinds = {"json": "application/json", "md": "text/markdown", "csv": "text/csv",
             "png": "image/png"}  # fmt: skip
    for suffix, kind in kinds.items():
        answer = served.ask(f"/runs/{served.ids[0][:12]}.{suffix}")
        assert (answer.status, answer.headers.get_content_type()) == (200, kind)
        assert len(answer.body) > 500
    told = json.loads(served.ask(f"/runs/{served.ids[0]}.json").body)
    assert told["data"]["name"] == "old.csv"
    assert b"old.csv" in served.ask(f"/runs/{served.ids[0]}").body


def test_a_search_that_ends_later_is_there_without_a_restart(served: Served) -> None:
    """The store is read at each request."""
    assert "later.csv" not in served.ask("/").body.decode()
    (new,) = store_runs(served.store.parent, [about(SMALL, data="later.csv")])
    assert "later.csv" in served.ask("/").body.decode()
    assert served.ask(f"/runs/{new}.json").status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "0.0.0.0", "192.168.0.1"],
)
def test_another_name_for_this_machine_gets_nothing(served: Served, host: str) -> None:
    """A page elsewhere whose name was pointed here (DNS rebinding) reads nothing."""
    answer = served.ask("/", host=host)
    assert answer.status == 400
    assert b"old.csv" not in answer.body


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1234", "LOCALHOST", "[::1]:8765"])
def test_the_names_of_this_machine_are_served(served: Served, host: str) -> None:
    """Whatever the port, as behind a tunnel."""
    assert served.ask("/", host=host).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/runs/latest", "/leaderboard"])
def test_only_reading_is_answered(served: Served, method: str, path: str) -> None:
    """Everything else is refused with 405."""
    answer = served.ask(path, method=method)
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD" or answer.headers["Allow"] == "HEAD, GET"


@pytest.mark.parametrize(
    "path",
    [
        "/runs/nope",
        "/runs/latest.exe",
        "/runs/latest.pickle",
        "/runs/../measurements.db",
        "/runs/..%2f..%2fmeasurements.db",
        "/runs/%2e%2e/%2e%2e/etc/passwd",
        "/../../etc/passwd",
        "//etc/passwd",
        "/runs/%00.json",
        "/runs/%25",
        "/measurements.db",
        "/static/page.js",
        "/leaderboard?task=no-such-task",
        "/leaderboard?fingerprint=%27%3B--",
    ],
)
def test_nothing_else_has_an_address(served: Served, path: str) -> None:
    """No file of the machine, and no text of a stranger's as HTML."""
    answer = served.ask(path)
    assert answer.status in (400, 404)
    assert b"SQLite" not in answer.body
    assert b"root:" not in answer.body
    assert answer.headers.get_content_type() == "text/plain"


@pytest.mark.parametrize("path", ["/", "/runs/latest.json", "/runs/nope", "/nowhere"])
def test_every_answer_tells_the_browser_to_do_no_more_than_show_it(
    served: Served, path: str
) -> None:
    """The page's own policy as a header, and no framing, guessing of types or telling of where."""
    headers = served.ask(path).headers
    assert headers["Content-Security-Policy"] == f"{policy()}; frame-ancestors 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Server"] is None


def test_a_head_request_has_no_body(served: Served) -> None:
    """Its headers are those of the page."""
    answer = served.ask("/", method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 1000


def test_only_this_machine_can_reach_it(served: Served) -> None:
    """It listens on the loopback address and no other."""
    for family, address in ((socket.AF_INET, "127.0.0.2"), (socket.AF_INET6, "::1")):
        with socket.socket(family) as other:
            assert other.connect_ex((address, served.port)) != 0


# ---------------------------------------------------------------------- the store behind it
def asked_of(home: Path, path: str) -> tuple[int, str]:
    """The status and the text of one answer, without a server."""
    client = TestClient(site(Home(home)), base_url="http://127.0.0.1")
    answer = client.get(path)
    return answer.status_code, answer.text


@pytest.mark.parametrize("path", ["/", "/runs/latest", "/leaderboard"])
def test_nothing_is_made_or_changed_by_looking(tmp_path: Path, path: str) -> None:
    """A store that is not there stays away, and an older one is left as it is; both can be had
    again, so the answer is 503."""
    home = tmp_path / "home"
    assert asked_of(home, path)[0] == 503
    assert not home.exists()
    store_runs(home, [SMALL])
    file = home / "measurements.db"
    with closing(sqlite3.connect(file)) as store:
        store.execute("PRAGMA user_version=6")
    status, said = asked_of(home, path)
    assert (status, said.count("\n")) == (503, 1)
    assert "run any command once" in said
    with closing(sqlite3.connect(file)) as store:
        assert store.execute("PRAGMA user_version").fetchone() == (6,)


@pytest.mark.parametrize("path", ["/", "/runs/latest", "/leaderboard"])
def test_a_damaged_store_is_unavailable(tmp_path: Path, path: str) -> None:
    """In one line, without a traceback."""
    (tmp_path / "measurements.db").write_bytes(b"this is not a database" * 100)
    status, said = asked_of(tmp_path, path)
    assert (status, said.count("\n")) == (503, 1)
    assert "cannot read" in said


def test_searches_that_come_and_go_meanwhile_fail_nothing(tmp_path: Path) -> None:
    """The index shows those that it knows and that are still there; strange ones in no case."""
    gone, left = store_runs(tmp_path, [SMALL, about(SMALL, data="left.csv")])
    parts = Runs.parts

    def and_change(*asked: Any, **limits: Any) -> Iterator[RunPart]:
        yield from parts(*asked, **limits)
        store_runs(tmp_path, [about(SMALL, data="later.csv")])
        with closing(sqlite3.connect(tmp_path / "measurements.db")) as store, store:
            store.execute("DELETE FROM runs WHERE key = ?", (gone,))
            store.execute("UPDATE runs SET answer = '{}' WHERE key NOT IN (?, ?)", (gone, left))

    with mock.patch.object(Runs, "parts", and_change):
        status, page = asked_of(tmp_path, "/")
    assert status == 200
    assert "left.csv" in page
    assert f"/runs/{gone}" not in page
    assert asked_of(tmp_path, "/")[0] == 200


def test_it_ends_cleanly(tmp_path: Path) -> None:
    """With the signal's exit code, and without a word; an open connection does not hold it up.

    The server of the other tests ends with Ctrl-C.
    """
    with (
        started(tmp_path) as process,
        socket.create_connection(("127.0.0.1", port_of(process))),
    ):
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    assert (process.returncode, said.strip()) == (143, "")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.1", "example.org"])
def test_another_address_is_refused_in_one_line(run_command: Run, host: str) -> None:
    """And how to share pages is said."""
    code, out, err = run_command("serve", "--host", host)
    assert (code, out) == (2, "")
    assert "could be reached by others" in err
    assert "report --all" in err
    assert len(err.splitlines()) == 1


def test_a_port_that_is_taken_is_told(run_command: Run) -> None:
    """With the option that names another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, _, err = run_command("serve", "--port", taken.getsockname()[1])
    assert code == 2
    assert "name another with --port" in err


def test_a_missing_extra_is_named(run_command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the line that installs it."""
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    code, _, err = run_command("serve")
    assert code == 2
    assert "pip install 'recommender[serve]'" in err
    assert "uvicorn" in err
