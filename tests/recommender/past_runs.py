"""Stores with made-up searches, each answered an hour after the one before."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

from cache.measurements import Measurements
from recommender.recommendation import Outcome, Recommendation
from recommender.reports.testing import made_up_recommendation

START = datetime(2026, 1, 1, tzinfo=UTC)


def _with_size_alone(outcome: Outcome) -> Outcome:
    """Less to draw, as each further cost is a figure of a page."""
    kept = {name: outcome.measurements[name] for name in ("size_mb", "accuracy")
            if name in outcome.measurements}  # fmt: skip
    return replace(outcome, measurements=kept)


def _small() -> Recommendation:
    made = made_up_recommendation(12)
    candidates = tuple(map(_with_size_alone, made.candidates))
    choice = next(o for o in candidates if made.choice is not None and o.name == made.choice.name)
    return replace(made, candidates=candidates, choice=choice, baseline=None)


SMALL = _small()


def about(
    found: Recommendation, *, data: str = "reviews.csv", chosen: bool = True
) -> Recommendation:
    """The same answer to a question about other rows, or no answer to it."""
    rows = {**found.data, "name": data, "fingerprint": data}
    return replace(found, data=rows, choice=found.choice if chosen else None)


def store_runs(home: Path, found: Sequence[Recommendation]) -> list[str]:
    """Keep the searches in the order given; their ids."""
    ids = []
    with Measurements(home / "measurements.db") as store:
        first = len(store.past.ids())
        for hour, answer in enumerate(found, start=first):
            moment = (START + timedelta(hours=hour)).isoformat(timespec="seconds")
            with mock.patch("cache.measurements._now", return_value=moment):
                ids.append(store.record_run(answer.to_json(), samples="", question={}))
    return ids
