"""`recommender demo`: a real search with no network, on text and models that come along."""

from pathlib import Path

import click

from recommender.cli.options import output_options, show

INTRODUCTION = """\
Are these tweets positive or negative? Real tweets that people labelled, and six small models that
come along: which is the smallest that is right on 87 %? Everything runs here, without network.
"""

YOUR_OWN = """
The same for your own data:

    recommender find reviews.csv --require "accuracy >= 0.90"
"""


@click.command(
    "demo",
    epilog="Example: recommender demo",
)
@output_options
def command(form: str | None, output: Path | None, quiet: bool, verbose: bool) -> int:
    """Find the smallest of the models that come along, on human-written tweets, offline."""
    from recommender.cli.find import exit_code
    from recommender.demo.search import run_demo

    if not quiet:
        click.echo(INTRODUCTION, err=True)
    found = run_demo(progress=not quiet)
    show(found, form, output, verbose=verbose)
    if not quiet:
        click.echo(YOUR_OWN, err=True)
    return exit_code(found)
