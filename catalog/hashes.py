"""SHA-256 of local files, each read once as long as it does not change."""

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
