"""The catalog as one compressed file, for machines without network.

The file is gzip of JSON lines: first what it is, then one line a model, last how many lines there
were and their SHA-256. A file without its last line is refused whole.
"""

import gzip
import hashlib
import json
import os
import sqlite3
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from io import BufferedIOBase
from itertools import islice
from pathlib import Path
from typing import Any  # JSON values have any type until they are read

from cache.errors import BadInput, NotFound, RecommenderError
from catalog.exported_rows import read_record, to_record
from catalog.model import Model
from catalog.policy import Refusal
from catalog.select import Selection
from catalog.store import Catalog, Crawl, now
from catalog.untrusted import JSON_LIMIT_BYTES, Unreadable, count, mapping, parse_object

FORMAT = "recommender-catalog"
VERSION = 1
COMPRESSION = 4  # of 9: twice as fast as the usual 6, and a few percent larger
BATCH = 500  # models that are stored in one transaction
SHOWN_REFUSALS = 20
END = b'{"end":'
"""How the last line starts."""

CHANGED = """
    SELECT id, COALESCE(gone_at, last_modified, '') FROM models
    WHERE listed AND source = ? AND id IN (SELECT value FROM json_each(?))
"""
"""When models changed last as far as this machine knows, or when it found that they are gone."""

Progress = Callable[[int], None]
"""Called now and then with the number of models so far."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did; `refusals` are the first of the lines that could not be read.

    `n_models` were added or renewed, `n_older` had changed since on this machine and stay as they
    are. `written_at` is when the file was exported: ISO 8601, UTC.
    """

    n_models: int
    n_older: int
    n_refused: int
    written_at: str
    refusals: tuple[Refusal, ...]


def export_catalog(
    store: Catalog,
    path: Path,
    *,
    selection: Selection | None = None,
    progress: Progress | None = None,
) -> int:
    """Writes the selected models (without a selection all) to a file, and tells how many.

    Private models are left out, and so are those of folders of this machine, unless the selection
    names them. The file appears whole or not at all. Raises BadInput where it cannot be written.
    """
    chosen = selection or Selection(limit=None)
    n_models = 0
    with _written_whole(path) as file:
        lines = _Lines(file)
        lines.add({"format": FORMAT, "version": VERSION, "written_at": now()})
        for model in _public(store.each(chosen), named=bool(chosen.sources)):
            lines.add({"model": to_record(model)})
            n_models += 1
            if progress and n_models % BATCH == 0:
                progress(n_models)
        lines.add_end()
    return n_models


def import_catalog(store: Catalog, path: Path, *, progress: Progress | None = None) -> ImportReport:
    """Adds an exported file's models to the catalog; the file is a stranger's.

    It counts as a crawl of each source and task that it holds: a search does not crawl them again.
    A line that cannot be read is refused and counted. What this machine knows in a newer form, or
    has described itself, stays. Raises NotFound without the file, BadInput where it is no exported
    catalog, is not whole, or is of a newer format: nothing of it is kept then.
    """
    counts, refusals = Counter[str](), list[Refusal]()
    tasks = Counter[tuple[str, str]]()
    with open_exported(path) as exported, _read_only(store) as known:
        for rows in _batches(exported.rows()):
            bad = [row for row in rows if isinstance(row, Refusal)]
            models = [row for row in rows if isinstance(row, Model)]
            news = _news(models, store, known)
            store.upsert(news)
            tasks.update((model.source, model.task) for model in models if model.task)
            counts.update(news=len(news), older=len(models) - len(news), bad=len(bad))
            refusals += bad[: SHOWN_REFUSALS - len(refusals)]
            if progress:
                progress(counts.total())
        for (source, task), n in tasks.items():
            store.record_crawl(Crawl(source, task, exported.written_at, now(), n, 0))
        return ImportReport(
            counts["news"], counts["older"], counts["bad"], exported.written_at, tuple(refusals)
        )


def _news(models: Sequence[Model], store: Catalog, known: sqlite3.Connection) -> list[Model]:
    """The models that are not known in a newer form; our own descriptions are trusted more."""
    found = []
    for source in dict.fromkeys(model.source for model in models):
        here = [model for model in models if model.source == source]
        changed = dict(known.execute(CHANGED, (source, json.dumps([model.id for model in here]))))
        found += [m for m in here if (m.last_modified or "") >= changed.get(m.id, "")]
    return [_undescribed_if_known(model, store) for model in found]


@contextmanager
def _read_only(store: Catalog) -> Iterator[sqlite3.Connection]:
    address = f"{store.path.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as connection:
        yield connection


def _undescribed_if_known(model: Model, store: Catalog) -> Model:
    if model.described and store.described(model.source, model.id, model.revision):
        return replace(model, described=False)
    return model


