"""A Hub on this machine: serves folders of models over real HTTP, for tests and trials.

`python -m catalog.testing FOLDER` prints the HF_ENDPOINT under which huggingface_hub and
transformers find the folder's models.
"""

import argparse
import threading
from collections.abc import Collection, Iterable
from pathlib import Path

from catalog.loopback.answers import Hosting, answer
from catalog.loopback.exchange import Answer, Request
from catalog.loopback.faults import Fault
from catalog.loopback.hosted import DATA_KINDS, hosted_repositories
from catalog.loopback.listing import listing
from catalog.loopback.quota import Quota
from catalog.loopback.server import HubServer


class LoopbackHub(HubServer):
    """A directory of repositories, `name` or `owner/name`, as a Hub on 127.0.0.1.

    Its folders `datasets` and `spaces` hold data sets and Spaces in the same way. A repository's
    `.hub.json` overrides what the API tells of it (`downloads`, `likes`, `private`, `gated`,
    `disabled`, `safetensors`, ...); its `renamed_from` lists former ids, which are redirected.
    `gated` ids give their files only to requests with `token`, and private ones are hidden
    without it. Files are read afresh for each request. `faults` go wrong as planned
    (catalog.loopback.faults), and more API requests than `quota` are refused.
    """

    def __init__(
        self,
        root: Path,
        *,
        page_size: int = 100,
        gated: Collection[str] = (),
        token: str | None = None,
        port: int = 0,
        faults: Iterable[Fault] = (),
        quota: Quota | None = None,
    ) -> None:
        super().__init__(port=port, faults=faults, quota=quota)
        self.root = Path(root)
        self._page_size = page_size
        self._gated = frozenset(gated)
        self._token = token
        self._hashes = _Hashes()

    def answer(self, request: Request) -> Answer:
        """What this Hub answers to a request when nothing goes wrong."""
        found = hosted_repositories(self.root, self._hashes, gated=self._gated)
        hosting = Hosting(
            repositories={(one.kind, one.id): one for one in found},
            renamed={(one.kind, former): one.id for one in found for former in one.former_ids},
            token=self._token,
        )
        kind = request.path.removeprefix("/api/")
        if kind not in ("models", *DATA_KINDS):
            return answer(hosting, request)
        seen = [one for one in found if one.kind == kind and hosting.sees(request, one)]
        return listing(seen, request, endpoint=self.endpoint, page_size=self._page_size)


class _Hashes:
    """Remembers the hashes of served files as long as the Hub runs; any thread may ask."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, int, str]] = {}

    def known_sha256(self, path: str, size_bytes: int, modified_ns: int) -> str | None:
        known = self._known.get(path)
        return known[2] if known and known[:2] == (size_bytes, modified_ns) else None

    def remember_sha256(self, path: str, size_bytes: int, modified_ns: int, sha256: str) -> None:
        self._known[path] = (size_bytes, modified_ns, sha256)


def main() -> None:
    """Serves a folder until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m catalog.testing", description=main.__doc__)
    parser.add_argument("folder", type=Path, help="a directory of repositories, name or owner/name")
    parser.add_argument(
        "--port", type=int, default=0, help="a port of 127.0.0.1; 0 takes a free one"
    )
    options = parser.parse_args()
    with LoopbackHub(options.folder, port=options.port) as hub:
        print(f"HF_ENDPOINT={hub.endpoint}", flush=True)  # noqa: T201  # a script's answer
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
