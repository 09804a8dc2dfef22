"""A folder as the Hub describes a model: the JSON of its API, made from the files themselves."""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any  # the Hub's JSON

from catalog.config import ConfigFacts
from catalog.hashes import sha256_of
from catalog.model import File, Model
from catalog.protocols import HashMemo
from catalog.repository import (
    is_repository,
    last_modified,
    read_card,
    read_config,
    read_header_parameters,
    repository_paths,
)
from catalog.untrusted import Unreadable, count, mapping, texts

OVERRIDES = ".hub.json"
"""An optional file of a repository: what the API answers in place of what the files tell."""

LARGE_ENDINGS = (".safetensors", ".bin", ".onnx", ".h5", ".msgpack", ".model")
LARGE_BYTES = 10_000_000
BASIC_FIELDS = frozenset(
    {"id", "downloads", "likes", "tags", "pipeline_tag", "library_name", "private", "lastModified"}
)
"""What a listing without `expand` or `full` answers for each model."""

NOT_LISTED = frozenset({"config", "cardData"})


@dataclass(frozen=True, slots=True)
class HostedFile:
    """One file as the Hub serves it; large files carry their SHA-256 as ETag."""

    path: str
    size_bytes: int
    sha256: str

    @property
    def is_large(self) -> bool:
        """Whether the Hub would keep it outside git."""
        return self.size_bytes >= LARGE_BYTES or self.path.endswith(LARGE_ENDINGS)

    @property
    def blob_id(self) -> str:
        """Stands for git's object id: 40 hexadecimal digits of the contents."""
        return self.sha256[:40]

    @property
    def etag(self) -> str:
        """What the client names the file in its cache."""
        return self.sha256 if self.is_large else self.blob_id

    def sibling(self) -> dict[str, Any]:
        """The entry of `siblings` in a model's description, with `blobs=true`."""
        entry: dict[str, Any] = {
            "rfilename": self.path,
            "size": self.size_bytes,
            "blobId": self.blob_id,
        }
        if self.is_large:
            entry["lfs"] = {"sha256": self.sha256, "size": self.size_bytes, "pointerSize": 130}
        return entry

    def tree_entry(self) -> dict[str, Any]:
        """The entry of a tree listing."""
        entry: dict[str, Any] = {
            "type": "file", "path": self.path, "size": self.size_bytes, "oid": self.blob_id,
        }  # fmt: skip
        if self.is_large:
            entry["lfs"] = {"oid": self.sha256, "size": self.size_bytes, "pointerSize": 130}
        return entry


