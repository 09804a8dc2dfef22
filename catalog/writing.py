"""Puts models into catalog.db; the caller holds the transaction."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from catalog import codes
from catalog.crawl_log import CrawlState, now, slice_text
from catalog.indexes import READ_AT_ONCE, Indexed, reindex
from catalog.model import Model
from catalog.policy import Refusal
from catalog.rows import COLUMNS, Row, from_row, to_row
from catalog.words import note_frequent

Connection = sqlite3.Connection
Key = tuple[str, str]
"""Source and id."""
Values = tuple[str | int | float | None, ...]

LISTING_KNOWS_BETTER = (
    "author", "downloads", "likes", "disabled", "private", "created_at", "last_modified",
)  # fmt: skip
"""What may change without a new commit."""

INSERT = (
    f"INSERT INTO models (number, listed, crawl, seen_at, {', '.join(COLUMNS)})"  # noqa: S608  # our own column names
    f" VALUES (?, ?, ?, ?, {', '.join('?' * len(COLUMNS))})"
)
UPDATE = "UPDATE models SET crawl = COALESCE(?, crawl), seen_at = ?, gone_at = ? WHERE number = ?"
SCORE = COLUMNS.index("score")
CHANGE = UPDATE.replace("SET", f"SET {', '.join(f'{name} = ?' for name in COLUMNS)},", 1)


def put_listed(connection: Connection, models: Iterable[Model], *, crawl: int | None) -> None:
    """Makes each model the row that its source lists; `crawl` is the one that saw it.

    A listing's row of a revision that is described already changes only what a listing knows
    better. An old revision stays where it was described.
    """
    for batch in _distinct(models):
        page = _Page.read(connection, batch, crawl)
        for model in batch.values():
            page.list(model)
        page.write(connection)
        for table, column in (("refusals", "id"), ("renamed", "old_id")):
            if connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone():  # noqa: S608  # constants
                query = f"DELETE FROM {table} WHERE source = ? AND {column} = ?"  # noqa: S608  # constants
                connection.executemany(query, list(batch))
    note_frequent(connection)


def put_named(connection: Connection, models: Iterable[Model]) -> None:
    """Keeps revisions that were asked for by name; which one is listed does not change."""
    for batch in _distinct(models):
        page = _Page.read(connection, batch, None)
        for model in batch.values():
            page.keep(model)
        page.write(connection)


def put_refusals(
    connection: Connection, source: str, refusals: Sequence[Refusal], *, crawl: int | None
) -> None:
    """Keeps rows that could not be read; a model that is known by that id is still listed."""
    connection.executemany(
        "INSERT OR REPLACE INTO refusals (source, id, state, reason, seen_at)"
        " VALUES (?, ?, ?, ?, ?)",
        [(source, each.id, each.state, each.reason, now()) for each in refusals],
    )
    connection.executemany(
        "UPDATE models SET crawl = COALESCE(?, crawl) WHERE listed AND source = ? AND id = ?",
        [(crawl, source, each.id) for each in refusals],
    )


def bury_unseen(connection: Connection, state: CrawlState) -> list[int]:
    """Marks as gone what an earlier crawl of the same slice saw, and no later one up to this.

    A crawl of everything speaks for all slices. Rows that no crawl has seen (of older catalogs)
    are told by their task.
    """
    rows = connection.execute(
        "SELECT number FROM models WHERE listed AND gone_at IS NULL AND source = :source"
        " AND crawl IN (SELECT number FROM crawls WHERE source = :source AND number < :crawl"
        "  AND :slice IN ('{}', slice))"
        " UNION ALL SELECT number FROM models WHERE listed AND gone_at IS NULL AND crawl IS NULL"
        " AND source = :source AND :slice IN ('{}', json_object('task', task))",
        {"source": state.source, "crawl": state.id, "slice": slice_text(state.slice)},
    ).fetchall()
    numbers = [row["number"] for row in rows]
    bury(connection, numbers)
    return numbers


def bury_named(connection: Connection, source: str, id: str) -> None:
    """Marks the model that a source lists by this id as gone."""
    listed = connection.execute(
        "SELECT number FROM models WHERE listed AND gone_at IS NULL AND source = ? AND id = ?",
        (source, id),
    ).fetchall()
    bury(connection, [row["number"] for row in listed])


def bury(connection: Connection, numbers: Sequence[int]) -> None:
    """Marks models as gone from their source."""
    time = now()
    for start in range(0, len(numbers), READ_AT_ONCE):
        batch = json.dumps(numbers[start : start + READ_AT_ONCE])
        rows = connection.execute(
            "SELECT * FROM models WHERE number IN (SELECT value FROM json_each(?))", (batch,)
        ).fetchall()
        reindex(connection, {row["number"]: Indexed.of(row) for row in rows}, {})
        connection.execute(
            "UPDATE models SET gone_at = ? WHERE number IN (SELECT value FROM json_each(?))",
            (time, batch),
        )


def rename(connection: Connection, source: str, old: str, new: str) -> None:
    """Notes a model's new id; the row under the old one is gone."""
    connection.execute("DELETE FROM renamed WHERE source = ? AND old_id = ?", (source, new))
    connection.execute("INSERT OR REPLACE INTO renamed VALUES (?, ?, ?)", (source, old, new))
    bury_named(connection, source, old)


