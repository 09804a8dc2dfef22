"""Is the first row a header, and what does it call the columns?"""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from cache.errors import BadInput
from evaluators.reading.columns import LABEL_NAMES, TEXT_NAMES
from evaluators.reading.table import in_words

KNOWN_NAMES = frozenset(name for tier in (*TEXT_NAMES, *LABEL_NAMES) for name in tier)
NAME_LIKE = re.compile(r"[^\W\d][\w .:/()-]{0,39}")
MAX_NAME_WORDS = 3


def is_header(
    first: Sequence[str], rest: Sequence[Sequence[object]], named: Collection[str] = ()
) -> bool:
    """Whether the first row names the columns.

    It does if it holds the columns that the user named; it does not if one of its values occurs
    again below it; else it does if it holds a usual name, or if all look like names.
    """
    if named and all(name in first for name in named):
        return True
    others = [row for row in rest if tuple(row) != tuple(first)]  # a header may be repeated
    if any(value and value in _column(others, at) for at, value in enumerate(first)):
        return False
    if any(value.strip().casefold() in KNOWN_NAMES for value in first):
        return True
    return all(_is_name(value) for value in first)


def name_columns(first: Sequence[str], path: Path) -> tuple[str, ...]:
    """The header's names, `column_3` where the third is empty; twice the same is refused."""
    names = tuple(
        value.strip() or f"column_{number}" for number, value in enumerate(first, start=1)
    )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        at = len(names) - names[::-1].index(twice[0])
        raise BadInput(
            f"{path}, line 1, column {at}: the header has {in_words(twice)} twice. "
            "Give each column its own name."
        )
    return names


def _column(rows: Sequence[Sequence[object]], at: int) -> list[object]:
    return [row[at] for row in rows if at < len(row)]


def _is_name(value: str) -> bool:
    stripped = value.strip()
    if not stripped:
        return True
    return bool(NAME_LIKE.fullmatch(stripped)) and len(stripped.split()) <= MAX_NAME_WORDS
