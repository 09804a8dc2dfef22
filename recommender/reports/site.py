"""The stored searches as pages over HTTP, to be looked at only. The home of starlette."""

import sqlite3
from functools import lru_cache
from threading import Lock

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cache.errors import NotFound, RecommenderError, StoreError
from cache.evaluations import Limits
from cache.measurements import Measurements
from cache.paths import Home
from evaluators.hardware import machine as this_machine
from recommender.leaderboard import read_leaderboard
from recommender.plugins import plugin
from recommender.reports.index import ALL, index_page
from recommender.reports.pages import policy, with_links
from recommender.runs import RunSummary, all_runs, stored_run

HOSTS = ("127.0.0.1", "localhost", "[::1]", "::1")
"""Names of this machine: a page of another name that leads here (DNS rebinding) gets nothing."""

KINDS = {
    "html": "text/html",
    "json": "application/json",
    "md": "text/markdown",
    "csv": "text/csv",
    "svg": "image/svg+xml",
    "png": "image/png",
}
OTHERS = {"JSON": "json", "CSV": "csv", "Markdown": "md"}
"""What a page leads to: the same search in other formats."""
KEPT_PAGES = 32
"""Rendered searches that are kept; they do not change."""

HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",
}


def site(home: Home) -> Starlette:
    """The pages of the stores in a home: `/`, `/runs/ID`, `/runs/ID.json` ..., `/leaderboard`."""
    pages = Pages(home)
    return Starlette(
        routes=[
            Route("/", pages.index),
            Route("/runs/{name}", pages.run),
            Route("/leaderboard", pages.leaderboard),
        ],
        middleware=[
            Middleware(Guarded),
            Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False),
        ],
        exception_handlers={
            HTTPException: _refused,
            RecommenderError: _told,
            StoreError: _unavailable,
            sqlite3.Error: _unavailable,
        },
    )


class Guarded:
    """Gives every answer the headers that keep a browser from doing more than showing it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI has it."""

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                rules = f"{policy()}; frame-ancestors 'none'"
                given = {**HEADERS, "content-security-policy": rules}
                pairs = [(name.encode(), value.encode()) for name, value in given.items()]
                message["headers"] = [*message.get("headers", ()), *pairs]
            await send(message)

        await self._app(scope, receive, send_guarded)


class Pages:
    """What each address shows, read from the store at each request; one is drawn at a time."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._runs: dict[str, RunSummary] = {}
        self._drawing = Lock()
        self._rendered = lru_cache(KEPT_PAGES)(self._render)

    def index(self, request: Request) -> Response:
        """All searches."""
        with self._drawing, self._store() as store:
            self._runs |= {run.id: run for run in all_runs(store, known=self._runs)}
            runs = [self._runs[key] for key in store.past.ids() if key in self._runs]
            others = {"Leaderboard": "/leaderboard"} if runs else {}
            return HTMLResponse(index_page(runs, link=lambda id: f"/runs/{id}", others=others))

    def run(self, request: Request) -> Response:
        """One search, as a page or in the format of its suffix."""
        key, _, suffix = request.path_params["name"].partition(".")
        if suffix and suffix not in KINDS:
            raise HTTPException(404, f"no format is called .{suffix}: {', '.join(KINDS)}")
        with self._drawing:
            with self._store() as store:
                key = stored_run(store, key).id
            content = self._rendered(key, suffix or "html")
        return Response(content, media_type=KINDS[suffix or "html"])

    def leaderboard(self, request: Request) -> Response:
        """What is known of a set of rows: of `fingerprint`, of a `task`, or the latest."""
        asked = request.query_params
        limits = Limits(asked.get("task", ""), asked.get("fingerprint", ""))
        here = this_machine().describe()
        with self._drawing:
            with self._store() as store:
                name = "rows whose fingerprint starts with"
                board = read_leaderboard(store, limits, here=here, name=name)
            made = plugin("reports", "html")(board, verbose=True)
            return HTMLResponse(with_links(made, {ALL: "/"}))

    def _store(self) -> Measurements:
        return Measurements(self._home.measurements, read_only=True)

    def _render(self, key: str, form: str) -> str | bytes:
        with self._store() as store:
            found = stored_run(store, key).result
        rendered: str | bytes = plugin("reports", form)(found, verbose=True)
        if form != "html" or not isinstance(rendered, str):
            return rendered
        same = {name: f"/runs/{key}.{suffix}" for name, suffix in OTHERS.items()}
        return with_links(rendered, {ALL: "/", **same})


def _refused(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else "failed"
    headers = error.headers if isinstance(error, HTTPException) else None
    return PlainTextResponse(f"{detail}\n", status, headers=headers)


def _told(request: Request, error: Exception) -> Response:
    """One of our errors in one line."""
    return PlainTextResponse(f"{error}\n", 404 if isinstance(error, NotFound) else 400)


def _unavailable(request: Request, error: Exception) -> Response:
    """The store cannot be read at present; it may be again."""
    return PlainTextResponse(f"{error}\n", 503)
