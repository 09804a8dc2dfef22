"""Walks through a source page by page and keeps what it lists; goes on where it was ended."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from typing import Protocol, runtime_checkable

from cache.errors import BadInput
from catalog.allowance import OutOfTime
from catalog.crawl_log import CrawlState
from catalog.model import Model
from catalog.policy import Refusal
from catalog.protocols import ListedPage, Source
from catalog.select import Selection
from catalog.slices import slice_of, time_of
from catalog.store import Catalog

END = "end"
"""The cursor after the last page: all is kept, only the end is not noted yet."""


@runtime_checkable
class Waiting(Protocol):
    """A source that waits where its endpoint allows no more requests."""

    def end_waits(self, at: float) -> None:
        """A wait beyond this monotonic time is an OutOfTime from now on."""
        ...


@dataclass(frozen=True, slots=True)
class CrawlProgress:
    """How far a crawl is. Counts are of the whole crawl, also where it was taken up again.

    `n_models` counts rows: one that is listed again, because it changed meanwhile, counts again.
    `rate_per_s` is in models a second of this run, waits for the endpoint's quota included;
    `left_s` is None where nobody knows how many models there are. `is_resumed` tells a crawl that
    an earlier run began, `since` one that asks only for later changes.
    """

    n_models: int
    n_refused: int
    n_requests: int
    rate_per_s: float
    elapsed_s: float
    left_s: float | None
    cursor: str | None
    is_resumed: bool
    since: str | None


@dataclass(frozen=True, slots=True)
class Crawled:
    """What a crawl did; `n_models` counts rows as in CrawlProgress.

    `is_finished` is False where `max_requests` or `time_limit_s` ended it before its end. `n_gone`
    models were listed once and are no more; it is 0 unless everything was asked for. `since` is set
    where only later changes were asked for; which of the slice's models were gone was seen at
    `last_whole`, None where that was never asked.
    """

    source: str
    slice: Mapping[str, str]
    n_models: int
    n_refused: int
    n_requests: int
    n_gone: int
    is_finished: bool
    since: str | None
    last_whole: str | None


def crawl(
    source: Source,
    store: Catalog,
    *,
    task: str | None = None,
    filters: Mapping[str, str] | None = None,
    limit: int | None = None,
    since: str | None = None,
    max_requests: int | None = None,
    time_limit_s: float | None = None,
    fresh: bool = False,
    progress: Callable[[CrawlProgress], None] | None = None,
) -> Crawled:
    """Keeps what a source lists, page by page.

    An unfinished crawl of the same slice goes on where it was ended. Where an earlier one came to
    its end, only what changed since is asked for; `fresh` asks for everything again. Only that
    tells which models are gone. `filters` are those of `slices.FILTERS`. With `limit` the most
    downloaded models are asked for, with `since` (a date) what changed after it. After
    `max_requests` or `time_limit_s` it ends with the page that was asked for, and does not wait
    longer for the endpoint's quota. What was kept before a SourceUnavailable stays kept. Raises
    BadInput for a bad filter, date or limit.
    """
    started_at = time.monotonic()
    if limit is not None and limit < 1:
        raise BadInput(f"a limit of {limit} models; at least 1 is listed, leave it out for all")
    ends_at = inf if time_limit_s is None else started_at + time_limit_s
    if not ends_at > started_at:
        raise BadInput(f"a time limit of {time_limit_s:g} s; it must be more than 0")
    slice = slice_of(task, filters)
    state = _begin(source, store, slice, limit=limit, since=since, fresh=fresh)
    n_expected = _expected(store, state, slice, limit)
    run = _Run(state, started_at, n_expected, max_requests, ends_at)
    state, is_finished = _walk(source, store, run, slice, limit, progress)
    n_gone = store.finish(state, complete=limit is None) if is_finished else 0
    return Crawled(
        source=state.source,
        slice=slice,
        n_models=state.n_models,
        n_refused=state.n_refused,
        n_requests=state.n_requests,
        n_gone=n_gone,
        is_finished=is_finished,
        since=state.since,
        last_whole=store.last_whole(state.source, slice),
    )


def _begin(
    source: Source,
    store: Catalog,
    slice: Mapping[str, str],
    *,
    limit: int | None,
    since: str | None,
    fresh: bool,
) -> CrawlState:
    """A limited crawl and one from a date are told apart from those of the whole slice."""
    named = dict(slice)
    if limit is not None:
        named["limit"] = str(limit)
    earliest = None if since is None else time_of(since)
    if earliest is not None:
        named["since"] = earliest
    fresh = fresh or not source.tells_changes
    seen = None if fresh or limit is not None else store.watermark(source.name, named)
    later = max((moment for moment in (earliest, seen) if moment), default=None)
    return store.begin(source.name, named, fresh=fresh, since=later)


def _walk(
    source: Source,
    store: Catalog,
    run: "_Run",
    slice: Mapping[str, str],
    limit: int | None,
    progress: Callable[[CrawlProgress], None] | None,
) -> tuple[CrawlState, bool]:
    """Keeps page after page. Gives how far that came, and whether it is the end."""
    state = run.start
    if state.cursor == END:
        return state, True
    with _waits_ended(source, run.ends_at):
        try:
            for page in source.listing(slice, start=state.cursor, since=state.since, limit=limit):
                state = _keep(store, state, page)
                if progress:
                    progress(run.progress(state))
                if page.cursor is not None and run.is_spent(state):
                    return state, False
        except OutOfTime:
            return state, False
    return state, True


@contextmanager
def _waits_ended(source: Source, at: float) -> Iterator[None]:
    """For as long as this lasts, the source waits up to this monotonic time only."""
    if not isinstance(source, Waiting):
        yield
        return
    source.end_waits(at)
    try:
        yield
    finally:
        source.end_waits(inf)


def _keep(store: Catalog, state: CrawlState, page: ListedPage) -> CrawlState:
    return store.keep_page(
        state,
        [row for row in page.rows if isinstance(row, Model)],
        [row for row in page.rows if isinstance(row, Refusal)],
        cursor=END if page.cursor is None else page.cursor,
        n_requests=page.n_requests,
    )


def _expected(
    store: Catalog, state: CrawlState, slice: Mapping[str, str], limit: int | None
) -> int | None:
    """How many models there should be, from what is known of the same slice."""
    if limit is not None:
        return limit
    if state.since is not None or slice.keys() - {"task"}:
        return None
    return store.count(Selection(task=slice.get("task"), sources=(state.source,))) or None


@dataclass(frozen=True, slots=True)
class _Run:
    """One run of a crawl, measured by the monotonic clock."""

    start: CrawlState
    started_at: float
    n_expected: int | None
    max_requests: int | None
    ends_at: float

    def is_spent(self, state: CrawlState) -> bool:
        """Whether the requests or the time of this run are used up."""
        n_asked = state.n_requests - self.start.n_requests
        is_enough = self.max_requests is not None and n_asked >= self.max_requests
        return is_enough or time.monotonic() >= self.ends_at

    def progress(self, state: CrawlState) -> CrawlProgress:
        elapsed_s = time.monotonic() - self.started_at
        n_seen = state.n_models + state.n_refused
        n_new = n_seen - self.start.n_models - self.start.n_refused
        rate_per_s = n_new / elapsed_s if elapsed_s > 0 else 0.0
        is_known = self.n_expected is not None and n_seen <= self.n_expected and n_new > 0
        return CrawlProgress(
            n_models=state.n_models,
            n_refused=state.n_refused,
            n_requests=state.n_requests,
            rate_per_s=rate_per_s,
            elapsed_s=elapsed_s,
            left_s=((self.n_expected or 0) - n_seen) / rate_per_s if is_known else None,
            cursor=state.cursor,
            is_resumed=state.resumed,
            since=state.since,
        )
