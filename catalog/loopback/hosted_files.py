"""The files of a repository as the Hub's API lists them."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any  # the Hub's JSON

from catalog.hashes import blob_id

LARGE_ENDINGS = (".safetensors", ".bin", ".onnx", ".h5", ".msgpack", ".model", ".parquet", ".gguf")
LARGE_BYTES = 10_000_000
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size_bytes}\n"
"""What git holds in place of a large file."""


@dataclass(frozen=True, slots=True)
class HostedFile:
    """One file as the Hub serves it, by its hash.

    A small file's is git's id of its content, a large one's the SHA-256, also as ETag.
    """

    path: str
    size_bytes: int
    etag: str

    @property
    def is_large(self) -> bool:
        """Whether the Hub would keep it outside git."""
        return is_large(self.path, self.size_bytes)

    @property
    def blob_id(self) -> str:
        """Git's id of what it holds: of a large file a pointer."""
        if not self.is_large:
            return self.etag
        return blob_id(POINTER.format(sha256=self.etag, size_bytes=self.size_bytes).encode())

    def sibling(self) -> dict[str, Any]:
        """The entry of `siblings` in a repository's description, with `blobs=true`."""
        entry: dict[str, Any] = {
            "rfilename": self.path,
            "size": self.size_bytes,
            "blobId": self.blob_id,
        }
        if self.is_large:
            entry["lfs"] = {"sha256": self.etag, "size": self.size_bytes, "pointerSize": 130}
        return entry

    def tree_entry(self) -> dict[str, Any]:
        """The entry of a tree listing."""
        entry: dict[str, Any] = {
            "type": "file", "path": self.path, "size": self.size_bytes, "oid": self.blob_id,
        }  # fmt: skip
        if self.is_large:
            entry["lfs"] = {"oid": self.etag, "size": self.size_bytes, "pointerSize": 130}
        return entry


def is_large(path: str, size_bytes: int) -> bool:
    """Whether the Hub would keep a file outside git."""
    return size_bytes >= LARGE_BYTES or path.endswith(LARGE_ENDINGS)


def commit_of(files: Iterable[HostedFile]) -> str:
    """Stands for the commit hash: 40 hexadecimal digits over all paths and contents."""
    contents = "\n".join(f"{file.path}\0{file.etag}" for file in files)
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
