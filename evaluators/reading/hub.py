"""Data sets on the Hub. The home of datasets."""

from dataclasses import replace

from datasets import get_dataset_split_names, load_dataset
from datasets.exceptions import DatasetsError

from cache.errors import AccessRequired, BadInput, NotFound, SourceUnavailable
from evaluators.reading.frames import dataset_table
from evaluators.reading.splits import Splits, chosen_splits
from evaluators.reading.table import Table, first_line


def read_hub(source: str, *, split: str | None) -> Table:
    """`owner/name` or `owner/name:config`, with a split such as `test[:500]`.

    Without a split: the only one, else the test split, else the validation split, else the
    training split with a warning; and a note.
    """
    path, config = _named(source)
    splits = None if split else hub_splits(source)
    chosen = split or (splits.evidence if splits else "")
    try:
        dataset = load_dataset(path, config, split=chosen)
    except (OSError, ValueError, DatasetsError) as error:
        raise _unreadable(source, error) from error
    table = dataset_table(dataset, name=f"{source} {chosen}")
    return replace(
        table, notes=(splits.note,) if splits else (), dataset=path, split=chosen.partition("[")[0]
    )


def hub_splits(source: str) -> Splits:
    """The splits of a data set on the Hub, and which one certifies."""
    path, config = _named(source)
    try:
        names = list(get_dataset_split_names(path, config))
    except (OSError, ValueError, DatasetsError) as error:
        raise _unreadable(source, error) from error
    return chosen_splits(names, None, source)


def _named(source: str) -> tuple[str, str | None]:
    path, _, config = source.partition(":")
    return path, config or None


def _unreadable(source: str, error: Exception) -> Exception:
    if isinstance(error, FileNotFoundError) and "gated" in str(error):
        return AccessRequired(
            f"the Hub's data set {source!r} is gated. Ask for access at its page, and set HF_TOKEN."
        )
    if isinstance(error, FileNotFoundError):
        return NotFound(
            f"{source!r} is neither a file here nor a data set on the Hub. "
            "Check its spelling, or the path."
        )
    if isinstance(error, OSError):
        return SourceUnavailable(
            f"{source!r} is no file here, and the Hub's data set cannot be read: "
            f"{first_line(error)}."
        )
    return BadInput(f"the Hub's data set {source!r}: {first_line(error)}")
