"""What runs in the process that downloads: single files of a commit, into the Hub's own cache.

    python -P -m catalog.sources.hub_fetch DESCRIPTOR

The client of huggingface_hub has no total time-out, sleeps as long as a server says, and takes any
file of the right size for the right one. `catalog.fetcher.Fetcher` is the other end.
"""

import errno
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from huggingface_hub import constants, get_token, hf_hub_download, set_client_factory
from huggingface_hub.errors import (
    DisabledRepoError,
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # no __all__

from cache.processes import die_with, die_with_parent
from catalog.downloads import blob_of, snapshot_folder
from catalog.fetcher import (
    MESSAGE_BYTES,
    Checked,
    Delivery,
    Order,
    Pace,
    Settings,
    Wanted,
    gated_reason,
)
from catalog.hashes import blob_id_of, sha256_of
from catalog.hub_rows import BLOB_ID, SHA256
from catalog.sources.origins import SHUT, is_loopback, is_private, origin_of
from catalog.untrusted import Unreadable

RETRY_S = 1.0
REASON_LENGTH = 500

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
NO_RIGHT = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO})

FILE_NAME = re.compile(r"[\w+=~-][\w.+=~-]*")
"""An ETag becomes a file's name in the cache: `../..` would lead out of it."""


class TooSlow(Exception):
    """A server that answers, but not at the pace that was asked for."""


class NobodyAnswers(Exception):
    """An address that cannot be reached; trying again for half a minute would not help."""


class LedAstray(Exception):
    """A redirection to where nobody private should be asked, or in plain text."""


class _Meter:
    """Watches one file's requests and bytes."""

    def __init__(self, pace: Pace, wanted: Wanted, revision: str) -> None:
        self._pace, self._wanted, self._revision = pace, wanted, revision
        self._ends = time.monotonic() + pace.deadline_s(wanted.size_bytes)
        self._n_bytes = 0
        self._begin_answer(MESSAGE_BYTES)
        self._is_open = False
        self.failure: Exception | None = None
        self.longest_pause_s = pace.longest_pause_s

    def asked(self) -> None:
        """A request is about to be sent."""
        self._check_deadline()
        if self._is_open and self.failure is not None:
            raise NobodyAnswers(_first_line(self.failure)) from self.failure
        self._is_open = True

    def answered(self, response: "httpx.Response") -> None:
        """Its answer has begun: nothing comes that is not what was ordered."""
        self._is_open = False
        is_file = response.status_code < 300
        self._begin_answer(self._wanted.size_bytes if is_file else MESSAGE_BYTES)
        if response.status_code < 400 and response.request.method == "HEAD":
            problem = _told_problem(response, self._wanted, self._revision)
            if problem:
                raise Unreadable(problem)

    def count(self, n_bytes: int) -> None:
        """So many bytes of an answer have come."""
        self._n_bytes += n_bytes
        self._answer_bytes += n_bytes
        self._window_bytes += n_bytes
        if self._answer_bytes > self._limit_bytes:
            raise Unreadable(f"{self._wanted.path} is larger than the Hub's list of files says")
        self._check_deadline()
        took_s = time.monotonic() - self._window_start
        if took_s < self._pace.window_s or self._n_bytes >= self._wanted.size_bytes:
            return
        rate = self._window_bytes / took_s
        if rate < self._pace.least_bytes_per_s:
            raise TooSlow(
                f"{self._wanted.path} comes at {rate:,.0f} bytes/s, "
                f"slower than {self._pace.least_bytes_per_s:,.0f} bytes/s"
            )
        self._begin_window()

    def _begin_answer(self, limit_bytes: int) -> None:
        self._limit_bytes, self._answer_bytes = limit_bytes, 0
        self._begin_window()

    def _begin_window(self) -> None:
        self._window_start, self._window_bytes = time.monotonic(), 0

    def _check_deadline(self) -> None:
        if time.monotonic() > self._ends:
            raise TooSlow(f"{self._wanted.path} has not come within the time for its size")


_METER: ContextVar[_Meter] = ContextVar("meter")
"""Of the file that this thread downloads: the client is shared by all threads."""


class _Metered(httpx.SyncByteStream):
    """A body whose bytes are counted as they come."""

    def __init__(self, stream: "httpx.SyncByteStream", meter: _Meter) -> None:
        self._stream, self._meter = stream, meter

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            self._meter.count(len(chunk))
            yield chunk

    def close(self) -> None:
        self._stream.close()


