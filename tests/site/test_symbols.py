"""Symbols in formulas say what they mean: mouse, touch, keyboard, and nothing on other pages."""

from __future__ import annotations

import pytest

PAGE = "multitask/primary-tasks.html"
TIP = "#symbol-tip"
EQUATION = "#equation-eq-primary-dual mjx-container"
LIT = "[...document.querySelectorAll('.symbol-lit')].map(e => e.closest('mjx-container') !== null)"


@pytest.fixture(scope="module")
def chapter(browser, site, open_page):
    with open_page(browser, site, PAGE) as visit:
        yield visit


@pytest.fixture
def page(chapter):
    chapter.page.keyboard.press("Escape")
    chapter.page.mouse.move(2, 2)
    return chapter.page


def letter(page, name: str, at: int = 0):
    """A letter of the dual problem, by the class that MathJax gives its glyph."""
    return page.locator(f'{EQUATION} mjx-math [class*="sym-"]:has(> .mjx-c{name})').nth(at)


def test_mouse_shows_the_meaning_and_marks_all_places(page):
    page.wait_for_timeout(300)
    assert page.locator(TIP).is_hidden()
    letter(page, "1D706").hover()  # lambda
    tip = page.locator(TIP)
    assert tip.is_visible()
    assert "multiplier of auxiliary" in tip.inner_text()
    assert len(page.evaluate(LIT)) > 10
    box, width = tip.bounding_box(), page.viewport_size["width"]
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    tip.hover()
    page.wait_for_timeout(400)
    assert tip.is_visible()  # what is shown can be reached
    page.mouse.move(2, 2)
    tip.wait_for(state="hidden")
    assert page.evaluate(LIT) == []


def test_click_holds_it_and_escape_closes_it(page):
    letter(page, "1D454").click()  # g
    page.mouse.move(2, 2)
    page.wait_for_timeout(400)
    assert "gradient of loss" in page.locator(TIP).inner_text()
    page.keyboard.press("Escape")
    assert page.locator(TIP).is_hidden()


def test_arrow_keys_walk_through_a_formula(page):
    formula = page.locator(EQUATION)
    assert formula.get_attribute("role") == "group"
    assert formula.get_attribute("aria-label").startswith("Formula (")
    formula.focus()
    heard = []
    for _ in range(3):
        page.keyboard.press("ArrowRight")
        assert page.locator(TIP).is_visible()
        assert formula.get_attribute("aria-describedby") == "symbol-tip"
        heard.append(page.locator(".symbol-voice").text_content())
    assert "the best direction" in heard[0]
    assert "gradient of loss" in heard[1]  # its index is no stop of its own
    assert len(set(heard)) == 3
    page.keyboard.press("Home")
    assert page.locator(".symbol-voice").text_content() == heard[0]
    page.keyboard.press("Escape")
    assert page.locator(TIP).is_hidden()
    assert formula.get_attribute("aria-describedby") is None


def test_one_stop_for_each_display_formula(page):
    stops = page.locator('.bd-article mjx-container[role="group"]').count()
    assert stops == page.locator(".bd-article div.math").count() == 16
    inside = page.locator(
        '.bd-article span.math mjx-container[tabindex], [class*="sym-"][tabindex]'
    )
    assert inside.count() == 0


def test_nothing_moves(page):
    height = "document.documentElement.scrollHeight"
    boxes = """() => [...document.querySelectorAll('article mjx-math')]
        .map(e => e.getBoundingClientRect()).map(r => [r.x, r.y + scrollY, r.width, r.height])"""
    letter(page, "1D706").scroll_into_view_if_needed()
    before = page.evaluate(boxes), page.evaluate(height)
    letter(page, "1D706").hover()
    assert page.locator(TIP).is_visible()
    assert (page.evaluate(boxes), page.evaluate(height)) == before


def test_touch_shows_and_hides_on_a_phone(browser, site):
    context = browser.new_context(viewport={"width": 375, "height": 800}, has_touch=True)
    page = context.new_page()
    page.goto(site.address + PAGE)
    symbol = page.locator('article p mjx-math [class*="sym-"]').first
    symbol.tap()
    box = page.locator(TIP).bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 375
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    page.locator("article h1").tap()
    assert page.locator(TIP).is_hidden()
    context.close()


@pytest.mark.parametrize("name", ["intro.html", "notation.html", "api.html"])
def test_pages_without_a_chapter_have_none(site, name):
    text = (site.folder / name).read_text(encoding="utf-8")
    assert "symbols.js" not in text
    assert '"sym-' not in text


def test_exercises_share_the_table_of_their_chapter(site):
    text = (site.folder / PAGE.replace(".html", "-exercises.html")).read_text(encoding="utf-8")
    assert "_static/symbols/primary-tasks.js?v=" in text
    assert " sym-" in text or '"sym-' in text
