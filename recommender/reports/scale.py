"""The numbers that stand along an axis."""

from collections.abc import Sequence
from math import ceil, floor, log10

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


def ticks(low: float, high: float, *, most: int = 6) -> list[float]:
    """Round numbers from `low` to `high`, at most so many, evenly spaced.

    >>> ticks(0.84, 0.91)
    [0.84, 0.86, 0.88, 0.9]
    """
    rough = (high - low) / most
    power = 10.0 ** floor(log10(rough))
    for step in (power * factor for factor in STEPS):
        first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
        if last - first < most:
            return [round(at * step, 12) for at in range(first, last + 1)]
    return [low, high]


def log_ticks(low: float, high: float, *, most: int = 6) -> list[float]:
    """Round numbers for a logarithmic axis: 1, 2, 5 of each decade, or fewer of these.

    >>> log_ticks(0.06, 9)
    [0.1, 0.2, 0.5, 1.0, 2.0, 5.0]
    >>> log_ticks(0.01, 900)
    [0.01, 0.1, 1.0, 10.0, 100.0]
    """
    decades = range(floor(log10(low)), ceil(log10(high)) + 1)
    for digits in ((1, 2, 5), (1, 3), (1,)):
        values = [float(f"{digit}e{decade}") for decade in decades for digit in digits]
        inside = [value for value in values if low <= value <= high]
        if 2 <= len(inside) <= most:
            return inside
    if len(inside) > most:
        return inside[:: ceil(len(inside) / most)]
    return ticks(low, high, most=most)


def plain_texts(values: Sequence[float]) -> list[str]:
    """Each number in its own digits, as a logarithmic axis writes it.

    >>> plain_texts([0.1, 10, 1000])
    ['0.1', '10', '1,000']
    """
    return [_plain(value) for value in values]


def aligned_texts(values: Sequence[float]) -> list[str]:
    """The numbers with as many decimals as the longest has, as a linear axis writes them.

    >>> aligned_texts([0.85, 0.9])
    ['0.85', '0.90']
    """
    decimals = max((len(_plain(value).partition(".")[2]) for value in values), default=0)
    return [f"{value + 0.0:,.{decimals}f}" for value in values]


def _plain(value: float) -> str:
    if value and not 1e-6 <= abs(value) < 1e9:
        return f"{value:.0e}"
    whole = f"{value:,.9f}".rstrip("0").rstrip(".")
    return "0" if whole == "-0" else whole
