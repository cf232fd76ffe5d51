"""Is a point in the convex hull of others? Their shortest combination says so, either way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from scipy.optimize import nnls

__all__ = ["Nearest", "nearest"]


@dataclass(frozen=True)
class Nearest:
    r"""The shortest convex combination of points :math:`D_j`, as weights and as a direction.

    ``direction`` y has :math:`\langle D_j, y\rangle < 0` for all j, unless the combination is 0;
    ``gap`` is its squared length over one more than itself, between 0 and 1.
    """

    weights: Float64[ndarray, " point"]
    direction: Float64[ndarray, " dim"]
    gap: float


def nearest(points: Float64[ndarray, "point dim"]) -> Nearest:
    r"""Solve :math:`\min_{\mu \ge 0} \|[D^\top; 1^\top] \mu - [0; 1]\|^2`.

    The residual :math:`(y, g)` of this non-negative least squares problem has
    :math:`\langle D_j, y\rangle \le -g` with :math:`g \ge 0` its own square, and
    :math:`\mu / \sum \mu` are the weights of the shortest convex combination.

    >>> nearest(np.array([[1.0, 1.0], [1.0, -1.0]])).weights  # the shortest is (1, 0)
    array([0.5, 0.5])
    """
    target = np.zeros(points.shape[1] + 1)
    target[-1] = 1
    matrix = np.concatenate([points.T, np.ones((1, len(points)))])
    weights, _ = nnls(matrix, target)
    residual = target - matrix @ weights
    return Nearest(weights / weights.sum(), residual[:-1], float(residual[-1]))
