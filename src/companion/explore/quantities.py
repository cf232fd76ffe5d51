"""Quantities: the named numbers, points and paths that a setting of the knobs gives."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from ..errors import DataError, NumericsError

__all__ = ["Quantity", "evaluate", "fill", "names_in", "place", "rounded"]

Pair = tuple[float, float]
Quantity = float | Pair | list[Pair]
FIELD = re.compile(r"\{(\w+)(?::(\d))?\}")


def evaluate(result: object, *, where: str) -> dict[str, Quantity]:
    """Return what `compute` returned as plain floats, points and lists of points, all finite.

    >>> evaluate({"x": 1, "g": [1, 2], "path": [(0, 0), (1, 1)]}, where="here")["g"]
    (1.0, 2.0)
    """
    if not isinstance(result, Mapping):
        found = type(result).__name__
        raise DataError(f"{where}: compute returned {found}, expected a dict of quantities")
    return {str(name): plain(value, what=f"{where}: {name}") for name, value in result.items()}


def plain(value: object, *, what: str) -> Quantity:
    """Return a number, point or list of points as floats; tensors and arrays are unpacked."""
    unpack = getattr(value, "tolist", None)
    value = unpack() if unpack is not None else value
    if not isinstance(value, Sequence) or isinstance(value, str):
        return _number(value, what)
    items = [item.tolist() if hasattr(item, "tolist") else item for item in value]
    if len(items) == 2 and not any(isinstance(item, Sequence) for item in items):
        return _pair(items, what)
    return [_pair(item, f"{what}[{index}]") for index, item in enumerate(items)]


def _pair(value: object, what: str) -> Pair:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        raise DataError(f"{what}: found {value!r}, expected a pair of numbers")
    return _number(value[0], what), _number(value[1], what)


def _number(value: object, what: str) -> float:
    if hasattr(value, "item"):
        value = value.item()  # pyright: ignore[reportAttributeAccessIssue]
    if not isinstance(value, int | float):
        raise DataError(f"{what}: found {value!r}, expected a number, a pair or a list of pairs")
    if not math.isfinite(value):
        raise NumericsError(f"{what}: found {value}, expected a finite number")
    return float(value)


def place(
    value: object, quantities: Mapping[str, Quantity], *, what: str, path: bool
) -> list[Pair]:
    """Return the points of a place: one of them, or with `path` as many as there are."""
    if isinstance(value, str):
        if value not in quantities:
            known = ", ".join(quantities) or "none"
            raise DataError(f"{what}: no quantity {value!r}; compute returns {known}")
        found = quantities[value]
    else:
        found = plain(value, what=what)
    if isinstance(found, list) and path:
        return found
    if isinstance(found, tuple) and not path:
        return [found]
    expected = "a list of points" if path else "a point (x, y)"
    raise DataError(f"{what}: {value!r} is {found!r}, expected {expected}")


def names_in(template: str) -> list[str]:
    """Return the quantities that a template names.

    >>> names_in("λ₁ = {lambda1}, {u:3}")
    ['lambda1', 'u']
    """
    return [match[1] for match in FIELD.finditer(template)]


def fill(template: str, quantities: Mapping[str, Quantity], *, what: str) -> str:
    """Return the template with its quantities written in, 2 decimals unless it says otherwise.

    >>> fill("λ₁ = {a}, {b:1}", {"a": -0.5, "b": (1.0, -1e-12)}, what="here")
    'λ₁ = −0.50, (1.0, 0.0)'
    """

    def written(match: re.Match[str]) -> str:
        name, decimals = match[1], int(match[2] or 2)
        if name not in quantities:
            raise DataError(
                f"{what}: no quantity {name!r}; compute returns {', '.join(quantities)}"
            )
        value = quantities[name]
        if isinstance(value, list):
            raise DataError(f"{what}: quantity {name!r} is a list of points, which has no text")
        if isinstance(value, tuple):
            return f"({_fixed(value[0], decimals)}, {_fixed(value[1], decimals)})"
        return _fixed(value, decimals)

    return FIELD.sub(written, template)


def _fixed(value: float, decimals: int) -> str:
    scale = 10**decimals
    # half up on the scaled number, as the page's script rounds
    number = math.floor(value * scale + 0.5) / scale
    return f"{number + 0.0:.{decimals}f}".replace("-", "−")


def rounded(value: Quantity | Sequence[Pair]) -> object:
    """Return the value with 4 significant digits; what is below 1e-9 is noise, and 0.

    >>> rounded([(1 / 3, 1e-17), (12345.6, -2.0)])
    [[0.3333, 0], [12350, -2]]
    """
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]  # pyright: ignore[reportArgumentType]
    short = float(f"{value:.4g}") if abs(float(value)) >= 1e-9 else 0.0  # pyright: ignore[reportArgumentType]
    return int(short) if short == int(short) else short
