"""Which models that are gone from a source are listed there under another id."""

import json
import sqlite3
from collections.abc import Iterator, Sequence

from catalog.crawl_log import CrawlState


def renamed(
    connection: sqlite3.Connection, state: CrawlState, gone: Sequence[int]
) -> Iterator[tuple[str, str]]:
    """Old and new id of those of the gone rows that the crawl `state` listed under another id.

    It is the same model when commit and time of creation are the same: a copy has another time.
    """
    olds = {
        (revision, created_at): id
        for id, revision, created_at in connection.execute(
            "SELECT id, revision, created_at FROM models WHERE created_at IS NOT NULL"
            " AND number IN (SELECT value FROM json_each(?)) ORDER BY id",
            (json.dumps(gone),),
        )
    }
    if not olds:
        return
    for id, revision, created_at in connection.execute(
        "SELECT id, revision, created_at FROM models WHERE listed AND crawl = ?"
        " AND gone_at IS NULL ORDER BY id",
        (state.id,),
    ):
        old = olds.pop((revision, created_at), None)
        if old is not None:
            yield old, id
