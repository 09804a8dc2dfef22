"""The options that several commands share."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from cache.errors import BadInput
from recommender.choices import DUPLICATES
from recommender.cli import completers

Command = TypeVar("Command", bound=Callable[..., Any])

SUFFIXES = {
    ".txt": "text",
    ".html": "html",
    ".md": "md",
    ".json": "json",
    ".csv": "csv",
    ".svg": "svg",
    ".png": "png",
}
FORMATS = tuple(SUFFIXES.values())


def options(*given: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several click options as one decorator, in the order given."""

    def decorate(command: Command) -> Command:
        for option in reversed(given):
            command = option(command)
        return command

    return decorate


def _megabytes(context: click.Context, option: click.Parameter, given: str | None) -> float | None:
    """A size in MB; a bare number is one."""
    if given is None:
        return None
    from recommender.amounts import parse_bytes

    try:
        size_mb = float(given)
    except ValueError:
        return parse_bytes(given) / 1e6
    return _limit(context, option, size_mb)


def _limit(context: click.Context, option: click.Parameter, given: float | None) -> float | None:
    """A limit of at least 0; BadInput for less, and for NaN, also where it is not used."""
    if given is None or given >= 0:
        return given
    raise BadInput(f"{option.opts[0]} is {given:g}; give 0 or more, or leave it out for no limit")


def _columns(
    context: click.Context, option: click.Parameter, given: tuple[str, ...]
) -> dict[str, tuple[str, ...]]:
    """The columns by role; `label=a,b` names two."""
    pairs = _pairs(given, "--column", "ROLE=COLUMN; write for example context=passage")
    return {role: tuple(name.strip() for name in names.split(",")) for role, names in pairs.items()}


def _task_options(
    context: click.Context, option: click.Parameter, given: tuple[str, ...]
) -> dict[str, Any]:
    """The settings by name; values are JSON where they can be read as such, else text."""
    pairs = _pairs(given, "--task-option", "NAME=VALUE; write for example target_language=de")
    return {name: _value(text) for name, text in pairs.items()}


def _value(text: str) -> Any:
    import json

    try:
        return json.loads(text)
    except ValueError:
        return text


def _pairs(given: tuple[str, ...], option: str, form: str) -> dict[str, str]:
    """What stands before and behind the first `=`."""
    found = {}
    for text in given:
        name, _, value = (part.strip() for part in text.partition("="))
        if not (name and value):
            raise BadInput(f"{option} {text!r} is no {form}")
        found[name] = value
    return found


format_option = click.option(
    "--format",
    "form",
    type=click.Choice(("text", "json")),
    default="text",
    show_default=True,
    help="Output format.",
)

rows_options = options(
    click.option(
        "--task",
        metavar="TASK",
        shell_complete=completers.tasks,
        help="What must be done: a Hub pipeline tag. Guessed by default, and said.",
    ),
    click.option(
        "--text", metavar="COLUMN", help="The column with the texts. Guessed by default, and said."
    ),
    click.option(
        "--label",
        metavar="COLUMN",
        help="The column with the labels. Guessed by default, and said.",
    ),
    click.option(
        "--column",
        "columns",
        multiple=True,
        metavar="ROLE=COLUMN",
        callback=_columns,
        help="The column of another role, as in 'context=passage'; several with commas. "
        "Repeatable.",
    ),
    click.option(
        "--split",
        metavar="SPLIT",
        help="The split, as in 'test[:500]' of a Hub data set, or the sheet of a workbook.",
    ),
)

data_options = options(
    click.argument("data", shell_complete=completers.files),
    rows_options,
    click.option(
        "--label-map",
        metavar="DATA=MODEL,...",
        help="Names of the models' labels for yours, as in '0=negative,1=positive'.",
    ),
    click.option(
        "--partial",
        is_flag=True,
        help="Let in models that lack some of your labels; rows of those count as wrong.",
    ),
)

candidate_options = options(
    click.option(
        "--task-option",
        "task_options",
        multiple=True,
        metavar="NAME=VALUE",
        callback=_task_options,
        help="A setting of the task, as in 'target_language=de'. Repeatable.",
    ),
    click.option(
        "--model",
        "models",
        multiple=True,
        metavar="ID[@REV]",
        shell_complete=completers.models,
        help="Look at this model only. Repeatable.",
    ),
    click.option(
        "--source",
        "sources",
        multiple=True,
        default=("hub",),
        show_default=True,
        metavar="hub|folder:PATH",
        shell_complete=completers.sources,
        help="Where models are listed. Repeatable.",
    ),
    click.option(
        "--backend",
        "backends",
        multiple=True,
        metavar="NAME",
        shell_complete=completers.backends,
        help="Only this runtime: torch, onnxruntime, openvino. Repeatable.",
    ),
    click.option(
        "--max-candidates",
        default=50,
        show_default=True,
        metavar="N",
        help="At most this many models, the most promising by their metadata.",
    ),
    click.option(
        "--commercial",
        is_flag=True,
        help="Only models whose licence, and those of their base models, allow to earn money.",
    ),
    click.option(
        "--allow-unknown-license",
        is_flag=True,
        help="Let an unknown licence pass --commercial and a list of licences.",
    ),
    click.option(
        "--positive", metavar="LABEL", help="The positive label of f1, precision and recall."
    ),
    click.option(
        "--threads",
        default=1,
        show_default=True,
        metavar="N",
        help="Threads that a candidate may use.",
    ),
    click.option(
        "--time-limit",
        "time_limit_s",
        type=float,
        callback=_limit,
        metavar="SECONDS",
        help="Stop after this long and answer from what is known.",
    ),
    click.option(
        "--max-download",
        "max_download_mb",
        callback=_megabytes,
        metavar="SIZE",
        help="Download at most this much, as in 500MB or 2GB; MB without a unit.",
    ),
    click.option(
        "--disk-budget",
        "disk_budget_mb",
        envvar="RECOMMENDER_DISK_BUDGET",
        callback=_megabytes,
        metavar="SIZE",
        help="Keep what searches downloaded below this, removing what was used least recently.",
    ),
)

