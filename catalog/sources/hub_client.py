"""Single requests to a Hub: capped in size and time, retried a little, errors named.

The client of huggingface_hub retries for half a minute where nobody answers, sleeps as long as a
server says, follows a listing to any other host with the token, and reads replies of any size.
"""

import random
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from math import inf
from pathlib import Path
from typing import Any, TypeVar  # Any: the Hub's JSON
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit

from huggingface_hub import __version__, constants, get_session, get_token
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # no __all__

from cache.errors import AccessRequired, BadInput, NotFound, SourceUnavailable
from catalog.allowance import PUBLIC_QUOTAS, Allowance, OutOfTime
from catalog.policy import PUBLIC_ENDPOINT
from catalog.sources.origins import SHUT, is_loopback, is_private, origin_of
from catalog.untrusted import JSON_LIMIT_BYTES, Unreadable, parse_json

PAGE_LIMIT_BYTES = 50_000_000
FEWER = 10
"""A page that is too large is asked for again with a tenth of its rows."""
EMPTY_PAGES_LIMIT = 5
"""So many pages without a row may follow each other."""
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
MOVED = frozenset({301, 302, 303, 307, 308})
MOVES_LIMIT = 5
OPEN_CODES = ("EntryNotFound", "RevisionNotFound")
"""The repository is shown, what was asked of it is not there: a token changes nothing."""
COMPRESSIONS: Mapping[str, int] = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # zlib's window bits
NO_SECRET = b"(token)"
ENDPOINT = ""
"""In the place of a repository: what is asked is about none."""
USER_AGENT = f"recommender; hf_hub/{__version__}"
"""Our own: to write its own, huggingface_hub asks the endpoint first, uncounted, who drives it."""

Params = Sequence[tuple[str, str]]
Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a client waits, in seconds.

    `reply_s` is for one whole reply, however slowly it drips; `pauses_s` come before the second,
    the third... attempt; `longest_pause_s` caps what a server asks for; `total_s` is for a request
    with all its attempts and pauses.
    """

    connect_s: float = 4.0
    read_s: float = 10.0
    reply_s: float = 30.0
    pauses_s: tuple[float, ...] = (0.5, 2.0)
    longest_pause_s: float = 310.0
    total_s: float = 900.0


class Disabled(AccessRequired):
    """The Hub has shut a repository, for everybody."""


class Gone(NotFound):
    """The Hub has no such repository, or hides it from us: it does not tell which."""


class Failing(SourceUnavailable):
    """The Hub answers, but not this request."""


class _TooLarge(Failing):
    """An answer is larger than it may be."""


class Stale(Failing):
    """The Hub no longer knows the place at which a listing was to go on."""


class _Refused(Failing):
    """The Hub does not take the request as it is, now or later."""


class _Passing(Exception):
    """A fault that may be gone at the next attempt; `error` is raised when it is not."""

    def __init__(self, error: Exception, wait_s: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer, whatever its status."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    next_url: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one page of a listing; `cursor` is where it goes on, None at its end."""

    rows: list[Any]
    cursor: str | None


