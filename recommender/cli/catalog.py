"""`recommender catalog`: what exists, as far as it was crawled."""

from collections.abc import Sequence
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cache.errors import BadInput
from recommender.cli import completers
from recommender.cli.catalog_options import (
    filter_options,
    names,
    page_options,
    parameter_options,
    selection_of,
    slice_filters,
    sources_option,
)
from recommender.cli.options import format_option

if TYPE_CHECKING:
    from catalog.crawl import Crawled
    from catalog.model import Model
    from catalog.select import Selection
    from catalog.store import Catalog

CRAWL_LIMIT = 200
FILE = click.Path(path_type=Path, dir_okay=False)


@click.group(
    "catalog",
    epilog="Example: recommender catalog crawl --source folder:models",
)
def command() -> None:
    """List, show and refresh what is known of models without their weights."""


@command.command("crawl", epilog="Example: recommender catalog crawl --task all --all")
@click.option(
    "--task",
    "tasks",
    multiple=True,
    default=("text-classification",),
    show_default=True,
    shell_complete=completers.tasks,
    help="A Hub pipeline tag, or 'all'. Repeatable.",
)
@click.option(
    "--source",
    "sources",
    multiple=True,
    default=("hub",),
    show_default=True,
    metavar="hub|folder:PATH|snapshot:FILE",
    help="Where to list. Repeatable.",
)
@click.option("--language", metavar="CODE", help="Only models of this language, as de.")
@click.option("--license", metavar="NAME", help="Only models under this licence, as apache-2.0.")
@click.option("--author", metavar="NAME", help="Only models of this user or organisation.")
@parameter_options
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"At most this many models a task, by downloads.  [default: {CRAWL_LIMIT}]",
)
@click.option("--all", "everything", is_flag=True, help="No limit: list to the end.")
@click.option(
    "--since",
    metavar="DATE",
    help="Only what changed since then, as 2026-01-31.",
)
@click.option(
    "--max-requests",
    type=click.IntRange(min=1),
    metavar="N",
    help="Stop after so many requests; the same command goes on later.",
)
@click.option(
    "--time-limit",
    "time_limit_s",
    type=float,
    metavar="SECONDS",
    help="Stop after this long; the same command goes on later.",
)
@click.option("--fresh", is_flag=True, help="Start anew, in place of going on or renewing.")
@click.option(
    "--progress",
    "form",
    type=click.Choice(("text", "json")),
    default="text",
    show_default=True,
    help="How progress is told on stderr: for people, or one JSON object a line.",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
def crawl_command(
    tasks: tuple[str, ...],
    sources: tuple[str, ...],
    limit: int | None,
    everything: bool,
    since: str | None,
    max_requests: int | None,
    time_limit_s: float | None,
    fresh: bool,
    form: str,
    quiet: bool,
    **filters: Any,  # click hands the parts of a slice over by name
) -> int:
    """List the models of a task, with what a listing tells of them.

    A crawl that was cut short goes on where it stopped; one that came to its end asks only for
    what changed since, and does not learn what was deleted: that takes --fresh. Label names and
    files are asked for later, for the models that a search looks at.
    """
    import time

    from catalog.crawl import crawl
    from catalog.select import Selection
    from recommender.api import home_of
    from recommender.cli.crawl_progress import CrawlShown
    from recommender.planning import Shelf

    if everything and limit is not None:
        raise BadInput("--all and --limit exclude each other; leave one out")
    started_at = time.monotonic()
    with (
        closing(CrawlShown("none" if quiet else form)) as shown,
        Shelf.open(home_of(None), sources, say=shown.say) as shelf,
    ):
        for source, task in product(shelf.sources.values(), names(tasks)):
            named = f"{source.name} {task}"
            left_s = _left_s(time_limit_s, time.monotonic() - started_at)
            shown.begin(named)
            done = crawl(
                source,
                shelf.catalog,
                task=None if task == "all" else task,
                filters=slice_filters(filters),
                limit=None if everything else limit or CRAWL_LIMIT,
                since=since,
                max_requests=max_requests,
                time_limit_s=left_s,
                fresh=fresh,
                progress=shown,
            )
            shown.close()
            known = Selection(task=done.slice.get("task"), sources=(source.name,))
            click.echo(f"{named}: {_done(done, shelf.catalog.count(known))}")
    return 0


def _left_s(limit_s: float | None, elapsed_s: float) -> float | None:
    """What the next crawl has of the command's time: a moment, for a page, where it is over."""
    if limit_s is None or limit_s <= 0:
        return limit_s
    return max(limit_s - elapsed_s, 0.001)


def _done(done: "Crawled", n_known: int) -> str:
    from recommender.cli.crawl_progress import counted

    parts = [counted(done.n_models, "model"), f"{done.n_refused:,} refused"]
    parts += [f"{done.n_gone:,} gone"] if done.n_gone else []
    if done.since:
        last = f"last done {done.last_whole}" if done.last_whole else "never done"
        parts.append(f"changes only: what was deleted is seen with --fresh, {last}")
    parts += [] if done.is_finished else ["not yet at the end: run the same command to go on"]
    if not n_known:
        parts.append("and none is known; check the task's name at https://huggingface.co/tasks")
    return ", ".join(parts)


@command.command(
    "list",
    epilog="Example: recommender catalog list --task text-classification --language de "
    "--license apache-2.0,mit --max-size 100MB --labels positive,negative",
)
@filter_options
@page_options
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "json", "csv")),
    default="text",
    show_default=True,
    help="Output format.",
)
def list_command(form: str, **asked: Any) -> int:  # Any: click's options by name
    """List known models, the most downloaded first.

    A filter leaves out the models of which the catalog does not know the answer yet.
    """
    from recommender.cli.catalog_table import as_csv, as_json, summary, table, width_of_output

    selection = selection_of(asked)
    _read_again(selection)
    with _catalog() as catalog:
        models = catalog.select(selection)
        if form == "text":
            lines = table(models, width_of_output()) if models else []
            click.echo("\n".join([*lines, _footer(catalog, selection, models)]))
    if form == "json":
        click.echo(as_json([summary(model) for model in models]))
    if form == "csv":
        click.echo(as_csv(models), nl=False)
    return 0


