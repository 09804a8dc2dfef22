"""The page of a report in a real Chromium: read, sorted, filtered, switched, attacked."""

import re
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cache.measurements import Measurements
from evaluators.measurement import State
from recommender.leaderboard import Leaderboard
from recommender.recommendation import Recommendation
from recommender.reports import html
from recommender.reports.index import write_site
from recommender.reports.pages import policy, with_links
from recommender.reports.testing import made_up_recommendation
from recommender.reports.trade_off import trade_off
from tests.recommender.past_runs import SMALL, store_runs

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
WIDE, NARROW = (1200, 900), (360, 740)
MOST_BYTES = 1_000_000
A4_WIDTH = 703
"""Pixels of a page of 210 mm without margins of 12 mm, at 96 pixels an inch."""

in_chromium = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def result() -> Recommendation:
    return made_up_recommendation(40)


@pytest.fixture(scope="module")
def written(result: Recommendation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(html.render(result), "utf-8")
    return path


class Visit:
    """A page that is looked at, and what it asked for or complained about."""

    def __init__(self, context: "BrowserContext", path: Path) -> None:
        self.asked: list[str] = []
        self.said: list[str] = []
        context.set_default_timeout(20_000)
        self.page: Page = context.new_page()
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: self.said.append(f"dialog {dialog.message}"))
        self.page.goto(path.as_uri())

    def is_clean(self, path: Path) -> bool:
        """Whether nothing but the file itself was asked for, and nothing went wrong."""
        others = [url for url in self.asked if not url.startswith((path.as_uri(), "data:,"))]
        assert others == []
        assert self.said == []
        return True


@pytest.fixture
def visit(browser: "Browser") -> Iterator[Callable[..., Visit]]:
    contexts = []

    def go(path: Path, size: tuple[int, int] = WIDE, **how: object) -> Visit:
        viewport = {"width": size[0], "height": size[1]}
        contexts.append(browser.new_context(viewport=viewport, **how))  # type: ignore[arg-type]
        return Visit(contexts[-1], path)

    yield go
    for context in contexts:
        context.close()


# ---------------------------------------------------------------------- without a browser
def test_a_page_is_one_small_file_with_a_strict_policy(written: Path) -> None:
    """No address is fetched from, no inline style or handler is needed, and it is small."""
    text = written.read_text("utf-8")
    assert len(text.encode()) < MOST_BYTES
    assert re.findall(r'\b(?:src|href)="(?!#|data:,)[^"]*"', text) == []
    assert re.findall(r"<[^>]+\s(?:style|on\w+)=", text) == []
    assert "unsafe" not in policy()
    assert policy().startswith("default-src 'none'")
    assert "/home/somebody" not in text


def test_the_answer_comes_first_with_its_guarantee(result: Recommendation) -> None:
    """In this order: the answer, the frontier, the table, the proof, the command."""
    text = html.render(result)
    sections = re.findall(r'<section id="([\w-]+)"', text)
    assert sections == ["answer", "frontier", "table", "proof", "reproduce"]
    heading = re.search(r"<h1[^>]*>(.*?)</h1>", text, re.DOTALL)
    assert heading is not None
    said = heading.group(1)
    assert "x smaller than the baseline" in said
    assert "accuracy proven &gt;= 0.90 with 95 % confidence" in said
    assert "p95" in said
    assert "recommender find reviews.csv" in text


def test_rows_of_the_user_are_shown_only_where_asked_for(result: Recommendation) -> None:
    """Examples are part of a page only where the result carries them."""
    from dataclasses import replace

    from recommender.details.parts import Example

    assert "answered wrongly" not in html.render(result)
    shown = replace(result, examples=(Example("a <dull> film", "bad", {"m": "good"}),))
    assert "a &lt;dull&gt; film" in html.render(shown)


def test_ten_thousand_candidates_are_still_a_page(tmp_path: Path) -> None:
    """Those that were not run are named together; the page stays below its limit."""
    text = html.render(made_up_recommendation(10_000))
    assert len(text.encode()) < MOST_BYTES
    assert "more: not needed" in text


