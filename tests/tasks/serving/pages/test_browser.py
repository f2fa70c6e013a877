"""The pages in a real browser: boards of 1, 12 and 500 models and a model's page, on a phone, dark, by keyboard."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tasks.serving.board import Board
from tasks.settings import Settings
from tests.tasks.serving.pages.given import AT, Pages, made_board, made_row, served_pages, with_cone, write_ledger

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
PATIENCE = 120_000
SIZES = {1: "/", 12: "/", 500: "/?page=3"}
MODEL = "/models/META-Open"

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(not Path(CHROMIUM).is_file(), reason="no Chromium here: CHROMIUM names none"),
]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """The pages, with a ledger for META-Open."""
    home = tmp_path_factory.mktemp("pages") / "var"
    home.mkdir(mode=0o700)
    row = with_cone(write_ledger(Settings(home=home)))
    with served_pages(home, made_board(12)) as made:
        made.replace(row)
        yield made


@pytest.fixture(autouse=True)
def twelve(pages: Pages) -> Iterator[None]:
    """Each test finds the same board of 12."""
    board = pages.service.board
    yield
    pages.service.board = board


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield made
        made.close()


def opened(browser: "Browser", pages: Pages, path: str, *, width: int = 1280, scheme: str = "light") -> "Page":
    """A page that has come up, in a window of its own; what its console or its rules complain of is an error."""
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    faults: list[str] = []
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(pages.link)
    page.goto(f"{pages.address}{path}")
    if path.startswith("/models"):
        page.locator("html[data-drawn]").wait_for(state="attached")
        page.locator("#chart-fan .plot-container").wait_for()
    assert faults == []
    return page


@pytest.mark.parametrize(
    ("count", "width"), [(1, 1280), (1, 360), (12, 1280), (12, 800), (12, 360), (500, 1280), (500, 360)]
)
def test_the_board_needs_no_scrolling_sideways(browser: "Browser", pages: Pages, count: int, width: int) -> None:
    pages.service.board = made_board(count)
    page = opened(browser, pages, SIZES[count], width=width)
    assert page.locator("tbody#rows > tr").count() == min(count, 50)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.context.close()


def test_an_opened_cone_stays_within_its_card_on_a_phone(browser: "Browser", pages: Pages) -> None:
    row = next(row for row in made_board(12).rows if row.version)
    pages.service.board = Board(read_at=AT, rows=(with_cone(row),))
    page = opened(browser, pages, "/", width=360)
    page.locator("summary", has_text="sessions ahead").click()
    right = "all => Math.max(...all.map(one => one.getBoundingClientRect().right))"
    card = page.locator("tbody#rows > tr").evaluate("one => one.getBoundingClientRect().right")
    assert page.locator(".why .cone, .ahead, .ahead .part").evaluate_all(right) <= card
    page.context.close()


@pytest.mark.parametrize("width", [1280, 360])
def test_a_models_page_draws_its_charts_and_needs_no_scrolling_sideways(
    browser: "Browser", pages: Pages, width: int
) -> None:
    page = opened(browser, pages, MODEL, width=width)
    assert page.locator(".plot-container").count() == 3
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.context.close()


def test_the_first_forecast_of_a_model_is_seen_as_upright_bars(browser: "Browser", tmp_path: Path) -> None:
    home = tmp_path / "var"
    home.mkdir(mode=0o700)
    row = write_ledger(Settings(home=home), sessions=1)
    assert row.forecast is not None
    with served_pages(home, Board(read_at=AT, rows=(row,))) as pages:
        page = opened(browser, pages, MODEL)
        assert page.locator("#fan-title").text_content() == "The newest session: what was expected, and what happened"
        assert page.locator(".spans").count() == 0
        bars = page.locator("#chart-fan path.yerror").evaluate_all("all => all.map(one => one.getBoundingClientRect())")
        page.context.close()
    # Both ranges on one axis: their heights are to each other as the ranges.
    high, low = sorted((bar["height"] for bar in bars), reverse=True)
    wide, narrow = (above - below for below, above in (row.forecast.ranges[level] for level in (95, 80)))
    assert low / high == pytest.approx(narrow / wide, abs=0.01)


@pytest.mark.parametrize(
    ("path", "width", "scheme"),
    [
        *((path, 1280, scheme) for path in ("/", MODEL, "/docs") for scheme in ("light", "dark")),
        *((path, 360, "light") for path in ("/", MODEL, "/models/NOBODY-Open")),
    ],
)
def test_axe_finds_nothing_serious(browser: "Browser", pages: Pages, path: str, width: int, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(pages.link)
    page.goto(f"{pages.address}{path}")
    if path == MODEL:
        page.locator("#chart-fan .plot-container").wait_for()
        page.locator("#sessions summary").click()
    for summary in page.locator("[data-name='META-Open'] details.why summary").all():
        summary.click()
    faults = [
        (found["id"], found["nodes"][0]["html"][:300], found["nodes"][0]["failureSummary"][:300])
        for found in Axe().run(page).response["violations"]
        if found["impact"] in ("serious", "critical")
    ]
    context.close()
    assert faults == []


def test_a_promotion_shows_on_the_open_board_and_focus_and_place_stay(browser: "Browser", pages: Pages) -> None:
    page = opened(browser, pages, "/")
    link = page.get_by_role("link", name="META-Open")
    link.focus()
    page.mouse.wheel(0, 300)
    page.wait_for_timeout(300)
    place = page.evaluate("window.scrollY")
    assert place > 0
    row = pages.service.board.row("META-Open")
    assert row is not None
    pages.replace(row.model_copy(update={"version": 4, "answering": 4}))
    page.locator("[data-name='META-Open']").get_by_text("version 4", exact=True).wait_for(timeout=10_000)
    assert page.evaluate("document.activeElement.textContent") == "META-Open"
    assert page.evaluate("window.scrollY") == place
    assert "META-Open" in page.locator("#live-status").inner_text()
    page.context.close()


def test_a_row_whose_factors_are_open_has_not_changed_and_its_words_stand_in_the_picture(
    browser: "Browser", pages: Pages
) -> None:
    page = opened(browser, pages, "/")
    open_row = page.locator("[data-name='META-Open']")
    for summary in open_row.locator("summary").all():
        summary.click()
    longest = """text => {
        const [own, picture] = [text.textContent, text.ownerSVGElement];
        text.textContent = "the same days in past quarters";
        const end = text.getBBox().x + text.getBBox().width;
        text.textContent = own;
        return end / picture.viewBox.baseVal.width;
    }"""
    assert 0.5 < open_row.locator("svg.factors text").last.evaluate(longest) < 1
    page.wait_for_timeout(4000)
    pages.replace(pages.service.board.rows[0].model_copy(update={"version": 44, "answering": 44}))
    page.get_by_text("version 44", exact=True).wait_for(timeout=20_000)
    assert open_row.locator("details").evaluate_all("every => every.map(details => details.open)") == [True, True]
    assert open_row.locator("svg.cone").is_visible()
    assert open_row.get_attribute("class") is None
    assert page.locator("#live-status").inner_text().endswith(": 7203.T-Open")
    page.context.close()


def test_what_has_changed_on_the_open_page_of_a_model_is_told_once(browser: "Browser", pages: Pages) -> None:
    page = opened(browser, pages, MODEL)
    row = pages.service.board.row("META-Open")
    assert row is not None
    pages.replace(row.model_copy(update={"version": 4}))
    page.get_by_text("Version 4 is in Production").wait_for(timeout=10_000)
    page.locator("#live-status").evaluate("said => { said.textContent = ''; }")
    pages.service.board = pages.service.board.model_copy(update={"faults": {"registry": "it does not answer."}})
    page.get_by_text("The registry cannot be read:").wait_for(timeout=10_000)
    assert page.locator("#live-status").inner_text() == ""
    page.context.close()


def test_models_come_and_go_on_the_open_board(browser: "Browser", pages: Pages) -> None:
    page = opened(browser, pages, "/")
    kept = pages.service.board.rows[1:]
    added = made_row(3, model="ZZZ-Open", ticker="ZZZ")
    pages.service.board = Board(read_at=pages.service.board.read_at, rows=(*kept, added))
    page.get_by_role("link", name="ZZZ-Open").wait_for(timeout=10_000)
    shown = page.locator("tbody#rows > tr").evaluate_all("rows => rows.map(row => row.dataset.name)")
    assert shown == [row.model for row in (*kept, added)]
    page.context.close()


def test_a_promotion_shows_on_the_open_page_of_the_model(browser: "Browser", pages: Pages) -> None:
    page = opened(browser, pages, MODEL)
    page.locator("#sessions summary").click()
    row = pages.service.board.row("META-Open")
    assert row is not None
    pages.replace(row.model_copy(update={"version": 4}))
    page.get_by_text("Version 4 is in Production").wait_for(timeout=10_000)
    assert page.locator("#sessions").evaluate("details => details.open")
    assert page.locator(".plot-container").count() == 3
    page.context.close()


def test_a_server_that_has_gone_is_said(browser: "Browser", pages: Pages) -> None:
    page = opened(browser, pages, "/")
    page.context.set_offline(True)
    page.get_by_text("The server has not answered since").wait_for(timeout=20_000)
    page.context.set_offline(False)
    page.get_by_text("The server answers again").wait_for(timeout=20_000)
    page.context.close()


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (503, "the server cannot show this page (503): what stands here is older."),
        (401, "The server asks for the key again: open its link anew (tomorrow status --links)."),
    ],
)
def test_a_server_that_does_not_show_the_page_any_more_is_said_and_what_stands_there_stays(
    browser: "Browser", pages: Pages, status: int, said: str
) -> None:
    page = opened(browser, pages, "/")
    page.route("**/", lambda route: route.fulfill(status=status, body="no page"))
    page.get_by_text(said).wait_for(timeout=20_000)
    assert page.locator("tbody#rows > tr").count() == 12
    page.unroute("**/")
    page.get_by_text("The server answers again").wait_for(timeout=20_000)
    page.context.close()


def test_everything_is_reached_by_keyboard(browser: "Browser", pages: Pages) -> None:
    page = opened(browser, pages, "/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.name || document.activeElement.textContent.trim()"))
    assert [name for name in ("text", "verdict", "stage", "order", "alarms", "Show") if name not in reached] == []
    assert "META-Open" in reached
    page.get_by_label("Ticker or name").focus()
    page.keyboard.type("coca")
    page.keyboard.press("Enter")
    page.get_by_text("1 to 1 of 1 model").first.wait_for()
    page.get_by_role("link", name="KO-Open").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="KO-Open").wait_for()
    page.context.close()


def test_the_fan_is_zoomed_by_keyboard(browser: "Browser", pages: Pages) -> None:
    page = opened(browser, pages, MODEL)
    before = page.evaluate("document.getElementById('chart-fan').layout.xaxis.range")
    page.get_by_role("button", name="newest 20").focus()
    page.keyboard.press("Enter")
    after = page.evaluate("document.getElementById('chart-fan').layout.xaxis.range")
    assert (before, after) == ([-0.5, 119.5], [99.5, 119.5])
    assert page.get_by_role("button", name="newest 20").get_attribute("aria-pressed") == "true"
    page.context.close()


def test_a_session_says_under_the_pointer_what_was_expected(browser: "Browser", pages: Pages) -> None:
    page = opened(browser, pages, MODEL)
    page.locator("#chart-fan .nsewdrag").hover()
    page.locator("#chart-fan .hovertext").first.wait_for()
    said = page.locator("#chart-fan .hovertext").first.text_content() or ""
    assert "median $" in said
    assert "happened $" in said
    page.context.close()


def test_dark_is_dark(browser: "Browser", pages: Pages) -> None:
    page = opened(browser, pages, "/", scheme="dark")
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(int(part) for part in colour.strip("rgb()").split(",")) < 60
    page.context.close()


def test_without_its_script_the_board_can_be_filtered_and_paged(browser: "Browser", pages: Pages) -> None:
    pages.service.board = made_board(500)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(pages.link)
    page.goto(f"{pages.address}/")
    page.get_by_role("link", name="Next page").first.click()
    page.get_by_text("page 2 of 10").first.wait_for()
    page.get_by_label("Verdict").select_option("no skill")
    page.get_by_role("button", name="Show").click()
    page.get_by_text("of 63 models").first.wait_for()
    context.close()


def test_no_other_host_is_asked_for(browser: "Browser", pages: Pages) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    hosts = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.goto(pages.link)
    for path in ("/", MODEL, "/docs"):
        page.goto(f"{pages.address}{path}")
        page.wait_for_timeout(4000)
    context.close()
    assert hosts == {urlsplit(pages.address).netloc}


def test_a_models_page_is_printed_with_its_charts(browser: "Browser", pages: Pages) -> None:
    page = opened(browser, pages, MODEL)
    page.emulate_media(media="print")
    assert page.locator(".filters").count() == 0
    assert not page.locator("header nav").is_visible()
    assert page.locator("#chart-fan .plot-container").is_visible()
    assert page.pdf()[:5] == b"%PDF-"
    page.context.close()
