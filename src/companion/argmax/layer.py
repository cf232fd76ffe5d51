"""An output layer, prepared: rows shifted to their mean and scaled, with bounds on what rounds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from companion.argmax.layer_errors import check_layer, strip
from companion.errors import DataError

__all__ = ["OutputLayer", "gamma", "prepare"]

MEMORY = 1 << 30  # bytes for a scan, if nobody says otherwise
CACHE = {False: 1 << 22, True: 1 << 28}  # bytes of a block of products, on a CPU and on a GPU


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
        count = len(self.norms[which])
        out = torch.empty(count, self.dim, dtype=dtype, device=self.weight.device)
        self.fill(out, which)
        return out

    def fill(self, out: Float[Tensor, "row dim"], which: slice | Tensor) -> None:
        """Write rows x into ``out``: a scan of all of them needs no new memory for each block."""
        part, dim = out[:, : self.weight.shape[1]], self.weight.shape[1]
        if self.weight.dtype == torch.float64 and out.dtype != torch.float64:
            part.copy_(self.weight[which] * self.scale - self.centre[:dim])
        else:
            part.copy_(self.weight[which])
            part.mul_(self.scale).sub_(self.centre[:dim].to(out.dtype))
        if self.bias is not None:
            out[:, -1] = self.bias[which] * self.unit - self.centre[-1]

    def blocks(
        self, width: int, dtype: torch.dtype, multiple: int
    ) -> Iterator[tuple[int, Float[Tensor, "row dim"]]]:
        """Yield (first class, rows), a ``multiple`` of rows that fits where products are fast.

        The rows may lie where those of the last block lay. What is made of a block, products with
        ``width`` directions, fits in a part of the memory.
        """
        count = max(1, self.block_rows(width, dtype) // multiple) * multiple
        kept = [rows for rows in self.kept if rows.dtype == dtype]
        buffer = torch.empty(0 if kept else count, self.dim, dtype=dtype, device=self.norms.device)
        for start in range(0, self.classes, count):
            rows = kept[0][start : start + count] if kept else buffer[: self.classes - start]
            if not kept:
                self.fill(rows, slice(start, start + count))
            yield start, rows

    def block_rows(self, width: int, dtype: torch.dtype) -> int:
        """Return how many rows to multiply with ``width`` directions at a time."""
        size = torch.finfo(dtype).bits // 8
        fast = CACHE[self.weight.is_cuda] // (size * max(width, self.dim))
        return max(1, min(fast, self.memory // (8 * (size * width + 12 * self.dim))))

    def together(self, most: int) -> int:
        """Return how many classes, at most ``most``, to scan at once in the memory there is."""
        return max(16, min(most, self.memory // (64 * self.dim), self.memory // self.classes))

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
    zeros = torch.zeros(1, dtype=torch.float64, device=weight.device)
    nowhere, none = zeros.expand(weight.shape[1] + (bias is not None)), zeros.expand(len(weight))
    unit = 1.0 if bias is None else _power_of_two(float(bias.abs().max()))
    scale = _power_of_two(_greatest(weight))
    layer = OutputLayer(weight, bias, scale, unit, nowhere, none, memory)
    centre = _mean(layer) if centre is None else centre.to(weight.device)
    layer = replace(layer, centre=centre)
    layer = replace(layer, norms=_norms(layer))
    return replace(layer, kept=_kept(layer))


def _kept(layer: OutputLayer) -> tuple[Float[Tensor, "class dim"], ...]:
    """Return all rows in float32 and in float64, as far as a half of the memory holds them."""
    kept, room = [], layer.memory // 2
    for dtype, size in ((torch.float32, 4), (torch.float64, 8)):
        room -= size * layer.classes * layer.dim
        if room >= 0:
            rows = torch.empty(layer.classes, layer.dim, dtype=dtype, device=layer.norms.device)
            layer.fill(rows, slice(None))
            kept.append(rows)
    return tuple(kept)


def _greatest(weight: Tensor) -> float:
    step = strip(weight)
    ends = [torch.aminmax(weight[i : i + step]) for i in range(0, len(weight), step)]
    return max(float(torch.stack([*end]).abs().max()) for end in ends)


def _power_of_two(greatest: float) -> float:
    """Return the power of two that brings ``greatest`` into [1/2, 1); 1 for zero."""
    exponent = -math.frexp(greatest)[1] if greatest > 0 else 0
    return math.ldexp(1.0, max(-1020, min(1020, exponent)))


def _mean(layer: OutputLayer) -> Float64[Tensor, " lifted"]:
    """Return the mean of the rows as they are before they are shifted, in float32."""
    step, (count, dim) = strip(layer.weight), layer.weight.shape
    total = torch.zeros(layer.dim, dtype=torch.float64, device=layer.weight.device)
    buffer = torch.empty(step, dim, dtype=torch.float64, device=layer.weight.device)
    for start in range(0, count, step):
        rows = buffer[: min(step, count - start)].copy_(layer.weight[start : start + step])
        total[:dim] += rows.mul_(layer.scale).sum(0)
    if layer.bias is not None:
        total[-1] = (layer.bias * layer.unit).sum()
    return (total / count).float().double()  # float32 rows need a float32 centre


def _norms(layer: OutputLayer) -> Float64[Tensor, " class"]:
    norms = torch.empty(layer.classes, dtype=torch.float64, device=layer.weight.device)
    step = strip(layer.weight)
    buffer = torch.empty(step, layer.dim, dtype=torch.float64, device=layer.weight.device)
    for start in range(0, layer.classes, step):
        rows = buffer[: min(step, layer.classes - start)]
        layer.fill(rows, slice(start, start + step))
        norms[start : start + step] = torch.linalg.vector_norm(rows, dim=1)
    return norms * (1 + gamma(2 * layer.dim + 8, torch.float64))