def test_long_names_of_many_candidates_are_still_a_page() -> None:
    """What has no room is said: figures of further costs, names, those left out and planned."""
    from dataclasses import replace

    model = "organisation-of-the-hub/multilingual-distilroberta-base-finetuned-on-reviews"
    made = made_up_recommendation(1_000, named=lambda text: text.replace("team/model", model))
    gone = tuple((f"{model}-{i}", "gated", "needs access on the Hub") for i in range(4_000))
    text = html.render(replace(made, plan=replace(made.plan, left_out=gone)))
    assert len(text.encode()) < MOST_BYTES
    assert "No room for" in text
    assert "4000 left out before the search" in text
    assert "300 of 1,001 candidates have a row" in text
    listed = tuple((f"{model}-{i} onnxruntime-int8", 1.5) for i in range(10_000))
    planned = html.render(replace(made.plan, candidates=listed))
    assert len(planned.encode()) < MOST_BYTES
    assert "and 7,000 more" in planned


def first_screen(result: Recommendation) -> str:
    """The section with the answer, as text."""
    section = re.search(r'<section id="answer".*?</section>', html.render(result), re.DOTALL)
    assert section is not None
    return section[0]


def test_the_answer_of_a_search_that_was_ended_says_so(result: Recommendation) -> None:
    """The smallest that was shown by then, not the smallest that there is."""
    from dataclasses import replace

    assert "smallest candidate shown to be sufficient: " in first_screen(result)
    for ended, said in (("interrupted", "before it was"), ("download limit", "within the")):
        shown = first_screen(replace(result, ended=ended))
        assert f"shown to be sufficient {said} {ended}: " in shown
    quick = replace(result, plan=replace(result.plan, minimize="latency_p95_ms"))
    assert "candidate with the least p95 latency shown to be" in first_screen(quick)


def test_what_to_mind_of_the_choice_stands_beside_the_answer(result: Recommendation) -> None:
    """Its flags are not for the table alone."""
    from dataclasses import replace

    assert result.choice is not None
    warned = replace(result.choice, flags=("contamination: it was trained on 'reviews'",))
    assert "contamination: it was trained on" in first_screen(replace(result, choice=warned))
    assert "contamination" not in first_screen(result)


def test_without_an_answer_the_nearest_candidate_is_shown(result: Recommendation) -> None:
    """With its bound, and that nothing is proven against it."""
    from dataclasses import replace

    short = [replace(o, claims=tuple(replace(c, target=0.99) for c in o.claims))
             for o in result.candidates]  # fmt: skip
    nearest = min((o for o in short if o.shortfall is not None), key=lambda o: o.shortfall or 0.0)
    shown = first_screen(replace(result, choice=None, candidates=tuple(short), details={}))
    assert 'class="none"' in shown
    assert f"{nearest.model} as {nearest.recipe.name}" in shown
    assert "not the same as shown to miss it" in shown


def test_what_would_help_comes_before_what_is_to_be_noted(result: Recommendation) -> None:
    """With the answer that there is none; the other notes stand with the proof."""
    from dataclasses import replace

    helping = "with a tolerance of 0.022 there is an answer: accuracy >= 0.878"
    notes = ("columns: text = 'text', guessed by name", helping, "more labels: 640 would do")
    nothing = replace(result, choice=None, notes=notes)
    shown, text = first_screen(nothing), html.render(nothing)
    assert "with a tolerance of 0.022" in shown
    assert "more labels: 640" in shown
    assert "guessed by name" not in shown
    assert "guessed by name" in text
    assert text.count("with a tolerance of 0.022") == 1
    assert "guessed by name" in first_screen(replace(nothing, notes=notes[:1]))


def test_why_nothing_could_be_tried_is_shown(result: Recommendation) -> None:
    """Those that were left out, although there is no table."""
    from dataclasses import replace

    nothing = replace(result, choice=None, candidates=(), baseline=None, details={}, ties=())
    assert "Nothing was run" in first_screen(nothing)
    assert "needs access on the Hub" in html.render(nothing)


def test_what_was_measured_without_a_question_is_no_failure(result: Recommendation) -> None:
    """No verdict is shown where nothing was asked."""
    from dataclasses import replace

    plain = replace(
        result,
        choice=None,
        plan=replace(result.plan, requirements=()),
        candidates=tuple(
            replace(o, claims=()) for o in result.candidates if o.state is State.EVALUATED
        ),
    )
    text = html.render(plain)
    assert 'class="measured"' in first_screen(plain)
    assert 'data-state="measured"' in text
    assert 'data-state="undecided"' not in text
    assert "certified bound" not in text


