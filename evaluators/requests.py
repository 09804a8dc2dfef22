"""What a worker is asked: a row's content, with the file's path in place of its hash."""

from cache.key import canonical_json
from evaluators.reading.contents import parts_of
from evaluators.samples import Row

HASH = "sha256:"


def request_of(row: Row) -> str:
    """The row's content as it is; that of an image or a sound names the file on this machine."""
    if row.file is None:
        return row.text
    named = {
        role: row.file if isinstance(value, str) and value.startswith(HASH) else value
        for role, value in parts_of(row.text).items()
    }
    return canonical_json(named)
