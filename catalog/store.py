"""The catalog on disk: every model that was seen, in a SQLite file that Datasette opens."""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cache.database import connect
from cache.errors import NotFound, StoreError
from cache.paths import Home
from catalog import crawl_log, facets, order, query, writing
from catalog.crawl_log import Crawl as Crawl
from catalog.crawl_log import CrawlState as CrawlState
from catalog.crawl_log import now as now
from catalog.ids import nearest
from catalog.known_sets import one_state
from catalog.migrations import MIGRATIONS
from catalog.model import Model
from catalog.policy import Refusal
from catalog.renames import renamed
from catalog.rows import from_row
from catalog.select import Selection

LISTED = "listed AND gone_at IS NULL"
"""The rows that `models` and `select` choose from."""

RENAMES_FOLLOWED = 10

PRAGMAS = (
    "PRAGMA synchronous=NORMAL",  # pages that a power loss takes are crawled again, with the cursor
    "PRAGMA cache_size=-32768",  # 32 MiB: new models fall all over the index of ids
    "PRAGMA wal_autocheckpoint=8192",  # 32 MiB: pages of the indexes that change often, once
)


@dataclass(frozen=True, slots=True)
class CatalogStats:
    """How much the catalog knows; the maps are ordered by count, largest first."""

    n_models: int
    n_refused: int
    by_task: Mapping[str, int]
    by_source: Mapping[str, int]
    by_license: Mapping[str, int]
    last_crawl: str | None


