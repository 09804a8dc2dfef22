"""An exported catalog as a place that lists models, for machines without network."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from heapq import nlargest
from itertools import chain, islice
from pathlib import Path

from huggingface_hub import constants, try_to_load_from_cache

from cache.errors import BadInput, NotFound, SourceUnavailable
from catalog.crawl_log import slice_text
from catalog.exported import open_exported
from catalog.exported_rows import DEFAULTS
from catalog.hashes import blob_id_of, sha256_of
from catalog.ids import nearest
from catalog.model import File, Model
from catalog.policy import Refusal, path_trick
from catalog.protocols import HashMemo, ListedPage
from catalog.repository import CONFIG, is_repository, read_repository
from catalog.slices import matches
from catalog.untrusted import Unreadable

SEARCHED_IDS = 20_000
"""So many ids are compared with one that the file lacks; more would take minutes."""


class SnapshotSource:
    """The models of a file that `recommender catalog export` wrote; the file is a stranger's.

    Their files are looked for beside it, in `FOLDER/OWNER/NAME`, and in the Hub's cache of this
    machine (HF_HOME). Nothing is asked of the network.
    """

    def __init__(
        self,
        path: Path | str = "",
        cache_folder: Path | None = None,
        *,
        memo: HashMemo | None = None,
    ) -> None:
        if not str(path):
            raise BadInput("'snapshot' needs a file; write --source snapshot:FILE")
        self.path = Path(path).expanduser().absolute()
        self._cache_folder = cache_folder
        self._memo = memo

    @property
    def name(self) -> str:
        """`snapshot:/absolute/path`."""
        return f"snapshot:{self.path}"

    @property
    def tells_changes(self) -> bool:
        """No: the file is read whole each time."""
        return False

    def listing(
        self,
        slice: Mapping[str, str],
        *,
        start: str | None = None,
        since: str | None = None,
        limit: int | None = None,
    ) -> Iterator[ListedPage]:
        """The file's models of a slice, as they lie in it; with `limit` the most downloaded.

        Which file was listed to its end is remembered. Raises NotFound or BadInput.
        """
        state = self._state()
        with open_exported(self.path) as exported:
            pages = exported.batches(lambda row: self._own(row, slice))
            if limit is not None:
                yield ListedPage(tuple(nlargest(limit, chain(*pages), key=_popularity)))
                return
            for page in pages:
                yield ListedPage(tuple(page))
            if self._memo and state:
                self._memo.remember_sha256(self._reading(slice), *state, exported.sha256)

    def is_changed(self, task: str | None) -> bool:
        """Whether the file is another one than was last listed to its end for a task, or for all.

        One that is no longer there has not changed.
        """
        state = self._state()
        readings = [self._reading({}), *([self._reading({"task": task})] if task else [])]
        return state is not None and not any(
            self._memo and self._memo.known_sha256(reading, *state) for reading in readings
        )

    def models(self, task: str | None, *, limit: int | None = None) -> Iterator[Model | Refusal]:
        """The file's models for a task; with `limit` the most downloaded."""
        for page in self.listing({} if task is None else {"task": task}, limit=limit):
            yield from page.rows

    def _own(self, row: Model | Refusal, slice: Mapping[str, str]) -> Model | Refusal | None:
        if isinstance(row, Refusal):
            return row
        return replace(row, source=self.name) if matches(row, slice) else None

    def _state(self) -> tuple[int, int] | None:
        """By which a file that was replaced is told: its size and the time of its last change."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_size, status.st_mtime_ns

    def _reading(self, slice: Mapping[str, str]) -> str:
        """The name under which it is remembered which file was read for a slice."""
        return f"{self.path} {slice_text(slice)}"

    def model(self, id: str, revision: str | None = None) -> Model:
        """One model, described by its files where they are here. Raises NotFound or BadInput."""
        found = self._listed(id, revision)
        if found is None:
            raise NotFound(self._not_found(id, revision))
        if found.described:
            return found
        described = self.describe(found)
        if isinstance(described, Refusal):
            raise SourceUnavailable(described.reason)
        return described

    def describe(self, listed: Model) -> Model | Refusal:
        """What a listing lacks, read from the model's own files; a Refusal where they are not here.

        Any thread may ask.
        """
        for folder in self._folders(listed, [CONFIG]):
            if is_repository(folder):
                try:
                    found = read_repository(folder, id=listed.id, source=self.name)
                except (Unreadable, OSError) as error:
                    return Refusal(listed.id, "corrupt", str(error))
                if found.weight_files or found.onnx_files:
                    return _merged(listed, found)
        return Refusal(listed.id, "unreachable", self._nowhere(listed))

    def fetch(self, model: Model, paths: Sequence[str]) -> Path:
        """The folder on this machine that holds these files, whole and checked.

        Raises NotFound for a file that is not listed, SourceUnavailable where one is not here.
        """
        listed = {file.path: file for file in model.files}
        for path in paths:
            if path not in listed or path_trick([path]):
                raise NotFound(f"{model.name} lists no file {path!r}")
        for folder in self._folders(model, paths):
            if all(self._holds(folder, listed[path]) for path in paths):
                return folder
        raise SourceUnavailable(self._nowhere(model))

    def _listed(self, id: str, revision: str | None) -> Model | None:
        with open_exported(self.path) as exported:
            for row in exported.rows(naming=id):
                if isinstance(row, Model) and row.revision.startswith((revision or "").lower()):
                    return replace(row, source=self.name)
        return None

    def _folders(self, model: Model, paths: Sequence[str]) -> Iterator[Path]:
        """Where the model's files may lie: beside the exported file, or in the Hub's cache."""
        yield self.path.parent / model.id
        for path in paths[:1]:
            place = try_to_load_from_cache(
                model.id, path, cache_dir=self._cache_folder, revision=model.revision
            )
            if isinstance(place, str):  # else None, or a mark that the Hub has no such file
                yield Path(place).parents[path.count("/")]

    def _holds(self, folder: Path, file: File) -> bool:
        path = folder / file.path
        if not path.is_file() or path.stat().st_size != file.size_bytes:
            return False
        if file.sha256 is not None:
            return sha256_of(path, self._memo) == file.sha256
        return file.blob_id is None or blob_id_of(path) == file.blob_id

    def _nowhere(self, model: Model) -> str:
        cache = Path(self._cache_folder or constants.HF_HUB_CACHE)
        return (
            f"{model.name}: its files are not on this machine; copy "
            f"models--{model.id.replace('/', '--')} from the Hub's cache of a machine that has it "
            f"to {cache}, or its files to {self.path.parent / model.id}, "
            "or go online and use --source hub"
        )

    def _not_found(self, id: str, revision: str | None) -> str:
        with open_exported(self.path) as exported:
            first = islice(exported.rows(), SEARCHED_IDS)
            near = nearest(id, (row.id for row in first if isinstance(row, Model)))
        if near == id:
            return f"{self.path} holds {id!r} in another revision than {revision!r}"
        hint = f". Did you mean {near!r}?" if near else ""
        return f"{self.path} holds no model {id!r}{hint}"


def _popularity(row: Model | Refusal) -> int:
    return row.downloads or 0 if isinstance(row, Model) else 0


def _merged(listed: Model, found: Model) -> Model:
    """What the files tell, and the listing where they say nothing; files are not gated here."""
    told = {
        name: getattr(found if getattr(found, name) != default else listed, name)
        for name, default in DEFAULTS.items()
    }
    return Model(**{**told, "revision": listed.revision, "described": True, "gated": False})
