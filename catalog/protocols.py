"""The seam of the catalog: what a place that lists models must offer."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from catalog.model import Model
from catalog.policy import Refusal


class Source(Protocol):
    """A place where models are listed and fetched from."""

    @property
    def name(self) -> str:
        """As models carry it in `source`: `hub`, `hub:ENDPOINT` or `folder:/absolute/path`."""
        ...

    def models(self, task: str | None, *, limit: int | None = None) -> Iterator[Model | Refusal]:
        """At most `limit` repositories; a bad one is a Refusal. Raises SourceUnavailable."""
        ...

    def model(self, id: str, revision: str | None = None) -> Model:
        """One model. Raises NotFound, AccessRequired or SourceUnavailable."""
        ...

    def fetch(self, model: Model, paths: Sequence[str]) -> Path:
        """A local folder that holds at least these files of the model, whole and checked."""
        ...


class HashMemo(Protocol):
    """Remembers the SHA-256 of local files, so that large ones are read once."""

    def known_sha256(self, path: str, size_bytes: int, modified_ns: int) -> str | None:
        """The hash of a file that has not changed since; None when it is not known."""
        ...

    def remember_sha256(self, path: str, size_bytes: int, modified_ns: int, sha256: str) -> None:
        """Keeps a hash, in place of an older one of the same path."""
        ...
