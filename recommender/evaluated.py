"""What a search found out about each candidate, kept for leaderboards."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cache.evaluations import Ranking, evaluations_of
from cache.measurements import Measurements
from evaluators.samples import Samples
from recommender.query import Query

if TYPE_CHECKING:
    from recommender.recommendation import Recommendation


def record_evaluations(
    store: Measurements, found: "Recommendation", *, query: Query, rows: str, run: str
) -> None:
    """Keep what became of the candidates of a run; `rows` is the digest of the rows as given."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    answer, question = found.to_dict(), query.to_json()
    ranking = ranking_of(query)
    store.evaluations.record(
        evaluations_of(answer, question, run=run, at=at, rows=rows, ranking=ranking)
    )


def ranking_of(query: Query, metric: str | None = None) -> Ranking:
    """What candidates are ranked by: this metric, else the task's first that can be measured."""
    metric = metric or next(iter(query.measured_metrics), "accuracy")
    return Ranking(metric, query.spec(metric).higher_is_better, query.labelled)


def rows_digest(samples: Samples) -> str:
    """The fingerprint of texts and labels alone, however the rows are grouped or sliced."""
    if samples.group_column is None and not samples.slice_columns:
        return samples.fingerprint
    plain = tuple(replace(row, group=None, slices=()) for row in samples.rows)
    return replace(samples, rows=plain).fingerprint
