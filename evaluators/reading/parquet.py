"""Parquet files. The home of pyarrow."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from cache.errors import BadInput
from evaluators.reading.table import Record, Table, first_line

BATCH_ROWS = 10_000


def read_parquet(path: Path) -> Table:
    """A parquet file as a stream of its rows, with class names where `datasets` wrote them."""
    try:
        file = pyarrow.parquet.ParquetFile(path)
    except pyarrow.ArrowException as error:
        raise BadInput(f"{path} is no parquet file: {first_line(error)}.") from error
    columns = tuple(file.schema_arrow.names)
    names = _class_names(file.schema_arrow.metadata or {})
    return Table(path.name, columns, _records(file), place="row", class_names=names)


def _records(file: Any) -> Iterator[Record]:  # a ParquetFile: pyarrow ships no types
    row = 0
    for batch in file.iter_batches(batch_size=BATCH_ROWS):
        for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            row += 1
            yield row, values


def _class_names(metadata: Mapping[bytes, bytes]) -> dict[str, Sequence[str]]:
    """Class names as `datasets.Dataset.to_parquet` keeps them in the file's metadata."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        return {
            column: feature["names"]
            for column, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