class Catalog:
    """Models by source, id and revision; without a path, those in RECOMMENDER_HOME.

    Belongs to the thread that opened it.
    """

    def __init__(self, path: Path | str | None = None) -> None:
        self.path = Path(path) if path else Home.parse(os.environ).catalog
        self._connection = connect(self.path, MIGRATIONS)
        for pragma in PRAGMAS:
            self._connection.execute(pragma)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file; the store is of no use afterwards."""
        self._connection.close()

    def upsert(self, models: Iterable[Model], *, listed: bool = True) -> int:
        """Adds models or renews them, and tells how many.

        `listed=False` is for an old revision that somebody named: `get` finds it, `models` goes on
        giving the revision that the source lists.
        """
        found = list(models)
        with self._transaction():
            if listed:
                writing.put_listed(self._connection, found, crawl=None)
            else:
                writing.put_named(self._connection, found)
        return len(found)

    def describe(self, model: Model) -> None:
        """Keeps a full description in place of a listing's row of the same revision."""
        with self._transaction():
            writing.put_named(self._connection, [model])

    def described(self, source: str, id: str, revision: str) -> Model | None:
        """The full description of exactly this revision; None where there is none."""
        rows = self._all(
            "SELECT * FROM models WHERE described AND listed AND source = ? AND id = ?"
            " AND revision = ? UNION ALL SELECT * FROM models WHERE described AND NOT listed"
            " AND source = ? AND id = ? AND revision = ?",
            [source, id, revision] * 2,
        )
        return from_row(rows[0]) if rows else None

    def begin(
        self,
        source: str,
        slice: Mapping[str, str],
        *,
        fresh: bool = False,
        since: str | None = None,
    ) -> CrawlState:
        """Takes up the last crawl of this source and slice if it is unfinished, else starts one.

        `fresh` starts a new one anyway. `since` marks a crawl that asks only for what changed
        after that time: what it does not see is not gone.
        """
        with self._transaction():
            return crawl_log.begin(self._connection, source, slice, fresh=fresh, since=since)

    def keep_page(
        self,
        state: CrawlState,
        models: Sequence[Model],
        refusals: Sequence[Refusal],
        *,
        cursor: str | None,
        n_requests: int,
    ) -> CrawlState:
        """Stores one page of a crawl in one transaction: its rows, and where the next starts.

        `cursor` is that of the next page, `n_requests` how many requests this page took.
        """
        with self._transaction():
            writing.put_listed(self._connection, models, crawl=state.id)
            writing.put_refusals(self._connection, state.source, refusals, crawl=state.id)
            return crawl_log.advance(
                self._connection,
                state,
                models=models,
                n_refused=len(refusals),
                n_requests=n_requests,
                cursor=cursor,
            )

    def finish(self, state: CrawlState, *, complete: bool) -> int:
        """Notes that a crawl is over, and tells how many models it found to be gone.

        `complete`: all that was asked for was seen. Unless it asked only for changes, models of
        its slice that it did not see are gone: `get` still finds them, `select` does not. Renamed
        ones are found under both ids, and do not count.
        """
        with self._transaction():
            crawl_log.finish(self._connection, state, complete=complete)
            if not complete or state.since is not None:
                return 0
            gone = writing.bury_unseen(self._connection, state)
            pairs = list(renamed(self._connection, state, gone)) if gone else []
            for old, new in pairs:
                writing.rename(self._connection, state.source, old, new)
        return len(gone) - len(pairs)

    def watermark(self, source: str, slice: Mapping[str, str]) -> str | None:
        """The newest `last_modified` that complete crawls of this slice have seen."""
        with self._named_errors():
            return crawl_log.watermark(self._connection, source, slice)

    def last_whole(self, source: str, slice: Mapping[str, str]) -> str | None:
        """When the last crawl that asked for all of a slice came to its end; None before."""
        with self._named_errors():
            return crawl_log.last_whole(self._connection, source, slice)

    def bury(self, source: str, id: str) -> None:
        """Notes that a source has a model no more: `get` still finds it, `select` does not."""
        with self._transaction():
            writing.bury_named(self._connection, source, id)

    def rename(self, source: str, old: str, new: str) -> None:
        """Lets `get` answer for the old id of a model with the new one."""
        with self._transaction():
            writing.rename(self._connection, source, old, new)

    def models(
        self, *, task: str | None = None, sources: Sequence[str] = (), limit: int | None = None
    ) -> tuple[Model, ...]:
        """The newest revision of each model, by downloads, the most first; no sources: all."""
        return self.select(Selection(task=task, sources=tuple(sources), limit=limit))

    def select(
        self,
        selection: Selection | None = None,
        **filters: Any,  # the fields of a Selection
    ) -> tuple[Model, ...]:
        """The models of a selection, in its order; its fields may be given by name instead."""
        selection = replace(selection or Selection(), **filters)
        with self._named_errors(), one_state(self._connection):
            numbers = query.select(self._connection, selection)
            return tuple(self._rows_of(numbers))

    def count(self, selection: Selection) -> int:
        """How many models a selection has without its limit and offset."""
        with self._named_errors(), one_state(self._connection):
            return query.count(self._connection, selection)

    def each(self, selection: Selection) -> Iterator[Model]:
        """The models of a selection one by one, in little memory.

        Without limit and offset they come in the order in which they were first seen.
        """
        if selection.limit is not None or selection.offset:
            yield from self.select(selection)
            return
        with self._named_errors():
            yield from self._rows_of(query.unordered(self._connection, selection))

    def get(self, id: str, *, revision: str | None = None, sources: Sequence[str] = ()) -> Model:
        """One model: the newest revision, or the one that starts with `revision`.

        An old id of a renamed model finds it under its new one. Raises NotFound with the nearest
        known id.
        """
        start = (revision or "").lower()
        for name in self._names_of(id, sources):
            found = self._row(name, start, sources)
            if found is not None:
                return from_row(found)
        raise NotFound(self._not_found(id, revision, sources))

    def forget_refusals(self, source: str, ids: Iterable[str]) -> None:
        """Drops refusals of models that can be read now."""
        with self._transaction():
            self._connection.executemany(
                "DELETE FROM refusals WHERE source = ? AND id = ?", [(source, id) for id in ids]
            )

    def refuse(self, source: str, refusals: Iterable[Refusal]) -> int:
        """Keeps rows that could not be read apart from the models, and tells how many."""
        found = list(refusals)
        with self._transaction():
            writing.put_refusals(self._connection, source, found, crawl=None)
        return len(found)

    def refusals(self, *, sources: Sequence[str] = ()) -> tuple[Refusal, ...]:
        """The rows that could not be read, by id."""
        conditions, values = _source_condition(sources)
        query = f"SELECT id, state, reason FROM refusals WHERE 1 {conditions} ORDER BY id"  # noqa: S608  # placeholders only
        return tuple(Refusal(*row) for row in self._all(query, values))

    def unlist(self, source: str, *, keep: Iterable[str], task: str | None) -> int:
        """Takes a source's other models out of `models`; `get` still finds them."""
        kept = set(keep)
        known = self._all(
            f"SELECT number, id FROM models WHERE {LISTED} AND source = ?"  # noqa: S608  # a constant
            " AND (? IS NULL OR task = ?)",
            [source, task, task],
        )
        gone = [row["number"] for row in known if row["id"] not in kept]
        with self._transaction():
            writing.bury(self._connection, gone)
        return len(gone)

    def record_crawl(self, crawl: Crawl) -> None:
        """Notes a finished crawl."""
        with self._transaction():
            crawl_log.record(self._connection, crawl)

    def crawls(self) -> tuple[Crawl, ...]:
        """The finished crawls, oldest first."""
        with self._named_errors():
            return crawl_log.finished(self._connection)

    def crawled(self, source: str, task: str | None) -> str | None:
        """When the last crawl for exactly this task finished, limited or not; None before."""
        slice = {} if task is None else {"task": task}
        time = self._one(
            "SELECT MAX(finished_at) FROM crawls WHERE source = ?"
            " AND json_remove(slice, '$.limit') = ?",
            [source, crawl_log.slice_text(slice)],
        )
        return None if time is None else str(time)

    def stats(self) -> CatalogStats:
        """Counts of the newest revisions; models that do not say count as "unknown"."""
        time = self._one("SELECT MAX(finished_at) FROM crawls")
        by_source = self._counts("source")
        return CatalogStats(
            n_models=sum(by_source.values()),
            n_refused=int(self._one("SELECT COUNT(*) FROM refusals") or 0),
            by_task=self._counts("task"),
            by_source=by_source,
            by_license=self._counts("license"),
            last_crawl=None if time is None else str(time),
        )

    def known_sha256(self, path: str, size_bytes: int, modified_ns: int) -> str | None:
        """The hash of a local file that has not changed since; None when it is not known."""
        found = self._one(
            "SELECT sha256 FROM file_hashes WHERE path = ? AND size_bytes = ? AND modified_ns = ?",
            [path, size_bytes, modified_ns],
        )
        return None if found is None else str(found)

    def remember_sha256(self, path: str, size_bytes: int, modified_ns: int, sha256: str) -> None:
        """Keeps a local file's hash, in place of an older one of the same path."""
        with self._transaction():
            self._connection.execute(
                "INSERT OR REPLACE INTO file_hashes VALUES (?, ?, ?, ?)",
                (path, size_bytes, modified_ns, sha256),
            )

    def _rows_of(self, numbers: Iterable[int]) -> Iterator[Model]:
        return map(from_row, order.rows(self._connection, numbers))

    def _names_of(self, id: str, sources: Sequence[str]) -> list[str]:
        """The ids to look under: the newest name first, the given one last."""
        conditions, values = _source_condition(sources)
        names = [id]
        for _ in range(RENAMES_FOLLOWED):
            new = self._one(
                f"SELECT new_id FROM renamed WHERE old_id = ? {conditions}",  # noqa: S608  # placeholders only
                [names[0], *values],
            )
            if new is None or str(new) in names:
                break
            names.insert(0, str(new))
        return names

    def _row(self, id: str, start: str, sources: Sequence[str]) -> sqlite3.Row | None:
        """The listed revision before others, the last that was seen among those."""
        conditions, values = _source_condition(sources)
        for listed in ("listed", "NOT listed"):
            rows = self._all(
                f"SELECT * FROM models WHERE {listed} AND id = ?"  # noqa: S608  # placeholders only
                f" AND substr(revision, 1, ?) = ? {conditions}"
                " ORDER BY gone_at IS NULL DESC, seen_at DESC, number DESC LIMIT 1",
                [id, len(start), start, *values],
            )
            if rows:
                return rows[0]
        return None

    def _counts(self, kind: str) -> dict[str, int]:
        """How many models have each value of a facet, the most frequent first."""
        with self._named_errors():
            found = facets.counts(self._connection, kind)
            n_unknown = facets.untold(self._connection, kind).bit_count()
        found |= {"unknown": found.get("unknown", 0) + n_unknown} if n_unknown else {}
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def _not_found(self, id: str, revision: str | None, sources: Sequence[str]) -> str:
        conditions, values = _source_condition(sources)
        rows = self._all(
            " UNION ALL ".join(
                f"SELECT revision FROM models WHERE {listed} AND id = ? {conditions}"  # noqa: S608  # placeholders only
                for listed in ("listed", "NOT listed")
            ),
            [id, *values] * 2,
        )
        revisions = [row["revision"][:8] for row in rows]
        if revisions:
            return f"{id!r} has no known revision {revision!r}; known: {', '.join(revisions[:5])}"
        with self._named_errors():
            near = nearest(id, query.similar_ids(self._connection, id, sources))
        hint = (
            f"Did you mean {near!r}?" if near else "`recommender catalog list` shows what is known"
        )
        return f"the catalog knows no model {id!r}. {hint}"

    def _all(self, query: str, values: Sequence[str | int | None] = ()) -> list[sqlite3.Row]:
        with self._named_errors():
            return self._connection.execute(query, values).fetchall()

    def _one(self, query: str, values: Sequence[str | int | None] = ()) -> str | int | None:
        with self._named_errors():
            row = self._connection.execute(query, values).fetchone()
        value: str | int | None = row[0] if row else None
        return value

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._named_errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"{self.path} cannot be used: {error}; move it away to start a new catalog"
            ) from error


def _source_condition(sources: Sequence[str]) -> tuple[str, list[str]]:
    if not sources:
        return "", []
    return f"AND source IN ({', '.join('?' * len(sources))})", list(sources)
