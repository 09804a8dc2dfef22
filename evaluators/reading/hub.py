"""Data sets on the Hub, read as streams: nothing is kept on disk. The home of datasets."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from datasets import Features, Value, config, load_dataset_builder
from datasets.data_files import EmptyDatasetError
from datasets.exceptions import DataFilesNotFoundError, DatasetNotFoundError, DatasetsError
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # no __all__

from cache.errors import AccessRequired, BadInput, NotFound, RecommenderError, SourceUnavailable
from evaluators.reading.frames import (
    BATCH_ROWS,
    MEDIA_FEATURES,
    batch_records,
    class_names,
    undecoded,
)
from evaluators.reading.hub_parquet import in_spans
from evaluators.reading.split_slices import Slice, parse_split
from evaluators.reading.splits import Splits, chosen_splits
from evaluators.reading.table import Record, Table, first_line

SOURCE = re.compile(r"(?P<path>[^:@]+)(:(?P<config>[^@]+))?(@(?P<revision>.+))?")
COMMIT = re.compile(r"[0-9a-f]{40}")
BATCH_FILES = 16
UNLABELLED = -1
"""What stands in a column of classes where a test split is published without its labels."""

GATED = re.compile(r"\bgated\b|Access to .* is restricted")
NO_CONFIG = re.compile(r"Config name is missing.*?\[(.*?)\]", re.DOTALL)
"""What `datasets` and the Hub say."""

NO_DATA = (DataFilesNotFoundError, EmptyDatasetError)
UNREACHED = (OSError, httpx.HTTPError)
READ_ERRORS = (*UNREACHED, ValueError, RuntimeError, KeyError, DatasetsError)


def read_hub(source: str, *, split: str | None) -> Table:
    """`owner/name`, `owner/name:config` or either `@revision`, with a split such as `test[:500]`.

    Rows are streamed from the commit that the revision stands for now, which is said. Without a
    split: the only one, else the test split, else the validation split, else the training split
    with a warning; and a note. A split without labels is passed over.
    """
    with _told(source), _without_torch():
        published = _Published.open(source)
        splits = None if split else published.splits()
        parts = published.parts(split or (splits.evidence if splits else ""))
        streams = [published.stream(part) for part in parts]
    notes = [splits.note] if splits else []
    notes += [f"revision: {published.commit}"] if published.commit else []
    return Table(
        name=f"{source} {split or (splits.evidence if splits else '')}",
        columns=streams[0].columns,
        records=_records(source, streams),
        place="index",
        notes=tuple(notes),
        class_names=streams[0].class_names,
        dataset=published.path,
        revision=published.commit,
        split="+".join(dict.fromkeys(part.split for part in parts)),
    )


def hub_splits(source: str) -> Splits:
    """The splits of a data set on the Hub, and which one certifies."""
    with _told(source), _without_torch():
        return _Published.open(source).splits()


@dataclass(frozen=True, slots=True)
class _Stream:
    """The rows of one part of a split as Arrow tables, the first of them read already."""

    columns: tuple[str, ...]
    class_names: dict[str, tuple[str, ...]]
    batches: Iterator[Any]  # of pyarrow.Table
    start: int = 0
    stop: int | None = None

    def rows(self) -> Iterator[Any]:
        """The tables with the rows from `start` to `stop`; nothing behind that is fetched."""
        at = 0
        for batch in self.batches:
            first = max(0, self.start - at)
            last = batch.num_rows if self.stop is None else self.stop - at
            if first < batch.num_rows:
                yield batch.slice(first, last - first)
            at += batch.num_rows
            if self.stop is not None and at >= self.stop:
                return


@dataclass(frozen=True, slots=True)
class _Published:
    """A data set's repository at one commit, and its splits as they can be streamed."""

    source: str
    path: str
    commit: str | None
    builder: Any  # of datasets, which has no types, as
    streams: Mapping[str, Any]  # its IterableDataset by split

    @classmethod
    def open(cls, source: str) -> "_Published":
        """Ask the Hub what there is."""
        found = SOURCE.fullmatch(source)
        if found is None:
            raise BadInput(f"{source!r} is no data set's id. Write owner/name or owner/name:config")
        path, revision = found["path"], found["revision"]
        builder = in_spans(load_dataset_builder(path, found["config"], revision=revision))
        if hasattr(builder.config, "keep_default_na"):  # the texts NA and None are texts
            builder.config.keep_default_na = False
        commit = builder.hash if COMMIT.fullmatch(str(builder.hash)) else None
        return cls(source, path, commit, builder, builder.as_streaming_dataset())

    def splits(self) -> Splits:
        """The splits and the one that certifies: the first by its purpose that has labels."""
        names = list(self.streams)
        chosen = chosen_splits(names, None, self.source)
        try:
            others = [name for name in names if name != chosen.evidence]
            following = chosen_splits(others, None, self.source).evidence
        except BadInput:  # no other split, or none that stands out
            return chosen
        if not self._lacks_labels(chosen.evidence, following):
            return chosen
        return Splits(tuple(names), following, unlabelled=(chosen.evidence,))

    def parts(self, split: str) -> tuple[Slice, ...]:
        """The parts that a split's text names. NotFound for a split that is not there."""
        names = list(self.streams)
        return tuple(
            replace(part, split=chosen_splits(names, part.split, self.source).evidence)
            for part in parse_split(split)
        )

    def stream(self, part: Slice) -> _Stream:
        """The rows of a part. BadInput where its bounds leave none."""
        n_rows = self._n_rows(part.split) if part.needs_count else None
        start, stop = part.bounds(n_rows)
        if stop is not None and stop <= start:
            held = "" if n_rows is None else f" of the split's {n_rows:,}"
            raise BadInput(f"{self.source}: {part} names no row{held}. Take other bounds.")
        return replace(self._whole(part.split, stop), start=start, stop=stop)

    def _whole(self, split: str, stop: int | None = None) -> _Stream:
        """All rows of a split; with `stop` in tables that suit a reader of that many."""
        dataset = undecoded(self.streams[split])
        batches = _batches(dataset, stop)
        first = next(batches, None)
        if first is None:
            raise BadInput(f"{self.source}: the split {split!r} has no rows. Take another one.")
        columns = tuple(dataset.features or first.column_names)
        if dataset.features is None and self._is_csv:
            return _Stream(columns, {}, self._cells(split, columns, stop))
        return _Stream(columns, class_names(dataset.features), chain([first], batches))

    @property
    def _is_csv(self) -> bool:
        return hasattr(self.builder.config, "keep_default_na")

    def _cells(self, split: str, columns: Sequence[str], stop: int | None) -> Iterator[Any]:
        """A CSV file's cells as they are written, whatever numbers they look like."""
        builder = copy(self.builder)
        builder.config = copy(self.builder.config)
        builder.config.features = Features({column: Value("string") for column in columns})
        return _batches(builder.as_streaming_dataset()[split], stop)

    def _lacks_labels(self, split: str, following: str) -> bool:
        """Whether a split lacks columns of the next one, or its first rows have no class at all."""
        features = self.streams[split].features
        if features is None:
            return set(self._whole(split).columns) < set(self._whole(following).columns)
        classes = list(class_names(features))
        if not classes:
            return False
        first = next(self._whole(split).batches).select(classes)
        return all(set(column.to_pylist()) == {UNLABELLED} for column in first.columns)

    def _n_rows(self, split: str) -> int:
        """As the card tells; else they are counted, by one column."""
        told = (self.builder.info.splits or {}).get(split)
        if told is not None and told.num_examples:
            return int(told.num_examples)
        dataset = self.streams[split]
        if dataset.features:
            dataset = dataset.select_columns(list(dataset.features)[:1])
        return sum(batch.num_rows for batch in _batches(dataset))


