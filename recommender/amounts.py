"""Amounts as people write them: sizes with a unit, and numbers of weights."""

import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from cache.errors import BadInput

BYTES: Mapping[str, int] = MappingProxyType(
    {
        "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
        "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
    }
)  # fmt: skip
"""Bytes by unit; 1 MB is 10^6 bytes, 1 MiB is 2^20."""

COUNTS: Mapping[str, int] = MappingProxyType({"": 1, "k": 10**3, "m": 10**6, "b": 10**9})
"""What the letters behind a number of weights mean: 66M is 66 million, 7B is 7 billion."""

_AMOUNT = re.compile(r"([0-9][0-9_,]*(?:\.[0-9]+)?)\s*([a-z]*)", re.IGNORECASE)


def parse_bytes(text: str) -> int:
    """A size in bytes. Raises BadInput; a bare number is none, as its unit would be a guess.

    >>> parse_bytes("1.5 GB"), parse_bytes("200MiB")
    (1500000000, 209715200)
    """
    return _parse(text, BYTES, f"{text!r} is no size; write for example 100MB, 1.5GB or 200MiB")


def parse_count(text: str) -> int:
    """A number of weights. Raises BadInput.

    >>> parse_count("66M"), parse_count("1_000")
    (66000000, 1000)
    """
    return _parse(
        text, COUNTS, f"{text!r} is no number of weights; write for example 66M, 1.5B or 250000"
    )


def _parse(text: str, units: Mapping[str, int], problem: str) -> int:
    found = _AMOUNT.fullmatch(text.strip())
    factor = units.get(found[2].lower()) if found else None
    if found is None or factor is None:
        raise BadInput(problem)
    return int(Decimal(re.sub("[_,]", "", found[1])) * factor)


def in_short(n: float | None) -> str:
    """Three digits with a letter: `66.4M`; `-` where it is not known."""
    if n is None:
        return "-"
    for letter, factor in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if n >= 0.9995 * factor:
            return f"{_three_digits(n / factor)}{letter}"
    return f"{n:.0f}"


def _three_digits(n: float) -> str:
    return f"{n:.2f}" if n < 9.995 else f"{n:.1f}" if n < 99.95 else f"{n:.0f}"
