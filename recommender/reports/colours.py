"""The colours of figures and pages, by what they stand for."""

from collections.abc import Mapping
from types import MappingProxyType

COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "bg": "#ffffff",
        "fg": "#1b1e23",
        "muted": "#596069",
        "grid": "#e4e6e9",
        "requirement": "#33373e",
        "feasible": "#eaf6f1",
        "band": "#cfe9df",
        "choice": "#009e73",
        "frontier": "#0072b2",
        "turned-down": "#787e87",
        "failed": "#d55e00",
        "not-run": "#8f959e",
        "baseline": "#b5588f",
        "insufficient": "#b97800",
        "raced-out": "#3d92c4",
    }
)
"""On white. The hues of marks are those of Okabe and Ito (Color Universal Design, 2008), which the
common kinds of colour blindness tell apart; the lightest are darkened until they stand out 3:1
from the background. Each is unique, so that a figure's colours can be read back as names."""

DARK: Mapping[str, str] = MappingProxyType(
    {
        "bg": "#14171b",
        "fg": "#e8eaed",
        "muted": "#a3aab4",
        "grid": "#2b3037",
        "requirement": "#ccd1d8",
        "feasible": "#15241f",
        "band": "#1d3f33",
        "choice": "#2bc296",
        "frontier": "#56b4e9",
        "turned-down": "#8d949e",
        "failed": "#ff8537",
        "not-run": "#78808b",
        "baseline": "#d98fb9",
        "insufficient": "#e69f00",
        "raced-out": "#7cc4ee",
    }
)
"""The same on black."""
