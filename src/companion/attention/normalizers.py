"""From scores to weights: what a query gives to each key. All share one signature."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["Normalizer", "relu2", "self_normalized_relu2", "softmax", "softmax_plus"]

Scores = Float[Tensor, "batch query key"]
Allowed = Bool[Tensor, "#batch #query key"] | None  # "#": or 1, for all alike
Length = Float[Tensor, "#batch #query 1"]

Normalizer = Callable[[Tensor, Tensor | None, Tensor], Tensor]
"""``normalize(scores, allowed, length)``: scores q·k/√s; which keys may be seen, None for all; how
many keys count for each query, at least 1. Weights of other keys are 0, and so is a query's row
that may see none."""


def relu2(scores: Scores, allowed: Allowed, length: Length) -> Scores:
    r"""Return :math:`\mathrm{relu}(s)^2 / n`, n being ``length``: ``eq-flash-relu2``.

    The root of n is taken out before the square, so that the square does not overflow, and in
    float32 at least, since bfloat16 would round it.

    >>> relu2(torch.tensor([[[-1.0, 2.0, 4.0]]]), None, torch.full((1, 1, 1), 4.0))
    tensor([[[0., 1., 4.]]])
    """
    roots = scores * length.rsqrt()
    if allowed is not None:  # before the square, whose slope at an infinite score is infinite
        roots.masked_fill_(~allowed, 0)
    return roots.relu_().square().to(scores.dtype)


def self_normalized_relu2(scores: Scores, allowed: Allowed, length: Length) -> Scores:
    r"""Return :math:`\mathrm{relu}(s_i)^2 / \sum_j \mathrm{relu}(s_j)^2`, or zeros.

    Zeros are what a query gives that has no positive score. A common factor of the scores cancels
    (``eq-alpha-homogeneous``), so they are first divided by the largest: no square overflows.
    ``length`` does not enter.

    >>> self_normalized_relu2(torch.tensor([[[-1.0, 1.0, 2.0]]]), None, torch.ones(1, 1, 1))
    tensor([[[0.0000, 0.2000, 0.8000]]])
    """
    positive = _only(scores.relu(), allowed)
    largest = positive.detach().amax(dim=-1, keepdim=True)
    squares = (positive / torch.where(largest > 0, largest, 1)).square()
    total = squares.sum(dim=-1, keepdim=True)
    return squares / torch.where(total > 0, total, 1)


def softmax(scores: Scores, allowed: Allowed, length: Length) -> Scores:
    r"""Return :math:`e^{s_i} / \sum_j e^{s_j}` over the keys that may be seen.

    ``length`` does not enter.

    >>> softmax(torch.tensor([[[0.0, 0.0, 9.0]]]), torch.tensor([[[True, True, False]]]),
    ...         torch.ones(1, 1, 1))
    tensor([[[0.5000, 0.5000, 0.0000]]])
    """
    if allowed is not None:
        scores = scores.masked_fill(~allowed, torch.finfo(scores.dtype).min)
    return _only(torch.softmax(scores, dim=-1), allowed)


def softmax_plus(
    scores: Scores,
    allowed: Allowed,
    length: Length,
    *,
    base: int | float = 512,
    minimum_length: int | float = 1,
) -> Scores:
    r"""Return the softmax of :math:`s \log n / \log 512`, n being ``length``.

    ``eq-alpha-softmax-plus``: the scale that holds the entropy of attention level as n grows (Su
    Jianlin, kexue.fm/archives/8823), equal to the usual one at n = ``base``.

    Args:
        scores, allowed, length: as for every normaliser.
        base: the length at which nothing changes.
        minimum_length: shorter lengths count as this one. GAU-α was published without such a
            limit; later versions of its authors' code take 16.

    >>> scores, length = torch.tensor([[[0.0, 1.0]]]), torch.full((1, 1, 1), 512.0)
    >>> torch.equal(softmax_plus(scores, None, length), softmax(scores, None, length))
    True
    """
    scale = length.clamp_min(minimum_length).log() / math.log(base)
    return softmax(scores * scale.to(scores.dtype), allowed, length)


def _only(weights: Tensor, allowed: Tensor | None) -> Tensor:
    return weights if allowed is None else weights.masked_fill(~allowed, 0)
