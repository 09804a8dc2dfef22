"""Pages of all stored searches: an index, and one page a search that is written once."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

from markupsafe import Markup

from cache.errors import BadInput
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

    Searches do not change, so a page is written once. What the store has forgotten since stays.
    """
    pages = folder / PAGES
    try:
        pages.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"cannot write to {folder}: {error.strerror}; name another DIR") from error
    known = _known(folder)
    runs = {run.id: run for run in (*all_runs(store, known=known), *known.values())}
    missing = [key for key in store.past.ids() if key not in known]
    done = dict(known)
    try:
        for place, key in enumerate(missing, start=1):
            write_whole(pages / f"{key}.html", page_of(store, key))
            done[key] = runs[key]
            tell(place, len(missing))
    finally:
        _remember(folder, done)
    newest_first = sorted(runs.values(), key=lambda run: run.answered_at, reverse=True)
    write_whole(folder / INDEX, index_page(newest_first, link=lambda key: f"{PAGES}/{key}.html"))
    return Written(folder / INDEX, len(runs), len(missing))


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
    """What pages are made with: our version, and the templates, styles and script."""
    parts = [version("recommender")]
    for name in ("templates", "assets"):
        found = files("recommender.reports").joinpath(name).iterdir()
        parts += sorted(hashlib.sha256(part.read_bytes()).hexdigest() for part in found)
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


def _known(folder: Path) -> dict[str, RunSummary]:
    """The searches whose page is there in the present format; none where that is not certain."""
    try:
        told = json.loads((folder / MANIFEST).read_text("utf-8"))
        if told["format"] != page_format():
            return {}
        runs = (RunSummary(**run) for run in told["runs"])
        return {run.id: run for run in runs if (folder / PAGES / f"{run.id}.html").is_file()}
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def _remember(folder: Path, runs: Mapping[str, RunSummary]) -> None:
    told = {"format": page_format(), "runs": [asdict(run) for run in runs.values()]}
    write_whole(folder / MANIFEST, json.dumps(told, ensure_ascii=False, indent=0))
