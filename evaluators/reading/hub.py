"""Data sets on the Hub. The home of datasets."""

from dataclasses import replace

from datasets import get_dataset_split_names, load_dataset
from datasets.exceptions import DatasetsError

from cache.errors import AccessRequired, BadInput, NotFound, SourceUnavailable
from evaluators.reading.frames import dataset_table
from evaluators.reading.table import Table, first_line, in_words

PREFERRED_SPLITS = ("test", "validation", "dev")


def read_hub(source: str, *, split: str | None) -> Table:
    """`owner/name` or `owner/name:config`, with a split such as `test[:500]`.

    Without a split: the only one, else the test split, else the validation split; and a note.
    """
    path, _, config = source.partition(":")
    chosen, notes = (split, ()) if split else _default_split(path, config or None, source)
    try:
        dataset = load_dataset(path, config or None, split=chosen)
    except (OSError, ValueError, DatasetsError) as error:
        raise _unreadable(source, error) from error
    table = dataset_table(dataset, name=f"{source} {chosen}")
    return replace(table, notes=notes, dataset=path)


def _default_split(path: str, config: str | None, source: str) -> tuple[str, tuple[str, ...]]:
    try:
        splits = list(get_dataset_split_names(path, config))
    except (OSError, ValueError, DatasetsError) as error:
        raise _unreadable(source, error) from error
    known = splits if len(splits) == 1 else [name for name in PREFERRED_SPLITS if name in splits]
    if not known:
        raise BadInput(f"{source} has the splits {in_words(splits)}. Choose one with --split.")
    return known[0], (f"split: {known[0]!r} of {in_words(splits)}",)


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
