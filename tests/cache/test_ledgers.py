"""What the store of ledgers refuses, whoever writes, and that rows belong to one ledger."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest

from cache.errors import StoreError
from cache.ledgers import Ledgers, Newcomer, group_of, kind_of, repeat_of, row_key, text_of
from cache.measurements import Measurements

ROWS = [("a",), ("b", "c"), ("d",)]
LATER = "2999-01-01T00:00:00+00:00"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "measurements.db"


@pytest.fixture
def ledgers(path: Path):  # type: ignore[no-untyped-def]
    with Measurements(path) as store:
        yield store.ledgers


@pytest.fixture
def used(ledgers: Ledgers) -> Ledgers:
    ledgers.declare("h", "content", ROWS)
    ledgers.mark_used("h")
    ledgers.enter_published("h", [("new", LATER)])
    ledgers.promote("h", "first")
    return ledgers


def test_a_ledger_keeps_its_order_and_batches(ledgers: Ledgers) -> None:
    """Units come back in the order in which they were declared, later batches behind them."""
    assert ledgers.declare("h", "content", ROWS)
    ledgers.append_batch("h", [("f", "e"), ("a",), ("g",)])
    assert ledgers.units("h") == (("a",), ("b", "c"), ("d",), ("e", "f"), ("g",))
    assert ledgers.order("h") == ("a", "b", "c", "d", "e", "f", "g")
    assert ledgers.batch_ends("h") == (3, 5)
    assert ledgers.overlapping(["b", "g", "x"]) == {"h": 2}
    assert ledgers.read("h").content == "content"  # type: ignore[union-attr]


FORBIDDEN = {
    "content": "UPDATE ledgers SET content = 'other weights'",
    "hash": "UPDATE ledgers SET hash = 'other'",
    "first use": "UPDATE ledgers SET used_at = NULL",
    "ledger": "DELETE FROM ledgers",
    "replaced ledger": "INSERT OR REPLACE INTO ledgers VALUES ('h', 'other weights', '', NULL)",
    "horizon": "UPDATE ledger_batches SET ends_at = 4",
    "batch": "DELETE FROM ledger_batches",
    "replaced batch": "INSERT OR REPLACE INTO ledger_batches VALUES ('h', 0, 4, '', NULL)",
    "early batch": "INSERT INTO ledger_batches VALUES ('h', 1, 2, '', NULL)",
    "order": "UPDATE ledger_rows SET place = 2 - place",
    "label": "UPDATE ledger_rows SET label = 'x'",
    "row": "DELETE FROM ledger_rows WHERE row_key = 'a'",
    "row of another ledger": "INSERT OR REPLACE INTO ledger_rows VALUES ('a', 'i', 0, 0, '', 'a')",
    "row of a written batch": "INSERT INTO ledger_rows VALUES ('z', 'h', 0, 9, '', 'z')",
    "text of another ledger": "INSERT INTO ledger_rows VALUES ('a@g', 'i', 0, 0, '', 'a')",
    "rank of a promotion": "UPDATE ledger_promotions SET rank = 2",
    "promotion": "DELETE FROM ledger_promotions",
    "promoted twice": "INSERT INTO ledger_promotions VALUES ('h', 2, 'first')",
    "replaced promotion": "INSERT OR REPLACE INTO ledger_promotions VALUES ('h', 1, 'other')",
    "skipped promotion": "INSERT INTO ledger_promotions VALUES ('h', 3, 'other')",
    "promotion without a ledger": "INSERT INTO ledger_promotions VALUES ('i', 1, 'other')",
    "rank": "UPDATE ledger_newcomers SET rank = 2",
    "newcomer": "DELETE FROM ledger_newcomers",
    "replaced newcomer": (
        f"INSERT OR REPLACE INTO ledger_newcomers VALUES ('h', 'new', 2, 0, '{LATER}', '')"
    ),
    "skipped rank": f"INSERT INTO ledger_newcomers VALUES ('h', 'x', 1, 0, '{LATER}', '')",
    "undated candidate": "INSERT INTO ledger_newcomers VALUES ('h', 'x', 2, 0, NULL, '')",
    "older candidate": "INSERT INTO ledger_newcomers VALUES ('h', 'x', 2, 0, '2020-01-01', '')",
    "candidate on used labels": "INSERT INTO ledger_newcomers VALUES ('h', 'x', 1, 2, NULL, '')",
}


@pytest.mark.parametrize("statement", FORBIDDEN.values(), ids=FORBIDDEN.keys())
def test_a_used_ledger_cannot_be_changed(used: Ledgers, path: Path, statement: str) -> None:
    """SQLite itself refuses, also for a connection that knows nothing of us."""
    stranger = sqlite3.connect(path)
    before = list(stranger.iterdump())
    with pytest.raises(sqlite3.IntegrityError, match=r"^(?!.*constraint failed)"):
        stranger.execute(statement)
    assert list(stranger.iterdump()) == before


def test_an_unused_ledger_may_be_declared_afresh(ledgers: Ledgers) -> None:
    """Nothing was paid for before the first label is used; whoever declared it is told."""
    assert ledgers.declare("h", "content", ROWS)
    assert not ledgers.declare("i", "content", ROWS)
    assert ledgers.declare("i", "content", ROWS, replacing=["h"])
    assert ledgers.overlapping(["a"]) == {"i": 1}
    with pytest.raises(StoreError, match="run this one again"):
        ledgers.mark_used("h")


def test_a_used_ledger_is_never_replaced(used: Ledgers) -> None:
    """Neither a declaration nor a withdrawal moves it."""
    assert not used.declare("i", "content", [("a",), ("z",)], replacing=["h"])
    used.withdraw(["h"])
    assert used.overlapping(["a", "z"]) == {"h": 1}


def test_the_first_use_is_kept(used: Ledgers, path: Path) -> None:
    """Marking twice changes nothing; a batch that is added later is marked by itself."""
    first = used.read("h")
    used.append_batch("h", [("e",)])
    assert used.used_end("h") == 3
    used.mark_used("h")
    assert used.used_end("h") == 4
    assert used.read("h") == first


def test_two_processes_that_declare_at_once_end_with_one_ledger(path: Path) -> None:
    """One of them wins, the rows are in its ledger alone, and the other is told."""
    with Measurements(path):
        pass
    together = Barrier(4)

    def declare(name: str) -> bool:
        with Measurements(path) as store:
            together.wait()
            return store.ledgers.declare(name, "content", [(f"r{i}",) for i in range(500)])

    with ThreadPoolExecutor(4) as pool:
        won = list(pool.map(declare, "hijk"))
    with Measurements(path) as store:
        assert sum(won) == 1
        assert list(store.ledgers.overlapping(["r0", "r499"]).values()) == [2]


def test_newcomers_have_ranks_of_their_kind(used: Ledgers) -> None:
    """Published ones count from 1, those named after labels were used too, and start after them."""
    used.enter_later("h", ["too early"])
    used.append_batch("h", [("e",)])
    used.enter_later("h", ["named", "sibling"])
    used.enter_published("h", [("new", LATER), ("newer", LATER)])
    assert used.newcomers("h") == {
        "new": Newcomer(1, 0),
        "newer": Newcomer(2, 0),
        "named": Newcomer(1, 3),
        "sibling": Newcomer(2, 3),
    }


def test_promotions_have_ranks_for_good(used: Ledgers) -> None:
    """A line that was promoted keeps its rank; each ledger counts for itself."""
    assert [used.promote("h", line) for line in ("second", "first", "third", "second")] == [
        2,
        1,
        3,
        2,
    ]
    assert used.promotions("h") == ("first", "second", "third")
    used.declare("i", "content", [("z",)])
    assert (used.promotions("i"), used.promote("i", "second")) == ((), 1)
    used.withdraw(["i"])
    assert used.promotions("i") == ()


@pytest.mark.parametrize("key", ["a#2", "a@g", "a@g#3"])
def test_rows_are_recognised_by_their_text(used: Ledgers, key: str) -> None:
    """Grouping or numbering rows otherwise makes no new labels of them."""
    assert used.overlapping([key, "x"]) == {"h": 1}
    assert not used.declare("i", "content", [(key,)])
    used.declare("i", "content", [("x",)])
    used.append_batch("i", [(key,), ("y",)])
    assert used.order("i") == ("x", "y")


@pytest.mark.parametrize("parts", [("a", "", 1), ("a", "", 12), ("a", "g", 1), ("a", "g", 2)])
def test_a_key_is_taken_apart_again(parts: tuple[str, str, int]) -> None:
    """Text, group and number of the repeat are all in it."""
    key = row_key(*parts)
    assert (text_of(key), group_of(key), repeat_of(key)) == parts
    assert kind_of(key) == row_key(*parts[:2])


def test_a_rehearsal_leaves_nothing(used: Ledgers, path: Path) -> None:
    """Inside it reads as if it were written; afterwards the file is as it was, also on errors."""
    before = list(sqlite3.connect(path).iterdump())

    def rehearse() -> None:
        with used.rehearsal():
            used.append_batch("h", [("e",)])
            used.mark_used("h")
            used.declare("i", "content", [("z",)])
            assert (used.used_end("h"), used.overlapping(["z"])) == (4, {"i": 1})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        rehearse()
    assert list(sqlite3.connect(path).iterdump()) == before
    used.append_batch("h", [("e",)])
    assert used.batch_ends("h") == (3, 4)


def test_a_changed_label_is_counted(ledgers: Ledgers) -> None:
    """Rows without a label on either side are not."""
    ledgers.declare("h", "content", ROWS, labels={"a": "good", "b": "bad"})
    assert ledgers.relabelled("h", {"a": "good", "b": "good", "d": "bad"}) == 1


def test_pruning_leaves_ledgers_alone(used: Ledgers, path: Path) -> None:
    """What was spent on labels is remembered for good."""
    with Measurements(path) as store:
        store.forget_older_than(datetime.now(UTC) + timedelta(days=1))
        assert store.ledgers.order("h") == ("a", "b", "c", "d")
        assert store.ledgers.newcomers("h")


def test_rows_are_recognised_by_their_data_set(ledgers: Ledgers) -> None:
    """A local file with rows that were read from the Hub earlier is found out."""
    ledgers.remember_source(["a", "b"], "stanfordnlp/sst2")
    ledgers.remember_source(["b", "c"], "stanfordnlp/sst2")
    ledgers.remember_source(["c"], "other")
    assert ledgers.sources_of(["a", "b", "c", "x"]) == {"stanfordnlp/sst2": 3, "other": 1}
