"""Random numbers of a step that do not depend on who computes which part of the batch."""

from __future__ import annotations

import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from companion.errors import DataError, ShapeError
from companion.training.order import seed_of

__all__ = ["Draws"]


class Draws:
    """The random numbers of one micro-batch in one step.

    Each call draws for the whole global batch, from a generator seeded by seed and step, and
    keeps the rows of this micro-batch: one process or many, one micro-batch or many, the numbers
    of a sample are the same (on devices of one kind). Nothing has to be saved for an exact resume.

    Args:
        batch: size of the global batch.
        rows: which of it are here; None means all.
        seed, step: what the numbers depend on.
        device: where ``integers`` lie; the other draws are where their model tensor is.

    >>> whole = Draws(4, step=1).normal(torch.empty(4, 2))
    >>> half = Draws(4, rows=slice(2, 4), step=1).normal(torch.empty(2, 2))
    >>> torch.equal(whole[2:], half)
    True
    """

    def __init__(
        self,
        batch: int,
        *,
        rows: slice | None = None,
        seed: int = 0,
        step: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        self.batch = batch
        self.rows = slice(0, batch) if rows is None else rows
        self.device = torch.empty(0, device=device).device  # with its number
        self._seed = seed_of(seed, "draws", step)
        self._generators: dict[torch.device, torch.Generator] = {}

    def normal(self, like: Shaped[Tensor, "row ..."]) -> Shaped[Tensor, "row ..."]:
        """Return standard normal numbers in the shape of ``like``, whose first axis are the rows.

        Raises:
            ShapeError: if ``like`` has another number of rows than this micro-batch.
        """
        return torch.randn(self._shape(like), **self._kind(like))[self.rows]

    def uniform(self, like: Shaped[Tensor, "row ..."]) -> Shaped[Tensor, "row ..."]:
        """Return numbers uniform on [0, 1) in the shape of ``like``; raises as ``normal``."""
        return torch.rand(self._shape(like), **self._kind(like))[self.rows]

    def integers(self, low: int, high: int) -> Int[Tensor, " row"]:
        """Return one integer per row, uniform on low, …, high − 1.

        Raises:
            DataError: if there is no such integer.

        >>> t = Draws(1000).integers(1, 4)
        >>> int(t.min()), int(t.max())
        (1, 3)
        """
        if not low < high:
            raise DataError(f"low is {low}, high is {high}; expected low < high")
        generator = self._generator(self.device)
        drawn = torch.randint(low, high, (self.batch,), generator=generator, device=self.device)
        return drawn[self.rows]

    def _shape(self, like: Tensor) -> tuple[int, ...]:
        wanted = self.rows.stop - self.rows.start
        if like.ndim == 0 or len(like) != wanted:
            shape = tuple(like.shape)
            raise ShapeError(f"draws like shape {shape}; expected the {wanted} rows of the batch")
        return (self.batch, *like.shape[1:])

    def _kind(self, like: Tensor) -> dict:
        dtype = like.dtype if like.is_floating_point() else torch.get_default_dtype()
        generator = self._generator(like.device)
        return {"dtype": dtype, "device": like.device, "generator": generator}

    def _generator(self, device: torch.device) -> torch.Generator:
        if device not in self._generators:
            self._generators[device] = torch.Generator(device).manual_seed(self._seed)
        return self._generators[device]
