"""A classifier that is mostly depth, and two small problems to train it on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from companion.depth.stack import ResidualStack
from companion.errors import DataError, ShapeError
from companion.training import Draws

__all__ = ["DeepClassifier", "Labelled", "accuracy", "cross_entropy", "majority", "spirals"]


@dataclass(frozen=True)
class Labelled:
    """Inputs with labels; ``labelled[rows]`` is the batch that ``training.fit`` asks for."""

    inputs: Shaped[Tensor, "row ..."]
    labels: Int[Tensor, " row"]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        return self.inputs[rows], self.labels[rows]


class DeepClassifier(nn.Module):
    """Embedding and LN, a stack, LN and a linear read-out; of a sequence, the mean is read out.

    The two norms have no gain and no bias, and stand outside of the stack: they are the same
    whatever the stack does.

    Args:
        embedding: from the inputs to rows of ``dim`` numbers, such as ``nn.Linear(2, dim)`` for
            points or ``nn.Embedding(symbols, dim)`` for sequences of symbols.
        stack: keeps these rows' shape.
        dim: their width.
        classes: how many there are.

    >>> from companion.depth import FeedForward
    >>> stack = ResidualStack(lambda: FeedForward(8), depth=3)
    >>> DeepClassifier(nn.Linear(2, 8), stack, dim=8)(torch.zeros(5, 2)).shape
    torch.Size([5, 2])
    """

    def __init__(
        self, embedding: nn.Module, stack: ResidualStack, *, dim: int, classes: int = 2
    ) -> None:
        super().__init__()
        self.embedding, self.stack, self.dim = embedding, stack, dim
        self.readout = nn.Linear(dim, classes)

    def forward(self, inputs: Shaped[Tensor, "row ..."]) -> Float[Tensor, "row classes"]:
        x = self.embedding(inputs)
        if x.ndim not in (2, 3) or x.shape[-1] != self.dim:
            found = f"the embedding gives shape {list(x.shape)}"
            raise ShapeError(f"{found}; expected [row, {self.dim}] or [row, seq, {self.dim}]")
        x = self.stack(F.layer_norm(x, (self.dim,)))
        x = x.mean(1) if x.ndim == 3 else x
        return self.readout(F.layer_norm(x, (self.dim,)))


def cross_entropy(
    model: nn.Module, batch: tuple[Tensor, Tensor], draws: Draws | None = None
) -> Float[Tensor, ""]:
    """Return the mean cross-entropy of a batch, for ``training.fit`` and ``loss_increment``.

    >>> batch = torch.zeros(4, 2), torch.zeros(4, dtype=torch.long)
    >>> round(cross_entropy(nn.Identity(), batch).item(), 4)
    0.6931
    """
    inputs, labels = batch
    return F.cross_entropy(model(inputs), labels)


def accuracy(model: nn.Module, data: Labelled) -> float:
    """Return the share of rows whose largest output is that of their label."""
    with torch.no_grad():
        return float((model(data.inputs).argmax(1) == data.labels).double().mean())


def spirals(
    count: int, *, turns: float | int = 1.0, generator: torch.Generator | None = None
) -> Labelled:
    """Return points of two arms of a spiral, one arm a class, evenly spread over a disc.

    A straight line through one full turn is right about three times in four.

    Raises:
        DataError: if ``count`` is below 1.

    >>> spirals(3, generator=torch.Generator().manual_seed(0)).labels
    tensor([0, 1, 1])
    """
    if count < 1:
        raise DataError(f"count is {count}; expected at least 1")
    radius = torch.rand(count, generator=generator).sqrt()
    labels = torch.randint(0, 2, (count,), generator=generator)
    angle = 2 * math.pi * turns * radius + math.pi * labels
    points = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
    return Labelled(2 * points, labels)


def majority(
    count: int, *, length: int = 9, symbols: int = 8, generator: torch.Generator | None = None
) -> Labelled:
    """Return sequences of symbols; the class says which half of the symbols has the majority.

    Raises:
        DataError: if ``count`` is below 1, ``length`` even or ``symbols`` odd: there would be ties.

    >>> data = majority(1, length=3, generator=torch.Generator().manual_seed(0))
    >>> data.inputs, data.labels
    (tensor([[4, 7, 5]]), tensor([1]))
    """
    if count < 1 or length % 2 == 0 or symbols % 2:
        found = f"count is {count}, length {length}, symbols {symbols}"
        raise DataError(f"{found}; expected at least 1, odd, even")
    inputs = torch.randint(0, symbols, (count, length), generator=generator)
    votes = (inputs >= symbols // 2).sum(1)
    return Labelled(inputs, (votes > length // 2).long())
