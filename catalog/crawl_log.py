"""The crawls' table of catalog.db: how far each walk through a source came."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from catalog.model import Model
from catalog.slices import time_of


@dataclass(frozen=True, slots=True)
class Crawl:
    """One finished walk through a source; times are ISO 8601, UTC."""

    source: str
    task: str | None
    started_at: str
    finished_at: str
    n_models: int
    n_refused: int


@dataclass(frozen=True, slots=True)
class CrawlState:
    """How far a crawl came: `cursor` is where its next page starts.

    Without a cursor, a crawl of no requests stands before its first page, any other after its last.
    `since` is set in a crawl that asks only for what changed after that time. `generation` orders
    the crawls of a catalog: a model carries that of the crawl that saw it last.
    """

    id: int
    source: str
    slice: Mapping[str, str]
    generation: int
    cursor: str | None
    n_models: int
    n_refused: int
    n_requests: int
    started_at: str
    resumed: bool
    since: str | None = None


def now() -> str:
    """The time, UTC, as ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def present() -> str:
    """The time as listings write it: a change after it is a lie."""
    return time_of(datetime.now(UTC).isoformat())


def slice_text(slice: Mapping[str, str]) -> str:
    """A slice as canonical JSON."""
    return json.dumps(dict(slice), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def begin(
    connection: sqlite3.Connection,
    source: str,
    slice: Mapping[str, str],
    *,
    fresh: bool,
    since: str | None,
) -> CrawlState:
    """The last crawl of this slice where it is unfinished, else a new one.

    What was recorded without a walk, as by an import, ends none.
    """
    last = connection.execute(
        "SELECT * FROM crawls WHERE source = ? AND slice = ?"
        " AND (finished_at IS NULL OR complete OR n_requests > 0) ORDER BY number DESC LIMIT 1",
        (source, slice_text(slice)),
    ).fetchone()
    if last is not None and last["finished_at"] is None and not fresh:
        return _state(last, resumed=True)
    added = connection.execute(
        "INSERT INTO crawls (source, slice, since, newest, started_at) VALUES (?, ?, ?, ?, ?)",
        (source, slice_text(slice), since, watermark(connection, source, slice), now()),
    )
    return _state(_row(connection, added.lastrowid), resumed=False)


def advance(
    connection: sqlite3.Connection,
    state: CrawlState,
    *,
    models: Sequence[Model],
    n_refused: int,
    n_requests: int,
    cursor: str | None,
) -> CrawlState:
    """Notes a page: what it held, and where the next one starts."""
    latest = present()
    times = (model.last_modified for model in models)
    newest = max((time for time in times if time and time <= latest), default=None)
    connection.execute(
        "UPDATE crawls SET n_models = n_models + ?, n_refused = n_refused + ?,"
        " n_requests = n_requests + ?, cursor = ?,"
        " newest = MAX(COALESCE(newest, ?), COALESCE(?, newest)) WHERE number = ?",
        (len(models), n_refused, n_requests, cursor, newest, newest, state.id),
    )
    return _state(_row(connection, state.id), resumed=state.resumed)


def finish(connection: sqlite3.Connection, state: CrawlState, *, complete: bool) -> None:
    """Notes that a crawl is over; a complete one has seen all that it asked for."""
    connection.execute(
        "UPDATE crawls SET finished_at = ?, complete = ?, cursor = NULL WHERE number = ?",
        (now(), int(complete), state.id),
    )


def watermark(connection: sqlite3.Connection, source: str, slice: Mapping[str, str]) -> str | None:
    """The newest change that the complete crawls of this slice have seen."""
    time: str | None = connection.execute(
        "SELECT MAX(newest) FROM crawls WHERE source = ? AND slice = ? AND complete",
        (source, slice_text(slice)),
    ).fetchone()[0]
    return time


def last_whole(connection: sqlite3.Connection, source: str, slice: Mapping[str, str]) -> str | None:
    """When the last crawl that asked for all of this slice came to its end."""
    time: str | None = connection.execute(
        "SELECT MAX(finished_at) FROM crawls"
        " WHERE source = ? AND slice IN ('{}', ?) AND complete AND since IS NULL",
        (source, slice_text(slice)),
    ).fetchone()[0]
    return time


def record(connection: sqlite3.Connection, crawl: Crawl) -> None:
    """Notes a crawl that was not made page by page."""
    slice = {} if crawl.task is None else {"task": crawl.task}
    connection.execute(
        "INSERT INTO crawls (source, slice, started_at, finished_at, n_models, n_refused)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (crawl.source, slice_text(slice), crawl.started_at, crawl.finished_at,
         crawl.n_models, crawl.n_refused),
    )  # fmt: skip


def finished(connection: sqlite3.Connection) -> tuple[Crawl, ...]:
    """The finished crawls of a whole source or of one task, oldest first."""
    rows = connection.execute(
        "SELECT * FROM crawls WHERE finished_at IS NOT NULL ORDER BY number"
    ).fetchall()
    slices = [(row, json.loads(row["slice"])) for row in rows]
    return tuple(
        Crawl(
            row["source"], slice.get("task"), row["started_at"], row["finished_at"],
            row["n_models"], row["n_refused"],
        )
        for row, slice in slices
        if slice.keys() <= {"task", "limit"}
    )  # fmt: skip


def _row(connection: sqlite3.Connection, number: int | None) -> sqlite3.Row:
    row: sqlite3.Row = connection.execute(
        "SELECT * FROM crawls WHERE number = ?", (number,)
    ).fetchone()
    return row


def _state(row: sqlite3.Row, *, resumed: bool) -> CrawlState:
    return CrawlState(
        id=row["number"],
        source=row["source"],
        slice=json.loads(row["slice"]),
        generation=row["number"],
        cursor=row["cursor"],
        n_models=row["n_models"],
        n_refused=row["n_refused"],
        n_requests=row["n_requests"],
        started_at=row["started_at"],
        resumed=resumed,
        since=row["since"],
    )
