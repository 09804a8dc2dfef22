"""Codes keep the order of the values that they stand for."""

import random
from collections.abc import Callable

import pytest

from catalog import codes
from catalog.model import Model
from catalog.store import Catalog

SIGNS = "\x01 -./0159@AaFfZz_`{~éß模😀T:"


def texts(draw: random.Random, beginnings: tuple[str, ...]) -> list[str]:
    """Texts that begin alike, and others."""
    ends = ("".join(draw.choices(SIGNS, k=draw.randint(0, 4))) for _ in range(3_000))
    return [draw.choice(beginnings)[: draw.randint(0, 24)] + end for end in ends]


def ids(draw: random.Random) -> list[str]:
    return texts(draw, ("", "", "bert", "-a", "_b", "Z", "zz"))


def times(draw: random.Random) -> list[str]:
    written = [
        f"{draw.randint(1990, 2040)}-{draw.randint(0, 13):02}-{draw.randint(0, 32):02}"
        f"T{draw.randint(0, 24):02}:00:00.000Z"
        for _ in range(3_000)
    ]
    return written + texts(draw, tuple(written[:50]))


def numbers(draw: random.Random) -> list[int]:
    near = [(1 << draw.randint(0, 62)) + draw.randint(-3, 3) for _ in range(3_000)]
    return [max(0, n) for n in near] + list(range(5_000)) + [2**63 - 1]


def scores(draw: random.Random) -> list[float]:
    return [round(draw.random(), 3) for _ in range(3_000)]


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("id", ids),
        ("created_at", times),
        ("last_modified", times),
        ("downloads", numbers),
        ("weight_bytes", numbers),
        ("score", scores),
    ],
)
def test_codes_are_in_the_order_of_the_values(
    name: str, make: Callable[[random.Random], list[str]]
) -> None:
    """A larger value never has a smaller code; exact codes stand for one value each."""
    column = codes.COLUMNS[name]
    values = sorted(set(make(random.Random(0))))
    found = [column.code(value) for value in values]
    assert found == sorted(found)
    assert found[0] > codes.UNTOLD
    assert found[-1] < 1 << 16
    exact = [code for code in found if code < column.n_exact]
    assert len(exact) == len(set(exact))


def test_the_numbers_of_a_code_are_those_that_have_it() -> None:
    """From the smallest to the largest, which also have it."""
    for n in numbers(random.Random(1)):
        code = codes.COLUMNS["downloads"].code(n)
        low, high = codes.numbers_with(code)
        assert low <= n <= high
        assert [codes.COLUMNS["downloads"].code(edge) for edge in (low, high)] == [code] * 2
        assert codes.COLUMNS["downloads"].code(high + 1) == code + 1


def test_common_values_are_told_apart() -> None:
    """Three hours of any day, ids by three letters, large numbers to a thousandth."""
    code = {name: column.code for name, column in codes.COLUMNS.items()}
    days = [
        f"2026-{m:02}-{d:02}T{h:02}" for m in range(1, 13) for d in range(1, 29) for h in (0, 3)
    ]
    assert len({code["created_at"](time) for time in days}) == len(days)
    names = [f"{a}{b}{c}" for a in "abxy" for b in "01mn" for c in "xyz"]
    assert len({code["id"](name) for name in names}) > len(names) / 2
    assert code["downloads"](1_000_000) < code["downloads"](1_001_000)


def test_codes_are_kept_of_what_changes(store: Catalog) -> None:
    """In several chunks; a value that is told no more has none."""
    first = [
        Model(f"m{at}", "a" * 40, "hub", described=False, downloads=at, likes=1)
        for at in range(codes.CHUNK + 10)
    ]
    store.upsert(first)
    at = codes.CHUNK + 5
    store.upsert([Model(f"m{at}", "a" * 40, "hub", described=False, downloads=7)])
    downloads, likes = (codes.read(store._connection, name) for name in ("downloads", "likes"))
    expected = {n: 1 + n for n in range(len(first))} | {at: 8}
    assert {n: downloads[n] for n in expected} == expected
    assert (likes[at], likes[at - 1]) == (codes.UNTOLD, 2)
