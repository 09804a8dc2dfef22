"""A Hub's listing, page by page, in an order that can be taken up again.

Everything is listed by age, which no change reorders; what was changed while that went on follows
from a second listing, by change, down to what was the newest change at the start.
"""

import json
from collections.abc import Generator, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from catalog.crawl_log import present
from catalog.listed_rows import LISTED_FIELDS, TIME, read_listed
from catalog.model import Model
from catalog.policy import Refusal
from catalog.protocols import ListedPage
from catalog.sources.hub_client import HubClient, Page, Stale
from catalog.untrusted import Unreadable, count, parse_object

MODELS = "/api/models"
PAGE_ROWS = 1000  # what the Hub gives at most
AGE, CHANGE, POPULARITY = "createdAt", "lastModified", "downloads"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a listing stands: its order, the Hub's own cursor (None: at the first page), and more.

    A listing by change ends where most rows of a page were changed before `since`: a single one
    may tell any time. A listing by age carries in `newest` the newest change when it began.
    `n_rows` counts the rows before this place.
    """

    order: str
    since: str | None = None
    newest: str | None = None
    next: str | None = None
    n_rows: int = 0

    @classmethod
    def first(cls, *, since: str | None, limit: int | None) -> "Place":
        """The beginning: what changed since, the most downloaded, or all by age."""
        if since is not None:
            return cls(CHANGE, since=since)
        return cls(AGE if limit is None else POPULARITY)

    @classmethod
    def parse(cls, cursor: str) -> "Place | None":
        """The place of a cursor that `text` wrote; None for any other text."""
        try:
            told = parse_object(cursor.encode("utf-8", "replace"))
        except Unreadable:
            return None
        order, n_rows = told.get("order"), count(told.get("n_rows"))
        since, newest, following = told.get("since"), told.get("newest"), told.get("next")
        is_timed = all(time is None or _is_time(time) for time in (since, newest))
        is_here = following is None or str(following).startswith(f"{MODELS}?")
        if order not in (AGE, CHANGE, POPULARITY) or n_rows is None or not is_timed or not is_here:
            return None
        return cls(order, since, newest, following, n_rows)

    def after(self, page: Page, n_rows: int) -> "Place":
        """The place behind a page of so many rows."""
        return replace(self, next=page.cursor, n_rows=self.n_rows + n_rows)

    @property
    def text(self) -> str:
        """The place as a cursor."""
        return json.dumps(asdict(self))

    @property
    def following(self) -> "Place | None":
        """The listing that comes after this one's end: later changes than were known before."""
        is_whole = self.order == AGE and self.newest is not None
        return Place(CHANGE, newest=self.newest) if is_whole else None

    def is_over(self, row: Model | Refusal) -> bool:
        """Whether a listing by change has a row that is known."""
        time = row.last_modified if isinstance(row, Model) else None
        if self.order != CHANGE or time is None:
            return False
        return (self.since is not None and time < self.since) or (
            self.newest is not None and time <= self.newest
        )


class HubListing:
    """Lists the models of one Hub."""

    def __init__(self, client: HubClient, source: str) -> None:
        self._client = client
        self._source = source

    def pages(
        self,
        slice: Mapping[str, str],
        *,
        start: str | None = None,
        since: str | None = None,
        limit: int | None = None,
    ) -> Iterator[ListedPage]:
        """As catalog.protocols.Source.listing."""
        known = Place.parse(start) if start is not None else None
        place: Place | None = known or Place.first(since=since, limit=limit)
        while place is not None:
            here = place
            try:
                place = yield from self._walk(slice, here, limit)
            except Stale:  # the Hub has forgotten its cursor: once more from the first page
                place = replace(here, next=None, n_rows=0)

    def _walk(
        self, slice: Mapping[str, str], place: Place, limit: int | None
    ) -> Generator[ListedPage, None, Place | None]:
        """The pages of one listing from a place on; gives the listing that follows it."""
        params = _params(slice, place.order)
        n_rows = PAGE_ROWS if limit is None else min(limit, PAGE_ROWS)
        n_asked = self._client.n_requests
        if place == Place(AGE):
            place = replace(place, newest=self._newest_change(slice))
        for page in self._client.pages(MODELS, params, n_rows=n_rows, start=place.next):
            rows = self._rows(page, place, limit)
            kept = tuple(row for row in rows if not place.is_over(row))
            is_over = 2 * (len(rows) - len(kept)) > sum(_tells_time(row) for row in rows)
            place = place.after(page, len(rows))
            is_last = page.cursor is None or is_over or place.n_rows == limit
            after = place if not is_last else (place.following if limit is None else None)
            n_requests = self._client.n_requests - n_asked
            yield ListedPage(kept, after.text if after else None, n_requests)
            if is_last:
                return after
            n_asked = self._client.n_requests
        return None

    def _newest_change(self, slice: Mapping[str, str]) -> str | None:
        """At most this moment: a change of the future is a lie."""
        page = next(self._client.pages(MODELS, _params(slice, CHANGE), n_rows=1))
        rows = self._rows(page, Place(CHANGE), limit=1)
        times = (row.last_modified for row in rows if isinstance(row, Model))
        return next((min(time, present()) for time in times if time), None)

    def _rows(self, page: Page, place: Place, limit: int | None) -> list[Model | Refusal]:
        end = None if limit is None else limit - place.n_rows
        return [
            read_listed(row, position, self._source)
            for position, row in enumerate(page.rows[:end], place.n_rows)
        ]


def _params(slice: Mapping[str, str], order: str) -> list[tuple[str, str]]:
    params = [("sort", order)]
    names = {"task": "pipeline_tag", "author": "author", "parameters": "num_parameters"}
    params += [(names[key], value) for key, value in slice.items() if key in names]
    if "language" in slice:
        params.append(("filter", slice["language"]))
    if "license" in slice:
        params.append(("filter", f"license:{slice['license']}"))
    return params + [("expand", name) for name in LISTED_FIELDS]


def _tells_time(row: Model | Refusal) -> bool:
    return isinstance(row, Model) and row.last_modified is not None


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and TIME.fullmatch(value) is not None
