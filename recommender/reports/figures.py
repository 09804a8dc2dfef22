"""How figures are written, in one way everywhere."""

from math import floor

from recommender.recommendation import Claim, Outcome


def quality(value: float) -> str:
    """A quality, or a difference of two, to three digits; never `-0.000`."""
    return f"{round(value, 3) + 0.0:.3f}"


def rounded_down(bound: float) -> float:
    """A bound to three digits: a certified bound is never rounded up, also below zero."""
    return floor(bound * 1000 + 1e-6) / 1000


def at_least(bound: float) -> str:
    """`>= 0.982`, a certified bound."""
    return f">= {rounded_down(bound):.3f}"


def certified(claim: Claim) -> str:
    """`certified >= 0.982`, or nothing where no bound is known."""
    return "" if claim.lower is None else f"certified {at_least(claim.lower)}"


def on_units(outcome: Outcome, n: int) -> str:
    """`on 1,000 rows`, or `on 950 units` where the two are not the same."""
    what = "row" if outcome.n_units == outcome.n_rows else "unit"
    return f"on {n:,} {what}{'' if n == 1 else 's'}"
