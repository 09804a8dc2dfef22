"""Measurements, predictions for each row, and answers: everything that was paid for once."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cache.database import Migration, connect, connect_to_read
from cache.evaluations import Evaluations, create_evaluations, create_frontier
from cache.key import digest
from cache.ledgers import Ledgers, create_ledgers
from cache.runs import Runs

if TYPE_CHECKING:
    from sqlite_utils import Database


@dataclass(frozen=True, slots=True)
class Prediction:
    """One row's answer: the index of the model's output, and its scores (float32 bytes)."""

    row_key: str
    output: int
    scores: bytes


@dataclass(frozen=True, slots=True)
class Figure:
    """One stored measurement; `conditions` is empty where the value is the same everywhere.

    Else it is the key of the machine, the threads and the texts that the figure was taken with.
    """

    name: str
    value: float
    unit: str
    n: int
    low: float | None = None
    high: float | None = None
    note: str = ""
    conditions: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a candidate could not be evaluated, and how long ago that was."""

    state: str
    reason: str
    age: timedelta


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds that one step of the work took: `kind` is download, build, load or rows.

    `mb` is what the step went through: the files of a download, the weights of a build or a load,
    the text of rows. `n_parameters` is the model's; `n_rows` is 0 but for rows.
    """

    kind: str
    backend: str
    precision: str
    n_parameters: float | None
    mb: float
    n_rows: int
    seconds: float


SPENT_KEPT = 40
"""The last steps of each kind, backend and precision that are read back."""


@dataclass(frozen=True, slots=True)
class Run:
    """One search as it was answered (JSON text), and when."""

    key: str
    answer: str
    answered_at: str


def _first_schema(database: "Database") -> None:
    database.table("candidates").create(
        {"key": str, "model": str, "revision": str, "source": str, "recipe": str, "detail": str,
         "created_at": str}, pk="key")  # fmt: skip
    database.execute(
        "CREATE TABLE predictions (candidate_key TEXT NOT NULL, row_key TEXT NOT NULL, "
        "output INTEGER NOT NULL, scores BLOB NOT NULL, "
        "PRIMARY KEY (candidate_key, row_key)) WITHOUT ROWID"
    )
    database.table("figures").create(
        {"candidate_key": str, "conditions": str, "samples": str, "name": str, "value": float,
         "unit": str, "n": int, "low": float, "high": float, "note": str, "measured_at": str},
        pk=("candidate_key", "conditions", "samples", "name"),
    )  # fmt: skip
    database.table("failures").create(
        {"candidate_key": str, "state": str, "reason": str, "failed_at": str}, pk="candidate_key"
    )
    database.table("conditions").create({"key": str, "detail": str}, pk="key")
    database.table("answers").create(
        {"key": str, "samples": str, "question": str, "answer": str, "answered_at": str}, pk="key"
    )
    database.table("searched_rows").create({"row_key": str, "answer_key": str}, pk="row_key")


def _spent(database: "Database") -> None:
    database.table("spent").create(
        {"machine": str, "kind": str, "backend": str, "precision": str, "n_parameters": float,
         "mb": float, "n_rows": int, "seconds": float, "at": str}
    )  # fmt: skip
    database.table("spent").create_index(["machine", "kind", "backend", "precision"])


def _runs(database: "Database") -> None:
    database.table("runs").create(
        {"key": str, "samples": str, "question": str, "answer": str, "answered_at": str}, pk="key"
    )
    database.table("runs").create_index(["answered_at"])
    database.table("searched_rows").drop()  # the ledgers know which labels were used


def _texts(database: "Database") -> None:
    database.execute(
        "CREATE TABLE texts (candidate_key TEXT NOT NULL, row_key TEXT NOT NULL, "
        "answer TEXT NOT NULL, PRIMARY KEY (candidate_key, row_key)) WITHOUT ROWID"
    )


def _asked_again(database: "Database") -> None:
    """When a run was asked for last, from memory too; and a frontier for each metric."""
    database.execute("ALTER TABLE runs ADD COLUMN asked_at TEXT")
    database.execute("UPDATE runs SET asked_at = answered_at")
    database.table("runs").create_index(["asked_at"])
    create_frontier(database)


MIGRATIONS: Mapping[str, Migration] = {
    "first schema": _first_schema,
    "seconds spent": _spent,
    "ledgers": create_ledgers,
    "runs": _runs,
    "texts": _texts,
    "evaluations": create_evaluations,
    "asked again": _asked_again,
}


class Measurements:
    """The store of everything measured; one writer, any number of readers.

    With `read_only` nothing is changed, not even an older schema. Raises StoreError where the file
    cannot be opened (`connect` and `connect_to_read` say when).
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        opened = connect_to_read if read_only else connect
        self._connection = opened(path, MIGRATIONS)

    def __enter__(self) -> "Measurements":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    @property
    def ledgers(self) -> Ledgers:
        """Which labels were used, and for which declared candidates."""
        return Ledgers(self._connection)

    @property
    def evaluations(self) -> Evaluations:
        """What became of each candidate on each set of rows."""
        return Evaluations(self._connection)

    @property
    def past(self) -> Runs:
        """Past searches by id, and in part."""
        return Runs(self._connection)

    # ------------------------------------------------------------------ candidates and failures
    def describe(self, key: str, description: Mapping[str, Any]) -> None:
        """Say once which candidate a key stands for, for people who read the file."""
        row = {name: description[name] for name in ("model", "revision", "source", "recipe")}
        self._connection.execute(
            "INSERT INTO candidates VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (key, *row.values(), json.dumps(description.get("detail", {})), _now()),
        )

    def candidates(self) -> list[dict[str, Any]]:
        """Every candidate that ever answered a row, with `detail` read back."""
        rows = self._connection.execute("SELECT * FROM candidates ORDER BY model, recipe")
        return [{**dict(row), "detail": json.loads(row["detail"])} for row in rows]

    def record_failure(self, key: str, state: str, reason: str) -> None:
        """Remember that a candidate cannot be evaluated, and why."""
        self._connection.execute(
            "INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?)", (key, state, reason, _now())
        )

    def failure(self, key: str) -> Failure | None:
        """The remembered failure of a candidate."""
        row = self._connection.execute(
            "SELECT state, reason, failed_at FROM failures WHERE candidate_key = ?", (key,)
        ).fetchone()
        if row is None:
            return None
        age = datetime.now(UTC) - datetime.fromisoformat(row["failed_at"])
        return Failure(row["state"], row["reason"], age)

    def labels(self, key: str) -> tuple[str, ...]:
        """The outputs that a candidate was found to have when it was loaded; empty if never."""
        row = self._connection.execute(
            "SELECT detail FROM candidates WHERE key = ?", (key,)
        ).fetchone()
        return tuple(json.loads(row["detail"]).get("labels", ())) if row else ()

    # ------------------------------------------------------------------ predictions
    def record_predictions(self, key: str, predictions: Iterable[Prediction]) -> int:
        """Commit one batch; a row that is known keeps its first answer. How many are new."""
        return self._record(
            "INSERT INTO predictions VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            ((key, p.row_key, p.output, p.scores) for p in predictions),
        )

    def record_texts(self, key: str, answers: Mapping[str, str]) -> int:
        """The same for answers that are texts, by row key."""
        return self._record(
            "INSERT INTO texts VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            ((key, row_key, answer) for row_key, answer in answers.items()),
        )

    def texts(self, key: str) -> dict[str, str]:
        """The answer to every row that a candidate has answered in text, by row key."""
        rows = self._connection.execute(
            "SELECT row_key, answer FROM texts WHERE candidate_key = ?", (key,)
        )
        return {row["row_key"]: row["answer"] for row in rows}

    def _record(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> int:
        """One transaction of one statement; how many rows are new."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            written = connection.executemany(statement, rows)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        return written.rowcount

    def outputs(self, key: str) -> dict[str, int]:
        """The predicted output of every row that a candidate has answered, by row key."""
        rows = self._connection.execute(
            "SELECT row_key, output FROM predictions WHERE candidate_key = ?", (key,)
        )
        return {row["row_key"]: row["output"] for row in rows}

    def scores(self, key: str) -> dict[str, bytes]:
        """The scores of all outputs, float32 bytes, of every row answered, by row key."""
        rows = self._connection.execute(
            "SELECT row_key, scores FROM predictions WHERE candidate_key = ?", (key,)
        )
        return {row["row_key"]: row["scores"] for row in rows}

    # ------------------------------------------------------------------ figures
    def record_figures(self, key: str, figures: Iterable[Figure], *, samples: str = "") -> None:
        """Store measurements; a later one of the same name replaces the earlier."""
        connection = self._connection
        for f in figures:
            connection.execute(
                "INSERT OR REPLACE INTO figures VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (key, f.conditions, samples, f.name, float(f.value), f.unit, int(f.n),
                 f.low, f.high, f.note, _now()),
            )  # fmt: skip

    def figures(self, key: str, *, conditions: str, samples: str = "") -> dict[str, Figure]:
        """What is known of a candidate under these conditions (and everywhere), by name."""
        rows = self._connection.execute(
            "SELECT name, value, unit, n, low, high, note, conditions "
            "FROM figures "
            "WHERE candidate_key = ? AND conditions IN ('', ?) AND samples IN ('', ?)",
            (key, conditions, samples),
        )
        return {row["name"]: Figure(**dict(row)) for row in rows}

    def record_conditions(self, key: str, description: Mapping[str, Any]) -> None:
        """Say once which machine, threads and texts a key stands for."""
        self._connection.execute(
            "INSERT INTO conditions VALUES (?, ?) ON CONFLICT DO NOTHING",
            (key, json.dumps(description)),
        )

    # ------------------------------------------------------------------ answers
    def record_answer(
        self, key: str, answer: str, *, samples: str, question: Mapping[str, Any]
    ) -> None:
        """Remember a finished answer (JSON text) under everything that it depends on."""
        self._connection.execute(
            "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?)",
            (key, samples, json.dumps(question), answer, _now()),
        )

    def answer(self, key: str) -> str | None:
        """A stored answer's JSON text."""
        row = self._connection.execute(
            "SELECT answer FROM answers WHERE key = ?", (key,)
        ).fetchone()
        return str(row["answer"]) if row else None

    # ------------------------------------------------------------------ runs
    def record_run(self, answer: str, *, samples: str, question: Mapping[str, Any]) -> str:
        """Keep one search's answer (JSON text), whatever ended it; its id."""
        moment = _now()
        asked_at = _now("microseconds")
        key = digest([moment, answer])
        self._connection.execute(
            "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (key, samples, json.dumps(question), answer, moment, asked_at),
        )
        return key

    def record_asked(self, answer: str, *, samples: str, question: Mapping[str, Any]) -> None:
        """A stored answer was given again: its run is the latest now, written anew if forgotten."""
        changed = self._connection.execute(
            "UPDATE runs SET asked_at = ? WHERE samples = ? AND answer = ?",
            (_now("microseconds"), samples, answer),
        )
        if not changed.rowcount:
            self.record_run(answer, samples=samples, question=question)

    def runs(self, *, prefix: str = "") -> Iterator[Run]:
        """Past searches, the one asked last first; those whose id starts with `prefix`."""
        rows = self._connection.execute(
            "SELECT key, answer, answered_at FROM runs WHERE substr(key, 1, ?) = ? "
            "ORDER BY asked_at DESC, rowid DESC",
            (len(prefix), prefix),
        )
        return (Run(row["key"], row["answer"], row["answered_at"]) for row in rows)

    # ------------------------------------------------------------------ seconds
    def record_spent(self, machine: str, steps: Iterable[Spent]) -> None:
        """Remember how long steps of the work took on a machine."""
        self._connection.executemany(
            "INSERT INTO spent VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (machine, s.kind, s.backend, s.precision, s.n_parameters, s.mb, s.n_rows,
                 s.seconds, _now())
                for s in steps
            ),
        )  # fmt: skip

    def spent(self, machine: str) -> list[Spent]:
        """The last steps of each kind, backend and precision on a machine, the oldest first."""
        rows = self._connection.execute(
            "SELECT kind, backend, precision, n_parameters, mb, n_rows, seconds FROM ("
            "SELECT *, rowid AS place, row_number() OVER "
            "(PARTITION BY kind, backend, precision ORDER BY rowid DESC) AS age "
            "FROM spent WHERE machine = ?) WHERE age <= ? ORDER BY place",
            (machine, SPENT_KEPT),
        )
        return [Spent(*row) for row in rows]

    # ------------------------------------------------------------------ upkeep
    def counts(self) -> dict[str, int]:
        """Rows of each table."""
        tables = (
            "candidates", "predictions", "texts", "figures", "failures", "answers", "runs",
            "evaluations",
        )  # fmt: skip
        return {
            table: int(self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 (the names are ours)
            for table in tables
        }

    def forget_older_than(self, moment: datetime) -> dict[str, int]:
        """Drop answers, failures and candidates' data stored before a moment; what was dropped."""
        limit = moment.astimezone(UTC).isoformat()
        connection = self._connection
        stale = "SELECT key FROM candidates WHERE created_at < ?"
        statements = {
            "answers": "DELETE FROM answers WHERE answered_at < ?",
            "runs": "DELETE FROM runs WHERE asked_at < ?",
            "evaluations": "DELETE FROM evaluations WHERE evaluated_at < ?",
            "failures": "DELETE FROM failures WHERE failed_at < ?",
            "spent": "DELETE FROM spent WHERE at < ?",
            "predictions": f"DELETE FROM predictions WHERE candidate_key IN ({stale})",  # noqa: S608
            "texts": f"DELETE FROM texts WHERE candidate_key IN ({stale})",  # noqa: S608
            "figures": f"DELETE FROM figures WHERE candidate_key IN ({stale})",  # noqa: S608
            "candidates": "DELETE FROM candidates WHERE created_at < ?",
        }
        connection.execute("BEGIN IMMEDIATE")
        dropped = {
            table: connection.execute(statement, (limit,)).rowcount
            for table, statement in statements.items()
        }
        connection.execute("COMMIT")
        connection.execute("VACUUM")
        return dropped


def _now(precision: str = "seconds") -> str:
    return datetime.now(UTC).isoformat(timespec=precision)
