"""Hashes of local files, by which contents are told apart."""

import hashlib
from pathlib import Path

from catalog.protocols import HashMemo


def sha256_of(path: Path, memo: HashMemo | None = None) -> str:
    """The file's SHA-256 as 64 hexadecimal digits; remembered by path, size and time of change."""
    status = path.stat()
    key = (str(path.resolve()), status.st_size, status.st_mtime_ns)
    known = memo.known_sha256(*key) if memo else None
    if known:
        return known
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if memo:
        memo.remember_sha256(*key, found)
    return found


def blob_id_of(path: Path) -> str:
    """The id that git gives the file's content: 40 hexadecimal digits."""
    start = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: start).hexdigest()


def blob_id(content: bytes) -> str:
    """The same of bytes in memory."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
