"""Which code runs: the kernel where there is one, else the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from companion.attention.gau import gau_attention
from companion.attention.mixed_chunk import mixed_chunk_attention
from companion.training.devices import has_triton

__all__ = ["fastest"]

UNFUSED = "attention runs unfused on CUDA"


def fastest(*tensors: Tensor, **options: Any) -> Tensor:
    """Attend by the kernel on CUDA with Triton, else by the reference.

    Args:
        tensors: the three of ``gau_attention``, or the five of ``mixed_chunk_attention``.
        options: those of the one or the other.

    >>> import torch
    >>> q = k = v = torch.ones(1, 2, 1)
    >>> fastest(q, k, v, length=4).flatten()
    tensor([0.5000, 0.5000])
    """
    reference: Callable[..., Tensor] = {3: gau_attention, 5: mixed_chunk_attention}[len(tensors)]
    if not tensors[0].is_cuda or not has_triton(UNFUSED):
        return reference(*tensors, **options)
    from companion.attention import kernels

    return getattr(kernels, reference.__name__)(*tensors, **options)
