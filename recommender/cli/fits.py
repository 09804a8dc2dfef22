"""`recommender fits`: whether a model can be run on this machine, before it is downloaded."""

from typing import TYPE_CHECKING

import click

from recommender.cli import completers
from recommender.cli.options import format_option

if TYPE_CHECKING:
    from recommender.fit import Fit, Fits

EXIT_NONE_FITS = 1


@click.command(
    "fits",
    epilog="Example: recommender fits distilbert/my-model",
)
@click.argument("model", shell_complete=completers.models)
@click.option(
    "--task",
    default="text-classification",
    show_default=True,
    shell_complete=completers.tasks,
    help="What must be done: a Hub pipeline tag.",
)
@click.option(
    "--source",
    "sources",
    multiple=True,
    default=("hub",),
    show_default=True,
    metavar="hub|folder:PATH",
    shell_complete=completers.sources,
    help="Where the model is looked for. Repeatable.",
)
@click.option(
    "--backend",
    "backends",
    multiple=True,
    metavar="NAME",
    shell_complete=completers.backends,
    help="Only this runtime: torch, onnxruntime, openvino. Repeatable.",
)
@format_option
def command(
    model: str, task: str, sources: tuple[str, ...], backends: tuple[str, ...], form: str
) -> int:
    """Predict the memory, the download and the disk that each recipe of MODEL takes here.

    MODEL is an id with an optional @REVISION. Nothing is downloaded but metadata. Figures are in MB
    (10^6 bytes). Exit codes: 0 at least one recipe fits, 1 none does.
    """
    import json

    from recommender.fit import fits

    found = fits(model, task=task, sources=sources, backends=backends)
    if form == "json":
        click.echo(json.dumps(found.to_dict(), indent=2, ensure_ascii=False))
    else:
        click.echo(_text(found))
    return 0 if found.any else EXIT_NONE_FITS


def _text(found: "Fits") -> str:
    from recommender.reports.table import clean

    room = found.room
    lines = [
        f"{found.model}@{found.revision[:8]} from {found.source}",
        f"here: {_mb(room.memory_mb)} of memory, {_mb(room.available_mb)} of it available, "
        f"{_mb(room.disk_free_mb)} of disk free",
    ]
    if found.reason:
        return "\n".join(map(clean, [*lines, f"cannot be run: {found.reason}"]))
    width = max(len(recipe.recipe) for recipe in found.recipes)
    head = f"{'recipe':{width}} weights_mb  peak_memory_mb  download_mb   disk_mb  fits"
    rows = [_row(recipe, width) for recipe in found.recipes]
    return "\n".join(map(clean, [*lines, head, *rows]))


def _row(fit: "Fit", width: int) -> str:
    verdict = "yes" if fit.fits else f"no: {fit.reason}"
    return (
        f"{fit.recipe:{width}} {fit.weights_mb:>10,.1f}  {fit.peak_memory_mb:>14,.0f}  "
        f"{fit.download_mb:>11,.1f}  {fit.disk_mb:>8,.1f}  {verdict}"
    )


def _mb(amount: float | None) -> str:
    return "unknown MB" if amount is None else f"{amount:,.0f} MB"
