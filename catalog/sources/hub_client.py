"""Single requests to a Hub: capped in size and time, retried a little, errors named.

The client of huggingface_hub retries for half a minute where nobody answers, sleeps as long as a
server says, follows a listing to any other host with the token, and reads replies of any size.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any  # the Hub's JSON
from urllib.parse import quote, urljoin, urlsplit

from huggingface_hub import constants, get_session
from huggingface_hub.utils import build_hf_headers, httpx  # type: ignore[attr-defined]  # no __all__

from cache.errors import AccessRequired, BadInput, NotFound, SourceUnavailable
from catalog.untrusted import JSON_LIMIT_BYTES, Unreadable, parse_json

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
PAGE_LIMIT_BYTES = 50_000_000
TIMEOUT = httpx.Timeout(10, connect=4)  # seconds
DEADLINE_S = 30.0  # for one whole reply, however slowly it drips
PAUSES_S = (0.5, 2.0)  # before the second and the third attempt
LONGEST_PAUSE_S = 10.0  # some servers ask for days
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})

Params = Sequence[tuple[str, str]]


class Disabled(AccessRequired):
    """The Hub has shut a repository, for everybody."""


class Failing(SourceUnavailable):
    """The Hub answers, but not this request."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer, whatever its status."""

    url: str
    status: int
    headers: Mapping[str, str]
    content: bytes
    next_url: str | None


