"""Everything that can be added: entry points, found by name, answered with the nearest one."""

from collections.abc import Iterable
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from cache.errors import NotFound

SEAMS = ("sources", "tasks", "metrics", "backends", "recipes", "reports")


def installed(seam: str) -> dict[str, EntryPoint]:
    """The plug-ins of a seam (`backends` is the entry-point group `recommender.backends`)."""
    return {point.name: point for point in entry_points(group=f"recommender.{seam}")}


def plugin(seam: str, name: str) -> Any:  # Any: each seam's protocol is its caller's concern
    """The named plug-in, loaded. Raises NotFound with the nearest name and the list."""
    return check_installed(seam, [name])[name].load()


def check_installed(seam: str, names: Iterable[str]) -> dict[str, EntryPoint]:
    """All of the seam. NotFound for the first of the names that is none of them; loads nothing."""
    known = installed(seam)
    for name in names:
        if name not in known:
            raise NotFound(unknown(name, list(known), what=seam.removesuffix("s")))
    return known


def unknown(name: str, known: list[str], *, what: str) -> str:
    """One line for a name that does not exist: the nearest one, and the list."""
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"Did you mean '{near[0]}'? " if near else ""
    return f"unknown {what} '{name}'. {hint}Known: {', '.join(sorted(known)) or 'none'}"
