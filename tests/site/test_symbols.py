"""Symbols in formulas say what they mean: mouse, touch, keyboard, and nothing on other pages."""

from __future__ import annotations

import pytest

PAGE = "multitask/primary-tasks.html"
TIP = "#symbol-tip"
EQUATION = "#equation-eq-primary-dual mjx-container"
LIT = "[...document.querySelectorAll('.symbol-lit')].map(e => e.closest('mjx-container') !== null)"

# The symbols of a page in reading order, each by its place among all letters: without an index that
# belongs to the symbol before it.
SYMBOLS = """() => {
    const all = [...document.querySelectorAll('.bd-article mjx-math [class*="sym-"]')];
    const number = e => e.className.match(/sym-\\d+/)[0];
    return all.map((e, at) => [e.closest("mjx-script")?.previousElementSibling, e, at])
        .filter(([base, e]) => !base?.classList.contains(number(e))).map(([, , at]) => at);
}"""
# Where the walk is, the element around the formula that has the focus, and whether it is in view.
HERE = """() => {
    const all = [...document.querySelectorAll('.bd-article mjx-math [class*="sym-"]')];
    const here = document.querySelector(".symbol-here"), box = here.getBoundingClientRect();
    const bar = document.querySelector(".bd-header-article").getBoundingClientRect().bottom;
    const formula = document.activeElement.closest("mjx-container");
    return [all.indexOf(here), formula.parentElement.parentElement.tagName === "P" ? "P"
        : formula.parentElement.tagName, box.top >= bar && box.bottom <= innerHeight
        && formula.contains(here)];
}"""
WALK_ALL = """() => {
    const press = key => document.activeElement.dispatchEvent(
        new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    const seen = new Set(), all = [...document.querySelectorAll(".bd-article mjx-container")]
        .filter(e => e.querySelector('[class*="sym-"]'));
    const open = e => e.getClientRects().length && getComputedStyle(e).visibility === "visible";
    scrollTo(0, 0);
    press("F8");
    for (let last = null; last !== document.querySelector(".symbol-here");) {
        last = document.querySelector(".symbol-here");
        seen.add(document.activeElement);
        press("ArrowRight");
    }
    return [seen.size, all.filter(open).length, all.filter(e => !open(e)).length];
}"""


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
    assert page.evaluate("document.activeElement") == page.evaluate("document.body")
    assert formula.get_attribute("aria-describedby") == "symbol-hint"


def test_one_stop_for_each_display_formula(page):
    stops = page.locator('.bd-article mjx-container[role="group"]').count()
    assert stops == page.locator(".bd-article div.math").count() == 16
    inside = page.locator(
        '.bd-article span.math mjx-container[tabindex], [class*="sym-"][tabindex]'
    )
    assert inside.count() == 0


def test_keys_alone_lead_from_symbol_to_symbol_through_the_page(page):
    """Past the menus, onto the button, and from there through text and display alike."""
    page.evaluate("scrollTo(0, 0); document.activeElement.blur()")
    page.reload()
    for key in ("Tab", "Enter", "Tab"):
        page.keyboard.press(key)
    button = page.locator(".symbol-walk")
    assert button.evaluate("e => e === document.activeElement && e.getBoundingClientRect().y >= 0")
    page.keyboard.press("Enter")
    walked, expected = [page.evaluate(HERE)], page.evaluate(SYMBOLS)[:40]
    for _ in expected[1:]:
        page.keyboard.press("ArrowRight")
        walked.append(page.evaluate(HERE))
    assert [at for at, *_ in walked] == expected
    assert {"P", "DIV"} <= {parent for _, parent, _ in walked}
    assert all(seen for *_, seen in walked)
    for _ in range(10):
        page.keyboard.press("ArrowLeft")
    assert page.evaluate(HERE)[0] == expected[-11]


def test_a_formula_in_a_line_is_a_group_only_while_it_has_the_focus(page):
    page.evaluate("document.querySelector('.bd-article h2').scrollIntoView()")
    page.keyboard.press("F8")
    inline = page.locator(".bd-article mjx-container[tabindex='-1']")
    described = (
        "e => [e.role, e.ariaLabel, e.getAttribute('aria-describedby'), e.matches(':focus')]"
    )
    assert inline.evaluate(described) == ["group", "Formula", "symbol-tip", True]
    top = inline.bounding_box()["y"]
    assert page.locator(".bd-header-article").bounding_box()["height"] <= top < 900
    page.keyboard.press("Escape")
    assert page.locator(TIP).is_hidden()
    assert inline.count() == 0
    page.keyboard.press("Tab")  # goes on from there, not from the top of the page
    assert page.evaluate("document.activeElement.getBoundingClientRect().y") > top


def test_the_walk_passes_by_what_is_folded(browser, site, open_page):
    with open_page(browser, site, PAGE.replace(".html", "-exercises.html")) as visit:
        visited, open_formulas, folded = visit.page.evaluate(WALK_ALL)
        assert visited == open_formulas > 10
        assert folded > 10


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
