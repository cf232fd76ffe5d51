"""Which samples a step sees, and which of them are whose: functions of seed and step alone."""

from __future__ import annotations

import hashlib

import torch
from jaxtyping import Int
from torch import Tensor

from companion.errors import DataError

__all__ = ["Order", "seed_of", "shares"]


def seed_of(seed: int, stream: str, step: int) -> int:
    """Return the seed of a stream of random numbers in a step, below 2³².

    A step is multiplied by an odd number: no two steps of one stream share a seed. 32 bits is
    what torch's generator on the CPU looks at.

    >>> len({seed_of(0, "draws", step) for step in range(1000)})
    1000
    """
    start = hashlib.blake2b(f"{seed} {stream}".encode(), digest_size=4).digest()
    return (int.from_bytes(start, "little") + step * 0x9E3779B1) % 2**32


def shares(batch: int, *, processes: int, process: int, accumulate: int) -> list[slice]:
    """Return the rows of the global batch in each micro-batch of one process.

    Raises:
        DataError: if the batch cannot be shared equally.

    >>> shares(8, processes=2, process=1, accumulate=2)
    [slice(4, 6, None), slice(6, 8, None)]
    """
    if batch % (processes * accumulate):
        shared = f"{processes} processes × {accumulate} micro-batches"
        raise DataError(f"batch is {batch}; expected a multiple of {shared}")
    size = batch // (processes * accumulate)
    first = process * accumulate * size
    return [slice(first + i * size, first + (i + 1) * size) for i in range(accumulate)]


class Order:
    """The order of the samples: in every epoch a new permutation, from seed and epoch.

    Batches run on from one epoch into the next, so a batch may be larger than the data.

    >>> order = Order(samples=3, batch=2, seed=0)
    >>> sorted(torch.cat([order.rows(step) for step in (1, 2, 3)]).tolist())
    [0, 0, 1, 1, 2, 2]
    """

    def __init__(self, *, samples: int, batch: int, seed: int) -> None:
        if samples < 1:
            raise DataError("the data is empty; expected at least one sample")
        self.samples, self.batch, self.seed = samples, batch, seed
        self._epochs: dict[int, Tensor] = {}

    def rows(self, step: int) -> Int[Tensor, " batch"]:
        """Return the samples of a step, counted from 1."""
        first = (step - 1) * self.batch
        parts, wanted = [], self.batch
        while wanted:
            epoch, start = divmod(first + self.batch - wanted, self.samples)
            part = self._epoch(epoch)[start : start + wanted]
            parts.append(part)
            wanted -= len(part)
        return torch.cat(parts)

    def _epoch(self, epoch: int) -> Tensor:
        if epoch not in self._epochs:
            generator = torch.Generator().manual_seed(seed_of(self.seed, "order", epoch))
            self._epochs = {epoch: torch.randperm(self.samples, generator=generator)}
        return self._epochs[epoch]
