"""The quiet ground of a picture: frame, grid, ticks and the labels of the axes."""

from __future__ import annotations

import math
from html import escape

from .picture import INK
from .view import BOTTOM, LEFT, WIDTH, View, pixel

__all__ = ["ground", "ticks"]

GRID = "var(--x-grid,#8a8f9833)"


def ticks(low: float | int, high: float | int) -> list[float]:
    """Return four to nine round numbers in the range.

    >>> ticks(-2, 2)
    [-2.0, -1.0, 0.0, 1.0, 2.0]
    """
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((1, 2, 5, 10), key=lambda m: abs(math.log(m * power / rough))) * power
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 10) + 0.0 for index in range(first, last + 1)]


def ground(view: View) -> str:
    """Return the SVG of the grid lines at the ticks, and the words at the axes.

    An axis without a label is no scale: it has no ticks and no grid.
    """
    left, top, right, bottom = view.frame
    lines, words = [], []
    for value in ticks(*view.x[:2]) if view.x[2] else ():
        x = pixel(view.to_pixels((value, view.y[0]))[0])
        lines.append((f"M{x} {pixel(top)}V{pixel(bottom)}", value == 0))
        words.append(f'<text x="{x}" y="{pixel(bottom + 20)}">{written(value)}</text>')
    for value in ticks(*view.y[:2]) if view.y[2] else ():
        y = pixel(view.to_pixels((view.x[0], value))[1])
        lines.append((f"M{pixel(left)} {y}H{pixel(right)}", value == 0))
        words.append(
            f'<text x="{LEFT - 7}" y="{y}" dy=".35em" style="text-anchor:end">'
            f"{written(value)}</text>"
        )
    middle = (top + bottom) / 2
    words.append(
        f'<text x="{pixel((left + right) / 2)}" y="{pixel(bottom + BOTTOM - 8)}" '
        f'class="explorable-axis" style="font-size:14px">{escape(view.x[2])}</text>'
        f'<text transform="translate(16 {pixel(middle)}) rotate(-90)" '
        f'class="explorable-axis" style="font-size:14px">{escape(view.y[2])}</text>'
    )
    plain, zero = ("".join(d for d, at_zero in lines if at_zero == z) for z in (False, True))
    return (
        f'<path d="{plain}" style="stroke:{GRID};stroke-width:1"/>'
        f'<path d="{zero}" style="stroke:var(--x-axis,#8a8f98);stroke-width:1"/>'
        f'<g class="explorable-ticks" style="fill:{INK};font-size:12px;text-anchor:middle">'
        f"{''.join(words)}</g>"
    )


def written(value: float | int) -> str:
    """Return a tick as text, with a real minus sign."""
    return f"{value:g}".replace("-", "−")


def canvas(view: View, inside: str, *, name: str, extra: str = "") -> str:
    """Return the whole SVG: ground, what is `inside` the frame and clipped, and `extra` on top."""
    left, top, right, bottom = view.frame
    clip = f"{name}-clip"
    box = (
        f'x="{pixel(left)}" y="{pixel(top)}" '
        f'width="{pixel(right - left)}" height="{pixel(bottom - top)}"'
    )
    return (
        f'<svg class="explorable-svg" viewBox="0 0 {WIDTH} {view.height}" role="img" '
        f'aria-labelledby="{name}-title" aria-describedby="{name}-about" '
        f'xmlns="http://www.w3.org/2000/svg" '
        f'style="display:block;width:100%;max-width:{WIDTH}px;height:auto;'
        f'font-family:inherit;font-size:14px">'
        f'<defs><clipPath id="{clip}"><rect {box}/></clipPath></defs>'
        f'<rect {box} style="fill:var(--x-paper,var(--jp-layout-color0,#fdfcf9))"/>'
        f'{ground(view)}<g clip-path="url(#{clip})">{inside}</g>{extra}</svg>'
    )
