"""How many requests an endpoint allows, kept to by waiting beforehand instead of being told 429.

What counts is a sliding window, so that the endpoint's fixed windows may begin whenever they like.
Durations come from the monotonic clock. The file that other processes read has wall-clock times:
where that clock jumps, a wait is at most one window too long, and own requests still count right.
"""

import re
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from cache.errors import SourceUnavailable

MARGIN = 1.02  # requests arrive later than they are sent, the first ones most
ROUNDING_S = 1.0  # endpoints tell whole seconds
BUSY_TIMEOUT_S = 2.0
LONGEST_WINDOW_S = 3600.0
LARGEST_QUOTA = 1_000_000

LEFT = re.compile(r"\br\s*=\s*(\d{1,9}).*?\bt\s*=\s*(\d{1,9})")
POLICY = re.compile(r"\bq\s*=\s*(\d{1,9}).*?\bw\s*=\s*(\d{1,9})")


class OutOfTime(SourceUnavailable):
    """Waiting for the endpoint would take longer than there is time."""


@dataclass(frozen=True, slots=True)
class Quota:
    """At most `n` requests in any `window_s` seconds."""

    n: int
    window_s: float


PUBLIC_QUOTAS: Mapping[str, Quota] = MappingProxyType(
    {"api": Quota(500, 300.0), "resolvers": Quota(3000, 300.0)}
)
"""What the public Hub allows without a token (https://huggingface.co/docs/hub/rate-limits)."""


@dataclass(slots=True)
class _Bucket:
    quota: Quota | None
    own: deque[float] = field(default_factory=deque)  # monotonic times of this process's requests
    n_left: int | None = None  # as the endpoint told last
    renewed_at: float = 0.0  # monotonic time at which `n_left` is no longer true


class Allowance:
    """Grants requests to one endpoint; any thread may ask.

    `key` names who is counted (the endpoint, and whether with a token); `path` is the SQLite file
    through which processes tell each other of their requests; where it cannot be used, each
    process counts for itself.
    """

    def __init__(
        self,
        key: str,
        quotas: Mapping[str, Quota],
        *,
        path: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._key = key
        self._buckets = {name: _Bucket(quota) for name, quota in quotas.items()}
        self._path = path
        self._clock = clock
        self._wall_clock = wall_clock
        self._lock = threading.Lock()

    def take(self, bucket: str) -> float:
        """0 where a request may be sent now (and counts as sent), else the seconds to wait."""
        with self._lock:
            known = self._buckets.setdefault(bucket, _Bucket(None))
            now = self._clock()
            wait_s = _told_wait_s(known, now) or _own_wait_s(known, now)
            if not wait_s and known.quota:
                wait_s = self._shared_wait_s(bucket, known.quota)
            if not wait_s:
                known.own.append(now)
                known.n_left = None if known.n_left is None else known.n_left - 1
            return wait_s

    def learn(self, bucket: str, headers: Mapping[str, str]) -> None:
        """Takes over what an answer's `RateLimit` and `RateLimit-Policy` tell."""
        left = LEFT.search(headers.get("RateLimit", ""))
        policy = POLICY.search(headers.get("RateLimit-Policy", ""))
        with self._lock:
            known = self._buckets.setdefault(bucket, _Bucket(None))
            if policy and int(policy[1]) and int(policy[2]):
                n, window_s = min(int(policy[1]), LARGEST_QUOTA), float(policy[2])
                known.quota = Quota(n, min(window_s, LONGEST_WINDOW_S))
            if left:
                longest_s = known.quota.window_s if known.quota else LONGEST_WINDOW_S
                known.n_left = int(left[1])
                known.renewed_at = self._clock() + min(float(left[2]), longest_s) + ROUNDING_S

    def _shared_wait_s(self, bucket: str, quota: Quota) -> float:
        """The same over the requests of all processes; notes a request that may be sent."""
        if self._path is None:
            return 0.0
        try:
            with closing(_open(self._path)) as connection:
                return self._count(connection, f"{self._key} {bucket}", quota)
        except (OSError, sqlite3.Error):  # a disk that cannot be written: count alone
            return 0.0

    def _count(self, connection: sqlite3.Connection, key: str, quota: Quota) -> float:
        now, window_s = self._wall_clock(), quota.window_s * MARGIN
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE requests SET at = ? WHERE at > ?", (now, now))  # it jumped back
        connection.execute("DELETE FROM requests WHERE key = ? AND at <= ?", (key, now - window_s))
        n, oldest = connection.execute(
            "SELECT COUNT(*), MIN(at) FROM requests WHERE key = ?", (key,)
        ).fetchone()
        is_free = n < quota.n
        if is_free:
            connection.execute("INSERT INTO requests (key, at) VALUES (?, ?)", (key, now))
        connection.execute("COMMIT")
        return 0.0 if is_free else float(oldest) + window_s - now


def _told_wait_s(known: _Bucket, now: float) -> float:
    if known.n_left is None or now >= known.renewed_at:
        known.n_left = None
        return 0.0
    return known.renewed_at - now if known.n_left <= 0 else 0.0


def _own_wait_s(known: _Bucket, now: float) -> float:
    if known.quota is None:
        return 0.0
    window_s = known.quota.window_s * MARGIN
    while known.own and known.own[0] <= now - window_s:
        known.own.popleft()
    return known.own[0] + window_s - now if len(known.own) >= known.quota.n else 0.0


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")  # a lost count costs a wait, no result
    connection.execute("CREATE TABLE IF NOT EXISTS requests (key TEXT NOT NULL, at REAL NOT NULL)")
    return connection
