"""A sample's ledger from question to question: declared once, found again, and what it refuses."""

import random
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlite_utils import Database

from cache.errors import BadInput, StoreError
from cache.ledgers import Ledgers, Newcomer, create_ledgers, label_digests
from cache.measurements import Measurements
from catalog.model import Model
from evaluators.samples import Row, Samples
from evaluators.units import arranged_units, ordered_units, units_of
from recommender.bookkeeping import (
    Declaration,
    Opened,
    matched,
    open_ledger,
    published_at,
    scope_of,
)
from recommender.evidence.ledger import Case, Line, Question, Reference
from recommender.query import Query

LINES = (Line("a", "small", 0.6), Line("b", "large", 0.4))
SIBLING = Line("a-int8", "small int8", 0.2)
NEWER, NEWEST = Line("n1", "z newer", 0.1), Line("n2", "a newest", 0.1)
TIMES = {"n1": "2998-01-01T00:00:00+00:00", "n2": "2999-01-01T00:00:00+00:00"}
ASKED = Declaration(
    delta=0.05,
    seed=0,
    question=Question(("accuracy",), (0.9,)),
    lines=LINES,
    scope='{"sources":["hub"]}',
    menu=("recall",),
)


def rows(start: int, stop: int) -> list[tuple[str, ...]]:
    """One row a unit, in some random order."""
    found = [(f"row-{i}",) for i in range(start, stop)]
    random.Random(start + stop).shuffle(found)
    return found


@pytest.fixture
def store(tmp_path: Path):  # type: ignore[no-untyped-def]
    with Measurements(tmp_path / "measurements.db") as opened:
        yield opened.ledgers


def used(store: Ledgers, declaration: Declaration, units: Sequence[Sequence[str]]) -> Opened:
    """Opened, and a first label looked at."""
    opened = open_ledger(declaration, units, store)
    store.mark_used(opened.hash)
    return opened


def test_new_rows_are_declared_before_use(store: Ledgers) -> None:
    """The ledger and its order are on disk when it is opened, with a goal for each line."""
    opened = open_ledger(ASKED, rows(0, 100), store)
    assert opened.is_new
    assert opened.units == tuple(rows(0, 100)) == store.units(opened.hash)
    assert opened.batch_ends == (100,)
    assert opened.goals == pytest.approx({"a": 3.7297, "b": 4.1352}, abs=1e-4)


def test_another_target_is_free_and_keeps_order_and_weights(store: Ledgers) -> None:
    """The stored order counts, not the order of the file as it is read now; so do the weights."""
    first = used(store, ASKED, rows(0, 100))
    lines = (replace(LINES[1], weight=1.0),)
    question = Question(("accuracy",), (0.8,))
    again = open_ledger(replace(ASKED, question=question, lines=lines), rows(0, 100)[::-1], store)
    assert again.coverage.case is Case.FREE
    assert (again.hash, again.units) == (first.hash, first.units)
    assert again.goals == {"b": first.goals["b"]}


def test_until_a_label_is_used_the_declaration_may_change(store: Ledgers) -> None:
    """A plan that was only shown binds nobody."""
    first = open_ledger(ASKED, rows(0, 100), store)
    changed = replace(ASKED, lines=(*LINES[:1], SIBLING), delta=0.1)
    second = open_ledger(changed, rows(0, 120), store)
    assert second.is_new
    assert store.read(first.hash) is None
    assert second.goals["a-int8"] is not None


@pytest.mark.parametrize(
    "change",
    [{"delta": 0.1}, {"seed": 1}, {"duplicates": "keep"}, {"group": "g"}, {"mode": "open"}],
    ids=lambda change: next(iter(change)),
)
def test_other_settings_on_used_labels_are_refused(
    store: Ledgers, change: dict[str, object]
) -> None:
    """Nobody searches again with new seeds until it passes; not even with some rows added."""
    used(store, ASKED, rows(0, 100))
    option = next(iter(change)).replace("delta", "confidence")
    with pytest.raises(BadInput, match=f"used before with .*--{option}"):
        open_ledger(replace(ASKED, **change), rows(0, 130), store)
    assert store.overlapping(["row-0", "row-129"]).keys() == store.overlapping(["row-0"]).keys()


