"""Nested values as JSON and tensors, and back: what pickle would do, without running code."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from companion.errors import CheckpointError

__all__ = ["pack", "raw_bytes", "unpack"]

KINDS = {"list": list, "tuple": tuple}


def pack(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """Return a value as JSON can hold it, and put its tensors, on the CPU, into ``tensors``.

    Args:
        value: numbers, texts, None and tensors in dicts, lists and tuples of any depth.
        name: what the names of its tensors begin with.

    Raises:
        CheckpointError: if it holds anything else.

    >>> tensors = {}
    >>> packed = pack({"betas": (0.9, 0.99), 0: torch.zeros(2)}, "state", tensors)
    >>> packed
    {'dict': [['betas', {'tuple': [0.9, 0.99]}], [0, {'tensor': 'state.0'}]]}
    >>> unpack(packed, tensors)
    {'betas': (0.9, 0.99), 0: tensor([0., 0.])}
    """
    if isinstance(value, Tensor):
        copy = value.detach().to("cpu", memory_format=torch.contiguous_format, copy=True)
        tensors[name] = copy
        return {"tensor": name}
    if isinstance(value, dict):
        items = [
            [key, pack(part, f"{name}.{key}".lstrip("."), tensors)] for key, part in value.items()
        ]
        return {"dict": items}
    for kind, type_ in KINDS.items():
        if isinstance(value, type_):
            return {kind: [pack(v, f"{name}.{i}", tensors) for i, v in enumerate(value)]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    found = f"{name} is a {type(value).__name__}"
    raise CheckpointError(f"{found}; a checkpoint holds tensors, numbers and texts")


def unpack(packed: Any, tensors: dict[str, Tensor]) -> Any:
    """Return the value that ``pack`` has taken apart."""
    if not isinstance(packed, dict):
        return packed
    [(kind, content)] = packed.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {key: unpack(part, tensors) for key, part in content}
    return KINDS[kind](unpack(part, tensors) for part in content)


def raw_bytes(value: Tensor) -> memoryview:
    """Return the bytes of a contiguous tensor on the CPU, without a copy."""
    return value.reshape(-1).view(torch.uint8).numpy().data
