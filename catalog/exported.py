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
from pathlib import Path
from typing import Any  # JSON values have any type until they are read

from cache.errors import BadInput, NotFound, RecommenderError, StoreError
from catalog.downloads import missing_bytes
from catalog.exported_rows import read_record, to_record
from catalog.model import Model
from catalog.policy import Refusal, is_unscanned
from catalog.select import Selection
from catalog.store import Catalog, Crawl, now
from catalog.untrusted import JSON_LIMIT_BYTES, Unreadable, count, mapping, parse_object

FORMAT = "recommender-catalog"
VERSION = 1
COMPRESSION = 4  # of 9: twice as fast as the usual 6, and a few percent larger
BATCH = 500  # models that are stored in one transaction
BATCH_BYTES = 20_000_000  # of lines, where they are long
UNPACKED_LIMIT_BYTES = 50_000_000_000
LINES_LIMIT = 20_000_000  # ten times the Hub of 2025
PACKED_LIMIT = 100
"""A file may unpack to so many times its size; exports do to 5 to 10 times."""

SMALL_BYTES = 50_000_000
"""What any file may unpack to."""

STORED = 1.5
"""Bytes of catalog.db, indexes included, for each byte of a file unpacked."""

TASKS_LIMIT = 1000  # sources and tasks whose crawl is noted; the Hub has some 50 tasks
SHOWN_REFUSALS = 20
COPY_AGAIN = "name a file that `recommender catalog export` wrote, or copy it again"
END = b'{"end":'
"""How the last line starts."""

KNOWN = """
    SELECT id, COALESCE(gone_at, last_modified, ''), IIF(described, revision, NULL) FROM models
    WHERE listed AND source = ? AND id IN (SELECT value FROM json_each(?))
"""
"""When models changed last as far as this machine knows, or when it found that they are gone, and
which revision it has a description of."""

Progress = Callable[[int], None]
"""Called now and then with the number of models so far."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written: models, and those of them whose files and labels are told."""

    n_models: int
    n_described: int


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
) -> ExportReport:
    """Writes the selected models (without a selection all) to a file.

    Private models are left out, and so are those of folders of this machine, unless the selection
    names them. The file appears whole or not at all. Raises BadInput where it cannot be written.
    """
    chosen = selection or Selection(limit=None)
    n_models = n_described = 0
    with _written_whole(path) as file:
        lines = _Lines(file)
        lines.add({"format": FORMAT, "version": VERSION, "written_at": now()})
        for model in _public(store.each(chosen), named=bool(chosen.sources)):
            lines.add({"model": to_record(model)})
            n_models += 1
            n_described += model.described
            if progress and n_models % BATCH == 0:
                progress(n_models)
        lines.add_end()
    return ExportReport(n_models, n_described)


def import_catalog(store: Catalog, path: Path, *, progress: Progress | None = None) -> ImportReport:
    """Adds an exported file's models to the catalog; the file is a stranger's.

    It counts as a crawl of each source and task that it holds: a search does not crawl them again.
    A line that cannot be read, or tells of a folder of another machine, is refused and counted.
    What this machine knows in a newer form, or has described itself, stays. Raises NotFound
    without the file, BadInput where it is no exported catalog, is not whole, too large, or of a
    newer format, and StoreError where the disk has no room: nothing of it is kept then. Where the
    disk is full later, what was stored stays.
    """
    counts, refusals = Counter[str](), list[Refusal]()
    tasks = Counter[tuple[str, str]]()
    with open_exported(path) as exported, _read_only(store) as known:
        _require_room(store, path, exported.n_bytes)
        for rows in exported.batches(_imported):
            bad = [row for row in rows if isinstance(row, Refusal)]
            models = [row for row in rows if isinstance(row, Model)]
            news = _news(models, store, known)
            store.upsert(news)
            tasks.update(_tasks_of(models, tasks))
            counts.update(news=len(news), older=len(models) - len(news), bad=len(bad))
            refusals += bad[: SHOWN_REFUSALS - len(refusals)]
            if progress:
                progress(counts.total())
            _require_room(store, path, 0)
        for (source, task), n in tasks.items():
            store.record_crawl(Crawl(source, task, exported.written_at, now(), n, 0))
        return ImportReport(
            counts["news"], counts["older"], counts["bad"], exported.written_at, tuple(refusals)
        )


