"""How many bytes of tensors are alive at once while something is computed."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = ["peak_live_bytes"]


class _Count(TorchDispatchMode):
    """Adds up the storages that operations create, and takes them off when they are freed."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._seen: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        result = func(*args, **(kwargs or {}))
        given = {t.untyped_storage()._cdata for t in tree_leaves((args, kwargs)) if _is(t)}
        for tensor in tree_leaves(result):
            if _is(tensor) and (key := tensor.untyped_storage()._cdata) not in given | self._seen:
                self._born(key, tensor)
        return result

    def _born(self, key: int, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        size = storage.nbytes()
        self._seen.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._died, key, size)

    def _died(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self.now -= size


def _is(value: object) -> bool:
    return isinstance(value, Tensor)


def peak_live_bytes(compute: Callable[[], object]) -> int:
    """Return the largest number of bytes that tensors made by ``compute`` held at one moment.

    Counted are the results of torch's operations, forward and backward, until they are freed. What
    was there before (parameters, inputs) is not, nor what an operation needs inside itself; so the
    number is the same on every machine.

    >>> import torch
    >>> peak_live_bytes(lambda: torch.ones(1000).exp().exp())  # two at a time, 4 bytes each
    8000
    """
    with _Count() as count:
        compute()
    return count.peak
