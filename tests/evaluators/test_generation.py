"""How rows share batches when models write."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.generation import MOST_TIMES, plan_batches

LONGEST = 40


@given(st.lists(st.integers(1, LONGEST), max_size=200), st.integers(1, 9))
def test_a_batch_never_holds_more_than_full_ones_would(lengths: list[int], size: int) -> None:
    """Every row once, the longest first; as many tokens at most as `size` of the longest rows."""
    batches = list(plan_batches(lengths, size, dtype="float32", longest=LONGEST))
    order = list(chain.from_iterable(batches))
    assert sorted(order) == list(range(len(lengths)))
    assert [lengths[row] for row in order] == sorted(lengths, reverse=True)
    for rows in batches:
        assert len(rows) * max(lengths[row] for row in rows) <= size * LONGEST
        assert len(rows) <= (MOST_TIMES * size if size > 1 else 1)


@pytest.mark.parametrize(
    ("length", "sizes"),
    [(40, [4] * 10), (39, [4] * 10), (20, [8] * 5), (10, [16, 16, 8]), (1, [32, 8])],
)
def test_short_rows_share_larger_batches(length: int, sizes: list[int]) -> None:
    """Four of 40 tokens each, or eight of 20; 32 at most."""
    batches = plan_batches([length] * 40, 4, dtype="float32", longest=LONGEST)
    assert [len(rows) for rows in batches] == sizes


def test_a_row_is_alone_where_others_would_change_its_answer() -> None:
    """In int8 and bfloat16, and where that is asked; without a longest length nothing grows."""
    lengths = [1] * 9
    for size, dtype, longest in ((1, "float32", 40), (4, "int8", 40), (4, "bfloat16", 40)):
        alone = plan_batches(lengths, size, dtype=dtype, longest=longest)
        assert [len(rows) for rows in alone] == [1] * 9
    assert [len(rows) for rows in plan_batches(lengths, 4, dtype="float32")] == [4, 4, 1]


def test_rows_that_must_be_alike_have_one_length() -> None:
    """Also in larger batches."""
    lengths = [3, 1, 3, 1, 1]
    batches = list(plan_batches(lengths, 2, dtype="float32", alike=True, longest=LONGEST))
    assert batches == [[0, 2], [1, 3, 4]]