class HostedModel:
    """One repository folder as the Hub's API shows it; read afresh for each request."""

    def __init__(self, folder: Path, id: str, memo: HashMemo) -> None:
        self.folder = folder
        self.id = id
        self._memo = memo

    @cached_property
    def files(self) -> tuple[HostedFile, ...]:
        """The repository's files by path, hidden ones left out."""
        return tuple(self._file(path) for path in repository_paths(self.folder))

    @cached_property
    def commit(self) -> str:
        """Stands for the commit hash: 40 hexadecimal digits over all paths and contents."""
        contents = "\n".join(f"{file.path}\0{file.sha256}" for file in self.files)
        return hashlib.sha256(contents.encode()).hexdigest()[:40]

    @cached_property
    def info(self) -> Mapping[str, Any]:
        """All that the API tells of the model, by the API's names."""
        config, card = self._config(), self._card()
        kinds = {key: config[key] for key in ("architectures", "model_type") if key in config}
        task = card.get("pipeline_tag") or ConfigFacts.parse(config).task
        library = card.get("library_name") or "transformers"
        told: dict[str, Any] = {
            "id": self.id, "modelId": self.id, "author": self.id.rpartition("/")[0] or None,
            "sha": self.commit, "lastModified": self._modified(), "private": False,
            "disabled": False, "gated": False, "downloads": 0, "likes": 0,
            "pipeline_tag": task, "library_name": library,
            "tags": _tags(task, library, card, self.files),
            "cardData": card, "model-index": card.get("model-index"),
            "config": kinds,
            "safetensors": self._safetensors(),
            "siblings": [{"rfilename": file.path} for file in self.files],
        }  # fmt: skip
        return {
            key: value for key, value in (told | self._overrides()).items() if value is not None
        }

    @property
    def is_private(self) -> bool:
        """Whether it is hidden without the token."""
        return bool(self.info.get("private"))

    @property
    def downloads(self) -> int:
        """As `.hub.json` gives it, else 0."""
        return int(self.info.get("downloads") or 0)

    @property
    def n_parameters(self) -> int | None:
        """Values in the safetensors files; None when they cannot be read."""
        return count(mapping(self.info.get("safetensors")).get("total"))

    def described(self, *, expand: Collection[str] = (), blobs: bool = False) -> dict[str, Any]:
        """The answer to `/api/models/ID`: all of it, or only the expanded fields."""
        if expand:
            return {key: value for key, value in self.info.items() if key == "id" or key in expand}
        info = dict(self.info)
        if blobs and "siblings" not in self._overrides():
            info["siblings"] = [file.sibling() for file in self.files]
        return info

    def listed(self, *, expand: Collection[str] = (), full: bool = False) -> dict[str, Any]:
        """The row of a listing."""
        if expand:
            return self.described(expand=expand)
        return {
            key: value
            for key, value in self.info.items()
            if (key not in NOT_LISTED if full else key in BASIC_FIELDS)
        }

    def file(self, path: str) -> HostedFile | None:
        """The file at this path; None when there is none."""
        return next((file for file in self.files if file.path == path), None)

    def tree(self, under: str, *, recursive: bool) -> list[dict[str, Any]] | None:
        """Files and folders under a path (`""` is the top); None when there is no such folder."""
        start = f"{under}/" if under else ""
        below = [file for file in self.files if file.path.startswith(start)]
        if under and not below:
            return None
        folders = sorted(_folders((file.path for file in below), start, recursive=recursive))
        shown = [file for file in below if recursive or "/" not in file.path[len(start) :]]
        return [
            *({"type": "directory", "path": path, "size": 0, "oid": "0" * 40} for path in folders),
            *(file.tree_entry() for file in shown),
        ]

    def _file(self, path: str) -> HostedFile:
        place = self.folder / path
        return HostedFile(path, place.stat().st_size, sha256_of(place, self._memo))

    def _config(self) -> Mapping[str, Any]:
        try:
            return read_config(self.folder)
        except Unreadable:
            return {}

    def _card(self) -> Mapping[str, Any]:
        try:
            return read_card(self.folder)
        except Unreadable:
            return {}

    def _overrides(self) -> dict[str, Any]:
        path = self.folder / OVERRIDES
        return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else {}

    def _modified(self) -> str | None:
        time = last_modified(self.folder, [File(file.path, file.size_bytes) for file in self.files])
        return time.replace("+00:00", ".000Z") if time else None

    def _safetensors(self) -> dict[str, Any] | None:
        files = tuple(File(file.path, file.size_bytes) for file in self.files)
        try:
            found = read_header_parameters(
                self.folder, Model(self.id, self.commit, "", files=files)
            )
        except Unreadable:
            return None
        return {"parameters": found, "total": sum(found.values())} if found else None


def hosted_models(root: Path, memo: HashMemo) -> dict[str, HostedModel]:
    """The repositories under a directory by id: `name`, or `owner/name` one level deeper."""
    found = {}
    for folder in _subfolders(root):
        places = [folder] if is_repository(folder) else filter(is_repository, _subfolders(folder))
        for place in places:
            id = place.relative_to(root).as_posix()
            found[id] = HostedModel(place, id, memo)
    return found


def _subfolders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir())


def _folders(paths: Iterable[str], start: str, *, recursive: bool) -> set[str]:
    found = set()
    for path in paths:
        parts = path[len(start) :].split("/")[:-1]
        for depth in range(1, (len(parts) if recursive else min(len(parts), 1)) + 1):
            found.add(start + "/".join(parts[:depth]))
    return found


def _tags(
    task: str | None, library: str, card: Mapping[str, Any], files: Iterable[HostedFile]
) -> list[str]:
    formats = {"safetensors": ".safetensors", "onnx": ".onnx"}
    found = [library, task] if task else [library]
    found += [tag for tag, end in formats.items() if any(file.path.endswith(end) for file in files)]
    found += texts(card.get("tags"))
    found += [f"license:{license}" for license in texts(card.get("license"))]
    found += [f"dataset:{dataset}" for dataset in texts(card.get("datasets"))]
    return found + list(texts(card.get("language")))