@dataclass(slots=True)
class _PageSize:
    """Rows that are asked for at once: fewer until those of a page that was too large are had."""

    whole: int
    asked: int
    n_left: int = 0

    @property
    def is_cut(self) -> bool:
        return self.asked < self.whole

    def cut(self) -> bool:
        """Asks for fewer from now on; whether that is possible."""
        is_possible = self.asked > 1
        self.n_left, self.asked = self.asked, max(1, self.asked // FEWER)
        return is_possible

    def note(self, n_rows: int) -> None:
        """So many rows are had."""
        self.n_left -= n_rows
        self.asked = self.asked if self.n_left > 0 else self.whole


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request: `is_file` may be answered from another host, as large files are.

    `repository` is what it is about; a listing is about the whole endpoint.
    """

    url: str
    params: Params = ()
    repository: str = ENDPOINT
    headers: Mapping[str, str] | None = None
    limit_bytes: int = PAGE_LIMIT_BYTES
    is_file: bool = False


class HubClient:
    """Asks one endpoint; the token goes there only, and over plain http to this machine only.

    A listing or a repository is asked for without the token first, and with it where the endpoint
    shows it to nobody else. A token from the environment goes to the endpoint of the environment
    only. `allowance_path` is where processes tell each other of their requests. `on_wait` is told
    the seconds of each wait of a second and more, before it begins. Any thread may ask.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        token: str | bool | None = None,
        *,
        patience: Patience | None = None,
        allowance_path: Path | None = None,
        on_wait: Callable[[float], None] | None = None,
    ) -> None:
        self.endpoint = (endpoint or constants.ENDPOINT).rstrip("/")
        parts = urlsplit(self.endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise BadInput(
                "the Hub's endpoint must look like https://huggingface.co; "
                "a token belongs in HF_TOKEN, not into the address"
            )
        is_own = isinstance(token, str) or self.endpoint == constants.ENDPOINT.rstrip("/")
        self.token = token if is_own and is_private(self.endpoint) else False
        self.patience = patience or Patience()
        self.n_requests = 0
        """Requests that were sent so far, repeated ones included."""
        self.waits_end = inf
        """A wait beyond this monotonic time is an OutOfTime."""
        self._on_wait = on_wait
        self._lock = threading.Lock()
        self._secret = _secret(self.token)
        self._shut = set[str]()  # what is shown to the token only
        quotas = PUBLIC_QUOTAS if self.endpoint == PUBLIC_ENDPOINT else {}
        self._allowances = {  # by whether the token is sent
            with_token: Allowance(f"{self.endpoint} {name}", quotas, path=allowance_path)
            for with_token, name in ((False, "anonymous"), (True, "token"))
        }

    def json(
        self,
        path: str,
        params: Params = (),
        *,
        repository: str = ENDPOINT,
        limit_bytes: int = PAGE_LIMIT_BYTES,
    ) -> Any:
        """The JSON at a path of the API, which tells of a repository or of many."""
        url = f"{self.endpoint}{path}"
        asked = _Asked(url, params, repository=repository, limit_bytes=limit_bytes)
        return self._get(asked, self._parse)

    def pages(
        self, path: str, params: Params, *, n_rows: int, start: str | None = None
    ) -> Iterator[Page]:
        """The pages of a listing, of `n_rows` each, as long as they lead on at this endpoint.

        `start` is the cursor of a page that was had before; Stale where the Hub knows it no more.
        """
        query = urlencode([*params, ("limit", str(n_rows))])
        url = self._next(f"{self.endpoint}{path}", start or f"{path}?{query}")
        seen, n_empty, size = set[int](), 0, _PageSize(n_rows, n_rows)
        while True:
            page = self._page_of(url, size, is_resumed=start is not None and not seen)
            yield page
            if page.cursor is None:
                return
            n_empty = 0 if page.rows else n_empty + 1
            if hash(page.cursor) in seen or n_empty == EMPTY_PAGES_LIMIT:
                kind = "the same page" if n_empty < EMPTY_PAGES_LIMIT else "empty pages"
                raise Failing(f"{self.endpoint} lists {kind} again and again: {path}")
            seen.add(hash(page.cursor))
            url = self._next(url, page.cursor)

    def file(
        self, id: str, revision: str, path: str, *, span: tuple[int, int] | None = None
    ) -> bytes:
        """A small file, or its bytes from `span[0]` up to, not including, `span[1]`."""
        url = f"{self.endpoint}/{id}/resolve/{revision}/{quote(path)}"
        headers = {"Accept-Encoding": "identity"}
        if span:
            headers["Range"] = f"bytes={span[0]}-{span[1] - 1}"
        limit_bytes = span[1] - span[0] if span else JSON_LIMIT_BYTES
        asked = _Asked(url, repository=id, headers=headers, limit_bytes=limit_bytes, is_file=True)
        return self._get(asked, lambda reply: reply.content)

    def _page_of(self, url: str, size: "_PageSize", *, is_resumed: bool) -> Page:
        """The page at an address, or fewer of its rows where it is too large."""
        while True:
            here = _with_limit(url, size.asked) if size.is_cut else url
            try:
                page = self._page(_Asked(here), is_resumed=is_resumed)
            except _TooLarge:
                if not size.cut():
                    raise
                continue
            if size.is_cut and page.cursor is not None:
                page = replace(page, cursor=_with_limit(page.cursor, size.whole))
            size.note(len(page.rows))
            return page

    def _page(self, asked: _Asked, *, is_resumed: bool) -> Page:
        try:
            return self._get(asked, lambda reply: self._read_page(reply, asked))
        except NotFound as error:
            kind = Stale if is_resumed else Failing
            raise kind(f"{self.endpoint} lists no models; is it a Hub?") from error
        except _Refused as error:
            kind = Stale if is_resumed else Failing
            raise kind(str(error)) from error

    def _read_page(self, reply: Reply, asked: _Asked) -> Page:
        rows = self._parse(reply)
        if not isinstance(rows, list):
            raise _Passing(Failing(f"{self.endpoint} answers with no list; is it a Hub?"))
        if reply.next_url is None:
            return Page(rows, None)
        following = urlsplit(self._next(asked.url, reply.next_url))
        return Page(rows, f"{following.path}?{following.query}")

    def _get(self, asked: _Asked, read: Callable[[Reply], Read]) -> Read:
        """What `read` makes of the answer; the same is asked again after faults that may pass."""
        end = time.monotonic() + self.patience.total_s
        n_failed = 0
        while True:
            try:
                reply = self._attempt(asked, end)
                if reply.status >= 400:
                    raise self._error(asked, reply)
                return read(reply)
            except _Passing as fault:
                wait_s = self._pause_s(fault, n_failed)
                if wait_s is None:
                    raise fault.error from fault
                self._wait(wait_s, end, fault.error)
            n_failed += 1

    def _pause_s(self, fault: _Passing, n_failed: int) -> float | None:
        """The seconds before the next attempt; None after the last one."""
        if n_failed >= len(self.patience.pauses_s):
            return None
        jitter = random.uniform(0.75, 1.25)  # noqa: S311  # so that clients do not return at once
        planned_s = self.patience.pauses_s[n_failed] * jitter
        wanted_s = planned_s if fault.wait_s is None else fault.wait_s
        return min(wanted_s, self.patience.longest_pause_s)

    def _await_allowance(self, asked: _Asked, end: float, *, with_token: bool) -> None:
        """Waits until the endpoint's quota leaves room for one more request."""
        while wait_s := self._allowances[with_token].take(_bucket(asked)):
            self._wait(wait_s, end, SourceUnavailable(self._spent(wait_s)))

    def _wait(self, wait_s: float, end: float, error: Exception) -> None:
        """Sleeps; where that would go on beyond `end` the error is raised instead."""
        until = time.monotonic() + wait_s
        if until > self.waits_end:
            raise OutOfTime(str(error)) from error
        if until > end:
            raise error
        if self._on_wait and wait_s >= 1:
            self._on_wait(wait_s)
        time.sleep(wait_s)

    def _attempt(self, asked: _Asked, end: float) -> Reply:
        """The answer, without the token where that is enough."""
        is_shut = not self._shut.isdisjoint((ENDPOINT, asked.repository))
        reply = self._led(asked, end, with_token=is_shut)
        if is_shut or not self._secret or not _may_be_shut(reply):
            return reply
        reply = self._led(asked, end, with_token=True)
        if asked.repository or reply.status < 400:  # the whole endpoint only where that helped
            self._shut.add(asked.repository)
        return reply

    def _led(self, asked: _Asked, end: float, *, with_token: bool) -> Reply:
        """The answer where the request is led in the end; the token stays with its origin."""
        url, params = asked.url, asked.params
        for _ in range(MOVES_LIMIT):
            if origin_of(url) == origin_of(self.endpoint):
                self._await_allowance(asked, end, with_token=with_token)
            reply = self._send(asked, url, params, with_token=with_token)
            if reply.status not in MOVED:
                return reply
            url, params = self._moved(asked, url, reply), ()
        raise Failing(f"{self.endpoint} redirects without end")

    def _send(self, asked: _Asked, url: str, params: Params, *, with_token: bool) -> Reply:
        is_home = origin_of(url) == origin_of(self.endpoint)
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip", **(asked.headers or {})}
        if is_home and with_token:
            headers["Authorization"] = f"Bearer {self._secret}"
        timeout = httpx.Timeout(self.patience.read_s, connect=self.patience.connect_s)
        query = tuple(params) or None  # an empty one would cut the query of a next page's address
        with self._lock:
            self.n_requests += 1
        try:
            with get_session().stream(
                "GET", url, params=query, headers=headers, timeout=timeout, follow_redirects=False
            ) as response:
                if is_home:
                    self._allowances[with_token].learn(_bucket(asked), response.headers)
                content = self._read(response, asked.limit_bytes)
        except SourceUnavailable:
            raise
        except (httpx.ConnectError, httpx.InvalidURL, ConnectionError) as error:  # or offline mode
            raise SourceUnavailable(self._hint(error)) from error
        except httpx.HTTPError as error:
            raise _Passing(SourceUnavailable(self._hint(error))) from error
        link = self._without_token(response.links.get("next", {}).get("url", "").encode()).decode()
        content = self._without_token(content)
        return Reply(response.status_code, response.headers, content, link or None)

    def _read(self, response: "httpx.Response", limit_bytes: int) -> bytes:
        """The body, unpacked no further than the limit: a bomb is cut off before it goes off."""
        host, end = response.url.host, time.monotonic() + self.patience.reply_s
        unpack = _unpacker(response.headers.get("Content-Encoding", ""))
        content = bytearray()
        for chunk in response.iter_raw():
            content += unpack(chunk, limit_bytes + 1 - len(content))
            if len(content) > limit_bytes:
                raise _TooLarge(f"{host} sent more than {limit_bytes:,} bytes")
            if time.monotonic() > end:
                raise _Passing(
                    SourceUnavailable(f"{host} took longer than {self.patience.reply_s:g} s")
                )
        return bytes(content)

    def _moved(self, asked: _Asked, url: str, reply: Reply) -> str:
        """Where a redirection leads. Only a file may lie on another host."""
        following = self._joined(url, reply.headers.get("Location", ""))
        if origin_of(following) == origin_of(self.endpoint):
            return following
        is_near = is_loopback(following) and not is_loopback(self.endpoint)
        if not asked.is_file or not is_private(following) or is_near:
            raise Failing(f"{self.endpoint} leads to {self._shown(following)}; not followed")
        return following

    def _next(self, url: str, link: str) -> str:
        """The next page's address. Another host would be sent the token: it is refused."""
        following = self._joined(url, link)
        if origin_of(following) != origin_of(self.endpoint):
            where = self._shown(following)
            raise Failing(f"{self.endpoint} continues its listing at {where}; not followed")
        return following

    def _joined(self, url: str, link: str) -> str:
        try:
            following = urljoin(url, link)
            origin_of(following)
        except ValueError as error:
            raise Failing(f"{self.endpoint} leads to no address: {ascii(link)[:200]}") from error
        return following

    def _parse(self, reply: Reply) -> Any:
        try:
            return parse_json(reply.content, limit_bytes=PAGE_LIMIT_BYTES, depth=None)
        except Unreadable as error:
            what = f"{self.endpoint} does not answer as a Hub: {error}"
            raise _Passing(Failing(what)) from error

    def _without_token(self, content: bytes) -> bytes:
        """A server that sends back our token must not bring it into the catalog."""
        return content.replace(self._secret.encode(), NO_SECRET) if self._secret else content

    def _hint(self, error: Exception) -> str:
        what = "offline mode is on" if constants.is_offline_mode() else self._shown(error)
        return (
            f"{self.endpoint} cannot be reached: {what}; check the network and HF_ENDPOINT, "
            "unset HF_HUB_OFFLINE, or take models from a folder (--source folder:PATH)"
        )

    def _shown(self, told: str | Exception) -> str:
        """What a stranger wrote, as an error may show it: of an address the host alone."""
        text = first_line(told) if isinstance(told, Exception) else urlsplit(told).netloc
        return ascii(self._without_token(text.encode("utf-8", "replace")).decode())[1:-1][:200]

    def _spent(self, wait_s: float) -> str:
        return (
            f"{self.endpoint} allows no more requests for {wait_s:,.0f} s; "
            "then run the same command again"
        )

    def _error(self, asked: _Asked, reply: Reply) -> Exception:
        code = reply.headers.get("X-Error-Code", "")
        told = reply.headers.get("X-Error-Message", "")
        what = urlsplit(asked.url).path
        if "disabled" in told or reply.status == HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS:
            return Disabled(f"{self.endpoint} has disabled {what}")
        if code == "GatedRepo" or (reply.status == HTTPStatus.FORBIDDEN and not code):
            return AccessRequired(f"{self.endpoint} gives {what} on request only")
        if reply.status == HTTPStatus.NOT_FOUND or code == "RepoNotFound":
            kind = Gone if code == "RepoNotFound" else NotFound
            return kind(f"{self.endpoint} has no {what}{_not_found_hint(code)}")
        if reply.status == HTTPStatus.UNAUTHORIZED:
            if not self._secret:
                return AccessRequired(f"{self.endpoint} asks for a token; set HF_TOKEN")
            return AccessRequired(f"{self.endpoint} does not accept the token; check HF_TOKEN")
        if reply.status == HTTPStatus.TOO_MANY_REQUESTS:  # true for every further request too
            wait_s = asked_pause_s(reply.headers)
            told_s = self.patience.longest_pause_s if wait_s is None else wait_s
            return _Passing(SourceUnavailable(self._spent(told_s)), wait_s)
        error = f"{self.endpoint} answers {reply.status} to {what}; try again later"
        if reply.status in TRANSIENT:
            return _Passing(Failing(error), asked_pause_s(reply.headers))
        return _Refused(error)


def asked_pause_s(headers: Mapping[str, str]) -> float | None:
    """The seconds that an answer asks to wait; None where it does not say, or not readably.

    `Retry-After` holds seconds or a date, which is read by the server's own clock.
    """
    told = headers.get("Retry-After", "").strip()
    if told.isdecimal() and told.isascii():
        return float(told[:9])
    try:
        until = parsedate_to_datetime(told)
        now = parsedate_to_datetime(headers.get("Date", ""))
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError, OverflowError):  # TypeError: one has a time zone, one none
        return None