def _require_room(store: Catalog, path: Path, n_bytes: int) -> None:
    """StoreError where the disk has no room for the catalog with so many bytes unpacked."""
    growth = max(0, int(STORED * n_bytes) - store.path.stat().st_size)
    missing = missing_bytes(store.path.absolute().parent, growth)
    if missing > 0:
        raise StoreError(
            f"the disk of {store.path} lacks {missing / 1e6:,.0f} MB for {path}; free some space, "
            "then run the same command again, or move RECOMMENDER_HOME to a larger disk"
        )


def _imported(row: Model | Refusal) -> Model | Refusal:
    """A line as it may enter this machine's catalog."""
    if isinstance(row, Refusal):
        return row
    if row.is_local:
        reason = "it lies in a folder of another machine; --source snapshot:FILE lists it"
        return Refusal(row.id, "unsupported", reason)
    return row if row.revision else replace(row, described=False)  # a description has a commit


def _tasks_of(
    models: Sequence[Model], known: Mapping[tuple[str, str], int]
) -> Iterator[tuple[str, str]]:
    """Source and task of each model; a file that names ever more of them is not followed."""
    for model in models:
        if model.task and (len(known) < TASKS_LIMIT or (model.source, model.task) in known):
            yield model.source, model.task


def _news(models: Sequence[Model], store: Catalog, known: sqlite3.Connection) -> list[Model]:
    """The models that are not known in a newer form; our own descriptions are trusted more."""
    found = []
    for source in dict.fromkeys(model.source for model in models):
        here = {model.id: model for model in models if model.source == source}
        rows = known.execute(KNOWN, (source, json.dumps(list(here))))
        ours = {id: (changed, described) for id, changed, described in rows}
        found += [m for m in here.values() if _is_news(m, *ours.get(m.id, ("", None)))]
    return [_beside_ours(model, store) for model in found]


def _is_news(model: Model, changed: str, described: str | None) -> bool:
    """Whether a model is as new as ours; another revision than we described must be newer."""
    time = model.last_modified or ""
    return time > changed or (time == changed and described in (None, model.revision))


def _beside_ours(model: Model, store: Catalog) -> Model:
    """The model without its description where we have one; of that, the scan may be news."""
    ours = store.described(model.source, model.id, model.revision) if model.described else None
    if ours is None:
        return model
    if is_unscanned(ours) and model.files == ours.files:
        return replace(ours, security=model.security, downloads=model.downloads, likes=model.likes)
    return replace(model, described=False)


@contextmanager
def _read_only(store: Catalog) -> Iterator[sqlite3.Connection]:
    address = f"{store.path.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as connection:
        yield connection


class Exported:
    """An exported file that was found whole; to be had from `open_exported`.

    `n_bytes` is its size unpacked, `sha256` the hash of its contents.
    """

    def __init__(
        self, file: BufferedIOBase, header: Mapping[str, Any], n_bytes: int, sha256: str
    ) -> None:
        self._file = file
        self.written_at: str = header["written_at"]
        self.n_bytes = n_bytes
        self.sha256 = sha256

    def rows(self, *, naming: str | None = None) -> Iterator[Model | Refusal]:
        """The models, or of one id alone, and a Refusal for each line that holds none."""
        sought = f'"id":{_json(naming)}'.encode() if naming else b""
        for position, line in self._between():
            if sought in line:
                row = _row(line, position)
                if naming is None or row.id == naming:
                    yield row

    def batches(
        self, read: Callable[[Model | Refusal], Model | Refusal | None]
    ) -> Iterator[list[Model | Refusal]]:
        """What `read` makes of the rows, so many at once as fit into little memory."""
        batch, n_bytes = list[Model | Refusal](), 0
        for position, line in self._between():
            row = read(_row(line, position))
            if row is None:
                continue
            batch.append(row)
            n_bytes += len(line)
            if len(batch) == BATCH or n_bytes >= BATCH_BYTES:
                yield batch
                batch, n_bytes = [], 0
        if batch:
            yield batch

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
        n_packed = os.fstat(raw.fileno()).st_size
        limit_bytes = min(UNPACKED_LIMIT_BYTES, max(SMALL_BYTES, PACKED_LIMIT * n_packed))
        try:
            exported = _checked(file, limit_bytes)
        except Unreadable as error:
            raise BadInput(f"{path} is no whole exported catalog: {error}") from error
        yield exported


