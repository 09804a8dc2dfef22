"""Which encoding is a text file in? Decided by decoding all of it, in constant memory."""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from cache.errors import BadInput

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
CHUNK_BYTES = 1 << 20


def open_bytes(path: Path) -> BinaryIO:
    """A file's bytes, unpacked where its name ends in .gz."""
    if path.suffix.casefold() == ".gz":
        return cast(BinaryIO, gzip.open(path, "rb"))
    return path.open("rb")


def open_text(path: Path, encoding: str, *, newline: str | None = None) -> TextIO:
    """A file's text, unpacked where its name ends in .gz."""
    return io.TextIOWrapper(open_bytes(path), encoding=encoding, newline=newline)


def format_of(path: Path) -> str:
    """The suffix in lower case that tells the format: `.csv` of reviews.CSV.gz."""
    inner = Path(path.stem) if path.suffix.casefold() == ".gz" else path
    return inner.suffix.casefold()


def detect_encoding(path: Path) -> tuple[str, tuple[str, ...]]:
    """The encoding that decodes the whole file, and a note where it had to be assumed.

    A byte order mark decides; else UTF-8; else Latin-1 as browsers understand it, which is
    Windows-1252 (WHATWG Encoding Standard, section 4.2). NUL bytes are refused.
    """
    try:
        mark = _marked(path)
        return _detected(path, mark)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadInput(f"{path} is no whole gzip file: {error}. Fetch it again.") from error


def _detected(path: Path, mark: str | None) -> tuple[str, tuple[str, ...]]:
    if mark:
        _refuse_undecodable(path, mark)
        return mark, () if mark == "utf-8-sig" else (f"encoding: {mark}, by its byte order mark",)
    _refuse_nul(path)
    failed_line = _first_undecodable_line(path, "utf-8")
    if failed_line is None:
        return "utf-8", ()
    fits = _first_undecodable_line(path, "cp1252") is None
    encoding, title = ("cp1252", "Latin-1 (Windows-1252)") if fits else ("latin-1", "Latin-1")
    return encoding, (f"encoding: not UTF-8 (line {failed_line:,}), read as {title}",)


def _marked(path: Path) -> str | None:
    with open_bytes(path) as file:
        start = file.read(4)
    return next((name for mark, name in BYTE_ORDER_MARKS if start.startswith(mark)), None)


def _chunks(path: Path) -> Iterator[bytes]:
    with open_bytes(path) as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _refuse_nul(path: Path) -> None:
    line = 1
    for chunk in _chunks(path):
        at = chunk.find(b"\0")
        if at >= 0:
            line += chunk.count(b"\n", 0, at)
            raise BadInput(
                f"{path}, line {line:,}: a NUL byte, so this is no plain text. "
                "If it is UTF-16 without a byte order mark, save it as UTF-8."
            )
        line += chunk.count(b"\n")


def _first_undecodable_line(path: Path, encoding: str) -> int | None:
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    try:
        for chunk in _chunks(path):
            decoder.decode(chunk)
            line += chunk.count(b"\n")
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        return line + error.object[: error.start].count(b"\n")
    return None


def _refuse_undecodable(path: Path, encoding: str) -> None:
    line = _first_undecodable_line(path, encoding)
    if line is not None:
        raise BadInput(
            f"{path}, line {line:,}: not valid {encoding}, which its byte order mark promises. "
            "Save it as UTF-8."
        )
