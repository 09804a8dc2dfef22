"""`recommender leaderboard`: what the store knows about a task and its rows."""

from pathlib import Path
from typing import Any

import click

from recommender.cli import completers
from recommender.cli.options import output_options, rows_options, show


@click.command(
    "leaderboard",
    epilog="Example: recommender leaderboard reviews.csv -o board.md",
)
@click.argument("data", required=False, shell_complete=completers.files)
@rows_options
@click.option(
    "--fingerprint",
    metavar="PREFIX",
    help="The start of the rows' digest, as reports show it, instead of DATA.",
)
@click.option(
    "--machine",
    metavar="TEXT",
    help="Only what was evaluated on a machine whose description has this in it, as in 'Xeon'.",
)
@click.option(
    "--since",
    metavar="DATE",
    help="Only what was evaluated since then (UTC), as in 2026-11-22 or 2026-11-22T18:00.",
)
@output_options
def command(
    data: str | None,
    form: str | None,
    output: Path | None,
    quiet: bool,
    verbose: bool,
    **asked: Any,  # how rows are read, and the limits: click hands them over by name
) -> int:
    """Rank all that was ever evaluated on the rows of DATA; measures nothing.

    Without DATA, on the rows that were evaluated last, of --task if it is given. Quality counts
    wherever it was measured; timings are this machine's where it has some.
    """
    from recommender.api import leaderboard

    show(leaderboard(data, **asked), form, output, verbose=verbose)
    return 0
