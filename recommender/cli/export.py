"""`recommender export`: write the choice of a search as a folder that runs."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from recommender.cli import completers

if TYPE_CHECKING:
    from recommender.exports.folder import Exported


@click.command(
    "export",
    epilog="Example: recommender export latest my-model",
)
@click.argument("run", shell_complete=completers.runs)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def command(run: str, folder: Path) -> None:
    """Write the choice of RUN to the new folder DIR: weights, tokenizer, labels, scripts, card.

    RUN is 'latest', the newest that has a choice, or the first digits of a run's id ('recommender
    report --list'). What runs is what was measured: the chosen recipe, its preprocessing, and your
    names of the labels. None of your rows is written.
    """
    from cache.measurements import Measurements
    from recommender.api import home_of
    from recommender.exports.folder import export
    from recommender.runs import stored_run

    home = home_of(None)
    with Measurements(home.measurements) as store:
        found = stored_run(store, run, chosen=True)
    click.echo(f"{found.sentence}\n{_text(export(found.result, folder), folder)}")


def _text(written: "Exported", folder: Path) -> str:
    from recommender.reports.table import clean

    width = max(len(name) for name, _ in written.files)
    total_mb = sum(n_bytes for _, n_bytes in written.files) / 1e6
    lines = [f"{clean(written.name)}: {len(written.files)} files, {total_mb:,.3g} MB in {folder}"]
    lines += [f"  {name:<{width}}  {_size(n_bytes):>9}" for name, n_bytes in written.files]
    lines += [f"warning: {warning}" for warning in written.warnings]
    kind = "nothing of recommender" if written.script.is_plain else "recommender"
    lines += [
        "",
        f"It needs {kind} and the libraries in requirements.txt. Next:",
        "",
        f"    cd {shlex.quote(str(folder))}",
        "    pip install -r requirements.txt",
        f"    python predict.py {written.script.usage.example}",
    ]
    return "\n".join(lines)


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.2f} MB" if n_bytes >= 100_000 else f"{n_bytes / 1e3:,.1f} kB"
