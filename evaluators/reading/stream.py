"""Standard input: written to a temporary file, since formats are found by reading twice."""

import shutil
import sys
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from cache.errors import BadInput
from evaluators.reading.delimited import read_delimited
from evaluators.reading.json_records import read_json
from evaluators.reading.table import Record, Table

NAME = "standard input"
START_BYTES = 1 << 16


def read_stream(named: Collection[str] = (), *, stream: BinaryIO | None = None) -> Table:
    """The table on standard input: json lines, tab- or comma-separated, by its first line."""
    folder = Path(tempfile.mkdtemp(prefix="recommender-"))
    path = folder / "rows"
    try:
        with path.open("wb") as file:
            shutil.copyfileobj(stream or sys.stdin.buffer, file)
        with _said_of_stream(path):
            table = _table(path, named)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return replace(table, name=NAME, records=_removed(table.records, path))


def _table(path: Path, named: Collection[str]) -> Table:
    with path.open("rb") as file:
        start = file.read(START_BYTES).lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start:
        raise BadInput(f"{NAME} is empty. Pipe a header and at least two labelled rows into it.")
    if start[:1] in (b"{", b"["):
        return read_json(path.rename(path.with_suffix(".json")))
    first = start.splitlines()[0]
    return read_delimited(path, delimiter="\t" if b"\t" in first else ",", named=named)


def _removed(records: Iterable[Record], path: Path) -> Iterator[Record]:
    try:
        with _said_of_stream(path):
            yield from records
    finally:
        shutil.rmtree(path.parent, ignore_errors=True)


@contextmanager
def _said_of_stream(path: Path) -> Iterator[None]:
    """Errors that name the temporary file name the stream instead."""
    try:
        yield
    except BadInput as error:
        told = str(error).replace(str(path.with_suffix(".json")), NAME).replace(str(path), NAME)
        raise BadInput(told) from error