@pytest.mark.parametrize(
    "conditions", [("f1_macro",), ("accuracy", "roc_auc"), ("f1_macro[lang=de]",)], ids=str
)
def test_a_metric_without_an_exact_test_is_named_where_it_implies_the_open_mode(
    store: Ledgers, conditions: tuple[str, ...]
) -> None:
    """Nobody gave --mode open; the line says where it comes from, and how to see the metric."""
    used(store, ASKED, rows(0, 100))
    asked = replace(ASKED, mode="open", question=Question(conditions, (0.9,) * len(conditions)))
    with pytest.raises(BadInput) as refused:
        open_ledger(asked, rows(0, 100), store)
    name = conditions[-1].partition("[")[0]
    assert f"{name} is asked in the open mode: a metric without an exact" in str(refused.value)
    assert f"recommender measure --metric {name})" in str(refused.value)
    assert "was given" not in str(refused.value)


def test_after_the_open_mode_the_pool_mode_is_told_what_was_asked(store: Ledgers) -> None:
    """Neither mode was named: the line tells of the question that has used the rows."""
    used(store, replace(ASKED, mode="open"), rows(0, 100))
    with pytest.raises(BadInput, match=r"searched in the open mode for 'accuracy >= 0\.9'"):
        open_ledger(ASKED, rows(0, 100), store)


def test_the_sibling_of_a_near_miss_gets_no_share(store: Ledgers) -> None:
    """A candidate that was named after labels were used needs new rows."""
    used(store, ASKED, rows(0, 100))
    again = open_ledger(replace(ASKED, lines=(*LINES, SIBLING)), rows(0, 100), store)
    assert again.goals["a-int8"] is None
    assert again.coverage.case is Case.NEW_LABELS
    assert again.coverage.uncovered_lines == ("a-int8",)
    assert "small int8: made or named after these labels were used" in again.coverage.sentence


def test_the_sibling_is_tested_on_labels_added_afterwards(store: Ledgers) -> None:
    """It starts behind every unit that was used when it was named, with a share of its own."""
    used(store, ASKED, rows(0, 100))
    wider = replace(ASKED, lines=(*LINES, SIBLING))
    again = used(store, wider, rows(0, 150))
    assert again.since == {"a-int8": 100}
    assert again.goals["a-int8"] == again.ledger.goal(0.05 * 50 / (51 * 52))
    more = open_ledger(wider, rows(0, 180), store)
    assert more.since == {"a-int8": 100}
    assert more.goals == again.goals


def test_new_rows_are_a_batch_behind_the_others(store: Ledgers) -> None:
    """Their order is random among themselves, and the earlier order stays as it was."""
    first = used(store, ASKED, rows(0, 100))
    again = open_ledger(ASKED, rows(0, 150), store)
    assert again.units[:100] == first.units
    assert again.units[100:] == tuple(unit for unit in rows(0, 150) if int(unit[0][4:]) >= 100)
    assert again.batch_ends == (100, 150)
    assert again.coverage.case is Case.FREE
    assert again.goals == first.goals


def test_newcomers_are_ranked_by_publication(store: Ledgers) -> None:
    """Whoever was published first has the first rank, in whatever order they are found."""
    used(store, ASKED, rows(0, 100))
    found = replace(ASKED, lines=(NEWEST, NEWER, *LINES), published=TIMES)
    again = open_ledger(found, rows(0, 100), store)
    assert again.newcomers == {"n1": Newcomer(1, 0), "n2": Newcomer(2, 0)}
    assert again.goals["n1"] == again.ledger.goal(0.05 / 51)
    assert again.since == {}
    assert again.coverage.case is Case.RESERVE


