"""Parquet files of data sets on the Hub, streamed in constant memory."""

from collections.abc import Iterator, Sequence
from typing import Any

from datasets.packaged_modules.parquet.parquet import Parquet

SPAN_BYTES = 1 << 26
"""So much is read ahead at most, as Arrow tables: 64 MiB, about a million short texts."""


class _InSpans(Parquet):  # type: ignore[misc]  # datasets has no type information
    """Asks Arrow for a few row groups after the other: of those that it is asked for it reads
    ahead until a gigabyte is in memory."""

    def _generate_tables(
        self, files: Sequence[Any], row_groups_list: Sequence[Sequence[int] | None]
    ) -> Iterator[tuple[Any, Any]]:
        for file, asked in zip(files, row_groups_list, strict=True):
            groups = self._groups(file) if asked is None else list(asked)
            done, n_bytes, n_next = 0, 0, 1
            while done < len(groups):
                span = groups[done : done + n_next]
                for key, table in super()._generate_tables([file], [span]):
                    n_bytes += table.nbytes
                    yield key, table
                done += len(span)
                n_next = max(1, SPAN_BYTES * done // max(1, n_bytes))

    def _groups(self, file: Any) -> list[int]:
        (told,) = self._generate_more_gen_kwargs([file], [None])
        return [group for (group,) in told["row_groups_list"]]


def in_spans(builder: Any) -> Any:
    """A builder of `datasets` that streams parquet in spans; others come back as they are."""
    kind = type(builder)
    if isinstance(builder, Parquet):
        builder.__class__ = type(kind.__name__, (_InSpans, kind), {"__module__": kind.__module__})
    return builder
