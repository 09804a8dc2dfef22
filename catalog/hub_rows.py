"""Single values of the Hub's answers: ids, hashes and files."""

import re
from collections.abc import Mapping
from typing import Any  # the Hub's JSON

from catalog.ids import id_problem
from catalog.model import File
from catalog.policy import Refusal
from catalog.untrusted import Unreadable, count, mapping, text

COMMIT = re.compile(r"[0-9a-f]{40}")
BLOB_ID = re.compile(r"[0-9a-f]{40}")
SHA256 = re.compile(r"[0-9a-f]{64}")


def read_id(row: object, position: int) -> str | Refusal:
    """The id of a listing's row, or why it has none; `position` names a row without."""
    id = text(mapping(row).get("id"))
    if id is None:
        return Refusal(f"(row {position + 1})", "corrupt", "the Hub listed a row without an id")
    problem = id_problem(id)
    return Refusal(ascii(id)[1:-1][:200], "corrupt", problem) if problem else id


def read_file(sibling: Mapping[str, Any]) -> File:
    """A file of a description's `siblings`. Raises Unreadable without name or size.

    What the Hub tells as `blobId` of a large file is the id of a pointer, not of the content.
    """
    path, size_bytes = sibling.get("rfilename"), count(sibling.get("size"))
    if not isinstance(path, str) or path != text(path) or size_bytes is None:
        raise Unreadable(f"the Hub listed a file without name or size: {str(path)[:120]!a}")
    is_in_git = sibling.get("lfs") is None and sibling.get("xetHash") is None
    sha256 = text(mapping(sibling.get("lfs")).get("sha256")) or ""
    blob_id = text(sibling.get("blobId")) or ""
    return File(
        path,
        size_bytes,
        sha256 if SHA256.fullmatch(sha256) else None,
        blob_id if is_in_git and BLOB_ID.fullmatch(blob_id) else None,
    )
