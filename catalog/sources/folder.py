"""A directory of repositories laid out as on the Hub: root/name or root/owner/name."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from cache.errors import BadInput, NotFound, SourceUnavailable
from catalog.hashes import sha256_of
from catalog.ids import id_problem, nearest
from catalog.model import File, Model
from catalog.policy import Refusal, path_trick
from catalog.protocols import HashMemo, ListedPage
from catalog.repository import CONFIG, is_repository, read_repository
from catalog.slices import matches
from catalog.untrusted import Unreadable

PAGE_ROWS = 50


class FolderSource:
    """Models in a local directory. Its revisions are hashes of the files' contents."""

    def __init__(self, root: Path, *, memo: HashMemo | None = None) -> None:
        self.root = Path(root).expanduser().absolute()
        self._memo = memo

    @property
    def name(self) -> str:
        """`folder:/absolute/path`."""
        return f"folder:{self.root}"

    @property
    def tells_changes(self) -> bool:
        """No: a folder is read whole each time; the hashes of its files are remembered."""
        return False

    def listing(
        self,
        slice: Mapping[str, str],
        *,
        start: str | None = None,
        since: str | None = None,
        limit: int | None = None,
    ) -> Iterator[ListedPage]:
        """The folder's models of a slice, described, by id: all of them, whenever they changed.

        Raises SourceUnavailable without the folder.
        """
        rows = islice(self._rows(slice), limit)
        while page := tuple(islice(rows, PAGE_ROWS)):
            yield ListedPage(page)

    def models(self, task: str | None, *, limit: int | None = None) -> Iterator[Model | Refusal]:
        """The folder's models for a task, by id. Raises SourceUnavailable without the folder."""
        return islice(self._rows({} if task is None else {"task": task}), limit)

    def _rows(self, slice: Mapping[str, str]) -> Iterator[Model | Refusal]:
        for folder in self._repositories():
            found = self._model_or_refusal(folder)
            if isinstance(found, Refusal) or matches(found, slice):
                yield found

    def describe(self, listed: Model) -> Model | Refusal:
        """The model itself: a folder lists described ones."""
        return listed

    def model(self, id: str, revision: str | None = None) -> Model:
        """The model in `root/id`. Raises NotFound, also when its files are of another revision."""
        if id_problem(id) or not is_repository(self.root / id):
            raise NotFound(self._not_found(id))
        try:
            found = self._read(self.root / id)
        except Unreadable as error:
            raise BadInput(f"{self.root / id}: {error}; repair it or download it again") from error
        if revision and not found.revision.startswith(revision.lower()):
            raise NotFound(
                f"{self.root / id} is at revision {found.revision[:8]}, not {revision}; "
                "a folder has its present revision only"
            )
        return found

    def fetch(self, model: Model, paths: Sequence[str]) -> Path:
        """The model's own folder, if these files are what they were when it was listed."""
        folder = self.root / model.id
        listed = {file.path: file for file in model.files}
        for path in paths:
            if path not in listed or path_trick([path]):
                raise NotFound(f"{model.name} lists no file {path!r}")
            if not self._unchanged(folder / path, listed[path]):
                raise NotFound(
                    f"{folder / path} is not what it was when {model.name} was listed; "
                    "crawl the folder again"
                )
        return folder

    def _unchanged(self, path: Path, file: File) -> bool:
        if not path.is_file() or path.stat().st_size != file.size_bytes:
            return False
        return file.sha256 is None or sha256_of(path, self._memo) == file.sha256

    def _not_found(self, id: str) -> str:
        near = nearest(id, (self._id(folder) for folder in self._repositories()))
        hint = f". Did you mean {near!r}?" if near else ""
        return f"{self.root} holds no model {id!r}{hint}"

    def _repositories(self) -> Iterator[Path]:
        if (self.root / CONFIG).is_file():
            raise BadInput(
                f"{self.root} is itself a model; give the directory above it, "
                "which holds one folder a model"
            )
        try:
            yield from self._walk()
        except OSError as error:
            raise SourceUnavailable(
                f"{self.root} cannot be listed: {error.strerror}; "
                "give a directory that holds one folder a model, each with a config.json"
            ) from error

    def _walk(self) -> Iterator[Path]:
        for folder in _subfolders(self.root):
            if is_repository(folder):
                yield folder
            else:
                yield from filter(is_repository, _subfolders(folder))

    def _id(self, folder: Path) -> str:
        return folder.relative_to(self.root).as_posix()

    def _model_or_refusal(self, folder: Path) -> Model | Refusal:
        id = self._id(folder)
        problem = id_problem(id)
        if problem:
            return Refusal(ascii(id)[1:-1], "corrupt", problem)
        try:
            return self._read(folder)
        except (Unreadable, OSError) as error:
            return Refusal(id, "corrupt", str(error))

    def _read(self, folder: Path) -> Model:
        return read_repository(
            folder, id=self._id(folder), source=self.name, memo=self._memo, within=self.root
        )


def _subfolders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
