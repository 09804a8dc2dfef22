"""What became of each candidate on a set of rows: the newest, most complete result a machine.

Quality is the same wherever it was measured, timings are not: so the machine and the threads are a
part of the key, and whoever reads the table decides which figures may be compared.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import isfinite
from typing import TYPE_CHECKING, Any

from cache.key import canonical_json, digest

if TYPE_CHECKING:
    from sqlite_utils import Database

Json = Mapping[str, Any]  # Any: what stands in JSON

NOT_TRIED = frozenset(
    {"not needed", "unlikely to be certified", "skipped by budget", "not covered"}
)
"""States of candidates that nothing was asked of: they are no evaluations."""

QUALITY_UNIT = "ratio"
"""The unit of qualities; costs have others."""

SHOWN = ("evaluated", "raced out")
"""States of candidates that answered rows."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """What candidates of a task are ranked by.

    `counts_errors` says that `n_wrong` of an outcome counts wrong answers: where only some of the
    rows were answered, accuracy is known from it.
    """

    metric: str
    higher_is_better: bool = True
    counts_errors: bool = False


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One candidate on one set of rows, on one machine with so many threads.

    `candidate` is the digest of its model, revision and recipe. `rows` is the digest of the rows as
    they were given, without the columns that group or slice them, `fingerprint` that of those that
    were used; `n_rows` counts the latter. `settings` is the digest of what the quality depends on
    besides: the task with its options, the map of the labels, the positive label, metrics of the
    user's own. `libraries` are their versions as JSON text. `complete` says that all rows of its
    test were answered. `outcome` is its JSON.
    """

    candidate: str
    rows: str
    settings: str
    machine: str
    threads: int
    libraries: str
    task: str
    data: str
    fingerprint: str
    n_rows: int
    complete: bool
    ranking: Ranking
    run: str
    evaluated_at: str
    outcome: Json

    @property
    def n_answered(self) -> int:
        """The rows that it answered."""
        return int(self.outcome["n_rows"])

    @property
    def extent(self) -> tuple[bool, int]:
        """How much was answered; the more, the more it says."""
        return self.complete, self.n_answered

    @property
    def quality(self) -> float | None:
        """The metric that the task is ranked by; accuracy also where it raced out."""
        found = self.figure(self.ranking.metric)
        if found is None and self.ranking.counts_errors and self.ranking.metric == "accuracy":
            n_wrong = self.outcome["n_wrong"]
            return 1 - n_wrong / self.n_answered if self.n_answered else None
        return found

    @property
    def certified(self) -> float | None:
        """The certified bound of that metric, where it was asked for."""
        bounds = (c["lower"] for c in self.outcome["claims"] if c["subject"] == self.ranking.metric)
        return next(bounds, None)

    def figure(self, name: str, part: str = "value") -> float | None:
        """A measured figure, or the `low` or `high` of its interval; None for what is no number."""
        found = self.outcome["measurements"].get(name, {}).get(part)
        return found if found is not None and isfinite(found) else None

    def after(self, older: "Evaluation") -> "Evaluation":
        """What to keep of both: the one that says more, the newer with what only the older has.

        That is metrics which were not asked for again, and what was proven, where the newer one
        was asked to prove nothing.
        """
        if self.extent < older.extent:
            return older
        if self.extent > older.extent:
            return self
        before, now = older.outcome, self.outcome
        is_proven_before = before["claims"] and not now["claims"]
        proven = {name: before[name] for name in PROVEN} if is_proven_before else {}
        measurements = {**before["measurements"], **now["measurements"]}
        return self._replaced({**now, **proven, "measurements": measurements})

    def _replaced(self, outcome: Json) -> "Evaluation":
        values = {name: getattr(self, name) for name in self.__slots__}
        return Evaluation(**{**values, "outcome": outcome})


PROVEN = ("claims", "verdict", "misses", "reason", "acceptable")
"""What an outcome says about a question; to be kept together."""


@dataclass(frozen=True, slots=True)
class DataSet:
    """Rows on which candidates of a task were evaluated, and when the last of them was."""

    task: str
    name: str
    rows: str
    n_rows: int
    n_candidates: int
    evaluated_at: str


