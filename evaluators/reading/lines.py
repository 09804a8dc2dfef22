"""Plain lines: texts beside labels in two files, two languages in two files, labels first."""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice, zip_longest
from pathlib import Path

from cache.errors import BadInput
from evaluators.reading.conll import looks_conll, read_conll
from evaluators.reading.encoding import detect_encoding, format_of, open_text
from evaluators.reading.languages import language_in
from evaluators.reading.table import Record, Table

SNIFFED_LINES = 2_000
MOST_CLASSES = 200
LABEL_FIRST = re.compile(r"(__label__\S+|\d{1,3}|[A-Z]{2,8}:\w+)[ \t]+\S")
"""fastText's labels, numbers, and TREC's `DESC:manner`."""


def read_lines(path: Path) -> Table:
    """A text file by what its lines and the files beside it are. BadInput where nothing tells."""
    labels = label_file(path)
    if labels is not None:
        return _labelled(path, labels)
    other = translation_of(path)
    if other is not None:
        return _translated(path, other)
    encoding, notes = detect_encoding(path)
    if looks_conll(path, encoding):
        return read_conll(path)
    if _is_label_first(path, encoding):
        notes += ("format: lines that begin with their label",)
        return Table(path.name, ("label", "text"), _label_first(path, encoding), notes=notes)
    raise BadInput(
        f"{path}: cannot tell its format. Name it by what it is: .csv, .tsv, .jsonl or .conll."
    )


def label_file(path: Path) -> Path | None:
    """`test_labels.txt` of `test_text.txt`, where it is there."""
    match = re.fullmatch(r"(.*[_.-])(texts?|sentences|inputs)(\.\w+)?", path.name)
    if match is None:
        return None
    names = (f"{match[1]}{word}{match[3] or ''}" for word in ("labels", "label"))
    return next((path.with_name(name) for name in names if path.with_name(name).is_file()), None)


def translation_of(path: Path) -> Path | None:
    """`val.de.gz` of `val.en.gz`: the only file of the same name in another language."""
    if not (code := _language(path)):
        return None
    stem = _stem(path)
    others = [
        file for file in sorted(path.parent.iterdir())
        if file.is_file() and _stem(file) == stem and _language(file) not in (None, code)
    ]  # fmt: skip
    if len(others) > 1:
        shown = ", ".join(file.name for file in others)
        raise BadInput(f"{path} has several translations beside it ({shown}). Leave only one.")
    return others[0] if others else None


def _language(path: Path) -> str | None:
    return language_in(format_of(path).removeprefix("."))


def _stem(path: Path) -> str:
    inner = path.with_suffix("") if path.suffix.casefold() == ".gz" else path
    return inner.stem


def _labelled(path: Path, labels: Path) -> Table:
    """Lines with the labels of another file, by the names of mapping.txt if it is there."""
    names = _mapping(path.with_name("mapping.txt"))
    notes = (f"labels: the lines of {labels.name}" + (", named by mapping.txt" if names else ""),)
    records = ((at, (text, names.get(label, label))) for at, (text, label) in _pairs(path, labels))
    return Table(path.name, ("text", "label"), records, notes=notes)


def _mapping(path: Path) -> dict[str, str]:
    """Label names by number, as TweetEval gives them: `0<TAB>anger`."""
    if not path.is_file():
        return {}
    rows = [line.split("\t") for line in _lines(path) if line.strip()]
    return {row[0].strip(): row[1].strip() for row in rows if len(row) == 2}


def _translated(path: Path, other: Path) -> Table:
    columns = (str(_language(path)), str(_language(other)))
    notes = (f"translation: from {columns[0]} ({path.name}) to {columns[1]} ({other.name})",)
    return Table(path.name, columns, _pairs(path, other), notes=notes, task="translation")


def _pairs(path: Path, other: Path) -> Iterator[tuple[int, tuple[str, str]]]:
    """The lines of two files side by side; BadInput where one is shorter."""
    for at, (ours, theirs) in enumerate(zip_longest(_lines(path), _lines(other)), start=1):
        if ours is None or theirs is None:
            short, long = (path, other) if ours is None else (other, path)
            raise BadInput(f"{short} ends before line {at:,}, which {long} has. Pair their lines.")
        yield at, (ours, theirs)


def _lines(path: Path) -> Iterator[str]:
    encoding, _ = detect_encoding(path)
    with open_text(path, encoding) as file:
        for line in file:
            yield line.rstrip("\r\n")


def _is_label_first(path: Path, encoding: str) -> bool:
    with open_text(path, encoding) as file:
        rows = [line for line in islice(file, SNIFFED_LINES) if line.strip()]
    labels = Counter(match[1] for row in rows if (match := LABEL_FIRST.match(row)))
    is_every = sum(labels.values()) == len(rows) > 0
    return is_every and 1 < len(labels) <= min(MOST_CLASSES, len(rows) / 2)


def _label_first(path: Path, encoding: str) -> Iterator[Record]:
    with open_text(path, encoding) as file:
        for line, row in enumerate(file, start=1):
            if row.strip():
                label, _, text = row.rstrip("\r\n").replace("\t", " ", 1).partition(" ")
                yield line, (label.removeprefix("__label__"), text.strip())
