"""Folders as the Hub describes repositories: the JSON of its API, made from the files themselves.

Models lie at the top of a root, as `name` or `owner/name`. Data sets and Spaces lie below its
folders `datasets` and `spaces`; there each folder with a file of its own is a repository.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any  # the Hub's JSON

from catalog.config import ConfigFacts
from catalog.hashes import blob_id_of, sha256_of
from catalog.loopback.exchange import Answer
from catalog.loopback.hosted_files import HostedFile, commit_of, is_large
from catalog.model import File, Model
from catalog.protocols import HashMemo
from catalog.repository import (
    is_repository,
    read_card,
    read_config,
    read_header_parameters,
    repository_paths,
)
from catalog.untrusted import Unreadable, texts

OVERRIDES = ".hub.json"
"""An optional file of a repository: what the API answers in place of what the files tell.

`renamed_from` lists former ids: requests for these are redirected.
"""

DATA_KINDS = ("datasets", "spaces")
BASIC_FIELDS = frozenset(
    {"id", "downloads", "likes", "tags", "pipeline_tag", "library_name", "private", "createdAt"}
)
"""What a listing without `expand` or `full` answers for each repository."""

NOT_LISTED = frozenset({"config", "cardData", "securityRepoStatus"})


class HostedRepository:
    """One repository folder as the Hub's API shows it; read afresh for each request."""

    kind = "models"

    def __init__(self, folder: Path, id: str, memo: HashMemo, *, is_gated: bool = False) -> None:
        self.folder = folder
        self.id = id
        self._memo = memo
        self._is_gated = is_gated

    @cached_property
    def files(self) -> tuple[HostedFile, ...]:
        """The repository's files by path, hidden ones left out."""
        return tuple(self._file(path) for path in repository_paths(self.folder))

    @cached_property
    def commit(self) -> str:
        """The commit hash; another one after each change of a file."""
        return commit_of(self.files)

    @cached_property
    def info(self) -> Mapping[str, Any]:
        """All that the API tells of the repository, by the API's names."""
        told = self._shared() | self._facts(self._card()) | self._overrides
        told.pop("renamed_from", None)
        if self._is_gated:
            told["gated"] = "manual"
        return {key: value for key, value in told.items() if value is not None}

    @property
    def former_ids(self) -> tuple[str, ...]:
        """Ids that it had before."""
        return texts(self._overrides.get("renamed_from"))

    def described(self, *, expand: Collection[str] = (), blobs: bool = False) -> dict[str, Any]:
        """The answer to `/api/models/ID`: all of it, or only the expanded fields."""
        if expand:
            return {key: value for key, value in self.info.items() if key == "id" or key in expand}
        info = dict(self.info)
        if blobs and "siblings" not in self._overrides:
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

    def part(self, path: str, start: int, end: int) -> Answer:
        """The bytes of a file from `start` up to, not including, `end`."""
        return Answer(file=self.folder / path, start=start, n_bytes=end - start)

    def _facts(self, card: Mapping[str, Any]) -> dict[str, Any]:
        """What this kind of repository tells beyond the others."""
        return {"tags": _card_tags(card)}

    def _shared(self) -> dict[str, Any]:
        times = sorted((self.folder / file.path).stat().st_mtime for file in self.files)
        return {
            "id": self.id, "author": self.id.rpartition("/")[0] or None, "sha": self.commit,
            "createdAt": _time(times[0]) if times else None,
            "lastModified": _time(times[-1]) if times else None,
            "private": False, "disabled": False, "gated": False, "downloads": 0, "likes": 0,
            "cardData": self._card(),
            "siblings": [{"rfilename": file.path} for file in self.files],
        }  # fmt: skip

    def _file(self, path: str) -> HostedFile:
        place = self.folder / path
        size_bytes = place.stat().st_size
        hashed = sha256_of(place, self._memo) if is_large(path, size_bytes) else blob_id_of(place)
        return HostedFile(path, size_bytes, hashed)

    def _card(self) -> Mapping[str, Any]:
        try:
            return read_card(self.folder)
        except Unreadable:
            return {}

    @cached_property
    def _overrides(self) -> dict[str, Any]:
        path = self.folder / OVERRIDES
        return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else {}


