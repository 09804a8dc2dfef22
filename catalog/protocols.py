"""The seam of the catalog: what a place that lists models must offer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from catalog.model import Model
from catalog.policy import Refusal


@dataclass(frozen=True, slots=True)
class ListedPage:
    """One page of a listing, and the number of requests that it took.

    `cursor` is where the listing goes on, in the source's own words; None at its end.
    """

    rows: tuple[Model | Refusal, ...]
    cursor: str | None = None
    n_requests: int = 0


class Source(Protocol):
    """A place where models are listed and fetched from."""

    @property
    def name(self) -> str:
        """As models carry it in `source`: `hub`, `hub:ENDPOINT` or `folder:/absolute/path`."""
        ...

    @property
    def tells_changes(self) -> bool:
        """Whether `listing` can go on from a cursor and list only what changed since a time."""
        ...

    def listing(
        self,
        slice: Mapping[str, str],
        *,
        start: str | None = None,
        since: str | None = None,
        limit: int | None = None,
    ) -> Iterator[ListedPage]:
        """The pages of what is listed, from a page's `cursor` on; the rows may be undescribed.

        `slice` is one of catalog.slices. With `since`, a time of listings, only what changed then
        or later is needed; with `limit` the most downloaded. Raises SourceUnavailable.
        """
        ...

    def models(self, task: str | None, *, limit: int | None = None) -> Iterator[Model | Refusal]:
        """At most `limit` repositories; a bad one is a Refusal. Raises SourceUnavailable."""
        ...

    def describe(self, listed: Model) -> Model | Refusal:
        """All that is known of a listed model at its commit; any thread may ask.

        A Refusal where that fails for this model alone. Raises SourceUnavailable.
        """
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
