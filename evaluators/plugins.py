"""Backends and recipes, found by entry point: ours exactly as a stranger's."""

from difflib import get_close_matches
from functools import lru_cache
from importlib.metadata import entry_points
from typing import cast

from cache.errors import NotFound
from evaluators.protocols import Backend, RecipeMethod, TaskMethod


def backend(name: str) -> Backend:
    """The runtime of that name; its import may take seconds. NotFound names the nearest."""
    return cast(Backend, _plugin("recommender.backends", name))


def recipe_method(name: str) -> RecipeMethod:
    """The recipe's plug-in of that name. NotFound names the nearest."""
    return cast(RecipeMethod, _plugin("recommender.recipes", name))


def task_method(name: str) -> TaskMethod:
    """The task's plug-in of that name; its import loads no heavy library."""
    return cast(TaskMethod, _plugin("recommender.tasks", name))


def recipe_methods() -> dict[str, RecipeMethod]:
    """Every recipe plug-in that is installed, by name, in alphabetical order."""
    points = sorted(entry_points(group="recommender.recipes"), key=lambda point: point.name)
    return {point.name: cast(RecipeMethod, point.load()()) for point in points}


@lru_cache  # a scan of what is installed takes 10 ms; a search asks thousands of times
def _plugin(group: str, name: str) -> object:
    found = {entry.name: entry for entry in entry_points(group=group)}
    if name not in found:
        near = get_close_matches(name, found, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(sorted(found))}."
        raise NotFound(f"no plug-in {name!r} in {group}. {hint}")
    return found[name].load()()