class _Client(httpx.Client):
    """A client whose requests keep to the pace, and whose token stays at the endpoint."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(
            event_hooks={"request": [self._before], "response": [self._after]},
            follow_redirects=True,
            timeout=None,
        )
        self._endpoint = endpoint

    def send(self, request: "httpx.Request", **options: Any) -> "httpx.Response":  # as httpx's
        """As httpx's; why nobody answered is kept for the message."""
        try:
            return super().send(request, **options)
        except httpx.TransportError as error:
            _METER.get().failure = error
            raise

    def _before(self, request: "httpx.Request") -> None:
        if constants.is_offline_mode():
            raise OfflineModeIsEnabled("offline mode is on (HF_HUB_OFFLINE)")
        url = str(request.url)
        if origin_of(url) != origin_of(self._endpoint):
            request.headers.pop("Authorization", None)
            is_open = not is_private(url) and is_private(self._endpoint)
            if is_open or (is_loopback(url) and not is_loopback(self._endpoint)):
                raise LedAstray(f"it leads to {request.url.host}, which is not followed")
        request.headers["Accept-Encoding"] = "identity"  # so that bytes are counted as they are
        _METER.get().asked()

    def _after(self, response: "httpx.Response") -> None:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise Unreadable(f"{response.url.host} sends a file compressed, which was not asked")
        meter = _METER.get()
        meter.answered(response)
        response.headers.pop("ratelimit", None)  # the client would sleep as long as it says
        pause = response.headers.get("Retry-After", "")
        if pause.isdecimal():
            response.headers["Retry-After"] = str(int(min(int(pause[:9]), meter.longest_pause_s)))
        assert isinstance(response.stream, httpx.SyncByteStream)
        response.stream = _Metered(response.stream, meter)


class HubFetch:
    """Puts files of one Hub into its cache, each downloaded and checked once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._secret = _secret(settings)
        self._shut: set[str] = set()  # models that are shown to the token only
        set_client_factory(lambda: _Client(settings.endpoint))

    def deliver(self, order: Order) -> Delivery:
        """All files of an order, the small ones first; a failure is told, never raised."""
        try:
            files = sorted(order.files, key=lambda file: file.size_bytes)
            found = [self._file(order, file) for file in files]
        except Exception as error:  # noqa: BLE001 - the order's failure becomes data
            kind, reason = _explain(error, order, self._settings)
            return Delivery(order.number, error=kind, reason=self._redacted(reason))
        return Delivery(order.number, tuple(checked for checked in found if checked))

    def _file(self, order: Order, wanted: Wanted) -> Checked | None:
        """The file in its place, with the SHA-256 that it was found to have."""
        place = snapshot_folder(Path(self._settings.cache), order.id, order.revision) / wanted.path
        problem = ""
        for _ in range(2):
            if not place.is_file():
                self._download(order, wanted)
            problem, checked = _problem(place, wanted)
            if not problem:
                return checked
            blob = blob_of(place)
            if _is_as_named(blob):
                break  # the file is what the Hub gave: what was told of it is wrong
            blob.unlink(missing_ok=True)  # no other tool shall take it for the file
            place.unlink(missing_ok=True)
        raise Unreadable(f"{order.id}@{order.revision[:8]}: {problem}")

    def _download(self, order: Order, wanted: Wanted) -> None:
        for is_last in (False, True):
            _METER.set(_Meter(self._settings.pace, wanted, order.revision))
            try:
                return self._ask(order, wanted)
            except (HfHubHTTPError, httpx.RemoteProtocolError) as error:
                if is_last or 400 <= _status(error) < 500:
                    raise
                time.sleep(min(RETRY_S, self._settings.pace.longest_pause_s))

    def _ask(self, order: Order, wanted: Wanted) -> None:
        """Without the token where that is enough: who loads a public model is nobody's business."""
        if order.id not in self._shut:
            try:
                return self._take(order, wanted, token=False)
            except (HfHubHTTPError, LocalEntryNotFoundError) as error:
                if not self._secret or not _may_be_shut(_cause(error)):
                    raise
        self._take(order, wanted, token=self._secret)
        self._shut.add(order.id)

    def _take(self, order: Order, wanted: Wanted, *, token: str | bool) -> None:
        hf_hub_download(
            order.id,
            wanted.path,
            revision=order.revision,
            cache_dir=self._settings.cache,
            endpoint=self._settings.endpoint,
            token=token,
        )

    def _redacted(self, text: str) -> str:
        """One line without the token, whatever an error quotes."""
        line = (text.splitlines() or [""])[0][:REASON_LENGTH]
        return line.replace(self._secret, "***") if self._secret else line


def _secret(settings: Settings) -> str:
    """The token's text; empty where none may be sent, as over plain http off this machine."""
    if not is_private(settings.endpoint):
        return ""
    if isinstance(settings.token, str):
        return settings.token
    is_silent = settings.token is None and constants.HF_HUB_DISABLE_IMPLICIT_TOKEN
    return "" if settings.token is False or is_silent else get_token() or ""


def _told_problem(response: "httpx.Response", wanted: Wanted, revision: str) -> str:
    """What the head of a file tells that is not what was ordered; empty where all is well.

    Read as huggingface_hub reads it, which would follow each of these.
    """
    told = response.headers
    if told.get("X-Repo-Commit", revision) != revision:
        return f"{wanted.path} comes from another commit than was asked for"
    etag = told.get("X-Linked-Etag") or told.get("ETag")
    if etag is not None and not FILE_NAME.fullmatch(etag.lstrip("W/").strip('"')):
        return f"{wanted.path} has an ETag that is no file name"
    length = None if response.is_redirect else told.get("Content-Length")
    size = told.get("X-Linked-Size") or length
    if size is not None and size != str(wanted.size_bytes):
        return f"{wanted.path} has {size[:20]!a} bytes, not {wanted.size_bytes:,} as was listed"
    return ""


