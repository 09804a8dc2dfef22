"""What a crawl shows on stderr while it goes on: a line for people, or JSON lines for programs."""

import json
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, TextIO

from recommender.costs import in_words
from recommender.reports.table import clean
from recommender.reports.widths import shortened

if TYPE_CHECKING:
    from catalog.crawl import CrawlProgress

LOG_EVERY_S = 10.0
"""Between two lines where stderr is no terminal, so that logs stay readable."""

NAME_COLUMNS = 24
"""Of a line's 80; what a crawl has done is worth more than the whole name of its source."""


class CrawlShown:
    """Shows crawls as `text` or `json`, or not at all (`none`)."""

    def __init__(self, form: str, *, stream: TextIO | None = None) -> None:
        self._form = form
        self._name = ""
        self._stream = stream or sys.stderr
        self._is_terminal = self._stream.isatty()
        self._shown_at = -LOG_EVERY_S

    def begin(self, name: str) -> None:
        """Says what is crawled from now on."""
        self.close()
        self._name = name

    def __call__(self, progress: "CrawlProgress") -> None:
        """Shows how far the crawl is."""
        if self._form == "json":
            self._write(json.dumps({"crawl": self._name, **asdict(progress)}) + "\n")
        elif self._form == "text" and self._is_terminal:
            self._write(f"\r\x1b[K{self._line(progress)}")
        elif self._form == "text" and time.monotonic() - self._shown_at >= LOG_EVERY_S:
            self._shown_at = time.monotonic()
            self._write(self._line(progress) + "\n")

    def say(self, line: str) -> None:
        """Says why nothing moves; for programs the progress alone speaks."""
        if self._form == "text":
            self._write(f"\r\x1b[K{line}" if self._is_terminal else f"{line}\n")

    def close(self) -> None:
        """Removes the line from a terminal."""
        if self._form == "text" and self._is_terminal:
            self._write("\r\x1b[K")

    def _line(self, progress: "CrawlProgress") -> str:
        name = shortened(self._name, NAME_COLUMNS, in_the_middle=True)
        return clean(f"{name}: {_in_words(progress)}")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def _in_words(progress: "CrawlProgress") -> str:
    """`12,400 models, 3 refused, 124 requests, 410 models/s, about 2 min left`."""
    parts = [
        counted(progress.n_models, "model"),
        f"{progress.n_refused:,} refused" if progress.n_refused else "",
        counted(progress.n_requests, "request") if progress.n_requests else "",
        f"{progress.rate_per_s:,.0f} models/s",
        "" if progress.left_s is None else f"about {in_words(progress.left_s)} left",
    ]
    return ", ".join(part for part in parts if part)


def counted(n: int, what: str) -> str:
    """`1 model`, `12,400 models`."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def show_count(n_models: int) -> None:
    """How many models are done, on a terminal; whatever is written next takes the line's place."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{counted(n_models, 'model')}\r")
        sys.stderr.flush()
