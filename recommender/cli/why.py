"""`recommender why MODEL`: the verdict on a candidate in the newest search that had it."""

import click


@click.command(
    "why",
    short_help="Why a model was chosen or turned down.",
    epilog="Example: recommender why distilbert",
)
@click.argument("model")
@click.option(
    "--run", "run", metavar="ID", help="Another search than the newest: the first digits of its id."
)
def command(model: str, run: str | None) -> None:
    """Say of each candidate of MODEL (a part of its name is enough) what became of it and why.

    Read from the newest search that had it: nothing is measured.
    """
    from recommender.api import why

    click.echo(why(model, run=run))
