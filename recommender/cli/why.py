"""`recommender why MODEL`: the verdict on a candidate in the newest search that had it."""

import click

from recommender.cli import completers


@click.command(
    "why",
    epilog="Example: recommender why distilbert",
)
@click.argument("model", shell_complete=completers.searched_models)
@click.option(
    "--run",
    metavar="ID",
    shell_complete=completers.runs,
    help="Another search than the newest: the first digits of its id.",
)
def command(model: str, run: str | None) -> None:
    """Say of each candidate of MODEL (a part of its name is enough) what became of it and why.

    Read from the newest search that had it: nothing is measured.
    """
    from recommender.api import why

    click.echo(why(model, run=run))
