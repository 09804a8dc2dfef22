"""How many requests a local Hub allows, in the manner and with the headers of the real one."""

import threading
import time
from collections.abc import Callable

from catalog.allowance import Quota as Quota
from catalog.loopback.exchange import Answer, Request, refusal


class QuotaMeter:
    """Counts each client's API requests in fixed windows, as the Hub does; for any thread.

    A client is a token or its absence. Files under `/resolve/` are not counted.
    """

    def __init__(self, quota: Quota, clock: Callable[[], float] = time.monotonic) -> None:
        self._quota = quota
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[float, int]] = {}

    def count(self, request: Request) -> tuple[dict[str, str], Answer | None]:
        """The headers that tell what is left, and the refusal where nothing is."""
        if not request.path.startswith("/api/"):
            return {}, None
        n_asked, left_s = self._count(request.headers.get("Authorization", ""))
        headers = {
            "RateLimit": f'"api";r={max(0, self._quota.n - n_asked)};t={int(left_s) + 1}',
            "RateLimit-Policy": f'"fixed window";"api";q={self._quota.n};'
            f"w={max(1, round(self._quota.window_s))}",
        }
        if n_asked <= self._quota.n:
            return headers, None
        return headers, refusal(429, "RateLimited", "Too Many Requests")

    def _count(self, client: str) -> tuple[int, float]:
        """Requests in the client's present window with this one, and its remaining seconds."""
        now, window_s = self._clock(), self._quota.window_s
        with self._lock:
            start, n = self._windows.get(client, (now, 0))
            if now - start >= window_s:
                start, n = now, 0
            self._windows[client] = (start, n + 1)
        return n + 1, start + window_s - now
