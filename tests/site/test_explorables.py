"""The figures with knobs, on the published pages: mouse, keyboard, and without scripts."""

from __future__ import annotations

import pytest

FIGURE = "figure.explorable"
# What is drawn and said: each element with its attributes in one order, and the readouts.
STATE = """figure => {
    const words = e => [...e.attributes].map(a => `${a.name}=${a.value}`).sort().join(" ");
    const drawn = [...figure.querySelectorAll(".explorable-svg *")];
    return [
        ...drawn.map(e => words(e) + (e.children.length ? "" : e.textContent)),
        figure.querySelector(".explorable-readouts")?.textContent,
    ].join("\\n");
}"""
# Where the focus is: figure, part of it, and whether something shows it.
FOCUSED = """() => {
    const here = document.activeElement;
    const { outlineStyle, boxShadow } = getComputedStyle(here);
    return {
        figure: here.closest("figure.explorable")?.id ?? "",
        part: here.dataset.knob ?? here.textContent,
        drawn: outlineStyle !== "none" || boxShadow !== "none" || here === document.body,
        what: here.outerHTML.slice(0, 80),
    };
}"""
# How the ring around the element with the focus stands out from its figure; 0: there is none.
RING = """here => {
    here.focus();
    const light = colour => {
        const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
            .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
        return .2126 * r + .7152 * g + .0722 * b + .05;
    };
    const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(here);
    if (outlineStyle === "none" || parseFloat(outlineWidth) < 2) return 0;
    const ground = getComputedStyle(here.closest("figure")).backgroundColor;
    const [a, b] = [light(outlineColor), light(ground)];
    return Math.max(a, b) / Math.min(a, b);
}"""
PARTS = """figures => Object.fromEntries(figures.map(figure => [figure.id,
    [...figure.querySelectorAll("input, button")].map(e => e.dataset.knob ?? e.textContent)]))"""


def chapters(site) -> list[str]:
    """The pages of chapters: those in a room, less exercises and the room's part of the API."""
    others = ("-exercises.html", "/api.html")
    return [
        name
        for name in site.pages()
        if "/" in name and not name.endswith(others) and not name.startswith("teaching/")
    ]


@pytest.fixture
def figures(visit):
    """The explorables of a page; tests that ask for them run on the pages that have some."""
    return visit.page.locator(FIGURE).all()


def test_every_chapter_has_one(site):
    pages = {name: (site.folder / name).read_text(encoding="utf-8") for name in chapters(site)}
    assert pages
    assert [name for name, text in pages.items() if 'class="explorable' not in text] == []


def turn(page, knob) -> None:
    """Turn a knob by each of its keys, to its ends and back."""
    low, high = (knob.get_attribute(name) for name in ("min", "max"))
    figure = knob.locator("xpath=ancestor::figure")
    pictures = []
    for key, end in [("End", high), ("Home", low)]:
        page.keyboard.press(key)
        assert knob.input_value() == end
        pictures.append(figure.evaluate(STATE))
    page.keyboard.press("PageUp")  # the ends of an angle are one picture
    pictures.append(figure.evaluate(STATE))
    assert len(set(pictures)) > 1
    page.keyboard.press("Home")
    for up, down in [("ArrowRight", "ArrowLeft"), ("PageUp", "PageDown")]:
        before = float(knob.input_value())
        page.keyboard.press(up)
        above = float(knob.input_value())
        page.keyboard.press(down)
        assert before < above > float(knob.input_value()), (up, down)


def test_keys_alone_reach_and_turn_every_knob(visit, figures):
    """Through the skip link, then by Tab from knob to knob, to the reset and on: no trap."""
    page = visit.page
    starts = {figure.get_attribute("id"): figure.evaluate(STATE) for figure in figures}
    expected = page.locator(FIGURE).evaluate_all(PARTS)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    reached: dict[str, list[str]] = {}
    focus = {"figure": ""}
    while len(reached) < len(figures) or focus["figure"]:
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUSED)
        assert focus["drawn"], focus["what"]
        if not focus["figure"]:
            assert "</body>" not in focus["what"], "the page ends before every figure was reached"
            continue
        reached.setdefault(focus["figure"], []).append(focus["part"])
        if focus["part"] in reached[focus["figure"]][:-1]:
            break
        figure = page.locator(f"#{focus['figure']}")
        if focus["part"] == expected[focus["figure"]][-1]:
            assert figure.evaluate(STATE) != starts[focus["figure"]]
            page.keyboard.press("Enter")
            assert figure.evaluate(STATE) == starts[focus["figure"]]
        else:
            turn(page, figure.locator(f"[data-knob='{focus['part']}']"))
    assert reached == expected


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_focus_has_a_ring_that_stands_out(visit, figures, theme):
    visit.page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
    visit.page.keyboard.press("Shift")  # a ring is for those who use keys
    parts = visit.page.locator(FIGURE).locator("input, button").all()
    weak = [part.get_attribute("id") for part in parts if not part.evaluate(RING) >= 3]
    assert weak == []


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


def test_a_picture_is_described_by_what_it_shows_now(visit, figures):
    for figure in figures:
        picture, readouts = figure.locator(".explorable-svg"), figure.locator("[aria-live=polite]")
        ids = (picture.get_attribute("aria-describedby") or "").split()
        assert readouts.get_attribute("id") in ids
        assert all(figure.locator(f"[id='{ident}']").inner_text().strip() for ident in ids)
        # a table would be read as numbers without their heads, so only the lines announce
        assert all(t.get_attribute("aria-live") == "off" for t in readouts.locator("table").all())
        assert readouts.locator("p").count()


def test_the_page_computes_what_python_computed(visit, figures):
    deviations = visit.page.evaluate("Explore.selfTest()")
    assert {name: worst for name, worst in deviations.items() if not worst <= 1e-3} == {}


def test_turning_knobs_asks_for_nothing_and_breaks_nothing(visit, figures):
    assert visit.outside == []
    assert visit.failed == []
    assert visit.errors == []
