"""Libraries that come with an extra; a missing one is named with the line that installs it."""

from importlib import import_module
from types import ModuleType

from cache.errors import MissingExtra


def library(name: str, *, extra: str) -> ModuleType:
    """The module of that name; MissingExtra where it is not installed."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.partition(".")[0]:
            raise
        raise MissingExtra(
            f"this metric needs {error.name}, which is not installed; "
            f"run: pip install 'recommender[{extra}]'"
        ) from None
