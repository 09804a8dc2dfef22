"""Pages of all stored searches: an index, and one page a search that is written once."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from markupsafe import Markup

from cache.errors import BadInput, NotFound
from cache.measurements import Measurements
from recommender.reports.files import write_whole
from recommender.reports.table import figure
from recommender.reports.trends import MOST_SHOWN, Trend, trend_figure, trends_of
from recommender.runs import RunSummary, all_runs, stored_run

INDEX, PAGES, MANIFEST = "index.html", "runs", "runs.json"
ALL = "All searches"
"""What a page calls the index."""

Tell = Callable[[int, int], None]
"""Is given how many pages are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a build came to."""

    index: Path
    n_runs: int
    n_new: int


@dataclass(frozen=True, slots=True)
class RunRow:
    """One search in the index; `at` is in UTC."""

    at: str
    task: str
    data: str
    requirement: str
    n_rows: int
    answer: str
    size: str
    size_mb: float | None
    link: str


@dataclass(frozen=True, slots=True)
class TrendView:
    """One trend: `svg` is markup of ours."""

    title: str
    sentence: str
    svg: str


def write_site(store: Measurements, folder: Path, *, tell: Tell = lambda done, n: None) -> Written:
    """The pages that are missing or of an older format, and the index of all of them.

    Searches do not change, so a page is written once. What the store has forgotten since stays, its
    page as it was. Raises BadInput where the index there is another's, or cannot be written.
    """
    if not _is_ours(folder):
        raise BadInput(f"{folder / INDEX} is none of ours; name another DIR, or move it away")
    pages = folder / PAGES
    try:
        pages.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"cannot write to {folder}: {error.strerror}; name another DIR") from error
    missing = list(all_runs(store, known=_told(folder).current))
    written: dict[str, RunSummary] = {}
    try:
        for place, run in enumerate(missing, start=1):
            with suppress(NotFound):  # forgotten meanwhile
                write_whole(pages / f"{run.id}.html", page_of(store, run.id))
                written[run.id] = run
            tell(place, len(missing))
    finally:
        runs = _remembered(folder, written)
    newest_first = sorted(runs, key=lambda run: run.answered_at, reverse=True)
    write_whole(folder / INDEX, index_page(newest_first, link=lambda key: f"{PAGES}/{key}.html"))
    return Written(folder / INDEX, len(runs), len(written))


def page_of(store: Measurements, key: str) -> str:
    """The page of one search, with the way back to the index."""
    from recommender.reports.html import render
    from recommender.reports.pages import with_links

    return with_links(render(stored_run(store, key).result), {ALL: f"../{INDEX}"})


def index_page(
    runs: Sequence[RunSummary],
    *,
    link: Callable[[str], str],
    others: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The index as a page; `link` gives the address of a search's page from its id, and `others`
    are further pages: their addresses by name."""
    from recommender.reports.pages import page

    trends = trends_of(runs)
    return page(
        "index.html",
        others=others,
        rows=[_row(run, link(run.id)) for run in runs],
        trends=[
            TrendView(trend.title, trend.sentence, _svg(trend)) for trend in trends[:MOST_SHOWN]
        ],
        n_more_trends=max(0, len(trends) - MOST_SHOWN),
    )


def _svg(trend: Trend) -> Markup:
    from recommender.reports.vector import inline_svg

    svg = inline_svg(
        trend_figure(trend), f"Smallest sufficient size, {trend.title}", trend.sentence
    )
    return Markup(svg)  # noqa: S704 - drawn by us


def _row(run: RunSummary, link: str) -> RunRow:
    return RunRow(
        at=run.answered_at.replace("T", " ")[:16],
        task=run.task,
        data=run.data,
        requirement=run.requirement,
        n_rows=run.n_rows,
        answer=run.answer,
        size=figure(run.size_mb),
        size_mb=run.size_mb,
        link=link,
    )


@cache
def page_format() -> str:
    """What pages are made with: our version, templates, styles, script, parts of a summary."""
    parts = [version("recommender"), *(field.name for field in fields(RunSummary))]
    for name in ("templates", "assets"):
        found = files("recommender.reports").joinpath(name).iterdir()
        parts += sorted(hashlib.sha256(part.read_bytes()).hexdigest() for part in found)
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


# ---------------------------------------------------------------------- the manifest
@dataclass(frozen=True, slots=True)
class _Told:
    """The searches whose pages are there, by id: in the present format, and in an older one."""

    current: Mapping[str, RunSummary]
    older: Mapping[str, RunSummary]


def _is_ours(folder: Path) -> bool:
    """Whether an index may be written there: beside our manifest, or where there is none yet."""
    try:
        told = json.loads((folder / MANIFEST).read_text("utf-8"))
    except OSError:
        return not (folder / INDEX).exists()
    except ValueError:  # damaged
        return True
    return isinstance(told, dict) and told.keys() >= {"format", "runs"}


def _told(folder: Path) -> _Told:
    """What the manifest says, of pages that are there; nothing where it cannot be read."""
    try:
        told = json.loads((folder / MANIFEST).read_text("utf-8"))
        known = [_summary(each) for each in told["runs"]]
        older = set(told.get("older", ()))
        if told["format"] != page_format():
            older = {run.id for run in known}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return _Told({}, {})
    runs = {run.id: run for run in known if (folder / PAGES / f"{run.id}.html").is_file()}
    return _Told(
        {key: run for key, run in runs.items() if key not in older},
        {key: run for key, run in runs.items() if key in older},
    )


def _summary(told: Mapping[str, Any]) -> RunSummary:
    """As any version wrote it: what it does not know is left at what was usual."""
    names = [field.name for field in fields(RunSummary)]
    return RunSummary(**{name: told[name] for name in names if name in told})


def _remembered(folder: Path, written: Mapping[str, RunSummary]) -> list[RunSummary]:
    """Every search that has a page, with those `written` now, after noting them.

    The manifest is read again: another process may have written pages meanwhile.
    """
    told = _told(folder)
    older = {key: run for key, run in told.older.items() if key not in written}
    runs = list({**older, **told.current, **written}.values())
    noted = {"format": page_format(), "runs": list(map(asdict, runs)), "older": sorted(older)}
    write_whole(folder / MANIFEST, json.dumps(noted, ensure_ascii=False, indent=0))
    return runs
