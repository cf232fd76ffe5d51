"""What can be drawn in an explorable: marks, each a frozen description with no pixels in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from ..errors import DataError
from ..plotting import COLORS

__all__ = ["DASHES", "Area", "Arrow", "Line", "Mark", "Point", "Raster", "Segment", "Text"]

Number = float | int
Where = object
"""A place: the name of a quantity (a string), or fixed numbers (tuple, list, array or tensor)."""

DASHES = {"solid": "", "dashed": "8 5", "dotted": "1.5 5", "dashdot": "10 4 2 4"}


@dataclass(frozen=True)
class Arrow:
    """An arrow from `start` to `to`; of length zero it is drawn as a disc."""

    to: Where
    start: Where = (0.0, 0.0)
    color: str = "blue"
    label: str = ""
    dash: str = "solid"
    width: Number = 2.5
    legend: str = ""


@dataclass(frozen=True)
class Point:
    """A disc at `at`, or with `hollow` a ring; `radius` in pixels."""

    at: Where
    color: str = "blue"
    label: str = ""
    radius: Number = 5
    hollow: bool = False
    legend: str = ""


@dataclass(frozen=True)
class Line:
    """A polyline through `points`; its label stands at the last of them."""

    points: Where
    color: str = "blue"
    label: str = ""
    dash: str = "solid"
    width: Number = 2
    legend: str = ""


@dataclass(frozen=True)
class Segment:
    """A straight line from `start` to `end`, dashed unless told otherwise."""

    start: Where
    end: Where
    color: str = "gray"
    dash: str = "dashed"
    width: Number = 1.5
    legend: str = ""


@dataclass(frozen=True)
class Area:
    """A closed polygon through `points`, filled with `opacity` and outlined."""

    points: Where
    color: str = "sky"
    label: str = ""
    opacity: Number = 0.18
    legend: str = ""


@dataclass(frozen=True)
class Text:
    """Words at a place; ``{name}`` in `text` is a quantity, ``{name:3}`` with 3 decimals."""

    at: Where
    text: str
    color: str = "ink"
    anchor: str = "middle"
    size: Number = 14


@dataclass(frozen=True)
class Raster:
    """An image of few pixels: rows of integers 0 (paper) to 15 (ink), first row on top.

    `at` is the lower left corner and `size` the width and height, both fixed and in the units
    of the axes.
    """

    cells: Where
    at: Where
    size: Where


Mark = Arrow | Point | Line | Segment | Area | Text | Raster
KINDS = (Arrow, Point, Line, Segment, Area, Text, Raster)
PLACES = {"to", "start", "end", "at", "points"}


def places(mark: Mark) -> dict[str, Where]:
    """Return the fields of a mark that hold a place: the name of a quantity or fixed numbers.

    >>> places(Arrow("g1"))
    {'to': 'g1', 'start': (0.0, 0.0)}
    """
    return {f.name: getattr(mark, f.name) for f in fields(mark) if f.name in PLACES}


def describe(mark: Mark) -> str:
    """Return how an error message names a mark.

    >>> describe(Arrow("g1", label="g₁"))
    "Arrow(to='g1', start=(0.0, 0.0))"
    """
    inside = ", ".join(f"{name}={_short(value)}" for name, value in places(mark).items())
    return f"{type(mark).__name__}({inside})"


def _short(value: Where) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "…"


def check(marks: object) -> tuple[Mark, ...]:
    """Return the marks as a tuple, or raise DataError for a stranger, colour, dash or anchor."""
    found = tuple(_marks(marks))
    for mark in found:
        color = getattr(mark, "color", "ink")
        if color not in {*COLORS, "ink"}:
            raise DataError(f"{describe(mark)}: colour {color!r}; expected one of {[*COLORS]}")
        dash = getattr(mark, "dash", "solid")
        if dash not in DASHES:
            raise DataError(f"{describe(mark)}: dash {dash!r}; expected one of {[*DASHES]}")
        if isinstance(mark, Text) and mark.anchor not in {"start", "middle", "end"}:
            raise DataError(
                f"{describe(mark)}: anchor {mark.anchor!r}; expected start, middle, end"
            )
    return found


def _marks(marks: object) -> Iterator[Mark]:
    if not isinstance(marks, list | tuple):
        raise DataError(f"marks: found {type(marks).__name__}, expected a list of marks")
    for position, mark in enumerate(marks):
        if not isinstance(mark, KINDS):
            found = type(mark).__name__
            raise DataError(f"mark {position}: found {found}, expected one of explore's marks")
        yield mark
