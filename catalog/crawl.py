"""Walks through a source and keeps what it lists."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from catalog.model import Model
from catalog.policy import Refusal
from catalog.protocols import Source
from catalog.store import CatalogStore, Crawl, now

PAGE = 50


def crawl(
    source: Source,
    store: CatalogStore,
    *,
    task: str | None,
    limit: int | None = 200,
    progress: Callable[[int], None] | None = None,
) -> Crawl:
    """Stores up to `limit` models of a source, page by page, and notes the crawl when it is done.

    `progress` is called with the number of repositories seen so far. What was stored before a
    SourceUnavailable stays; such a crawl is not noted.
    """
    started_at = now()
    models: list[str] = []
    refused: list[str] = []
    for page in _pages(source.models(task, limit=limit)):
        found = [row for row in page if isinstance(row, Model)]
        bad = [row for row in page if isinstance(row, Refusal)]
        store.upsert(found)
        store.forget_refusals(source.name, [model.id for model in found])
        store.refuse(source.name, bad)
        models += [model.id for model in found]
        refused += [refusal.id for refusal in bad]
        if progress:
            progress(len(models) + len(refused))
    if limit is None or len(models) + len(refused) < limit:  # it was listed to its end
        store.unlist(source.name, keep=[*models, *refused], task=task)
    done = Crawl(source.name, task, started_at, now(), len(models), len(refused))
    store.record_crawl(done)
    return done


def _pages(rows: Iterable[Model | Refusal]) -> Iterator[list[Model | Refusal]]:
    rows = iter(rows)
    while page := list(islice(rows, PAGE)):
        yield page
