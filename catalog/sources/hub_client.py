"""Single requests to a Hub: capped in size and time, retried a little, errors named.

The client of huggingface_hub retries for half a minute where nobody answers, sleeps as long as a
server says, follows a listing to any other host with the token, and reads replies of any size.
"""

import random
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar  # Any: the Hub's JSON
from urllib.parse import quote, urljoin, urlsplit

from huggingface_hub import __version__, constants, get_session, get_token
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # no __all__

from cache.errors import AccessRequired, BadInput, NotFound, SourceUnavailable
from catalog.allowance import PUBLIC_QUOTAS, Allowance
from catalog.policy import PUBLIC_ENDPOINT
from catalog.untrusted import JSON_LIMIT_BYTES, Unreadable, parse_json

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
PAGE_LIMIT_BYTES = 50_000_000
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
MOVED = frozenset({301, 302, 303, 307, 308})
MOVES_LIMIT = 5
COMPRESSIONS: Mapping[str, int] = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # zlib's window bits
NO_SECRET = b"(token)"
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


class Failing(SourceUnavailable):
    """The Hub answers, but not this request."""


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


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request: `is_file` may be answered from another host, as large files are."""

    url: str
    params: Params = ()
    headers: Mapping[str, str] | None = None
    limit_bytes: int = PAGE_LIMIT_BYTES
    is_file: bool = False


class HubClient:
    """Asks one endpoint; the token goes there only, and over plain http to this machine only.

    A token from the environment goes to the endpoint of the environment only. `allowance_path`
    is where processes tell each other of their requests. `on_wait` is told the seconds of each
    wait of a second and more, before it begins. Any thread may ask.
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
        self.token = token if is_own and _is_private(self.endpoint) else False
        self.patience = patience or Patience()
        self.n_requests = 0
        """Requests that were sent so far, repeated ones included."""
        self._on_wait = on_wait
        self._lock = threading.Lock()
        self._secret = _secret(self.token)
        self._allowance = Allowance(
            f"{self.endpoint} {'token' if self._secret else 'anonymous'}",
            PUBLIC_QUOTAS if self.endpoint == PUBLIC_ENDPOINT else {},
            path=allowance_path,
        )

    def json(self, path: str, params: Params = (), *, limit_bytes: int = PAGE_LIMIT_BYTES) -> Any:
        """The JSON at a path of the API."""
        asked = _Asked(f"{self.endpoint}{path}", params, limit_bytes=limit_bytes)
        return self._get(asked, self._parse)

    def pages(self, path: str, params: Params, *, start: str | None = None) -> Iterator[Page]:
        """The pages of a listing, as long as they lead on at this endpoint.

        `start` is the cursor of a page that was had before; Stale where the Hub knows it no more.
        """
        url, seen = f"{self.endpoint}{path}", set[int]()
        if start is not None:
            url, params = self._next(url, start), ()
        while True:
            page = self._page(_Asked(url, params), is_resumed=start is not None and not seen)
            yield page
            if page.cursor is None:
                return
            if hash(page.cursor) in seen:
                raise Failing(f"{self.endpoint} lists the same page again and again: {path}")
            seen.add(hash(page.cursor))
            url, params = self._next(url, page.cursor), ()

    def file(
        self, id: str, revision: str, path: str, *, span: tuple[int, int] | None = None
    ) -> bytes:
        """A small file, or its bytes from `span[0]` up to, not including, `span[1]`."""
        url = f"{self.endpoint}/{id}/resolve/{revision}/{quote(path)}"
        headers = {"Accept-Encoding": "identity"}
        if span:
            headers["Range"] = f"bytes={span[0]}-{span[1] - 1}"
        limit_bytes = span[1] - span[0] if span else JSON_LIMIT_BYTES
        asked = _Asked(url, headers=headers, limit_bytes=limit_bytes, is_file=True)
        return self._get(asked, lambda reply: reply.content)

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
                if wait_s is None or time.monotonic() + wait_s > end:
                    raise fault.error from fault
            n_failed += 1
            self._wait(wait_s)

    def _pause_s(self, fault: _Passing, n_failed: int) -> float | None:
        """The seconds before the next attempt; None after the last one."""
        if n_failed >= len(self.patience.pauses_s):
            return None
        jitter = random.uniform(0.75, 1.25)  # noqa: S311  # so that clients do not return at once
        planned_s = self.patience.pauses_s[n_failed] * jitter
        wanted_s = planned_s if fault.wait_s is None else fault.wait_s
        return min(wanted_s, self.patience.longest_pause_s)

    def _await_allowance(self, asked: _Asked, end: float) -> None:
        """Waits until the endpoint's quota leaves room for one more request."""
        while wait_s := self._allowance.take(_bucket(asked)):
            if time.monotonic() + wait_s > end:
                raise SourceUnavailable(self._spent(wait_s))
            self._wait(wait_s)

    def _wait(self, wait_s: float) -> None:
        if self._on_wait and wait_s >= 1:
            self._on_wait(wait_s)
        time.sleep(wait_s)

    def _attempt(self, asked: _Asked, end: float) -> Reply:
        """The answer where the request is led in the end; the token stays with its origin."""
        url, params = asked.url, asked.params
        for _ in range(MOVES_LIMIT):
            if _origin(url) == _origin(self.endpoint):
                self._await_allowance(asked, end)
            reply = self._send(asked, url, params)
            if reply.status not in MOVED:
                return reply
            url, params = self._moved(asked, url, reply), ()
        raise Failing(f"{self.endpoint} redirects without end")

    def _send(self, asked: _Asked, url: str, params: Params) -> Reply:
        is_home = _origin(url) == _origin(self.endpoint)
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip", **(asked.headers or {})}
        if is_home and self._secret:
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
                    self._allowance.learn(_bucket(asked), response.headers)
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
                raise Failing(f"{host} sent more than {limit_bytes:,} bytes")
            if time.monotonic() > end:
                raise _Passing(
                    SourceUnavailable(f"{host} took longer than {self.patience.reply_s:g} s")
                )
        return bytes(content)

    def _moved(self, asked: _Asked, url: str, reply: Reply) -> str:
        """Where a redirection leads. Only a file may lie on another host."""
        following = self._joined(url, reply.headers.get("Location", ""))
        if _origin(following) == _origin(self.endpoint):
            return following
        is_near = _is_loopback(following) and not _is_loopback(self.endpoint)
        if not asked.is_file or not _is_private(following) or is_near:
            raise Failing(f"{self.endpoint} leads to {self._shown(following)}; not followed")
        return following

    def _next(self, url: str, link: str) -> str:
        """The next page's address. Another host would be sent the token: it is refused."""
        following = self._joined(url, link)
        if _origin(following) != _origin(self.endpoint):
            where = self._shown(following)
            raise Failing(f"{self.endpoint} continues its listing at {where}; not followed")
        return following

    def _joined(self, url: str, link: str) -> str:
        try:
            following = urljoin(url, link)
            _origin(following)
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
            "then run the same command again, or set HF_TOKEN for a larger allowance"
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
            return NotFound(f"{self.endpoint} has no {what}{_not_found_hint(code)}")
        if reply.status == HTTPStatus.UNAUTHORIZED:
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


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    try:
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:  # no number
        port = -1
    return parts.scheme, parts.hostname, port


def _is_private(url: str) -> bool:
    """Whether nobody on the way reads what is sent there."""
    scheme = urlsplit(url).scheme
    return scheme == "https" or (scheme == "http" and _is_loopback(url))


def _is_loopback(url: str) -> bool:
    return urlsplit(url).hostname in LOOPBACK_HOSTS


def _not_found_hint(code: str) -> str:
    if code == "RepoNotFound":
        return "; check the id, and if the model is private, set HF_TOKEN"
    return "; check the revision" if code == "RevisionNotFound" else ""
