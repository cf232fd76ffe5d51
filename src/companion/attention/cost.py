"""What a layer costs, counted, not timed: operations, scores, what the backward pass keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

__all__ = ["Cost", "cost_of"]


@dataclass(frozen=True)
class Cost:
    """What one call costs, independent of the machine.

    Args:
        operations: of the matrix products of the forward pass; a multiplication and an addition
            are two. What is done number by number is not counted.
        scores: numbers in all tensors [..., n, n] that come out of a matrix product.
        kept: numbers that the forward pass keeps for the backward pass, without parameters.
    """

    operations: int
    scores: int
    kept: int


def cost_of(layer: Callable[..., Tensor], *inputs: Tensor, length: int) -> Cost:
    """Count what one call of a layer costs.

    Tensors and layers on the device "meta" hold no numbers: nothing is computed, and the count is
    the same.

    Args:
        layer: a module or a function.
        inputs: what it is called with.
        length: n, which tells a matrix of scores from other matrices.

    >>> with torch.device("meta"):
    ...     linear, x = nn.Linear(8, 16), torch.empty(2, 5, 8)
    >>> cost_of(linear, x, length=5).operations == 2 * (2 * 5) * 8 * 16
    True
    """
    parameters = layer.parameters() if isinstance(layer, nn.Module) else ()
    fixed = {_storage(parameter) for parameter in parameters}
    kept: dict[int, Tensor] = {}  # holds them, lest a freed storage gives its number to the next

    def keep(tensor: Tensor) -> Tensor:
        if _storage(tensor) not in fixed:
            kept[_storage(tensor)] = tensor
        return tensor

    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    with hooks, FlopCounterMode(display=False) as operations, _Scores(length) as scores:
        layer(*inputs)
    sizes = [t.untyped_storage().nbytes() // t.element_size() for t in kept.values()]
    return Cost(operations.get_total_flops(), scores.numbers, sum(sizes))


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


class _Scores(TorchDispatchMode):
    """Adds up the numbers in square matrices of a length that matrix products give."""

    PRODUCTS = (torch.ops.aten.mm.default, torch.ops.aten.bmm.default)

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length, self.numbers = length, 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func in self.PRODUCTS and result.shape[-2:] == (self.length, self.length):
            self.numbers += result.numel()
        return result
