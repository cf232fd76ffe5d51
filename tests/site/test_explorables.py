"""The figures with knobs, on the published pages: mouse, keyboard, and without scripts."""

from __future__ import annotations

import pytest

FIGURE = "figure.explorable"
STATE = """figure => [
    figure.querySelector("svg").outerHTML,
    figure.querySelector(".explorable-readouts")?.textContent,
]"""


def chapters(site) -> list[str]:
    """The pages of chapters: those in a room, less exercises and the room's part of the API."""
    return [
        n for n in site.pages() if "/" in n and not n.endswith(("-exercises.html", "/api.html"))
    ]


@pytest.fixture
def figures(visit):
    """The explorables of a page; tests that ask for them run on the pages that have some."""
    return visit.page.locator(FIGURE).all()


def test_every_chapter_has_one(site):
    pages = {name: (site.folder / name).read_text(encoding="utf-8") for name in chapters(site)}
    assert pages
    assert [name for name, text in pages.items() if 'class="explorable' not in text] == []


def test_each_knob_moves_by_keyboard(visit, figures):
    for figure in figures:
        knobs = figure.locator("input[type=range]").all()
        assert knobs
        for knob in knobs:
            before, value = figure.evaluate(STATE), knob.input_value()
            knob.focus()
            key = "ArrowLeft" if value == knob.get_attribute("max") else "ArrowRight"
            visit.page.keyboard.press(key)
            assert knob.input_value() != value
            assert figure.evaluate(STATE) != before


def test_each_knob_has_a_name_and_says_its_value(visit, figures):
    for figure in figures:
        for knob in figure.locator("input[type=range]").all():
            number = knob.get_attribute("id")
            assert figure.locator(f'label[for="{number}"]').inner_text().strip()
            assert knob.get_attribute("aria-valuetext")


def test_each_handle_can_be_dragged(visit, figures):
    for figure in figures:
        for handle in figure.locator("[data-handle]").all():
            handle.scroll_into_view_if_needed()
            before, box = figure.evaluate(STATE), handle.bounding_box()
            assert box is not None
            x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
            visit.page.mouse.move(x, y)
            visit.page.mouse.down()
            visit.page.mouse.move(x - 12, y + 18, steps=3)
            visit.page.mouse.move(x - 25, y + 35, steps=3)
            visit.page.mouse.up()
            assert figure.evaluate(STATE) != before


def test_reset_brings_the_first_picture_back(visit, figures):
    for figure in figures:
        reset = figure.locator(".explorable-reset")
        reset.click()
        before = figure.evaluate(STATE)
        figure.locator("input[type=range]").first.focus()
        visit.page.keyboard.press("PageUp")
        visit.page.keyboard.press("PageDown")
        visit.page.keyboard.press("End")
        visit.page.keyboard.press("ArrowLeft")
        reset.click()
        assert figure.evaluate(STATE) == before


def test_the_page_computes_what_python_computed(visit, figures):
    deviations = visit.page.evaluate("Explore.selfTest()")
    assert {name: worst for name, worst in deviations.items() if not worst <= 1e-3} == {}


def test_turning_knobs_asks_for_nothing_and_breaks_nothing(visit, figures):
    assert visit.outside == []
    assert visit.failed == []
    assert visit.errors == []
