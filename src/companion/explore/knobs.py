"""What the reader moves: knobs (ranges), stops (lists of values) and handles (points to drag)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import DataError
from .quantities import Quantity

__all__ = ["Handle", "Knob", "Stops"]

Number = float | int


@dataclass(frozen=True)
class Knob:
    """A number that the reader sets: `name` is compute's argument, `value` where it starts.

    >>> Knob("angle", "Angle of g₁", 0, 360, 1, 30, "°").shown(30)
    '30°'
    """

    name: str
    label: str
    low: Number
    high: Number
    step: Number
    value: Number
    unit: str = ""

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise DataError(f"knob {self.name!r}: the name is an argument of a Python function")
        if not (self.low < self.high and 0 < self.step <= self.high - self.low):
            found = f"low={self.low}, high={self.high}, step={self.step}"
            raise DataError(f"knob {self.name!r}: {found}; expected low < high, 0 < step")
        if not self.low <= self.value <= self.high:
            raise DataError(
                f"knob {self.name!r}: value {self.value}, expected {self.low} to {self.high}"
            )

    @property
    def decimals(self) -> int:
        """Digits after the point that the step needs."""
        text = f"{float(self.step):.6f}".rstrip("0")
        return len(text.split(".")[1])

    def snapped(self, value: Number) -> float:
        """Return the nearest setting that the range input can take."""
        steps = math.floor((value - self.low) / self.step + 0.5)
        inside = min(max(self.low + steps * self.step, self.low), self.high)
        return round(float(inside), 10)

    def shown(self, value: Number) -> str:
        """Return the setting as the reader sees it, with its unit."""
        space = "" if self.unit in {"", "°", "%"} else " "
        return f"{value:.{self.decimals}f}{space}{self.unit}".replace("-", "−")


@dataclass(frozen=True)
class Stops:
    """A slider over a list of values, of which the one at position `start` is shown first.

    `labels` are the words for the values; without them the values themselves are shown.
    """

    name: str
    label: str
    values: Sequence[object]
    start: int = 0
    unit: str = ""
    labels: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise DataError(f"stops {self.name!r}: the name is an argument of a Python function")
        if not 0 <= self.start < len(self.values):
            raise DataError(f"stops {self.name!r}: start {self.start} of {len(self.values)} values")
        if self.labels and len(self.labels) != len(self.values):
            found = f"{len(self.labels)} labels for {len(self.values)} values"
            raise DataError(f"stops {self.name!r}: {found}; expected as many")

    def shown(self, position: int) -> str:
        """Return the words for the value at a position."""
        if self.labels:
            return self.labels[position]
        space = "" if self.unit in {"", "°", "%"} else " "
        return f"{self.values[position]}{space}{self.unit}".replace("-", "−")


@dataclass(frozen=True)
class Handle:
    """A point that can be dragged: it sets two knobs, and the knobs move it.

    `point` is the quantity that it sits on. Give either ``polar=(angle, length)``, knobs of
    degrees and of distance from the origin, or ``cartesian=(x, y)``.
    """

    point: str
    polar: tuple[str, str] | None = None
    cartesian: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        if (self.polar is None) == (self.cartesian is None):
            raise DataError(f"handle {self.point!r}: expected either polar= or cartesian=")

    @property
    def knobs(self) -> tuple[str, str]:
        """The names of its two knobs."""
        return self.polar or self.cartesian or ("", "")

    def check(self, settings: Mapping[str, float], quantities: Mapping[str, Quantity]) -> None:
        """Raise DataError unless the quantity sits where the two knobs say."""
        for name in self.knobs:
            if name not in settings:
                raise DataError(f"handle {self.point!r}: no knob {name!r} in {', '.join(settings)}")
        first, second = (settings[name] for name in self.knobs)
        angle = math.radians(first)
        polar = (second * math.cos(angle), second * math.sin(angle))
        expected = polar if self.polar else (first, second)
        found = quantities.get(self.point)
        if not isinstance(found, tuple) or math.dist(found, expected) > 1e-6 * (1 + abs(second)):
            raise DataError(f"handle {self.point!r}: quantity is {found}, its knobs say {expected}")


def check(knobs: Sequence[Knob | Stops]) -> None:
    """Raise DataError when there is no knob, or two of one name."""
    names = [knob.name for knob in knobs]
    if not names:
        raise DataError("knobs: found none, expected at least one")
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"knob {name!r}: given twice")


def samples(knobs: Sequence[Knob], *, count: int = 24) -> list[dict[str, float]]:
    """Return the start and then evenly spread settings (an additive recurrence), always the same.

    >>> samples([Knob("a", "a", 0, 10, 1, 5)], count=3)
    [{'a': 5.0}, {'a': 1.0}, {'a': 7.0}]
    """
    # Roots of x**(k+1) = x + 1 spread k coordinates as evenly as the golden ratio spreads one.
    root = 1.5
    for _ in range(60):
        root = (1 + root) ** (1 / (len(knobs) + 1))
    settings = [{knob.name: knob.snapped(knob.value) for knob in knobs}]
    for index in range(1, count):
        parts = [(0.5 + index * root ** -(axis + 1)) % 1.0 for axis in range(len(knobs))]
        settings.append(
            {
                knob.name: knob.snapped(knob.low + part * (knob.high - knob.low))
                for knob, part in zip(knobs, parts, strict=True)
            }
        )
    return settings
