"""`recommender find`: the smallest model that meets the requirements."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recommender.choices import MODES, SAMPLERS
from recommender.cli import completers
from recommender.cli.options import (
    candidate_options,
    data_options,
    evidence_options,
    examples_option,
    metric_options,
    output_options,
    parse_label_map,
    show,
    typed_command,
)

if TYPE_CHECKING:
    from recommender.recommendation import Recommendation

EXIT_NONE_SUFFICIENT = 3
EXIT_BUDGET = 5
EXIT_SIGNALS = {"interrupted": 130, "terminated": 143}


@click.command(
    "find",
    epilog='Example: recommender find reviews.csv --require "accuracy >= 0.90" '
    '--require "latency_p95_ms <= 20"',
)
@data_options
@click.option(
    "-r",
    "--require",
    multiple=True,
    metavar="BOUND",
    help='What is asked, as in "accuracy >= 0.90", "accuracy within 0.02 of baseline", '
    '"recall[urgent] >= 0.95", "accuracy[lang=de] >= 0.85", "size_mb <= 50", '
    '"license in mit,apache-2.0". Repeatable; all must hold.',
)
@click.option(
    "--baseline",
    metavar="MODEL",
    shell_complete=completers.models,
    help="The model, as it is in fp32, that 'baseline' means. Not in the open mode.",
)
@click.option(
    "--minimize",
    default="size_mb",
    show_default=True,
    metavar="COST",
    help="The cost that the answer has least of.",
)
@click.option(
    "--sampler",
    type=click.Choice(SAMPLERS),
    default="cheapest",
    show_default=True,
    help="Who proposes the next candidate; the others are there for comparison.",
)
@click.option(
    "--mode",
    type=click.Choice(MODES),
    default="auto",
    show_default=True,
    help="pool: test on all rows; open: screen on a fifth, certify on the rest, and the rows "
    "answer this one question only; auto: open only where a metric has no exact test.",
)
@click.option(
    "--explore",
    default=0,
    show_default=True,
    metavar="N",
    help="After the answer, also run the next N larger models: what more size would buy.",
)
@click.option(
    "--dry-run", is_flag=True, help="Show the plan: candidates, bytes, who is left out and why."
)
@metric_options
@evidence_options
@candidate_options
@examples_option
@output_options
def command(
    data: str,
    dry_run: bool,
    form: str | None,
    output: Path | None,
    quiet: bool,
    verbose: bool,
    label_map: str | None,
    metrics: tuple[str, ...],
    metric_files: tuple[str, ...],
    **asked: Any,  # click hands the options of `find` over by name
) -> int:
    """Find the smallest pretrained model that meets your requirements on the labelled rows in DATA.

    DATA is a file (csv, tsv, jsonl, json, parquet, arrow, Excel, CoNLL, SQuAD, COCO), a folder of
    images or sounds, `-` for standard input, or the id of a data set on the Hub.

    Exit codes: 0 a sufficient model was found, 1 something outside failed (such as the network),
    2 wrong use or bad data, 3 none was shown to be sufficient, 4 a named model needs access, 5 a
    budget ended before an answer, 130 or 143 interrupted.
    """
    from recommender.api import find, plan

    mapped = parse_label_map(label_map)
    asked["metrics"] = (*metrics, *metric_files)
    if dry_run:
        budgets = ("time_limit_s", "explore", "with_examples")
        wanted = {name: value for name, value in asked.items() if name not in budgets}
        show(
            plan(data, label_map=mapped, progress=not quiet, **wanted),
            form,
            output,
            verbose=verbose,
        )
        return 0
    found = find(data, label_map=mapped, progress=not quiet, command=typed_command(), **asked)
    show(found, form, output, verbose=verbose)
    return exit_code(found)


def exit_code(found: "Recommendation") -> int:
    """The exit code that a pipeline can act on."""
    if found.ended in EXIT_SIGNALS:
        return EXIT_SIGNALS[found.ended]
    if found.choice is not None:
        return 0
    return EXIT_NONE_SUFFICIENT if found.ended == "complete" else EXIT_BUDGET
