"""The linear program of one class, as the paper has it: slow, readable, and no proof by itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64
from scipy.optimize import linprog
from torch import Tensor

from companion.argmax.layer_errors import check_layer
from companion.errors import DataError

__all__ = ["ChebyshevBall", "chebyshev_direction"]


@dataclass(frozen=True)
class ChebyshevBall:
    """What the solver says: the centre of the widest ball in which the class leads.

    ``radius`` is 0 or less where the solver sees no such ball; ``status`` is its own word. Neither
    is a proof: a solver stops at a tolerance of some 1e-7. ``ArgmaxReport`` holds proofs.
    """

    centre: Float64[Tensor, " dim"]
    radius: float
    status: str


def chebyshev_direction(
    weight: Float[Tensor, "class dim"],
    bias: Float[Tensor, " class"] | None,
    k: int,
    *,
    box: int | float = 100,
) -> ChebyshevBall:
    r"""Look for the point deepest inside the region where class k wins, by HiGHS.

    :math:`\max \rho` subject to
    :math:`\langle w_i - w_k, z\rangle + \rho |w_i - w_k| \le b_k - b_i` for all :math:`i \ne k` and
    :math:`|z_j| \le` ``box`` (Grivas, Bogoychev and Lopez, 2022, section 4; Boyd and Vandenberghe,
    *Convex Optimization*, 8.5.1).

    Args:
        weight: one row a class.
        bias: one number a class, or None.
        k: the class.
        box: how far a coordinate of z may go.

    Raises:
        ShapeError, NumericsError, DataError: as ``argmaxable``; or ``box`` is not positive.

    >>> w = torch.tensor([[1.0, 2.0], [2.0, 1.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> chebyshev_direction(w, None, 4).radius
    0.0
    """
    check_layer(weight, bias)
    if not 0 <= k < len(weight):
        raise DataError(f"class {k} is out of range; expected 0 to {len(weight) - 1}")
    if not 0 < box < np.inf:
        raise DataError(f"box is {box}; expected a positive number")
    w = weight.detach().double().cpu().numpy()
    b = np.zeros(len(w)) if bias is None else bias.detach().double().cpu().numpy()
    rivals = np.arange(len(w)) != k
    ahead, lead = w[rivals] - w[k], b[k] - b[rivals]
    d = w.shape[1]
    found = linprog(
        c=np.r_[np.zeros(d), -1.0],
        A_ub=np.c_[ahead, np.linalg.norm(ahead, axis=1)],
        b_ub=lead,
        bounds=[(-box, box)] * d + [(None, None)],
        method="highs",
    )
    if found.x is None:
        return ChebyshevBall(
            torch.full((d,), torch.nan, dtype=torch.float64), -np.inf, found.message
        )
    return ChebyshevBall(torch.from_numpy(found.x[:d]), float(found.x[d]) + 0.0, found.message)
