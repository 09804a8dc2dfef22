"""CoNLL columns: a word a line with its tags, a blank line after each sentence."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from cache.errors import BadInput
from evaluators.reading.encoding import detect_encoding, open_text
from evaluators.reading.table import Record, Table, peek
from evaluators.reading.tags import looks_tagged, scheme_of

SNIFFED_LINES = 2_000
DOCUMENT = "-DOCSTART-"


def read_conll(path: Path) -> Table:
    """One record a sentence: the words of the first column, the tags of the last, and the rest.

    Fields are separated by tabs where the first lines have them, else by blanks.
    """
    encoding, notes = detect_encoding(path)
    with open_text(path, encoding) as file:
        rows = [line.rstrip("\n") for line in islice(file, SNIFFED_LINES)]
    tabbed = any("\t" in row.strip() for row in rows)
    width = _width(rows, tabbed)
    if width < 2:
        raise BadInput(
            f"{path} has no CoNLL columns. Write a word and its tag a line, separated by a tab, "
            "and a blank line after each sentence."
        )
    columns = ("tokens", *(f"column_{at}" for at in range(2, width)), "tags")
    head, records = peek(_sentences(path, encoding, tabbed, width))
    notes += _scheme_notes([values[-1] for _, values in head])
    return Table(path.name, columns, records, notes=notes, task="token-classification")


def looks_conll(path: Path, encoding: str) -> bool:
    """Whether the first lines hold words with tags, in two columns or more, and blank lines."""
    with open_text(path, encoding) as file:
        rows = [line.rstrip("\n") for line in islice(file, SNIFFED_LINES)]
    tabbed = any("\t" in row.strip() for row in rows)
    fields = [found for row in rows if (found := _fields(row, tabbed))]
    has_gap = any(not row.strip() for row in rows[1:-1]) or len(rows) < SNIFFED_LINES
    widths = {len(row) for row in fields}
    return len(widths) == 1 and min(widths) >= 2 and has_gap and looks_tagged(
        row[-1] for row in fields
    )  # fmt: skip


def _fields(row: str, tabbed: bool) -> list[str]:
    """The fields of a line; none of a blank line, a document's start or a comment."""
    if not row.strip() or row.startswith(DOCUMENT):
        return []
    found = row.split("\t") if tabbed else row.split()
    is_comment = row.startswith("# ") and (len(found) == 1 or (found[:1] == ["#"] and not tabbed))
    return [] if is_comment and "=" in row else found


def _width(rows: Sequence[str], tabbed: bool) -> int:
    return next((len(found) for row in rows if (found := _fields(row, tabbed))), 0)


def _sentences(path: Path, encoding: str, tabbed: bool, width: int) -> Iterator[Record]:
    start, words = 1, list[list[str]]()
    with open_text(path, encoding) as file:
        for line, row in enumerate(file, start=1):
            found = _fields(row.rstrip("\r\n"), tabbed)
            if found:
                start = line if not words else start
                words.append(_checked(path, line, found, width))
            elif words:
                yield start, _turned(words)
                words = []
    if words:
        yield start, _turned(words)


def _turned(words: Sequence[Sequence[str]]) -> tuple[object, ...]:
    return tuple(list(column) for column in zip(*words, strict=True))


def _checked(path: Path, line: int, found: list[str], width: int) -> list[str]:
    if len(found) != width:
        raise BadInput(
            f"{path}, line {line:,}, column {min(len(found), width) + 1}: {len(found)} fields "
            f"where the first line has {width}. Give every word the same columns."
        )
    empty = next((at for at, field in enumerate(found, start=1) if not field.strip()), None)
    if empty in (1, width):
        what = "word" if empty == 1 else "tag"
        raise BadInput(f"{path}, line {line:,}, column {empty}: no {what}. Fill it in.")
    return found


def _scheme_notes(tags: Sequence[object]) -> tuple[str, ...]:
    scheme = scheme_of([tag for tag in tags if isinstance(tag, list)])
    return () if scheme in ("IOB2", "none") else (f"tags: {scheme}, read as IOB2",)
