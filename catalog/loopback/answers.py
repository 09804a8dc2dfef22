"""What a Hub answers: the routes that huggingface_hub, datasets and evaluate ask, as functions."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Protocol  # Any: the Hub's JSON
from urllib.parse import parse_qs, unquote

from catalog.loopback.exchange import Answer, Request, refusal
from catalog.loopback.hosted_files import HostedFile, paths_info, tree

KIND = r"/api/(?P<kind>models|datasets|spaces)"
ID = r"(?P<id>[^/]+(?:/[^/]+)?)"
DESCRIPTION = re.compile(rf"{KIND}/{ID}(?:/revision/(?P<revision>[^/]+))?")
TREE = re.compile(rf"{KIND}/{ID}/tree/(?P<revision>[^/]+)(?:/(?P<path>.+))?")
PATHS_INFO = re.compile(rf"{KIND}/{ID}/paths-info/(?P<revision>[^/]+)")
FILE = re.compile(rf"(?:/(?P<kind>datasets|spaces))?/{ID}/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class Repository(Protocol):
    """What the routes need to know of a repository."""

    @property
    def id(self) -> str:
        """`name` or `owner/name`."""
        ...

    @property
    def info(self) -> Mapping[str, Any]:
        """What the API tells, by the API's names."""
        ...

    @property
    def files(self) -> Sequence[HostedFile]:
        """The files by path."""
        ...

    @property
    def commit(self) -> str:
        """The only revision beside `main`."""
        ...

    def described(self, *, expand: Sequence[str] = (), blobs: bool = False) -> dict[str, Any]:
        """The answer of the description's route."""
        ...

    def part(self, path: str, start: int, end: int) -> Answer:
        """The bytes of a file from `start` up to, not including, `end`."""
        ...


class Shelf(Protocol):
    """Finds repositories by kind (`models`, `datasets`, `spaces`) and id, as a mapping does."""

    def get(self, key: tuple[str, str], /) -> Repository | None:
        """The repository; None where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Hosting:
    """What a Hub is set up with: its repositories, and who may read them."""

    repositories: Shelf
    renamed: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """New ids by kind and former id."""
    token: str | None = None

    def trusts(self, request: Request) -> bool:
        """Whether the request carries the token."""
        given = request.headers.get("Authorization", "")
        return self.token is not None and given == f"Bearer {self.token}"

    def sees(self, request: Request, repository: Repository) -> bool:
        """Whether the repository exists for who asks."""
        return self.trusts(request) or not repository.info.get("private")


def answer(hosting: Hosting, request: Request) -> Answer:
    """The Hub's answer to any request for one repository."""
    for pattern, route in ROUTES.items():
        match = pattern.fullmatch(request.path)
        if match:
            return _of_repository(hosting, request, match, route)
    return refusal(404, "NotFound", f"no such route: {request.path}")


Route = Callable[[Hosting, Request, Repository, str], Answer]


def _of_repository(
    hosting: Hosting, request: Request, match: re.Match[str], route: Route
) -> Answer:
    given = match.groupdict()
    key = (given["kind"] or "models", unquote(given["id"]))
    if key in hosting.renamed:
        return _moved(request, match, hosting.renamed[key])
    repository = hosting.repositories.get(key)
    if repository is None or not hosting.sees(request, repository):
        status = 404 if "Authorization" in request.headers else 401  # as the Hub answers
        return refusal(status, "RepoNotFound", "Repository not found")
    if repository.info.get("disabled"):
        return refusal(403, "", "Access to this resource is disabled.")
    revision = unquote(given["revision"] or "main")
    if revision not in ("main", repository.commit):
        return refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
    return route(hosting, request, repository, unquote(given.get("path") or ""))


def _moved(request: Request, match: re.Match[str], new_id: str) -> Answer:
    """The same request at the new id."""
    start, end = match.span("id")
    location = f"{request.target[:start]}{new_id}{request.target[end:]}"
    return Answer(json={"error": "Moved"}, status=307, headers={"Location": location})


def _description(hosting: Hosting, request: Request, repository: Repository, path: str) -> Answer:
    expand = request.query.get("expand", [])
    return Answer(json=repository.described(expand=expand, blobs=request.flag("blobs")))


def _tree(hosting: Hosting, request: Request, repository: Repository, path: str) -> Answer:
    entries = tree(repository.files, path, recursive=request.flag("recursive"))
    if entries is None:
        return refusal(404, "EntryNotFound", f"no folder {path!r}", commit=repository.commit)
    return Answer(json=entries)


def _paths_info(hosting: Hosting, request: Request, repository: Repository, path: str) -> Answer:
    return Answer(json=paths_info(repository.files, parse_qs(request.form).get("paths", [])))


def _file(hosting: Hosting, request: Request, repository: Repository, path: str) -> Answer:
    if repository.info.get("gated") and not hosting.trusts(request):
        status = 403 if "Authorization" in request.headers else 401
        return refusal(status, "GatedRepo", f"Access to {repository.id} is restricted")
    file = next((file for file in repository.files if file.path == path), None)
    if file is None:
        return refusal(404, "EntryNotFound", f"no file {path!r}", commit=repository.commit)
    headers = {
        "X-Repo-Commit": repository.commit, "ETag": f'"{file.etag}"', "Accept-Ranges": "bytes",
    }  # fmt: skip
    if file.is_large:
        headers |= {"X-Linked-Etag": f'"{file.etag}"', "X-Linked-Size": str(file.size_bytes)}
    asked = RANGE.fullmatch(request.headers.get("Range", ""))
    if asked and (asked[1] or asked[2]):
        return _range(repository, file, headers, first=asked[1], last=asked[2])
    whole = repository.part(path, 0, file.size_bytes)
    return replace(whole, headers={**headers, **whole.headers})


def _range(
    repository: Repository, file: HostedFile, headers: dict[str, str], *, first: str, last: str
) -> Answer:
    """The bytes from `first` to `last`, both included; without `first` the `last` bytes."""
    size = file.size_bytes
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last) + 1, size) if first and last else size
    if start >= end:
        told = {"Content-Range": f"bytes */{size}"}
        return Answer(json={"error": "Range not satisfiable"}, status=416, headers=told)
    part = repository.part(file.path, start, end)
    if part.status != 200:
        return part
    told = {**headers, "Content-Range": f"bytes {start}-{end - 1}/{size}"}
    return replace(part, status=206, headers=told)


ROUTES: Mapping[re.Pattern[str], Route] = MappingProxyType(
    {TREE: _tree, PATHS_INFO: _paths_info, FILE: _file, DESCRIPTION: _description}
)
