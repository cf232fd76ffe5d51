"""How a measured number grows with depth: the exponent of a power law, with its error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from companion.errors import DataError

__all__ = ["Slope", "scaling_slope"]

Numbers = Sequence[float | int] | Float[Tensor, " depth"] | Int[Tensor, " depth"]
Values = Numbers | Sequence[Sequence[float | int]] | Float[Tensor, "depth seed"]


class Slope(NamedTuple):
    """The exponent p of values ∝ depth^p, and its standard error."""

    exponent: float
    stderr: float


def scaling_slope(depths: Numbers, values: Values) -> Slope:
    r"""Fit :math:`\log v = p \log N + c` by least squares, and return p with its standard error.

    Args:
        depths: N, positive.
        values: v > 0, one for each depth, or a row of several (seeds) for each depth; then every
            one is a point, and the error is that of scattered points about a line.

    Returns:
        ``Slope(exponent, stderr)``. The error of two points is NaN: they lie on every line. If a
        value is infinite or NaN (a network that exploded), so is the answer: both are NaN.

    Raises:
        DataError: if the numbers of depths and values differ, there are fewer than two different
            depths, or a depth or value is not positive.

    >>> scaling_slope([1, 10, 100], [3.0, 30.0, 300.0])
    Slope(exponent=1.0, stderr=0.0)
    """
    x, y = (torch.as_tensor(v, dtype=torch.float64).cpu() for v in (depths, values))
    if x.ndim != 1 or y.ndim not in (1, 2) or len(x) != len(y):
        shapes = f"depths have shape {list(x.shape)}, values {list(y.shape)}"
        raise DataError(f"{shapes}; expected a value, or a row of values, for each depth")
    for name, numbers in (("depth", x), ("value", y)):
        if (numbers <= 0).any():
            at = torch.nonzero(numbers <= 0)[0].tolist()
            raise DataError(f"{name} {at} is {numbers[tuple(at)]}; expected it above 0")
    if len(x.unique()) < 2 or not x.isfinite().all():
        raise DataError(f"depths are {x.tolist()}; expected two different ones, finite")
    if not y.isfinite().all():
        return Slope(float("nan"), float("nan"))
    return _fit(x, y.reshape(len(x), -1))


def _fit(x: Tensor, y: Tensor) -> Slope:
    u = x.log()[:, None].expand_as(y).flatten()
    v = y.log().flatten()
    u, v = u - u.mean(), v - v.mean()
    slope = (u @ v) / (u @ u)
    rest = v - slope * u
    if len(u) == 2:
        return Slope(float(slope), float("nan"))
    noise = rest @ rest / (len(u) - 2)
    # the rounding of the logarithms is no error of the fit
    noise = torch.where(noise < 1e-28 * (1 + v @ v), 0.0, noise)
    return Slope(round(float(slope), 12), float((noise / (u @ u)).sqrt()))
