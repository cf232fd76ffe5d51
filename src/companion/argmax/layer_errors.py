"""What is no output layer: one clear error that names the offender."""

from __future__ import annotations

import torch
from torch import Tensor

from companion.errors import DataError, NumericsError, ShapeError

__all__ = ["check_layer", "strip"]

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
STRIP = 1 << 17  # entries


def strip(weight: Tensor) -> int:
    """Return how many rows to read together: a mebibyte of float64, or a gibibyte on a GPU."""
    return max(1, (STRIP << 10 if weight.is_cuda else STRIP) // weight.shape[1])


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
    _check_finite("weight", weight)
    if bias is not None:
        _check_finite("bias", bias[:, None])


def _check_finite(name: str, rows: Tensor) -> None:
    step = strip(rows)
    for start in range(0, len(rows), step):
        if not all(end.isfinite() for end in torch.aminmax(rows[start : start + step])):
            break
    else:
        return
    bad = [
        first + row
        for first in range(start, len(rows), step)
        for row in (~rows[first : first + step].isfinite().all(1)).nonzero()[:, 0].tolist()
    ]
    value = next(x for x in rows[bad[0]].tolist() if x - x != 0)
    which = ", ".join(map(str, bad[:5])) + (", …" if len(bad) > 5 else "")
    raise NumericsError(
        f"{name} holds {value}: not finite in {len(bad)} row(s), {which}; expected finite numbers"
    )
