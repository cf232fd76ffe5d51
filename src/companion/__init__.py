"""The code behind the book *Taken Apart, Rebuilt*."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["__version__", "pick_device", "seed_everything"]
__version__ = version("companion")


def pick_device() -> torch.device:
    """Return the fastest device of this machine: CUDA, else Apple's Metal (mps), else the CPU.

    >>> pick_device().type in {"cuda", "mps", "cpu"}
    True
    """
    import torch

    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def seed_everything(seed: int, *, threads: int | None = None) -> torch.Generator:
    """Seed Python, NumPy and torch, ask for deterministic kernels, and return a CPU generator.

    `threads` fixes the number of CPU threads, for digits that depend on the order of a sum.

    >>> import torch
    >>> a = torch.rand(3, generator=seed_everything(7))
    >>> torch.equal(a, torch.rand(3, generator=seed_everything(7)))
    True
    """
    import random

    import numpy
    import torch

    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    if threads is not None:
        torch.set_num_threads(threads)
    return torch.Generator().manual_seed(seed)
