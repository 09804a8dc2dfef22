"""Error ledgers: which labels were used, in which order, for which declared candidates.

A row belongs to one ledger for good, and so does every other row of its text: the same labels are
recognised however the rows are grouped or numbered. SQLite itself refuses changes: triggers abort
every write that would alter a ledger whose labels were used, whatever program sends it.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from cache.errors import StoreError

if TYPE_CHECKING:
    from sqlite_utils import Database

Units = Sequence[Sequence[str]]
"""The row keys of each unit, in order. A unit is one independent draw: mostly a single row."""

NO_LABELS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class StoredLedger:
    """A ledger as it was declared; `used_at` is None until a first label was used."""

    content: str
    created_at: str
    used_at: str | None


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A candidate that entered later: its rank among its kind, from 1.

    `since` is the number of leading units that it must not use: 0 for one that was published
    independently of the labels, else all units that had been used when it was named.
    """

    rank: int
    since: int


def row_key(text: str, group: str = "", repeat: int = 1) -> str:
    """A row's key from its text's key, its group's (if rows have groups), and which repeat it is.

    >>> row_key("a"), row_key("a", repeat=2), row_key("a", "g"), row_key("a", "g", 2)
    ('a', 'a#2', 'a@g', 'a@g#2')
    """
    return text + (f"@{group}" if group else "") + (f"#{repeat}" if repeat > 1 else "")


def kind_of(row_key: str) -> str:
    """The key without the number of the repeat."""
    return row_key.partition("#")[0]


def text_of(row_key: str) -> str:
    """The key of the row's text."""
    return kind_of(row_key).partition("@")[0]


def group_of(row_key: str) -> str:
    """The key of the row's group; empty where rows have none."""
    return kind_of(row_key).partition("@")[2]


def repeat_of(row_key: str) -> int:
    """Which repeat of its text and group a row is, from 1."""
    return int(row_key.partition("#")[2] or 1)


_SCHEMA = """
CREATE TABLE ledgers (
    hash TEXT PRIMARY KEY, content TEXT NOT NULL, created_at TEXT NOT NULL, used_at TEXT
) WITHOUT ROWID;
CREATE TABLE ledger_batches (
    ledger TEXT NOT NULL, batch INTEGER NOT NULL, ends_at INTEGER NOT NULL,
    created_at TEXT NOT NULL, used_at TEXT, PRIMARY KEY (ledger, batch)
) WITHOUT ROWID;
CREATE TABLE ledger_rows (
    row_key TEXT PRIMARY KEY, ledger TEXT NOT NULL, batch INTEGER NOT NULL,
    place INTEGER NOT NULL, label TEXT NOT NULL, text TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX ledger_rows_in_order ON ledger_rows (ledger, place);
CREATE INDEX ledger_rows_by_text ON ledger_rows (text, ledger);
CREATE TABLE ledger_newcomers (
    ledger TEXT NOT NULL, line TEXT NOT NULL, rank INTEGER NOT NULL, since INTEGER NOT NULL,
    published TEXT, entered_at TEXT NOT NULL, PRIMARY KEY (ledger, line)
) WITHOUT ROWID;
CREATE UNIQUE INDEX ledger_newcomers_by_rank ON ledger_newcomers (ledger, (since = 0), rank);
CREATE TABLE ledger_promotions (
    ledger TEXT NOT NULL, rank INTEGER NOT NULL, line TEXT NOT NULL,
    PRIMARY KEY (ledger, rank), UNIQUE (ledger, line)
) WITHOUT ROWID;
CREATE TABLE sample_names (
    row_key TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (row_key, name)
) WITHOUT ROWID;
"""