@command.command("show", epilog="Example: recommender catalog show distilbert/my-model")
@click.argument("model_id", metavar="MODEL[@REV]", shell_complete=completers.models)
@sources_option
def show_command(model_id: str, sources: tuple[str, ...]) -> int:
    """Show all that is known of one model, as JSON."""
    from dataclasses import asdict

    from recommender.cli.catalog_table import as_json, summary

    name, _, revision = model_id.partition("@")
    with _catalog() as catalog:
        model = catalog.get(name, revision=revision or None, sources=list(sources))
    click.echo(as_json({**summary(model), **asdict(model)}))
    return 0


@command.command("stats", epilog="Example: recommender catalog stats")
def stats_command() -> int:
    """Count what is known, by task, source and licence."""
    from dataclasses import asdict

    from recommender.cli.catalog_table import as_json

    with _catalog() as catalog:
        click.echo(as_json(asdict(catalog.stats())))
    return 0


@command.command("refused", epilog="Example: recommender catalog refused --format json")
@sources_option
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    metavar="N",
    help="At most this many rows.",
)
@format_option
def refused_command(sources: tuple[str, ...], limit: int, form: str) -> int:
    """Show what was listed but could not be read, and why."""
    from collections import Counter
    from dataclasses import asdict

    from recommender.cli.catalog_table import as_json
    from recommender.reports.table import clean

    with _catalog() as catalog:
        refusals = catalog.refusals(sources=list(sources))
    if form == "json":
        click.echo(as_json([asdict(refusal) for refusal in refusals[:limit]]))
        return 0
    for refusal in refusals[:limit]:
        click.echo(clean(f"{refusal.id}: {refusal.state}: {refusal.reason}"))
    states = Counter(refusal.state for refusal in refusals)
    counted = ", ".join(f"{n:,} {state}" for state, n in states.most_common())
    click.echo(f"{len(refusals):,} refused" + (f": {counted}" if counted else ""))
    return 0


@command.command(
    "export",
    epilog="Example: recommender catalog export catalog.jsonl.gz --task text-classification",
)
@click.argument("path", metavar="FILE", type=FILE)
@filter_options
def export_command(path: Path, **asked: Any) -> int:  # Any: click's options by name
    """Write the catalog, or the models that are asked for, to one compressed file.

    On a machine without network, `recommender catalog import FILE` reads it, and
    `--source snapshot:FILE` lists it. Private models are left out.
    """
    from catalog.exported import export_catalog
    from recommender.cli.crawl_progress import show_count

    with _catalog() as catalog:
        report = export_catalog(catalog, path, selection=selection_of(asked), progress=show_count)
    click.echo(f"wrote {report.n_models:,} models to {path} ({path.stat().st_size / 1e6:,.3g} MB)")
    click.echo(
        f"{report.n_described:,} of them can be run without network: their files and labels are "
        "known, as of those that a `recommender find --dry-run` here looks at"
    )
    return 0


@command.command("import", epilog="Example: recommender catalog import catalog.jsonl.gz")
@click.argument("path", metavar="FILE", type=FILE)
def import_command(path: Path) -> int:
    """Add an exported file's models to the catalog.

    To run them without network, also copy the Hub's cache (the folder HF_HOME), and set
    HF_HUB_OFFLINE=1.
    """
    from catalog.exported import import_catalog
    from recommender.cli.crawl_progress import show_count
    from recommender.reports.table import clean

    with _catalog() as catalog:
        report = import_catalog(catalog, path, progress=show_count)
    for refusal in report.refusals:
        click.echo(clean(f"refused {refusal.id}: {refusal.reason}"), err=True)
    newer = f", {report.n_older:,} known in a newer form" if report.n_older else ""
    click.echo(
        f"{report.n_models:,} models from {clean(report.written_at)}{newer}, "
        f"{report.n_refused:,} refused"
    )
    return 0


def _read_again(selection: "Selection") -> None:
    """Reads the exported files that a selection names, where they are not those that were read."""
    snapshots = [name for name in selection.sources if name.startswith("snapshot:")]
    if not snapshots:
        return
    from recommender.api import home_of
    from recommender.planning import Shelf

    with Shelf.open(home_of(None), snapshots) as shelf:
        shelf.renew(selection.task, lambda line: click.echo(line, err=True))


def _footer(catalog: "Catalog", selection: "Selection", models: Sequence["Model"]) -> str:
    """How many there are below those that are shown, and what is not known of these."""
    n_matched = catalog.count(selection)
    if not n_matched:
        n_known = catalog.stats().n_models
        return f"none of {n_known:,} models matches; list more with: recommender catalog crawl"
    n_unknown = sum(not model.labels for model in models)
    shown = "" if len(models) == n_matched else f", {len(models):,} shown"
    unknown = f"; labels not known yet: {n_unknown:,}" if n_unknown else ""
    return f"{n_matched:,} models match{shown}{unknown}"


def _catalog() -> "Catalog":
    from catalog.store import Catalog
    from recommender.api import home_of

    return Catalog(home_of(None).catalog)
