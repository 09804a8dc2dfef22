"""What a Python program gives as an argument: of the right kind, or refused in one line.

The command line has options of the same meaning, so that each message names both.
"""

from collections.abc import Iterable, Mapping
from math import isnan
from numbers import Integral, Real

from cache.errors import BadInput

OPTIONS = {
    "backends": "--backend",
    "columns": "--column",
    "disk_budget_mb": "--disk-budget",
    "max_download_mb": "--max-download",
    "models": "--model",
    "sources": "--source",
    "task_options": "--task-option",
    "time_limit_s": "--time-limit",
}
"""The options that are not called as their arguments are."""

IN_PYTHON = frozenset({"home"})
"""Arguments that no option has."""

SHOWN_CHARACTERS = 60


def text(name: str, value: object) -> str:
    """A text. BadInput for all else."""
    if not isinstance(value, str):
        raise _refused(name, value, "a text")
    return value


def optional_text(name: str, value: object) -> str | None:
    """A text or None. BadInput for all else."""
    return None if value is None else text(name, value)


def texts(name: str, value: object, example: str) -> tuple[str, ...]:
    """One text or several. BadInput for all else."""
    if isinstance(value, str):
        return (value,)
    several = () if isinstance(value, Mapping | bytes) else value
    if not isinstance(several, Iterable) or several is not value:
        raise _refused(name, value, f"a text or a list of texts, such as {example}")
    found = tuple(several)
    wrong = next((one for one in found if not isinstance(one, str)), "")
    if wrong != "":
        raise _refused(f"an item of {name}", wrong, f"a text, such as {example}", option_of(name))
    return found


def flag(name: str, value: object) -> bool:
    """True or False. BadInput for all else: a text such as "no" would count as True."""
    if not isinstance(value, bool):
        raise _refused(name, value, "True or False")
    return value


def whole(name: str, value: object, *, least: int, most: int | None = None) -> int:
    """A whole number, also one of numpy's. BadInput for all else."""
    found = int(value) if isinstance(value, Integral) and not isinstance(value, bool) else None
    if found is None or found < least or (most is not None and found > most):
        until = "" if most is None else f" and at most {most}"
        raise _refused(name, value, f"a whole number of at least {least}{until}")
    return found


def number(name: str, value: object, what: str) -> float:
    """A number that is not NaN. BadInput, with `what` is allowed, for all else."""
    if not isinstance(value, Real) or isinstance(value, bool) or isnan(value):
        raise _refused(name, value, what)
    return float(value)


def budget(name: str, value: object, unit: str) -> float | None:
    """A number of at least 0; None and infinity are no limit. BadInput for all else."""
    if value is None:
        return None
    allowed = f"a number of {unit}, 0 or more, or leave it out for no limit"
    found = number(name, value, allowed)
    if found < 0:
        raise _refused(name, value, allowed)
    return None if found == float("inf") else found


def mapping(name: str, value: object, example: str) -> dict[str, object]:
    """A mapping with texts as keys; empty for None. BadInput for all else."""
    if value is not None and not isinstance(value, Mapping):
        raise _refused(name, value, f"a mapping, such as {example}")
    return {str(key): item for key, item in (value or {}).items()}


def option_of(name: str) -> str:
    """How the command line calls an argument, in brackets; nothing where it has none."""
    if name in IN_PYTHON:
        return ""
    return f" ({OPTIONS.get(name, '--' + name.replace('_', '-'))})"


def _refused(name: str, value: object, allowed: str, option: str | None = None) -> BadInput:
    shown = " ".join(repr(value).split())
    short = shown if len(shown) <= SHOWN_CHARACTERS else f"{shown[:SHOWN_CHARACTERS]}..."
    called = option_of(name) if option is None else option
    return BadInput(f"{name}{called} is {short}; give {allowed}")
