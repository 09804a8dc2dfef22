"""What is remembered, and under which key."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.key import digest
from cache.measurements import Figure, Measurements, Prediction


@pytest.fixture
def store(tmp_path: Path):  # type: ignore[no-untyped-def]
    with Measurements(tmp_path / "measurements.db") as opened:
        yield opened


def test_the_first_answer_of_a_row_is_kept(store: Measurements) -> None:
    """A candidate's prediction for a row does not change when it is recorded again."""
    again = [Prediction("row", 0, b"0"), Prediction("other", 0, b"0")]
    assert store.record_predictions("c", [Prediction("row", 1, b"1")]) == 1
    assert store.record_predictions("c", again) == 1
    assert store.outputs("c") == {"row": 1, "other": 0}


def test_timings_hold_under_their_conditions_only(store: Measurements) -> None:
    """A figure taken elsewhere is not read; one that holds everywhere is."""
    store.record_figures("c", [Figure("latency_p50_ms", 3.0, "ms", 200, conditions="here")])
    store.record_figures("c", [Figure("size_mb", 1.5, "MB", 1)])
    assert set(store.figures("c", conditions="here")) == {"latency_p50_ms", "size_mb"}
    assert set(store.figures("c", conditions="there")) == {"size_mb"}


def test_runs_are_told_the_newest_first_and_by_the_start_of_their_id(store: Measurements) -> None:
    """Every search is kept as it was answered."""
    keys = [store.record_run(answer, samples="s", question={}) for answer in ("one", "two")]
    assert [run.answer for run in store.runs()] == ["two", "one"]
    assert [run.key for run in store.runs(prefix=keys[0][:8])] == [keys[0]]
    assert list(store.runs(prefix="%")) == []


def test_two_searches_may_end_alike_in_the_same_second(
    store: Measurements, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As two processes do that answer one question from memory."""
    monkeypatch.setattr("cache.measurements._now", lambda *_: "2026-01-01T00:00:00+00:00")
    one, other = (store.record_run("answer", samples="s", question={}) for _ in range(2))
    assert one == other
    assert [run.key for run in store.runs()] == [one]


def test_forgetting_drops_what_is_older(store: Measurements) -> None:
    """Prune keeps what is younger than the moment."""
    description = {"model": "m", "revision": "r", "source": "hub", "recipe": "torch-fp32"}
    store.describe("c", description)
    store.record_predictions("c", [Prediction("row", 1, b"1")])
    store.forget_older_than(datetime.now(UTC) - timedelta(days=1))
    assert store.outputs("c")
    store.forget_older_than(datetime.now(UTC) + timedelta(days=1))
    assert store.outputs("c") == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(value=st.dictionaries(st.text(max_size=3), JSON, max_size=4))
def test_a_key_does_not_depend_on_the_order_of_names(value: dict[str, object]) -> None:
    """Equal values have equal keys, however they were put together."""
    assert digest(dict(reversed(value.items()))) == digest(value)  # type: ignore[arg-type]
