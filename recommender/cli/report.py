"""`recommender report`: a stored search in any format, or pages of all of them."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cache.errors import BadInput
from recommender.cli import completers
from recommender.cli.options import FORMATS, format_of, show

if TYPE_CHECKING:
    from cache.measurements import Measurements


@click.command(
    "report",
    epilog="Example: recommender report latest -o report.html",
)
@click.argument("run", default="", metavar="[RUN]", shell_complete=completers.runs)
@click.option("--format", "form", type=click.Choice(FORMATS), help="Instead of the suffix of -o.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write here instead of stdout; .html, .md, .json, .csv, .svg, .png or .txt is the format.",
)
@click.option("-v", "--verbose", is_flag=True, help="Every candidate in the text output.")
@click.option("--list", "is_list", is_flag=True, help="List the stored searches, the newest first.")
@click.option(
    "--all",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write a page for each stored search and an index of them; later only what is new.",
)
def command(
    run: str,
    form: str | None,
    output: Path | None,
    verbose: bool,
    is_list: bool,
    folder: Path | None,
) -> int:
    """Show a stored search again, in any format; nothing is measured.

    RUN is the first digits of its id, or 'latest', which is also meant without it.
    """
    from cache.measurements import Measurements
    from cache.paths import Home

    if sum((bool(run or output or form), is_list, folder is not None)) > 1:
        raise BadInput("one thing at a time: RUN with -o or --format, --list, or --all DIR")
    format_of(form, output)
    with Measurements(Home.parse(os.environ).measurements) as store:
        if is_list:
            _list(store)
        elif folder is not None:
            _write_all(store, folder)
        else:
            from recommender.runs import stored_run

            show(stored_run(store, run).result, form, output, verbose=verbose)
    return 0


def _list(store: "Measurements") -> None:
    """A line each: id, time, data, and the answer."""
    from recommender.reports.table import clean
    from recommender.runs import ID_DIGITS, all_runs

    runs = list(all_runs(store))
    if not runs:
        example = 'recommender find reviews.csv --require "accuracy >= 0.90"'
        click.echo(f"no search is stored yet; run one with: {example}", err=True)
    for run in runs:
        line = f"{run.id[:ID_DIGITS]}  {run.answered_at[:16]}  {run.data}: {run.answer}"
        click.echo(clean(line))


def _write_all(store: "Measurements", folder: Path) -> None:
    """The pages that are missing, and the index."""
    from recommender.reports.index import write_site

    shown = sys.stderr.isatty()

    def tell(n_done: int, n: int) -> None:
        if shown:
            click.echo(f"\r{n_done:,} of {n:,} pages", nl=n_done == n, err=True)

    written = write_site(store, folder, tell=tell)
    runs = "run" if written.n_runs == 1 else "runs"
    click.echo(
        f"wrote {written.index}: {written.n_runs:,} {runs}, {written.n_new:,} of them new", err=True
    )