@pytest.mark.parametrize(
    "change",
    [
        {"published": {}},
        {"published": {"n1": "2020-01-01T00:00:00+00:00"}},
        {"published": TIMES, "scope": '{"sources":["folder:mine","hub"]}'},
    ],
    ids=["no date or a folder", "published before", "another query"],
)
def test_who_is_no_newcomer_gets_no_share(store: Ledgers, change: dict[str, object]) -> None:
    """Local folders, older models and a widened query are outside the reserve rule."""
    used(store, ASKED, rows(0, 100))
    again = open_ledger(replace(ASKED, lines=(*LINES, NEWER), **change), rows(0, 100), store)
    assert again.goals["n1"] is None
    assert again.newcomers == {}


def test_a_declared_metric_has_its_reserve_and_another_has_none(store: Ledgers) -> None:
    """The menu pays over the same weights; what was not on it needs new rows."""
    used(store, ASKED, rows(0, 100))
    menu = open_ledger(replace(ASKED, question=Question(("recall",), (0.9,))), rows(0, 100), store)
    assert menu.coverage.case is Case.RESERVE
    assert menu.goals["a"] == menu.ledger.goal(0.1 * 0.6)
    other = open_ledger(replace(ASKED, question=Question(("f1",), (0.9,))), rows(0, 100), store)
    assert other.coverage.uncovered_conditions == ("f1",)
    assert other.goals == {"a": None, "b": None}


def test_a_conjunction_shows_the_hardest_goal(store: Ledgers) -> None:
    """Each condition has the goal of what pays for it."""
    used(store, ASKED, rows(0, 100))
    both = Question(("accuracy", "recall"), (0.9, 0.9))
    again = open_ledger(replace(ASKED, question=both), rows(0, 100), store)
    assert again.goals["a"] == again.ledger.goal(0.1 * 0.6)


def test_a_ratio_needs_its_reference_from_the_start(store: Ledgers) -> None:
    """The baseline's upper bound has a line only where it was declared."""
    ratio = Question(("accuracy",), (0.9,), Reference("base", "baseline", ("accuracy",)))
    used(store, ASKED, rows(0, 100))
    again = open_ledger(replace(ASKED, question=ratio), rows(0, 100), store)
    assert again.goals["a"] is None
    declared = open_ledger(replace(ASKED, question=ratio), rows(200, 300), store)
    assert declared.goals["a"] == declared.ledger.goal(0.7 * 0.6)
    assert declared.ledger.reference_share("accuracy") == 0.1


def test_missing_rows_are_left_out_with_a_note(store: Ledgers) -> None:
    """Ends are counted in the rows that are there; a note says what the claim then needs."""
    used(store, ASKED, rows(0, 100))
    used(store, ASKED, rows(0, 150))
    again = open_ledger(ASKED, rows(10, 140), store)
    assert (len(again.units), again.batch_ends, again.n_missing) == (130, (90, 130), 20)
    assert "rows of this ledger that are not among these: 20;" in again.note
    whole = open_ledger(ASKED, rows(0, 150), store)
    assert (whole.batch_ends, whole.note) == ((100, 150), "")


def test_changed_labels_are_told(store: Ledgers) -> None:
    """Labels that were mended after a look at the results do not go unnoticed."""
    units = rows(0, 100)
    labels = {unit[0]: "good" for unit in units}
    store.mark_used(open_ledger(ASKED, units, store, labels=labels).hash)
    again = open_ledger(ASKED, units, store, labels=labels | {"row-3": "bad"})
    assert "rows that carry another label than when they were first used: 1;" in again.note
    assert open_ledger(ASKED, units, store, labels=labels).note == ""


def test_rows_of_two_searches_are_refused(store: Ledgers) -> None:
    """Two ledgers cannot be joined into one after the fact."""
    used(store, ASKED, rows(0, 100))
    used(store, ASKED, rows(200, 300))
    with pytest.raises(BadInput, match="2 samples that were searched apart"):
        open_ledger(ASKED, rows(0, 300), store)


def test_a_few_rows_of_another_sample_are_left_out(store: Ledgers) -> None:
    """A text that two data sets share does not tie them together, and is not used twice."""
    used(store, ASKED, rows(0, 100))
    again = open_ledger(replace(ASKED, delta=0.1), rows(98, 300), store)
    assert again.is_new
    assert len(again.units) == 200
    assert again.note == "rows of another search, which are left out: 2"


def test_groups_keep_the_rows_they_had(store: Ledgers) -> None:
    """A group that was used does not change: rows that it gained are left out."""
    grouped = replace(ASKED, group="customer")
    first = used(store, grouped, [("b@1", "a@1"), ("c@2",)])
    same = open_ledger(grouped, [("c@2",), ("a@1", "b@1")], store)
    assert (same.hash, same.units) == (first.hash, first.units)
    assert (same.coverage.case, same.note) == (Case.FREE, "")
    again = open_ledger(grouped, [("e@3", "d@3"), ("c@2", "z@2"), ("a@1", "b@1"), ("a@4",)], store)
    assert again.units == (("a@1", "b@1"), ("c@2",), ("d@3", "e@3"), ("a@4",))
    assert again.order == ("a@1", "b@1", "c@2", "d@3", "e@3", "a@4")
    assert again.batch_ends == (2, 4)
    assert "new rows of texts or groups that were used before, which are left out: 1" in again.note


def test_a_used_group_is_no_new_unit(store: Ledgers) -> None:
    """Not even where none of the rows that it had is left."""
    grouped = replace(ASKED, group="customer")
    used(store, grouped, [("a@1",), ("b@2",)])
    again = open_ledger(grouped, [("a@1",), ("q@2",)], store)
    assert (again.units, again.n_missing) == ((("a@1",),), 1)


def test_renamed_groups_are_no_new_labels(store: Ledgers) -> None:
    """The same rows under other names of groups are recognised by their texts, and left out."""
    grouped = replace(ASKED, group="customer")
    used(store, grouped, [("b@1", "a@1"), ("c@2",)])
    again = open_ledger(grouped, [("b@x", "a@x"), ("c@2",), ("d@y",)], store)
    assert again.units == (("c@2",), ("d@y",))
    assert "used before, which are left out: 2" in again.note


def test_rows_without_groups_are_recognised_with_them(store: Ledgers) -> None:
    """--group is no way to try the same labels again."""
    used(store, ASKED, [("a",), ("b",), ("c",)])
    with pytest.raises(BadInput, match="used before with no --group"):
        open_ledger(replace(ASKED, group="customer"), [("b@1", "a@1"), ("c@2",)], store)


def samples_of(rows: Sequence[tuple[str, str, str]], group: str | None) -> Samples:
    """Rows of text, label and group as a reader would build them."""
    found = tuple(Row(text, label, by if group else None) for text, label, by in rows)
    return Samples("data", found, ("0", "1"), "text", "label", group_column=group)


def search(store: Ledgers, rows: Sequence[tuple[str, str, str]], way: tuple[str, str | None]):  # type: ignore[no-untyped-def]
    """What a search does with rows: open their ledger, arrange them by it, and look at labels."""
    duplicates, group = way
    some = samples_of(rows, group)
    ordered, units = ordered_units(some, units_of(some, duplicates), 0)  # type: ignore[arg-type]
    labels = {key: row.label for key, row in zip(units.row_keys, ordered.rows, strict=True)}
    asked = replace(ASKED, duplicates=duplicates, group=group)  # type: ignore[arg-type]
    opened = open_ledger(asked, units.members, store, labels=labels)
    store.mark_used(opened.hash)
    arranged, units = arranged_units(ordered, units, opened.order)
    members = [units.members[unit] for unit in range(units.n)]
    assert tuple(map(frozenset, members)) == tuple(map(frozenset, opened.units))
    return opened, arranged.rows


ROWS = st.lists(
    st.tuples(st.text("ab", min_size=1, max_size=2), st.sampled_from("01"), st.sampled_from("gh")),
    min_size=1,
    max_size=12,
)
WAYS = st.sampled_from([("drop", None), ("keep", None), ("drop", "g"), ("keep", "g")])
APART = [("x", "0", "x"), ("y", "1", "y")]  # so that there are two groups


