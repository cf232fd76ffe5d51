"""The window onto the plane, and how its units become pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import DataError
from .marks import Mark, describe
from .quantities import Quantity, place

__all__ = ["View", "pixel"]

Number = float | int
Pair = tuple[Number, Number]
Axis = tuple[Number, Number, str]
WIDTH, LEFT, RIGHT, TOP, BOTTOM = 520, 52, 14, 12, 50


def pixel(value: Number) -> str:
    """Return a coordinate with one decimal, rounded half up as JavaScript rounds.

    >>> pixel(12.25), pixel(-0.01), pixel(3.0)
    ('12.3', '0', '3')
    """
    number = math.floor(value * 10 + 0.5) / 10 + 0.0
    return str(int(number)) if number == int(number) else str(number)


@dataclass(frozen=True)
class View:
    """The window onto the plane: ranges and labels of the axes, and the height in pixels."""

    x: Axis
    y: Axis
    height: Number

    @classmethod
    def of(cls, x: Axis, y: Axis, height: Number | None) -> View:
        """Return a view; with no height a unit is as long upwards as sideways."""
        for name, axis in (("x", x), ("y", y)):
            if len(axis) != 3 or not axis[0] < axis[1]:
                raise DataError(f"{name}: found {axis!r}, expected (low, high, label), low < high")
        ratio = (y[1] - y[0]) / (x[1] - x[0])
        return cls(x, y, height or round((WIDTH - LEFT - RIGHT) * ratio) + TOP + BOTTOM)

    @property
    def frame(self) -> tuple[Number, Number, Number, Number]:
        """Left, top, right and bottom in pixels."""
        return LEFT, TOP, WIDTH - RIGHT, self.height - BOTTOM

    def to_pixels(self, point: Pair) -> Pair:
        """Return where a point of the plane lies."""
        left, top, right, bottom = self.frame
        across = (point[0] - self.x[0]) / (self.x[1] - self.x[0])
        up = (point[1] - self.y[0]) / (self.y[1] - self.y[0])
        return left + across * (right - left), bottom - up * (bottom - top)

    def pixels(self, mark: Mark, name: str, quantities: Mapping[str, Quantity]) -> list[Pair]:
        """Return the points of one field of a mark."""
        value, what = getattr(mark, name), f"{describe(mark)}.{name}"
        return [
            self.to_pixels(p) for p in place(value, quantities, what=what, path=name == "points")
        ]
