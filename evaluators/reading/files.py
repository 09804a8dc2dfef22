"""Image and audio files: what they are by their first bytes, and the hash that stands for them."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from cache.errors import BadInput
from evaluators.reading.shapes import Kind

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff"})
AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".mp3"})
START_BYTES = 16
CHUNK_BYTES = 1 << 20


def media_kind(start: bytes) -> Kind | None:
    """Whether these first bytes begin an image or a sound that can be read; None for neither."""
    if start.startswith(
        (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*")
    ):
        return Kind.IMAGE
    if start[:4] == b"RIFF":
        return {b"WEBP": Kind.IMAGE, b"WAVE": Kind.AUDIO}.get(start[8:12])
    is_mp3 = start[:3] == b"ID3" or (start[:1] == b"\xff" and start[1:2] >= b"\xe0")
    return Kind.AUDIO if start[:4] == b"fLaC" or is_mp3 else None


def located(value: object, folder: Path) -> Path | bytes:
    """The absolute path of a file cell, relative ones being in `folder`; else its bytes."""
    held = value.get("bytes") if isinstance(value, Mapping) else value
    if isinstance(held, bytes):
        return held
    path = Path(str(value.get("path") if isinstance(value, Mapping) else value)).expanduser()
    return path if path.is_absolute() else (folder / path).absolute()


class Hashes:
    """Hashes of files, each file read once; what cannot be a row's file is refused by name.

    Bytes without a file, as data sets on the Hub hold them, are kept in the folder `keep`.
    """

    def __init__(self, kind: Kind, keep: Path | None = None) -> None:
        self._kind = kind
        self._keep = keep
        self._known: dict[Path, str] = {}

    def of(self, file: Path | bytes, place: str) -> tuple[str, Path]:
        """`sha256:` and the hash of the bytes, and where they lie. BadInput tells the `place`."""
        if isinstance(file, bytes):
            return self._kept(file, place)
        if file not in self._known:
            self._known[file] = self._hash(file, place)
        return f"sha256:{self._known[file]}", file

    def _kept(self, content: bytes, place: str) -> tuple[str, Path]:
        if self._keep is None:
            raise BadInput(f"{place}: a file's bytes without a file. Save them, and give the path.")
        self._check(content[:START_BYTES], f"{place}: its {self._noun}")
        found = hashlib.sha256(content).hexdigest()
        path = (self._keep / found).absolute()
        if not path.exists():
            self._keep.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(f".{os.getpid()}.part")
            part.write_bytes(content)
            part.replace(path)
        return f"sha256:{found}", path

    def _hash(self, path: Path, place: str) -> str:
        try:
            with path.open("rb") as file:
                start = file.read(START_BYTES)
                self._check(start, f"{place}: {path}")
                found = hashlib.sha256(start)
                while chunk := file.read(CHUNK_BYTES):
                    found.update(chunk)
        except OSError as error:
            raise BadInput(
                f"{place}: {path} cannot be read ({error.strerror}). Mend its name or remove it."
            ) from error
        return found.hexdigest()

    @property
    def _noun(self) -> str:
        return "image" if self._kind is Kind.IMAGE else "sound"

    def _check(self, start: bytes, what: str) -> None:
        if not start:
            raise BadInput(f"{what} is empty (0 bytes). Replace or remove it.")
        if media_kind(start) is not self._kind:
            known = IMAGE_SUFFIXES if self._kind is Kind.IMAGE else AUDIO_SUFFIXES
            raise BadInput(
                f"{what} is no {self._noun} by its first bytes. "
                f"Readable: {', '.join(sorted(suffix[1:] for suffix in known))}."
            )
