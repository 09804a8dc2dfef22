"""Comma-, tab- and otherwise separated files, read with the standard library only."""

import csv
import io
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Literal

from cache.errors import BadInput
from evaluators.reading.columns import guess_columns
from evaluators.reading.encoding import detect_encoding, open_text
from evaluators.reading.header import is_header, name_columns
from evaluators.reading.table import Record, Table, peek

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
SNIFFED_CHARACTERS = 1 << 22
SNIFFED_ROWS = 50
MAX_FIELD_CHARACTERS = 1 << 24  # the csv module's own limit of 131,072 is less than a long document
LIMIT = Lock()
"""Held while that limit is raised: it is the whole process's, and others read files too."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How fields are separated, and whether double quotes enclose them."""

    delimiter: str
    quoted: bool

    @property
    def quoting(self) -> Literal[0, 3]:
        """The csv module's word for it."""
        return csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE


def read_delimited(path: Path, *, delimiter: str, named: Collection[str] = ()) -> Table:
    """A delimited file; `delimiter` is what its suffix promises, `named` columns must be there."""
    encoding, notes = detect_encoding(path)
    start = _start(path, encoding)
    dialect = _dialect(start, delimiter)
    if dialect.delimiter != delimiter:
        notes += (f"delimiter: {DELIMITERS[dialect.delimiter]}, as the first rows have it",)
    head, records = peek(_records(path, encoding, dialect))
    if not head:
        raise BadInput(f"{path} is empty. Give a header and at least two labelled rows.")
    first = tuple(str(value) for value in head[0][1])
    if is_header(first, [values for _, values in head[1:]], named):
        next(records)
        columns = name_columns(first, path)
    else:
        columns = _nameless(len(first), head)
        notes += (f"no header: the first row is data; columns are called {', '.join(columns)}",)
    return Table(path.name, columns, _even(records, path, columns, dialect), notes=notes)


def _start(path: Path, encoding: str) -> str:
    with open_text(path, encoding) as file:
        return file.read(SNIFFED_CHARACTERS)


def _dialect(start: str, promised: str) -> Dialect:
    """The promised delimiter if the first rows agree on it, else the one that they agree on."""
    candidates = [promised, *(other for other in DELIMITERS if other != promised)]
    for delimiter in candidates:
        dialect = Dialect(delimiter, delimiter != "\t" or _is_quoted(start, delimiter))
        if _agrees(start, dialect):
            return dialect
    return Dialect(promised, promised != "\t" or _is_quoted(start, promised))


def _agrees(start: str, dialect: Dialect) -> bool:
    try:
        rows = [row for _, row in islice(_rows(io.StringIO(start), dialect), SNIFFED_ROWS)]
    except csv.Error:
        return False
    widths = {len(row) for row in rows if row}
    return len(widths) == 1 and min(widths) >= 2


def _is_quoted(start: str, delimiter: str) -> bool:
    """Whether quotes enclose fields: writing what quotes gave must give the same text again.

    Tab-separated texts often hold quotes that mean themselves. Three ways of quoting are known:
    only where needed, everything, everything but numbers (R's `write.table`).
    """
    if '"' not in start:
        return False
    quoted = Dialect(delimiter, quoted=True)
    rows = [row for _, row in _rows(io.StringIO(start), quoted, strict=False)]
    is_cut = len(start) == SNIFFED_CHARACTERS
    whole = rows[:-1] if is_cut else rows
    ways: tuple[Callable[[str], bool], ...] = (
        lambda field: any(sign in field for sign in f'"\n{delimiter}'),
        lambda field: True,
        lambda field: not _is_number(field),
    )
    ended = start if is_cut else start.rstrip("\n") + "\n"
    return any(ended.startswith(_written(whole, delimiter, way)) for way in ways)


def _written(rows: list[list[str]], delimiter: str, needs_quotes: Callable[[str], bool]) -> str:
    def field_text(field: str) -> str:
        doubled = field.replace('"', '""')
        return f'"{doubled}"' if needs_quotes(field) else field

    return "".join(delimiter.join(map(field_text, row)) + "\n" for row in rows)


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _rows(
    lines: Iterable[str], dialect: Dialect, *, strict: bool = True
) -> Iterator[tuple[int, list[str]]]:
    """Every row of lines with the line after it. Raises csv.Error.

    The csv module's limit is raised for each row alone, so that nobody else meets ours, in
    whatever order files are read and left.
    """
    reader = csv.reader(lines, delimiter=dialect.delimiter, quoting=dialect.quoting, strict=strict)
    while True:
        with LIMIT:
            before = csv.field_size_limit(MAX_FIELD_CHARACTERS)
            try:
                row = next(reader, None)
            finally:
                csv.field_size_limit(before)
        if row is None:
            return
        yield reader.line_num + 1, row


def _records(path: Path, encoding: str, dialect: Dialect) -> Iterator[Record]:
    """Every row that is not blank, with the line on which it begins."""
    line = 1
    with open_text(path, encoding, newline="") as file:
        try:
            for after, row in _rows(file, dialect):
                if row:
                    yield line, tuple(row)
                line = after
        except csv.Error as error:
            raise _unreadable(path, line, error) from error


def _unreadable(path: Path, line: int, error: csv.Error) -> BadInput:
    if "limit" in str(error):
        what = f"a field of more than {MAX_FIELD_CHARACTERS:,} characters, or a quote never closed"
    elif "end of data" in str(error):
        what = "a quote is opened and never closed"
    else:
        what = "a quoted field goes on after its closing quote"
    return BadInput(f'{path}, line {line:,}: {what}. Write quotes inside a quoted text twice ("").')


def _nameless(n_columns: int, head: list[Record]) -> tuple[str, ...]:
    """Names for a file without a header: text and label where there are two columns."""
    columns = tuple(f"column_{number}" for number in range(1, n_columns + 1))
    if n_columns != 2 or any(len(values) != 2 for _, values in head):
        return columns
    guess = guess_columns(columns, [values for _, values in head])
    return ("text", "label") if guess.text == 0 else ("label", "text")


def _even(
    records: Iterator[Record], path: Path, columns: tuple[str, ...], dialect: Dialect
) -> Iterator[Record]:
    for line, values in records:
        if len(values) != len(columns):
            raise _ragged(path, line, len(values), columns, dialect)
        yield line, values


def _ragged(
    path: Path, line: int, n_fields: int, columns: tuple[str, ...], dialect: Dialect
) -> BadInput:
    sign = DELIMITERS[dialect.delimiter]
    quoted = f"Put texts that hold a {sign} in double quotes"
    hint = quoted if dialect.quoted else f"A text must not hold a {sign}"
    where = f"column {min(n_fields, len(columns)) + 1}"
    return BadInput(
        f"{path}, line {line:,}, {where}: {n_fields} fields where the first row has "
        f"{len(columns)} ({', '.join(columns)}). {hint}."
    )
