"""`recommender demo`: a real search with no network, on text and models that come along."""

from pathlib import Path

import click

from recommender.cli.options import output_options, show


@click.command(
    "demo",
    short_help="Run a real search offline, on models that come along.",
    epilog="Example: recommender demo",
)
@output_options
def command(form: str | None, output: Path | None, quiet: bool, verbose: bool) -> int:
    """Find the smallest of the models that come along, on human-written tweets, offline."""
    from recommender.cli.find import exit_code
    from recommender.demo.search import run_demo

    if not quiet:
        click.echo(
            "The same for your own data:\n\n"
            '    recommender find reviews.csv --require "accuracy >= 0.90"\n',
            err=True,
        )
    found = run_demo(progress=not quiet)
    show(found, form, output, verbose=verbose)
    return exit_code(found)
