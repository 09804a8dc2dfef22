"""The page of a report in a real Chromium: read, sorted, filtered, switched, attacked."""

import re
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from recommender.leaderboard import Leaderboard
from recommender.recommendation import Recommendation
from recommender.reports import html
from recommender.reports.pages import policy
from recommender.reports.testing import made_up_recommendation

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
WIDE, NARROW = (1200, 900), (360, 740)
MOST_BYTES = 1_000_000

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
    told = seen.page.locator(".pointed").inner_text()
    assert result.choice.model.split("/")[-1] in told
    assert "certified" in told
    row = seen.page.locator("tr.pointed-at")
    assert row.get_attribute("data-name") == result.choice.name
    other = seen.page.locator(".figure-2 .point:not([data-name^='team/baseline'])").first
    other.hover(force=True)
    assert seen.page.locator("tr.pointed-at").count() == 1
    assert seen.is_clean(written)


@in_chromium
def test_a_page_prints_all_of_its_table(visit: Callable[..., Visit], written: Path) -> None:
    """On paper nothing scrolls, and tools are not shown."""
    seen = visit(written)
    seen.page.emulate_media(media="print")
    assert not seen.page.locator(".tools").is_visible()
    box = seen.page.locator("#table .scroll")
    assert box.evaluate("box => getComputedStyle(box).overflowY") == "visible"


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
