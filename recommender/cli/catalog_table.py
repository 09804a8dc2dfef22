"""Models of the catalog as people and programs read them: a table, JSON, CSV."""

import csv
import io
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from recommender.amounts import in_short
from recommender.reports.csv import FORMULA_STARTS
from recommender.reports.table import clean
from recommender.reports.widths import columns, shortened

if TYPE_CHECKING:
    from catalog.model import Model

HEADER = ("model", "params", "size_mb", "downl.", "licence", "labels")
RIGHT = frozenset({"params", "size_mb", "downl."})
LEAST = {"model": 28, "params": 6, "size_mb": 7, "downl.": 6, "licence": 10, "labels": 13}
"""Columns of characters on a terminal of 80; what a wider one has more goes to ids, then labels."""

GAP = 2
PLAIN_WIDTH = 80


def width_of_output() -> int | None:
    """Columns of the terminal; None where the output is no terminal, and nothing is shortened."""
    return shutil.get_terminal_size((PLAIN_WIDTH, 24)).columns if sys.stdout.isatty() else None


def table(models: Sequence["Model"], width: int | None) -> list[str]:
    """One line a model below a header; at most `width` wide, ids shortened in the middle."""
    rows = [HEADER, *map(_cells, models)]
    widest = {name: max(columns(row[i]) for row in rows) for i, name in enumerate(HEADER)}
    widths = widest if width is None else _shared(widest, max(width, PLAIN_WIDTH))
    return [
        "  ".join(_fitted(name, cell, widths[name]) for name, cell in zip(HEADER, row, strict=True))
        .rstrip()
        for row in rows
    ]  # fmt: skip


def _cells(model: "Model") -> tuple[str, ...]:
    size = model.weight_bytes
    cells = (
        model.id,
        in_short(model.n_parameters),
        "-" if size is None else f"{size / 1e6:,.1f}" if size < 1e9 else f"{size / 1e6:,.0f}",
        in_short(model.downloads),
        model.license or "unknown",
        ", ".join(model.labels) or "-",
    )
    return tuple(map(clean, cells))


def _shared(widest: Mapping[str, int], width: int) -> dict[str, int]:
    """Each column's width: at first the least, then ids and labels grow to what they need."""
    widths = {name: min(least, widest[name]) for name, least in LEAST.items()}
    for name in ("model", "licence", "labels"):
        left = width - sum(widths.values()) - GAP * (len(HEADER) - 1)
        widths[name] += max(0, min(left, widest[name] - widths[name]))
    return widths


def _fitted(name: str, cell: str, width: int) -> str:
    cut = shortened(cell, width, in_the_middle=name == "model")
    space = " " * (width - columns(cut))
    return space + cut if name in RIGHT else cut + space


def summary(model: "Model") -> dict[str, object]:
    """What a listing in JSON or CSV says of a model."""
    size = model.weight_bytes
    return {
        "id": model.id,
        "revision": model.revision,
        "source": model.source,
        "task": model.task,
        "n_parameters": model.n_parameters,
        "size_mb": None if size is None else size / 1e6,
        "download_mb": model.download_bytes / 1e6 if model.described else None,
        "license": model.license,
        "languages": list(model.languages),
        "labels": list(model.labels),
        "downloads": model.downloads,
        "likes": model.likes,
        "last_modified": model.last_modified,
        "gated": model.gated,
        "described": model.described,
    }


def as_json(value: object) -> str:
    """Indented JSON; maps of any kind are objects."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=dict)


def as_csv(models: Sequence["Model"]) -> str:
    """CSV with a header, safe against spreadsheet formulas; lists are joined with `;`."""
    from catalog.model import Model

    text = io.StringIO()
    names = list(summary(Model(id="", revision="", source="")))
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for model in models:
        writer.writerow({name: _csv_cell(value) for name, value in summary(model).items()})
    return text.getvalue()


def _csv_cell(value: object) -> object:
    if isinstance(value, list):
        value = ";".join(map(str, value))
    if not isinstance(value, str):
        return value
    text = clean(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
