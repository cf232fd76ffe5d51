"""The figures in a browser: the script agrees with Python, and mouse and keyboard move them."""

import json
import random
import re

import pytest
import torch

CONE, FRAMES = "#explorable-primary-cone", "#explorable-sine-steps"

DRAWN = """([id, svg]) => {
  const holder = document.createElement("div");
  if (svg) holder.innerHTML = svg;
  const page = document.querySelector(`#${id} .explorable-picture`);
  const root = svg ? holder : page;
  const marks = [...root.querySelectorAll("[data-mark] path")].map((p) => p.getAttribute("d"));
  const words = [...root.querySelectorAll("[data-label]")].map(
    (t) => ["x", "y", "display"].map((name) => t.getAttribute(name)).join(" ") + t.textContent);
  const grips = [...root.querySelectorAll("[data-handle]")];
  const handles = grips.map((grip) => grip.getAttribute("transform"));
  return [...marks, ...words, ...handles];
}"""
SET = """([id, settings]) => { for (const [name, value] of Object.entries(settings)) {
  const input = document.querySelector(`#${id} [data-knob=${name}]`);
  input.value = value; input.dispatchEvent(new Event("input", { bubbles: true })); } }"""
PARTS = r"-?\d+\.?\d*"


def numbers(text):
    return [float(part) for part in re.findall(PARTS, text)], re.sub(PARTS, "#", text)


def settings_at_random(count):
    draw = random.Random(7)
    for _ in range(count):
        yield {
            "angle1": draw.uniform(0, 360),
            "length1": draw.uniform(0.2, 1.6),
            "angle2": draw.uniform(0, 360),
            "length2": draw.uniform(0.2, 1.6),
        }


def test_script_agrees_with_the_checks_that_python_stored(opened):
    found = opened().evaluate("Explore.selfTest()")
    assert found.keys() == {"explorable-primary-cone", "explorable-kinds"}
    assert max(found.values()) <= 1e-3


def test_self_test_finds_a_model_that_is_wrong(opened):
    page = opened()
    page.evaluate("""() => { const right = (k) => Explore.evaluate("primary-cone", k);
      const q = { ...right({ angle1: 200, length1: 1, angle2: 30, length2: 1 }) };
      Explore.model("primary-cone", () => q); }""")
    assert page.evaluate("Explore.selfTest()")["explorable-primary-cone"] > 0.1
    page.evaluate("Explore.model('primary-cone', () => ({ g0: [NaN, 1] }))")
    worst = page.evaluate("Explore.selfTest().then((r) => String(r['explorable-primary-cone']))")
    assert worst in {"NaN", "Infinity"}


def test_model_of_the_cone_is_exact(opened, compute_cone):
    page = opened()
    degenerate = [  # opposite, orthogonal to g0, along g0, against g0, nearly parallel
        {"angle1": a, "length1": 0.7, "angle2": b, "length2": 1.3}
        for a, b in [(30, 210), (0, 180), (180, 0), (90, 270), (270, 0), (270, 271), (359, 360)]
    ]
    many = [*settings_at_random(200), *degenerate]
    script = "(many) => many.map((k) => Explore.evaluate('primary-cone', k))"
    for settings, found in zip(many, page.evaluate(script, many), strict=True):
        expected = compute_cone(**settings)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            rows = torch.stack(value) if name == "cone" else value
            got = torch.tensor(found[name], dtype=torch.float64)
            scale = max(1.0, float(rows.abs().max()))
            assert got.shape == rows.shape
            assert float((got - rows).abs().max()) <= 1e-6 * scale, (settings, name)


def agrees(page, explorable, settings):
    """Set the knobs in the page, and compare what stands there with what Python draws."""
    ident = explorable.page.ident
    page.evaluate(SET, [ident, settings])
    svg, said = explorable.draw(settings)
    expected, found = (page.evaluate(DRAWN, [ident, text]) for text in (svg, ""))
    assert len(expected) == len(found) > 5
    for a, b in zip(expected, found, strict=True):
        (left, words), (right, other) = numbers(a), numbers(b)
        assert words == other
        assert left == pytest.approx(right, abs=0.11)
    texts = page.locator(f"#{ident} .explorable-panel [data-template]").all_inner_texts()
    assert all(f">{text}</span>" in said for text in texts)


def test_script_draws_what_python_draws(opened, cone):
    page = opened()
    start = {knob.name: float(knob.value) for knob in cone.page.knobs}
    for settings in [start, *settings_at_random(12)]:
        agrees(page, cone, {k.name: k.snapped(settings[k.name]) for k in cone.page.knobs})


