"""What a Hub answers: the routes that huggingface_hub and transformers ask, as pure functions."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any  # the Hub's JSON
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from catalog.hosted import HostedModel

ID = r"(?P<id>[^/]+(?:/[^/]+)?)"
LISTING = re.compile(r"/api/models")
MODEL = re.compile(rf"/api/models/{ID}(?:/revision/(?P<revision>[^/]+))?")
TREE = re.compile(rf"/api/models/{ID}/tree/(?P<revision>[^/]+)(?:/(?P<path>.+))?")
PATHS_INFO = re.compile(rf"/api/models/{ID}/paths-info/(?P<revision>[^/]+)")
FILE = re.compile(rf"/{ID}/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
RANGE = re.compile(r"bytes=(\d*)-(\d*)")
UNITS: Mapping[str, float] = {"": 1, "K": 1e3, "M": 1e6, "B": 1e9}


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked: the path with its query, its headers (`Like-This`), a form's body."""

    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    form: str = ""

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> Mapping[str, list[str]]:
        """The query's values by name; a name may come again and again."""
        return parse_qs(urlsplit(self.target).query)

    def flag(self, name: str) -> bool:
        """Whether a switch of the query is on."""
        return self.query.get(name, [""])[0].lower() in ("1", "true")


@dataclass(frozen=True, slots=True)
class Answer:
    """JSON, or `n_bytes` of a file from `start` on, with the status and the headers."""

    json: Any = None
    file: Path | None = None
    start: int = 0
    n_bytes: int = 0
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hosting:
    """What a Hub is set up with: its address, its models by id, and who may read them."""

    endpoint: str
    models: Mapping[str, HostedModel]
    page_size: int = 100
    gated: Collection[str] = ()
    token: str | None = None

    def trusts(self, request: Request) -> bool:
        """Whether the request carries the token."""
        given = request.headers.get("Authorization", "")
        return self.token is not None and given == f"Bearer {self.token}"

    def sees(self, request: Request, model: HostedModel) -> bool:
        """Whether the model exists for who asks."""
        return self.trusts(request) or not model.is_private


def answer(hosting: Hosting, request: Request) -> Answer:
    """The Hub's answer to any request."""
    if LISTING.fullmatch(request.path):
        return _listing(hosting, request)
    for pattern, route in ROUTES.items():
        match = pattern.fullmatch(request.path)
        if match:
            return _of_model(hosting, request, match, route)
    return refusal(404, "NotFound", f"no such route: {request.path}")


def refusal(status: int, code: str, message: str, *, commit: str | None = None) -> Answer:
    """An error as the Hub tells it: the client reads the code from a header."""
    told = {"X-Error-Code": code, "X-Error-Message": message}
    pinned = {"X-Repo-Commit": commit} if commit else {}
    return Answer(json={"error": message}, status=status, headers=told | pinned)


def _listing(hosting: Hosting, request: Request) -> Answer:
    found = [
        model
        for model in hosting.models.values()
        if hosting.sees(request, model) and _matches(model, request.query)
    ]
    if "sort" in request.query:
        found.sort(key=lambda model: _sort_key(model, request.query["sort"][0]), reverse=True)
    asked = int(request.query.get("limit", [str(hosting.page_size)])[0])
    n, start = min(asked, hosting.page_size), int(request.query.get("cursor", ["0"])[0])
    expand, full = request.query.get("expand", []), request.flag("full")
    rows = [model.listed(expand=expand, full=full) for model in found[start : start + n]]
    more = start + n < len(found)
    return Answer(json=rows, headers=_link(hosting, request, cursor=start + n) if more else {})


def _link(hosting: Hosting, request: Request, *, cursor: int) -> dict[str, str]:
    query = urlencode({**request.query, "cursor": [str(cursor)]}, doseq=True)
    return {"Link": f'<{hosting.endpoint}{request.path}?{query}>; rel="next"'}


def _matches(model: HostedModel, query: Mapping[str, list[str]]) -> bool:
    task = query.get("pipeline_tag")
    bounds = query.get("num_parameters")
    search = query.get("search", [""])[0].casefold()
    return (
        set(query.get("filter", [])) <= set(model.info["tags"])
        and (not task or model.info.get("pipeline_tag") == task[0])
        and (not bounds or _within(model.n_parameters, bounds[0]))
        and search in model.id.casefold()
    )


