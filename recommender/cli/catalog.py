"""`recommender catalog`: what exists, as far as it was crawled."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from catalog.model import Model
    from catalog.store import CatalogStore

sources_option = click.option(
    "--source",
    "sources",
    multiple=True,
    metavar="hub|folder:PATH",
    help="Only models listed there. Repeatable.",
)


@click.group(
    "catalog",
    short_help="Crawl, list and show what exists.",
    epilog="Example: recommender catalog crawl --source folder:models",
)
def command() -> None:
    """List, show and refresh what is known of models without their weights."""


@command.command("crawl", epilog="Example: recommender catalog crawl --limit 500")
@click.option(
    "--task", default="text-classification", show_default=True, help="A Hub pipeline tag."
)
@click.option(
    "--source",
    "sources",
    multiple=True,
    default=("hub",),
    show_default=True,
    metavar="hub|folder:PATH",
    help="Where to list. Repeatable.",
)
@click.option(
    "--limit",
    default=200,
    show_default=True,
    metavar="N",
    help="At most this many models, by downloads.",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
def crawl_command(task: str, sources: tuple[str, ...], limit: int, quiet: bool) -> int:
    """List the models for a task, with all that is known of them without their weights."""
    from catalog.crawl import crawl
    from recommender.api import home_of
    from recommender.planning import Shelf
    from recommender.plugins import plugin
    from recommender.progress import Progress

    plugin("tasks", task)
    with Shelf.open(home_of(None), sources) as shelf, Progress(shown=not quiet) as progress:
        for source in shelf.sources.values():
            progress.say(f"crawling {source.name}")
            done = crawl(source, shelf.catalog, task=task, limit=limit)
            click.echo(f"{source.name}: {done.n_models:,} models, {done.n_refused:,} refused")
    return 0


@command.command("list", epilog="Example: recommender catalog list --limit 20")
@click.option("--task", help="Only models with this Hub pipeline tag.")
@sources_option
@click.option("--limit", default=50, show_default=True, metavar="N", help="At most this many.")
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "json")),
    default="text",
    show_default=True,
    help="Output format.",
)
def list_command(task: str | None, sources: tuple[str, ...], limit: int, form: str) -> int:
    """List known models, the most downloaded first."""
    with _catalog() as catalog:
        models = catalog.models(task=task, sources=list(sources), limit=limit)
    if form == "json":
        click.echo(_json([_summary(model) for model in models]))
        return 0
    click.echo(f"{'model':48} {'parameters':>12} {'download_mb':>12} {'licence':12} labels")
    for model in models:
        parameters = f"{model.n_parameters:,}" if model.n_parameters else "-"
        labels = ", ".join(model.labels[:4]) + (", ..." if len(model.labels) > 4 else "")
        click.echo(
            f"{_clean(model.name):48} {parameters:>12} {model.download_bytes / 1e6:>12.1f} "
            f"{_clean(model.license or 'unknown'):12} {_clean(labels)}"
        )
    return 0


@command.command("show", epilog="Example: recommender catalog show distilbert/my-model")
@click.argument("model_id")
@sources_option
def show_command(model_id: str, sources: tuple[str, ...]) -> int:
    """Show all that is known of one model, as JSON."""
    name, _, revision = model_id.partition("@")
    with _catalog() as catalog:
        model = catalog.get(name, revision=revision or None, sources=list(sources))
    click.echo(_json(_details(model)))
    return 0


@command.command("stats", epilog="Example: recommender catalog stats")
def stats_command() -> int:
    """Count what is known, by task, source and licence."""
    from dataclasses import asdict

    with _catalog() as catalog:
        click.echo(_json(asdict(catalog.stats())))
    return 0


def _catalog() -> "CatalogStore":
    from catalog.store import CatalogStore
    from recommender.api import home_of

    return CatalogStore(home_of(None).catalog)


def _summary(model: "Model") -> dict[str, object]:
    return {
        "id": model.id,
        "revision": model.revision,
        "source": model.source,
        "task": model.task,
        "n_parameters": model.n_parameters,
        "download_mb": model.download_bytes / 1e6,
        "license": model.license,
        "labels": list(model.labels),
        "downloads": model.downloads,
    }


def _details(model: "Model") -> dict[str, object]:
    from dataclasses import asdict

    return {**_summary(model), **asdict(model)}


def _json(value: object) -> str:
    import json

    return json.dumps(value, indent=2, ensure_ascii=False, default=dict)


def _clean(text: str) -> str:
    from recommender.reports.table import clean

    return clean(text)
