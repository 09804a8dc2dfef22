"""`recommender data`: what was understood of a data set, before anything is searched."""

import shlex
import sys
from collections.abc import Mapping
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import click

from recommender.cli import completers
from recommender.cli.options import format_option, rows_options

if TYPE_CHECKING:
    from evaluators.reading.profile import Profile
    from evaluators.reading.splits import Splits
    from evaluators.samples import Samples

WIDTH = 80
INDENT = 15
SHOWN_CLASSES = 12
SHOWN_ROWS = 3
BAR = 24
LEAST_LANGUAGE = 0.05
MOST_ROWS = 100_000


@click.command(
    "data",
    epilog="Example: recommender data reviews.csv",
)
@click.argument("source", metavar="FILE", shell_complete=completers.files)
@rows_options
@click.option("--group", metavar="COLUMN", help="Rows of one value are one draw and not several.")
@click.option(
    "--max-rows",
    default=MOST_ROWS,
    show_default=True,
    type=click.IntRange(min=2),
    metavar="N",
    help="Draw that many rows of a larger source, labels in proportion.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of that draw.")
@click.option(
    "--target",
    default=0.9,
    show_default=True,
    type=click.FloatRange(0, 1, True, True),
    help="The quality that the last sentence is about.",
)
@click.option(
    "--candidates",
    default=50,
    show_default=True,
    type=click.IntRange(min=1),
    metavar="N",
    help="The candidates that the last sentence is about.",
)
@click.option(
    "--confidence",
    default=0.95,
    show_default=True,
    type=click.FloatRange(0, 1, True, True),
    help="The confidence that the last sentence is about.",
)
@format_option
def command(form: str, target: float, candidates: int, confidence: float, **asked: Any) -> int:
    """Show what is understood of FILE: task, columns, classes, lengths, repeats, languages.

    FILE is a file (csv, tsv, jsonl, json, parquet, arrow, Excel, CoNLL, SQuAD, COCO), a folder of
    images or sounds, `-` for standard input, or the id of a data set on the Hub. Some rows are
    shown on a terminal only. The last sentence says what a search with these rows can prove.
    """  # fmt: skip
    import json

    samples, splits = _read(**asked)
    proves = _resolution(samples, target, candidates, 1 - confidence)
    found = _profile(samples)
    search = _search(samples, target, **asked)
    if form == "json":
        told = {**_to_dict(samples, splits, found, proves), "search": search}
        click.echo(json.dumps(told, indent=2))
        return 0
    click.echo(_text(samples, splits, found, proves, rows=sys.stdout.isatty()))
    if samples.dataset is not None:
        click.echo(f"\nsearch with:\n  {search}")
    return 0


def _read(source: str, task: str | None, **asked: Any) -> "tuple[Samples, Splits | None]":
    from evaluators.reading.shapes import shape_of
    from evaluators.reading.source import splits_of
    from evaluators.samples import read_samples
    from recommender.api import home_of

    shape = shape_of(task) if task else None
    files = home_of(None).files
    samples = read_samples(source, shape=shape, files=files, **asked)
    return samples, splits_of(source)


def _search(
    samples: "Samples", target: float, *, source: str, columns: Mapping[str, tuple[str, ...]],
    max_rows: int, seed: int, **named: str | None,
) -> str:  # fmt: skip
    """The command that searches with these rows; what was guessed here is guessed there."""
    from evaluators.quality.tasks import default_metric, metric_for
    from evaluators.reading.shapes import Kind

    several = samples.truth in (Kind.LABELS, Kind.FLAGS)
    metric = default_metric(samples.task, multi_label=several)
    rises = metric_for(samples.task, metric, multi_label=several).higher_is_better
    bound = f"{metric} >= {target:g}" if rises else f"{metric} <= {1 - target:g}"
    given = [["recommender", "find", source]]
    given += [[f"--{name}", value] for name, value in named.items() if value is not None]
    given += [["--column", f"{role}={','.join(names)}"] for role, names in columns.items()]
    given += [["--require", bound]]
    return " ".join(map(shlex.join, given))


def _profile(samples: "Samples") -> "Profile":
    from evaluators.reading.profile import profile_of

    return profile_of(samples)


def _resolution(samples: "Samples", target: float, candidates: int, delta: float) -> str:
    """What a search with these rows proves, for a quality that is right or wrong on each unit."""
    from evaluators.reading.shapes import Kind
    from evaluators.units import units_of
    from recommender.evidence.ledger import Reserves
    from recommender.evidence.planner import resolution_sentence

    n = units_of(samples).n
    level = delta * Reserves().pool / candidates
    units = "rows" if n == samples.n else "units"
    quality = "accuracy" if samples.truth is Kind.LABEL else ""
    said = resolution_sentence(
        n, candidates, target=target, level=level, units=units, quality=quality
    )
    return said if quality else f"{said}, where each row is right or wrong"


def _to_dict(
    samples: "Samples", splits: "Splits | None", found: "Profile", proves: str
) -> dict[str, object]:
    return {
        "name": samples.name,
        "task": samples.task,
        "columns": {role: list(names) for role, names in samples.columns},
        "dataset": samples.dataset,
        "revision": samples.revision,
        "split": samples.split,
        "other_splits": _others(samples, splits),
        "notes": list(samples.notes),
        **found.to_dict(),
        "resolution": proves,
    }


def _others(samples: "Samples", splits: "Splits | None") -> list[str]:
    """The splits for training and calibration."""
    return [name for name in (splits.others if splits else ()) if name != samples.split]


