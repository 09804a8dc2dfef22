"""How a Hub's files come to be on this machine: from the cache, else by the process that downloads.

Nothing here asks the network, and no token is needed.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from cache.errors import NotFound, StoreError
from catalog.downloads import (
    Commit,
    Downloads,
    missing_bytes,
    snapshot_folder,
    sweep,
    too_large,
)
from catalog.fetcher import Delivery, Fetcher, Settings, Wanted
from catalog.ids import id_problem
from catalog.model import File, Model
from catalog.policy import path_trick
from catalog.protocols import HashMemo


@runtime_checkable
class Prefetching(Protocol):
    """A source that can fetch one model while another is run, and that evicts what it fetched."""

    def prefetch(self, model: Model, paths: Sequence[str]) -> bool:
        """Begin to fetch and come back at once: whether that was begun. Raises as `fetch`."""
        ...

    def cancel(self) -> Model | None:
        """Give up what is still under way, and say whose files they were; None where nothing is."""
        ...

    def protect(self, models: Collection[Model]) -> None:
        """From now on the files of these are not evicted for others."""
        ...

    def close(self) -> None:
        """End what was begun; the source can no longer fetch."""
        ...


COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(slots=True)
class Remembered:
    """Hashes for the time of a process, where no catalog keeps them."""

    known: dict[tuple[str, int, int], str] = field(default_factory=dict)

    def known_sha256(self, path: str, size_bytes: int, modified_ns: int) -> str | None:
        """The hash of a file that has not changed since; None when it is not known."""
        return self.known.get((path, size_bytes, modified_ns))

    def remember_sha256(self, path: str, size_bytes: int, modified_ns: int, sha256: str) -> None:
        """Keeps a hash."""
        self.known[path, size_bytes, modified_ns] = sha256


@dataclass(frozen=True, slots=True)
class _Ahead:
    """The one order that nobody waits for yet."""

    number: int
    model: Model
    paths: frozenset[str]

    @property
    def commit(self) -> Commit:
        return self.model.id, self.model.revision


class Deliveries:
    """Files of one Hub, each checked once. Belongs to the thread that opened it.

    `downloads` keeps what we fetched within a budget; without it only the disk's room is looked at.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        memo: HashMemo | None = None,
        downloads: Downloads | None = None,
    ) -> None:
        self._cache = Path(settings.cache).expanduser().absolute()
        self._fetcher = Fetcher(settings)
        self._memo = memo or Remembered()
        self._downloads = downloads
        self._ahead: _Ahead | None = None
        self._in_use: Commit | None = None
        self._protected: frozenset[Commit] = frozenset()
        self._is_swept = False

    @property
    def pid(self) -> int | None:
        """The process that downloads; None where none runs."""
        return self._fetcher.pid

    def fetch(self, model: Model, paths: Sequence[str]) -> Path:
        """The snapshot's folder in the cache, with these files whole and checked.

        Raises NotFound, AccessRequired, SourceUnavailable, StoreError where they do not fit, or
        Unreadable where a file is damaged.
        """
        wanted = self._wanted(model, paths)
        self._in_use = commit = (model.id, model.revision)
        if self._ahead and self._ahead.commit == commit and self._ahead.paths >= set(paths):
            self._collect().require()
            wanted = self._wanted(model, paths)
        if not all(self._is_ready(commit, file) for file in wanted):
            number = self._order(commit, wanted)
            self._take_in(commit, self._fetcher.wait(number)).require()
        elif self._downloads:
            self._downloads.finish(self._cache, commit)
        return snapshot_folder(self._cache, *commit)

    def prefetch(self, model: Model, paths: Sequence[str]) -> bool:
        """Begin to fetch and come back at once: whether that was begun.

        Never more than one model ahead, and nothing of one that is there. Errors are those of
        `fetch` before anything is asked; later ones are kept for it.
        """
        wanted, commit = self._wanted(model, paths), (model.id, model.revision)
        if self._ahead is not None and self._fetcher.is_under_way(self._ahead.number):
            return False
        if all(self._is_present(commit, file) for file in wanted):
            return False
        if self._ahead is not None:
            self._collect()  # a wrong guess: its files stay, its error is of no interest
        number = self._order(commit, wanted, urgent=False)
        self._ahead = _Ahead(number, model, frozenset(paths))
        return True

    def cancel(self) -> Model | None:
        """Give up the order that went ahead, if it is still under way: whose files those were."""
        if self._ahead is None or not self._fetcher.is_under_way(self._ahead.number):
            return None
        model = self._ahead.model
        self._fetcher.cancel()
        self._collect()
        return model

    def protect(self, models: Collection[Model]) -> None:
        """From now on these are never evicted, nor is the one that was fetched last."""
        self._protected = frozenset((model.id, model.revision) for model in models)

    def close(self) -> None:
        """End the process that downloads."""
        self._fetcher.close()

    def _wanted(self, model: Model, paths: Sequence[str]) -> tuple[Wanted, ...]:
        """The files to order. Raises NotFound for any that the model does not list."""
        listed = {file.path: file for file in model.files}
        if id_problem(model.id) or not COMMIT.fullmatch(model.revision):
            raise NotFound(f"{model.name} is not pinned to a commit; name it as ID@REVISION")
        for path in paths:
            if path not in listed:
                raise NotFound(f"{model.name} lists no file {path!r}")
        trick = path_trick(paths)
        if trick:
            raise NotFound(f"{model.name} lists no file that can be fetched: {trick}")
        place = snapshot_folder(self._cache, model.id, model.revision)
        return tuple(self._file(place, listed[path]) for path in paths)

    def _file(self, place: Path, file: File) -> Wanted:
        try:
            whole = (place / file.path).resolve()
            status = whole.stat()
        except OSError:
            return Wanted(file.path, file.size_bytes, file.sha256)
        known = self._memo.known_sha256(str(whole), status.st_size, status.st_mtime_ns)
        is_checked = known is not None and known == file.sha256
        return Wanted(file.path, file.size_bytes, file.sha256, is_checked)

    def _is_present(self, commit: Commit, file: Wanted) -> bool:
        return (snapshot_folder(self._cache, *commit) / file.path).is_file()

    def _is_ready(self, commit: Commit, file: Wanted) -> bool:
        """Whether the file is there and, where its hash is told, was found to have it."""
        if file.sha256 is not None:
            return file.is_checked
        place = snapshot_folder(self._cache, *commit) / file.path
        return place.is_file() and place.stat().st_size == file.size_bytes

    def _order(self, commit: Commit, wanted: Sequence[Wanted], *, urgent: bool = True) -> int:
        """Make room for what is missing, note it, and send for it."""
        missing = [file for file in wanted if not self._is_present(commit, file)]
        self._make_room(commit, sum(file.size_bytes for file in missing))
        if self._downloads and missing:
            self._downloads.begin(self._cache, commit, [file.path for file in missing])
        return self._fetcher.send(*commit, wanted, urgent=urgent)

    def _make_room(self, commit: Commit, n_bytes: int) -> None:
        if self._downloads is None:
            if n_bytes and missing_bytes(self._cache, n_bytes) > 0:
                raise StoreError(too_large(self._cache, n_bytes))
            return
        if not self._is_swept:
            self._is_swept = True
            self._downloads.sweep(self._cache)
        if n_bytes:
            in_use = (commit, self._in_use, self._ahead.commit if self._ahead else None)
            keep = self._protected.union(one for one in in_use if one)
            self._downloads.make_room(self._cache, n_bytes, keep=keep)

    def _collect(self) -> Delivery:
        """The delivery of the order that went ahead."""
        assert self._ahead is not None
        ahead, self._ahead = self._ahead, None
        return self._take_in(ahead.commit, self._fetcher.wait(ahead.number))

    def _take_in(self, commit: Commit, delivery: Delivery) -> Delivery:
        """Remember the hashes of what came; clear away what was left where it failed."""
        for one in delivery.checked:
            self._memo.remember_sha256(one.path, one.size_bytes, one.modified_ns, one.sha256)
        if delivery.error:
            sweep(self._cache, commit[0])
        if self._downloads:
            self._downloads.finish(self._cache, commit)
        return delivery
