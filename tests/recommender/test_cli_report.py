"""`recommender report`: a stored search in any format, and pages of all of them."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from cache.errors import BadInput
from cache.measurements import Measurements
from cache.runs import RunPart, Runs
from recommender.reports.files import write_whole
from recommender.reports.index import INDEX, MANIFEST, PAGES, Written, index_page, write_site
from recommender.reports.table import headline
from recommender.reports.trends import MOST_SHOWN, trends_of
from recommender.runs import RunSummary
from tests.recommender.past_runs import SMALL, about, store_runs

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(run_command: Run) -> Run:
    """Runs `recommender ARGS`."""
    return run_command


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("home")
    store_runs(made, [about(SMALL, data="old.csv"), about(SMALL, data="new.csv")])
    return made


# ---------------------------------------------------------------------- one search
def test_a_report_is_printed_from_the_store(run: Run, home: Path) -> None:
    """The newest without a name, another by the digits that --list shows."""
    code, out, _ = run("report", home=home)
    assert code == 0
    assert " ".join(out.split()).startswith(headline(SMALL))
    _, listed, _ = run("report", "--list", home=home)
    newest, oldest = listed.splitlines()
    assert "2026-01-01T01:00  new.csv: team/model-" in newest
    asked = ("report", oldest.split()[0], "--format", "json")
    assert json.loads(run(*asked, home=home)[1])["data"]["name"] == "old.csv"


@pytest.mark.parametrize(
    ("suffix", "start"),
    [
        ("html", b"<!doctype html>"),
        ("md", b"# team/model-"),
        ("json", b"{"),
        ("csv", b"role,model,"),
        ("svg", b"<?xml"),
        ("png", b"\x89PNG"),
        ("txt", b"team/model-"),
    ],
)
def test_each_suffix_is_a_format(
    run: Run, home: Path, tmp_path: Path, suffix: str, start: bytes
) -> None:
    """One file, whole, and nothing on stdout."""
    file = tmp_path / f"report.{suffix.upper()}"
    code, out, err = run("report", "latest", "-o", file, home=home)
    assert (code, out) == (0, "")
    assert f"wrote {file}" in err
    assert file.read_bytes().startswith(start)
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nope",), "hexadecimal digits only"),
        (("-o", "report.pdf"), ".html, .md, .json, .csv, .svg, .png"),
        (("--list", "--all", "site"), "one thing at a time"),
        (("latest", "--list"), "one thing at a time"),
        (("-o", "/no/such/folder/report.md"), "cannot write /no/such/folder/report.md"),
        (("--all", "/proc/site"), "cannot write to /proc/site"),
    ],
)
def test_bad_input_is_one_line(run: Run, home: Path, arguments: tuple[str, ...], said: str) -> None:
    """With exit code 2, and nothing on stdout."""
    code, out, err = run("report", *arguments, home=home)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1


def test_a_file_that_cannot_be_put_in_its_place_leaves_nothing(tmp_path: Path) -> None:
    """Neither a part of it, nor what stood there changed."""
    (tmp_path / "report.md").mkdir()
    with pytest.raises(BadInput, match="name another file"):
        write_whole(tmp_path / "report.md", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["report.md"]


def test_a_report_without_any_search_says_what_to_run(run: Run) -> None:
    """And --list lists nothing, and says so."""
    code, _, err = run("report")
    assert code == 2
    assert "recommender find" in err
    code, out, err = run("report", "--list")
    assert (code, out) == (0, "")
    assert "no search is stored yet; run one with: recommender find" in err


# ---------------------------------------------------------------------- all searches
class Links(HTMLParser):
    """The addresses of a page, and the rows of its table."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.n_rows = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]
        self.n_rows += tag == "tr"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A home with two searches, and the pages of them that the command wrote."""
    made, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("site") / "of" / "all"
    store_runs(made, [about(SMALL, data="old.csv"), about(SMALL, data="new.csv")])
    with Measurements(made / "measurements.db") as store:
        written = write_site(store, folder)
    assert (written.n_runs, written.n_new) == (2, 2)
    return made, folder


def test_the_index_leads_to_a_page_of_each_search(built: tuple[Path, Path]) -> None:
    """The newest first, with task, data, answer and date; every link is a file."""
    _, folder = built
    page = (folder / INDEX).read_text("utf-8")
    links = [link for link in Links(page).found if link.startswith("runs/")]
    assert len(links) == 2
    assert Links(page).n_rows == 3
    assert page.index("new.csv") < page.index("old.csv")
    assert all(said in page for said in ("text-classification", "2026-01-01 01:00", "accuracy"))
    assert "old.csv" in (folder / links[1]).read_text("utf-8")


def test_a_second_build_writes_only_what_is_new(
    run: Run, built: tuple[Path, Path], tmp_path: Path
) -> None:
    """Pages that are there stay untouched; those of new searches and missing ones are written."""
    home, folder = built
    before = {path: path.stat().st_mtime_ns for path in (folder / PAGES).iterdir()}
    assert "2 runs, 0 of them new" in run("report", "--all", folder, home=home)[2]
    (new,) = store_runs(home, [about(SMALL, data="third.csv")])
    lost = min(before)
    lost.unlink()
    assert "3 runs, 2 of them new" in run("report", "--all", folder, home=home)[2]
    after = {path: path.stat().st_mtime_ns for path in (folder / PAGES).iterdir()}
    assert after.keys() == {*before, folder / PAGES / f"{new}.html"}
    assert {path for path in before if after[path] != before[path]} == {lost}
    assert "third.csv" in (folder / INDEX).read_text("utf-8")


def test_pages_of_another_format_are_written_again(tmp_path: Path) -> None:
    """As after an upgrade; a manifest that cannot be read counts as none."""
    home, folder = tmp_path / "home", tmp_path / "site"
    store_runs(home, [SMALL])
    with Measurements(home / "measurements.db", read_only=True) as store:
        write_site(store, folder)
    manifest = folder / MANIFEST
    told = json.loads(manifest.read_text("utf-8"))
    for content in (json.dumps({**told, "format": "older"}), "{"):
        manifest.write_text(content, "utf-8")
        with Measurements(home / "measurements.db", read_only=True) as store:
            written = write_site(store, folder)
        assert written.n_new == written.n_runs == 1
        assert json.loads(manifest.read_text("utf-8"))["format"] == told["format"]


def test_an_interrupted_build_goes_on_where_it_stopped(
    built: tuple[Path, Path], tmp_path: Path
) -> None:
    """What was written is not written again."""
    home, _ = built

    def stop(n_done: int, n: int) -> None:
        raise KeyboardInterrupt

    with Measurements(home / "measurements.db", read_only=True) as store:
        with pytest.raises(KeyboardInterrupt):
            write_site(store, tmp_path, tell=stop)
        first = set((tmp_path / PAGES).iterdir())
        written = write_site(store, tmp_path)
    assert len(first) == 1
    assert written.n_new == written.n_runs - 1


def test_searches_that_are_forgotten_meanwhile_are_left_out(tmp_path: Path) -> None:
    """Nothing fails, and the index leads to no page that is not there."""
    home, folder = tmp_path / "home", tmp_path / "site"
    _, gone, last = store_runs(home, [about(SMALL, data=f"{name}.csv") for name in "abc"])
    file = home / "measurements.db"

    def forget(n_done: int, n: int) -> None:
        with Measurements(file) as other:
            other._connection.execute("DELETE FROM runs WHERE key = ?", (gone,))

    with Measurements(file) as store:
        written = write_site(store, folder, tell=forget)
    assert (written.n_runs, written.n_new) == (2, 2)
    links = [link for link in Links((folder / INDEX).read_text("utf-8")).found if "runs/" in link]
    assert links[0] == f"{PAGES}/{last}.html"
    assert all((folder / link).is_file() for link in links)


def test_a_search_that_ends_meanwhile_waits_for_the_next_build(tmp_path: Path) -> None:
    """The first build is of what there was when it began."""
    home, folder = tmp_path / "home", tmp_path / "site"
    store_runs(home, [SMALL])
    with Measurements(home / "measurements.db", read_only=True) as store:
        parts = Runs.parts

        def and_another(*asked: Any, **limits: Any) -> Iterator[RunPart]:
            yield from parts(*asked, **limits)
            store_runs(home, [about(SMALL, data="later.csv")])

        with mock.patch.object(Runs, "parts", and_another):
            assert write_site(store, folder).n_runs == 1
        assert write_site(store, folder).n_new == 1


def test_two_builds_of_one_folder_keep_each_others_pages(tmp_path: Path) -> None:
    """Here one runs from beginning to end while the other is at its first page."""
    folder, homes = tmp_path / "site", (tmp_path / "one", tmp_path / "two")
    for home in homes:
        store_runs(home, [about(SMALL, data=f"{home.name}.csv")])

    def build(place: int) -> Written:
        with Measurements(homes[place] / "measurements.db", read_only=True) as store:
            return write_site(store, folder, tell=meanwhile if place == 0 else mock.Mock())

    def meanwhile(n_done: int, n: int) -> None:
        build(1)

    build(0)
    page = (folder / INDEX).read_text("utf-8")
    assert "one.csv" in page
    assert "two.csv" in page
    written = build(0)
    assert (written.n_runs, written.n_new) == (2, 0)


def test_pages_of_forgotten_searches_stay_linked(tmp_path: Path) -> None:
    """Also after the format of pages changed: they cannot be written again."""
    home, folder = tmp_path / "home", tmp_path / "site"
    old, new = store_runs(home, [about(SMALL, data="old.csv"), about(SMALL, data="new.csv")])
    with Measurements(home / "measurements.db") as store:
        write_site(store, folder)
        before = (folder / PAGES / f"{old}.html").read_bytes()
        store._connection.execute("DELETE FROM runs WHERE key = ?", (old,))
        manifest = folder / MANIFEST
        told = json.loads(manifest.read_text("utf-8"))
        runs = [{**run, "of_later": 1} for run in told["runs"]]
        manifest.write_text(json.dumps({"format": "older", "runs": runs}), "utf-8")
        assert [write_site(store, folder).n_new for _ in range(2)] == [1, 0]
    page = (folder / INDEX).read_text("utf-8")
    links = [link for link in Links(page).found if link.startswith("runs/")]
    assert links == [f"{PAGES}/{new}.html", f"{PAGES}/{old}.html"]
    assert (folder / PAGES / f"{old}.html").read_bytes() == before


@pytest.mark.parametrize("manifest", [None, "[]", '{"scripts": {}}'])
def test_an_index_of_anothers_is_left_alone(
    run: Run, home: Path, tmp_path: Path, manifest: str | None
) -> None:
    """One line and exit code 2; nothing is written beside it."""
    (tmp_path / INDEX).write_text("hi")
    if manifest is not None:
        (tmp_path / MANIFEST).write_text(manifest)
    before = sorted(tmp_path.iterdir())
    code, _, err = run("report", "--all", tmp_path, home=home)
    assert (code, err.count("\n")) == (2, 1)
    assert "is none of ours; name another DIR" in err
    assert (tmp_path / INDEX).read_text() == "hi"
    assert sorted(tmp_path.iterdir()) == before


def summaries(*runs: tuple[str, str, float | None]) -> list[RunSummary]:
    """Of data, requirement and size, the oldest first; given back as stores do, newest first."""
    return [
        RunSummary(
            id=f"{place:064x}", answered_at=f"2026-01-{place + 1:02}T00:00:00+00:00",
            task="text-classification", data=data, fingerprint=data, requirement=requirement,
            n_rows=100, answer="an answer", choice=None, size_mb=size,
        )
        for place, (data, requirement, size) in enumerate(runs)
    ][::-1]  # fmt: skip


def test_a_trend_is_of_one_question_on_the_same_rows() -> None:
    """In the order of time; searches without an answer are in it, and one answer is no trend."""
    runs = summaries(
        ("a.csv", "accuracy >= 0.9", 60.0), ("b.csv", "accuracy >= 0.9", 8.0),
        ("a.csv", "accuracy >= 0.9", None), ("a.csv", "accuracy >= 0.8", 5.0),
        ("a.csv", "accuracy >= 0.9", 20.0), ("a.csv", "", None), ("a.csv", "", None),
    )  # fmt: skip
    (trend,) = trends_of(runs)
    assert trend.sizes_mb == (60.0, None, 20.0)
    assert [at.day for at in trend.times] == [1, 3, 5]
    assert trend.title == "a.csv: accuracy >= 0.9"
    assert trend.sentence == "from 60 MB to 20 MB in 3 searches, 1 of them without an answer"


def test_a_trend_is_of_one_confidence_and_one_baseline() -> None:
    """And of what asked for the smallest; what is not usual is said in its title."""
    asked = ("a.csv", "accuracy >= 0.97 * baseline")
    first, sure, other, fast, again = summaries(*((*asked, size) for size in (9.0, 8, 7, 6, 5)))
    runs = [
        replace(first, baseline="team/big", delta=0.01), replace(sure, delta=0.01),
        replace(other, baseline="team/huge", delta=0.01), replace(fast, minimize="download_mb"),
        replace(again, baseline="team/big", delta=0.01),
    ]  # fmt: skip
    (trend,) = trends_of(runs)
    assert trend.sizes_mb == (9.0, 5.0)
    assert trend.title == (
        "a.csv: accuracy >= 0.97 * baseline, with 99 % confidence, baseline team/big"
    )
    assert trends_of([replace(run, minimize="latency_p50_ms") for run in runs]) == []


def test_a_trend_is_in_the_order_of_its_answers() -> None:
    """Whichever search was asked again last."""
    third, second, first = summaries(*(("a.csv", "accuracy >= 0.9", size) for size in (3.0, 2, 1)))
    (trend,) = trends_of([first, third, second])
    assert trend.sizes_mb == (3.0, 2.0, 1.0)
    assert list(trend.times) == sorted(trend.times)


def test_the_index_draws_the_newest_trends_and_counts_the_rest() -> None:
    """Each a picture whose marks say when and what, without styles or scripts of its own."""
    questions = [(f"{i}.csv", "accuracy >= 0.9", float(i + 1)) for i in range(MOST_SHOWN + 2)]
    page = index_page(summaries(*questions, *questions), link=lambda id: f"runs/{id}.html")
    assert page.count("<figure") == MOST_SHOWN
    assert "and 2 more questions" in page
    assert "2026-01-15 00:00: 1 MB" not in page
    assert f"2026-01-28 00:00: {MOST_SHOWN + 2} MB" in page
    assert not re.search(r"<svg[^>]*>(?:(?!</svg>).)*(?:style=|<script)", page, re.DOTALL)


def test_whatever_data_is_called_is_text_in_the_index() -> None:
    """Names and answers are escaped, also in the figures."""
    evil = "<script>alert(1)</script>\x1b[31m\" onload='x'"
    runs = [
        replace(run, answer=evil, requirement=evil)
        for run in summaries((evil, "", 1.0), (evil, "", 2.0))
    ]
    page = index_page(runs, link=lambda id: f"runs/{id}.html")
    assert "<script>alert" not in page
    assert "\x1b" not in page
    assert page.count("&lt;script&gt;alert(1)") >= 6
    assert page.count("<script") == 1


def test_a_thousand_searches_are_one_page() -> None:
    """A row each, in less than a megabyte."""
    (run,) = summaries(("reviews.csv", "", 1.0))
    runs = [replace(run, id=f"{place:064x}") for place in range(1000)]
    page = index_page(runs, link=lambda id: f"runs/{id}.html")
    assert Links(page).n_rows == 1001
    assert len(page) < 1_000_000
