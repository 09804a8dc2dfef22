"""An exported catalog as a place that lists models, for machines without network."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from heapq import nlargest
from itertools import islice
from pathlib import Path

from huggingface_hub import constants, try_to_load_from_cache

from cache.errors import BadInput, NotFound, SourceUnavailable
from catalog.exported import Exported, open_exported
from catalog.exported_rows import DEFAULTS
from catalog.hashes import sha256_of
from catalog.ids import nearest
from catalog.model import File, Model
from catalog.policy import Refusal, path_trick
from catalog.protocols import HashMemo, ListedPage
from catalog.repository import CONFIG, is_repository, read_repository
from catalog.slices import matches
from catalog.untrusted import Unreadable

PAGE_ROWS = 500

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

        Raises NotFound or BadInput.
        """
        with open_exported(self.path) as exported:
            rows = self._rows(exported, slice)
            if limit is not None:
                rows = iter(nlargest(limit, rows, key=_popularity))
            while page := tuple(islice(rows, PAGE_ROWS)):
                yield ListedPage(page)

    def models(self, task: str | None, *, limit: int | None = None) -> Iterator[Model | Refusal]:
        """The file's models for a task; with `limit` the most downloaded."""
        for page in self.listing({} if task is None else {"task": task}, limit=limit):
            yield from page.rows

    def _rows(self, exported: Exported, slice: Mapping[str, str]) -> Iterator[Model | Refusal]:
        for row in exported.rows():
            if isinstance(row, Refusal):
                yield row
            elif matches(row, slice):
                yield replace(row, source=self.name)

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
        return file.sha256 is None or sha256_of(path, self._memo) == file.sha256

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
        return f"{self.path} holds no model {id!r}. " + (f"Did you mean {near!r}?" if near else "")


def _popularity(row: Model | Refusal) -> int:
    return row.downloads or 0 if isinstance(row, Model) else 0


def _merged(listed: Model, found: Model) -> Model:
    """What the files tell, and the listing where they say nothing; files are not gated here."""
    told = {
        name: getattr(found if getattr(found, name) != default else listed, name)
        for name, default in DEFAULTS.items()
    }
    return Model(**{**told, "revision": listed.revision, "described": True, "gated": False})
