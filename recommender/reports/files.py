"""Reports as files: whole, or not at all."""

from pathlib import Path

from cache.errors import BadInput


def write_whole(path: Path, content: str | bytes) -> None:
    """Put a file in its place when all of it is written; text ends with a line's end.

    Raises BadInput where it cannot be written.
    """
    if isinstance(content, str):
        text = content if content.endswith("\n") else f"{content}\n"
        content = text.encode("utf-8", "replace")
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise BadInput(f"cannot write {path}: {error.strerror}; name another file") from error
