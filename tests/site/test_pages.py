"""Every page of the built site in a real browser."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

axe = Axe()

UNDRAWN = """() => [...document.querySelectorAll("span.math, div.math")]
    .filter(box => !box.querySelector("mjx-math[aria-hidden] + mjx-assistive-mml > math"))
    .map(box => box.textContent.slice(0, 80))"""

# A glyph that the style sheet does not know has no content.
BLANK = """() => [...document.querySelectorAll("mjx-c")]
    .filter(glyph => getComputedStyle(glyph, "::before").content === "none")
    .map(glyph => glyph.className)"""

FONTS = (
    """() => [...document.fonts].filter(font => font.status === "error").map(font => font.family)"""
)

RAW = r"""() => {
    const found = [];
    const walk = document.createTreeWalker(document.querySelector("main") || document.body, 4);
    while (walk.nextNode()) {
        const node = walk.currentNode;
        const code = "code, pre, script, style, svg, mjx-container, .sig";
        if (node.parentElement.closest(code)) continue;
        if (/\$\$|\\\(|\\\[|\{eq\}|\{numref\}|\{cite/.test(node.data)) found.push(node.data.trim());
    }
    return found;
}"""

WIDER = """width => [...document.querySelectorAll("body *")]
    .filter(e => e.getBoundingClientRect().right > width + 1)
    .filter(e => getComputedStyle(e).position !== "fixed")
    .slice(0, 5).map(e => e.tagName + "." + e.className)"""


def test_asks_for_nothing_from_outside(visit):
    assert visit.outside == []


def test_loads_without_errors(visit):
    assert visit.failed == []
    assert visit.errors == []


def test_transfers_less_than_1_2_megabytes(visit):
    """All requests of a first visit, texts gzipped by tools/serve.py as any web server does."""
    assert 0 < visit.transferred < 1_200_000


def test_every_formula_is_drawn(visit):
    assert visit.page.evaluate(UNDRAWN) == []
    assert visit.page.evaluate(BLANK) == []
    assert visit.page.evaluate(FONTS) == []
    assert visit.page.locator("mjx-merror").count() == 0


def test_no_script_draws_formulas(visit):
    scripts = "[...document.scripts].map(script => script.src + script.text)"
    assert [text for text in visit.page.evaluate(scripts) if "mathjax" in text.lower()] == []
    assert visit.page.evaluate("window.MathJax") is None


def test_no_markup_is_left_in_the_text(visit):
    assert visit.page.evaluate(RAW) == []


def violations(page, theme: str, **rules: object) -> list[str]:
    """What axe finds on a page in a theme, one line per place."""
    page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
    page.evaluate(TWINS)
    options = {"resultTypes": ["violations"], "preload": False, **rules}  # preload fetches again
    return [
        f"{rule['id']}: {node['html'][:160]} | {node.get('failureSummary', '')[:300]}"
        for rule in axe.run(page, options=options).response["violations"]
        for node in rule["nodes"][:3]
    ]


def test_axe_finds_nothing(visit):
    assert violations(visit.page, "light") == []


def test_axe_finds_nothing_in_the_dark(visit):
    """Colours are all that differs between the themes."""
    assert violations(visit.page, "dark", runOnly=["color-contrast"]) == []


def test_the_reader_can_switch_the_theme(visit):
    before = visit.page.evaluate("document.documentElement.dataset.mode")
    visit.page.locator(".theme-switch-button:visible").first.click()
    assert visit.page.evaluate("document.documentElement.dataset.mode") != before


# A page shows thousands of coloured words of code. Of those that are alike, with the same classes
# all the way up and the same colours, the first stays as it is for axe to judge; the others become
# part of the text around them, which is judged too.
TWINS = """() => {
    const seen = new Set();
    for (const word of document.querySelectorAll(":is(pre, code, .sig) span:not(:has(*))")) {
        if (!word.checkVisibility()) continue;
        const { color, backgroundColor, fontSize, fontWeight } = getComputedStyle(word);
        let kind = [color, backgroundColor, fontSize, fontWeight].join();
        for (let e = word; e; e = e.parentElement) kind += "/" + e.className;
        if (seen.has(kind)) word.replaceWith(...word.childNodes);
        seen.add(kind);
    }
}"""

SMALL = """() => [...document.querySelectorAll(
        ".explorable-knob input, .explorable-reset, [data-handle] circle:first-child")]
    .map(e => [e.getBoundingClientRect(), e])
    .filter(([box]) => box.width && Math.min(box.width, box.height) < 44)
    .map(([box, e]) => `${e.id || e.className} ${box.width} x ${box.height}`)"""


# Last: the tests of one page share it, and this one changes its width. 320 px is also what a
# window of 1280 px shows at 400 %.
@pytest.mark.parametrize("width", [375, 320])
def test_nothing_scrolls_sideways_on_a_phone_and_fingers_hit(visit, width):
    visit.page.set_viewport_size({"width": width, "height": 800})
    visit.page.wait_for_timeout(100)
    found = visit.page.evaluate("document.documentElement.scrollWidth")
    assert found <= width, visit.page.evaluate(WIDER, width)
    assert visit.page.evaluate(SMALL) == []
