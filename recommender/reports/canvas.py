"""What all figures share: their size, their settings, their legend, and the names of the marks."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock
from typing import Any
from warnings import catch_warnings, simplefilter

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Affine2D, Transform

from recommender.reports.colours import COLOURS
from recommender.reports.placement import width_of

WIDTH = 460
"""Pixels, at which texts are 12 and 13 high: on a screen 360 wide they can still be read."""

SMALL, NORMAL = 12.0, 13.0
PER_INCH = 72
"""Pixels; SVG has as many, so that one unit is one pixel there."""

LEGEND_ROW = 18.0
MARK_ROOM, LEGEND_GAP = 14.0, 14.0

SETTINGS: Any = {  # Any: matplotlib lists all its names as literals, which differ by release
    "text.usetex": False,
    "text.parse_math": False,
    "text.antialiased": True,
    "font.family": ["DejaVu Sans"],
    "font.weight": "normal",
    "font.style": "normal",
    "axes.grid": False,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "axes.titlesize": NORMAL,
    "axes.unicode_minus": False,
    "figure.autolayout": False,
    "figure.constrained_layout.use": False,
    "lines.antialiased": True,
    "lines.scale_dashes": False,
    "path.effects": [],
    "path.sketch": None,
    "savefig.bbox": None,
    "savefig.facecolor": "auto",
    "savefig.transparent": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "recommender",
    "svg.id": None,
}
"""Whatever a user's matplotlibrc or style says, a figure looks the same."""

_LOCK = RLock()

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


Look = Mapping[str, Any]
"""How an artist looks, as matplotlib takes it by keywords of all kinds."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A candidate's mark in a figure: its whole name, and all that a reader should hear of it."""

    name: str
    label: str


class Drawing(Figure):
    """A figure with its title and description in words, and the names of its marks.

    `marks` names, by the id of a group of marks in the picture, the candidate of each mark in it.
    """

    def __init__(self, height: float, *, title: str, description: str) -> None:
        size = (WIDTH / PER_INCH, height / PER_INCH)
        super().__init__(figsize=size, dpi=PER_INCH, facecolor=COLOURS["bg"])
        self.patch.set_gid("background")
        self.height = height
        self.title = title
        self.description = description
        self.marks: dict[str, list[Mark]] = {}

    @property
    def pixels(self) -> Transform:
        """Pixels from the lower left, at whatever resolution is drawn."""
        return Affine2D().scale(1 / PER_INCH) + self.dpi_scale_trans

    def _repr_svg_(self) -> str:
        """What a notebook shows."""
        from recommender.reports.vector import standalone_svg

        return standalone_svg(self)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a legend: the text, and how the mark before it looks."""

    text: str
    look: Look
    is_upright: bool = False


@contextmanager
def settings() -> Iterator[None]:
    """Our settings while a figure is made or written, and the user's own again afterwards.

    matplotlib keeps its settings in one place for all threads, hence the lock. A sign that the
    font lacks is no reason for a warning: whoever shows the figure has other fonts.
    """
    with _LOCK, catch_warnings(), rc_context(SETTINGS):
        simplefilter("ignore", UserWarning)
        yield


def drawable(text: str) -> str:
    """A text without the signs that no XML can hold."""
    return _NOT_XML.sub("\ufffd", text)


def write(
    drawing: Drawing, x: float, y: float, text: str, *, size: float = SMALL, **look: Any
) -> None:
    """A text in the figure, in pixels from the lower left."""
    given: Look = {"color": COLOURS["muted"], "va": "baseline", **look}
    drawing.add_artist(Text(x, y, drawable(text), fontsize=size, transform=drawing.pixels, **given))


def legend_rows(entries: Sequence[Entry], room: float) -> list[list[tuple[float, Entry]]]:
    """The entries in rows that fit the room, each with where it starts."""
    rows: list[list[tuple[float, Entry]]] = [[]]
    at = 0.0
    for entry in entries:
        needed = MARK_ROOM + width_of(entry.text, SMALL)
        if rows[-1] and at + needed > room:
            rows.append([])
            at = 0.0
        rows[-1].append((at, entry))
        at += needed + LEGEND_GAP
    return rows


def draw_legend(
    drawing: Drawing, rows: Sequence[Sequence[tuple[float, Entry]]], left: float, top: float
) -> None:
    """The rows from the top down, each entry a mark and its text."""
    for row, entries in enumerate(rows):
        y = top - row * LEGEND_ROW - 8.0
        for at, entry in entries:
            x = left + at
            ends = ([x + 4, x + 4], [y - 5, y + 5]) if entry.is_upright else ([x + 4], [y])
            drawing.add_artist(Line2D(*ends, transform=drawing.pixels, **entry.look))
            write(drawing, x + MARK_ROOM, y - 3.8, entry.text)
