"""How a Hub's files come to be on this machine: from the cache, else by the process that downloads.

Nothing here asks the network, and no token is needed.
"""

import re
from collections.abc import Collection, Mapping, Sequence
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
from catalog.hashes import blob_id_of
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
class _Sent:
    """An order, and which of its files were not in the cache."""

    number: int
    commit: Commit
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Ahead:
    """The one order that nobody waits for yet."""

    order: _Sent
    model: Model
    paths: frozenset[str]


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
        self._small: dict[tuple[str, int, int], str] = {}

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
        if self._ahead and self._ahead.order.commit == commit and self._ahead.paths >= set(paths):
            self._collect().require()
            wanted = self._wanted(model, paths)
        if not all(file.is_checked for file in wanted):
            self._take_in(self._order(commit, wanted)).require()
        return snapshot_folder(self._cache, *commit)

    def prefetch(self, model: Model, paths: Sequence[str]) -> bool:
        """Begin to fetch and come back at once: whether that was begun.

        Never more than one model ahead, and nothing of one that is there. Errors are those of
        `fetch` before anything is asked; later ones are kept for it.
        """
        wanted, commit = self._wanted(model, paths), (model.id, model.revision)
        if self._is_ahead_under_way():
            return False
        if all(self._is_present(commit, file) for file in wanted):
            return False
        if self._ahead is not None:
            self._collect()  # a wrong guess: its files stay, its error is of no interest
        self._ahead = _Ahead(self._order(commit, wanted, urgent=False), model, frozenset(paths))
        return True

    def cancel(self) -> Model | None:
        """Give up the order that went ahead, if it is still under way: whose files those were."""
        if self._ahead is None or not self._is_ahead_under_way():
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
        """The files to order, noted as in use before it is looked which of them are there.

        Raises NotFound for any that the model does not list.
        """
        listed = {file.path: file for file in model.files}
        if id_problem(model.id) or not COMMIT.fullmatch(model.revision):
            raise NotFound(f"{model.name} is not pinned to a commit; name it as ID@REVISION")
        for path in paths:
            if path not in listed:
                raise NotFound(f"{model.name} lists no file {path!r}")
        trick = path_trick(paths)
        if trick:
            raise NotFound(f"{model.name} lists no file that can be fetched: {trick}")
        if self._downloads:
            self._downloads.use(self._cache, (model.id, model.revision))
        place = snapshot_folder(self._cache, model.id, model.revision)
        return tuple(self._file(place, listed[path]) for path in paths)

    def _file(self, place: Path, file: File) -> Wanted:
        try:
            is_checked = self._is_checked((place / file.path).resolve(), file)
        except OSError:  # it is not there, or cannot be read
            is_checked = False
        return Wanted(file.path, file.size_bytes, file.sha256, file.blob_id, is_checked)

    def _is_checked(self, whole: Path, file: File) -> bool:
        """Whether a local file is known to be right. The Hub's `blob_id` tells small files.

        These are read anew by each process, which also finds what the disk has spoilt since.
        """
        status = whole.stat()
        if not whole.is_file() or status.st_size != file.size_bytes:
            return False
        key = (str(whole), status.st_size, status.st_mtime_ns)
        if file.sha256 is not None:
            return self._memo.known_sha256(*key) == file.sha256
        if file.blob_id is not None and key not in self._small:
            self._small[key] = blob_id_of(whole)
        return file.blob_id is None or self._small[key] == file.blob_id

    def _is_present(self, commit: Commit, file: Wanted) -> bool:
        return (snapshot_folder(self._cache, *commit) / file.path).is_file()

    def _is_ahead_under_way(self) -> bool:
        return self._ahead is not None and self._fetcher.is_under_way(self._ahead.order.number)

    def _order(self, commit: Commit, wanted: Sequence[Wanted], *, urgent: bool = True) -> _Sent:
        """Make room for what is missing, note it, and send for it."""
        missing = {
            file.path: file.size_bytes for file in wanted if not self._is_present(commit, file)
        }
        self._make_room(commit, missing)
        return _Sent(self._fetcher.send(*commit, wanted, urgent=urgent), commit, tuple(missing))

    def _make_room(self, commit: Commit, sizes: Mapping[str, int]) -> None:
        if self._downloads is not None:
            in_use = (commit, self._in_use, self._ahead.order.commit if self._ahead else None)
            keep = self._protected.union(one for one in in_use if one)
            self._downloads.begin(self._cache, commit, sizes, keep=keep)
            return
        n_bytes = sum(sizes.values())
        if n_bytes and missing_bytes(self._cache, n_bytes) > 0:
            raise StoreError(too_large(self._cache, n_bytes))

    def _collect(self) -> Delivery:
        """The delivery of the order that went ahead."""
        assert self._ahead is not None
        ahead, self._ahead = self._ahead, None
        return self._take_in(ahead.order)

    def _take_in(self, order: _Sent) -> Delivery:
        """Wait, and remember the hashes of what came; clear away what was left where it failed."""
        delivery = self._fetcher.wait(order.number)
        for one in delivery.checked:
            self._memo.remember_sha256(one.path, one.size_bytes, one.modified_ns, one.sha256)
        if delivery.error:
            sweep(self._cache, order.commit[0])
        if self._downloads:
            self._downloads.finish(self._cache, order.commit, order.missing)
        return delivery