@dataclass(slots=True)
class _Page:
    """What some models change in the catalog, gathered so that it is written at once.

    `listed` and `others` are the rows that are known of them: by source and id those that their
    sources list, by source, id and revision the others.
    """

    crawl: int | None
    free: int
    listed: Mapping[tuple[str, ...], sqlite3.Row]
    others: Mapping[tuple[str, ...], sqlite3.Row]
    time: str = field(default_factory=now)
    deleted: list[tuple[int]] = field(default_factory=list)
    unlisted: list[tuple[int]] = field(default_factory=list)
    inserted: list[Values] = field(default_factory=list)
    changed: list[Values] = field(default_factory=list)
    seen: list[Values] = field(default_factory=list)
    before: dict[int, Indexed] = field(default_factory=dict)
    after: dict[int, Indexed] = field(default_factory=dict)

    @classmethod
    def read(cls, connection: Connection, models: Mapping[Key, Model], crawl: int | None) -> Self:
        """The page for some models, with the rows that are known of them."""
        ids = json.dumps([model.id for model in models.values()])
        listed, others = (
            connection.execute(
                f"SELECT * FROM models WHERE {kind} AND id IN (SELECT value FROM json_each(?))",  # noqa: S608  # constants
                (ids,),
            ).fetchall()
            for kind in ("listed", "NOT listed")
        )
        last = connection.execute("SELECT MAX(number) FROM models").fetchone()[0]
        return cls(
            crawl,
            0 if last is None else last + 1,
            {(row["source"], row["id"]): row for row in listed},
            {(row["source"], row["id"], row["revision"]): row for row in others},
        )

    def list(self, model: Model) -> None:
        """Makes this the model that its source lists."""
        known = self.listed.get((model.source, model.id))
        other = self.others.get((model.source, model.id, model.revision))
        joined = _joined(model, known, other)
        if other is not None:
            self.deleted.append((other["number"],))
        if known is not None and known["described"] and known["revision"] != joined.revision:
            self.unlisted.append((known["number"],))
            self._forget(known)
            known = None
        if known is None:
            row = to_row(joined)
            self.after[self._insert(row, listed=1)] = Indexed(joined, float(row[SCORE] or 0))
        else:
            self._renew(known, joined, gone_at=None)

    def keep(self, model: Model) -> None:
        """Keeps a revision without listing it, unless it is the one that is listed."""
        known = self.listed.get((model.source, model.id))
        other = self.others.get((model.source, model.id, model.revision))
        if known is not None and known["revision"] in ("", model.revision):
            if other is not None:  # the listing did not tell the commit, and it was known before
                self.deleted.append((other["number"],))
            self._renew(known, _joined(model, known, other), gone_at=known["gone_at"])
        elif other is not None:
            row = to_row(_joined(model, None, other))
            self.changed.append((*row, None, self.time, None, other["number"]))
        else:
            self._insert(to_row(model), listed=0)

    def write(self, connection: Connection) -> None:
        """Changes the rows and the indexes."""
        connection.executemany("DELETE FROM models WHERE number = ?", self.deleted)
        connection.executemany("UPDATE models SET listed = 0 WHERE number = ?", self.unlisted)
        connection.executemany(INSERT, self.inserted)
        connection.executemany(CHANGE, self.changed)
        connection.executemany(UPDATE, self.seen)
        reindex(connection, self.before, self.after)
        codes.change(
            connection,
            {
                number: codes.values_of(each.model, each.score)
                for number, each in self.before.items()
            },
            {
                number: codes.values_of(each.model, each.score)
                for number, each in self.after.items()
            },
        )

    def _insert(self, row: Row, *, listed: int) -> int:
        number, self.free = self.free, self.free + 1
        self.inserted.append((number, listed, self.crawl, self.time, *row))
        return number

    def _renew(self, known: sqlite3.Row, model: Model, *, gone_at: str | None) -> None:
        number, row = known["number"], to_row(model)
        is_same = all(known[name] == value for name, value in zip(COLUMNS, row, strict=True))
        if is_same:
            self.seen.append((self.crawl, self.time, gone_at, number))
        else:
            self.changed.append((*row, self.crawl, self.time, gone_at, number))
        if is_same and gone_at == known["gone_at"]:
            return
        self._forget(known)
        if gone_at is None:
            self.after[number] = Indexed(model, float(row[SCORE] or 0))

    def _forget(self, known: sqlite3.Row) -> None:
        if known["gone_at"] is None:
            self.before[known["number"]] = Indexed.of(known)


def _distinct(models: Iterable[Model]) -> Iterator[dict[Key, Model]]:
    """The models in parts in which none comes twice: the later one finds the former written."""
    part: dict[Key, Model] = {}
    for model in models:
        key = (model.source, model.id)
        if key in part or len(part) == READ_AT_ONCE:
            yield part
            part = {}
        part[key] = model
    yield part


def _joined(model: Model, *known: sqlite3.Row | None) -> Model:
    """A listing's row with what is known of the same revision."""
    if not model.described:
        for row in known:
            if row is not None and row["described"] and _is_same_revision(row, model):
                news = {name: getattr(model, name) for name in LISTING_KNOWS_BETTER}
                return replace(from_row(row), **news)
    return model


def _is_same_revision(row: sqlite3.Row, model: Model) -> bool:
    if model.revision:
        return bool(row["revision"] == model.revision)
    return bool(row["last_modified"] == model.last_modified)  # a listing without commits