def _checked(file: BufferedIOBase, limit_bytes: int) -> Exported:
    """A file that is whole, and unpacks to no more than the limit. Raises Unreadable."""
    lines = _lines(file)
    first = next(lines, b"")
    header = _header(first)
    found, n_lines, n_bytes = hashlib.sha256(first), 1, len(first)
    for line in lines:
        if line.startswith(END):
            told = mapping(parse_object(line).get("end"))
            if (told.get("sha256"), told.get("n_lines")) != (found.hexdigest(), n_lines):
                raise Unreadable(f"its contents are not what was written; {COPY_AGAIN}")
            if next(lines, None) is not None:
                raise Unreadable(f"it goes on after its end; {COPY_AGAIN}")
            return Exported(file, header, n_bytes, found.hexdigest())
        found.update(line)
        n_lines += line.endswith(b"\n")
        n_bytes += len(line)
        _require_few(n_lines, n_bytes, limit_bytes)
    raise Unreadable(f"its end is missing; {COPY_AGAIN}")


def _require_few(n_lines: int, n_bytes: int, limit_bytes: int) -> None:
    """Raises Unreadable for what no export of a Hub holds, such as a gzip bomb."""
    if n_bytes > limit_bytes:
        raise Unreadable(f"it unpacks to more than {limit_bytes / 1e6:,.0f} MB, as no export does")
    if n_lines > LINES_LIMIT:
        raise Unreadable(f"it has more than {LINES_LIMIT:,} lines; export a part, as of one task")


def _header(first: bytes) -> Mapping[str, Any]:
    try:
        header = parse_object(first)
    except Unreadable as error:
        raise Unreadable(f"{error}; {COPY_AGAIN}") from error
    if header.get("format") != FORMAT:
        raise Unreadable(f"its first line names another format; {COPY_AGAIN}")
    version = count(header.get("version")) or 0
    if not 1 <= version <= VERSION:
        raise Unreadable(
            f"it is of format {version}, and this release reads {VERSION}; use the release that "
            "wrote it, or a later one"
        )
    _check_time(header.get("written_at"))
    return header


def _check_time(written_at: object) -> None:
    try:
        datetime.fromisoformat(written_at if isinstance(written_at, str) else "")
    except ValueError as error:
        raise Unreadable("its first line does not tell when it was written") from error


def _lines(file: BufferedIOBase) -> Iterator[bytes]:
    """The lines; one that is longer than any of ours comes in parts, which no reader accepts.

    Raises Unreadable.
    """
    try:
        while line := file.readline(JSON_LIMIT_BYTES):
            yield line
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise Unreadable(f"{error}; {COPY_AGAIN}") from error


def _row(line: bytes, position: int) -> Model | Refusal:
    try:
        return read_record(parse_object(line).get("model"), position)
    except Unreadable as error:
        return Refusal(f"(line {position + 1})", "corrupt", str(error))


def _public(models: Iterable[Model], *, named: bool) -> Iterator[Model]:
    """Neither private models, nor those of this machine's folders unless these were named."""
    return (model for model in models if not model.private and (named or not model.is_local))


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
