"""The figure of docs/guarantee.md: what is certified while labels are read, in one simulated draw.

python benchmarks/figure.py   writes docs/guarantee.svg

Needs the extra `benchmarks`. The bets and the bounds are the product's; only the answers are drawn.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from recommender.evidence.bounds import certified_bounds
from recommender.evidence.ledger import Reserves
from recommender.evidence.scores import Reduction
from recommender.evidence.wealth import Floats

SVG = Path(__file__).parent.parent / "docs" / "guarantee.svg"
SEED = 7
TARGET, N_LABELS, STEP = 0.90, 1000, 5
DELTA, N_CANDIDATES = 0.05, 36
GOAL = -log(Reserves().pool * DELTA / N_CANDIDATES)
"""The log wealth that certifies one of 36 candidates of equal weights."""

GRID = np.arange(1, 1000) / 1000
"""The targets that are bet on, as in bounds.py."""

BOTTOM, TOP, RIGHT = 0.795, 0.96, 1290
FIRST_SHOWN = 80
"""Estimates on fewer labels jump too much to be read."""

LEAST_GAP = 0.0085
"""Between the names beside the lines, in units of accuracy."""

GREY = "#757b84"
"""Like the models' colours readable on white and on a dark page: the background is transparent."""


@dataclass(frozen=True, slots=True)
class Model:
    """A simulated candidate: its true accuracy and its colour."""

    name: str
    accuracy: float
    color: str


MODELS = (
    Model("A", 0.930, "#1f83c9"),
    Model("B", 0.905, "#cf6414"),
    Model("C", 0.880, "#9467c9"),
)
"""Blue, orange and violet of about one lightness; each line also carries its name."""


@dataclass(frozen=True, slots=True)
class Course:
    """What is known of one model after each number of labels."""

    model: Model
    estimates: Floats
    bounds: Floats

    @classmethod
    def drawn(cls, model: Model, answers: np.random.Generator) -> "Course":
        """From simulated answers, each right with the model's accuracy."""
        right = (answers.random(N_LABELS) < model.accuracy).astype(np.float64)
        whole = Reduction(right, np.ones(N_LABELS))
        won = whole.wealth(GRID, goal=GOAL, batch_ends=[N_LABELS]) >= GOAL  # (targets, labels)
        ever = np.maximum.accumulate(won, axis=1)
        n_won = np.cumprod(ever, axis=0).sum(axis=0)  # this target, and every lower one
        bounds = np.concatenate([[0.0], GRID])[n_won]
        assert bounds[-1] == certified_bounds([whole], goals=[GOAL], batch_ends=[N_LABELS])[0]
        every = slice(STEP - 1, None, STEP)
        return cls(model, whole.estimates()[every], bounds[every])

    @property
    def labels(self) -> Sequence[int]:
        """The numbers of labels read."""
        return range(STEP, N_LABELS + 1, STEP)

    @property
    def certified_after(self) -> int | None:
        """The labels after which the target is certified; None where it never is."""
        pairs = zip(self.labels, self.bounds, strict=True)
        return next((n for n, bound in pairs if bound >= TARGET), None)


def main() -> None:
    """Draw, and write the file."""
    mpl.rcParams.update({
        "svg.fonttype": "none", "svg.hashsalt": "guarantee", "path.simplify": False,
        "font.family": ["Helvetica", "Arial", "DejaVu Sans"], "font.size": 12,
        "text.color": GREY, "axes.edgecolor": GREY, "xtick.color": GREY, "ytick.color": GREY,
    })  # fmt: skip
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # the reader's fonts
    answers = np.random.default_rng(SEED)
    courses = [Course.drawn(model, answers) for model in MODELS]
    figure = Figure(figsize=(8.6, 5.0))
    axes = figure.add_axes((0.085, 0.115, 0.905, 0.87))
    _frame(axes)
    for course in courses:
        _lines(axes, course)
    _names(axes, courses)
    SVG.parent.mkdir(exist_ok=True)
    figure.savefig(SVG, transparent=True, metadata={"Date": None, "Creator": None})


def _frame(axes: Axes) -> None:
    axes.set_xlim(0, RIGHT)
    axes.set_ylim(BOTTOM, TOP)
    axes.set_xticks(range(0, N_LABELS + 1, 200), [f"{n:,}" for n in range(0, N_LABELS + 1, 200)])
    axes.set_yticks([0.80, 0.85, 0.90, 0.95], ["0.80", "0.85", "0.90", "0.95"])
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_bounds(0, N_LABELS)
    axes.tick_params(length=4)
    axes.set_xlabel("labels read", color=GREY, x=N_LABELS / RIGHT / 2)
    axes.plot([0, N_LABELS], [TARGET, TARGET], color=GREY, linewidth=1.2, dashes=(6, 3))
    axes.text(N_LABELS + 28, TARGET, f"target {TARGET:.2f}", weight="bold", va="center")
    axes.text(6, TOP - 0.004, "accuracy", va="center")


def _lines(axes: Axes, course: Course) -> None:
    color, shown = course.model.color, FIRST_SHOWN // STEP - 1
    labels = list(course.labels)
    axes.plot(labels[shown:], course.estimates[shown:], color=color, linewidth=1.3, alpha=0.85)
    axes.step(labels, course.bounds, where="post", color=color, linewidth=2.6)
    found = course.certified_after
    if found is None:
        return
    axes.plot([found], [TARGET], "o", color=color, markersize=9)
    axes.annotate(
        f"{course.model.name} is certified\nafter {found} labels",
        (found, TARGET), (found + 12, TARGET - 0.0112), color=color, weight="bold", va="center",
        linespacing=1.25,
    )  # fmt: skip


def _names(axes: Axes, courses: Sequence[Course]) -> None:
    """Beside the end of each line, what it is; names that are too near are moved apart."""
    ends: list[tuple[float, str, str, str]] = []
    for course in courses:
        name, color = course.model.name, course.model.color
        estimate, bound = float(course.estimates[-1]), float(course.bounds[-1])
        ends.append((estimate, f"{name} estimate {estimate:.3f}", "normal", color))
        ends.append((bound, f"{name} certified ≥ {bound:.3f}", "bold", color))
    ends.sort()
    at = BOTTOM
    for value, text, weight, color in ends:
        at = max(value, at + LEAST_GAP)
        axes.text(N_LABELS + 28, at, text, color=color, weight=weight, va="center")
        axes.plot([N_LABELS + 4, N_LABELS + 22], [value, at], color=color, linewidth=0.8)


if __name__ == "__main__":
    main()