def test_the_trade_off_is_told_in_words(result: Recommendation) -> None:
    """The next smaller and the next better of the frontier, with factor, quality and verdict."""
    from dataclasses import replace

    (less, smaller), (more, better) = trade_off(result)
    assert (less, more) == ("next smaller", "next better")
    assert "x smaller), accuracy 0." in smaller
    assert "undecided" in smaller
    assert "x larger), accuracy 0." in better
    assert result.choice is not None
    for said, factor in ((smaller, "smaller"), (better, "larger")):
        outcome = next(o for o in result.frontier if said.startswith(f"{o.model} "))
        mine, theirs = result.choice.value("size_mb"), outcome.value("size_mb")
        assert mine is not None
        assert theirs is not None
        assert (theirs < mine) == (factor == "smaller")
    assert trade_off(replace(result, choice=None)) == ()


def test_the_mistakes_of_many_labels_are_listed(result: Recommendation) -> None:
    """A matrix that no screen holds is preceded by nobody's search for its largest cells."""
    from recommender.details.parts import Confusion, Details
    from recommender.reports.detail_view import detail_view

    names = tuple(f"label {i}" for i in range(20))
    counts = [[30 if row == column else 0 for column in range(20)] for row in range(20)]
    counts[3][7], counts[7][3] = 9, 4
    matrix = Confusion(names, names, tuple(map(tuple, counts)))
    (table,) = detail_view("m", "", "accuracy", Details(confusion=matrix)).tables
    assert table.rows == (("label 3 → label 7", "9 of 39"), ("label 7 → label 3", "4 of 34"))


def test_a_page_of_many_leads_back_to_the_index(tmp_path: Path) -> None:
    """Where `--all` wrote it; a file of its own leads nowhere."""
    home, folder = tmp_path / "home", tmp_path / "site"
    (key,) = store_runs(home, [SMALL])
    with Measurements(home / "measurements.db", read_only=True) as store:
        write_site(store, folder)
    page = folder / "runs" / f"{key}.html"
    (back,) = re.findall(r'<a href="([^"#]*)">All searches</a>', page.read_text("utf-8"))
    assert (page.parent / back).resolve() == folder / "index.html"
    assert re.findall(r'<a [^>]*href="(?!#)', html.render(SMALL)) == []


def test_links_of_a_page_are_escaped() -> None:
    """Names and addresses of further pages are text."""
    linked = with_links(html.render(SMALL), {"<b>": '/"onclick="x'})
    assert '<nav aria-label="Pages"><a href="/&#34;onclick=&#34;x">&lt;b&gt;</a></nav>' in linked


# ---------------------------------------------------------------------- looked at
@in_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_a_page_opens_without_network_and_passes_axe(
    visit: Callable[..., Visit], written: Path, scheme: str, size: tuple[int, int]
) -> None:
    """No request, no error, nothing wider than the screen, and no finding of axe."""
    from axe_playwright_python.sync_playwright import Axe

    seen = visit(written, size, color_scheme=scheme, bypass_csp=True)  # axe is put in as a script
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= size[0]
    found = Axe().run(seen.page)
    assert [(v["id"], v["nodes"][0]["html"]) for v in found.response["violations"]] == []
    assert seen.is_clean(written)


@in_chromium
def test_without_a_script_the_same_is_there(visit: Callable[..., Visit], written: Path) -> None:
    """The figure can be switched, and the table is whole."""
    seen = visit(written, java_script_enabled=False)
    assert seen.page.locator(".figure-1 svg").is_visible()
    seen.page.locator(".tab-2").click()
    assert seen.page.locator(".figure-2 svg").is_visible()
    assert not seen.page.locator(".figure-1").is_visible()
    assert seen.page.locator("#candidates tbody tr").count() == 41
    assert not seen.page.locator(".tools").is_visible()
    assert seen.is_clean(written)


def column(page: "Page", place: int) -> list[str | None]:
    found = page.locator("#candidates tbody tr").evaluate_all(
        f"rows => rows.map(row => row.cells[{place}].dataset.sort ?? null)"
    )
    return list(found)


