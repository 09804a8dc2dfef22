"""`recommender leaderboard`: what the store knows about a task and its rows."""

from pathlib import Path
from typing import Any

import click

from recommender.cli.options import data_options, output_options, parse_label_map, show


@click.command(
    "leaderboard",
    short_help="Rank what was ever measured on these rows.",
    epilog="Example: recommender leaderboard reviews.csv -o board.md",
)
@data_options
@output_options
def command(
    data: str,
    label_map: str | None,
    form: str | None,
    output: Path | None,
    quiet: bool,
    verbose: bool,
    **read: Any,  # how the rows are read: click hands the options of `leaderboard` over by name
) -> int:
    """Rank all that was ever measured on the rows of DATA; measures nothing."""
    from recommender.api import leaderboard

    board = leaderboard(data, label_map=parse_label_map(label_map), **read)
    show(board, form, output, verbose=True)
    return 0