_USED = "(SELECT used_at FROM ledgers WHERE hash = OLD.ledger) IS NOT NULL"
_GUARDS = (
    ("INSERT ON ledgers", "EXISTS (SELECT 1 FROM ledgers WHERE hash = NEW.hash)",
     "a ledger is declared once"),
    ("UPDATE ON ledgers",
     "NEW.hash IS NOT OLD.hash OR NEW.content IS NOT OLD.content "
     "OR NEW.created_at IS NOT OLD.created_at OR OLD.used_at IS NOT NULL",
     "a ledger cannot be changed"),
    ("DELETE ON ledgers", "OLD.used_at IS NOT NULL", "a ledger whose labels were used stays"),
    ("INSERT ON ledger_batches",
     "NEW.batch <> (SELECT count(*) FROM ledger_batches WHERE ledger = NEW.ledger) OR NEW.ends_at "
     "<= (SELECT coalesce(max(ends_at), 0) FROM ledger_batches WHERE ledger = NEW.ledger)",
     "a batch comes after those before it"),
    ("UPDATE ON ledger_batches",
     "NEW.ledger IS NOT OLD.ledger OR NEW.batch IS NOT OLD.batch "
     "OR NEW.ends_at IS NOT OLD.ends_at OR NEW.created_at IS NOT OLD.created_at "
     "OR OLD.used_at IS NOT NULL",
     "the end of a batch cannot be changed"),
    ("DELETE ON ledger_batches", _USED, "a batch of a used ledger stays"),
    ("INSERT ON ledger_rows",
     "EXISTS (SELECT 1 FROM ledger_rows WHERE row_key = NEW.row_key) OR EXISTS "
     "(SELECT 1 FROM ledger_batches WHERE ledger = NEW.ledger AND batch = NEW.batch)",
     "a row belongs to one ledger, and a batch is written once"),
    ("INSERT ON ledger_rows",
     "(SELECT min(ledger) FROM ledger_rows WHERE text = NEW.text) <> NEW.ledger",
     "a text belongs to one ledger"),
    ("UPDATE ON ledger_rows", "1", "the order of a ledger cannot be changed"),
    ("DELETE ON ledger_rows", _USED, "a row of a used ledger stays"),
    ("INSERT ON ledger_newcomers",
     "EXISTS (SELECT 1 FROM ledger_newcomers WHERE ledger = NEW.ledger AND line = NEW.line) "
     "OR NEW.rank <> 1 + coalesce((SELECT max(rank) FROM ledger_newcomers "
     "WHERE ledger = NEW.ledger AND (since = 0) = (NEW.since = 0)), 0)",
     "newcomers enter once, in order"),
    ("INSERT ON ledger_newcomers",
     "NEW.since = 0 AND coalesce(NEW.published, '') <= "
     "(SELECT created_at FROM ledgers WHERE hash = NEW.ledger)",
     "a newcomer is published after its ledger was declared"),
    ("INSERT ON ledger_newcomers",
     "NEW.since <> 0 AND (NOT EXISTS (SELECT 1 FROM ledger_batches "
     "WHERE ledger = NEW.ledger AND ends_at = NEW.since) "
     "OR EXISTS (SELECT 1 FROM ledger_batches "
     "WHERE ledger = NEW.ledger AND ends_at > NEW.since AND used_at IS NOT NULL))",
     "a candidate named after labels were used starts after them"),
    ("UPDATE ON ledger_newcomers", "1", "the rank of a newcomer cannot be changed"),
    ("DELETE ON ledger_newcomers", _USED, "a newcomer of a used ledger stays"),
    ("INSERT ON ledger_promotions",
     "NOT EXISTS (SELECT 1 FROM ledgers WHERE hash = NEW.ledger) OR EXISTS "
     "(SELECT 1 FROM ledger_promotions WHERE ledger = NEW.ledger AND line = NEW.line) "
     "OR NEW.rank <> 1 + (SELECT count(*) FROM ledger_promotions WHERE ledger = NEW.ledger)",
     "candidates are promoted once, in order"),
    ("UPDATE ON ledger_promotions", "1", "the rank of a promotion cannot be changed"),
    ("DELETE ON ledger_promotions", _USED, "a promotion of a used ledger stays"),
)  # fmt: skip
"""What each trigger listens to, when it aborts, and what it says. The guards of INSERT are there
because INSERT OR REPLACE deletes rows without asking the guards of DELETE."""