def first_line(error: Exception) -> str:
    """An error's first line, or its kind where it says nothing."""
    return (str(error).splitlines() or [""])[0] or type(error).__name__


def _secret(token: str | bool | None) -> str:
    """The token's text, as huggingface_hub reads its environment; empty where none is sent."""
    if isinstance(token, str):
        return token
    is_silent = token is False or (token is None and constants.HF_HUB_DISABLE_IMPLICIT_TOKEN)
    return "" if is_silent else get_token() or ""


def _unpacker(encoding: str) -> Callable[[bytes, int], bytes]:
    """Unpacks chunk by chunk, each to at most so many bytes."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return lambda chunk, _limit_bytes: chunk
    if name not in COMPRESSIONS:
        raise Failing("an answer is packed in an unknown way; gzip was asked for")
    packed = zlib.decompressobj(COMPRESSIONS[name])

    def unpack(chunk: bytes, limit_bytes: int) -> bytes:
        try:
            return packed.decompress(chunk, limit_bytes)
        except zlib.error as error:
            raise _Passing(Failing(f"an answer cannot be unpacked: {error}")) from error

    return unpack


def _bucket(asked: _Asked) -> str:
    """The kind of request that the Hub counts together."""
    return "resolvers" if asked.is_file else "api"


def _may_be_shut(reply: Reply) -> bool:
    """Whether the token may open what is not shown without it."""
    return reply.status in SHUT and reply.headers.get("X-Error-Code") not in OPEN_CODES


def _with_limit(url: str, n_rows: int) -> str:
    """The address of a page with another number of rows; cursors do not depend on it."""
    parts = urlsplit(url)
    query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != "limit"]
    return parts._replace(query=urlencode([*query, ("limit", str(n_rows))])).geturl()


def _not_found_hint(code: str) -> str:
    if code == "RepoNotFound":
        return "; check the id, and if the model is private, set HF_TOKEN"
    return "; check the revision" if code == "RevisionNotFound" else ""
