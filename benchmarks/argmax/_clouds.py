"""Random output layers: what the benchmarks of this room decide."""

from __future__ import annotations

import torch
from torch import Tensor


def gaussian(words: int, dim: int, *, seed: int, spread: float = 0.0) -> Tensor:
    """Return normal rows; with ``spread`` s, each is multiplied by exp(s g), g normal.

    Rows are in float32. With a spread, directions are uniform and lengths sqrt(dim) exp(s g).
    """
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(words, dim, generator=generator)
    if spread:
        lengths = torch.exp(spread * torch.randn(words, 1, generator=generator))
        rows *= dim**0.5 * lengths / rows.norm(dim=1, keepdim=True)
    return rows