class Exported:
    """An exported file that was found whole; to be had from `open_exported`."""

    def __init__(self, file: BufferedIOBase, header: Mapping[str, Any]) -> None:
        self._file = file
        self.written_at: str = header["written_at"]

    def rows(self, *, naming: str | None = None) -> Iterator[Model | Refusal]:
        """The models, or of one id alone, and a Refusal for each line that holds none."""
        sought = f'"id":{_json(naming)}'.encode() if naming else b""
        for position, line in self._between():
            if sought in line:
                row = _row(line, position)
                if naming is None or row.id == naming:
                    yield row

    def _between(self) -> Iterator[tuple[int, bytes]]:
        """The lines after the first and before the last, each with its position."""
        self._file.seek(0)
        for position, line in enumerate(_lines(self._file)):
            if line.startswith(END):
                return
            if position:
                yield position, line


@contextmanager
def open_exported(path: Path) -> Iterator[Exported]:
    """An exported file, read through once to see that it is whole. Raises as `import_catalog`."""
    try:
        raw = path.open("rb")
    except OSError as error:
        raise NotFound(
            f"{path} cannot be read: {error.strerror}; name a file that "
            "`recommender catalog export` wrote"
        ) from error
    with raw, gzip.GzipFile(fileobj=raw) as file:
        try:
            header = _check(file)
        except (EOFError, gzip.BadGzipFile, zlib.error, Unreadable) as error:
            raise BadInput(
                f"{path} is no whole exported catalog: {error}; copy it again"
            ) from error
        yield Exported(file, header)


def _check(file: BufferedIOBase) -> Mapping[str, Any]:
    """The header of a file that is whole. Raises Unreadable, or what gzip raises."""
    lines = _lines(file)
    first = next(lines, b"")
    header = parse_object(first)
    if header.get("format") != FORMAT:
        raise Unreadable("its first line names another format")
    version = count(header.get("version")) or 0
    if not 1 <= version <= VERSION:
        raise Unreadable(f"it is of format {version}, and this release reads {VERSION}")
    _check_time(header.get("written_at"))
    found, n_lines = hashlib.sha256(first), 1
    for line in lines:
        if line.startswith(END):
            told = mapping(parse_object(line).get("end"))
            if (told.get("sha256"), told.get("n_lines")) != (found.hexdigest(), n_lines):
                raise Unreadable("its contents are not what was written")
            if next(lines, None) is not None:
                raise Unreadable("it goes on after its end")
            return header
        found.update(line)
        n_lines += line.endswith(b"\n")
    raise Unreadable("its end is missing")


def _check_time(written_at: object) -> None:
    try:
        datetime.fromisoformat(written_at if isinstance(written_at, str) else "")
    except ValueError as error:
        raise Unreadable("its first line does not tell when it was written") from error


def _lines(file: BufferedIOBase) -> Iterator[bytes]:
    """The lines; one that is longer than any of ours comes in parts, which no reader accepts."""
    while line := file.readline(JSON_LIMIT_BYTES):
        yield line


def _row(line: bytes, position: int) -> Model | Refusal:
    try:
        return read_record(parse_object(line).get("model"), position)
    except Unreadable as error:
        return Refusal(f"(line {position + 1})", "corrupt", str(error))


def _public(models: Iterable[Model], *, named: bool) -> Iterator[Model]:
    """Neither private models, nor those of this machine's folders unless these were named."""
    return (model for model in models if not model.private and (named or not model.is_local))


def _batches(rows: Iterable[Model | Refusal]) -> Iterator[list[Model | Refusal]]:
    rows = iter(rows)
    while batch := list(islice(rows, BATCH)):
        yield batch


class _Lines:
    """Writes JSON lines, counted and hashed for the last one."""

    def __init__(self, file: BufferedIOBase) -> None:
        self._file = file
        self._sha256 = hashlib.sha256()
        self._n_lines = 0

    def add(self, value: Mapping[str, object]) -> None:
        line = _json(value).encode() + b"\n"
        self._sha256.update(line)
        self._n_lines += 1
        self._file.write(line)

    def add_end(self) -> None:
        self.add({"end": {"n_lines": self._n_lines, "sha256": self._sha256.hexdigest()}})


def _json(value: object) -> str:
    """Without spaces, so that a line can be searched for what it holds."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True)


@contextmanager
def _written_whole(path: Path) -> Iterator[BufferedIOBase]:
    """A compressed file beside `path` that takes its place when all is written."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as raw:
            # neither a name nor a time in gzip's header: the first line tells
            with gzip.GzipFile("", "wb", COMPRESSION, raw, mtime=0) as file:
                yield file
            raw.flush()
            os.fsync(raw.fileno())
        part.replace(path)
    except RecommenderError:  # the store's; it is an OSError too
        raise
    except OSError as error:
        raise BadInput(f"cannot write {path}: {error.strerror}; name another file") from error
    finally:
        part.unlink(missing_ok=True)
