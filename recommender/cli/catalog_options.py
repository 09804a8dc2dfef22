"""The options that choose models of the catalog."""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cache.errors import BadInput
from recommender.amounts import parse_bytes, parse_count
from recommender.cli import completers
from recommender.cli.options import options

if TYPE_CHECKING:
    from catalog.select import Selection


def _read(parse: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """A click callback that reads an option's text; BadInput where it cannot."""
    return lambda _context, _parameter, text: None if text is None else parse(text)


def names(given: Sequence[str]) -> tuple[str, ...]:
    """The names of a repeatable option, each perhaps several with commas between; a name that
    holds a comma is written in double quotes. Raises BadInput."""
    try:
        rows = [next(csv.reader([text], skipinitialspace=True, strict=True), []) for text in given]
    except csv.Error as error:
        raise BadInput(
            f"{given[0]!r} is no list of names; write them as a,b or 'a, \"b, c\"'"
        ) from error
    return tuple(dict.fromkeys(name.strip() for row in rows for name in row if name.strip()))


def _many(option: str, name: str, metavar: str, help: str) -> Callable[..., Any]:
    return click.option(option, name, multiple=True, metavar=metavar, help=help)


def _as_stored(source: str) -> str:
    """A source's name as models carry it: with an absolute path."""
    kind, _, place = source.partition(":")
    is_local = kind in ("folder", "snapshot")
    return f"{kind}:{Path(place).expanduser().absolute()}" if is_local else source


sources_option = click.option(
    "--source",
    "sources",
    multiple=True,
    callback=lambda _context, _parameter, given: tuple(map(_as_stored, given)),
    metavar="hub|folder:PATH|snapshot:FILE",
    help="Only models listed there. Repeatable.",
)

parameter_options = options(
    click.option(
        "--min-parameters",
        metavar="N",
        callback=_read(parse_count),
        help="At least so many weights, as 10M.",
    ),
    click.option(
        "--max-parameters",
        metavar="N",
        callback=_read(parse_count),
        help="At most so many weights, as 100M or 1.5B.",
    ),
)

filter_options = options(
    click.option(
        "--task",
        metavar="TASK",
        shell_complete=completers.tasks,
        help="Only models with this Hub pipeline tag.",
    ),
    sources_option,
    _many("--language", "languages", "CODE,...", "In any of these languages, as de,en."),
    _many("--license", "licenses", "NAME,...", "Under any of these licences, as apache-2.0,mit."),
    _many("--author", "authors", "NAME,...", "Of any of these users or organisations."),
    _many("--library", "libraries", "NAME,...", "Of any of these libraries, as transformers."),
    _many(
        "--weights", "formats", "FORMAT,...", "With weights as safetensors, onnx, pickle or gguf."
    ),
    click.option(
        "--max-size",
        "max_bytes",
        metavar="SIZE",
        callback=_read(parse_bytes),
        help="Weights of at most this size, as 100MB, 1.5GB or 200MiB (1 MB = 10^6 bytes).",
    ),
    parameter_options,
    _many("--labels", "labels", "LABEL,...", "That answer with these labels; quote a comma."),
    click.option(
        "--label-match",
        default="normalised",
        show_default=True,
        metavar="HOW",
        help="exact: the very labels; normalised: whatever their case and spelling; superset: "
        "normalised, and perhaps more.",
    ),
    click.option("--search", metavar="WORDS", help="Words in ids, tags, summaries and labels."),
    click.option(
        "--derived-from",
        metavar="ID",
        shell_complete=completers.models,
        help="Tuned, distilled or quantised from it, at any remove.",
    ),
    click.option("--trained-on", metavar="ID", help="Whose card names this data set."),
    click.option("--published-on", metavar="ID", help="With results on this data set in the card."),
    click.option("--gated/--no-gated", default=None, help="Only models that are gated, or not."),
    click.option(
        "--since",
        metavar="DATE",
        help="Only what changed since then, as 2026-01-31.",
    ),
)

page_options = options(
    click.option(
        "--sort",
        metavar="KEY",
        help="downloads, likes, score, newest, parameters, size, id or relevance.  "
        "[default: downloads; with --search relevance]",
    ),
    click.option(
        "--limit",
        type=click.IntRange(min=0),
        default=50,
        show_default=True,
        metavar="N",
        help="At most this many.",
    ),
    click.option(
        "--offset",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        metavar="N",
        help="Leave out so many first.",
    ),
)

LISTS = ("sources", "languages", "licenses", "authors", "libraries", "formats", "labels")


def selection_of(asked: Mapping[str, Any]) -> "Selection":
    """What these options select; without a limit where they have none. Raises BadInput."""
    from catalog.select import Selection

    lists = {name: names(asked[name]) for name in LISTS if name != "sources"}
    by_default = "relevance" if asked["search"] else "downloads"
    return Selection(
        **{**asked, **lists, "sort": asked.get("sort") or by_default, "limit": asked.get("limit")}
    )


def slice_filters(given: Mapping[str, Any]) -> dict[str, str]:
    """The filters of a crawl from its options, sizes as the Hub writes them: `min:10M,max:1B`."""
    bounds = [
        f"{name}:{given[f'{name}_parameters']}"
        for name in ("min", "max")
        if given[f"{name}_parameters"] is not None
    ]
    filters = {"language": given["language"], "license": given["license"]}
    filters |= {"author": given["author"], "parameters": ",".join(bounds)}
    return {name: value for name, value in filters.items() if value}
