"""The size of a matrix, as a single number."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from companion.errors import NumericsError, ShapeError

__all__ = ["magnitude"]


def magnitude(weight: Float[Tensor, "rows columns"]) -> float:
    r"""Return the λ of W = λU, with U as nearly orthogonal as it can be (eq-depth-magnitude).

    .. math:: \lambda = \arg\min_{\kappa>0}\big\|WW^\top/\kappa^2 - I\big\|_F,\qquad
              \lambda^2 = \frac{\mathrm{tr}\,(WW^\top)^2}{\mathrm{tr}\,WW^\top}

    It is 1 for an orthogonal matrix. A square Gaussian one with entries of variance 1/n has about
    √2, since its singular values are spread. Transposing changes nothing; a matrix of zeros has 0.

    Raises:
        ShapeError: if the matrix has no entries.
        NumericsError: if an entry is not finite.

    >>> magnitude(3 * torch.eye(4))
    3.0
    """
    if weight.numel() == 0:
        raise ShapeError(f"weight has shape {list(weight.shape)}; expected at least one entry")
    W = weight.detach().double()
    if not W.isfinite().all():
        at = torch.nonzero(~W.isfinite())[0].tolist()
        raise NumericsError(f"weight{at} is {W[tuple(at)]}; expected finite entries")
    largest = W.abs().max()
    if largest == 0:
        return 0.0
    W = W / largest  # its fourth powers would leave the range of a double
    square = W.square().sum()
    gram = W @ W.T if W.shape[0] <= W.shape[1] else W.T @ W  # the traces are the same
    return float(largest * (gram.square().sum() / square).sqrt())
