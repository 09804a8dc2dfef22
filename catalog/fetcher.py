"""The process that downloads: it alone needs the network and the token, and it parses no model.

The coordinator sends it orders and gets deliveries, as JSON over a socket that no other process
holds. What runs in the process is `catalog.sources.hub_fetch`.
"""

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection, Pipe
from types import MappingProxyType
from typing import Any  # JSON

from cache.errors import AccessRequired, NotFound, RecommenderError, SourceUnavailable, StoreError
from catalog.untrusted import Unreadable

MODULE = "catalog.sources.hub_fetch"
MESSAGE_BYTES = 16_000_000
MARGIN_S = 30.0  # on top of the deadline that the process itself keeps

ERRORS: Mapping[str, type[RecommenderError]] = MappingProxyType(
    {
        "gated": AccessRequired,
        "not found": NotFound,
        "unavailable": SourceUnavailable,
        "disk": StoreError,
        "corrupt": Unreadable,
    }
)
"""What a failed delivery raises, by its kind."""

CHILD_ENVIRONMENT = MappingProxyType(
    {
        "HF_HUB_DISABLE_XET": "1",  # its own client obeys neither our pace nor our origin check
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
)


@dataclass(frozen=True, slots=True)
class Pace:
    """How slow a download may be: so many bytes a second over each window.

    `longest_pause_s` is the longest that a server's wish to wait is followed; some ask for days.
    """

    least_bytes_per_s: float = 20_000.0
    window_s: float = 20.0
    longest_pause_s: float = 10.0

    def deadline_s(self, n_bytes: int) -> float:
        """The longest that so many bytes may take, with their requests."""
        return 3 * self.window_s + n_bytes / self.least_bytes_per_s


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the files come from and go to. The token crosses the socket, never a command line."""

    endpoint: str
    token: str | bool | None = field(repr=False)
    cache: str
    pace: Pace = Pace()

    def encode(self) -> bytes:
        """The message."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, message: bytes) -> "Settings":
        """The settings in a message."""
        fields = json.loads(message)
        return cls(**{**fields, "pace": Pace(**fields["pace"])})


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file; `is_checked` says that the copy on this machine is known to be right."""

    path: str
    size_bytes: int
    sha256: str | None = None
    blob_id: str | None = None
    is_checked: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """The files of one commit. An urgent one does not wait for one that is not."""

    number: int
    id: str
    revision: str
    files: tuple[Wanted, ...]
    urgent: bool = True

    @property
    def n_bytes(self) -> int:
        """What all its files weigh."""
        return sum(file.size_bytes for file in self.files)

    def encode(self) -> bytes:
        """The message."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, message: bytes) -> "Order":
        """The order in a message."""
        fields = json.loads(message)
        return cls(**{**fields, "files": tuple(Wanted(**file) for file in fields["files"])})


@dataclass(frozen=True, slots=True)
class Checked:
    """The SHA-256 of a local file, as it was at this size and time of change."""

    path: str
    size_bytes: int
    modified_ns: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """The end of an order: all its files in place, or the kind of an error and its reason."""

    number: int
    checked: tuple[Checked, ...] = ()
    error: str = ""
    reason: str = ""

    def encode(self) -> bytes:
        """The message."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, message: bytes) -> "Delivery":
        """The delivery in a message. Raises ValueError, TypeError or KeyError for anything else."""
        fields = json.loads(message)
        return cls(**{**fields, "checked": tuple(Checked(**one) for one in fields["checked"])})

    def require(self) -> None:
        """Raise the error, if there is one."""
        if self.error:
            raise ERRORS.get(self.error, SourceUnavailable)(self.reason)


@dataclass(frozen=True, slots=True)
class _Child:
    process: "subprocess.Popen[bytes]"
    connection: "Connection[Any, Any]"  # Any: bytes both ways

    def end(self) -> None:
        """Kill the process with all that it may have started."""
        self.connection.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Fetcher:
    """One child process, started with the first order. Belongs to one thread.

    It ends with this object, with `close`, or with the coordinator, whatever ends that; an order
    that was under way then leaves nothing behind that would pass for a file.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._child: _Child | None = None
        self._end: weakref.finalize[..., Fetcher] | None = None
        self._numbers = itertools.count(1)
        self._due: dict[int, float] = {}  # number -> time.monotonic() at which it must be there
        self._arrived: dict[int, Delivery] = {}

    @property
    def pid(self) -> int | None:
        """The process; None where none runs."""
        return self._child.process.pid if self._is_alive() and self._child else None

    def send(self, id: str, revision: str, files: Sequence[Wanted], *, urgent: bool = True) -> int:
        """Order files; the number with which to wait for them."""
        order = Order(next(self._numbers), id, revision, tuple(files), urgent)
        if not self._is_alive():
            self._start()
        limit_s = self._settings.pace.deadline_s(order.n_bytes) + MARGIN_S
        self._due[order.number] = time.monotonic() + limit_s
        assert self._child is not None
        with contextlib.suppress(OSError):  # it has just died: waiting tells
            self._child.connection.send_bytes(order.encode())
        return order.number

    def is_under_way(self, number: int) -> bool:
        """Whether an order is not delivered yet."""
        while number in self._due and self._child and self._child.connection.poll():
            self._receive()
        return number in self._due

    def wait(self, number: int) -> Delivery:
        """The delivery of an order, once."""
        while number in self._due:
            left_s = max(0.0, self._due[number] - time.monotonic())
            if self._child is None or not self._child.connection.poll(left_s):
                self._give_up(f"did not answer in time; its {self._settings.endpoint} hangs")
                break
            self._receive()
        return self._arrived.pop(number)

    def cancel(self) -> None:
        """End the process; what is under way has failed, and the next order starts another."""
        self._give_up("was ended")

    def close(self) -> None:
        """End the process; orders under way are lost."""
        if self._end is not None:
            self._end()
        self._child, self._end = None, None

    def _is_alive(self) -> bool:
        return self._child is not None and self._child.process.poll() is None

    def _start(self) -> None:
        if self._child is not None:
            self._give_up("ended")
        self._child = _spawn(self._settings)
        self._end = weakref.finalize(self, self._child.end)

    def _receive(self) -> None:
        assert self._child is not None
        try:
            delivery = Delivery.decode(self._child.connection.recv_bytes(MESSAGE_BYTES))
        except (EOFError, OSError):
            self._give_up("ended")
        except (ValueError, TypeError, KeyError):
            self._give_up("sent something that is no delivery")
        else:
            if self._due.pop(delivery.number, None) is not None:
                self._arrived[delivery.number] = delivery

    def _give_up(self, what: str) -> None:
        """End the process; every open order has failed."""
        child = self._child
        self.close()
        signal_number = -(child.process.returncode or 0) if child else 0
        by = f" by signal {signal_number}" if what == "ended" and signal_number > 0 else ""
        reason = f"the process that downloads {what}{by}; run the same command again to go on"
        for number in self._due:
            self._arrived[number] = Delivery(number, error="unavailable", reason=reason)
        self._due.clear()


def gated_reason(id: str, endpoint: str) -> str:
    """Where access to a gated model is asked for."""
    return f"{id} is gated: ask for access at {endpoint}/{id}, then set HF_TOKEN"


def _spawn(settings: Settings) -> _Child:
    """The process, in a session of its own, so that Ctrl-C is the coordinator's alone."""
    ours, theirs = Pipe()
    with theirs:
        process = subprocess.Popen(  # noqa: S603 - our own module, in our own interpreter
            [sys.executable, "-P", "-m", MODULE, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # the client's warnings name addresses with signatures
            stderr=subprocess.DEVNULL,
            env={**os.environ, **CHILD_ENVIRONMENT},
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
        )
    child = _Child(process, ours)
    try:
        ours.send_bytes(settings.encode())
    except OSError:
        child.end()
        raise
    return child
