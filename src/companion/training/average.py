"""The moving average of the weights."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from companion.training.recipe import average_decay

__all__ = ["Average"]


class Average:
    r"""The exponential moving average :math:`\bar\theta \leftarrow d\bar\theta + (1 - d)\theta`.

    Buffers that begin as finite floating-point numbers are averaged too, all others copied.

    Args:
        model: whose weights are averaged; a copy of it holds the average.
        limit: d once the run is long enough, see ``average_decay``.

    >>> model = nn.Linear(1, 1, bias=False)
    >>> average = Average(model, limit=0.999)
    >>> average.update(nn.Linear(1, 1, bias=False), step=1)
    >>> average.module.training
    False
    """

    def __init__(self, model: nn.Module, *, limit: float) -> None:
        self.module = copy.deepcopy(model).requires_grad_(False).eval()
        self.limit = limit
        self._copied = [_has_no_average(buffer) for buffer in self.module.buffers()]

    @torch.no_grad()
    def restart(self, model: nn.Module) -> None:
        """Begin at the weights of ``model``, on its device."""
        device = next(model.parameters()).device
        self.module.to(device)
        pairs = [*_pairs(self.module.parameters(), model.parameters())]
        for mine, other in [*pairs, *_pairs(self.module.buffers(), model.buffers())]:
            mine.copy_(other)

    @torch.no_grad()
    def update(self, model: nn.Module, *, step: int) -> None:
        """Take in the weights after a step, counted from 1."""
        share = 1 - average_decay(self.limit, step)
        _mix(_pairs(self.module.parameters(), model.parameters()), share)
        buffers = _pairs(self.module.buffers(), model.buffers())
        _mix(
            [pair for pair, copied in zip(buffers, self._copied, strict=True) if not copied], share
        )
        for (mine, other), copied in zip(buffers, self._copied, strict=True):
            if copied:
                mine.copy_(other)


def _has_no_average(buffer: Tensor) -> bool:
    """A counter is no average of counters, and a mask of −∞ would turn into NaN."""
    return not (buffer.is_floating_point() and bool(buffer.isfinite().all()))


def _pairs(mine, others) -> list[tuple[Tensor, Tensor]]:
    return list(zip(mine, others, strict=True))


def _mix(pairs: list[tuple[Tensor, Tensor]], share: float) -> None:
    if pairs:
        torch._foreach_lerp_(  # pyright: ignore[reportPrivateImportUsage]
            [mine for mine, _ in pairs], [other for _, other in pairs], share
        )
