"""What the store knows about candidates on a set of rows, ranked; nothing is measured."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime
from math import inf, isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cache.errors import BadInput, NotFound
from cache.evaluations import SHOWN, DataSet, Evaluation, Limits
from cache.measurements import Measurements
from evaluators.measurement import Measurement
from recommender.evidence.verdict import Verdict
from recommender.frontier import undominated
from recommender.recommendation import NOISY_TIMING, Outcome, json_text, record
from recommender.timing import SOLO_MARGIN

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

SCHEMA_VERSION = 3
"""Of a leaderboard's JSON."""

ID_DIGITS = 8
SHOWN_DATA_SETS = 5

SAME_EVERYWHERE = frozenset({"size_mb", "download_mb", "loaded_mb", "n_parameters"})
SAME_UNITS = frozenset({"ratio", "rows"})
"""What does not depend on the machine: these costs, and qualities and counts of rows."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an entry's figures come from.

    Its quality was measured at `evaluated_at` (UTC) in `run` on the machine `evaluated_on`; its
    timings and memory with `threads` and these `libraries` on the machine `timed_on`, which is
    None where none are known. `complete` says that all rows of its test were answered.
    """

    evaluated_at: str
    evaluated_on: str
    run: str
    complete: bool
    timed_on: str | None
    threads: int
    libraries: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, repr=False)
class Leaderboard:
    """Evaluated candidates on one set of rows, the best first, ties by size.

    Nothing is asked here, so entries have no verdict and miss no limit: each was judged by the bar
    of its own search, which `recommender.why` tells. Those that answered only some of the rows come
    after them, and what failed last. `origins` say of each entry where its figures come from.
    `metric` is what they are ranked by, `fingerprint` the digest of the rows, `machine` this one,
    whose timings are shown where there are some.
    """

    task: str
    data: str
    n_rows: int
    entries: tuple[Outcome, ...]
    metric: str = "accuracy"
    higher_is_better: bool = True
    fingerprint: str = ""
    machine: str = ""
    origins: tuple[Origin, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        task: str | None = None,
        data: Any = None,  # a path, a Hub id, a data frame, ...: as `find` takes it
        *,
        fingerprint: str | None = None,
        machine: str | None = None,
        since: "str | date | None" = None,
        home: Path | None = None,
    ) -> "Leaderboard":
        """What the store in `home` knows; see `recommender.leaderboard`."""
        from recommender.api import leaderboard

        return leaderboard(
            data, task=task, fingerprint=fingerprint, machine=machine, since=since, home=home
        )

    @property
    def frontier(self) -> tuple[Outcome, ...]:
        """The entries that no other beats in quality and size, and latency where comparable."""
        return tuple(entry for entry in self.entries if entry.on_frontier)

    @property
    def machines(self) -> tuple[str, ...]:
        """For each entry the machine that it was timed on, empty where that is this one."""
        here = ("", self.machine)
        timed = (origin.timed_on or "" for origin in self.origins)
        return tuple(name if name not in here else "" for name in timed)

    def __str__(self) -> str:
        """The report that the command line prints."""
        from recommender.reports.text import render

        return render(self)

    def __repr__(self) -> str:
        return f"Leaderboard({self.task!r}, {self.data!r}, entries={len(self.entries)})"

    def _repr_html_(self) -> str:
        from recommender.reports.html import notebook

        return notebook(self)

    def plot(self, axis: str = "size_mb") -> "Figure":
        """The quality against a cost, as a figure of matplotlib."""
        from recommender.reports.drawing import frontier_figure

        return frontier_figure(self, axis)

    def to_pandas(self) -> "pandas.DataFrame":
        """One row a candidate, with where its figures come from."""
        import pandas

        return pandas.DataFrame(self.records())

    def records(self) -> list[dict[str, Any]]:
        """One flat row a candidate, with where its figures come from."""
        found = []
        for entry, origin in self._pairs():
            libraries = json.dumps(origin.pop("libraries", {}), sort_keys=True)
            found.append(record(entry) | origin | {"libraries": libraries})
        return found

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "$schema": f"leaderboard-{SCHEMA_VERSION}.json",
            "schema_version": SCHEMA_VERSION,
            "task": self.task,
            "data": self.data,
            "fingerprint": self.fingerprint,
            "n_rows": self.n_rows,
            "metric": self.metric,
            "higher_is_better": self.higher_is_better,
            "machine": self.machine,
            "entries": [entry.to_json() | origin for entry, origin in self._pairs()],
            "notes": list(self.notes),
        }

    def to_json(self) -> str:
        """As JSON text with a `schema_version`."""
        return json_text(self.to_dict())

    def _pairs(self) -> Iterator[tuple[Outcome, dict[str, Any]]]:
        """Each entry with its origin as JSON; without one where the board was made by hand."""
        origins = [asdict(origin) for origin in self.origins] or [{}] * len(self.entries)
        return zip(self.entries, origins, strict=True)