class HostedModel(HostedRepository):
    """A model's folder."""

    def _facts(self, card: Mapping[str, Any]) -> dict[str, Any]:
        config = self._config()
        task = card.get("pipeline_tag") or ConfigFacts.parse(config).task
        library = card.get("library_name") or "transformers"
        shown = ("architectures", "model_type", "auto_map", "quantization_config")
        return {
            "modelId": self.id, "pipeline_tag": task, "library_name": library,
            "tags": [*_model_tags(task, library, self.files), *_card_tags(card)],
            "model-index": card.get("model-index"),
            "config": {key: config[key] for key in shown if key in config},
            "safetensors": self._safetensors(),
            "securityRepoStatus": {"scansDone": True, "filesWithIssues": []},
        }  # fmt: skip

    def _config(self) -> Mapping[str, Any]:
        try:
            return read_config(self.folder)
        except Unreadable:
            return {}

    def _safetensors(self) -> dict[str, Any] | None:
        files = tuple(File(file.path, file.size_bytes) for file in self.files)
        try:
            found = read_header_parameters(
                self.folder, Model(self.id, self.commit, "", files=files)
            )
        except Unreadable:
            return None
        return {"parameters": found, "total": sum(found.values())} if found else None


class HostedDataset(HostedRepository):
    """A data set's folder."""

    kind = "datasets"


class HostedSpace(HostedRepository):
    """A Space's folder, for instance a metric of `evaluate`."""

    kind = "spaces"

    def _facts(self, card: Mapping[str, Any]) -> dict[str, Any]:
        return {"tags": _card_tags(card), "sdk": card.get("sdk")}


def hosted_repositories(
    root: Path, memo: HashMemo, *, gated: Collection[str] = ()
) -> tuple[HostedRepository, ...]:
    """All repositories under a root: models, then data sets, then Spaces."""
    found: list[HostedRepository] = []
    for kind, place in ((HostedModel, root), (HostedDataset, root / "datasets"),
                        (HostedSpace, root / "spaces")):  # fmt: skip
        is_one = is_repository if kind is HostedModel else _has_files
        for folder in _repository_folders(place, is_one):
            id = folder.relative_to(place).as_posix()
            found.append(kind(folder, id, memo, is_gated=id in gated))
    return tuple(found)


def _repository_folders(root: Path, is_one: Callable[[Path], bool]) -> Iterable[Path]:
    """Folders at the top (`name`) or one level deeper (`owner/name`)."""
    for folder in _subfolders(root):
        if is_one(folder):
            yield folder
        elif folder.name not in DATA_KINDS:
            yield from filter(is_one, _subfolders(folder))


def _subfolders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def _has_files(folder: Path) -> bool:
    return any(path.is_file() and not path.name.startswith(".") for path in folder.iterdir())


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _model_tags(task: str | None, library: str, files: Iterable[HostedFile]) -> list[str]:
    formats = {"safetensors": ".safetensors", "onnx": ".onnx", "gguf": ".gguf"}
    paths = [file.path for file in files]
    found = [library, task] if task else [library]
    return found + [
        tag for tag, end in formats.items() if any(path.endswith(end) for path in paths)
    ]


def _card_tags(card: Mapping[str, Any]) -> list[str]:
    found = [*texts(card.get("tags"))]
    found += [f"license:{license}" for license in texts(card.get("license"))]
    found += [f"dataset:{dataset}" for dataset in texts(card.get("datasets"))]
    found += [f"base_model:{base}" for base in texts(card.get("base_model"))]
    return found + list(texts(card.get("language")))
