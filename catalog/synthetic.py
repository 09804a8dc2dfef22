"""A Hub of millions of synthetic models, for measuring crawlers and catalogs at full size.

`python -m catalog.synthetic --models 2000000` prints its HF_ENDPOINT. A POST to
`/_control/touch?share=0.001` changes that share of the models while it runs.
"""

import argparse
import threading
from collections.abc import Iterable

from catalog.loopback.answers import Hosting, Repository, answer
from catalog.loopback.exchange import Answer, Request, refusal
from catalog.loopback.faults import Fault
from catalog.loopback.listing import SORTS, cursor_text, cursor_value, next_link
from catalog.loopback.quota import Quota
from catalog.loopback.server import HubServer
from catalog.loopback.synthetic_files import SyntheticModel
from catalog.loopback.synthetic_listing import Listing, list_models
from catalog.loopback.synthetic_models import Population
from catalog.loopback.synthetic_rows import BASIC_FIELDS, COLUMNS, Rows, StemTexts

PAGE_ROWS = 1000
N_LISTINGS_KEPT = 4  # of 32 MB each at 2,000,000 models
TOUCH_PATH = "/_control/touch"


class SyntheticHub(HubServer):
    """A Hub of `n_models` made-up models, each computed from its number; weights are not served.

    It answers as LoopbackHub does, with pages of up to `page_size` rows. `search` finds the part
    of the names that is not the owner's.
    """

    def __init__(
        self,
        n_models: int,
        seed: int = 0,
        *,
        page_size: int = PAGE_ROWS,
        port: int = 0,
        faults: Iterable[Fault] = (),
        quota: Quota | None = None,
    ) -> None:
        super().__init__(port=port, faults=faults, quota=quota)
        self.population = Population(n_models, seed)
        self._pieces = StemTexts(self.population.stems)
        self._page_size = page_size
        self._listings: dict[object, Listing] = {}
        self._lock = threading.Lock()

    def touch(self, share: float) -> int:
        """Changes about this share of the models, between 0 and 1; tells how many.

        Each gets another commit, and a `lastModified` after all others.
        """
        with self._lock:
            self.population.touch(share)
            self._listings.clear()
        return self.population.n_touched()

    def answer(self, request: Request) -> Answer:
        """What this Hub answers to a request when nothing goes wrong."""
        if request.path == TOUCH_PATH:
            return self._touch(request)
        if request.path == "/api/models":
            return self._page(request)
        return answer(Hosting(_Repositories(self.population, self._pieces)), request)

    def _touch(self, request: Request) -> Answer:
        try:
            share = float(request.value("share") or "")
        except ValueError:
            share = -1.0
        if request.method != "POST" or not 0 <= share <= 1:
            return refusal(400, "", f"POST {TOUCH_PATH}?share=S, with S between 0 and 1")
        return Answer(json={"touched": self.touch(share)})

    def _page(self, request: Request) -> Answer:
        sort = request.value("sort") or "createdAt"
        if sort not in SORTS:
            return refusal(400, "", f"sort must be one of {', '.join(SORTS)}")
        try:
            found = self._listing(sort, request)
            cursor = request.value("cursor")
            start = found.position_after(cursor_value(cursor)) if cursor else 0
            n = min(int(request.value("limit") or self._page_size), self._page_size)
        except ValueError as error:
            return refusal(400, "", f"bad query: {error}")
        rows = Rows(self.population, self._pieces, found.numbers[start : start + n])
        content = f"[{','.join(rows.json(_fields(request)))}]".encode()
        if start + n >= len(found.numbers):
            return Answer(content=content)
        link = next_link(self.endpoint, request, cursor_text(found.key(start + n - 1)))
        return Answer(content=content, headers=link)

    def _listing(self, sort: str, request: Request) -> Listing:
        """The models of a query in their order, kept for its further pages."""
        skipped = ("cursor", "limit", "expand", "full", "sort")
        query = {name: values for name, values in request.query.items() if name not in skipped}
        wanted = (sort, repr(sorted(query.items())))
        with self._lock:
            found = self._listings.get(wanted)
            if found is None:
                found = list_models(self.population, query, sort)
                while len(self._listings) >= N_LISTINGS_KEPT:
                    self._listings.pop(next(iter(self._listings)))
                self._listings[wanted] = found
        return found


class _Repositories:
    """All models, found by kind and id."""

    def __init__(self, population: Population, pieces: StemTexts) -> None:
        self._population = population
        self._pieces = pieces

    def get(self, key: tuple[str, str], /) -> Repository | None:
        number = self._population.number(key[1]) if key[0] == "models" else None
        return None if number is None else SyntheticModel(self._population, self._pieces, number)


def _fields(request: Request) -> Iterable[str]:
    expand = request.query.get("expand")
    if expand:
        return expand
    return COLUMNS if request.flag("full") else BASIC_FIELDS


def main() -> None:
    """Serves synthetic models until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m catalog.synthetic", description=main.__doc__)
    parser.add_argument("--models", type=int, default=2_000_000, help="how many (2000000)")
    parser.add_argument("--seed", type=int, default=0, help="another seed makes other models (0)")
    parser.add_argument(
        "--port", type=int, default=0, help="a port of 127.0.0.1; 0 takes a free one"
    )
    options = parser.parse_args()
    with SyntheticHub(options.models, options.seed, port=options.port) as hub:
        print(f"HF_ENDPOINT={hub.endpoint}", flush=True)  # noqa: T201  # a script's answer
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