def _is_as_named(blob: Path) -> bool:
    """Whether a file of the cache has the hash that it is named by."""
    if SHA256.fullmatch(blob.name):
        return sha256_of(blob) == blob.name
    return BLOB_ID.fullmatch(blob.name) is not None and blob_id_of(blob) == blob.name


def _problem(place: Path, wanted: Wanted) -> tuple[str, Checked | None]:
    """What is wrong with a file in the cache, and else its SHA-256 where that is known."""
    status = place.stat()
    if status.st_size != wanted.size_bytes:
        return f"{wanted.path} has {status.st_size:,} bytes, not {wanted.size_bytes:,}", None
    if wanted.is_checked:
        return "", None
    if wanted.blob_id is not None and blob_id_of(place) != wanted.blob_id:
        return f"{wanted.path} has not the git blob id that the Hub tells", None
    if wanted.sha256 is None:
        return "", None
    if sha256_of(place) != wanted.sha256:
        return f"{wanted.path} has not the SHA-256 that the Hub tells", None
    whole = place.resolve()
    return "", Checked(str(whole), status.st_size, status.st_mtime_ns, wanted.sha256)


def _explain(error: Exception, order: Order, settings: Settings) -> tuple[str, str]:
    """The kind of an error, and one line: what happened and what to do."""
    error = _cause(error)
    if isinstance(error, Unreadable):
        return "corrupt", str(error)
    status = _status(error)
    if isinstance(error, DisabledRepoError) or status == 451:
        return "gated", f"{settings.endpoint} has disabled {order.id}"
    if isinstance(error, GatedRepoError) or status == 403:
        return "gated", gated_reason(order.id, settings.endpoint)
    if isinstance(error, RepositoryNotFoundError | RevisionNotFoundError | EntryNotFoundError):
        name = f"{order.id}@{order.revision[:8]}"
        return "not found", f"{settings.endpoint} has no {name}, or hides it; set HF_TOKEN"
    if status == 401:
        return "gated", f"{settings.endpoint} does not accept the token; check HF_TOKEN"
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return "disk", (
            f"the disk is full: {order.id} needs {order.n_bytes / 1e6:,.0f} MB in "
            f"{settings.cache}; free some space, or set HF_HOME to a larger disk"
        )
    if isinstance(error, OSError) and error.errno in NO_RIGHT:
        return "disk", f"{settings.cache} cannot be used: {error.strerror}; set HF_HOME"
    why = f"it answers {status}" if status else _first_line(error)
    then = "run the same command again to go on"
    if constants.is_offline_mode():
        then = "copy the Hub's cache (HF_HOME) from a machine that has it, or unset HF_HUB_OFFLINE"
    what = f"{order.id} cannot be downloaded from {settings.endpoint}: {why}"
    return "unavailable", f"{what}; {then}"


def serve(connection: "Connection[Any, Any]", fetch: HubFetch) -> None:
    """Answer orders until the other end is closed; urgent ones have a thread of their own."""
    lock = threading.Lock()

    def answer(order: Order) -> None:
        message = fetch.deliver(order).encode()
        with lock:
            connection.send_bytes(message)

    lanes = {urgent: ThreadPoolExecutor(1) for urgent in (True, False)}
    while True:
        order = Order.decode(connection.recv_bytes(MESSAGE_BYTES))
        lanes[order.urgent].submit(answer, order)


def main(arguments: list[str]) -> None:
    """Serve; the process is killed when its parent ends."""
    descriptor = int(arguments[0])
    die_with_parent()
    die_with(descriptor)
    connection: Connection[Any, Any] = Connection(descriptor)
    try:
        serve(connection, HubFetch(Settings.decode(connection.recv_bytes(MESSAGE_BYTES))))
    except EOFError:
        os._exit(0)  # a download may be under way in a thread: nobody waits for it


def _cause(error: Exception) -> Exception:
    """Why a file was looked for on this machine only."""
    cause = error.__cause__ if isinstance(error, LocalEntryNotFoundError) else None
    return cause if isinstance(cause, Exception) else error


def _may_be_shut(error: Exception) -> bool:
    """Whether the token may open what is not shown without it."""
    is_open = isinstance(error, EntryNotFoundError | RevisionNotFoundError | DisabledRepoError)
    return _status(error) in SHUT and not is_open


def _status(error: Exception) -> int:
    """The status of the answer behind an error; 0 where there was none."""
    return error.response.status_code if isinstance(error, HfHubHTTPError) else 0


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0] or type(error).__name__


if __name__ == "__main__":
    main(sys.argv[1:])
