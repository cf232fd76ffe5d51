"""The two branches of a Transformer layer, in the essay's letters: rows times matrices."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from companion.errors import DataError

__all__ = ["Attention", "FeedForward"]


class FeedForward(nn.Module):
    r"""A feed-forward branch, :math:`F(x) = \varphi(x W_1)\,W_2` (eq-depth-ffn-grad).

    Both matrices start by Xavier's rule, of variance 2/(rows + columns); there are no biases.

    Args:
        dim: d, of input and output.
        hidden: columns of W₁; 4 d by default.
        activation: φ.

    Raises:
        DataError: if a size is below 1.

    >>> FeedForward(8)(torch.ones(2, 8)).shape
    torch.Size([2, 8])
    """

    def __init__(
        self,
        dim: int,
        hidden: int | None = None,
        *,
        activation: Callable[[Tensor], Tensor] = torch.relu,
    ) -> None:
        super().__init__()
        hidden = 4 * dim if hidden is None else hidden
        if min(dim, hidden) < 1:
            raise DataError(f"dim is {dim}, hidden is {hidden}; expected at least 1")
        self.activation = activation
        self.inner = nn.Parameter(torch.empty(dim, hidden))
        self.outer = nn.Parameter(torch.empty(hidden, dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the matrices anew, before any scaling."""
        for weight in self.parameters():
            nn.init.xavier_normal_(weight)

    def forward(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        return self.activation(x @ self.inner) @ self.outer


class Attention(nn.Module):
    r"""An attention branch, :math:`\mathrm{softmax}(xW_qW_k^\top x^\top)\,xW_vW_o`.

    (eq-depth-attn-grad.) The scores of a head are divided by the root of its width. The matrices
    start by Xavier's rule; query and key are ``unscaled``: their size does not depend on depth.

    Args:
        dim: d, of input and output.
        heads: number of heads; it divides ``dim``.
        causal: whether a position sees only those up to itself.

    Raises:
        DataError: if the heads do not divide the dimension.

    >>> Attention(8, heads=2)(torch.ones(3, 5, 8)).shape
    torch.Size([3, 5, 8])
    """

    unscaled = ("query", "key")

    def __init__(self, dim: int, heads: int = 1, *, causal: bool = False) -> None:
        super().__init__()
        if dim < 1 or heads < 1 or dim % heads:
            raise DataError(f"dim is {dim}, heads is {heads}; expected heads to divide dim")
        self.heads, self.causal = heads, causal
        self.query = nn.Parameter(torch.empty(dim, dim))
        self.key = nn.Parameter(torch.empty(dim, dim))
        self.value = nn.Parameter(torch.empty(dim, dim))
        self.output = nn.Parameter(torch.empty(dim, dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the matrices anew, before any scaling."""
        for weight in self.parameters():
            nn.init.xavier_normal_(weight)

    def forward(self, x: Float[Tensor, "*batch seq dim"]) -> Float[Tensor, "*batch seq dim"]:
        q, k, v = (self._split(x @ w) for w in (self.query, self.key, self.value))
        scores = q @ k.mT / q.shape[-1] ** 0.5
        if self.causal:
            later = scores.new_ones(scores.shape[-2:], dtype=torch.bool).triu(1)
            scores = scores.masked_fill(later, -torch.inf)
        mixed = scores.softmax(-1) @ v
        return (mixed.transpose(-3, -2).flatten(-2) if self.heads > 1 else mixed) @ self.output

    def _split(self, x: Tensor) -> Tensor:
        return x if self.heads == 1 else x.unflatten(-1, (self.heads, -1)).transpose(-3, -2)