def _text(
    samples: "Samples", splits: "Splits | None", found: "Profile", proves: str, *, rows: bool
) -> str:
    """Everything in lines of at most 80 characters."""
    parts = [
        _line("task", _task(samples)),
        _line("columns", _columns(samples)),
        _line("splits", _splits(samples, splits)),
        *_classes(found),
        _line("length", _lengths(found)),
        _line("repeats", _repeats(samples, found)),
        _line("contradictions", _contradictions(found)),
        _line("languages", _languages(found)),
        *(_line("note", note) for note in _other_notes(samples)),
        _line("evidence", proves[:1].upper() + proves[1:] + "."),
    ]
    if rows:
        parts += ["", *_rows(samples)]
    title = f"{samples.name}: {samples.n:,} rows"
    return "\n".join([_clean(title), "", *(part for part in parts if part is not None)])


def _clean(text: str) -> str:
    from recommender.reports.table import clean

    return clean(text)


def _line(title: str, text: str) -> str | None:
    """A title and its text, wrapped; None where there is nothing to say."""
    if not text:
        return None
    cut = wrap(_clean(text), WIDTH - INDENT, break_on_hyphens=False)
    return "\n".join(f"{title if not at else '':{INDENT}}{line}" for at, line in enumerate(cut))


def _task(samples: "Samples") -> str:
    said = next((note for note in samples.notes if note.startswith("task: ")), "")
    guess = f"{said.removeprefix('task: ')}; --task takes another"
    return guess if said else f"{samples.task}, as given"


def _columns(samples: "Samples") -> str:
    return "; ".join(f"{role} = {', '.join(names)}" for role, names in samples.columns)


def _splits(samples: "Samples", splits: "Splits | None") -> str:
    if splits is None:
        return ""
    others = ", ".join(_others(samples, splits)) or "none"
    said = f"{samples.split} is evidence; left for training and calibration: {others}"
    lacking = ", ".join(splits.unlabelled)
    return f"{said}; without labels: {lacking}" if lacking else said


def _classes(found: "Profile") -> list[str | None]:
    """The most frequent classes with counts, shares and bars; the others as a number."""
    if not found.classes:
        return []
    total = sum(count for _, count in found.classes)
    most = found.classes[0][1]
    shown = found.classes[:SHOWN_CLASSES]
    width = min(26, max(len(_clean(name)) for name, _ in shown))
    lines: list[str | None] = []
    for at, (name, count) in enumerate(shown):
        bar = "#" * max(1, round(BAR * count / most))
        title = f"{len(found.classes):,} classes" if not at else ""
        label = _short(name, width)
        lines.append(
            f"{title:{INDENT}}{label:{width}} {count:>8,} {count / total:>6.1%} {bar}".rstrip()
        )
    n_more = len(found.classes) - len(shown)
    if n_more:
        rest = sum(count for _, count in found.classes[SHOWN_CLASSES:])
        low = found.classes[-1][1]
        lines.append(_line("", f"and {n_more:,} more with {rest:,}, the rarest with {low:,}"))
    return lines


def _short(text: str, width: int) -> str:
    bare = " ".join(_clean(text.replace("\n", " ")).split())
    return bare if len(bare) <= width else f"{bare[: width - 3]}..."


def _lengths(found: "Profile") -> str:
    names = {5: "5 % up to", 50: "half up to", 95: "95 % up to", 100: "the longest"}
    parts = [f"{names[percent]} {length:,}" for percent, length in found.lengths]
    return f"{found.unit}: {', '.join(parts)}"


def _repeats(samples: "Samples", found: "Profile") -> str:
    from evaluators.reading.shapes import shape_of

    nouns = shape_of(samples.task).nouns
    if found.n_distinct == found.n_rows:
        return f"none: all {nouns} differ"
    return f"{found.n_rows - found.n_distinct:,} rows repeat one of {found.n_distinct:,} {nouns}"


def _contradictions(found: "Profile") -> str:
    if found.ceiling is None:
        return ""
    if not found.n_torn:
        return "none"
    inputs = "1 input carries" if found.n_torn == 1 else f"{found.n_torn:,} inputs carry"
    return f"{inputs} two or more labels: no model can exceed an accuracy of {found.ceiling:.4f}"


def _languages(found: "Profile") -> str:
    named = [(code, share) for code, share in found.languages if share >= LEAST_LANGUAGE]
    rest = 1 - sum(share for _, share in named)
    parts = [f"{code} {share:.0%}" for code, share in named]
    parts += [f"others {rest:.0%}"] if named and rest >= 0.005 else []
    return f"{', '.join(parts)} of {found.n_language_texts:,} texts" if parts else ""


SAID_ELSEWHERE = ("task:", "columns:", "split:", "repeated ", "contradictions:")


def _other_notes(samples: "Samples") -> list[str]:
    return [note for note in samples.notes if not note.startswith(SAID_ELSEWHERE)]


def _rows(samples: "Samples") -> list[str]:
    """A few rows from the whole range, each in one line for the input and one for the truth."""
    step = max(1, samples.n // SHOWN_ROWS)
    lines = []
    for row in samples.rows[::step][:SHOWN_ROWS]:
        shown = row.file if row.file else row.text
        lines.append(f"  {_short(shown, WIDTH - 2)}")
        lines.append(f"    -> {_short(row.label, WIDTH - 7)}")
    return lines
