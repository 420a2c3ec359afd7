"""The report as a visitor meets it: no error, both languages and themes, keyboard, phone, axe."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

PAGES = ("index", "pages/wrong", "pages/claims", "pages/made", "pages/softmax", "pages/dropout")
SIZES = {"desk": (1280, 900), "phone": (390, 844)}


@pytest.fixture(params=SIZES)
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    width, height = SIZES[request.param]
    context = browser.new_context(viewport={"width": width, "height": height}, locale="en-US")
    opened = context.new_page()
    yield opened
    context.close()


def visible(page: Page, language: str) -> int:
    return page.locator(f"body span[lang={language}]:visible").count()


@pytest.mark.parametrize("where", PAGES)
def test_no_error_no_request_that_fails_nothing_too_wide(page: Page, site: str, where: str) -> None:
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("requestfailed", lambda request: said.append(request.url))
    page.on("response", lambda answer: said.append(answer.url) if answer.status >= 400 else None)
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{site}/{where}.html", wait_until="networkidle")
    assert said == []
    assert asked and all(url.startswith((site, "data:")) for url in asked)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    broken = "[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)"
    assert page.evaluate(broken) == []


@pytest.mark.parametrize("where", PAGES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_accessible(page: Page, site: str, where: str, theme: str) -> None:
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    for language in ("en", "zh"):
        page.goto(f"{site}/{where}.html")
        page.evaluate(f"localStorage.setItem('simdl-language', '{language}')")
        page.reload(wait_until="networkidle")
        assert page.evaluate("document.documentElement.lang") == language
        found = Axe().run(page).response["violations"]
        grave = [v for v in found if v["impact"] in ("serious", "critical", "moderate")]
        assert [(v["id"], v["nodes"][0]["html"]) for v in grave] == []


def test_one_switch_for_the_language(page: Page, site: str) -> None:
    page.goto(f"{site}/pages/dropout.html")
    english = visible(page, "en")
    assert english > 20 and visible(page, "zh") == 0
    page.click("#language")
    assert visible(page, "zh") == english and visible(page, "en") == 0
    assert "Dropout" in page.title() and page.title().endswith(" - simdl")
    page.goto(f"{site}/index.html")  # it is remembered
    assert visible(page, "en") == 0
    assert page.locator("#language").inner_text() == "English"


def test_one_switch_for_the_theme(page: Page, site: str) -> None:
    def paper() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    page.emulate_media(color_scheme="light")
    page.goto(f"{site}/index.html")
    light = paper()
    page.click("#theme")
    dark = paper()
    assert light == "rgb(255, 255, 255)" and dark != light
    page.reload()
    assert paper() == dark
    page.click("#theme")
    assert paper() == light


def test_every_control_is_reached_by_keyboard_and_shows_it(page: Page, site: str) -> None:
    page.goto(f"{site}/index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    box = page.locator(".skip").bounding_box()
    assert box is not None and box["x"] >= 0
    reached = set()
    for _ in range(page.locator("a, button").count() + 2):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            continue
        reached.add(page.evaluate("document.activeElement.href || document.activeElement.id"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    links = set(page.evaluate("[...document.querySelectorAll('a:not(.skip)')].map(a => a.href)"))
    assert links | {"language", "theme"} <= reached
    page.locator("#language").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.documentElement.lang") == "zh"


def test_figures_say_values(page: Page, site: str) -> None:
    page.goto(f"{site}/pages/dropout.html", wait_until="networkidle")
    told = "document.querySelector('object').contentDocument.querySelectorAll('use title').length"
    assert page.evaluate(told) > 5


def test_prints_without_switches(page: Page, site: str) -> None:
    page.goto(f"{site}/pages/dropout.html")
    page.emulate_media(media="print")
    assert not page.locator("#language").is_visible()
    assert page.locator("h1").is_visible()


def test_reads_without_scripts(browser: Browser, site: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    opened = context.new_page()
    opened.goto(f"{site}/index.html")
    assert "experiments" in opened.locator("h1").inner_text()
    assert visible(opened, "zh") == 0
    context.close()
