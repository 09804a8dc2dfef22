"""The Hugging Face Hub, or a mirror of it. The home of huggingface_hub, with hub_client."""

import glob
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any  # the Hub's JSON
from urllib.parse import quote

from huggingface_hub import constants, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import GatedRepoError
from huggingface_hub.utils import httpx, tqdm  # type: ignore[attr-defined]  # no __all__

from cache.errors import AccessRequired, NotFound, SourceUnavailable, StoreError
from catalog.hashes import sha256_of
from catalog.hub_rows import bare_model, read_id, read_model, tells_true_parameters, with_config
from catalog.ids import id_problem, nearest
from catalog.model import Model
from catalog.policy import PUBLIC_ENDPOINT, Refusal, path_trick
from catalog.protocols import HashMemo
from catalog.sources.hub_client import Disabled, Failing, HubClient, first_line
from catalog.untrusted import Unreadable, mapping, objects, parse_object, text
from catalog.weights import LENGTH_BYTES, header_length, parse_parameters

N_THREADS = 8
SPARE_BYTES = 200_000_000  # stays free for databases and reports
PAGE_ROWS = 100
FIRST_HEADER_BYTES = 100_000  # most safetensors headers are shorter: one request is enough
LISTED_FIELDS = ("sha", "pipeline_tag")  # the rest comes with each model's own description


