"""Non-negative least squares on a few short columns: the heart of every rule in this room."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from companion.errors import NumericsError

__all__ = ["hybrid_weights", "nonnegative_least_squares"]

# A column whose part outside the span of the support is shorter than this (the columns have
# length about 1) counts as a copy. Leaving it out violates its constraint by at most this share
# of the update; letting it in allows multipliers of one over this, whose rounding moves the
# update by 1e-16 times that. The two meet at the root of float64's precision: at angles
# of just about 1e-8, and only there, an error of a few 1e-8 must be lived with.
INDEPENDENT = 1e-8
ROUNDING = 1e-15


def hybrid_weights(
    columns: Float[ndarray, "rank task"], *, primaries: int
) -> Float[ndarray, " task"]:
    r"""Minimise :math:`|\sum_i w_i c_i|` over ``w ≥ 0`` whose first ``primaries`` entries sum to 1.

    Equation ``eq-primary-hybrid``. Drop the sum, and pay for it: over :math:`\mu \ge 0`,

    .. math:: \min_\mu\ |\sum_i \mu_i c_i|^2 + \ell^2\,(1 - \sum_{i\ \mathrm{primary}} \mu_i)^2

    is plain non-negative least squares. Writing :math:`\mu = t w`, the best ``t`` leaves
    :math:`\ell^2 q / (\ell^2 + q)` with :math:`q = |\sum_i w_i c_i|^2`: it grows with ``q``, so the
    best ``w`` is the one we want, whatever ``ℓ``. We take the shortest primary for ``ℓ`` and give
    all columns length one, so that no gradient is too small or too large to count.

    >>> c = np.array([[1.0, -1.0], [0.0, 1.0]])          # columns (1, 0) and (-1, 1)
    >>> hybrid_weights(c, primaries=1).round(3)          # λ = 1/2: the projection
    array([1. , 0.5])
    >>> hybrid_weights(c, primaries=2).round(3)          # α = 3/5, 2/5: nearest point of the hull
    array([0.6, 0.4])
    """
    lengths = np.hypot.reduce(columns, axis=0)  # no squares, hence no overflow
    shortest = lengths[:primaries].min()
    if shortest == 0:  # a primary with nothing to gain: the only point below 0 is 0
        return np.eye(len(lengths))[lengths[:primaries].argmin()]
    lengths = np.where(lengths > 0, lengths, 1.0)
    total = np.where(np.arange(len(lengths)) < primaries, shortest / lengths, 0.0)
    target = np.append(np.zeros(len(columns)), 1.0)
    weights = nonnegative_least_squares(np.vstack([columns / lengths, total]), target)
    weights = weights * (shortest / lengths)
    return weights / weights[:primaries].sum()


def nonnegative_least_squares(
    columns: Float[ndarray, "rank task"], target: Float[ndarray, " rank"]
) -> Float[ndarray, " task"]:
    r"""Minimise :math:`|\sum_i w_i c_i - b|` over ``w ≥ 0``, exactly.

    The columns have length about 1, and are at least as tall as many.
    The active-set method of Lawson and Hanson (*Solving Least Squares Problems*, 1974, chapter
    23): let the column in that helps most, solve without the sign condition, and walk there until
    a weight would turn negative: that column leaves. Unlike ``scipy.optimize.nnls`` it refuses
    columns that depend on the support up to rounding, whose huge weights would fit only noise.

    Raises:
        NumericsError: if rounding keeps it from ending (never seen).

    >>> nonnegative_least_squares(np.eye(2), np.array([3.0, -1.0]))
    array([3., 0.])
    """
    weights, support, refused = np.zeros(columns.shape[1]), [], []
    for _ in range(20 * len(weights) + 20):
        gain = columns.T @ (target - columns @ weights)
        gain[support + refused] = 0.0
        entering = int(gain.argmax())
        if gain[entering] <= ROUNDING * np.linalg.norm(target):
            return weights
        _, triangle = np.linalg.qr(columns[:, [*support, entering]])
        if abs(triangle[-1, -1]) > INDEPENDENT:  # the part outside the span of the support
            weights, support = _settle(columns, target, weights, [*support, entering])
        refused = [] if entering in support else [*refused, entering]
    raise NumericsError(f"least squares over {len(weights)} gradients did not end: {columns!r}")


def _settle(
    columns: ndarray, target: ndarray, weights: ndarray, support: list[int]
) -> tuple[ndarray, list[int]]:
    """Solve on ``support``; where that turns weights negative, drop the first to get there."""
    while True:
        trial = np.zeros_like(weights)
        basis, triangle = np.linalg.qr(columns[:, support])
        trial[support] = np.linalg.solve(triangle, basis.T @ target)
        falling = [i for i in support if trial[i] <= 0]
        if not falling:
            return trial, support
        steps = [weights[i] / max(weights[i] - trial[i], 1e-300) for i in falling]
        weights = weights + min(steps) * (trial - weights)
        leaving = falling[int(np.argmin(steps))]
        weights[leaving] = 0.0
        support = [i for i in support if i != leaving]
