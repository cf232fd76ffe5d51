"""Norms: what brings the numbers of a token to one size before, or after, a branch."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from companion.errors import DataError

__all__ = ["NormKind", "ScaleNorm", "make_norm"]

NormKind = Literal["layer", "rms", "scale", "plain"]


class ScaleNorm(nn.Module):
    r"""Return :math:`g\,x / \sqrt{\overline{x^2}}` with one learned number g for all of a layer.

    Nguyen and Salazar, *Transformers without Tears*, 2019, section 2.2, there with the length of
    x in place of the root of its mean square: their g is :math:`\sqrt d` times ours. One of the two
    norms in FLASH.

    >>> ScaleNorm()(torch.tensor([[3.0, -3.0, 3.0]])).detach().round()
    tensor([[ 1., -1.,  1.]])
    """

    def __init__(self, *, eps: float = 1e-6) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))
        self.eps = eps

    def forward(self, x: Float[Tensor, "batch seq dim"] | Float[Tensor, "row dim"]) -> Tensor:
        return functional.rms_norm(x, x.shape[-1:], eps=self.eps) * self.gain


def make_norm(kind: NormKind, dim: int, *, eps: float = 1e-6) -> nn.Module:
    """Return a norm over the last axis.

    Args:
        kind: "layer", LayerNorm; "rms", by the root of the mean square, with a learned gain for
            each number; "scale", with one gain for all; "plain", with none, as in GAU-α.
        dim: d, numbers for each token.
        eps: added under the root.

    Raises:
        DataError: for another kind.

    >>> [sum(p.numel() for p in make_norm(k, 8).parameters()) for k in get_args(NormKind)]
    [16, 8, 1, 0]
    """
    if kind == "layer":
        return nn.LayerNorm(dim, eps=eps)
    if kind == "rms":
        return nn.RMSNorm(dim, eps=eps)
    if kind == "scale":
        return ScaleNorm(eps=eps)
    if kind == "plain":
        return nn.RMSNorm(dim, eps=eps, elementwise_affine=False)
    expected = ", ".join(map(repr, get_args(NormKind)))
    raise DataError(f"norm is {kind!r}; expected one of {expected}")