metric_options = options(
    click.option(
        "--metric",
        "metrics",
        multiple=True,
        metavar="NAME",
        shell_complete=completers.metrics,
        help="Measure this quality too: a metric's name, or OWNER/NAME of one on the Hub, which is "
        "somebody's code. Repeatable.",
    ),
    click.option(
        "--metric-file",
        "metric_files",
        multiple=True,
        metavar="FILE.py:FUNCTION",
        shell_complete=completers.files,
        help="A metric of your own, which --require can name then: a function, or the path of a "
        "module of evaluate. NAME=FILE.py:FUNCTION calls it so. Repeatable.",
    ),
    click.option(
        "--allow-metric-code",
        is_flag=True,
        help="Run the code of metrics from the Hub, in a process without network and token.",
    ),
)

evidence_options = options(
    click.option(
        "--confidence",
        default=0.95,
        show_default=True,
        help="How sure 'sufficient' must be, over all candidates together.",
    ),
    click.option(
        "--seed", default=0, show_default=True, help="Seed of the one random order of the rows."
    ),
    click.option(
        "--duplicates",
        type=click.Choice(DUPLICATES),
        default="drop",
        show_default=True,
        help="drop: distinct texts, each counting once; keep: rows as they come, repeats included.",
    ),
    click.option(
        "--group",
        metavar="COLUMN",
        help="Rows of one value, such as a customer, are one draw and not several.",
    ),
)

examples_option = click.option(
    "--with-examples",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Show at most N rows that the answer gets wrong, with their texts. None by default.",
)

output_options = options(
    click.option(
        "--format",
        "form",
        type=click.Choice(FORMATS),
        help="Output format; text by default, or by the suffix of -o.",
    ),
    click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Write here instead of stdout.",
    ),
    click.option("-q", "--quiet", is_flag=True, help="No progress on stderr."),
    click.option(
        "-v",
        "--verbose",
        is_flag=True,
        help="Every candidate in the text output, and how it ended.",
    ),
)


def parse_label_map(text: str | None) -> dict[str, str]:
    """`0=negative,1=positive` as a dict; BadInput for anything else."""
    if not text:
        return {}
    pairs = [pair.partition("=") for pair in text.split(",")]
    if not all(equals and left.strip() and right.strip() for left, equals, right in pairs):
        raise BadInput(f"'{text}' is no label map; write for example '0=negative,1=positive'")
    return {left.strip(): right.strip() for left, _, right in pairs}


def typed_command() -> str:
    """The command line as it can be typed again."""
    import shlex

    return shlex.join(["recommender", *sys.argv[1:]])


def format_of(form: str | None, output: Path | None) -> str:
    """The named format, else that of the file's suffix, else text; BadInput for another suffix."""
    if form or output is None or not output.suffix:
        return form or "text"
    found = SUFFIXES.get(output.suffix.lower())
    if found is None:
        known = ", ".join(SUFFIXES)
        raise BadInput(f"'{output.suffix}' of {output} is no format; use {known}, or --format")
    return found


def show(result: Any, form: str | None, output: Path | None, *, verbose: bool = False) -> None:
    """Render a result to stdout, or whole or not at all to a file."""
    from recommender.plugins import plugin

    chosen = format_of(form, output)
    wide = verbose or output is not None
    rendered: str | bytes = plugin("reports", chosen)(result, verbose=wide)
    if output is None:
        _echo(rendered, is_text=chosen == "text")
        return
    from recommender.reports.files import write_whole

    write_whole(output, rendered)
    click.echo(f"wrote {output}", err=True)


def _echo(rendered: str | bytes, *, is_text: bool) -> None:
    """To stdout; text with colours where these are wanted."""
    from recommender.cli.colours import painted, wanted

    if isinstance(rendered, bytes):
        if sys.stdout.isatty():
            raise BadInput("a picture is no text for a terminal; name a file with -o FILE")
        click.echo(rendered, nl=False)
        return
    coloured = is_text and wanted(sys.stdout, os.environ)
    text = painted(rendered) if coloured else rendered
    encoding = sys.stdout.encoding or "utf-8"
    text = text.encode(encoding, "replace").decode(encoding)
    click.echo(text, nl=not text.endswith("\n"), color=coloured)
