"""Folders: a class a folder, files beside a table, splits, a retrieval's three files."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cache.errors import BadInput
from evaluators.reading.files import AUDIO_SUFFIXES, IMAGE_SUFFIXES
from evaluators.reading.splits import Splits, chosen_splits, role_of
from evaluators.reading.table import Table, in_words

TABLES = ("metadata", "labels", "annotations")
"""Names of a table beside the files that it lists."""


NO_DATA = (".md", ".py", ".html", ".pdf", ".zip", ".png", ".log", ".yaml", ".yml")
"""Suffixes of files that are no split, whatever they are called."""


@dataclass(frozen=True, slots=True)
class Part:
    """One split of a folder: a folder of its own, or a file."""

    name: str
    path: Path


def parts_of_folder(folder: Path) -> list[Part]:
    """The splits of a folder: folders or data files that are named for what they are for.

    Two files of one split (texts and labels, two languages) are one part, named once.
    """
    found: dict[str, Part] = {}
    for path in _visible(folder):
        name = split_name(path)
        if role_of(name) and (path.is_dir() or path.suffix.casefold() not in NO_DATA):
            found.setdefault(name, Part(name, path))
    return list(found.values())


def split_name(path: Path) -> str:
    """A file's or folder's name without its suffixes, its language and the word for its half."""
    if path.is_dir():
        return path.name
    inner = path.with_suffix("") if path.suffix.casefold() == ".gz" else path
    return re.sub(r"[_.-](texts?|labels?|sentences|inputs)$", "", inner.stem)


def coco_parts(folder: Path) -> list[Part]:
    """COCO's layout: `annotations` holds a file for each split, images lie beside; else none.

    Of `instances_val2017.json`, `person_keypoints_val2017.json` and so on, the first are taken.
    """
    every = [path for path in _files(folder / "annotations") if path.suffix.casefold() == ".json"]
    files = [path for path in every if path.stem.startswith("instances")] or every
    return [Part(_coco_split(path), path) for path in files]


def _coco_split(path: Path) -> str:
    """`val` of `instances_val2017`; a name that tells no split as it is."""
    name = re.sub(r"[0-9]+$", "", path.stem.rpartition("_")[2])
    return name if role_of(name) else path.stem


def media_table(folder: Path) -> Table | None:
    """Images or sounds whose class is the folder that they are in; None where there are none.

    Other files are left out with a note.
    """
    classes = [path for path in _visible(folder) if path.is_dir()]
    files = [(path, file) for path in classes for file in sorted(_files(path))]
    suffixes = media_suffixes(file for _, file in files)
    if suffixes is None:
        return None
    media = [(path, file) for path, file in files if file.suffix.casefold() in suffixes]
    if len(classes) < 2:
        raise BadInput(f"{folder} has the class {classes[0].name!r} only. Give two at least.")
    empty = [path.name for path in classes if path not in {found for found, _ in media}]
    if empty:
        raise BadInput(f"{folder}: no file of {in_words(empty)} can be read. Fill or remove it.")
    n_other = len(files) - len(media)
    notes = (f"files: {n_other:,} of other kinds are left out",) if n_other else ()
    is_image = suffixes is IMAGE_SUFFIXES
    records = ((at, (str(file), path.name)) for at, (path, file) in enumerate(media, start=1))
    return Table(
        folder.name, ("image" if is_image else "audio", "label"), records, place="file",
        notes=notes, folder=folder,
        task="image-classification" if is_image else "audio-classification",
    )  # fmt: skip


def media_suffixes(files: Iterator[Path]) -> frozenset[str] | None:
    """Whether most of the files are images or sounds; None where there are neither."""
    suffixes = [file.suffix.casefold() for file in files]
    n_images = sum(suffix in IMAGE_SUFFIXES for suffix in suffixes)
    n_sounds = sum(suffix in AUDIO_SUFFIXES for suffix in suffixes)
    if not n_images and not n_sounds:
        return None
    return IMAGE_SUFFIXES if n_images >= n_sounds else AUDIO_SUFFIXES


def table_in(folder: Path, suffixes: Sequence[str]) -> Path | None:
    """The file that says what the others are: one of the usual names, or the only one."""
    tables = [path for path in _files(folder) if _is_table(path, suffixes)]
    named = [path for path in tables if path.name.split(".")[0].casefold() in TABLES]
    found = named or tables
    return found[0] if len(found) == 1 else None


def _is_table(path: Path, suffixes: Sequence[str]) -> bool:
    found = [suffix.casefold() for suffix in path.suffixes]
    return any(suffix in suffixes for suffix in found)


def unreadable_folder(folder: Path, suffixes: Sequence[str]) -> BadInput:
    """Why a folder gives no table, and what would."""
    files = list(_files(folder))
    if media_suffixes(iter(files)) is not None:
        return BadInput(
            f"{folder} is a folder of files without labels. Put each class's files in a folder of "
            "its name, or a metadata.csv with the columns file_name and label beside them."
        )
    shown = [file.name for file in files if _is_table(file, suffixes)]
    hint = f": {in_words(shown)}" if shown else f": {', '.join(suffixes)}"
    return BadInput(f"{folder} is a folder; give one file{hint}.")


def is_retrieval(folder: Path) -> bool:
    """Whether a folder is laid out as BEIR's data sets: corpus, queries, qrels."""
    return all((folder / name).exists() for name in ("corpus.jsonl", "queries.jsonl", "qrels"))


def with_split(table: Table, splits: Splits) -> Table:
    """The table of a split, which says which one it is."""
    return replace(table, split=splits.evidence, notes=(splits.note, *table.notes))


def choose_part(parts: Sequence[Part], split: str | None, folder: Path) -> tuple[Part, Splits]:
    """The part that certifies, or the asked one."""
    splits = chosen_splits([part.name for part in parts], split, str(folder))
    return next(part for part in parts if part.name == splits.evidence), splits


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _files(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        return iter(())
    return (path for path in _visible(folder) if path.is_file())
