"""The figure of links: what the page computes is what the package decodes, at every setting."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import jupytext
import pytest
import torch

from companion.explore import Explorable

ROOT = Path(__file__).parents[2]
ASSETS = ROOT / "book" / "_assets"
TEXT = ROOT / "text" / "events" / "event-linking.md"
HOST = "http://book.test/"
PAGE = """<!DOCTYPE html><html lang="en" data-theme="light"><head><meta charset="utf-8">
<title>Links</title><link rel="icon" href="data:,"><link rel="stylesheet" href="explore.css">
<script src="explore.js" defer></script></head><body><main><h1>Links</h1>{}</main></body></html>"""


@pytest.fixture(scope="module")
def cells() -> dict[str, Any]:
    """What the cells of the chapter up to its first figure define; the figure as ``figure``."""
    space: dict[str, Any] = {}
    before = torch.get_default_dtype()
    for cell in jupytext.read(TEXT, fmt={"extension": ".md", "format_name": "myst"}).cells:
        if cell.cell_type == "code":
            last = "explore.plane(" in cell.source
            exec(cell.source.replace("explore.plane(", "figure = explore.plane("), space)
            if last:
                break
    torch.set_default_dtype(before)  # the chapter counts in double precision
    return space


@pytest.fixture(scope="module")
def compute(cells: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    return cells["compute"]


@pytest.fixture(scope="module")
def settings(cells: dict[str, Any]) -> list[dict[str, int]]:
    names = list(cells["SWITCHES"])
    return [dict(zip(names, on, strict=True)) for on in product((0, 1), repeat=len(names))]


@pytest.fixture
def page(browser: Any, cells: dict[str, Any]) -> Iterator[Any]:
    figure = cells["figure"]
    assert isinstance(figure, Explorable)
    html, errors = PAGE.format(figure.html), []

    def serve(route: Any) -> None:
        path = route.request.url.removeprefix(HOST)
        if path == "page.html":
            route.fulfill(body=html, content_type="text/html; charset=utf-8")
        elif path.endswith((".css", ".js")) and (ASSETS / path).is_file():
            route.fulfill(path=ASSETS / path)
        else:
            route.abort()

    context = browser.new_context()
    context.route("**/*", serve)
    opened = context.new_page()
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(HOST + "page.html")
    opened.evaluate("Explore.ready.then(() => true)")
    yield opened
    context.close()
    assert errors == []


def numbers(values: Iterable[Any]) -> list[float]:
    """Numbers, and the coordinates of paths, in one row; a path says its length first."""
    found: list[float] = []
    for value in values:
        points = value if isinstance(value, list) else [[value]]
        found += [len(points), *(coordinate for point in points for coordinate in point)]
    return found


def test_true_links_give_back_one_meeting_of_four(compute, settings, cells) -> None:
    start = {knob.name: knob.value for knob in cells["figure"].page.knobs}
    counts = {name: compute(**start)[name] for name in ("links", "found", "right", "lost")}
    assert counts == {"links": 12, "found": 2, "right": 1, "lost": 3}
    mistake = compute(**start | {"ac": 0})
    assert [mistake[name] for name in ("found", "right", "wrong", "lost")] == [3, 3, 0, 1]


def test_every_event_has_a_row(compute, settings) -> None:
    assert max(compute(**one)["found"] for one in settings) == 7  # as many rows as are drawn


def test_model_of_the_page_agrees_at_every_setting(page, compute, settings) -> None:
    script = "(all) => JSON.stringify(all.map((k) => Explore.evaluate('events-links', k)))"
    answers = json.loads(page.evaluate(script, settings))
    for one, found in zip(settings, answers, strict=True):
        expected = compute(**one)
        assert found.keys() == expected.keys()
        left, right = (numbers(q[name] for name in expected) for q in (found, expected))
        assert len(left) == len(right)
        assert max(abs(a - b) for a, b in zip(left, right, strict=True)) < 1e-9


def test_a_link_goes_and_comes_by_keyboard(page) -> None:
    readouts = page.locator(".explorable-readouts")
    assert "1 of them true" in readouts.inner_text()
    knob = page.get_by_label("Ann – Cy")
    knob.focus()
    page.keyboard.press("ArrowLeft")
    assert knob.input_value() == "0"
    assert "3 of them true" in readouts.inner_text()
    page.keyboard.press("ArrowRight")
    assert "1 of them true" in readouts.inner_text()