def _batches(dataset: Any, stop: int | None = None) -> Iterator[Any]:
    """Arrow tables; small ones of images and sounds, each of which is a file to fetch.

    They reach into the next file where one is short, so the first has `stop` rows at most.
    """
    kinds = {type(feature).__name__ for feature in (dataset.features or {}).values()}
    size = BATCH_FILES if kinds & set(MEDIA_FEATURES) else BATCH_ROWS
    return iter(dataset.with_format("arrow").iter(batch_size=min(size, stop or size)))


def _records(source: str, streams: Sequence[_Stream]) -> Iterator[Record]:
    """The rows of all parts; those of several parts are numbered one after the other."""
    start = streams[0].start if len(streams) == 1 else 0
    batches = chain.from_iterable(stream.rows() for stream in streams)
    is_empty = True
    with _told(source):
        for record in batch_records(batches, streams[0].columns, start):
            is_empty = False
            yield record
    if is_empty:
        raise BadInput(f"{source}: no row lies within the bounds of the split. Take other bounds.")


@contextmanager
def _told(source: str) -> Iterator[None]:
    """What goes wrong in `datasets` in one line of ours."""
    try:
        yield
    except RecommenderError:
        raise
    except READ_ERRORS as error:
        raise _unreadable(source, error) from error


@contextmanager
def _without_torch() -> Iterator[None]:
    """Streams are made without torch, which each of them imports to share a counter (2 s)."""
    before, config.TORCH_AVAILABLE = config.TORCH_AVAILABLE, False
    try:
        yield
    finally:
        config.TORCH_AVAILABLE = before


def _unreadable(source: str, error: Exception) -> Exception:
    told = str(error)
    if isinstance(error, OSError) and GATED.search(told):
        return AccessRequired(
            f"the Hub's data set {source!r} is gated. Ask for access at its page, and set HF_TOKEN."
        )
    if isinstance(error, DatasetNotFoundError) and told.startswith("Revision "):
        return NotFound(f"the Hub's data set {source!r}: {first_line(error)}")
    if isinstance(error, DatasetNotFoundError):
        return NotFound(
            f"{source!r} is neither a file here nor a data set on the Hub. "
            "Check its spelling, or the path."
        )
    if isinstance(error, UNREACHED) and not isinstance(error, NO_DATA):
        return SourceUnavailable(
            f"{source!r} is no file here, and the Hub's data set cannot be read: "
            f"{first_line(error)}"
        )
    configurations = NO_CONFIG.search(told)
    if configurations:
        return BadInput(
            f"the Hub's data set {source!r} has several configurations: {configurations[1]}. "
            f"Write {source}:NAME."
        )
    return BadInput(f"the Hub's data set {source!r}: {first_line(error)}")
