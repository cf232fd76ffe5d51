"""Readers without a mouse, a bright screen, colours of ours, movement, or a screen at all."""

from __future__ import annotations

import pytest

PAGE = "multitask/primary-tasks-exercises.html"
LINE = "return -(weights @ products)"
REASON = "into the first product:"

BUTTONS = """() => [...document.querySelectorAll(".bd-article button")]
    .map(e => e.ariaLabel || e.textContent.trim())"""
PICTURES = "document.querySelectorAll('.bd-article button svg:not([aria-hidden=true])').length"
MOVING = """() => [...document.querySelectorAll("body, body *")].flatMap(e =>
    ["", "::before", "::after"].map(part => getComputedStyle(e, part))
        .filter(s => s.animationName !== "none" || s.scrollBehavior === "smooth"
            || s.transitionDuration.split(", ").some(time => parseFloat(time)))
        .map(() => e.outerHTML.slice(0, 80)))"""
SEEN = "e => [...document.querySelectorAll(e)].filter(e => e.checkVisibility()).length"
FOLDED = ".toggle-hidden, details:not([open]), summary"
# The colours that the marks of a symbol should have, and those that they have.
MARKS = """() => {
    const probe = document.createElement("i");
    probe.style = "background: Highlight; forced-color-adjust: none";
    document.body.append(probe);
    const here = getComputedStyle(document.querySelector(".symbol-here"));
    const lit = [...document.querySelectorAll(".symbol-lit")].map(e => getComputedStyle(e));
    return {
        here: here.backgroundColor === getComputedStyle(probe).backgroundColor,
        readable: here.color !== here.backgroundColor,
        lit: lit.every(s => s.outlineStyle === "solid"),
    };
}"""


@pytest.fixture(scope="module")
def page(browser, site, open_page):
    with open_page(browser, site, PAGE) as visit:
        yield visit.page
        assert (visit.outside, visit.failed, visit.errors) == ([], [], [])


# First: the tests below share the page, and leave solutions open.
def test_a_solution_unfolds_by_keyboard(page):
    code = page.get_by_text(LINE).first
    reason = page.get_by_text(REASON).first
    assert not code.is_visible()
    assert not reason.is_visible()
    page.locator("details.hide summary").first.focus()
    page.keyboard.press("Enter")
    code.wait_for(state="visible")
    page.locator("div.solution .toggle-button").first.focus()
    page.keyboard.press("Enter")
    reason.wait_for(state="visible")


def test_every_button_has_a_name_of_its_own(page):
    names = page.evaluate(BUTTONS)
    assert len(names) == len(set(names)) > 20
    assert any(name.startswith("Copy code 1: import torch") for name in names)
    assert any(name.startswith("Solution to Exercise 1") for name in names)
    assert page.evaluate(PICTURES) == 0
    page.locator("button.copybtn").first.focus()
    page.keyboard.press("Enter")
    page.locator("[role=status]", has_text="Copied!").wait_for(state="attached")
    assert page.evaluate(PICTURES) == 0


def test_nothing_moves_where_that_is_asked_for(page):
    assert page.evaluate(MOVING) == []


def test_paper_shows_what_is_unfolded_and_no_button(page):
    page.evaluate("document.querySelector('details.hide').open = true")
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    assert page.get_by_text(LINE).first.is_visible()
    assert page.evaluate(SEEN, FOLDED) == 0
    assert page.evaluate(SEEN, "button, input, .bd-header-article, .bd-sidebar") == 0
    assert page.evaluate(SEEN, ".bd-article .highlight, .bd-article img") > 5
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.emulate_media(media="screen")


def test_marks_are_seen_in_colours_of_the_system(browser, site):
    """Black ground, though the reader has once chosen the bright theme here."""
    context = browser.new_context(forced_colors="active", color_scheme="dark")
    page = context.new_page()
    page.add_init_script("localStorage.setItem('mode', 'light')")
    page.goto(site.address + PAGE)
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.locator(".theme-switch-button:visible").count() == 0
    page.keyboard.press("F8")
    assert page.evaluate(MARKS) == {"here": True, "readable": True, "lit": True}
    context.close()
