"""`recommender plugins`: everything that is installed at each seam."""

import click


@click.command(
    "plugins",
    epilog="Example: recommender plugins",
)
def command() -> int:
    """List the plug-ins: sources, tasks, metrics, backends, recipes and reports."""
    from recommender.plugins import SEAMS, installed

    for seam in SEAMS:
        click.echo(click.style(seam, bold=True))
        for name, point in sorted(installed(seam).items()):
            origin = point.dist.name if point.dist else "unknown"
            click.echo(f"  {name:24} {point.value}  ({origin})")
    return 0