def moment_of(since: str | date | None) -> str:
    """A date or a time as the store has it, in UTC; BadInput for anything else."""
    if since is None or since == "":
        return ""
    try:
        found = since if isinstance(since, date) else datetime.fromisoformat(since)
    except (TypeError, ValueError) as error:
        raise BadInput(f"'{since}' is no date; write for example 2026-11-22") from error
    if not isinstance(found, datetime):
        found = datetime(found.year, found.month, found.day)
    moment = found if found.tzinfo else found.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat(timespec="seconds")


# ---------------------------------------------------------------------- which rows
def read_leaderboard(
    store: Measurements, limits: Limits, *, here: str, name: str = "the data"
) -> Leaderboard:
    """Every candidate that was evaluated on the newest rows within these limits.

    `here` is this machine in words. `name` is how the rows were named, where they were.
    NotFound where nothing was evaluated.
    """
    found = store.evaluations.data_sets(limits)
    found = [data for data in found if data.rows == limits.fingerprint] or found
    if not found:
        raise NotFound(_nothing(store, limits, name))
    if limits.fingerprint and len({data.rows for data in found}) > 1:
        raise BadInput(
            f"several start with {limits.fingerprint}: {_listed(found)}; give more of it"
        )
    data, evaluations = found[0], store.evaluations.of(found[0], limits)
    if not evaluations:  # forgotten between the two reads
        return read_leaderboard(store, limits, here=here, name=name)
    board = _board(data, evaluations, here)
    return replace(board, notes=(*_others(found), *board.notes))


def _nothing(store: Measurements, limits: Limits, name: str) -> str:
    """What is lacking, and what there is."""
    every = store.evaluations.data_sets(Limits())
    if not every:
        return "nothing was evaluated yet; run 'recommender measure DATA' or 'recommender demo'"
    if limits.machine and store.evaluations.data_sets(replace(limits, machine="")):
        machines = "; ".join(store.evaluations.machines())
        return f"nothing was evaluated on a machine like '{limits.machine}'; there are: {machines}"
    if limits.since and store.evaluations.data_sets(replace(limits, since="")):
        return f"nothing was evaluated since {limits.since}; name an earlier --since"
    if limits.fingerprint:
        start = f"nothing was evaluated on {name} {limits.fingerprint[:ID_DIGITS]}"
        others = store.evaluations.data_sets(Limits(fingerprint=limits.fingerprint))
        if limits.task and others:
            return f"{start} for {limits.task}; name its task: --task {others[0].task}"
        return f"{start}; evaluated were: {_listed(every)}"
    tasks = ", ".join(sorted({data.task for data in every}))
    return f"nothing was evaluated for {limits.task}; there are evaluations for {tasks}"


def _listed(data_sets: Sequence[DataSet]) -> str:
    shown = [_described(data) for data in data_sets[:SHOWN_DATA_SETS]]
    more = len(data_sets) - len(shown)
    return ", ".join([*shown, *([f"and {more} more"] if more else [])])


def _described(data: DataSet) -> str:
    """`reviews.csv (1a2b3c4d, text-classification, 300 rows)`."""
    from recommender.reports.table import clean

    return f"{clean(data.name)} ({data.rows[:ID_DIGITS]}, {data.task}, {data.n_rows:,} rows)"


def _others(found: Sequence[DataSet]) -> tuple[str, ...]:
    if len(found) < 2:
        return ()
    return (
        f"{found[0].name} ({found[0].rows[:ID_DIGITS]}) was evaluated last; for others name them "
        f"or give --fingerprint: {_listed(found[1:])}",
    )


# ---------------------------------------------------------------------- the entries
@dataclass(frozen=True, slots=True)
class _Entry:
    """An outcome with its origin, and its quality where more is better (NaN: not known)."""

    outcome: Outcome
    origin: Origin
    score: float

    @property
    def rank(self) -> tuple[bool, bool, float, float, str]:
        """What failed last, those with all rows first; by quality, size and name."""
        size_mb = self.outcome.value("size_mb")
        return (
            self.outcome.state not in SHOWN,
            not self.origin.complete,
            inf if isnan(self.score) else -self.score,
            inf if size_mb is None else size_mb,
            self.outcome.name,
        )


def _board(data: DataSet, evaluations: Sequence[Evaluation], here: str) -> Leaderboard:
    by_candidate = defaultdict(list)
    for evaluation in evaluations:
        by_candidate[evaluation.candidate].append(evaluation)
    newest = max(evaluations, key=lambda e: (e.complete, e.evaluated_at))
    metric = newest.ranking.metric
    entries = [_entry(of_one, metric, here) for of_one in by_candidate.values()]
    entries.sort(key=lambda entry: entry.rank)
    front = _on_frontier(entries)
    return Leaderboard(
        task=data.task,
        data=newest.data,
        n_rows=data.n_rows,
        entries=tuple(
            replace(entry.outcome, on_frontier=at in front) for at, entry in enumerate(entries)
        ),
        metric=metric,
        higher_is_better=newest.ranking.higher_is_better,
        fingerprint=data.rows,
        machine=here,
        origins=tuple(entry.origin for entry in entries),
        notes=_notes(entries, evaluations, here),
    )