def create_ledgers(database: "Database") -> None:
    """The migration that adds the tables and their guards."""
    for statement in _SCHEMA.split(";"):
        if statement.strip():
            database.execute(statement)
    for number, (event, condition, message) in enumerate(_GUARDS):
        database.execute(
            f"CREATE TRIGGER ledger_guard_{number} BEFORE {event} FOR EACH ROW WHEN {condition} "
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )


_PARTS = ("ledger_promotions", "ledger_newcomers", "ledger_rows", "ledger_batches")


class Ledgers:
    """The store of ledgers, on the connection of the measurements."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._rehearses = False

    # ------------------------------------------------------------------ declaring and using
    def declare(
        self, hash: str, content: str, units: Units, *,
        labels: Mapping[str, str] = NO_LABELS, replacing: Sequence[str] = (),
    ) -> bool:  # fmt: skip
        """Write a ledger with its first batch; False, and nothing written, where a row is taken.

        `replacing` are ledgers to withdraw first, as far as none of their labels was used.
        `labels` maps row keys to their labels, of which a digest is kept.
        """
        keys = [key for unit in units for key in unit]
        with self._transaction() as connection:
            unused = [name for name in replacing if self._is_unused(name)]
            if any(name not in unused for name in self.overlapping(keys)):
                return False
            self._withdraw(unused)
            connection.execute(
                "INSERT INTO ledgers VALUES (?, ?, ?, NULL)", (hash, content, _now())
            )
            self._write_batch(hash, units, labels)
        return True

    def withdraw(self, hashes: Sequence[str]) -> None:
        """Take back the ledgers among these of which no label was used."""
        with self._transaction():
            self._withdraw([name for name in hashes if self._is_unused(name)])

    def append_batch(
        self, hash: str, units: Units, *, labels: Mapping[str, str] = NO_LABELS
    ) -> None:
        """Add a batch of the units that are still in no ledger; none if all of them are."""
        with self._transaction():
            taken = self._taken(hash, [key for unit in units for key in unit])
            fresh = [unit for unit in units if not taken.intersection(unit)]
            if fresh:
                self._write_batch(hash, fresh, labels)

    def mark_used(self, hash: str) -> None:
        """Say that labels are used from now on; call it before the first of them is looked at.

        Raises StoreError where another search has replaced the ledger in the meantime.
        """
        stored = self.read(hash)
        if stored is not None and self.used_end(hash) == self.batch_ends(hash)[-1]:
            return
        with self._transaction() as connection:
            if self.read(hash) is None:
                raise StoreError("another search declared these rows afresh; run this one again")
            for table, name in (("ledgers", "hash"), ("ledger_batches", "ledger")):
                connection.execute(
                    f"UPDATE {table} SET used_at = ? WHERE {name} = ? AND used_at IS NULL",  # noqa: S608 (the names are ours)
                    (_now(), hash),
                )

    # ------------------------------------------------------------------ reading
    def read(self, hash: str) -> StoredLedger | None:
        """A ledger by its hash."""
        row = self._connection.execute(
            "SELECT content, created_at, used_at FROM ledgers WHERE hash = ?", (hash,)
        ).fetchone()
        return StoredLedger(*row) if row else None

    def overlapping(self, row_keys: Sequence[str]) -> dict[str, int]:
        """How many of the texts of these rows each ledger holds, by its hash; none are left out."""
        rows = self._connection.execute(
            "SELECT ledger, count(DISTINCT text) FROM ledger_rows "
            "WHERE text IN (SELECT value FROM json_each(?)) GROUP BY ledger ORDER BY ledger",
            (json.dumps(sorted(set(map(text_of, row_keys)))),),
        )
        return {row[0]: row[1] for row in rows}

    def units(self, hash: str) -> tuple[tuple[str, ...], ...]:
        """The row keys of each unit, in the order of the ledger."""
        found: dict[int, list[str]] = {}
        for row_key, place in self._connection.execute(
            "SELECT row_key, place FROM ledger_rows WHERE ledger = ? ORDER BY place, row_key",
            (hash,),
        ):
            found.setdefault(place, []).append(row_key)
        return tuple(tuple(keys) for keys in found.values())

    def order(self, hash: str) -> tuple[str, ...]:
        """All row keys, in the order of the ledger."""
        return tuple(key for unit in self.units(hash) for key in unit)

    def texts(self, hash: str) -> set[str]:
        """The keys of the distinct texts of a ledger's rows."""
        rows = self._connection.execute("SELECT text FROM ledger_rows WHERE ledger = ?", (hash,))
        return {row[0] for row in rows}

    def labels(self, hash: str) -> dict[str, str]:
        """The digest of each row's label when it entered the ledger; empty where none was given."""
        rows = self._connection.execute(
            "SELECT row_key, label FROM ledger_rows WHERE ledger = ?", (hash,)
        )
        return dict(rows.fetchall())

    def batch_ends(self, hash: str) -> tuple[int, ...]:
        """The number of units after each batch."""
        rows = self._connection.execute(
            "SELECT ends_at FROM ledger_batches WHERE ledger = ? ORDER BY batch", (hash,)
        )
        return tuple(row[0] for row in rows)

    def used_end(self, hash: str) -> int:
        """The number of leading units of which labels may have been used."""
        row = self._connection.execute(
            "SELECT coalesce(max(ends_at), 0) FROM ledger_batches "
            "WHERE ledger = ? AND used_at IS NOT NULL",
            (hash,),
        ).fetchone()
        return int(row[0])

    def relabelled(self, hash: str, labels: Mapping[str, str]) -> int:
        """How many rows carry another label now than when they entered the ledger."""
        digests = label_digests(labels)
        return sum(
            bool(label) and key in digests and digests[key] != label
            for key, label in self.labels(hash).items()
        )

    # ------------------------------------------------------------------ newcomers
    def newcomers(self, hash: str) -> dict[str, Newcomer]:
        """The candidates that entered later, by their line's key."""
        rows = self._connection.execute(
            "SELECT line, rank, since FROM ledger_newcomers WHERE ledger = ?", (hash,)
        )
        return {row[0]: Newcomer(row[1], row[2]) for row in rows}

    def enter_published(self, hash: str, lines: Sequence[tuple[str, str | None]]) -> None:
        """Give the next ranks to lines, each with its time of publication, in the order given.

        Times are ISO 8601 in UTC, to the second. A line that has a rank keeps it. Raises
        sqlite3.IntegrityError for a time before the ledger's, or None.
        """
        with self._transaction():
            self._enter(hash, lines, since=0)

    def enter_later(self, hash: str, lines: Sequence[str]) -> None:
        """Let lines enter on the batches of which no label was used yet; none where all were."""
        with self._transaction():
            since = self.used_end(hash)
            if since and since < self.batch_ends(hash)[-1]:
                self._enter(hash, [(line, None) for line in lines], since=since)

    def _enter(self, hash: str, lines: Sequence[tuple[str, str | None]], *, since: int) -> None:
        known = self.newcomers(hash)
        rank = sum((newcomer.since == 0) == (since == 0) for newcomer in known.values())
        for line, published in lines:
            if line not in known:
                rank += 1
                self._connection.execute(
                    "INSERT INTO ledger_newcomers VALUES (?, ?, ?, ?, ?, ?)",
                    (hash, line, rank, since, published, _now()),
                )

    # ------------------------------------------------------------------ promotions
    def promote(self, hash: str, line: str) -> int:
        """The rank of a line among those that were promoted, from 1; the next one if it is new.

        Call it before the line is tested on held-out rows. What has a rank keeps it for good.
        """
        with self._transaction() as connection:
            known = self.promotions(hash)
            if line in known:
                return known.index(line) + 1
            connection.execute(
                "INSERT INTO ledger_promotions VALUES (?, ?, ?)", (hash, len(known) + 1, line)
            )
            return len(known) + 1

    def promotions(self, hash: str) -> tuple[str, ...]:
        """The lines that were promoted, in the order of their ranks."""
        rows = self._connection.execute(
            "SELECT line FROM ledger_promotions WHERE ledger = ? ORDER BY rank", (hash,)
        )
        return tuple(row[0] for row in rows)

    # ------------------------------------------------------------------ where rows came from
    def remember_source(self, row_keys: Sequence[str], name: str) -> None:
        """Remember that rows were read from a data set of the Hub."""
        with self._transaction() as connection:
            connection.executemany(
                "INSERT INTO sample_names VALUES (?, ?) ON CONFLICT DO NOTHING",
                ((row_key, name) for row_key in row_keys),
            )

    def sources_of(self, row_keys: Sequence[str]) -> dict[str, int]:
        """The data sets that these rows were read from earlier, and how many rows of each."""
        rows = self._connection.execute(
            "SELECT name, count(*) FROM sample_names "
            "WHERE row_key IN (SELECT value FROM json_each(?)) GROUP BY name ORDER BY name",
            (json.dumps(list(row_keys)),),
        )
        return {row[0]: row[1] for row in rows}

    # ------------------------------------------------------------------ inside a transaction
    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """What is written inside is seen by this store alone, and taken back at the end."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._rehearses = True
        try:
            yield
        finally:
            self._rehearses = False
            self._connection.execute("ROLLBACK")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        if self._rehearses:
            yield self._connection
            return
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _is_unused(self, hash: str) -> bool:
        stored = self.read(hash)
        return stored is not None and stored.used_at is None

    def _withdraw(self, hashes: Sequence[str]) -> None:
        for name in hashes:
            for table in _PARTS:
                self._connection.execute(f"DELETE FROM {table} WHERE ledger = ?", (name,))  # noqa: S608 (the names are ours)
            self._connection.execute("DELETE FROM ledgers WHERE hash = ?", (name,))

    def _taken(self, hash: str, row_keys: Sequence[str]) -> set[str]:
        """The keys among these that are in the ledger, or whose text is in another one."""
        texts = self._connection.execute(
            "SELECT DISTINCT text FROM ledger_rows "
            "WHERE ledger <> ? AND text IN (SELECT value FROM json_each(?))",
            (hash, json.dumps(sorted(set(map(text_of, row_keys))))),
        )
        elsewhere = {row[0] for row in texts}
        own = self.labels(hash)
        return {key for key in row_keys if key in own or text_of(key) in elsewhere}

    def _write_batch(self, hash: str, units: Units, labels: Mapping[str, str]) -> None:
        """The rows first, then the batch, which closes it."""
        ends = self.batch_ends(hash)
        start, batch = (ends[-1] if ends else 0), len(ends)
        digests = label_digests(labels)
        self._connection.executemany(
            "INSERT INTO ledger_rows VALUES (?, ?, ?, ?, ?, ?)",
            (
                (key, hash, batch, start + place, digests.get(key, ""), text_of(key))
                for place, unit in enumerate(units)
                for key in unit
            ),
        )
        self._connection.execute(
            "INSERT INTO ledger_batches VALUES (?, ?, ?, ?, NULL)",
            (hash, batch, start + len(units), _now()),
        )


def label_digests(labels: Mapping[str, str]) -> dict[str, str]:
    """The digest of each row's label, as ledgers keep it."""
    digests = {
        label: hashlib.sha256(label.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        for label in set(labels.values())
    }
    return {key: digests[label] for key, label in labels.items()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
