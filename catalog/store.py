"""The catalog on disk: every model that was seen, in a SQLite file that Datasette opens."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from cache.database import connect
from cache.errors import NotFound, StoreError
from catalog.ids import nearest
from catalog.migrations import MIGRATIONS
from catalog.model import Model
from catalog.policy import Refusal
from catalog.rows import from_row, to_row

NEWEST = """
    SELECT * FROM models AS m WHERE listed AND seen = (
        SELECT MAX(seen) FROM models WHERE source = m.source AND id = m.id AND listed)
"""


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
class CatalogStats:
    """How much the catalog knows; the maps are ordered by count, largest first."""

    n_models: int
    n_refused: int
    by_task: Mapping[str, int]
    by_source: Mapping[str, int]
    by_license: Mapping[str, int]
    last_crawl: str | None


class CatalogStore:
    """Models by source, id and revision. Belongs to the thread that opened it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = connect(path, MIGRATIONS)

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
        rows = [to_row(model) | {"listed": int(listed), "seen_at": now()} for model in models]
        with self._transaction():
            newest = int(self._one("SELECT MAX(seen) FROM models") or 0)
            for seen, row in enumerate(rows, start=newest + 1):
                self._upsert_row(row | {"seen": seen})
        return len(rows)

    def models(
        self, *, task: str | None = None, sources: Sequence[str] = (), limit: int | None = None
    ) -> tuple[Model, ...]:
        """The newest revision of each model, by downloads, the most first; no sources: all."""
        conditions, values = _source_condition(sources)
        if task is not None:
            conditions, values = f"{conditions} AND task = ?", [*values, task]
        query = f"{NEWEST} {conditions} ORDER BY downloads DESC NULLS LAST, id, source LIMIT ?"
        rows = self._all(query, [*values, -1 if limit is None else limit])
        return tuple(from_row(row) for row in rows)

    def get(self, id: str, *, revision: str | None = None, sources: Sequence[str] = ()) -> Model:
        """One model: the newest revision, or the one that starts with `revision`.

        Raises NotFound with the nearest known id.
        """
        conditions, values = _source_condition(sources)
        query = f"""SELECT * FROM models WHERE id = ? AND substr(revision, 1, ?) = ?
            {conditions} ORDER BY listed DESC, seen DESC LIMIT 1"""  # noqa: S608  # placeholders only
        start = (revision or "").lower()
        rows = self._all(query, [id, len(start), start, *values])
        if not rows:
            raise NotFound(self._not_found(id, revision, sources))
        return from_row(rows[0])

    def forget_refusals(self, source: str, ids: Iterable[str]) -> None:
        """Drops refusals of models that can be read now."""
        with self._transaction():
            self._connection.executemany(
                "DELETE FROM refusals WHERE source = ? AND id = ?", [(source, id) for id in ids]
            )

    def refuse(self, source: str, refusals: Iterable[Refusal]) -> int:
        """Keeps rows that could not be read apart from the models, and tells how many."""
        rows = [(source, refusal.id, refusal.state, refusal.reason, now()) for refusal in refusals]
        with self._transaction():
            self._connection.executemany(
                "INSERT OR REPLACE INTO refusals (source, id, state, reason, seen_at)"
                " VALUES (?, ?, ?, ?, ?)",
                rows,
            )
        return len(rows)

    def refusals(self, *, sources: Sequence[str] = ()) -> tuple[Refusal, ...]:
        """The rows that could not be read, by id."""
        conditions, values = _source_condition(sources)
        query = f"SELECT id, state, reason FROM refusals WHERE 1 {conditions} ORDER BY id"  # noqa: S608  # placeholders only
        return tuple(Refusal(*row) for row in self._all(query, values))

    def unlist(self, source: str, *, keep: Iterable[str], task: str | None) -> int:
        """Takes a source's other models out of `models`; `get` still finds them."""
        kept = set(keep)
        known = self._all(
            "SELECT DISTINCT id FROM models"
            " WHERE listed AND source = ? AND (? IS NULL OR task = ?)",
            [source, task, task],
        )
        gone = [(source, row["id"]) for row in known if row["id"] not in kept]
        with self._transaction():
            self._connection.executemany(
                "UPDATE models SET listed = 0 WHERE source = ? AND id = ?", gone
            )
        return len(gone)

    def record_crawl(self, crawl: Crawl) -> None:
        """Notes a finished crawl."""
        with self._transaction():
            self._connection.execute(
                "INSERT INTO crawls (source, task, started_at, finished_at, n_models, n_refused)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (crawl.source, crawl.task, crawl.started_at, crawl.finished_at,
                 crawl.n_models, crawl.n_refused),
            )  # fmt: skip

    def crawled(self, source: str, task: str | None) -> str | None:
        """When the last crawl for exactly this task finished; None before the first."""
        time = self._one(
            "SELECT MAX(finished_at) FROM crawls WHERE source = ? AND task IS ?",
            [source, task],
        )
        return None if time is None else str(time)

    def stats(self) -> CatalogStats:
        """Counts of the newest revisions; models that do not say count as "unknown"."""
        time = self._one("SELECT MAX(finished_at) FROM crawls")
        return CatalogStats(
            n_models=int(self._one(f"SELECT COUNT(*) FROM ({NEWEST})") or 0),  # noqa: S608  # a constant
            n_refused=int(self._one("SELECT COUNT(*) FROM refusals") or 0),
            by_task=self._counts("task"),
            by_source=self._counts("source"),
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

    def _upsert_row(self, row: Mapping[str, str | int | float | None]) -> None:
        names = list(row)
        renewed = [f"{name} = excluded.{name}" for name in names if name not in ("listed", "seen")]
        self._connection.execute(
            f"INSERT INTO models ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608  # our own column names
            f" ON CONFLICT (source, id, revision) DO UPDATE SET {', '.join(renewed)},"
            " seen = CASE WHEN excluded.listed OR NOT models.listed"
            " THEN excluded.seen ELSE models.seen END,"
            " listed = MAX(models.listed, excluded.listed)",
            list(row.values()),
        )

    def _counts(self, column: str) -> dict[str, int]:
        rows = self._all(
            f"SELECT COALESCE({column}, 'unknown') AS name, COUNT(*) AS n FROM ({NEWEST})"  # noqa: S608  # our own column names
            " GROUP BY name ORDER BY n DESC, name"
        )
        return {row["name"]: row["n"] for row in rows}

    def _not_found(self, id: str, revision: str | None, sources: Sequence[str]) -> str:
        conditions, values = _source_condition(sources)
        rows = self._all(
            f"SELECT id, revision FROM models WHERE 1 {conditions} ORDER BY seen DESC",  # noqa: S608  # placeholders only
            values,
        )
        revisions = [row["revision"][:8] for row in rows if row["id"] == id]
        if revisions:
            return f"{id!r} has no known revision {revision!r}; known: {', '.join(revisions[:5])}"
        near = nearest(id, [row["id"] for row in rows])
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


def now() -> str:
    """The time, UTC, as ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _source_condition(sources: Sequence[str]) -> tuple[str, list[str]]:
    if not sources:
        return "", []
    return f"AND source IN ({', '.join('?' * len(sources))})", list(sources)
