"""Excel workbooks. The home of openpyxl."""

import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from cache.errors import BadInput, NotFound
from evaluators.reading.header import is_header, name_columns
from evaluators.reading.splits import role_of
from evaluators.reading.table import Record, Table, first_line, in_words, peek


def read_excel(path: Path, *, sheet: str | None, named: Collection[str] = ()) -> Table:
    """A sheet of a workbook: the named one, else the first. Formulas give their last values."""
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, OSError, ValueError) as error:
        raise BadInput(
            f"{path} is no Excel workbook (.xlsx): {first_line(error)}. Save it as .xlsx or .csv."
        ) from error
    name, notes = _sheet(path, book.sheetnames, sheet)
    head, records = peek(_rows(path, book[name]))
    if not head:
        raise BadInput(f"{path}, sheet {name!r} is empty. Give a header and two labelled rows.")
    first = tuple("" if value is None else str(value) for value in head[0][1])
    if is_header(first, [values for _, values in head[1:]], named):
        next(records)
        columns = name_columns(first, path)
    else:
        columns = tuple(f"column_{at}" for at in range(1, len(first) + 1))
        notes += (f"no header: the first row is data; columns are called {', '.join(columns)}",)
    split = name if role_of(name) else None
    rows = _even(path, records, len(columns))
    return Table(path.name, columns, rows, place="row", notes=notes, split=split)


def _sheet(path: Path, names: list[str], asked: str | None) -> tuple[str, tuple[str, ...]]:
    if asked is not None and asked not in names:
        raise NotFound(f"{path} has no sheet {asked!r}; it has {in_words(names)}.")
    if asked is not None or len(names) == 1:
        return asked or names[0], ()
    return names[0], (f"sheet: {names[0]!r}, the first of {in_words(names)}",)


def _rows(path: Path, sheet: Any) -> Iterator[Record]:  # openpyxl ships no types
    """Rows that are not blank, with their number; errors such as #REF! are refused."""
    for at, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
        values = list(cells)
        while values and values[-1] is None:
            values.pop()
        for column, value in enumerate(values, start=1):
            if isinstance(value, str) and value in ("#REF!", "#NAME?", "#VALUE!", "#DIV/0!"):
                raise BadInput(f"{path}, row {at:,}, column {column}: the error {value}. Mend it.")
        if values:
            yield at, tuple(values)


def _even(path: Path, records: Iterator[Record], width: int) -> Iterator[Record]:
    """Rows of one width: cells that end a row early are empty, further ones are refused."""
    for at, values in records:
        if len(values) > width:
            raise BadInput(
                f"{path}, row {at:,}, column {width + 1}: {len(values)} cells where the header "
                f"has {width}. Give each column a name."
            )
        yield at, values + (None,) * (width - len(values))
