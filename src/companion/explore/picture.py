"""From marks to SVG. The page's script repeats the geometry here, number for number."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from ..errors import DataError
from ..plotting import COLORS
from . import labels
from .marks import DASHES, Area, Arrow, Line, Mark, Point, Raster, Segment, Text, describe
from .quantities import Quantity, fill, plain
from .view import View, pixel

__all__ = ["drawn", "words"]

Number = float | int
Pair = tuple[Number, Number]
INK = "var(--x-ink,var(--jp-content-font-color1,#1f2328))"


def ink(color: str) -> str:
    """Return the CSS colour of a name: the page's variable, or its value where there is none."""
    return INK if color == "ink" else f"var(--x-{color},{COLORS[color]})"


def trace(points: Iterable[Pair]) -> str:
    """Return the path through pixel points."""
    pairs = [f"{pixel(x)} {pixel(y)}" for x, y in points]
    return "M" + "L".join(pairs) if pairs else ""


def ring(x: Number, y: Number, radius: Number) -> str:
    """Return the path of a circle."""
    r = pixel(radius)
    return (
        f"M{pixel(x - radius)} {pixel(y)}a{r} {r} 0 1 0 {pixel(2 * radius)} 0"
        f"a{r} {r} 0 1 0 {pixel(-2 * radius)} 0Z"
    )


