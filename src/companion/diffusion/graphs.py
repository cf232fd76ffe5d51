"""The network's call as one CUDA graph: for small batches, where launching costs more than work."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

__all__ = ["Graphed"]

WARM_UP = 3  # calls before the recording: libraries choose algorithms and allocate in the first


@dataclass(frozen=True)
class _Recording:
    """Where a recorded call reads and writes, and how to repeat it."""

    x: Tensor
    t: Tensor
    y: Tensor
    replay: Callable[[], None]
    weights: list[Tensor]
    addresses: list[int]  # of the weights, as the recording reads them

    def is_stale(self) -> bool:
        """Say whether the weights have moved away from where the recording reads them."""
        return self.addresses != [weight.data_ptr() for weight in self.weights]


class Graphed(nn.Module):
    """Call ``model(x_t, t)`` by replaying a CUDA graph of it, for use in ``sample``.

    The first call with a shape runs the model a few times and records it; the calls that follow
    copy x and t to where the recording reads them and replay it: one launch in place of some
    hundred. The numbers are those of the model. Weights may change in place (a step of training,
    ``load_state_dict``); a model that was moved or cast is recorded again.

    Only calls on CUDA, in evaluation mode and without gradients are recorded, as in ``sample``;
    all others go to the model itself. On the CPU this is every call, and a warning says so once.

    Args:
        model: the network. No branch of it may depend on the values in x or t, and none of its
            layers may be exchanged for another afterwards.
        keep: recordings that are kept, one for each shape, precision and state of autocast. Each
            holds the memory of a call.

    >>> net = Graphed(nn.Conv2d(1, 1, 3).cuda().eval())  # doctest: +SKIP
    >>> sample(net, Schedule.su(), (16, 1, 8, 8))  # doctest: +SKIP
    """

    def __init__(self, model: nn.Module, *, keep: int = 4) -> None:
        super().__init__()
        self.model, self.keep = model, keep
        self._recordings: dict[Hashable, _Recording] = {}
        self._told = False

    def forward(
        self, x: Float[Tensor, "batch ..."], t: Int64[Tensor, " batch"]
    ) -> Float[Tensor, "batch ..."]:
        """Return ``model(x, t)``, a tensor of its own."""
        if not _on_cuda(x):
            self._say_so(x)
            return self.model(x, t)
        if torch.is_grad_enabled() or self.model.training:
            return self.model(x, t)
        cast = torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else None
        key = (x.shape, x.dtype, x.device, cast)
        recording = self._recordings.get(key)
        if recording is None or recording.is_stale():
            self._recordings.pop(key, None)
            while len(self._recordings) >= self.keep:  # the oldest
                del self._recordings[next(iter(self._recordings))]
            recording = self._recordings[key] = _record(self.model, x, t)
        recording.x.copy_(x)
        recording.t.copy_(t)
        recording.replay()
        return recording.y.clone()

    def _say_so(self, x: Tensor) -> None:
        if not self._told:
            self._told = True
            warnings.warn(f"x is on {x.device}: without CUDA there is no graph", stacklevel=3)


def _on_cuda(x: Tensor) -> bool:
    return x.is_cuda


def _record(model: nn.Module, x: Tensor, t: Tensor) -> _Recording:
    """Warm up on a stream of its own, then record one call."""
    x, t = x.clone(), t.clone()
    here = torch.cuda.current_stream(x.device)
    aside = torch.cuda.Stream(x.device)
    aside.wait_stream(here)
    with torch.cuda.device(x.device), _uncached_autocast():
        with torch.cuda.stream(aside):
            for _ in range(WARM_UP):
                model(x, t)
        here.wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            y = model(x, t)
    weights = [*model.parameters(), *model.buffers()]
    return _Recording(x, t, y, graph.replay, weights, [weight.data_ptr() for weight in weights])


def _uncached_autocast() -> AbstractContextManager[object]:
    """Return autocast as it is, without its cache: what a graph reads must outlive autocast."""
    if not torch.is_autocast_enabled("cuda"):
        return nullcontext()
    dtype = torch.get_autocast_dtype("cuda")
    return torch.autocast("cuda", dtype=dtype, cache_enabled=False)