@dataclass(frozen=True, slots=True)
class Limits:
    """Which evaluations are looked at; what is empty limits nothing.

    `fingerprint` is the start of a data set's digest, `machine` a part of the machine's words,
    `since` a time in UTC as ISO 8601.
    """

    task: str = ""
    fingerprint: str = ""
    machine: str = ""
    since: str = ""

    @property
    def where(self) -> tuple[str, tuple[str, ...]]:
        """The condition in SQL, and its values."""
        prefix = self.fingerprint.lower()
        parts: list[tuple[str, tuple[str, ...]]] = []
        if self.task:
            parts.append(("task = ?", (self.task,)))
        if prefix:
            parts.append((_STARTS, (str(len(prefix)), prefix, str(len(prefix)), prefix)))
        if self.machine:
            parts.append(("instr(lower(machine), lower(?)) > 0", (self.machine,)))
        if self.since:
            parts.append(("evaluated_at >= ?", (self.since,)))
        values = chain.from_iterable(given for _, given in parts)
        return " AND ".join(["1", *(text for text, _ in parts)]), tuple(values)


_STARTS = "(substr(rows, 1, ?) = ? OR substr(fingerprint, 1, ?) = ?)"


class Evaluations:
    """The table of evaluations, on the connection of the measurements."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def record(self, found: Iterable[Evaluation]) -> None:
        """Remember what became of candidates; what is known and says more stays."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            _write(self._connection, found)
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def data_sets(self, limits: Limits) -> list[DataSet]:
        """The rows on which candidates were evaluated, those of the newest evaluation first."""
        where, values = limits.where
        found = self._connection.execute(
            "SELECT task, data, rows, n_rows, count(DISTINCT candidate), evaluated_at, max(rowid) "  # noqa: S608 (the text is ours)
            f"FROM evaluations WHERE {where} GROUP BY task, rows ORDER BY max(rowid) DESC",
            values,
        )  # beside max(), SQLite takes the other columns from the same row
        return [DataSet(*tuple(row)[:-1]) for row in found]

    def of(self, data: DataSet, limits: Limits) -> list[Evaluation]:
        """All evaluations on a set of rows."""
        where, values = limits.where
        found = self._connection.execute(
            f"SELECT {_NAMES} FROM evaluations WHERE task = ? AND rows = ? AND {where}",  # noqa: S608 (the names are ours)
            (data.task, data.rows, *values),
        )
        return [_read(row) for row in found]

    def machines(self) -> list[str]:
        """The machines on which anything was evaluated."""
        found = self._connection.execute("SELECT DISTINCT machine FROM evaluations ORDER BY 1")
        return [str(row[0]) for row in found]


# ---------------------------------------------------------------------- from an answer
def evaluations_of(
    answer: Json, question: Json, *, run: str, at: str,
    rows: str = "", ranking: Ranking | None = None,
) -> list[Evaluation]:  # fmt: skip
    """What an answer (as JSON) tells of each candidate that was tried, and of the baseline.

    Without a `ranking`, as for answers of earlier versions, it is read off the measurements.
    """
    data, environment = answer["data"], answer["environment"]
    given = [answer["baseline"]] if answer["baseline"] else []
    outcomes = [o for o in (*given, *answer["candidates"]) if o["state"] not in NOT_TRIED]
    ranked = ranking or _ranking_of(outcomes, data["task"])
    return [
        Evaluation(
            candidate=digest([outcome["model"], outcome["revision"], outcome["recipe"]]),
            rows=rows or data["fingerprint"],
            settings=_settings(data["task"], question),
            machine=environment["machine"],
            threads=int(environment["threads"]),
            libraries=canonical_json(environment["libraries"]),
            task=data["task"]["name"],
            data=data["name"],
            fingerprint=data["fingerprint"],
            n_rows=int(data["n_rows"]),
            complete=ranked.metric in outcome["measurements"] and answer["plan"]["mode"] == "pool",
            ranking=ranked,
            run=run,
            evaluated_at=at,
            outcome=outcome,
        )
        for outcome in outcomes
    ]


