"""The Python files of a space on a Hub, at one commit, asked for without any token."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from cache.errors import NotFound, SourceUnavailable
from catalog.sources.hub_client import HubClient

COMMIT = re.compile(r"[0-9a-f]{40}")
ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
MOST_FILES = 20


@dataclass(frozen=True, slots=True)
class SpaceCode:
    """The commit of a space, and the Python files in its root by name."""

    commit: str
    files: Mapping[str, bytes]


def python_files(id: str, revision: str | None = None, *, endpoint: str | None = None) -> SpaceCode:
    """What a space holds at a revision, its newest where none is named; nothing of it is run.

    Raises NotFound where there is no such space, or one that is not open to all.
    """
    if not ID.fullmatch(id):
        raise NotFound(f"{id!r} is no space of a Hub; write OWNER/NAME")
    client = HubClient(endpoint, token=False)
    path = f"/api/spaces/{id}" + (f"/revision/{revision}" if revision else "")
    told = client.json(path, repository=f"spaces/{id}")
    commit = told.get("sha") if isinstance(told, dict) else None
    siblings = told.get("siblings") if isinstance(told, dict) else None
    if (
        not isinstance(commit, str)
        or not COMMIT.fullmatch(commit)
        or not isinstance(siblings, list)
    ):
        raise SourceUnavailable(f"{client.endpoint} does not say what the space {id} holds")
    names = [str(one.get("rfilename")) for one in siblings if isinstance(one, dict)]
    code = [name for name in names if re.fullmatch(r"\w+\.py", name)][:MOST_FILES]
    return SpaceCode(commit, {name: client.file(f"spaces/{id}", commit, name) for name in code})
