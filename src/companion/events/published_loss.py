"""The sparse loss as it was published, which cancels; kept for comparison, not for use."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

__all__ = ["published_sparse_loss"]


def published_sparse_loss(
    scores: Float[Tensor, "*batch candidate"],
    positives: Int64[Tensor, "*batch positive"],
    *,
    padding: int = -1,
    floor: int | float = 0.0,
) -> Float[Tensor, "*batch"]:
    r"""Return the loss of ``sparse_multilabel_cross_entropy`` by a difference of two sums.

    .. math::
        \log\Big(1 + \sum_P e^{-s}\Big) + a + \log(1 - e^{b - a}),\quad
        a = \log\Big(1 + \sum_{P \cup N} e^s\Big),\ b = \log\sum_P e^s

    Right in exact arithmetic. With confident positives b comes within a rounding error of a: the
    value is lost, and with it the gradient that would push a wrong candidate down.

    Args:
        scores, positives, padding: as in ``sparse_multilabel_cross_entropy``, each index once.
        floor: the least that :math:`1 - e^{b - a}` may become, which keeps infinity away and the
            loss wrong. Public versions take 1e-10, 1e-7 and 1e-5.

    >>> scores = torch.tensor([2.0, -2.0, -2.0])
    >>> published_sparse_loss(scores, torch.tensor([0, -1]))
    tensor(0.3665)
    """
    empty = positives == padding
    values = scores.gather(-1, positives.masked_fill(empty, 0))
    out = torch.finfo(scores.dtype).min
    zero = torch.zeros_like(scores[..., :1])
    right = torch.cat([(-values).masked_fill(empty, out), zero], dim=-1).logsumexp(dim=-1)
    a = torch.cat([scores, zero], dim=-1).logsumexp(dim=-1)
    b = values.masked_fill(empty, out).logsumexp(dim=-1)
    return right + a + (1 - (b - a).exp()).clamp_min(floor).log()