def _settings(task: Json, question: Json) -> str:
    asked = ("label_map", "partial", "positive", "own_metrics")
    return digest([dict(task), {name: question[name] for name in asked if question.get(name)}])


_ERRORS = frozenset({"wer", "cer", "perplexity", "bits_per_byte"})
_ONE_LABEL = frozenset(
    {
        "text-classification",
        "zero-shot-classification",
        "image-classification",
        "audio-classification",
    }
)


def _ranking_of(outcomes: Sequence[Json], task: Json) -> Ranking:
    """The task's first metric, which every outcome that answered all rows has before the others."""
    measured = chain.from_iterable(o["measurements"].items() for o in outcomes)
    qualities = (name for name, figure in measured if figure["unit"] == QUALITY_UNIT)
    metric = next(qualities, "accuracy")
    several = bool(task.get("options", {}).get("several_labels"))
    return Ranking(metric, metric not in _ERRORS, task["name"] in _ONE_LABEL and not several)


# ---------------------------------------------------------------------- the table
_PLAIN = (
    "candidate", "rows", "settings", "machine", "threads", "libraries", "task", "data",
    "fingerprint", "n_rows", "complete", "run", "evaluated_at",
)  # fmt: skip
_RANKING = ("metric", "higher_is_better", "counts_errors")
_NAMES = ", ".join((*_PLAIN, *_RANKING, "outcome"))
_KEY = _PLAIN[:6]


def _write(connection: sqlite3.Connection, found: Iterable[Evaluation]) -> None:
    same = " AND ".join(f"{name} = ?" for name in _KEY)
    for given in found:
        key = tuple(getattr(given, name) for name in _KEY)
        row = connection.execute(
            f"SELECT {_NAMES} FROM evaluations WHERE {same}",  # noqa: S608 (the names are ours)
            key,
        ).fetchone()
        older = None if row is None else _read(row)
        kept = given if older is None else given.after(older)
        if kept is older:
            continue
        values = _columns(kept)
        connection.execute(
            f"INSERT OR REPLACE INTO evaluations ({', '.join(values)}) "  # noqa: S608 (as above)
            f"VALUES ({', '.join('?' * len(values))})",
            tuple(values.values()),
        )


def _columns(one: Evaluation) -> dict[str, Any]:
    """A row of the table: what is needed to read it back, and figures for people."""
    outcome, metric = one.outcome, one.ranking.metric
    return {
        **{name: getattr(one, name) for name in _PLAIN},
        **{name: getattr(one.ranking, name) for name in _RANKING},
        **{name: outcome[name] for name in ("model", "revision", "state", "reason")},
        "recipe": _recipe_name(outcome["recipe"]),
        "licence": outcome["license"],
        "quality": one.quality,
        "low": one.figure(metric, "low"),
        "high": one.figure(metric, "high"),
        "certified": one.certified,
        **{name: one.figure(name) for name in ("size_mb", "latency_p95_ms", "peak_memory_mb")},
        "outcome": json.dumps(outcome, ensure_ascii=False),
    }


def _recipe_name(recipe: Json) -> str:
    """As candidates are called: `torch-int8`, or `onnxruntime:onnx/model.onnx`."""
    backend, file = recipe["backend"], recipe["file"]
    return f"{backend}:{file}" if file else f"{backend}-{recipe['precision']}"


def _read(row: sqlite3.Row) -> Evaluation:
    plain = {name: row[name] for name in _PLAIN} | {"complete": bool(row["complete"])}
    metric, higher_is_better, counts_errors = (row[name] for name in _RANKING)
    ranking = Ranking(metric, bool(higher_is_better), bool(counts_errors))
    return Evaluation(**plain, ranking=ranking, outcome=json.loads(row["outcome"]))


