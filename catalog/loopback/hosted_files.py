"""The files of a repository as the Hub's API lists them."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any  # the Hub's JSON

LARGE_ENDINGS = (".safetensors", ".bin", ".onnx", ".h5", ".msgpack", ".model", ".parquet", ".gguf")
LARGE_BYTES = 10_000_000


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
        """The entry of `siblings` in a repository's description, with `blobs=true`."""
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


def commit_of(files: Iterable[HostedFile]) -> str:
    """Stands for the commit hash: 40 hexadecimal digits over all paths and contents."""
    contents = "\n".join(f"{file.path}\0{file.sha256}" for file in files)
    return hashlib.sha256(contents.encode()).hexdigest()[:40]


def tree(
    files: Sequence[HostedFile], under: str, *, recursive: bool
) -> list[dict[str, Any]] | None:
    """Files and folders under a path (`""` is the top); None when there is no such folder."""
    start = f"{under}/" if under else ""
    below = [file for file in files if file.path.startswith(start)]
    if under and not below:
        return None
    shown = [file for file in below if recursive or "/" not in file.path[len(start) :]]
    folders = _folders(files, start, recursive=recursive)
    return [*map(_folder_entry, folders), *(file.tree_entry() for file in shown)]


def paths_info(files: Sequence[HostedFile], paths: Iterable[str]) -> list[dict[str, Any]]:
    """The entries of these files and folders; what does not exist is left out."""
    by_path = {file.path: file.tree_entry() for file in files}
    by_path |= {path: _folder_entry(path) for path in _folders(files, "", recursive=True)}
    return [by_path[path] for path in paths if path in by_path]


def _folder_entry(path: str) -> dict[str, Any]:
    return {"type": "directory", "path": path, "size": 0, "oid": "0" * 40}


def _folders(files: Iterable[HostedFile], start: str, *, recursive: bool) -> list[str]:
    found = set()
    for file in files:
        if file.path.startswith(start):
            parts = file.path[len(start) :].split("/")[:-1]
            for depth in range(1, (len(parts) if recursive else min(len(parts), 1)) + 1):
                found.add(start + "/".join(parts[:depth]))
    return sorted(found)
