"""A page of explorables without the rest of the book, and a browser to open it in."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from companion import explore
from companion.multitask import common_descent, primary_descent

ASSETS = Path(__file__).parents[2] / "book" / "_assets"


def ray(degrees: float, length: float) -> torch.Tensor:
    """A vector of the plane; opposite angles give exactly opposite vectors."""
    angle = math.radians(degrees)
    unit = torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.float64)
    return length * unit.round(decimals=12)


def cone_of(angle1: float, angle2: float) -> list[torch.Tensor]:
    """The cone {v: <g1,v> >= 0, <g2,v> >= 0} as a fan; a line when g1 and g2 are opposite."""
    turn = (angle2 - angle1 + 180) % 360 - 180
    first, width = (angle2 if turn >= 0 else angle1) - 90, 180 - abs(turn)
    tip = ray(first + 180, 9) if turn == -180 else ray(0, 0)
    return [tip, *(ray(first + width * i / 6, 9) for i in range(7))]


def compute(angle1: float, length1: float, angle2: float, length2: float) -> dict[str, Any]:
    g = torch.stack([ray(90, 1), ray(angle1, length1), ray(angle2, length2)])
    primary = primary_descent(g[0], g[1:])
    steps = {"u": primary.update, "mgda": common_descent(g).update, "sum": g.sum(0)}
    progress = {f"{name}{i}": g[i] @ u for name, u in steps.items() for i in range(3)}
    lambdas = {"lambda1": primary.weights[0], "lambda2": primary.weights[1]}
    vectors = {"g0": g[0], "g1": g[1], "g2": g[2], "cone": cone_of(angle1, angle2)}
    return {**vectors, **steps, **lambdas, **progress}


def primary_cone() -> explore.Explorable:
    return explore.plane(
        name="primary-cone",
        title="One primary gradient, two auxiliary ones.",
        description="Drag g₁ and g₂. A step u raises no auxiliary loss while it stays in the "
        "shaded cone; the primary rule takes the point u* of the cone nearest to g₀.",
        knobs=[
            explore.Knob("angle1", "Angle of g₁", 0, 360, 1, 200, "°"),
            explore.Knob("length1", "Length of g₁", 0.2, 1.6, 0.05, 0.8),
            explore.Knob("angle2", "Angle of g₂", 0, 360, 1, 225, "°"),
            explore.Knob("length2", "Length of g₂", 0.2, 1.6, 0.05, 1.1),
        ],
        handles=[
            explore.Handle("g1", polar=("angle1", "length1")),
            explore.Handle("g2", polar=("angle2", "length2")),
        ],
        compute=compute,
        client="primary-cone",
        marks=[
            explore.Area("cone", color="sky", legend="cone: no auxiliary loss rises"),
            explore.Segment("g0", "u", color="gray", dash="dotted"),
            explore.Arrow("g1", color="orange", label="g₁"),
            explore.Arrow("g2", color="orange", label="g₂", legend="auxiliary gradients"),
            explore.Arrow("g0", color="gray", label="g₀", width=3, legend="primary gradient"),
            explore.Arrow("sum", color="purple", label="Σ", dash="dotted", legend="plain sum"),
            explore.Arrow("mgda", color="green", label="m", dash="dashed", legend="MGDA"),
            explore.Arrow("u", color="blue", label="u*", width=4, legend="primary rule"),
        ],
        x=(-2, 2, "first parameter"),
        y=(-2, 2, "second parameter"),
        readouts=[
            "λ₁ = {lambda1}, λ₂ = {lambda2}",
            explore.Table(
                head=["⟨gᵢ, step⟩", "g₀", "g₁", "g₂"],
                rows=[
                    ["primary rule", "{u0}", "{u1}", "{u2}"],
                    ["MGDA", "{mgda0}", "{mgda1}", "{mgda2}"],
                    ["plain sum", "{sum0}", "{sum1}", "{sum2}"],
                ],
            ),
        ],
    )


def kinds() -> explore.Explorable:
    """A plane with every kind of mark, some of which vanish, and a handle that moves freely."""

    def compute(x: float, y: float) -> dict[str, Any]:
        path = [(0.0, 0.0), (x, 0.0), (x, y)] if x > 0 else []
        return {"p": (x, y), "path": path, "product": x * y}

    return explore.plane(
        name="kinds",
        title="Every kind of mark.",
        description="Left of the axis the path is gone.",
        knobs=[explore.Knob("x", "Across", -1, 1, 0.1, 0.5), explore.Knob("y", "Up", 0, 1, 0.1, 1)],
        handles=[explore.Handle("p", cartesian=("x", "y"))],
        compute=compute,
        client="kinds",
        marks=[
            explore.Raster([[0, 5], [15, 5]], (-1, 0), (0.5, 0.5)),
            explore.Area("path", label="area"),
            explore.Line("path", label="path"),
            explore.Segment((0, 0), "p"),
            explore.Point("p", label="p", hollow=True),
            explore.Text("p", "{product} at {p:1}"),
            explore.Text((0, 0.1), "fixed", anchor="start"),
        ],
        x=(-1, 1, "x"),
        y=(0, 1, "y"),
    )


KINDS_MODEL = """Explore.model("kinds", ({ x, y }) => ({
  p: [x, y], path: x > 0 ? [[0, 0], [x, 0], [x, y]] : [], product: x * y }));"""


def stops() -> explore.Explorable:
    def draw(t: float, n: int) -> explore.Frame:
        points = [(k / n * t, math.sin(k / n * t)) for k in range(n + 1)]
        image = explore.Raster([[(3 * k + n) % 16 for k in range(4)]] * 2, (4.5, 0.5), (1, 0.4))
        marks = [explore.Line(points, color="blue"), explore.Point(points[-1], label="t"), image]
        return explore.Frame(marks, [f"sin({t:g}) = {math.sin(t):.3f}, {n} steps"])

    curve = [(k / 10, math.sin(k / 10)) for k in range(61)]
    return explore.frames(
        name="sine-steps",
        title="The sine in steps.",
        description="The first slider goes along the curve, the second sets how many chords.",
        knob=[
            explore.Stops("t", "Time t", [1, 2, 4, 6], start=2, unit="s"),
            explore.Stops("n", "Chords", [2, 5], labels=["two", "five"]),
        ],
        draw=draw,
        background=[explore.Line(curve, color="gray", dash="dashed", legend="sine")],
        x=(0, 6, "t (s)"),
        y=(-1.2, 1.2, "sin t"),
        height=300,
    )


@pytest.fixture(scope="session")
def make() -> dict[str, Callable[[], explore.Explorable]]:
    """The calls behind `cone` and `frames`, to make them once more."""
    return {"cone": primary_cone, "frames": stops}


@pytest.fixture(scope="session")
def compute_cone() -> Callable[..., dict[str, Any]]:
    return compute


@pytest.fixture(scope="session")
def cone() -> explore.Explorable:
    return primary_cone()


@pytest.fixture(scope="session")
def every_kind() -> explore.Explorable:
    return kinds()


@pytest.fixture(scope="session")
def frames() -> explore.Explorable:
    return stops()


PAGE = """<!DOCTYPE html>
<html lang="en" data-theme="{theme}"><head><meta charset="utf-8"><title>Explorables</title>
<link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="explore.css">
<style>body {{ margin: 0; background: var(--x-paper); }}
h1 {{ color: var(--x-ink); }}
main {{ max-width: 720px; margin: auto; padding: 16px; }}</style>
<script src="explore.js" defer></script></head>
<body><main><h1>Explorables</h1>{figures}</main></body></html>"""


HOST = "http://book.test/"


def serve(route: Any, html: str) -> None:
    """Answer from the files of the book, with no server; nothing else is there."""
    path = route.request.url.removeprefix(HOST)
    if path == "page.html":
        route.fulfill(body=html, content_type="text/html; charset=utf-8")
    elif path == "explorables/kinds.js":
        route.fulfill(body=KINDS_MODEL, content_type="text/javascript")
    elif path.endswith((".css", ".js")) and (ASSETS / path).is_file():
        route.fulfill(path=ASSETS / path)
    else:
        route.abort()


@pytest.fixture
def opened(
    browser: Any,
    cone: explore.Explorable,
    frames: explore.Explorable,
    every_kind: explore.Explorable,
) -> Iterator[Callable[..., Any]]:
    """Open a page of three figures; an error in its console fails the test."""
    contexts, errors = [], []

    def open_page(*, theme: str = "light", width: int = 1000, scripting: bool = True) -> Any:
        html = PAGE.format(theme=theme, figures=cone.html + frames.html + every_kind.html)
        context = browser.new_context(
            viewport={"width": width, "height": 900}, java_script_enabled=scripting
        )
        contexts.append(context)
        context.route("**/*", lambda route: serve(route, html))
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.goto(HOST + "page.html")
        if scripting:
            page.evaluate("Explore.ready.then(() => true)")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []
