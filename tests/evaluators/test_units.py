"""Units: what is one draw, what it weighs, in which order it comes, and how good one can be."""

from collections import defaultdict
from itertools import groupby, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.errors import BadInput, NotFound
from cache.ledgers import text_of
from evaluators.noise import NoiseCeiling, noise_ceiling
from evaluators.samples import Row, Samples
from evaluators.units import Units, arranged_units, ordered_units, units_of

ROWS = st.lists(
    st.builds(
        Row, st.text("ab", min_size=1, max_size=2), st.sampled_from("01"), st.sampled_from("gh")
    ),
    min_size=1,
    max_size=25,
)
"""Rows with many repeats, contradictions and texts in both groups."""

WAYS = st.sampled_from([("drop", None), ("keep", None), ("drop", "g"), ("keep", "g")])


def samples(rows, group_column=None):
    """Samples of rows as a reader would build them."""
    labels = tuple(sorted({row.label for row in rows}))
    return Samples("data", tuple(rows), labels, "text", "label", group_column=group_column)


def units(rows, way):
    """The units of rows, one of them in a group of its own so that there are two groups."""
    some = samples([*rows, Row("other", "0", "other")], way[1])
    return some, units_of(some, way[0])


def scores(found: Units, values) -> dict[str, float]:
    """The score of each unit, by key: the weighted sum over its rows."""
    total = defaultdict(float)
    for unit, weight, value in zip(found.of_row, found.weights, values, strict=True):
        total[found.keys[unit]] += weight * value
    return total


THREE_TO_ONE = [Row("a", "1", "g")] * 3 + [Row("a", "0", "g"), Row("b", "0", "h")]


def test_dropping_makes_each_text_one_unit():
    """A text with several labels scores the mean over its rows, not over its labels."""
    found = units_of(samples(THREE_TO_ONE))
    assert found.of_row == (0, 0, 0, 0, 1)
    assert found.keys == (Row("a", "1").key, Row("b", "0").key)
    assert list(scores(found, [1, 1, 1, 0, 1]).values()) == [0.75, 1]
    assert found.estimand == "distinct texts, each counting once"


def test_exact_repeats_count_once():
    """A text that is always labelled alike scores as one row of it does."""
    found = units_of(samples([Row("a", "1")] * 4 + [Row("b", "0")]))
    assert list(scores(found, [1, 1, 1, 1, 0]).values()) == [1, 0]


def test_keeping_makes_each_row_a_unit():
    """Repeats are draws of their own, each with its own key."""
    found = units_of(samples(THREE_TO_ONE), "keep")
    assert found.of_row == (0, 1, 2, 3, 4)
    assert len(set(found.keys)) == 5
    assert set(found.weights) == {1.0}
    assert found.estimand == "rows as they come, repeats included"


def test_groups_weigh_their_texts_or_their_rows_alike():
    """In a group of one text four times and another once, dropping gives each text a half."""
    rows = [Row("a", "1", "g")] * 4 + [Row("b", "1", "g"), Row("a", "1", "h")]
    some = samples(rows, "patient")
    dropped, kept = units_of(some), units_of(some, "keep")
    assert list(scores(dropped, [1, 1, 1, 1, 0, 1]).values()) == [0.5, 1]
    assert list(scores(kept, [1, 1, 1, 1, 0, 1]).values()) == [pytest.approx(0.8), 1]
    assert dropped.estimand == "values of `patient`, each counting once"
    assert kept.estimand.startswith(dropped.estimand)
    assert kept.estimand != dropped.estimand
    assert dropped.notes == ("groups: 6 rows in 2 values of 'patient', the largest with 5",)


@given(ROWS, WAYS)
def test_weights_add_up_to_one_in_each_unit(rows, way):
    """A unit of rows answered alike scores what each row scores."""
    some, found = units(rows, way)
    assert scores(found, [1.0] * some.n) == pytest.approx(dict.fromkeys(found.keys, 1.0))


@given(ROWS, WAYS, st.randoms())
def test_order_does_not_depend_on_the_file(rows, way, random):
    """A shuffled file gives the same rows and the same units in the same order."""
    shuffled = random.sample(rows, len(rows))
    assert ordered_units(*units(shuffled, way), 7) == ordered_units(*units(rows, way), 7)


@given(st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, unique=True), WAYS, st.randoms())
def test_order_does_not_depend_on_the_labels(texts, way, random):
    """Rows with other labels come in the same order: what is read first is no choice by label."""
    orders = []
    for labels in ("01", "10"):
        rows = [Row(text, random.choice(labels), "g") for text in texts]
        ordered, found = ordered_units(*units(rows, way), 7)
        orders.append(([row.text for row in ordered.rows], found.keys))
    assert orders[0] == orders[1]


@given(ROWS, ROWS, WAYS)
def test_later_rows_keep_the_order_of_earlier_units(old, new, way):
    """Whatever is added, new units come in between and old ones keep their keys and order."""
    before = ordered_units(*units(old, way), 3)[1].keys
    grown = ordered_units(*units(old + new, way), 3)[1].keys
    assert [key for key in grown if key in set(before)] == list(before)


@given(ROWS, WAYS)
def test_the_rows_of_a_unit_are_adjacent(rows, way):
    """Units are numbered as they come, and a group's rows stand together."""
    some, found = ordered_units(*units(rows, way), 5)
    runs = [(unit, len(list(run))) for unit, run in groupby(found.of_row)]
    assert [unit for unit, _ in runs] == list(range(found.n))
    assert [n for _, n in runs] == [len(members) for members in found.members]
    if way == ("keep", "g"):
        assert len({row.group for row in some.rows[: runs[0][1]]}) == 1


