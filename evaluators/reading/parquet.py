"""Parquet and Arrow (feather) files. The home of pyarrow."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.ipc
import pyarrow.parquet

from cache.errors import BadInput
from evaluators.reading.table import Record, Table, first_line

BATCH_ROWS = 10_000
BUFFER_BYTES = 1 << 20
"""Of each column so much is read at a time. Else whole row groups are, and all of them are kept."""


def read_parquet(path: Path) -> Table:
    """A parquet file as a stream of its rows, with class names where `datasets` wrote them."""
    try:
        file = pyarrow.parquet.ParquetFile(path, pre_buffer=False, buffer_size=BUFFER_BYTES)
    except pyarrow.ArrowException as error:
        raise BadInput(f"{path} is no parquet file: {first_line(error)}.") from error
    return _table(path, file.schema_arrow, file.iter_batches(batch_size=BATCH_ROWS))


def read_arrow(path: Path) -> Table:
    """An Arrow file or stream as `datasets` saves them, or a feather file (version 2)."""
    try:
        source = pyarrow.OSFile(str(path))  # a mapped file counts as memory as far as it is read
        try:
            file = pyarrow.ipc.open_file(source)
            batches = (file.get_batch(at) for at in range(file.num_record_batches))
        except pyarrow.ArrowInvalid:
            source.seek(0)
            file = batches = pyarrow.ipc.open_stream(source)
    except (pyarrow.ArrowException, OSError) as error:
        raise BadInput(f"{path} is no arrow or feather file: {first_line(error)}.") from error
    return _table(path, file.schema, batches)


# Any: pyarrow ships no types.
def _table(path: Path, schema: Any, batches: Iterable[Any]) -> Table:
    names = _class_names(schema.metadata or {})
    columns = tuple(schema.names)
    records = _records(path, batches)
    return Table(
        path.name, columns, records, place="row", class_names=names, folder=path.parent
    )  # fmt: skip


def _records(path: Path, batches: Iterable[Any]) -> Iterator[Record]:
    row = 0
    for batch in _readable(path, batches):
        for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            row += 1
            yield row, values


def _readable(path: Path, batches: Iterable[Any]) -> Iterator[Any]:
    try:
        yield from batches
    except (pyarrow.ArrowException, OSError) as error:
        raise BadInput(f"{path} is damaged: {first_line(error)}. Fetch it again.") from error


def _class_names(metadata: Mapping[bytes, bytes]) -> dict[str, Sequence[str]]:
    """Class names as `datasets` keeps them in a file's metadata, those in lists too."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        inner = {
            column: feature.get("feature", feature)
            for column, feature in features.items()
            if isinstance(feature, dict)
        }
        return {
            column: feature["names"]
            for column, feature in inner.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
