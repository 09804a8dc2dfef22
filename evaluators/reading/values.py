"""What a cell means: a text, a label, or nothing."""

import math
import re
from collections.abc import Iterable, Sequence
from datetime import date

from cache.errors import BadInput
from evaluators.reading.table import in_words

INTEGER = re.compile(r"(-?(?:0|[1-9]\d{0,17}))(?:\.0+)?")
"""Integers as files spell them, `1` or `1.0`; `01` is a name, not a number."""

MOST_DIGITS = 640
"""Of more, Python may refuse to make an integer of a text, or a text of an integer."""

SHOWN_CHANGES = 6


def is_missing(value: object) -> bool:
    """None, NaN and blank strings are missing; the strings "NA", "None" and "null" are not."""
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or (isinstance(value, str) and not value.strip())


def fault_of(value: object) -> str | None:
    """Why a cell is neither text nor label: a list, an object, a NUL, half a character."""
    if not isinstance(value, str | int | float):
        kind = type(value).__name__
        return f"{kind} where one text or label is expected. Give one value a row."
    try:
        text = str(value)
    except ValueError:
        return "a whole number of thousands of digits. Write it as a text."
    if "\0" in text:
        return "a NUL character. Remove the row."
    if not text.isascii() and not _is_encodable(text):
        return "half a character (a lone surrogate). Remove the row."
    return None


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def as_class_name(value: object, names: Sequence[str]) -> object:
    """The name behind an integer label; -1 is `datasets`' word for no label."""
    if not names or isinstance(value, bool) or not isinstance(value, int):
        return value
    return names[value] if 0 <= value < len(names) else None


def name_in(value: object) -> object:
    """A group's or slice's value as its name: 3.0 is `3`, a date is its ISO text."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, date):
        return value.isoformat()
    return str(value).strip() if isinstance(value, str | int | float) else value


def unify_labels(values: Sequence[object], source: str) -> tuple[list[str], tuple[str, ...]]:
    """One spelling for each label, and a note where a spelling changed.

    If every label is an integer in some spelling (`1`, `1.0`, `"1"`, true), all become integers;
    else labels stay as they are spelled, and two spellings of one integer are refused.
    """
    spelled = {(type(value), value): str(value).strip() for value in values}
    integers = {key: _integer(key[1]) for key in spelled}
    if all(number is not None for number in integers.values()):
        meant = {key: str(number) for key, number in integers.items()}
    else:
        _refuse_two_spellings(spelled, integers, source)
        meant = spelled
    return [meant[type(value), value] for value in values], _spelling_notes(meant)


def _spelling_notes(meant: dict[tuple[type, object], str]) -> tuple[str, ...]:
    changed = sorted(f"{key[1]!r} as {to!r}" for key, to in meant.items() if str(key[1]) != to)
    if not changed:
        return ()
    more = f" and {len(changed) - SHOWN_CHANGES:,} more" if len(changed) > SHOWN_CHANGES else ""
    return (f"labels with one spelling each: {', '.join(changed[:SHOWN_CHANGES])}{more}",)


def _integer(value: object) -> int | None:
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, int):
        return int(value)
    match = INTEGER.fullmatch(str(value).strip())
    return int(match[1]) if match else None


def _refuse_two_spellings(
    spelled: dict[tuple[type, object], str],
    integers: dict[tuple[type, object], int | None],
    source: str,
) -> None:
    by_number: dict[int, set[str]] = {}
    for key, number in integers.items():
        if number is not None:
            by_number.setdefault(number, set()).add(spelled[key])
    for spellings in by_number.values():
        if len(spellings) > 1:
            raise BadInput(
                f"{source}: {in_words(sorted(spellings))} look like one label, but others "
                f"({in_words(_names(spelled, integers))}) are no numbers. Spell each label one way."
            )


def _names(
    spelled: dict[tuple[type, object], str], integers: dict[tuple[type, object], int | None]
) -> Iterable[str]:
    return sorted({spelled[key] for key, number in integers.items() if number is None})
