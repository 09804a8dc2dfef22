"""A Hub's listings: filters, order, and pages that are continued after their last row."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol, TypeVar  # Any: the Hub's JSON
from urllib.parse import urlencode

from catalog.loopback.exchange import Answer, Request, refusal
from catalog.untrusted import count, mapping, texts

UNITS: Mapping[str, float] = {"": 1, "K": 1e3, "M": 1e6, "B": 1e9}
NUMERIC_SORTS = ("downloads", "likes")
SORTS = ("createdAt", "lastModified", *NUMERIC_SORTS)


class Listed(Protocol):
    """What a listing needs to know of a repository."""

    @property
    def id(self) -> str:
        """`name` or `owner/name`."""
        ...

    @property
    def info(self) -> Mapping[str, Any]:
        """What the API tells, by the API's names."""
        ...

    def listed(self, *, expand: Collection[str] = (), full: bool = False) -> dict[str, Any]:
        """The row of a listing."""
        ...


Place = tuple[int | str, str]
"""What a row is sorted by, and its id."""

L = TypeVar("L", bound=Listed)


def listing(
    repositories: Sequence[Listed], request: Request, *, endpoint: str, page_size: int
) -> Answer:
    """One page, with the link to the next; a cursor stays right when other rows come or go."""
    sort = request.value("sort")
    if sort not in (None, *SORTS):
        return refusal(400, "", f"sort must be one of {', '.join(SORTS)}")
    try:
        found = in_order([one for one in repositories if matches(one, request.query)], sort)
        rest = _after(found, sort, request.value("cursor"))
        n = min(int(request.value("limit") or page_size), page_size)
    except ValueError as error:
        return refusal(400, "", f"bad query: {error}")
    expand, full = request.query.get("expand", []), request.flag("full")
    rows = [one.listed(expand=expand, full=full) for one in rest[:n]]
    if n >= len(rest) or not rows:
        return Answer(json=rows)
    cursor = cursor_text(place(rest[n - 1], sort))
    return Answer(json=rows, headers=next_link(endpoint, request, cursor))


def next_link(endpoint: str, request: Request, cursor: str) -> dict[str, str]:
    """The header that leads to the page after the cursor."""
    query = urlencode({**request.query, "cursor": [cursor]}, doseq=True)
    return {"Link": f'<{endpoint}{request.path}?{query}>; rel="next"'}


def cursor_text(value: object) -> str:
    """A cursor: text that says nothing to the client."""
    return urlsafe_b64encode(json.dumps(value).encode()).decode()


def cursor_value(cursor: str) -> Any:
    """What a cursor was made of. Raises ValueError for a text that is none."""
    return json.loads(urlsafe_b64decode(cursor))


def in_order(found: Sequence[L], sort: str | None) -> list[L]:
    """The largest value first, and by id where values are equal or nothing is sorted by."""
    by_id = sorted(found, key=lambda one: one.id)
    return sorted(by_id, key=lambda one: place(one, sort)[0], reverse=True) if sort else by_id


def place(one: Listed, sort: str | None) -> Place:
    """Where a row stands in the order."""
    value = one.info.get(sort) if sort else None
    return (count(value) or 0 if sort in NUMERIC_SORTS else str(value or ""), one.id)


def _after(found: Sequence[L], sort: str | None, cursor: str | None) -> Sequence[L]:
    if cursor is None:
        return found
    value, id = cursor_value(cursor)
    for position, one in enumerate(found):
        here = place(one, sort)
        if here[0] < value or (here[0] == value and here[1] > id):
            return found[position:]
    return ()


def matches(one: Listed, query: Mapping[str, list[str]]) -> bool:
    """Whether a repository passes all filters of the query."""
    info = one.info
    exact = (("pipeline_tag", info.get("pipeline_tag")), ("author", info.get("author")))
    search = query.get("search", [""])[0].casefold()
    gated, bounds = query.get("gated"), query.get("num_parameters")
    n_parameters = count(mapping(info.get("safetensors")).get("total"))
    return (
        all(query[name][0] == value for name, value in exact if name in query)
        and set(query.get("filter", [])) <= set(texts(info.get("tags")))
        and (not gated or (gated[0].lower() in ("true", "1")) == bool(info.get("gated")))
        and (not bounds or within(n_parameters, bounds[0]))
        and search in one.id.casefold()
    )


def within(n_parameters: int | None, bounds: str) -> bool:
    """`min:1M,max:100M`, either part alone as well."""
    lower, upper = bounds_of(bounds)
    return n_parameters is not None and lower <= n_parameters <= upper


def bounds_of(bounds: str) -> tuple[float, float]:
    """The least and the greatest number of parameters that `min:1M,max:100M` allows."""
    limits = dict(bound.split(":") for bound in bounds.split(","))
    return _quantity(limits.get("min", "0")), _quantity(limits.get("max", "1000000B"))


def _quantity(text: str) -> float:
    digits = text.rstrip("KMB")
    return float(digits) * UNITS[text[len(digits) :]]