class HubClient:
    """Asks one endpoint; the token goes there only, and over plain http to this machine only."""

    def __init__(self, endpoint: str | None = None, token: str | bool | None = None) -> None:
        self.endpoint = (endpoint or constants.ENDPOINT).rstrip("/")
        parts = urlsplit(self.endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise BadInput(
                "the Hub's endpoint must look like https://huggingface.co; "
                "a token belongs in HF_TOKEN, not into the address"
            )
        is_safe = parts.scheme == "https" or parts.hostname in LOOPBACK_HOSTS
        self.token = token if is_safe else False

    def json(self, path: str, params: Params = (), *, limit_bytes: int = PAGE_LIMIT_BYTES) -> Any:
        """The JSON at a path of the API."""
        return self._parse(self._get(f"{self.endpoint}{path}", params, limit_bytes=limit_bytes))

    def pages(self, path: str, params: Params) -> Iterator[list[Any]]:
        """The pages of a listing, as long as they lead on at this endpoint."""
        url, seen = f"{self.endpoint}{path}", set[str]()
        while True:
            reply, rows = self._page(url, params)
            yield rows
            if reply.next_url is None:
                return
            url, params = self._next(url, reply.next_url), ()
            if url in seen:
                raise Failing(f"{self.endpoint} lists the same page again and again: {path}")
            seen.add(url)

    def file(
        self, id: str, revision: str, path: str, *, span: tuple[int, int] | None = None
    ) -> bytes:
        """A small file, or its bytes from `span[0]` up to, not including, `span[1]`."""
        url = f"{self.endpoint}/{id}/resolve/{revision}/{quote(path)}"
        asked = {"Range": f"bytes={span[0]}-{span[1] - 1}"} if span else {}
        limit_bytes = span[1] - span[0] if span else JSON_LIMIT_BYTES
        return self._get(url, headers=asked, limit_bytes=limit_bytes).content

    def _page(self, url: str, params: Params) -> tuple[Reply, list[Any]]:
        try:
            reply = self._get(url, params)
        except NotFound as error:
            raise Failing(f"{self.endpoint} lists no models; is it a Hub?") from error
        rows = self._parse(reply)
        if not isinstance(rows, list):
            raise Failing(f"{self.endpoint} answers with no list; is it a Hub?")
        return reply, rows

    def _get(
        self,
        url: str,
        params: Params = (),
        *,
        headers: Mapping[str, str] | None = None,
        limit_bytes: int = PAGE_LIMIT_BYTES,
    ) -> Reply:
        for pause_s in (*PAUSES_S, None):
            reply = self._attempt(url, params, headers or {}, limit_bytes)
            if reply.status not in TRANSIENT or pause_s is None:
                break
            time.sleep(_pause_s(reply, pause_s))
        if reply.status >= 400:
            raise self._error(reply)
        return reply

    def _attempt(
        self, url: str, params: Params, headers: Mapping[str, str], limit_bytes: int
    ) -> Reply:
        told = {**build_hf_headers(token=self.token), **headers}
        query = tuple(params) or None  # an empty one would cut the query of a next page's address
        try:
            with get_session().stream(
                "GET", url, params=query, headers=told, timeout=TIMEOUT
            ) as response:
                content = _read_capped(response, limit_bytes)
        except (httpx.HTTPError, httpx.InvalidURL, ConnectionError) as error:
            raise SourceUnavailable(self._hint(error)) from error
        next_url = response.links.get("next", {}).get("url")
        return Reply(url, response.status_code, response.headers, content, next_url)

    def _parse(self, reply: Reply) -> Any:
        try:
            return parse_json(reply.content, limit_bytes=PAGE_LIMIT_BYTES)
        except Unreadable as error:
            raise Failing(f"{self.endpoint} does not answer as a Hub: {error}") from error

    def _next(self, url: str, link: str) -> str:
        """The next page's address. Another host would be sent the token: it is refused."""
        following = urljoin(url, link)
        here, there = urlsplit(self.endpoint), urlsplit(following)
        if (here.scheme, here.netloc) != (there.scheme, there.netloc):
            raise Failing(f"{self.endpoint} continues its listing at {there.netloc}; not followed")
        return following

    def _hint(self, error: Exception) -> str:
        what = "offline mode is on" if constants.is_offline_mode() else first_line(error)
        return (
            f"{self.endpoint} cannot be reached: {what}; check the network and HF_ENDPOINT, "
            "unset HF_HUB_OFFLINE, or take models from a folder (--source folder:PATH)"
        )

    def _error(self, reply: Reply) -> Exception:
        code = reply.headers.get("X-Error-Code", "")
        told = reply.headers.get("X-Error-Message", "")
        what = urlsplit(reply.url).path
        if "disabled" in told or reply.status == HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS:
            return Disabled(f"{self.endpoint} has disabled {what}")
        if code == "GatedRepo" or (reply.status == HTTPStatus.FORBIDDEN and not code):
            return AccessRequired(f"{self.endpoint} gives {what} on request only")
        if reply.status == HTTPStatus.NOT_FOUND or code == "RepoNotFound":
            return NotFound(f"{self.endpoint} has no {what}{_not_found_hint(code)}")
        if reply.status == HTTPStatus.UNAUTHORIZED:
            return AccessRequired(f"{self.endpoint} does not accept the token; check HF_TOKEN")
        if reply.status == HTTPStatus.TOO_MANY_REQUESTS:  # true for every further request too
            wait = reply.headers.get("Retry-After", "300")
            return SourceUnavailable(
                f"{self.endpoint} allows no more requests for {wait[:10]} s; "
                "then run the same command again, or set HF_TOKEN for a larger allowance"
            )
        return Failing(f"{self.endpoint} answers {reply.status} to {what}; try again later")


def _read_capped(response: "httpx.Response", limit_bytes: int) -> bytes:
    deadline = time.monotonic() + DEADLINE_S
    content = bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > limit_bytes:  # counted after decompression
            raise Failing(f"{response.url.host} sent more than {limit_bytes:,} bytes")
        if time.monotonic() > deadline:
            raise SourceUnavailable(f"{response.url.host} took longer than {DEADLINE_S:.0f} s")
    return bytes(content)


def _pause_s(reply: Reply, planned_s: float) -> float:
    asked = reply.headers.get("Retry-After", "")
    wanted_s = float(asked) if asked.isdecimal() else planned_s
    return min(wanted_s, LONGEST_PAUSE_S)


def _not_found_hint(code: str) -> str:
    if code == "RepoNotFound":
        return "; check the id, and if the model is private, set HF_TOKEN"
    return "; check the revision" if code == "RevisionNotFound" else ""


def first_line(error: Exception) -> str:
    """An error's first line, or its kind where it says nothing."""
    return (str(error).splitlines() or [""])[0] or type(error).__name__
