"""The files of one repository on disk: which there are, and what their first bytes tell."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any  # config.json and the card are read value by value

from cache.key import digest
from catalog.card import CardFacts, front_matter, summary
from catalog.config import ConfigFacts, config_digest
from catalog.hashes import sha256_of
from catalog.metadata import describe
from catalog.model import File, Model
from catalog.plan import INDEX, choose_weights
from catalog.protocols import HashMemo
from catalog.untrusted import JSON_LIMIT_BYTES, Unreadable, parse_object
from catalog.weights import parameters_of, parse_index

CONFIG = "config.json"
CARD = "README.md"
SIGNS = (CONFIG, "model.safetensors", "pytorch_model.bin")
"""A folder with one of these is meant as a repository."""

IRRELEVANT_ENDINGS = (".md", ".bin", ".pt", ".pth", ".h5", ".msgpack", ".ot", ".tflite", ".log")
"""Files that never run here: a change in one keeps the revision, and with it what was measured."""

SNAPSHOTS = "snapshots"
"""In the cache of huggingface_hub, `snapshots/COMMIT` holds links to `blobs` beside it.
https://huggingface.co/docs/huggingface_hub/guides/manage-cache"""

REVISION_DIGITS = 40
FILES_LIMIT = 10_000


def is_repository(folder: Path) -> bool:
    """Whether a folder is meant as a model's repository."""
    return any((folder / name).is_file() for name in SIGNS)


def read_repository(
    folder: Path,
    *,
    id: str,
    source: str,
    memo: HashMemo | None = None,
    within: Path | None = None,
) -> Model:
    """The model in a folder, pinned to its files' contents. Raises Unreadable or OSError.

    Links may lead to files of the same folder, of `within` and of the Hub's cache around it.
    """
    paths = repository_paths(folder)
    _check_files(folder, paths, within)
    config = read_config(folder)
    readme = read_readme(folder)
    card = CardFacts.parse(front_matter(readme))
    files = tuple(_file(folder, path, memo) for path in paths)
    model = Model(
        id=id,
        revision=revision_of(files),
        source=source,
        files=files,
        last_modified=last_modified(folder, files),
        shards=_shards(folder, files),
        summary=summary(readme),
        config_digest=config_digest(config),
    )
    model = describe(model, ConfigFacts.parse(config), card)
    return replace(model, parameters=read_header_parameters(folder, model))


def read_config(folder: Path) -> Mapping[str, Any]:
    """The object in config.json."""
    return parse_object(_read_capped(folder / CONFIG))


def read_card(folder: Path) -> Mapping[str, Any]:
    """The card's front matter; empty without a card."""
    return front_matter(read_readme(folder))


def read_readme(folder: Path) -> str:
    """The card with its front matter; empty without a card."""
    if not (folder / CARD).is_file():
        return ""
    return _read_capped(folder / CARD).decode("utf-8", "replace")


def read_header_parameters(folder: Path, model: Model) -> dict[str, int]:
    """Values by dtype, from the headers of the weights that transformers would load."""
    weights = (file.path for file in model.weight_files if file.path.endswith(".safetensors"))
    return parameters_of(folder / path for path in weights)


def repository_paths(folder: Path) -> tuple[str, ...]:
    """The files' paths in the repository, sorted; hidden ones (.git, .cache) are left out."""
    found: list[str] = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = Path(place).relative_to(folder)
        found += [(inside / name).as_posix() for name in names if not name.startswith(".")]
        if len(found) > FILES_LIMIT:
            raise Unreadable(f"more than {FILES_LIMIT:,} files")
    return tuple(sorted(found))


def _check_files(folder: Path, paths: Iterable[str], within: Path | None) -> None:
    """Unreadable for what would hang or lead a reader elsewhere: pipes, devices, links out."""
    allowed = [place.resolve() for place in (folder, within) if place]
    if allowed[0].parent.name == SNAPSHOTS:
        allowed.append(allowed[0].parent.parent / "blobs")
    for path in paths:
        place = folder / path
        if not place.is_file():
            kind = "a link that leads nowhere" if place.is_symlink() else "no regular file"
            raise Unreadable(f"{path} is {kind}; remove it, or put the file in its place")
        if place.is_symlink() and not any(place.resolve().is_relative_to(one) for one in allowed):
            raise Unreadable(
                f"{path} is a link that leads out of the folder; put a copy in its place"
            )


def revision_of(files: Iterable[File]) -> str:
    """40 hexadecimal digits over the path, size and hash of each file that has one."""
    relevant = [(file.path, file.size_bytes, file.sha256) for file in files if file.sha256]
    return digest(sorted(relevant))[:REVISION_DIGITS]


def last_modified(folder: Path, files: Iterable[File]) -> str | None:
    """When the newest of the files changed: ISO 8601, UTC."""
    times = [(folder / file.path).stat().st_mtime for file in files]
    return datetime.fromtimestamp(max(times), UTC).isoformat(timespec="seconds") if times else None


def _shards(folder: Path, files: Iterable[File]) -> tuple[str, ...]:
    """The shards that the index names, where the weights are not in one file."""
    paths = {file.path for file in files}
    if INDEX not in choose_weights(paths):
        return ()
    return parse_index(_read_capped(folder / INDEX), paths)


def _file(folder: Path, path: str, memo: HashMemo | None) -> File:
    relevant = not path.endswith(IRRELEVANT_ENDINGS)
    sha256 = sha256_of(folder / path, memo) if relevant else None
    return File(path, (folder / path).stat().st_size, sha256)


def _read_capped(path: Path) -> bytes:
    if not path.is_file():
        raise Unreadable(f"{path.name} is missing")
    with path.open("rb") as file:
        content = file.read(JSON_LIMIT_BYTES + 1)
    if len(content) > JSON_LIMIT_BYTES:
        raise Unreadable(f"{path.name} is larger than {JSON_LIMIT_BYTES:,} bytes")
    return content