def _within(n_parameters: int | None, bounds: str) -> bool:
    """`min:1M,max:100M`, either part alone as well."""
    if n_parameters is None:
        return False
    limits = dict(bound.split(":") for bound in bounds.split(","))
    lower, upper = _quantity(limits.get("min", "0")), _quantity(limits.get("max", "1000000B"))
    return lower <= n_parameters <= upper


def _quantity(text: str) -> float:
    digits = text.rstrip("KMB")
    return float(digits) * UNITS[text[len(digits) :]]


def _sort_key(model: HostedModel, field_name: str) -> tuple[int, str]:
    value = model.info.get(field_name)
    return (value, "") if isinstance(value, int) else (0, str(value or ""))


Route = Callable[[Hosting, Request, HostedModel, str], Answer]


def _of_model(hosting: Hosting, request: Request, match: re.Match[str], route: Route) -> Answer:
    given = match.groupdict()
    model = hosting.models.get(unquote(given["id"]))
    if model is None or not hosting.sees(request, model):
        status = 404 if "Authorization" in request.headers else 401  # as the Hub answers
        return refusal(status, "RepoNotFound", "Repository not found")
    revision = unquote(given["revision"] or "main")
    if revision not in ("main", model.commit):
        return refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
    return route(hosting, request, model, unquote(given.get("path") or ""))


def _model(hosting: Hosting, request: Request, model: HostedModel, path: str) -> Answer:
    gated = {"gated": "manual"} if model.id in hosting.gated else {}
    info = model.described(expand=request.query.get("expand", []), blobs=request.flag("blobs"))
    return Answer(json=info | gated)


def _tree(hosting: Hosting, request: Request, model: HostedModel, path: str) -> Answer:
    entries = model.tree(path, recursive=request.flag("recursive"))
    if entries is None:
        return refusal(404, "EntryNotFound", f"no folder {path!r}", commit=model.commit)
    return Answer(json=entries)


def _paths_info(hosting: Hosting, request: Request, model: HostedModel, path: str) -> Answer:
    files = (model.file(wanted) for wanted in parse_qs(request.form).get("paths", []))
    return Answer(json=[file.tree_entry() for file in files if file])


def _file(hosting: Hosting, request: Request, model: HostedModel, path: str) -> Answer:
    if model.id in hosting.gated and not hosting.trusts(request):
        status = 403 if "Authorization" in request.headers else 401
        return refusal(status, "GatedRepo", f"Access to {model.id} is restricted")
    file = model.file(path)
    if file is None:
        return refusal(404, "EntryNotFound", f"no file {path!r}", commit=model.commit)
    headers = {"X-Repo-Commit": model.commit, "ETag": f'"{file.etag}"', "Accept-Ranges": "bytes"}
    if file.is_large:
        headers |= {"X-Linked-Etag": f'"{file.etag}"', "X-Linked-Size": str(file.size_bytes)}
    whole = Answer(file=model.folder / path, n_bytes=file.size_bytes, headers=headers)
    asked = RANGE.fullmatch(request.headers.get("Range", ""))
    return _part(whole, asked[1], asked[2]) if asked and (asked[1] or asked[2]) else whole


def _part(whole: Answer, first: str, last: str) -> Answer:
    """The bytes from `first` to `last`, both included; without `first` the `last` bytes."""
    size = whole.n_bytes
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last) + 1, size) if first and last else size
    if start >= end:
        headers = {"Content-Range": f"bytes */{size}"}
        return Answer(json={"error": "Range not satisfiable"}, status=416, headers=headers)
    headers = {**whole.headers, "Content-Range": f"bytes {start}-{end - 1}/{size}"}
    return replace(whole, start=start, n_bytes=end - start, status=206, headers=headers)


ROUTES: Mapping[re.Pattern[str], Route] = MappingProxyType(
    {TREE: _tree, PATHS_INFO: _paths_info, FILE: _file, MODEL: _model}
)