@in_chromium
def test_the_table_is_sorted_by_a_click_missing_values_last(
    visit: Callable[..., Visit], written: Path
) -> None:
    """Up and down, by keyboard too; what was not measured is at the end both times."""
    seen = visit(written)
    head = seen.page.locator("#candidates thead th", has_text="p95 ms")
    place = head.evaluate("cell => cell.cellIndex")
    for direction in ("ascending", "descending"):
        head.locator("button").focus()
        seen.page.keyboard.press("Enter")
        assert head.get_attribute("aria-sort") == direction
        values = column(seen.page, place)
        known = [float(value) for value in values if value is not None]
        assert known == sorted(known, reverse=direction == "descending")
        assert 0 < len(known) < len(values)
        assert set(values[len(known) :]) == {None}
    assert seen.is_clean(written)


@in_chromium
def test_the_table_is_filtered(visit: Callable[..., Visit], written: Path) -> None:
    """By words and by state; how many are left is said."""
    seen = visit(written)
    rows = seen.page.locator("#candidates tbody tr:visible")
    seen.page.get_by_label("Filter").fill("INT8 crashed")
    n_both = rows.count()
    assert 0 < n_both < 10
    assert all("crashed" in row.inner_text() for row in rows.all())
    assert f"{n_both} of 41 shown" in seen.page.locator("[data-shown]").inner_text()
    seen.page.get_by_label("Filter").fill("")
    seen.page.get_by_label("State").select_option("sufficient")
    assert 0 < rows.count() < 41
    assert all("sufficient" in row.inner_text() for row in rows.all())
    assert seen.is_clean(written)


@in_chromium
def test_axes_are_switched_and_points_are_told_by_keyboard(
    visit: Callable[..., Visit], written: Path, result: Recommendation
) -> None:
    """Arrows choose the cost; focus on a point says its candidate and marks its row."""
    seen = visit(written)
    seen.page.locator("#axis-size_mb").focus()
    seen.page.keyboard.press("ArrowRight")
    assert seen.page.locator(".figure-2 svg").is_visible()
    assert result.choice is not None
    mark = seen.page.locator(f'.figure-2 .point[data-name="{result.choice.name}"]')
    mark.focus()
    told = seen.page.locator(".figures .pointed").inner_text()
    assert result.choice.model.split("/")[-1] in told
    assert "certified" in told
    row = seen.page.locator("tr.pointed-at")
    assert row.get_attribute("data-name") == result.choice.name
    other = seen.page.locator(".figure-2 .point:not([data-name^='team/baseline'])").first
    other.hover(force=True)
    assert seen.page.locator("tr.pointed-at").count() == 1
    assert seen.is_clean(written)


@in_chromium
def test_a_figure_is_one_stop_of_the_tab_key(
    visit: Callable[..., Visit], written: Path, result: Recommendation
) -> None:
    """It begins at the choice; arrows lead from mark to mark, and Enter goes to the table's row."""
    seen = visit(written)
    for figure in (".figure-1", ".figure-2", ".race"):
        assert seen.page.locator(f'{figure} .point[tabindex="0"]').count() == 1
    assert result.choice is not None
    focused = seen.page.locator(":focus")
    seen.page.locator("#axis-size_mb").focus()
    seen.page.keyboard.press("Tab")
    assert focused.get_attribute("data-name") == result.choice.name
    xs = []
    for _ in range(3):
        seen.page.keyboard.press("ArrowLeft")
        xs.append(float(focused.locator("circle").get_attribute("cx") or "nan"))
    assert xs == sorted(xs, reverse=True)
    name = focused.get_attribute("data-name")
    seen.page.keyboard.press("Enter")
    assert focused.evaluate("row => row.tagName") == "TR"
    assert focused.get_attribute("data-name") == name
    assert seen.is_clean(written)


@in_chromium
def test_a_mark_is_told_beside_its_own_figure(visit: Callable[..., Visit], written: Path) -> None:
    """The race's marks below the race."""
    seen = visit(written)
    seen.page.locator(".race .point").first.hover(force=True)
    assert "rows" in seen.page.locator(".race .pointed").inner_text()
    assert "Hover a mark" in seen.page.locator(".figures .pointed").inner_text()


@in_chromium
@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_names_stay_in_sight_while_the_table_scrolls(
    visit: Callable[..., Visit], written: Path, size: tuple[int, int]
) -> None:
    """Sideways to the reasons; its titles while it scrolls down."""
    seen = visit(written, size)
    seen.page.locator("#table .scroll").evaluate("box => box.scrollTo(9999, 400)")
    left = seen.page.locator("#table .scroll").bounding_box()
    name = seen.page.locator("#candidates tbody th").nth(12).bounding_box()
    title = seen.page.locator("#candidates thead th").last.bounding_box()
    assert left is not None
    assert name is not None
    assert title is not None
    assert name["x"] == pytest.approx(left["x"], abs=2)
    assert title["y"] == pytest.approx(left["y"], abs=2)