def arrow(start: Pair, end: Pair, width: Number) -> tuple[str, str]:
    """Return the shaft and the head; an arrow shorter than two pixels is a disc."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = math.hypot(dx, dy)
    if length < 2:
        return "", ring(*start, 3 + width)
    head = min(5 + 3 * width, 0.7 * length)
    ex, ey, half = dx / length, dy / length, 0.42 * head
    foot = (end[0] - ex * head, end[1] - ey * head)
    corners = [end, (foot[0] - ey * half, foot[1] + ex * half)]
    corners += [(foot[0] + ey * half, foot[1] - ex * half)]
    return trace([start, foot]), trace(corners) + "Z"


def geometry(view: View, mark: Mark, quantities: Mapping[str, Quantity]) -> list[str]:
    """Return the path data of a mark, one string for each of its paths."""

    def at(name: str) -> list[Pair]:
        return view.pixels(mark, name, quantities)

    match mark:
        case Arrow():
            return [*arrow(at("start")[0], at("to")[0], mark.width)]
        case Point():
            return [ring(*at("at")[0], mark.radius)]
        case Segment():
            return [trace(at("start") + at("end"))]
        case Line():
            return [trace(at("points"))]
        case Area():
            return [trace(at("points")) + "Z" if at("points") else ""]
        case _:
            return []


def drawn(view: View, marks: Sequence[Mark], quantities: Mapping[str, Quantity]) -> str:
    """Return the SVG of the marks, each in a group that the script finds by its position."""
    groups = [
        f'<g data-mark="{index}">{shape(view, mark, quantities)}</g>'
        for index, mark in enumerate(marks)
    ]
    return "".join(groups)


def shape(view: View, mark: Mark, quantities: Mapping[str, Quantity]) -> str:
    """Return the SVG of one mark without its words."""
    if isinstance(mark, Raster):
        return image(view, mark)
    paths = geometry(view, mark, quantities)
    return "".join(
        f'<path d="{data}" style="{style}"/>'
        for data, style in zip(paths, styles(mark), strict=True)
    )


def image(view: View, mark: Raster) -> str:
    """Return a raster as one path for each level of grey, runs of equal pixels joined."""
    rows = plain_cells(mark)
    corner, size = (plain(v, what=describe(mark)) for v in (mark.at, mark.size))
    if not isinstance(corner, tuple) or not isinstance(size, tuple):
        raise DataError(f"{describe(mark)}: at and size are fixed pairs of numbers")
    left, bottom = view.to_pixels(corner)
    right, top = view.to_pixels((corner[0] + size[0], corner[1] + size[1]))
    scale = f"{(right - left) / len(rows[0]):.4g} {(bottom - top) / len(rows):.4g}"
    levels = "".join(
        f'<path d="{runs(rows, level)}" stroke-opacity="{level / 15:.2g}"/>'
        for level in sorted({cell for row in rows for cell in row} - {0})
    )
    return (
        f'<g transform="translate({pixel(left)} {pixel(top)}) scale({scale})" '
        f'style="stroke:{INK};stroke-width:1.02" shape-rendering="crispEdges">{levels}</g>'
    )


def words(view: View, marks: Sequence[Mark], quantities: Mapping[str, Quantity]) -> str:
    """Return the labels and texts of the marks, labels moved off each other."""
    spots = labels.arranged(view, marks, quantities)
    found = []
    for index, mark in enumerate(marks):
        if isinstance(mark, Text):
            x, y = view.pixels(mark, "at", quantities)[0]
            text = escape(fill(mark.text, quantities, what=describe(mark)))
            found.append(
                f'<text class="explorable-words" data-label="{index}" '
                f'x="{pixel(x)}" y="{pixel(y)}" dy=".35em" '
                f'text-anchor="{mark.anchor}" style="{lettering(mark.color)};'
                f'font-size:{mark.size}px">{text}</text>'
            )
        elif labels.label(mark):
            x, y = spots.get(index, (0, 0))
            shown = "" if index in spots else ' display="none"'
            text = escape(labels.label(mark))
            found.append(
                f'<text data-label="{index}" x="{pixel(x)}" y="{pixel(y)}"{shown} dy=".35em" '
                f'text-anchor="middle" style="{lettering(labels.color(mark))};'
                f'font-size:17px;font-weight:600">{text}</text>'
            )
    return "".join(found)


def styles(mark: Mark) -> list[str]:
    """Return the inline style of each path of a mark."""
    if isinstance(mark, Text | Raster):
        return []
    color = ink(mark.color)
    width = getattr(mark, "width", 1.5)
    dash = DASHES[getattr(mark, "dash", "solid")]
    dashes = f";stroke-dasharray:{dash}" if dash else ""
    line = f"fill:none;stroke:{color};stroke-width:{width};stroke-linejoin:round{dashes}"
    match mark:
        case Arrow():
            return [line, f"fill:{color};stroke:{color};stroke-width:1;stroke-linejoin:round"]
        case Point():
            paper = "var(--x-paper,var(--jp-layout-color0,#fdfcf9))"
            inside = paper if mark.hollow else color
            return [f"fill:{inside};stroke:{color};stroke-width:2"]
        case Area():
            return [f"fill:{color};fill-opacity:{mark.opacity};stroke:{color};stroke-width:1.5"]
        case _:
            return [line + ";stroke-linecap:round"]


def lettering(color: str) -> str:
    """Return the style of words: a darker shade of the colour, with a halo of paper."""
    shade = INK if color == "ink" else f"color-mix(in srgb,{ink(color)} 65%,{INK})"
    halo = "stroke:var(--x-paper,var(--jp-layout-color0,#fdfcf9));stroke-width:4"
    return f"fill:{shade};{halo};stroke-linejoin:round;paint-order:stroke"


def plain_cells(mark: Raster) -> list[list[int]]:
    """Return the rows of a raster, or raise DataError unless they are equal rows of 0 to 15."""
    cells = getattr(mark.cells, "tolist", lambda: mark.cells)()
    if not isinstance(cells, Sequence) or not cells:
        raise DataError(f"{describe(mark)}: cells {cells!r}, expected rows of integers")
    rows = [list(row) for row in cells]
    if not rows[0] or any(len(row) != len(rows[0]) for row in rows):
        raise DataError(f"{describe(mark)}: rows of {[len(r) for r in rows]} cells, expected equal")
    for r, row in enumerate(rows):
        for c, cell in enumerate(row):
            if cell not in range(16):
                raise DataError(f"{describe(mark)}: cell [{r}][{c}] is {cell!r}, expected 0 to 15")
    return [[int(cell) for cell in row] for row in rows]


def runs(rows: list[list[int]], level: int) -> str:
    """Return a path of strokes over all pixels of one level.

    >>> runs([[0, 3, 3], [3, 0, 0]], 3)
    'M1 .5h2M0 1.5h1'
    """
    found = []
    for r, row in enumerate(rows):
        c = 0
        while c < len(row):
            end = c
            while end < len(row) and row[end] == level:
                end += 1
            if end > c:
                found.append(f"M{c} {r or ''}.5h{end - c}")
            c = max(end, c + 1)
    return "".join(found)
