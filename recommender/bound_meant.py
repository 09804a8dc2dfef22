"""What a text behind a measure comes closest to, where it is no bound: `= 0,9`, `< 50 MB`."""

import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from recommender.amounts import BYTES, COUNTS

SIZES = {unit: Decimal(n) / 10**6 for unit, n in BYTES.items()}

UNITS: Mapping[str, Mapping[str, Decimal]] = MappingProxyType(
    {
        "MB": {**SIZES, "megabytes": Decimal(1), "gigabytes": Decimal(1000)},
        "ms": {"ms": Decimal(1), "milliseconds": Decimal(1), "s": Decimal(1000)},
        "s": {"ms": Decimal("0.001"), "s": Decimal(1), "seconds": Decimal(1), "min": Decimal(60)},
        "": {unit: Decimal(n) for unit, n in COUNTS.items()},
    }
)
"""What a number is to be multiplied by where it is written in another unit than the cost's."""

PERCENT = ("%", "percent", "pct")
MAX_FACTOR = 10.0
"""A factor of the baseline from here on is a percentage without its sign."""

LEAST_PERCENT = 10.0
"""So is a share from here on; 1.2 is a slip, as nobody asks for 1.2 %."""

_DIGITS = r"(?:[0-9][0-9_,]*(?:\.[0-9]+)?|\.[0-9]+)(?:e[+-]?[0-9]+)?"
_AMOUNT = re.compile(rf"(?P<digits>{_DIGITS})\s*(?P<unit>%|[a-z]*)", re.IGNORECASE)
_THOUSANDS = re.compile(r"[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_WORDS = frozenset(
    {
        *("a", "above", "at", "baseline", "be", "below", "better", "by", "equal", "equals"),
        *("exactly", "greater", "higher", "is", "least", "less", "lower", "max", "maximum", "min"),
        *("minimum", "minus", "more", "most", "must", "of", "off", "or", "over", "point", "points"),
        *("should", "than", "the", "times", "to", "under", "within", "worse"),
    }
)
"""Words that say no more than a sign does. Behind any other, something else was meant."""


def closest_bound(rest: str, *, unit: str | None, least_percent: float) -> str | None:
    """The right-hand side that a text behind a measure comes closest to; None where none is near.

    `unit` is a cost's, None for a quality; numbers of a quality from `least_percent` on are
    percentages.
    """
    amounts = list(_AMOUNT.finditer(rest))
    is_relative = unit is None and bool(re.search("baseline|within", rest, re.IGNORECASE))
    if not amounts or (is_relative and "+" in rest):
        return "baseline - 0.02" if is_relative and _is_understood(rest) else None
    others = [rest[: amounts[0].start()], rest[amounts[0].end() :]]
    named = amounts[0]["unit"].lower()
    if named in _WORDS:
        others.append(named)
        named = ""
    if len(amounts) > 1 or not _is_understood(*others) or ("*" in rest and not is_relative):
        return None
    if not is_relative and others[0].rstrip().endswith("-"):  # a number below 0
        return None
    is_factor = is_relative and not re.search("-|within|below|point|worse", rest, re.IGNORECASE)
    if is_relative:
        least_percent = MAX_FACTOR if is_factor else 1.0
    amount = _amount(amounts[0]["digits"], named, unit, least_percent)
    if amount is None or not is_relative:
        return amount
    return f"{amount} * baseline" if is_factor else f"baseline - {amount}"


def _is_understood(*parts: str) -> bool:
    return all(word.lower() in _WORDS for part in parts for word in re.findall(r"[^\W\d]+", part))


def _amount(digits: str, named: str, unit: str | None, least_percent: float) -> str | None:
    """The number in the measure's own unit; None where it is in none that fits."""
    number = Decimal(_with_point(digits, is_share=unit is None))
    if unit is not None:
        factor = UNITS.get(unit, {}).get(named) if named else Decimal(1)
        return None if factor is None else f"{(number * factor).normalize():f}"
    if named in PERCENT or (not named and number >= least_percent and number > 1):
        return f"{number:f}%"
    return None if named else f"{number:f}"


def _with_point(digits: str, *, is_share: bool) -> str:
    """Digits as Python reads them: `0,8` is 0.8, and `2,000` is 2000 where that can be meant."""
    bare = digits.replace("_", "")
    if not is_share and _THOUSANDS.fullmatch(bare):
        return bare.replace(",", "")
    return bare.replace(",", ".", 1) if "." not in bare else bare.replace(",", "")
