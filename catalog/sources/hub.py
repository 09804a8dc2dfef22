"""The Hugging Face Hub, or a mirror of it. The home of huggingface_hub, with hub_client."""

import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from huggingface_hub import constants

from cache.errors import AccessRequired, NotFound
from catalog.deliveries import Deliveries
from catalog.downloads import Downloads
from catalog.fetcher import Pace, Settings, gated_reason
from catalog.ids import id_problem, nearest
from catalog.model import Model
from catalog.policy import PUBLIC_ENDPOINT, Refusal
from catalog.protocols import HashMemo, ListedPage
from catalog.sources.hub_client import HubClient, Patience
from catalog.sources.hub_details import HubDetails
from catalog.sources.hub_listing import HubListing
from catalog.untrusted import objects, text

N_THREADS = 8


class HubSource:
    """Models of a Hub. Without arguments as HF_ENDPOINT, HF_TOKEN and HF_HOME say.

    huggingface_hub reads these, and HF_HUB_OFFLINE, when it is imported. `memo` saves reading
    downloaded files again to check them, `downloads` keeps them within a budget, and what comes
    slower than `pace` is given up. For `patience`, `allowance_path` and `on_wait` see HubClient.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        token: str | bool | None = None,
        cache_folder: Path | None = None,
        *,
        memo: HashMemo | None = None,
        downloads: Downloads | None = None,
        pace: Pace | None = None,
        patience: Patience | None = None,
        allowance_path: Path | None = None,
        on_wait: Callable[[float], None] | None = None,
    ) -> None:
        self._client = HubClient(
            endpoint, token, patience=patience, allowance_path=allowance_path, on_wait=on_wait
        )
        self._listing = HubListing(self._client, self.name)
        self._details = HubDetails(self._client, self.name)
        cache = str(cache_folder or constants.HF_HUB_CACHE)
        settings = Settings(self.endpoint, self._client.token, cache, pace or Pace())
        self._deliveries = Deliveries(settings, memo=memo, downloads=downloads)

    @property
    def endpoint(self) -> str:
        """The address that is asked."""
        return self._client.endpoint

    @property
    def name(self) -> str:
        """`hub`, or `hub:ENDPOINT` for any other than the public one."""
        return "hub" if self.endpoint == PUBLIC_ENDPOINT else f"hub:{self.endpoint}"

    @property
    def tells_changes(self) -> bool:
        """Yes: its listings are ordered by change, and go on from a cursor."""
        return True

    def listing(
        self,
        slice: Mapping[str, str],
        *,
        start: str | None = None,
        since: str | None = None,
        limit: int | None = None,
    ) -> Iterator[ListedPage]:
        """The pages of what the Hub lists; its rows are not described. Raises SourceUnavailable."""
        return self._listing.pages(slice, start=start, since=since, limit=limit)

    def models(self, task: str | None, *, limit: int | None = None) -> Iterator[Model | Refusal]:
        """The models for a task, the most downloaded first, each fully described.

        A gated model comes with `gated=True`. Raises SourceUnavailable.
        """
        slice = {} if task is None else {"task": task}
        with ThreadPoolExecutor(N_THREADS) as pool:
            try:
                for page in self.listing(slice, limit=sys.maxsize if limit is None else limit):
                    yield from pool.map(self._described, page.rows)
            finally:
                pool.shutdown(cancel_futures=True)

    def model(self, id: str, revision: str | None = None) -> Model:
        """One model, pinned. Raises NotFound, AccessRequired, SourceUnavailable or Unreadable."""
        problem = id_problem(id)
        if problem:
            raise NotFound(f"{self.endpoint} has no such model: {problem}")
        try:
            found = self._details.model(id, revision)
        except NotFound as error:
            raise NotFound(self._not_found(id, revision, str(error))) from error
        if found.gated:
            raise self._gated(found.id)
        return found

    def describe(self, listed: Model) -> Model | Refusal:
        """A listing's model with its files, labels and sizes, at the commit that was listed.

        A Refusal where that fails for this model alone. Raises SourceUnavailable.
        """
        return self._details.describe(listed)

    def fetch(self, model: Model, paths: Sequence[str]) -> Path:
        """The snapshot's folder in the Hub's cache, these files downloaded and checked.

        Raises NotFound, AccessRequired, SourceUnavailable, StoreError where the disk is too small,
        or Unreadable where a file is damaged.
        """
        return self._deliveries.fetch(model, paths)

    def prefetch(self, model: Model, paths: Sequence[str]) -> bool:
        """Begin to fetch while something else is done, at most one model: whether that was begun.

        A later `fetch` waits for it, and raises what went wrong. Raises as `fetch` before anything
        is downloaded.
        """
        return self._deliveries.prefetch(model, paths)

    def cancel(self) -> Model | None:
        """Give up what is still under way, and say whose files they were; None where nothing is."""
        return self._deliveries.cancel()

    def protect(self, models: Collection[Model]) -> None:
        """From now on the files of these are not evicted for others."""
        self._deliveries.protect(models)

    def end_waits(self, at: float) -> None:
        """A wait for the quota beyond this monotonic time is an OutOfTime from now on."""
        self._client.waits_end = at

    def close(self) -> None:
        """End the process that downloads; it also ends with this object."""
        self._deliveries.close()

    def _described(self, row: Model | Refusal) -> Model | Refusal:
        return row if isinstance(row, Refusal) else self.describe(row)

    def _not_found(self, id: str, revision: str | None, told: str) -> str:
        """What the Hub said, with the nearest id that it finds by the model's name."""
        name = id.rpartition("/")[2]
        rows = self._client.json("/api/models", [("search", name[:6]), ("limit", "100")])
        near = nearest(id, (row["id"] for row in objects(rows) if text(row.get("id"))))
        if near is None or near == id:
            return told
        return f"{self.endpoint} has no model {id!r}. Did you mean {near!r}?"

    def _gated(self, id: str) -> AccessRequired:
        return AccessRequired(gated_reason(id, self.endpoint))
