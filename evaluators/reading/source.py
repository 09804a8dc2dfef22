"""Where does a source's table come from? By suffix or layout, else from the Hub."""

import difflib
import importlib
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from cache.errors import BadInput, MissingExtra, NotFound
from evaluators.reading.conll import read_conll
from evaluators.reading.delimited import read_delimited
from evaluators.reading.documents import split_names
from evaluators.reading.encoding import detect_encoding, format_of
from evaluators.reading.folders import (
    Part,
    choose_part,
    coco_parts,
    is_retrieval,
    media_table,
    parts_of_folder,
    split_name,
    table_in,
    unreadable_folder,
    with_split,
)
from evaluators.reading.json_records import read_json, whole_object
from evaluators.reading.lines import read_lines
from evaluators.reading.retrieval import read_retrieval
from evaluators.reading.splits import Splits, chosen_splits, role_of
from evaluators.reading.stream import read_stream
from evaluators.reading.table import Table

SUFFIXES = (
    ".csv", ".tsv", ".jsonl", ".json", ".parquet", ".arrow", ".feather", ".xlsx", ".conll", ".iob",
)  # fmt: skip
CONLL = (".conll", ".conll2003", ".iob", ".iob2", ".bio", ".ner")
EXCEL = (".xlsx", ".xlsm")
NO_ID = (*SUFFIXES, *CONLL, *EXCEL, ".txt", ".xls", ".gz", ".zip")
HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?(:[\w.-]+)?(@[\w./-]+)?")
STDIN = "-"


def open_table(source: str | Path, *, split: str | None, named: Collection[str]) -> Table:
    """The table behind a path, `-` or a Hub id; `named` columns are known to be in its header."""
    if not str(source).strip():
        raise BadInput(
            "the name of the data is empty; give a file, a folder, - for standard input, or the "
            "id of a data set on the Hub"
        )
    if str(source) == STDIN:
        _refuse_split(split, "standard input")
        return read_stream(named)
    path = Path(source).expanduser()
    if not path.exists() and _is_hub_id(source, path):
        # Imported by name: the local path must stay free of datasets, which costs 1.5 s.
        hub = importlib.import_module("evaluators.reading.hub")
        return _table(hub.read_hub(str(source), split=split))
    if _existing(path).is_dir():
        return _read_folder(path.absolute(), split, named)
    return _read_file(path, split, named)


def splits_of(source: str | Path) -> Splits | None:
    """The splits of a source, and which one certifies; None where it has no splits.

    Rows of the others, for training or calibration, come by `split=`. For a file that is one of
    several splits in a folder, the others are those of the folder (which is then the source).
    """
    if str(source) == STDIN:
        return None
    path = Path(source).expanduser()
    if not path.exists() and _is_hub_id(source, path):
        return cast(Splits, importlib.import_module("evaluators.reading.hub").hub_splits(source))
    if _existing(path).is_dir():
        parts = parts_of_folder(path)
        listed = None if len(parts) > 1 else table_in(path, SUFFIXES)
        if listed is None and len(coco := coco_parts(path)) > 1:
            return choose_part(coco, None, path)[1]
        if listed is not None and not is_retrieval(path):
            return splits_of(listed)
        return _labelled_part(parts, None, path)[1] if parts else None
    if format_of(path) == ".json":
        document = whole_object(path, detect_encoding(path)[0])
        names = split_names(document or {})
        return chosen_splits(names, None, str(path)) if names else None
    beside = parts_of_folder(path.parent)
    own = next((part for part in beside if part.name == split_name(path)), None)
    return Splits(tuple(part.name for part in beside), own.name) if own else None


def _table(value: object) -> Table:
    if not isinstance(value, Table):
        raise TypeError(f"a reader gave {type(value).__name__}, not a Table")
    return value


def _is_hub_id(source: str | Path, path: Path) -> bool:
    return (
        isinstance(source, str)
        and HUB_ID.fullmatch(source) is not None
        and path.suffix.casefold() not in NO_ID
    )


def _existing(path: Path) -> Path:
    if not path.exists():
        raise NotFound(f"there is no file {path}.{_nearest(path)}")
    if path.is_file() and path.stat().st_size == 0:
        raise BadInput(f"{path} is empty. Give a header and at least two labelled rows.")
    return path


