"""Which models that are gone from a source are listed there under another id."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from cache.errors import StoreError
from catalog.crawl_log import CrawlState


def renamed(path: Path, state: CrawlState, *, gone_since: str) -> Iterator[tuple[str, str]]:
    """Old and new id of each model that went since a time and that the crawl `state` listed.

    It is the same model when commit and time of creation are the same: a copy has another time.
    Reads the catalog at `path`. Raises StoreError.
    """
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            gone = {
                (revision, created_at): id
                for id, revision, created_at in connection.execute(
                    "SELECT id, revision, created_at FROM models WHERE listed AND source = ?"
                    " AND gone_at >= ? AND created_at IS NOT NULL ORDER BY id",
                    (state.source, gone_since),
                )
            }
            for id, revision, created_at in connection.execute(
                "SELECT id, revision, created_at FROM models WHERE listed AND crawl = ?"
                " AND gone_at IS NULL ORDER BY id",
                (state.id,),
            ):
                old = gone.pop((revision, created_at), None)
                if old is not None:
                    yield old, id
    except sqlite3.Error as error:
        raise StoreError(f"{path} cannot be read: {error}") from error
