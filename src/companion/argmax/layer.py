"""An output layer, prepared: rows shifted to their mean and scaled, with bounds on what rounds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from companion.errors import DataError, NumericsError, ShapeError

__all__ = ["OutputLayer", "gamma", "prepare"]

MEMORY = 1 << 30  # bytes for a scan, if nobody says otherwise
CACHE = {False: 1 << 22, True: 1 << 28}  # bytes of a block of products, on a CPU and on a GPU
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def gamma(terms: int, dtype: torch.dtype) -> float:
    r"""Bound the relative error of a sum of products: :math:`\gamma_m = m u / (1 - m u)`.

    Whatever the order of the sum (Higham, *Accuracy and Stability of Numerical Algorithms*, 3.1),
    :math:`|\mathrm{fl}(x^\top y) - x^\top y| \le \gamma_m |x|^\top |y| \le \gamma_m \|x\| \|y\|`.

    >>> gamma(1, torch.float64) < 1.2e-16
    True
    """
    share = terms * torch.finfo(dtype).eps / 2
    return share / (1 - share)


@dataclass(frozen=True)
class OutputLayer:
    r"""Rows :math:`x_i = (s w_i, s' b_i) - c` of a layer; differences are all that matters.

    ``s`` and ``s'`` are powers of two (nothing is rounded) that bring the greatest entry near 1;
    ``c`` is a float32 vector near the mean. A point z of the layer is the direction
    :math:`y = (z / s, 1 / s')` of the rows, so that
    :math:`\langle x_i - x_j, y\rangle` is the difference of two logits.
    """

    weight: Tensor
    bias: Float64[Tensor, " class"] | None
    scale: float
    unit: float  # s', the scale of the bias
    centre: Float64[Tensor, " dim"]
    norms: Float64[Tensor, " class"]  # upper bounds of |x_i|
    memory: int
    kept: tuple[Float[Tensor, "class dim"], ...] = ()  # all rows, in precisions that fit in memory

    @property
    def classes(self) -> int:
        return len(self.weight)

    @property
    def dim(self) -> int:
        """Entries of a row x: one more than of w where there is a bias."""
        return len(self.centre)

    def rows(
        self, which: slice | Tensor, dtype: torch.dtype = torch.float64
    ) -> Float[Tensor, "row dim"]:
        """Return rows x, each entry rounded once to ``dtype``."""
        for kept in self.kept:
            if kept.dtype == dtype:
                return kept[which]
        return _rows(self.weight, self.bias, (self.scale, self.unit), self.centre, which, dtype)

    def blocks(
        self, width: int, dtype: torch.dtype, multiple: int
    ) -> Iterator[tuple[int, Float[Tensor, "row dim"]]]:
        """Yield (first class, rows), a ``multiple`` of rows that fits where products are fast.

        What is made of a block, products with ``width`` directions, fits in a part of the memory.
        """
        size = torch.finfo(dtype).bits // 8
        fast = CACHE[self.weight.is_cuda] // max(1, size * width)
        count = min(fast, self.memory // (8 * (size * width + 12 * self.dim)))
        count = max(1, count // multiple) * multiple
        for start in range(0, self.classes, count):
            yield start, self.rows(slice(start, start + count), dtype)

    def lift(self, z: Float64[Tensor, "row dim"]) -> Float64[Tensor, "row lifted"]:
        """Return the directions y of the points z."""
        y = z / self.scale
        if self.bias is None:
            return y
        return torch.nn.functional.pad(y, (0, 1), value=1 / self.unit)

    def lower(self, y: Float64[Tensor, "row lifted"]) -> Float64[Tensor, "row dim"]:
        """Return the points z of directions y, whose last entry is positive if there is a bias."""
        if self.bias is None:
            return y * self.scale
        return y[:, :-1] * self.scale / (y[:, -1:] * self.unit)


def prepare(
    weight: Tensor,
    bias: Tensor | None,
    *,
    centre: Tensor | None = None,
    device: str | torch.device | None = None,
    memory: int | None = None,
) -> OutputLayer:
    """Check a layer and measure it; see ``argmaxable`` for the arguments and the errors."""
    check_layer(weight, bias)
    memory = MEMORY if memory is None else memory
    if memory < 1 << 20:
        raise DataError(f"memory is {memory} bytes; expected at least {1 << 20}")
    weight = weight.detach()
    weight = weight if device is None else weight.to(device)
    bias = None if bias is None else bias.detach().to(weight.device, torch.float64)
    step = max(1, memory // (64 * weight.shape[1]))
    scales = (_power_of_two(_greatest(weight, step)), 1.0)
    if bias is not None:
        scales = (scales[0], _power_of_two(float(bias.abs().max())))
    if centre is None:
        centre = _mean(weight, bias, scales, step)
    centre = centre.to(weight.device)
    norms = torch.empty(len(weight), dtype=torch.float64, device=weight.device)
    for start in range(0, len(weight), step):
        rows = _rows(weight, bias, scales, centre, slice(start, start + step), torch.float64)
        norms[start : start + step] = rows.norm(dim=1)
    norms *= 1 + gamma(2 * len(centre) + 8, torch.float64)
    layer = OutputLayer(weight, bias, *scales, centre, norms, memory)
    return replace(layer, kept=_kept(layer))


def _kept(layer: OutputLayer) -> tuple[Float[Tensor, "class dim"], ...]:
    """Return all rows in float32 and in float64, as far as a half of the memory holds them."""
    kept, room = [], layer.memory // 2
    for dtype, size in ((torch.float32, 4), (torch.float64, 8)):
        room -= size * layer.classes * layer.dim
        if room >= 0:
            kept.append(layer.rows(slice(None), dtype))
    return tuple(kept)


def check_layer(weight: Tensor, bias: Tensor | None) -> None:
    """Raise unless these are a weight matrix of two rows or more and its bias, all finite."""
    if weight.ndim != 2 or weight.shape[1] == 0:
        raise ShapeError(f"weight has shape {tuple(weight.shape)}; expected [class, dim], dim >= 1")
    if len(weight) < 2:
        raise ShapeError(f"weight has {len(weight)} row(s); expected at least two classes")
    for name, tensor in (("weight", weight), ("bias", bias)):
        if tensor is not None and tensor.dtype not in FLOATS:
            wanted = ", ".join(str(dtype).removeprefix("torch.") for dtype in FLOATS)
            raise DataError(f"{name} is {tensor.dtype}; expected one of {wanted}")
    if bias is not None and tuple(bias.shape) != (len(weight),):
        found = f"bias has shape {tuple(bias.shape)}, weight {tuple(weight.shape)}"
        raise ShapeError(f"{found}; expected one number a row, [{len(weight)}]")
    for start in range(0, len(weight), 4096):
        _check_finite("weight", weight, start)
    if bias is not None and not bool(bias.isfinite().all()):
        bad = (~bias.isfinite()).nonzero()[:, 0].tolist()
        raise NumericsError(_not_finite("bias", bias, bad))


def _check_finite(name: str, weight: Tensor, start: int) -> None:
    if bool(weight[start : start + 4096].isfinite().all()):
        return
    bad: list[int] = []
    for first in range(start, len(weight), 4096):
        rows = ~weight[first : first + 4096].isfinite().all(dim=1)
        bad += (first + rows.nonzero()[:, 0]).tolist()
    raise NumericsError(_not_finite(name, weight[bad[0]], bad))


def _not_finite(name: str, values: Tensor, bad: list[int]) -> str:
    value = values[~values.isfinite()][0].item()
    which = ", ".join(map(str, bad[:5])) + (", …" if len(bad) > 5 else "")
    return (
        f"{name} holds {value}: not finite in {len(bad)} row(s), {which}; expected finite numbers"
    )


def _greatest(weight: Tensor, step: int) -> float:
    parts = [weight[i : i + step].abs().max() for i in range(0, len(weight), step)]
    return float(torch.stack(parts).max())


def _power_of_two(greatest: float) -> float:
    """Return the power of two that brings ``greatest`` into [1/2, 1); 1 for zero."""
    exponent = -math.frexp(greatest)[1] if greatest > 0 else 0
    return math.ldexp(1.0, max(-1020, min(1020, exponent)))


def _mean(
    weight: Tensor, bias: Tensor | None, scales: tuple[float, float], step: int
) -> Float64[Tensor, " dim"]:
    total = torch.zeros(weight.shape[1], dtype=torch.float64, device=weight.device)
    for start in range(0, len(weight), step):
        total += (weight[start : start + step].double() * scales[0]).sum(0)
    if bias is not None:
        total = torch.cat([total, (bias * scales[1]).sum(0, keepdim=True)])
    return (total / len(weight)).float().double()  # float32 rows need a float32 centre


def _rows(
    weight: Tensor,
    bias: Tensor | None,
    scales: tuple[float, float],
    centre: Float64[Tensor, " dim"],
    which: slice | Int64[Tensor, " row"],
    dtype: torch.dtype,
) -> Float[Tensor, "row dim"]:
    work = torch.float64 if weight.dtype == torch.float64 else dtype
    rows = weight[which].to(work) * scales[0] - centre[: weight.shape[1]].to(work)
    if bias is not None:
        last = bias[which] * scales[1] - centre[-1]
        rows = torch.cat([rows, last[:, None].to(work)], dim=1)
    return rows.to(dtype)
