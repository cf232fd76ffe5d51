"""What the first step of three optimisers does to the loss, read off one gradient."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from companion.errors import DataError

__all__ = ["FirstStep", "first_step"]


class FirstStep(NamedTuple):
    """What a first step of plain SGD, Adam and LAMB takes off the loss, divided by η."""

    sgd: float
    adam: float
    lamb: float


def first_step(loss: Float[Tensor, ""], parameters: Iterable[nn.Parameter]) -> FirstStep:
    r"""Return what a first step of each optimiser takes off the loss, divided by η.

    .. math:: \text{SGD: } \sum g^2, \qquad \text{Adam: } \sum|g|, \qquad
              \text{LAMB: } \sum_W \|W\|_F\,\frac{\sum|g_W|}{\sqrt{n_W}}

    for the gradient g of the parameters; a matrix W has n_W entries, and one of zeros counts as in
    Adam (eq-depth-increment, eq-depth-adam, eq-depth-lamb). It is what ``loss_increment`` predicts
    for the three on their first steps, but for the ε in their denominators. Infinite or NaN where
    the gradient is.

    Args:
        loss: a scalar; its graph is freed.
        parameters: those that would be changed; some may have no part in the loss.

    Raises:
        DataError: if there is no parameter.

    >>> w = nn.Parameter(torch.tensor([[3.0, 4.0]]))
    >>> first_step((w * torch.tensor([1.0, -2.0])).sum(), [w])[:2]
    (5.0, 3.0)
    """
    thetas = [*parameters]
    if not thetas:
        raise DataError("there is no parameter: nothing would be changed")
    found = torch.autograd.grad(loss, thetas, allow_unused=True)
    pairs = [(w.detach(), g) for w, g in zip(thetas, found, strict=True) if g is not None]
    if not pairs:
        return FirstStep(0.0, 0.0, 0.0)
    sgd = torch.stack([g.square().sum() for _, g in pairs]).sum()
    absolute = torch.stack([g.abs().sum() for _, g in pairs])
    sizes = torch.stack([w.norm() / w.numel() ** 0.5 for w, _ in pairs])
    sizes = torch.where(sizes > 0, sizes, 1.0)  # as in Lamb: zeros take the step of Adam
    return FirstStep(float(sgd), float(absolute.sum()), float((sizes * absolute).sum()))
