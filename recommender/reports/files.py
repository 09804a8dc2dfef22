"""Reports as files: whole, or not at all."""

import os
import stat
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from cache.errors import BadInput

OPENED = frozenset(map(Path, ("/dev/stdout", "/dev/stderr", "/dev/fd", "/proc/self/fd")))
"""What the process was started with."""


def write_whole(path: Path, content: str | bytes) -> None:
    """Put a file in its place when all of it is written; text ends with a line's end.

    A link stays, and what it leads to is replaced; what exists and is no regular file (a FIFO,
    `/dev/stdout`) is written straight into. Raises BadInput where it cannot be written.
    """
    if isinstance(content, str):
        text = content if content.endswith("\n") else f"{content}\n"
        content = text.encode("utf-8", "replace")
    try:
        mode = _mode_of(path)
        if _is_stream(path, mode):
            with path.open("ab") as stream:
                stream.write(content)
        else:
            _replace(Path(os.path.realpath(path)), content, mode)
    except OSError as error:
        raise BadInput(f"cannot write {path}: {error.strerror}; name another file") from error


def _mode_of(path: Path) -> int | None:
    """Kind and permissions of what is there, behind links; None where nothing is."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def _is_stream(path: Path, mode: int | None) -> bool:
    """Whether it is to be written into as it is.

    `/dev/stdout` may lead to a regular file, which the shell has opened and perhaps appends to.
    """
    return mode is not None and (not stat.S_ISREG(mode) or path.parent in OPENED or path in OPENED)


def _replace(target: Path, content: bytes, mode: int | None) -> None:
    """Write a neighbour of a name of its own, as others may write the same file meanwhile."""
    temporary = target.with_name(f".{uuid4().hex}.part")
    try:
        with temporary.open("xb") as file:  # with the usual permissions of a new file
            file.write(content)
        if mode is not None:
            with suppress(PermissionError):  # some file systems have no permissions
                temporary.chmod(stat.S_IMODE(mode))
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
