"""What the shell offers for an argument: ids from the stores, names of plug-ins, files.

Runs at every press of Tab, so it reads SQLite files as they are, with little imported, and says
nothing where one cannot be read. Ids come from strangers: only those are offered that no shell
could take for anything but a word.
"""

import os
import re
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from cache.database import open_to_read
from cache.paths import Home

MOST = 50
"""At most this many are offered."""

BUSY_S = 0.05
ID_DIGITS = 8
PLAIN_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/+-]*")


def models(context: click.Context, option: click.Parameter, start: str) -> list[str]:
    """Ids of the catalog that begin so; before the first letter the most promising."""
    if start:
        statement = (
            "SELECT DISTINCT id FROM models WHERE listed AND gone_at IS NULL "
            "AND id >= ? AND id < ? ORDER BY id LIMIT ?"
        )
        found = _read(_home().catalog, statement, *_between(start), MOST)
    else:
        statement = (
            "SELECT id FROM models WHERE listed AND gone_at IS NULL ORDER BY score DESC LIMIT ?"
        )
        found = _read(_home().catalog, statement, MOST)
    return _plain((row[0] for row in found), start)


def searched_models(context: click.Context, option: click.Parameter, start: str) -> list[str]:
    """Ids of models that were evaluated here."""
    statement = (
        "SELECT DISTINCT model FROM candidates WHERE model >= ? AND model < ? "
        "ORDER BY model LIMIT ?"
    )
    found = _read(_home().measurements, statement, *_between(start), MOST)
    return _plain((row[0] for row in found), start)


def runs(context: click.Context, option: click.Parameter, start: str) -> list[CompletionItem]:
    """First digits of the ids of past searches, the newest first, with their times."""
    statement = (
        "SELECT key, answered_at FROM runs WHERE key >= ? AND key < ? "
        "ORDER BY answered_at DESC LIMIT ?"
    )
    found = _read(_home().measurements, statement, *_between(start), MOST)
    n_digits = max(ID_DIGITS, len(start))
    return [
        CompletionItem(key[:n_digits], help=str(at).replace("T", " ")[:16])
        for key, at in found
        if PLAIN_WORD.fullmatch(str(key))
    ]


def tasks(context: click.Context, option: click.Parameter, start: str) -> list[str]:
    """Tasks that are installed."""
    return _plain(_plugins("tasks"), start)


def metrics(context: click.Context, option: click.Parameter, start: str) -> list[str]:
    """Metrics that are installed."""
    return _plain(_plugins("metrics"), start)


def backends(context: click.Context, option: click.Parameter, start: str) -> list[str]:
    """Runtimes for which there is a plug-in."""
    return _plain(_plugins("backends"), start)


def sources(context: click.Context, option: click.Parameter, start: str) -> list[str]:
    """Kinds of places; the path behind one is not completed."""
    return _plain(_plugins("sources"), start)


def files(context: click.Context, option: click.Parameter, start: str) -> list[CompletionItem]:
    """Whatever files the shell finds."""
    return [CompletionItem(start, type="file")]


def _home() -> Home:
    return Home.parse(os.environ)


def _between(start: str) -> tuple[str, str]:
    """The least and the first too large text of those that begin so."""
    return start, f"{start}\U0010ffff"


def _plain(found: Iterable[Any], start: str) -> list[str]:
    """The words without anything that a shell would read as more than a letter."""
    return [
        word for word in map(str, found) if word.startswith(start) and PLAIN_WORD.fullmatch(word)
    ]


def _read(file: Path, statement: str, *values: object) -> Sequence[tuple[Any, ...]]:
    """The rows of a store that is only looked at; none where it cannot be."""
    try:
        with closing(open_to_read(file, timeout_s=BUSY_S)) as store:
            return [tuple(row) for row in store.execute(statement, values)]
    except (OSError, ValueError, sqlite3.Error):
        return ()


def _plugins(seam: str) -> list[str]:
    """The names of a seam's entry points, as packaging writes them beside installed packages.

    Read by hand: importing importlib.metadata takes a third of the time there is.
    """
    files = (f for place in sys.path for f in Path(place).glob("*.dist-info/entry_points.txt"))
    return sorted({name for file in files for name in _names_in(file, seam)})


def _names_in(file: Path, seam: str) -> Iterator[str]:
    """The names below `[recommender.tasks]`."""
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeError):
        return
    group = ""
    for line in text.splitlines() if "[recommender." in text else ():
        if line.startswith("["):
            group = line.strip()
        elif group == f"[recommender.{seam}]" and "=" in line:
            yield line.partition("=")[0].strip()