def test_script_draws_every_kind_of_mark_and_lets_marks_vanish(opened, every_kind):
    page = opened()
    for x, y in [(0.5, 1), (-0.3, 0.2), (0, 0), (1, 0.4)]:
        agrees(page, every_kind, {"x": float(x), "y": float(y)})
    page.evaluate(SET, ["explorable-kinds", {"x": -1}])
    assert page.locator("#explorable-kinds [data-label='2']").is_hidden()


def test_arrow_key_moves_the_picture_and_the_readouts(opened):
    page = opened()
    knob = page.get_by_label("Angle of g₁")
    before = page.evaluate(DRAWN, [CONE[1:], ""]), page.locator(f"{CONE} table").inner_text()
    knob.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert knob.input_value() == "205"
    assert knob.get_attribute("aria-valuetext") == "205°"
    assert page.locator(f"{CONE} output").first.inner_text() == "205°"
    after = page.evaluate(DRAWN, [CONE[1:], ""]), page.locator(f"{CONE} table").inner_text()
    assert before[0] != after[0]
    assert before[1] != after[1]
    page.locator(f"{CONE} .explorable-reset").click()
    assert (
        page.evaluate(DRAWN, [CONE[1:], ""]),
        page.locator(f"{CONE} table").inner_text(),
    ) == before


@pytest.mark.parametrize("width", [1000, 375])
def test_dragging_a_handle_sets_its_knobs(opened, width):
    page = opened(width=width)
    svg = page.locator(f"{CONE} .explorable-svg").bounding_box()
    box = page.locator(f"{CONE} [data-handle='0']").bounding_box()
    assert min(box["width"], box["height"]) >= 24
    scale = svg["width"] / 520
    # to (0, -1): below the origin, which is the middle of the frame
    x, y = svg["x"] + (52 + 454 / 2) * scale, svg["y"] + (12 + 454 * 3 / 4) * scale
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(x - 20, y - 20)
    page.mouse.move(x, y)
    page.mouse.up()
    page.mouse.move(x + 90, y - 90)  # let go: nothing follows any more
    angle = float(page.get_by_label("Angle of g₁").input_value())
    assert angle == pytest.approx(270, abs=2)
    assert float(page.get_by_label("Length of g₁").input_value()) == pytest.approx(1, abs=0.05)
    page.keyboard.press("ArrowRight")  # the arrow keys go on where the mouse let go
    assert float(page.get_by_label("Angle of g₁").input_value()) == angle + 1


def test_handles_follow_a_finger(opened):
    page = opened()
    page.evaluate("""() => { const grip = document.querySelector("[data-handle='1']");
      const { left, top, width, height } = grip.getBoundingClientRect();
      const at = { clientX: left + width / 2, clientY: top + height / 2, pointerId: 1 };
      grip.setPointerCapture = () => {}; grip.hasPointerCapture = () => true;
      const touch = (kind, move) => grip.dispatchEvent(new PointerEvent(kind, { ...at,
        clientX: at.clientX + move, pointerType: "touch", bubbles: true, button: 0 }));
      touch("pointerdown", 0); touch("pointermove", 40); touch("pointerup", 40); }""")
    assert page.get_by_label("Length of g₂").input_value() != "1.1"


def test_sliders_of_frames_show_one_frame_of_the_grid(opened):
    page = opened()
    shown = f"{FRAMES} [data-frame]:not([display])"
    assert page.locator(shown).get_attribute("data-frame") == "4"
    page.get_by_label("Chords").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_label("Time t").focus()
    page.keyboard.press("Home")
    assert page.locator(shown).get_attribute("data-frame") == "1"
    assert page.locator(f"{FRAMES} .explorable-readouts").inner_text() == "sin(1) = 0.841, 5 steps"
    assert page.get_by_label("Chords").get_attribute("aria-valuetext") == "five"


def test_readouts_are_announced_when_the_reader_pauses(opened):
    page = opened()
    readouts = page.locator(f"{CONE} .explorable-readouts")
    page.get_by_label("Angle of g₁").press("ArrowRight")
    assert readouts.get_attribute("aria-live") == "polite"
    page.wait_for_function(
        f"!document.querySelector('{CONE} .explorable-readouts').hasAttribute('aria-busy')"
    )


def test_without_scripting_there_is_a_picture_and_what_it_shows(opened):
    page = opened(scripting=False)
    assert page.locator(f"{CONE} .explorable-svg").is_visible()
    assert page.locator(f"{CONE} input").first.is_hidden()
    assert page.locator(f"{CONE} [data-handle]").first.is_hidden()
    assert "Angle of g₁ = 200°" in page.locator(f"{CONE} .explorable-static").inner_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1000, 375])
def test_axe_finds_nothing_and_nothing_is_too_wide(opened, theme, width):
    from axe_playwright_python.sync_playwright import Axe

    page = opened(theme=theme, width=width)
    found = Axe().run(page).response["violations"]
    assert found == [], json.dumps(found, indent=1)[:2000]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".explorable-kernel").first.is_hidden()
