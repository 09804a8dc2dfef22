"""Data that is in memory already: lists of dicts, pandas and datasets objects, by duck typing."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from cache.errors import BadInput
from evaluators.reading.json_records import object_table
from evaluators.reading.table import Record, Table

ALLOWED = "a list of dicts, a datasets.Dataset, a pandas.DataFrame or a polars.DataFrame"
MEDIA_FEATURES = ("Image", "Audio")
BATCH_ROWS = 1_000


def table_of(data: object, *, name: str) -> Table:
    """The records of a list of dicts, a Dataset or a DataFrame; imports none of the libraries."""
    kinds = {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(data).__mro__}
    if "pandas.DataFrame" in kinds:
        return _frame_table(data, name)
    if "polars.DataFrame" in kinds:
        return _polars_table(data, name)
    if "polars.LazyFrame" in kinds:
        raise BadInput(f"{name}: a LazyFrame holds no rows yet. Give data.collect().")
    if kinds & {"datasets.Dataset", "datasets.IterableDataset"}:
        return dataset_table(data, name=name)
    if kinds & {"datasets.DatasetDict", "datasets.IterableDatasetDict"}:
        raise BadInput(f"{name}: a DatasetDict holds several splits. Give one: data['test'].")
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        items = ((at, _plain(item)) for at, item in enumerate(data))
        return object_table(items, name=name, place="index", source=name)
    raise BadInput(f"{name}: {type(data).__name__} is given; give {ALLOWED}.")


def dataset_table(dataset: Any, *, name: str) -> Table:  # a datasets.Dataset, which has no types
    """A data set of `datasets`, streamed or not, with the names behind its integer labels.

    Images and sounds are not decoded: their cells are objects with the path or the bytes.
    """
    dataset = undecoded(dataset)
    batches = dataset.with_format("arrow").iter(batch_size=BATCH_ROWS)
    first = next(batches, None) if dataset.features is None else None
    columns = dataset.features or (first.column_names if first else ())
    records = batch_records(batches if first is None else chain([first], batches), columns)
    names = class_names(dataset.features)
    return Table(name, tuple(columns), records, place="index", class_names=names)


def undecoded(dataset: Any) -> Any:
    """The data set with its images and sounds as they are stored."""
    for column, feature in (dataset.features or {}).items():
        if type(feature).__name__ in MEDIA_FEATURES:
            dataset = dataset.cast_column(column, type(feature)(decode=False))
    return dataset


def class_names(features: Any) -> dict[str, tuple[str, ...]]:
    """The names of each ClassLabel, or of a list of them, by column; also of those in objects."""
    found = {column: _names(it) for column, it in (features or {}).items()}
    return {column: names for column, names in found.items() if names}


def _names(feature: Any) -> tuple[str, ...]:
    inner = getattr(feature, "feature", feature)
    if isinstance(inner, Mapping):  # boxes with their labels
        return next((names for it in inner.values() if (names := _names(it))), ())
    return tuple(inner.names) if type(inner).__name__ == "ClassLabel" else ()


def batch_records(
    batches: Iterable[Any], columns: Iterable[str], start: int = 0
) -> Iterator[Record]:
    """The rows of Arrow tables, numbered from `start`; a table may lack some of the columns."""
    at = start
    for batch in batches:
        held = frozenset(batch.column_names)
        cells = [
            batch[column].to_pylist() if column in held else [None] * batch.num_rows
            for column in columns
        ]
        for values in zip(*cells, strict=True):
            yield at, values
            at += 1


def _frame_table(frame: Any, name: str) -> Table:  # a pandas.DataFrame, which has no types here
    """A DataFrame's rows by position; what pandas calls missing is missing."""
    columns = tuple(str(column) for column in frame.columns)
    present = frame.notna()
    listed = [
        _with_missing(frame.iloc[:, at].tolist(), present.iloc[:, at].tolist())
        for at in range(len(columns))
    ]
    return Table(name, columns, enumerate(zip(*listed, strict=True)), place="index")


def _polars_table(frame: Any, name: str) -> Table:  # a polars.DataFrame, as a stream of its rows
    columns = tuple(frame.columns)
    return Table(name, columns, enumerate(frame.iter_rows()), place="index")


def _with_missing(values: list[object], present: list[bool]) -> list[object]:
    return [value if there else None for value, there in zip(values, present, strict=True)]


def _plain(item: object) -> object:
    """A mapping with numpy's scalars as Python's own."""
    if not isinstance(item, Mapping):
        return item
    return {key: _native(value) for key, value in item.items()}


def _native(value: Any) -> object:  # whatever a user's dict holds
    return value.item() if type(value).__module__ == "numpy" and value.ndim == 0 else value
