"""Which certified candidates the rows cannot tell apart from the choice."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from recommender.evidence.paired import difference_interval


@dataclass(frozen=True, slots=True)
class Tie:
    """Two candidates on the same n rows: how much more accurate the first is, with its interval.

    The 95 % interval is that of one comparison. It describes; it is no part of the guarantee and
    pays no share of its error.
    """

    first: str
    second: str
    difference: float
    low: float
    high: float
    n: int

    @property
    def is_tied(self) -> bool:
        """Whether the interval holds 0: the rows do not tell which is the more accurate."""
        return self.low <= 0 <= self.high

    def __str__(self) -> str:
        """`cannot be told apart in accuracy: A and B differ by -0.003 [-0.011, +0.005] ...`."""
        found = (
            f"{self.first} and {self.second} differ by {self.difference:+.3f} "
            f"[{self.low:+.3f}, {self.high:+.3f}] on {self.n:,} rows"
        )
        return f"cannot be told apart in accuracy: {found}" if self.is_tied else found


def compared(
    choice: str, right: Sequence[bool], others: Iterable[tuple[str, Sequence[bool]]]
) -> tuple[Tie, ...]:
    """The choice compared with each other candidate that was given all of the same rows.

    right: whether the choice answered each row right, in the fixed order. others: name and the
    same for each other certified candidate; one with another number of rows is left out, since a
    candidate that stopped early was given fewer of them.
    """
    return tuple(
        compare(choice, right, name, answered)
        for name, answered in others
        if right and len(answered) == len(right)
    )


def compare(
    first: str, first_right: Sequence[bool], second: str, second_right: Sequence[bool]
) -> Tie:
    """Two candidates that answered the same rows; ValueError where the numbers of rows differ."""
    pairs = list(zip(first_right, second_right, strict=True))
    n10 = sum(1 for a, b in pairs if a and not b)
    n01 = sum(1 for a, b in pairs if b and not a)
    low, high = difference_interval(n10, n01, len(pairs))
    return Tie(first, second, (n10 - n01) / len(pairs), low, high, len(pairs))