@in_chromium
def test_a_page_prints_all_of_its_table(visit: Callable[..., Visit], written: Path) -> None:
    """On paper nothing scrolls, and tools are not shown."""
    seen = visit(written)
    seen.page.emulate_media(media="print")
    assert not seen.page.locator(".tools").is_visible()
    box = seen.page.locator("#table .scroll")
    assert box.evaluate("box => getComputedStyle(box).overflowY") == "visible"


@in_chromium
def test_all_columns_fit_on_paper(visit: Callable[..., Visit], written: Path) -> None:
    """No column of the table is beyond the edge of an A4 page, upright."""
    seen = visit(written, (A4_WIDTH, 1000))
    seen.page.emulate_media(media="print")
    last = seen.page.locator("#candidates thead th").last.bounding_box()
    assert last is not None
    assert last["x"] + last["width"] <= A4_WIDTH


# ---------------------------------------------------------------------- attacked
RUN = "<script>window.ran=1</script>"
PAYLOADS = (
    RUN, f"</script>{RUN}", f'">{RUN}', f"'>{RUN}", f"</title>{RUN}", f"</style>{RUN}",
    f"<!-->{RUN}", f"-->{RUN}", f"]]>{RUN}", f"\u202e{RUN}", f"\x00{RUN}", f"<template>{RUN}",
    f"</text></g></svg>{RUN}", f"<math><mtext></mtext>{RUN}</math>", "&lt;script&gt;window.ran=1",
    "<img src=x onerror=window.ran=1>", "<svg onload=window.ran=1>", "<svg/onload=window.ran=1>",
    '" onmouseover="window.ran=1', "' onfocus='window.ran=1' autofocus='",
    "javascript:window.ran=1", "<a href=javascript:window.ran=1 autofocus onfocus=window.ran=1>",
    "<iframe srcdoc='<script>parent.ran=1</script>'>", "<iframe src=javascript:parent.ran=1>",
    "<body onload=window.ran=1>", "<details open ontoggle=window.ran=1>",
    "<base href=http://x.test/>", "<link rel=stylesheet href=http://x.test/x.css>",
    "<meta http-equiv=refresh content='0;url=javascript:window.ran=1'>",
    "<style>@import 'http://x.test/x.css'</style>", "<object data=http://x.test/>",
    "<embed src=http://x.test/>", "<form action=http://x.test/>",
    "<video src=http://x.test/v onerror=window.ran=1>", "<input autofocus onfocus=window.ran=1>",
    "<noscript><p title='</noscript><img src=x onerror=window.ran=1>'>",
    "{{ 7*7 }}", "{% raw %}", "${window.ran=1}", "`${window.ran=1}`", "$\\frac{1}{0$",
    "\x1b]8;;http://x.test\x07",
)  # fmt: skip
N_PLACES = 200


@in_chromium
def test_what_models_and_data_say_is_never_run(visit: Callable[..., Visit], tmp_path: Path) -> None:
    """Two hundred texts of ids, labels, licences, reasons and errors, each with a payload."""
    numbers = count()

    def hostile(text: str) -> str:
        number = next(numbers)
        return f"{text[:20]}{number}{PAYLOADS[number % len(PAYLOADS)]}"

    hit = made_up_recommendation(40, named=hostile)
    assert next(numbers) >= N_PLACES
    board = Leaderboard("text-classification", hostile("rows"), 1_000, hit.candidates)
    for name, shown in (("report", hit), ("board", board), ("plan", hit.plan)):
        path = tmp_path / f"{name}.html"
        path.write_text(html.render(shown), "utf-8")
        seen = visit(path)
        for element in seen.page.locator(".point").all()[:30]:
            element.focus()
            element.hover(force=True)
        seen.page.locator("th button").first.click()
        assert seen.page.evaluate("window.ran") is None
        assert seen.is_clean(path)
        assert seen.page.locator("script, iframe, object, embed, form, base").count() == 1
        assert seen.page.evaluate("document.querySelectorAll('[onload],[onerror]').length") == 0
