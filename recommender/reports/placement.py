"""Where the labels of a figure go, so that none covers another; pure functions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WIDTH_OF_CHARACTER = 0.57
"""In font sizes: the mean of a wide sans serif, so that a narrower one fits too."""

LINE_HEIGHT = 1.2
"""In font sizes."""

NEAR = (9.0, 14.0, 24.0)
"""How far a label may be from its mark, in pixels, the nearest first."""

FAR = (40.0, 60.0)
"""How far one that is needed may be, where no place is nearer."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, in pixels from the lower left."""

    left: float
    bottom: float
    right: float
    top: float

    def meets(self, other: "Box") -> bool:
        """Whether the two overlap."""
        beside = self.right <= other.left or other.right <= self.left
        return not beside and self.bottom < other.top and other.bottom < self.top

    def holds(self, other: "Box") -> bool:
        """Whether the other is inside."""
        across = self.left <= other.left and other.right <= self.right
        return across and self.bottom <= other.bottom and other.top <= self.top

    def nearest(self, x: float, y: float) -> tuple[float, float]:
        """The point of the rectangle that is nearest to another point."""
        return min(max(x, self.left), self.right), min(max(y, self.bottom), self.top)


def around(x: float, y: float, reach: float) -> Box:
    """The square about a mark."""
    return Box(x - reach, y - reach, x + reach, y + reach)


def width_of(text: str, size: float) -> float:
    """About how wide a text is; wide characters, as of Chinese, count twice."""
    return size * WIDTH_OF_CHARACTER * sum(2 if ord(sign) > 0x2E80 else 1 for sign in text)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A label for the mark at (x, y); one that is needed is placed even where room is short."""

    x: float
    y: float
    lines: tuple[str, ...]
    size: float
    is_needed: bool = False

    @property
    def width(self) -> float:
        """Of the widest line."""
        return max(width_of(line, self.size) for line in self.lines)

    @property
    def height(self) -> float:
        """Of all lines."""
        return LINE_HEIGHT * self.size * len(self.lines)


@dataclass(frozen=True, slots=True)
class Taken:
    """What stands in the way of labels: marks, which none covers, and lines, which none should."""

    marks: Sequence[Box]
    lines: Sequence[Box]


def placed(wanted: Sequence[Wanted], taken: Taken, room: Box) -> list[Box | None]:
    """A place for each label, in the order given; None where there is none.

    Of a fixed list of places about the mark, nearest first, the one that covers the fewest lines
    is taken. Labels never cover each other, and no mark but where one is needed and no place is
    free, even farther away.
    """
    labels: list[Box] = []
    found: list[Box | None] = []
    for label in wanted:
        own = around(label.x, label.y, 1.0)
        marks = [mark for mark in taken.marks if not mark.meets(own)]
        best = _free(label, NEAR, (*marks, *labels), taken.lines, room)
        if best is None and label.is_needed:
            best = _free(label, FAR, (*marks, *labels), taken.lines, room)
            best = best or _free(label, (*NEAR, *FAR), labels, marks, room)
        labels += [] if best is None else [best]
        found.append(best)
    return found


def _free(
    label: Wanted, gaps: Sequence[float], taken: Sequence[Box], better_free: Sequence[Box],
    room: Box,
) -> Box | None:  # fmt: skip
    """The first of the places that cover nothing taken, and the least of what is better free."""
    places = (box for gap in gaps for box in _places(label, gap, room) if room.holds(box))
    free = [box for box in places if not any(map(box.meets, taken))]
    return min(free, key=lambda box: _covered(box, better_free), default=None)


def _covered(box: Box, others: Iterable[Box]) -> int:
    return sum(map(box.meets, others))


def _places(label: Wanted, gap: float, room: Box) -> list[Box]:
    """Beside the mark, and above and below it, pushed back into the room at its edges."""
    width, height = label.width, label.height
    rise = gap if gap > NEAR[-1] else gap / 3
    right, left = label.x + gap, label.x - gap - width
    middle = max(room.left, min(label.x - width / 2, room.right - width))
    above, below, level = label.y + rise, label.y - rise - height, label.y - height / 2
    corners = (
        (left, above), (right, below), (right, level), (right, above), (left, below),
        (left, level), (middle, label.y + gap), (middle, label.y - gap - height),
    )  # fmt: skip
    return [Box(x, y, x + width, y + height) for x, y in corners]