def _nearest(path: Path) -> str:
    folder = path.parent
    names = [file.name for file in folder.iterdir()] if folder.is_dir() else []
    near = difflib.get_close_matches(path.name, names, 1, 0.6)
    return f" Did you mean {folder / near[0]}?" if near else ""


def _read_folder(folder: Path, split: str | None, named: Collection[str]) -> Table:
    """The folder's evidence split, or its files by class, or the one table in it."""
    if is_retrieval(folder):
        return read_retrieval(folder, split=split)
    coco = [] if table_in(folder, SUFFIXES) else coco_parts(folder)
    if coco:
        return _read_coco(coco, split, folder)
    parts = parts_of_folder(folder)
    if parts and (split is not None or len(parts) > 1):
        part, splits = _labelled_part(parts, split, folder)
        table = replace(_read_part(part, named), name=f"{folder.name}/{part.path.name}")
        return with_split(table, splits)
    _refuse_split(split, str(folder))
    listed = table_in(folder, SUFFIXES)
    if listed is not None:
        return _read_file(listed, None, named)
    found = media_table(folder)
    if found is None:
        raise unreadable_folder(folder, SUFFIXES)
    return found


def _read_coco(parts: Sequence[Part], split: str | None, folder: Path) -> Table:
    if len(parts) == 1 and split is None:
        return _read_file(parts[0].path, None, ())
    part, splits = choose_part(parts, split, folder)
    return with_split(_read_file(part.path, None, ()), splits)


def _read_part(part: Part, named: Collection[str]) -> Table:
    read = _read_folder if part.path.is_dir() else _read_file
    return read(part.path, None, named)


def _labelled_part(parts: Sequence[Part], split: str | None, folder: Path) -> tuple[Part, Splits]:
    """The asked part, else the one that certifies and has all columns that the next one has."""
    part, splits = choose_part(parts, split, folder)
    others = [other for other in parts if other.name != part.name and other.path.is_file()]
    if split is not None or not others or part.path.is_dir():
        return part, splits
    next_part, next_splits = choose_part(others, None, folder)
    columns, more = set(_read_part(part, ()).columns), set(_read_part(next_part, ()).columns)
    if not columns < more:
        return part, splits
    return next_part, replace(next_splits, names=splits.names, unlabelled=(part.name,))


def _refuse_split(split: str | None, what: str) -> None:
    if split is not None:
        raise BadInput(
            f"--split is for data sets on the Hub and for folders and files that hold several; "
            f"{what} is read as a whole."
        )


def _read_file(path: Path, split: str | None, named: Collection[str]) -> Table:
    suffix = format_of(path)
    if suffix not in (".json", *EXCEL):
        _refuse_split(split, f"{path}")
    if suffix in EXCEL:
        _need("openpyxl", path)
        excel = importlib.import_module("evaluators.reading.excel")
        return _table(excel.read_excel(path, sheet=split, named=named))
    table = _reader(path, suffix, split, named)()
    return replace(
        table,
        folder=table.folder or path.parent,
        split=table.split or (split_name(path) if role_of(split_name(path)) else None),
    )


def _reader(
    path: Path, suffix: str, split: str | None, named: Collection[str]
) -> Callable[[], Table]:
    match suffix:
        case ".csv" | ".tsv":
            sign = "," if suffix == ".csv" else "\t"
            return lambda: read_delimited(path, delimiter=sign, named=named)
        case ".jsonl" | ".json":
            return lambda: read_json(path, split=split)
        case ".parquet" | ".arrow" | ".feather":
            columnar = importlib.import_module("evaluators.reading.parquet")
            read = columnar.read_parquet if suffix == ".parquet" else columnar.read_arrow
            return lambda: _table(read(path))
        case _ if suffix in CONLL:
            return lambda: read_conll(path)
        case ".xls" | ".zip" | ".tar" | ".pdf" | ".docx" | ".pkl" | ".pickle":
            raise BadInput(f"{path}: {suffix} is not read. Save it as {', '.join(SUFFIXES[:5])}.")
        case _:
            return lambda: read_lines(path)


def _need(library: str, path: Path) -> None:
    if find_spec(library) is None:
        raise MissingExtra(
            f"{path}: reading Excel needs {library}; install it with: "
            'pip install "recommender[excel]"'
        )
