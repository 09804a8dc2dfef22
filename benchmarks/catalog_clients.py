"""A client that walks through a Hub's listing in parts, for benchmarks/catalog_speed.py to time.

python -P benchmarks/catalog_clients.py crawl|list_models|floor ENDPOINT FOLDER

Each line on stdin is a number of pages to go on for. The answer is a line of JSON: models, seconds
and processor seconds of this part, whether the listing is over, the greatest memory so far.
"""

import json
import re
import resource
import sys
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from catalog.crawl import crawl
from catalog.listed_rows import LISTED_FIELDS
from catalog.sources.hub import HubSource
from catalog.store import Catalog

PAGE_ROWS = 1000

Walk = Callable[[int], dict[str, Any]]
"""Goes on for some pages; tells `n` and `is_over`, and more."""


def main(client: str, endpoint: str, folder: str) -> None:
    clients = {"crawl": crawler, "list_models": lister, "floor": floor}
    walk = clients[client](endpoint, Path(folder))
    for line in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        told = walk(int(line))
        told["seconds"] = time.perf_counter() - wall
        told["cpu_seconds"] = time.process_time() - cpu
        told["rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
        print(json.dumps(told), flush=True)


def crawler(endpoint: str, folder: Path) -> Walk:
    """Our crawl, kept in a catalog and taken up again for each part."""
    source = HubSource(endpoint, token=False, allowance_path=folder / "allowance.db")
    path = folder / "catalog.db"
    store = Catalog(path)
    n_before = n_asked = 0

    def walk(n_pages: int) -> dict[str, Any]:
        nonlocal n_before, n_asked
        done = crawl(source, store, max_requests=n_pages)
        n_models, n_requests = done.n_models - n_before, done.n_requests - n_asked
        n_before, n_asked = (0, 0) if done.is_finished else (done.n_models, done.n_requests)
        wal = path.with_name(f"{path.name}-wal")
        return {
            "n": n_models,
            "is_over": done.is_finished,
            "n_requests": n_requests,
            "n_refused": done.n_refused,
            "wal_mb": wal.stat().st_size / 1e6,
            "db_mb": path.stat().st_size / 1e6,
        }

    return walk


def lister(endpoint: str, _folder: Path) -> Walk:
    """huggingface_hub's generator, asked for the same fields in the same order; nothing is kept."""
    from huggingface_hub import HfApi

    expand: Any = LISTED_FIELDS
    models = HfApi(endpoint, token=False).list_models(sort="created_at", expand=expand)
    return in_parts(1 for _ in models)


def floor(endpoint: str, _folder: Path) -> Walk:
    """Pages fetched over one connection and parsed as JSON; nothing is kept."""
    return in_parts(1 for rows in pages(endpoint) for _ in rows)


def pages(endpoint: str) -> Iterator[list[Any]]:
    connection = HTTPConnection(urlsplit(endpoint).netloc)
    query = [("sort", "createdAt"), ("limit", PAGE_ROWS), *(("expand", f) for f in LISTED_FIELDS)]
    path = f"/api/models?{urlencode(query)}"
    while path:
        connection.request("GET", path)
        answer = connection.getresponse()
        yield json.loads(answer.read())
        link = re.match(r'<[^>]*?(/api/[^>]*)>; rel="next"', answer.getheader("Link") or "")
        path = link[1] if link else ""


def in_parts(rows: Iterator[int]) -> Walk:
    """Goes on for so many full pages."""

    def walk(n_pages: int) -> dict[str, Any]:
        n = sum(islice(rows, n_pages * PAGE_ROWS))
        return {"n": n, "is_over": n < n_pages * PAGE_ROWS}

    return walk


if __name__ == "__main__":
    main(*sys.argv[1:])
