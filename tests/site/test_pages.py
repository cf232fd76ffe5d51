"""Every page of the built site in a real browser."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

AXE = Axe().axe_script

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


def violations(page, part: str = "html", **rules: object) -> list[str]:
    """What axe finds in a part of a page, one line per place."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    options = {"resultTypes": ["violations"], "preload": False, **rules}  # preload fetches again
    run = "async ([part, options]) => (await axe.run(part, options)).violations"
    return [
        f"{rule['id']}: {node['html'][:160]} | {node.get('failureSummary', '')[:300]}"
        for rule in page.evaluate(run, [part, options])
        for node in rule["nodes"][:3]
    ]


def test_axe_finds_nothing(visit):
    assert violations(visit.page, rules={rule: {"enabled": False} for rule in SEEN}) == []


def test_the_reader_can_switch_the_theme(visit):
    before = visit.page.evaluate("document.documentElement.dataset.mode")
    visit.page.locator(".theme-switch-button:visible").first.click()
    assert visit.page.evaluate("document.documentElement.dataset.mode") != before


SMALL = """() => [...document.querySelectorAll(
        ".explorable-knob input, .explorable-reset, [data-handle] circle:first-child")]
    .map(e => [e.getBoundingClientRect(), e])
    .filter(([box]) => box.width && Math.min(box.width, box.height) < 44)
    .map(([box, e]) => `${e.id || e.className} ${box.width} x ${box.height}`)"""


# 320 px is also what a window of 1280 px shows at 400 %.
@pytest.mark.parametrize("width", [375, 320])
def test_nothing_scrolls_sideways_on_a_phone_and_fingers_hit(visit, width):
    visit.page.set_viewport_size({"width": width, "height": 800})
    visit.page.evaluate("() => new Promise(requestAnimationFrame)")
    found = visit.page.evaluate("document.documentElement.scrollWidth")
    assert found <= width, visit.page.evaluate(WIDER, width)
    assert visit.page.evaluate(SMALL) == []


# Axe lays a grid over the page to see what lies behind words. That takes seconds where thousands of
# elements draw formulas, which are hidden from screen readers and not judged: boxes stand for them.
BOXES = """() => {
    const drawn = [...document.querySelectorAll("mjx-container")];
    const sizes = drawn.map(box => box.getBoundingClientRect());
    drawn.forEach((box, i) => {
        box.replaceChildren();
        const { width, height } = sizes[i];
        box.style = `display: inline-block; width: ${width}px; height: ${height}px`;
    });
}"""

# Marks the words that stand for all that are set alike: in one kind of element, with the same
# letters, within words of one kind, on the same ground. A page has thousands of words of code.
ALIKE = """() => {
    const grounds = new Map([[null, ""]]);
    const ground = element => {
        if (!grounds.has(element)) {
            const { backgroundColor, backgroundImage, opacity } = getComputedStyle(element);
            const own = [backgroundColor, backgroundImage, opacity].join();
            const below = ground(element.parentElement);
            grounds.set(element, own === "rgba(0, 0, 0, 0),none,1" ? below : `${own}/${below}`);
        }
        return grounds.get(element);
    };
    const letters = element => {
        const { color, fontSize, fontWeight, textShadow, textDecorationLine } =
            getComputedStyle(element);
        return [element.tagName, color, fontSize, fontWeight, textShadow, textDecorationLine];
    };
    const seen = new Set();
    for (const element of document.querySelectorAll("body *")) {
        const words = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
        if (!element.checkVisibility() || !(words || element.matches("input, select"))) continue;
        const kind = [letters(element), letters(element.parentElement), ground(element)].join();
        element.toggleAttribute("data-judged", !seen.has(kind));
        seen.add(kind);
    }
    return seen.size;
}"""
SEEN = ["color-contrast", "link-in-text-block"]  # the rules on what stands out


# Last: the tests of one page share it, and these take its formulas away.
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_and_links_stand_out(visit, theme):
    visit.page.set_viewport_size({"width": 1280, "height": 900})
    visit.page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
    visit.page.evaluate(BOXES)
    assert visit.page.evaluate(ALIKE) > 5
    assert violations(visit.page, "[data-judged]", runOnly=SEEN) == []