@given(ROWS, WAYS)
def test_units_are_arranged_again_by_the_keys_of_their_members(rows, way):
    """An order that was written down as row keys, unit by unit, is found again in any file."""
    some, found = units(rows, way)
    in_order = ordered_units(some, found, 5)
    members = in_order[1].members
    assert members[0] == in_order[1].row_keys[: in_order[1].of_row.count(0)]
    assert arranged_units(some, found, [key for unit in members for key in unit]) == in_order
    plain = units(rows, ("drop", None))[1]
    assert set(map(text_of, found.row_keys)) == set(map(text_of, plain.row_keys))


def test_rows_that_are_left_out_leave_their_weight_to_the_others():
    """One positive and the negative row of a text that had three and one: half and half."""
    some = samples(THREE_TO_ONE)
    found = units_of(some)
    part, left = arranged_units(some, found, [found.row_keys[0], found.row_keys[3]])
    assert part.rows == (THREE_TO_ONE[0], THREE_TO_ONE[3])
    assert (left.keys, left.weights, left.of_row) == (found.keys[:1], (0.5, 0.5), (0, 0))


def test_unknown_keys_are_refused():
    """A key that no row has is named."""
    some = samples(THREE_TO_ONE)
    with pytest.raises(NotFound, match="data has no row with the key 'abc'"):
        arranged_units(some, units_of(some), ["abc"])


@given(ROWS, WAYS)
def test_ordering_changes_no_unit(rows, way):
    """Each row keeps its weight and its unit's key."""

    def kept(some, found):
        return sorted(
            (row.text, row.label, row.group, weight, found.keys[unit])
            for row, weight, unit in zip(some.rows, found.weights, found.of_row, strict=True)
        )

    some, found = units(rows, way)
    was, now = kept(some, found), kept(*ordered_units(some, found, 5))
    assert [line[:3] + line[4:] for line in now] == [line[:3] + line[4:] for line in was]
    assert [line[3] for line in now] == pytest.approx([line[3] for line in was])
    assert sorted(found.keys) == sorted(ordered_units(some, found, 5)[1].keys)


def test_seeds_give_different_orders():
    """Another seed gives another order of the same units."""
    some = samples([Row(f"text {number}", str(number % 2)) for number in range(50)])
    found = units_of(some)
    orders = {ordered_units(some, found, seed)[1].keys for seed in range(3)}
    assert len(orders) == 3
    assert len({tuple(sorted(keys)) for keys in orders}) == 1


def test_one_group_is_refused():
    """A single group is a single draw."""
    with pytest.raises(BadInput, match="2 rows have one value of 'patient'"):
        units_of(samples([Row("a", "0", "7"), Row("b", "1", "7")], "patient"))


def test_other_words_are_refused():
    """Duplicates are dropped or kept."""
    with pytest.raises(BadInput, match="'first' is neither drop nor keep"):
        units_of(samples(THREE_TO_ONE), "first")  # type: ignore[arg-type]


def test_notes_say_how_repeats_count():
    """Both ways name the other; without repeats there is nothing to say."""
    assert "--duplicates keep" in units_of(samples(THREE_TO_ONE)).notes[0]
    assert "--duplicates drop" in units_of(samples(THREE_TO_ONE), "keep").notes[0]
    assert units_of(samples([Row("a", "0"), Row("b", "1")])).notes == ()


def best_accuracy(rows, weights) -> float:
    """The highest accuracy of any function of the text, by trying them all."""
    texts = sorted({row.text for row in rows})
    tried = (dict(zip(texts, answers, strict=True)) for answers in product("01", repeat=len(texts)))
    right = (
        sum(w for row, w in zip(rows, weights, strict=True) if answer[row.text] == row.label)
        for answer in tried
    )
    return max(right) / sum(weights)


@given(ROWS, WAYS)
def test_the_ceiling_is_what_the_best_function_reaches(rows, way):
    """Enumerating every function of the text gives the same highest accuracy, for each unit."""
    some, found = units(rows, way)
    ceiling = noise_ceiling(some.rows, found.weights)
    assert ceiling.ceiling == pytest.approx(best_accuracy(some.rows, found.weights))
    assert noise_ceiling(some.rows).ceiling == pytest.approx(best_accuracy(some.rows, [1] * some.n))


def test_the_ceiling_depends_on_what_counts():
    """Three to one: 4/5 of the rows can be right, and (3/4 + 1) / 2 of the texts."""
    assert noise_ceiling(THREE_TO_ONE) == NoiseCeiling(1, 0.8)
    weights = units_of(samples(THREE_TO_ONE)).weights
    assert noise_ceiling(THREE_TO_ONE, weights) == NoiseCeiling(1, 0.875)
    assert any("accuracy above 0.875" in note for note in units_of(samples(THREE_TO_ONE)).notes)
    assert len(units_of(samples(THREE_TO_ONE), "keep").notes) == 1


@pytest.mark.parametrize(
    ("ceiling", "note"),
    [
        (NoiseCeiling(0, 1.0), ""),
        (NoiseCeiling(1, 0.994), "1 text carries two or more labels: no model can have an "
         "accuracy above 0.994 on these rows"),
        (NoiseCeiling(1200, 0.99401), "1,200 texts carry two or more labels: no model can have "
         "an accuracy above 0.995 on these rows"),
    ],
    ids=["none", "one", "rounded up"],
)  # fmt: skip
def test_the_note_is_true_of_the_ceiling(ceiling, note):
    """The figure is rounded up, so that no model that exists is denied."""
    assert ceiling.note == note
