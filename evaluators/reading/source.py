"""Where does a source's table come from? By suffix, else from the Hub."""

import difflib
import importlib
import re
from collections.abc import Collection
from pathlib import Path

from cache.errors import BadInput, NotFound
from evaluators.reading.delimited import read_delimited
from evaluators.reading.json_records import read_json
from evaluators.reading.table import Table

SUFFIXES = (".csv", ".tsv", ".jsonl", ".json", ".parquet")
HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?(:[\w.-]+)?")


def open_table(source: str | Path, *, split: str | None, named: Collection[str]) -> Table:
    """The table behind a path or a Hub id; `named` columns are known to be in its header."""
    path = Path(source).expanduser()
    if not path.exists() and _is_hub_id(source, path):
        # Imported by name: the local path must stay free of datasets, which costs 1.5 s.
        hub = importlib.import_module("evaluators.reading.hub")
        return _table(hub.read_hub(str(source), split=split))
    if split is not None:
        raise BadInput(f"--split is for data sets on the Hub; {path} is a file, read as a whole.")
    return _read_file(_existing(path), named)


def _table(value: object) -> Table:
    if not isinstance(value, Table):
        raise TypeError(f"a reader gave {type(value).__name__}, not a Table")
    return value


def _is_hub_id(source: str | Path, path: Path) -> bool:
    return (
        isinstance(source, str)
        and HUB_ID.fullmatch(source) is not None
        and path.suffix.casefold() not in (*SUFFIXES, ".txt", ".xlsx", ".xls", ".gz", ".zip")
    )


def _existing(path: Path) -> Path:
    if not path.exists():
        raise NotFound(f"there is no file {path}.{_nearest(path)}")
    if not path.is_file():
        raise BadInput(f"{path} is a folder; give one file: {', '.join(SUFFIXES)}.")
    if path.stat().st_size == 0:
        raise BadInput(f"{path} is empty. Give a header and at least two labelled rows.")
    return path


def _nearest(path: Path) -> str:
    folder = path.parent
    names = [file.name for file in folder.iterdir()] if folder.is_dir() else []
    near = difflib.get_close_matches(path.name, names, 1, 0.6)
    return f" Did you mean {folder / near[0]}?" if near else ""


def _read_file(path: Path, named: Collection[str]) -> Table:
    match path.suffix.casefold():
        case ".csv":
            return read_delimited(path, delimiter=",", named=named)
        case ".tsv":
            return read_delimited(path, delimiter="\t", named=named)
        case ".jsonl" | ".json":
            return read_json(path)
        case ".parquet":
            return _table(importlib.import_module("evaluators.reading.parquet").read_parquet(path))
        case _:
            raise BadInput(f"{path}: cannot tell its format. Name it {', '.join(SUFFIXES)}.")