_SCHEMA = """
CREATE TABLE evaluations (
    candidate TEXT NOT NULL, rows TEXT NOT NULL, settings TEXT NOT NULL, machine TEXT NOT NULL,
    threads INTEGER NOT NULL, libraries TEXT NOT NULL, task TEXT NOT NULL, data TEXT NOT NULL,
    fingerprint TEXT NOT NULL, n_rows INTEGER NOT NULL, complete INTEGER NOT NULL,
    metric TEXT NOT NULL, higher_is_better INTEGER NOT NULL, counts_errors INTEGER NOT NULL,
    model TEXT NOT NULL, revision TEXT NOT NULL, recipe TEXT NOT NULL, state TEXT NOT NULL,
    reason TEXT NOT NULL, licence TEXT, quality REAL, low REAL, high REAL, certified REAL,
    size_mb REAL, latency_p95_ms REAL, peak_memory_mb REAL, run TEXT NOT NULL,
    evaluated_at TEXT NOT NULL, outcome TEXT NOT NULL,
    PRIMARY KEY (candidate, rows, settings, machine, threads, libraries)
);
CREATE INDEX evaluations_by_rows ON evaluations
    (task, rows, evaluated_at, data, n_rows, candidate, fingerprint, machine);
CREATE VIEW v_leaderboard AS
    SELECT task, data, model, revision, recipe, metric, quality, low, high, certified, size_mb,
        latency_p95_ms, peak_memory_mb, machine, licence, evaluated_at, threads, n_rows,
        complete AS answered_all_rows, rows AS fingerprint, run
    FROM evaluations WHERE quality IS NOT NULL
    ORDER BY task, data, rows, complete DESC,
        CASE WHEN higher_is_better THEN -quality ELSE quality END, size_mb, model, recipe;
CREATE VIEW v_failures AS
    SELECT model || '@' || substr(revision, 1, 8) || ' ' || recipe AS candidate, state, reason,
        evaluated_at AS failed_at, task, data, machine, run
    FROM evaluations WHERE state NOT IN ('evaluated', 'raced out')
    ORDER BY evaluated_at DESC, model, recipe;
"""


_FRONTIER = """
CREATE VIEW v_frontier AS
    WITH aged AS (
        SELECT task, data, model, revision, recipe, metric, quality, low, high, certified, size_mb,
            licence, evaluated_at, n_rows, rows AS fingerprint, run,
            CASE WHEN higher_is_better THEN quality ELSE -quality END AS score,
            row_number() OVER (
                PARTITION BY task, rows, metric, candidate ORDER BY evaluated_at DESC
            ) AS age
        FROM evaluations WHERE complete AND quality IS NOT NULL AND size_mb IS NOT NULL
    ), newest AS (
        SELECT * FROM aged WHERE age = 1
    ), sizes AS (
        SELECT task, fingerprint, metric, size_mb, max(score) AS best
        FROM newest GROUP BY task, fingerprint, metric, size_mb
    ), steps AS (
        SELECT *, max(best) OVER (PARTITION BY task, fingerprint, metric ORDER BY size_mb
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS best_of_smaller
        FROM sizes
    )
    SELECT task, data, model, revision, recipe, metric, quality, low, high, certified, size_mb,
        licence, evaluated_at, n_rows, fingerprint, run
    FROM newest JOIN steps USING (task, fingerprint, metric, size_mb)
    WHERE score = best AND (best_of_smaller IS NULL OR best > best_of_smaller)
    ORDER BY task, data, fingerprint, size_mb, model, recipe
"""


def create_frontier(database: "Database") -> None:
    """The view of what no smaller candidate equals, for each metric of its own."""
    database.execute("DROP VIEW IF EXISTS v_frontier")
    database.execute(_FRONTIER)


def create_evaluations(database: "Database") -> None:
    """The migration that adds the table and its views, and fills it from the runs."""
    for statement in _SCHEMA.split(";"):
        if statement.strip():
            database.execute(statement)
    runs = database.execute("SELECT key, question, answer, answered_at FROM runs ORDER BY rowid")
    _write(database.conn, chain.from_iterable(map(_of_stored_run, runs)))


def _of_stored_run(run: Sequence[str]) -> Iterator[Evaluation]:
    """None where an answer is not as any version wrote it: a store must open."""
    key, question, answer, at = run
    try:
        yield from evaluations_of(json.loads(answer), json.loads(question), run=key, at=at)
    except (KeyError, TypeError, ValueError, AttributeError):
        return
