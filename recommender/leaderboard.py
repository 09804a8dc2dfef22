"""What the store knows about a task and its rows, ranked; nothing is measured."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cache.errors import BadInput
from cache.measurements import Measurements
from evaluators.candidate import Recipe
from evaluators.hardware import machine
from evaluators.labels import LabelMap, align
from evaluators.measurement import CandidateFailed, Measurement, State
from evaluators.plugins import task_method
from evaluators.quality.score import quality
from evaluators.samples import Samples
from recommender.bench import conditions_key
from recommender.evidence.verdict import Verdict
from recommender.recommendation import SCHEMA_VERSION, Outcome, record

if TYPE_CHECKING:
    from pathlib import Path

    import pandas


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """Evaluated candidates on one set of rows, the most accurate first, ties by size."""

    task: str
    data: str
    n_rows: int
    entries: tuple[Outcome, ...]

    @classmethod
    def of(cls, data: Any, *, home: "Path | None" = None) -> "Leaderboard":
        """What the store in `home` knows about labelled data (a path or an object)."""
        from recommender.api import leaderboard

        return leaderboard(data, home=home)

    def to_pandas(self) -> "pandas.DataFrame":
        """One row a candidate."""
        import pandas

        return pandas.DataFrame([record(entry) for entry in self.entries])

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "schema_version": SCHEMA_VERSION,
            "task": self.task,
            "data": self.data,
            "n_rows": self.n_rows,
            "entries": [entry.to_json() for entry in self.entries],
        }

    def to_json(self) -> str:
        """As JSON text with a `schema_version`."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)


def read_leaderboard(
    store: Measurements,
    samples: Samples,
    *,
    task: str,
    label_map: Mapping[str, str] | None = None,
    partial: bool = False,
) -> Leaderboard:
    """Every stored candidate of the task that answered some of these rows."""
    if not task_method(task).labelled:
        raise BadInput(f"no leaderboard yet for {task}, whose answers are no labels")
    here = conditions_key(machine(), 1, samples.fingerprint)
    entries = [
        entry
        for row in store.candidates()
        if row["detail"].get("task") == task
        and (entry := _entry(store, row, samples, label_map, here, partial=partial)) is not None
    ]
    entries.sort(key=_rank)
    return Leaderboard(task, samples.name, samples.n, tuple(entries))


def _rank(entry: Outcome) -> tuple[bool, float, float, str]:
    """Those that answered all rows first, then by accuracy, size and name."""
    partial = "accuracy" not in entry.measurements
    return (partial, -(entry.quality("accuracy") or 0.0), entry.value("size_mb") or 0.0, entry.name)


def _entry(
    store: Measurements,
    row: Mapping[str, Any],
    samples: Samples,
    label_map: Mapping[str, str] | None,
    here: str,
    *,
    partial: bool,
) -> Outcome | None:
    outputs = store.outputs(row["key"])
    try:
        names = row["detail"]["labels"], row["detail"]["label2id"]
        labels = align(*names, samples.labels, label_map, partial=partial)
    except CandidateFailed:
        return None
    seen = [(r.label, labels.names[outputs[r.key]]) for r in samples.rows if r.key in outputs]
    if not seen:
        return None
    figures = store.figures(row["key"], conditions=here)
    costs = {f.name: Measurement(f.name, f.value, f.unit, f.n, f.low, f.high, f.note)
             for f in figures.values()}  # fmt: skip
    return _outcome(row, seen, labels, costs, samples)


def _outcome(
    row: Mapping[str, Any],
    seen: Sequence[tuple[str, str | None]],
    labels: LabelMap,
    costs: Mapping[str, Measurement],
    samples: Samples,
) -> Outcome:
    accuracy = quality(
        "accuracy",
        [answer for _, answer in seen],
        [label for label, _ in seen],
        labels=samples.labels,
        positive=None,
    )
    complete = len(seen) == samples.n
    return Outcome(
        model=row["model"],
        revision=row["revision"],
        source=row["source"],
        recipe=Recipe.from_json(row["detail"]["recipe"]),
        state=State.EVALUATED if complete else State.RACED_OUT,
        verdict=Verdict.UNDECIDED,
        reason="all rows answered" if complete else f"{len(seen)} of {samples.n} rows answered",
        predicted_size_mb=costs["size_mb"].value if "size_mb" in costs else 0.0,
        n_rows=len(seen),
        n_wrong=sum(label != answer for label, answer in seen),
        license=row["detail"].get("license"),
        labels=labels,
        measurements={**costs, "accuracy": accuracy} if complete else costs,
    )