def _entry(evaluations: Sequence[Evaluation], metric: str, here: str) -> _Entry:
    """One candidate: quality from whoever answered most, the newest of them; timings from here."""
    best = max(evaluations, key=lambda e: (e.ranking.metric == metric, e.extent, e.evaluated_at))
    timed = max(
        (e for e in evaluations if _timings(e.outcome["measurements"])),
        key=lambda e: (e.machine == here, -e.threads, e.evaluated_at),
        default=None,
    )
    outcome = _without_verdict(Outcome.from_json(best.outcome))
    timings = _timings(timed.outcome["measurements"]) if timed else {}
    untimed = {n: m for n, m in outcome.measurements.items() if not _is_timing(n, m.unit)}
    measured = untimed | {name: Measurement(**m) for name, m in timings.items()}
    claims = tuple(claim for claim in outcome.claims if claim.subject == metric)
    quality = best.quality if best.ranking.metric == metric else None
    sign = 1.0 if best.ranking.higher_is_better else -1.0
    flags = [flag for flag in outcome.flags if not _is_of_timing(flag)]
    flags += [flag for flag in timed.outcome["flags"] if _is_of_timing(flag)] if timed else []
    return _Entry(
        replace(outcome, measurements=measured, claims=claims, flags=tuple(flags)),
        Origin(
            evaluated_at=best.evaluated_at,
            evaluated_on=best.machine,
            run=best.run,
            complete=best.complete and quality is not None,
            timed_on=timed.machine if timed else None,
            threads=(timed or best).threads,
            libraries=json.loads((timed or best).libraries),
        ),
        float("nan") if quality is None else sign * quality,
    )


def _without_verdict(outcome: Outcome) -> Outcome:
    """The answers of a candidate, without what another search asked of them."""
    if outcome.state not in SHOWN:
        return outcome
    reason = f"{outcome.n_rows:,} rows answered"
    return replace(outcome, verdict=Verdict.UNDECIDED, misses=(), reason=reason)


def _is_of_timing(flag: str) -> bool:
    return flag.startswith(NOISY_TIMING)


def _timings(measurements: Mapping[str, Any]) -> dict[str, Any]:
    """What depends on the machine, as JSON."""
    return {name: m for name, m in measurements.items() if _is_timing(name, m["unit"])}


def _is_timing(name: str, unit: str) -> bool:
    return name not in SAME_EVERYWHERE and unit not in SAME_UNITS


def _on_frontier(entries: Sequence[_Entry]) -> set[int]:
    """The places that no other entry beats in quality and size.

    In latency too, where all were timed on one machine with as many threads; faster is only what is
    so by more than identical models differ in a first look.
    """
    complete = [at for at, e in enumerate(entries) if e.origin.complete and not isnan(e.score)]
    where = {(entries[at].origin.timed_on, entries[at].origin.threads) for at in complete}
    is_comparable = len(where) == 1
    points = []
    for at in complete:
        outcome = entries[at].outcome
        latency = _cost(outcome, "latency_p50_ms") if is_comparable else inf
        points.append((-entries[at].score, _cost(outcome, "size_mb"), latency))
    return {complete[place] for place in undominated(points, slack=SOLO_MARGIN)}


def _cost(outcome: Outcome, name: str) -> float:
    value = outcome.value(name)
    return inf if value is None else value


def _notes(
    entries: Iterable[_Entry], evaluations: Sequence[Evaluation], here: str
) -> tuple[str, ...]:
    """What must be known before entries are compared."""
    by_machine: dict[str, int] = defaultdict(int)
    threads = set()
    versions: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        if entry.origin.timed_on is not None:
            threads.add(entry.origin.threads)
            for library, version in entry.origin.libraries.items():
                versions[library].add(version)
            by_machine[entry.origin.timed_on] += entry.origin.timed_on != here
    notes = [
        f"timings and memory of {n:,} {'candidate' if n == 1 else 'candidates'} are not this "
        f"machine's but of: {machine}"
        for machine, n in sorted(by_machine.items())
        if n
    ]
    if len(threads) > 1:
        told = _joined(map(str, threads))
        notes.append(f"timings were taken with different numbers of threads: {told}")
    for library, found in sorted(versions.items()):
        if len(found) > 1:
            notes.append(f"timings were taken with several versions of {library}: {_joined(found)}")
    if len({evaluation.settings for evaluation in evaluations}) > 1:
        notes.append(
            "the rows were searched under several settings (options of the task, maps of labels, "
            "positive labels); of each candidate the one that answered most rows is shown"
        )
    return tuple(notes)


def _joined(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
