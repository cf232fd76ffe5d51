"""Where the labels of marks stand: each at the first free one of a few spots beside its mark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from .marks import Area, Arrow, Line, Mark, Point
from .quantities import Quantity
from .view import View

__all__ = ["arranged", "color", "label"]

Number = float | int
Pair = tuple[Number, Number]
Box = tuple[Number, Number, Number, Number]
GAP, LETTER, LINE = 15.0, 9.5, 20.0


def label(mark: Mark) -> str:
    """Return the label of a mark, empty for a kind that has none."""
    return mark.label if isinstance(mark, Arrow | Point | Line | Area) else ""


def color(mark: Mark) -> str:
    """Return the colour of a mark."""
    return getattr(mark, "color", "ink")


def arranged(
    view: View, marks: Sequence[Mark], quantities: Mapping[str, Quantity]
) -> dict[int, Pair]:
    """Return the centre of each label in pixels, by the position of its mark."""
    spots: dict[int, Pair] = {}
    anchors = {i: _anchor(view, m, quantities) for i, m in enumerate(marks) if label(m)}
    taken = [(x - 9, y - 9, x + 9, y + 9) for (x, y), _ in filter(None, anchors.values())]
    for index, anchor in anchors.items():
        if anchor is not None:
            width = LETTER * len(label(marks[index]))
            spots[index], box = _free(anchor, width, view.frame, taken)
            taken.append(box)
    return spots


def _anchor(view: View, mark: Mark, quantities: Mapping[str, Quantity]) -> tuple[Pair, Pair] | None:
    """Return the point that a label belongs to and the direction in which it goes from there."""
    if isinstance(mark, Arrow):
        start, end = (view.pixels(mark, name, quantities)[0] for name in ("start", "to"))
        length = math.dist(start, end)
        if length < 2:
            return end, (math.sqrt(0.5), math.sqrt(0.5))
        return end, ((end[0] - start[0]) / length, (end[1] - start[1]) / length)
    if isinstance(mark, Point):
        return view.pixels(mark, "at", quantities)[0], (0.0, -1.0)
    points = view.pixels(mark, "points", quantities)
    if not points:
        return None
    if isinstance(mark, Line):
        return points[-1], (0.0, -1.0)
    middle = sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)
    return middle, (0.0, -1.0)


def _free(
    anchor: tuple[Pair, Pair], width: Number, frame: Box, taken: Sequence[Box]
) -> tuple[Pair, Box]:
    (x, y), (ex, ey) = anchor
    ways = [(ex, ey, GAP), (-ey, ex, GAP), (ey, -ex, GAP), (-ex, -ey, GAP), (ex, ey, GAP + LINE)]
    first = None
    for dx, dy, gap in ways:
        reach = gap + abs(dx) * width / 2 + abs(dy) * LINE / 2
        cx = min(max(x + dx * reach, frame[0] + width / 2), frame[2] - width / 2)
        cy = min(max(y + dy * reach, frame[1] + LINE / 2), frame[3] - LINE / 2)
        box = (cx - width / 2, cy - LINE / 2, cx + width / 2, cy + LINE / 2)
        first = first or ((cx, cy), box)
        if not any(_meet(box, other) for other in taken):
            return (cx, cy), box
    assert first is not None
    return first


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