@given(ROWS, ROWS, WAYS, st.randoms())
def test_added_rows_move_no_row_of_a_used_ledger(old, new, way, random) -> None:  # type: ignore[no-untyped-def]
    """Whatever is appended, in whatever order: the used rows are the first, with their labels."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        create_ledgers(Database(connection))
        store = Ledgers(connection)
        first, rows = search(store, [*APART, *old], way)
        stored = store.labels(first.hash)
        grown = [*APART, *old, *new]
        again, more = search(store, random.sample(grown, len(grown)), way)
        assert again.hash == first.hash
        assert more[: len(rows)] == rows
        assert again.batch_ends[0] == first.batch_ends[0]
        assert stored.items() <= store.labels(first.hash).items()
        assert "another label" not in again.note
        assert again.n_missing == 0
        once_more, same = search(store, random.sample(grown, len(grown)), way)
        assert (same, once_more.batch_ends) == (more, again.batch_ends)


def test_another_label_of_a_used_text_is_left_out(store: Ledgers) -> None:
    """The used row of the text is still the one that was used, with its own label."""
    _, rows = search(store, [*APART, ("t", "1", "g")], ("drop", None))
    again, more = search(store, [*APART, ("t", "0", "g"), ("t", "1", "g")], ("drop", None))
    assert more == rows
    assert again.note == "new rows of texts or groups that were used before, which are left out: 1"


def test_repeats_are_matched_by_label_first() -> None:
    """Then what is left takes what is left, and only further rows are new."""
    digests = label_digests({"t": "pos", "t#2": "neg"})
    moved = matched(["t", "t#2", "t#3"], {"t": "new", "t#2": "neg", "t#3": "pos"}, digests)
    assert moved == {"t": "t#3", "t#2": "t#2", "t#3": "t"}
    stored = {"t": "", "t#2": "", "u": ""}
    assert matched(["t", "t#2", "t#3", "v"], {}, stored) == {
        "t": "t", "t#2": "t#2", "t#3": "t#3", "v": "v",
    }  # fmt: skip


def test_a_corrected_label_keeps_its_row(store: Ledgers) -> None:
    """One of two repeats got another label: it is told as one row that was changed."""
    old = [*APART, ("t", "0", "g"), ("t", "1", "g")]
    first, _ = search(store, old, ("keep", None))
    again, _ = search(store, [*APART, ("t", "1", "g"), ("t", "1", "g")], ("keep", None))
    assert (again.batch_ends, again.n_missing) == (first.batch_ends, 0)
    assert "rows that carry another label than when they were first used: 1;" in again.note


def dump(path: Path) -> list[str]:
    """Everything that a file holds."""
    return list(sqlite3.connect(path).iterdump())


def test_a_dry_run_of_new_rows_declares_nothing(tmp_path: Path, store: Ledgers) -> None:
    """It returns the ledger that a search would declare."""
    before = dump(tmp_path / "measurements.db")
    shown = open_ledger(ASKED, rows(0, 100), store, read_only=True)
    assert dump(tmp_path / "measurements.db") == before
    assert shown == open_ledger(ASKED, rows(0, 100), store)


def test_a_dry_run_changes_no_used_ledger(tmp_path: Path, store: Ledgers) -> None:
    """No batch, newcomer or later line is written, and no other ledger is withdrawn."""
    used(store, ASKED, rows(0, 100))
    open_ledger(ASKED, rows(200, 250), store)
    wider = replace(ASKED, lines=(*LINES, SIBLING, NEWER), published=TIMES)
    before = dump(tmp_path / "measurements.db")
    shown = open_ledger(wider, rows(0, 250), store, read_only=True)
    assert dump(tmp_path / "measurements.db") == before
    assert shown.batch_ends == (100, 250)
    assert shown.since == {"a-int8": 100}
    assert shown.newcomers == {"n1": Newcomer(1, 0), "a-int8": Newcomer(1, 100)}
    assert shown == open_ledger(wider, rows(0, 250), store)


def test_a_dry_run_is_refused_as_a_search_is(store: Ledgers) -> None:
    """And the store is fit for use afterwards."""
    used(store, ASKED, rows(0, 100))
    with pytest.raises(BadInput, match="used before with"):
        open_ledger(replace(ASKED, seed=1), rows(0, 100), store, read_only=True)
    assert open_ledger(ASKED, rows(0, 110), store).batch_ends == (100, 110)


OPEN = replace(ASKED, mode="open")


@pytest.mark.parametrize(
    ("change", "units"),
    [
        ({"question": Question(("accuracy",), (0.8,))}, rows(0, 100)),
        ({"question": Question(("recall",), (0.9,))}, rows(0, 100)),
        ({"lines": LINES[:1]}, rows(0, 100)),
        ({"lines": (*LINES, NEWER), "published": TIMES}, rows(0, 100)),
        ({}, rows(0, 110)),
        ({}, rows(0, 99)),
    ],
    ids=["target", "metric", "fewer lines", "newcomer", "more rows", "fewer rows"],
)
def test_the_open_mode_looks_once(
    tmp_path: Path, store: Ledgers, change: dict[str, object], units: Sequence[Sequence[str]]
) -> None:
    """What is searched anew would spend the same levels on the held-out rows again."""
    used(store, OPEN, rows(0, 100))
    before = dump(tmp_path / "measurements.db")
    with pytest.raises(BadInput, match=r"'accuracy >= 0\.9', which has one look at the held-out"):
        open_ledger(replace(OPEN, **change), units, store)
    assert dump(tmp_path / "measurements.db") == before


def test_the_open_mode_answers_the_same_question_again(store: Ledgers) -> None:
    """However the candidates are ordered and weighed now, and the rows in the file."""
    first = used(store, OPEN, rows(0, 100))
    lines = tuple(replace(line, weight=0.5) for line in LINES[::-1])
    again = open_ledger(replace(OPEN, lines=lines), rows(0, 100)[::-1], store)
    assert (again.hash, again.units) == (first.hash, first.units)
    assert (again.coverage.case, again.goals) == (Case.FREE, first.goals)
    assert "open mode" in again.coverage.sentence


def test_nothing_in_python_changes_a_used_ledger(store: Ledgers) -> None:
    """Weights cannot be set, the order cannot be declared again, and no sibling can be let in."""
    opened = used(store, ASKED, rows(0, 100))
    with pytest.raises(FrozenInstanceError):
        opened.ledger.lines = (replace(LINES[0], weight=1.0),)  # type: ignore[misc]
    with pytest.raises(TypeError):
        opened.ledger._weights["a"] = 1.0  # type: ignore[index]
    with pytest.raises(sqlite3.IntegrityError, match="published after its ledger was declared"):
        store.enter_published(opened.hash, [("a-int8", "2020-01-01T00:00:00+00:00")])
    assert not store.declare("other", "{}", rows(0, 100)[::-1], replacing=[opened.hash])
    store.enter_later(opened.hash, ["a-int8"])
    assert store.newcomers(opened.hash) == {}
    assert store.units(opened.hash) == opened.units


def test_searches_that_start_at_once_share_one_ledger(tmp_path: Path) -> None:
    """The same question, asked by several processes together, is declared once."""
    path = tmp_path / "m.db"
    with Measurements(path):
        pass
    together = Barrier(3)

    def start(_: int) -> Opened:
        with Measurements(path) as measurements:
            together.wait()
            return used(measurements.ledgers, ASKED, rows(0, 100))

    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(start, range(3)))
    assert len({opened.hash for opened in found}) == 1
    assert len({opened.units for opened in found}) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledgers SET content = replace(content, '0.4', '0.3')",
        "UPDATE ledger_rows SET place = 99 - place",
        "INSERT INTO ledger_newcomers VALUES ('{hash}', 'a-int8', 1, 0, '2020-01-01', '')",
        "INSERT INTO ledger_newcomers VALUES ('{hash}', 'a-int8', 1, 50, NULL, '')",
    ],
    ids=["weights", "order", "candidate", "candidate since"],
)
def test_the_file_itself_refuses_changes(tmp_path: Path, statement: str) -> None:
    """Weights, order, and candidates outside the reserve rule raise after the first label use."""
    path = tmp_path / "m.db"
    with Measurements(path) as measurements:
        opened = used(measurements.ledgers, ASKED, rows(0, 100))
    with pytest.raises(sqlite3.IntegrityError):
        sqlite3.connect(path).execute(statement.format(hash=opened.hash))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledgers SET content = replace(content, '0.4', '0.3')",
        "UPDATE ledger_rows SET place = 99 - place",
    ],
    ids=["weights", "order"],
)
def test_a_file_changed_behind_its_guards_is_found_out(tmp_path: Path, statement: str) -> None:
    """The hash covers weights and order."""
    path = tmp_path / "m.db"
    with Measurements(path) as measurements:
        used(measurements.ledgers, ASKED, rows(0, 100))
    stranger = sqlite3.connect(path, isolation_level=None)
    for (name,) in stranger.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
        stranger.execute(f"DROP TRIGGER {name}")
    stranger.execute(statement)
    stranger.close()
    with Measurements(path) as measurements, pytest.raises(StoreError, match="damaged"):
        open_ledger(ASKED, rows(0, 100), measurements.ledgers)


def test_repeated_row_keys_are_a_mistake(store: Ledgers) -> None:
    """Repeats of a text have numbers in their keys."""
    with pytest.raises(ValueError, match="number the repeats"):
        open_ledger(ASKED, [("a",), ("a",)], store)
    assert open_ledger(ASKED, [("a",), ("a#2",)], store).order == ("a", "a#2")


@pytest.mark.parametrize(
    ("source", "moment", "expected"),
    [
        ("hub", "2024-01-01T01:00:00.000+01:00", "2024-01-01T00:00:00+00:00"),
        ("hub", "2024-01-01T00:00:00Z", "2024-01-01T00:00:00+00:00"),
        ("hub", "2024-01-01T00:00:00", "2024-01-01T00:00:00+00:00"),
        ("hub", "yesterday", None),
        ("hub", None, None),
        ("folder:/models", "2024-01-01T00:00:00Z", None),
    ],
)
def test_only_dated_models_of_a_hub_are_published(
    source: str, moment: str | None, expected: str | None
) -> None:
    """Dates are told in UTC; folders and unknown dates never qualify."""
    assert published_at(Model("m", "r", source, last_modified=moment)) == expected


def test_limits_and_targets_are_not_part_of_the_scope() -> None:
    """A later query with other limits has the same newcomers; a wider one has not."""
    first, limited = (
        Query.parse(require)
        for require in ("accuracy >= 0.9", ["accuracy >= 0.8", "size_mb <= 50", "license in mit"])
    )
    assert scope_of(first, ["b", "a"]) == scope_of(limited, ["a", "b"])
    assert scope_of(first, ["a"]) != scope_of(first, ["a", "b"])
    assert scope_of(replace(first, max_candidates=99), ["a"]) != scope_of(first, ["a"])


def test_estimates_may_be_shown_of_rows_of_the_open_mode(store: Ledgers, tmp_path: Path) -> None:
    """They claim nothing: nothing is written, and the same question may still be asked."""
    first = used(store, OPEN, rows(0, 100))
    before = dump(tmp_path / "measurements.db")
    shown = replace(ASKED, question=Question(("accuracy",), (0.0,)), claims=False)
    found = open_ledger(shown, rows(0, 120), store)
    assert dump(tmp_path / "measurements.db") == before
    assert found.units == first.units
    assert "left out: 20" in found.note
    assert open_ledger(OPEN, rows(0, 100), store).goals == first.goals
