"""`recommender cache`: where the stores lie, what they hold, and how to make them smaller."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click


@click.group(
    "cache",
    epilog="Example: recommender cache stats",
)
def command() -> None:
    """Look after what is remembered. Model weights stay in the Hub's own cache."""


@command.command("path")
def path() -> int:
    """Print the folder that holds the stores (RECOMMENDER_HOME)."""
    click.echo(_home())
    return 0


@command.command("stats")
def stats() -> int:
    """Print how much is remembered, and how large it is on disk."""
    from cache.measurements import Measurements
    from cache.paths import Home

    home = Home(_home())
    with Measurements(home.measurements) as store:
        for table, n_rows in store.counts().items():
            click.echo(f"{table:14} {n_rows:>10,}")
    for place in (home.catalog, home.measurements, home.studies, home.artifacts):
        click.echo(f"{place.name:16} {_size_mb(place):>8.1f} MB")
    return 0


@command.command("prune", epilog="Example: recommender cache prune --older-than 30 --artifacts")
@click.option(
    "--older-than",
    "days",
    type=click.IntRange(0, 36_500),
    default=90,
    show_default=True,
    metavar="DAYS",
    help="Forget measurements and answers older than this.",
)
@click.option(
    "--artifacts", is_flag=True, help="Also delete built artifacts; they are rebuilt when needed."
)
def prune(days: int, artifacts: bool) -> int:
    """Forget what is old."""
    import shutil

    from cache.measurements import Measurements
    from cache.paths import Home

    home = Home(_home())
    with Measurements(home.measurements) as store:
        dropped = store.forget_older_than(datetime.now(UTC) - timedelta(days=days))
    click.echo(", ".join(f"{n:,} {table}" for table, n in dropped.items()) + " forgotten")
    if artifacts and home.artifacts.exists():
        freed_mb = _size_mb(home.artifacts)
        shutil.rmtree(home.artifacts)
        click.echo(f"{freed_mb:.1f} MB of artifacts deleted")
    return 0


def _home() -> Path:
    from recommender.api import home_of

    return home_of(None).folder


def _size_mb(place: Path) -> float:
    if place.is_file():
        return place.stat().st_size / 1e6
    files = place.rglob("*") if place.exists() else ()
    return sum(f.lstat().st_size for f in files if f.is_file() and not f.is_symlink()) / 1e6
