"""Classes with the same row of weights: of these at most one can ever win."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from companion.argmax.layer import OutputLayer
from companion.argmax.layer_errors import strip

__all__ = ["find_twins"]

INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


def find_twins(layer: OutputLayer) -> Int64[Tensor, " class"]:
    """Return for each class another with an equal row and no smaller bias, −1 if there is none.

    Rows are compared by a number made of their bits, and where that is the same, entry by entry.
    """
    twins = torch.full((layer.classes,), -1, dtype=torch.int64)
    marks = _marks(layer)
    order = np.argsort(marks, kind="stable")
    edges = np.flatnonzero(np.diff(marks[order])) + 1
    for group in np.split(order, edges):
        if len(group) > 1:
            _match(layer, np.sort(group), twins)
    return twins


def _marks(layer: OutputLayer) -> np.ndarray:
    weight = layer.weight
    kind = INTEGERS[weight.element_size()]
    seeds = np.random.default_rng(0).integers(-(2**62), 2**62, size=weight.shape[1])
    factors = torch.from_numpy(2 * seeds + 1).to(weight.device)
    step = strip(weight)
    marks = torch.empty(len(weight), dtype=torch.int64, device=weight.device)
    plain = torch.empty(step, weight.shape[1], dtype=weight.dtype, device=weight.device)
    bits = torch.empty(plain.shape, dtype=torch.int64, device=weight.device)
    for start in range(0, len(weight), step):
        count = min(step, len(weight) - start)
        torch.add(weight[start : start + step], 0.0, out=plain[:count])  # −0.0 is 0.0
        marks[start : start + step] = (
            bits[:count].copy_(plain[:count].view(kind)).mul_(factors).sum(1)
        )
    return marks.cpu().numpy()


def _match(layer: OutputLayer, group: np.ndarray, twins: Tensor) -> None:
    """Enter the twins of a group whose marks agree; its rows may differ all the same."""
    while len(group) > 1:
        rows = layer.weight[torch.from_numpy(group).to(layer.weight.device)]
        same = (rows == rows[0]).all(dim=1).cpu().numpy()
        alike, group = group[same], group[~same]
        if len(alike) < 2:
            continue
        bias = np.zeros(len(alike))
        if layer.bias is not None:
            bias = layer.bias[torch.from_numpy(alike).to(layer.bias.device)].cpu().numpy()
        first, second = np.argsort(-bias, kind="stable")[:2]
        twins[torch.from_numpy(alike)] = int(alike[first])
        tie = bias[first] == bias[second]
        twins[int(alike[first])] = int(alike[second]) if tie else -1