class HubSource:
    """Models of a Hub. Without arguments as HF_ENDPOINT, HF_TOKEN and HF_HOME say.

    huggingface_hub reads these, and HF_HUB_OFFLINE, when it is imported. `memo` saves reading
    downloaded files again to check them.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        token: str | bool | None = None,
        cache_folder: Path | None = None,
        *,
        memo: HashMemo | None = None,
    ) -> None:
        self._client = HubClient(endpoint, token)
        self._cache_folder = cache_folder
        self._memo = memo

    @property
    def endpoint(self) -> str:
        """The address that is asked."""
        return self._client.endpoint

    @property
    def name(self) -> str:
        """`hub`, or `hub:ENDPOINT` for any other than the public one."""
        return "hub" if self.endpoint == PUBLIC_ENDPOINT else f"hub:{self.endpoint}"

    def models(self, task: str | None, *, limit: int | None = None) -> Iterator[Model | Refusal]:
        """Models of transformers for a task, the most downloaded first, each fully described.

        A gated model comes with `gated=True`. Raises SourceUnavailable.
        """
        with ThreadPoolExecutor(N_THREADS) as pool:
            try:
                for rows in self._pages(task, limit):
                    yield from pool.map(self._listed, rows)
            finally:
                pool.shutdown(cancel_futures=True)

    def model(self, id: str, revision: str | None = None) -> Model:
        """One model, pinned. Raises NotFound, AccessRequired, SourceUnavailable or Unreadable."""
        problem = id_problem(id)
        if problem:
            raise NotFound(f"{self.endpoint} has no such model: {problem}")
        try:
            found = self._described(id, revision)
        except NotFound as error:
            raise NotFound(self._not_found(id, revision, str(error))) from error
        if found.gated:
            raise self._gated(found.id)
        return found

    def fetch(self, model: Model, paths: Sequence[str]) -> Path:
        """The snapshot's folder in the Hub's cache, these files downloaded and checked.

        Raises NotFound, AccessRequired, SourceUnavailable, StoreError where the disk is too small,
        or Unreadable where a file is damaged.
        """
        self._require_listed(model, paths)
        folder = self._cached(model, paths) or self._download(model, paths)
        damaged = self._damaged(model, paths, folder)
        for path in damaged:
            (folder / path).resolve().unlink()
        if damaged:
            folder = self._download(model, paths)
            damaged = self._damaged(model, paths, folder)
        if damaged:
            raise Unreadable(f"{model.name}: {damaged[0]} has not the SHA-256 that the Hub tells")
        return folder

    def _pages(self, task: str | None, limit: int | None) -> Iterator[list[tuple[int, Any]]]:
        """The rows of a listing, page by page, each with its position."""
        page_rows = PAGE_ROWS if limit is None else min(limit, PAGE_ROWS)
        params = [("filter", "transformers"), ("sort", "downloads"), ("limit", str(page_rows))]
        params += [("pipeline_tag", task)] if task else []
        params += [("expand", name) for name in LISTED_FIELDS]
        start = 0
        for rows in self._client.pages("/api/models", params):
            end = len(rows) if limit is None else min(len(rows), limit - start)
            yield list(enumerate(rows[:end], start))
            start += end
            if start == limit:
                return

    def _listed(self, numbered: tuple[int, Any]) -> Model | Refusal:
        position, row = numbered
        id = read_id(row, position)
        if isinstance(id, Refusal):
            return id
        try:
            return self._described(id, None)
        except (Disabled, AccessRequired) as error:
            shut = isinstance(error, Disabled)
            return replace(bare_model(mapping(row), id, self.name), disabled=shut, gated=not shut)
        except (NotFound, Failing) as error:
            return Refusal(id, "not found", str(error))
        except Unreadable as error:
            return Refusal(id, "corrupt", str(error))

    def _described(self, id: str, revision: str | None) -> Model:
        pinned = f"/revision/{quote(revision, safe='')}" if revision else ""
        info = mapping(self._client.json(f"/api/models/{id}{pinned}", [("blobs", "true")]))
        model = read_model(info, self.name)
        try:
            model = with_config(model, info, self._config(model))
        except AccessRequired:  # the Hub's excerpt of the config stays public
            return replace(with_config(model, info, mapping(info.get("config"))), gated=True)
        if not model.config_files:  # nothing was opened that could tell
            model = replace(model, gated=bool(info.get("gated")))
        if tells_true_parameters(model):
            return model
        return replace(model, parameters=self._header_parameters(model))

    def _config(self, model: Model) -> Mapping[str, Any]:
        if not model.config_files:
            return {}
        return parse_object(self._client.file(model.id, model.revision, "config.json"))

    def _header_parameters(self, model: Model) -> dict[str, int]:
        """Values by dtype, from the first bytes of each file of weights."""
        total: Counter[str] = Counter()
        for file in model.weight_files:
            if file.path.endswith(".safetensors"):
                header = self._header(model, file.path)
                n_value_bytes = file.size_bytes - LENGTH_BYTES - len(header)
                total.update(parse_parameters(header, n_value_bytes=n_value_bytes))
        return dict(total)

    def _header(self, model: Model, path: str) -> bytes:
        first = self._client.file(model.id, model.revision, path, span=(0, FIRST_HEADER_BYTES))
        end = LENGTH_BYTES + header_length(first)
        if end <= len(first):
            return first[LENGTH_BYTES:end]
        return self._client.file(model.id, model.revision, path, span=(LENGTH_BYTES, end))

    def _not_found(self, id: str, revision: str | None, told: str) -> str:
        """What the Hub said, with the nearest id that it finds by the model's name."""
        name = id.rpartition("/")[2]
        rows = self._client.json("/api/models", [("search", name[:6]), ("limit", "100")])
        near = nearest(id, (row["id"] for row in objects(rows) if text(row.get("id"))))
        if near is None or near == id:
            return told
        return f"{self.endpoint} has no model {id!r}. Did you mean {near!r}?"

    def _require_listed(self, model: Model, paths: Sequence[str]) -> None:
        listed = {file.path for file in model.files}
        for path in paths:
            if path not in listed or path_trick([path]):
                raise NotFound(f"{model.name} lists no file {path!r}")

    def _cached(self, model: Model, paths: Sequence[str]) -> Path | None:
        """The snapshot's folder if all files are there; asks nothing of the network."""
        folder = None
        for path in paths:
            place = try_to_load_from_cache(
                model.id, path, cache_dir=self._cache_folder, revision=model.revision
            )
            if not isinstance(place, str):  # None, or a mark that the Hub has no such file
                return None
            folder = Path(place).parents[path.count("/")]
        return folder

    def _download(self, model: Model, paths: Sequence[str]) -> Path:
        # A small request first: it fails within seconds, and by its right name.
        self._client.json(f"/api/models/{model.id}/revision/{model.revision}")
        self._require_space(model, paths)
        try:
            folder = snapshot_download(
                model.id,
                revision=model.revision,
                allow_patterns=[glob.escape(path) for path in paths],
                cache_dir=self._cache_folder,
                endpoint=self.endpoint,
                token=self._client.token,
                tqdm_class=_Silent,
            )
        except GatedRepoError as error:
            raise self._gated(model.id) from error
        except (httpx.HTTPError, OSError) as error:
            raise SourceUnavailable(
                f"{model.name} cannot be downloaded from {self.endpoint}: {first_line(error)}; "
                "run the same command again to go on"
            ) from error
        return Path(folder)

    def _require_space(self, model: Model, paths: Sequence[str]) -> None:
        """Raises StoreError when the disk would be full afterwards (fault F11)."""
        place = Path(self._cache_folder or constants.HF_HUB_CACHE).expanduser().absolute()
        existing = next(folder for folder in (place, *place.parents) if folder.is_dir())
        wanted = sum(file.size_bytes for file in model.files if file.path in set(paths))
        free = shutil.disk_usage(existing).free
        if wanted + SPARE_BYTES > free:
            raise StoreError(
                f"{model.name} needs {wanted / 1e6:,.0f} MB, {place} has {free / 1e6:,.0f} MB; "
                "free some space, or set HF_HOME to a larger disk"
            )

    def _damaged(self, model: Model, paths: Sequence[str], folder: Path) -> list[str]:
        wanted = {file.path: file.sha256 for file in model.files if file.sha256}
        return [
            path
            for path in paths
            if path in wanted and sha256_of(folder / path, self._memo) != wanted[path]
        ]

    def _gated(self, id: str) -> AccessRequired:
        return AccessRequired(
            f"{id} is gated: ask for access at {self.endpoint}/{id}, then set HF_TOKEN"
        )


class _Silent(tqdm):
    """A progress bar that shows nothing: whoever fetches tells of the progress."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Any: tqdm's own parameters
        super().__init__(*args, **{**kwargs, "disable": True})  # type: ignore[no-untyped-call]  # as above
