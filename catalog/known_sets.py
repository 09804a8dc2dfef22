"""What was read of the catalog lately, so that the next questions need not read it again.

Many questions have a language, a size or an order in common. Sets of models, and codes that they
are sorted by, are read again as soon as anybody has written to the catalog.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from sys import getsizeof
from time import perf_counter
from typing import Any, TypeVar  # Any: each name has a kind of its own
from weakref import WeakKeyDictionary

Known = TypeVar("Known")
Name = tuple[str, str]
LIMIT_BYTES = 100 * 2**20
"""Of all sets that one connection remembers."""


@dataclass(slots=True)
class _Sets:
    """What one connection remembers of one state of the catalog.

    A set has a worth: the seconds that it took to read. When there are too many, the one of least
    worth goes, and its worth is added to that of all that are asked for later (GreedyDual).
    """

    version: tuple[int, int]
    by_name: dict[Name, tuple[Any, float]] = field(default_factory=dict)
    worth: dict[Name, float] = field(default_factory=dict)
    least: float = 0.0
    n_bytes: int = 0
    is_held: bool = False

    def get(self, name: Name) -> Any:
        """A set that is remembered."""
        found, seconds = self.by_name.get(name, (None, 0.0))
        if found is not None:
            self.worth[name] = self.least + seconds
        return found

    def add(self, name: Name, found: Any, seconds: float) -> None:
        """Remembers a set, and forgets others where they become too many."""
        self.by_name[name] = found, seconds
        self.worth[name] = self.least + seconds
        self.n_bytes += getsizeof(found)
        while self.n_bytes > LIMIT_BYTES:
            name = min(self.worth, key=self.worth.__getitem__)
            self.least = self.worth.pop(name)
            self.n_bytes -= getsizeof(self.by_name.pop(name)[0])


_KNOWN: WeakKeyDictionary[sqlite3.Connection, _Sets] = WeakKeyDictionary()


@contextmanager
def one_state(connection: sqlite3.Connection) -> Iterator[None]:
    """What is read inside is of one state of the catalog, whatever others write meanwhile."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        sets = _current(connection)
        sets.is_held = True
        try:
            yield
        finally:
            sets.is_held = False
    finally:
        if connection.in_transaction:
            connection.execute("COMMIT")


def known(connection: sqlite3.Connection, name: Name, read: Callable[[], Known]) -> Known:
    """What is read by this name, from memory where nothing was written since."""
    sets = _KNOWN.get(connection)
    if sets is None or not sets.is_held:
        if connection.in_transaction:  # what it wrote may still be rolled back
            return read()
        sets = _current(connection)
    found: Known | None = sets.get(name)
    if found is None:
        start = perf_counter()
        found = read()
        sets.add(name, found, perf_counter() - start)
    return found


def _current(connection: sqlite3.Connection) -> _Sets:
    """What is remembered of the catalog as it is now."""
    others = connection.execute("PRAGMA data_version").fetchone()[0]
    version = (others, connection.total_changes)
    sets = _KNOWN.get(connection)
    if sets is None or sets.version != version:
        sets = _KNOWN[connection] = _Sets(version)
    return sets
