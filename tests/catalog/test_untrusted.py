"""Values from strangers: caps hold, wrong types become None."""

import json

import pytest

from catalog.untrusted import Unreadable, count, is_deep, number, parse_object, text

BAD = {
    "not JSON": b"<html>",
    "not UTF-8": b'{"a": "\xff"}',
    "a list": b"[]",
    "too large": b'{"a": "' + b"x" * 5_000_000 + b'"}',
    "too deep": json.dumps({"a": []}).replace("[]", "[" * 60 + "]" * 60).encode(),
    "absurdly deep": b'{"a":' * 100_000,
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys())
def test_what_is_no_small_flat_object_is_unreadable(content: bytes) -> None:
    """Size, depth and syntax are checked before anything is used."""
    with pytest.raises(Unreadable):
        parse_object(content)


@pytest.mark.parametrize(("depth", "deep"), [(50, False), (51, True)])
def test_the_depth_that_is_read_is_bounded(depth: int, deep: bool) -> None:
    """A row may be 50 levels deep, and not one more."""
    assert is_deep(json.loads("[" * depth + "]" * depth)) is deep


def test_nan_is_read_as_nothing() -> None:
    """NaN and Infinity are no JSON and enter no key."""
    assert parse_object(b'{"a": NaN, "b": -Infinity}') == {"a": None, "b": None}


def test_a_number_of_thousands_of_digits_costs_no_other_value() -> None:
    """Python refuses to read it; the rest of a page is read none the less."""
    assert parse_object(b'{"a": ' + b"9" * 5000 + b', "b": 7}') == {"a": None, "b": 7}


@pytest.mark.parametrize("value", [True, -1, 2**53, 1.5, "7", None, [1]])
def test_only_whole_numbers_that_can_be_stored_count(value: object) -> None:
    """A boolean, a fraction or an absurd integer is no count."""
    assert count(value) is None


def test_half_surrogates_become_storable_text() -> None:
    """A string that SQLite cannot encode is replaced, not refused."""
    assert text("a\ud800") == "a?"


@pytest.mark.parametrize("value", ["nan", "inf", "high", True, None, 10**400])
def test_only_finite_numbers_are_numbers(value: object) -> None:
    """Whatever is not finite counts as absent."""
    assert number(value) is None
