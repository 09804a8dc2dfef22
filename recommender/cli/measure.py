"""`recommender measure`: figures without a requirement."""

from pathlib import Path
from typing import Any

import click

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


@click.command(
    "measure",
    epilog="Example: recommender measure reviews.csv --model distilbert/my-model",
)
@data_options
@metric_options
@evidence_options
@candidate_options
@examples_option
@output_options
def command(
    form: str | None,
    output: Path | None,
    quiet: bool,
    verbose: bool,
    label_map: str | None,
    metrics: tuple[str, ...],
    metric_files: tuple[str, ...],
    data: str,
    **asked: Any,  # click hands the options of `measure` over by name
) -> int:
    """Measure every candidate on every row of DATA: quality, size, latency and memory.

    DATA is what 'recommender find' takes. This uses the labels: on them, 'find' can later certify
    no other candidates than these. The options on confidence, seed, duplicates and group are fixed
    by it too.
    """
    from recommender.api import measure
    from recommender.cli.find import EXIT_BUDGET, EXIT_SIGNALS

    found = measure(
        data,
        metrics=(*metrics, *metric_files),
        label_map=parse_label_map(label_map),
        progress=not quiet,
        command=typed_command(),
        **asked,
    )
    show(found, form, output, verbose=True)
    if found.ended in EXIT_SIGNALS:
        return EXIT_SIGNALS[found.ended]
    return 0 if found.ended == "complete" else EXIT_BUDGET
