"""Proofs that a class never wins: weights on other classes that outdo it at every point.

Class k never wins strictly if there are :math:`\\lambda \\ge 0`, :math:`\\sum \\lambda_i = 1`,
with :math:`\\sum \\lambda_i w_i = w_k` and :math:`\\sum \\lambda_i b_i \\ge b_k`
(``eq-argmax-farkas``): the average of their logits, with the same weights everywhere, is no less
than its own. Floating-point weights fulfil such an equation only nearly; what is proved is that
exact ones lie beside them.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import torch
from jaxtyping import Float64, Int64
from numpy import ndarray

from companion.argmax.layer import OutputLayer, gamma

__all__ = ["prove_never"]

U = 2.0**-53
UP = 1 + 2.0**-40  # covers the few roundings of a bound that is itself computed
TINY = 2.0**-1000  # more than all that underflows
LARGEST_EXACT = 60_000  # products of fractions that an exact elimination may cost


def prove_never(
    layer: OutputLayer,
    k: int,
    indices: Int64[ndarray, " other"],
    coefficients: Float64[ndarray, " other"],
    radius: float | None = None,
) -> bool:
    """Return whether exact weights near ``coefficients`` prove that class k never wins.

    Three ways: a ball of finite ``radius`` leaves room for rounding; d + 1 classes (d + 2 with the
    bias counted) have a square system, whose exact solution is enclosed; few classes are solved in
    fractions of the bits of their floats. False says only that none of them succeeded.
    """
    others = indices.tolist()
    if not _sound(layer, k, others, coefficients):
        return False
    take = torch.tensor([k, *others], device=layer.weight.device)
    w = layer.weight[take].double().cpu().numpy()
    b = np.zeros(len(w)) if layer.bias is None else layer.bias[take].cpu().numpy()
    with np.errstate(over="ignore", invalid="ignore"):
        if radius is not None and _outdone_in_ball(w, b, coefficients, radius):
            return True
        dw, db = w[1:] - w[0], b[1:] - b[0]
        if len(others) == w.shape[1] + 1 and _enclosed(dw, db, coefficients):
            return True
        lifted = np.concatenate([dw, db[:, None]], axis=1)
        if len(others) == w.shape[1] + 2 and _enclosed(lifted, np.zeros_like(db), coefficients):
            return True
    if len(others) ** 2 * (w.shape[1] + 2) > LARGEST_EXACT:
        return False
    return _exact(w, b) or (layer.bias is not None and _exact(np.c_[w, b], np.zeros_like(b)))


def _sound(layer: OutputLayer, k: int, others: list[int], coefficients: ndarray) -> bool:
    inside = all(0 <= i < layer.classes and i != k for i in others)
    distinct = 0 < len(others) == len(set(others)) == len(coefficients)
    return (
        inside and distinct and bool((coefficients > 0).all() and np.isfinite(coefficients).all())
    )


def _outdone_in_ball(w: ndarray, b: ndarray, coefficients: ndarray, radius: float) -> bool:
    r"""Is :math:`r \|\sum \lambda_i (w_k - w_i)\| + \sum \lambda_i (b_k - b_i) < 0`, for sure?

    True of any λ ≥ 0: the sum of the coefficients need not be 1.
    """
    dw, db = w[0] - w[1:], b[0] - b[1:]
    share = gamma(len(coefficients) + 4, torch.float64)
    drift = np.abs(coefficients @ dw) + share * (coefficients @ np.abs(dw))
    rise = coefficients @ db + share * (coefficients @ np.abs(db))
    length = np.linalg.norm(drift) * (1 + gamma(w.shape[1] + 8, torch.float64))
    length = length + TINY * w.size
    return bool(radius * length * UP + rise + abs(rise) * 4 * U + TINY * len(b) < 0)


def _enclosed(dw: ndarray, db: ndarray, coefficients: ndarray) -> bool:
    r"""Enclose the exact solution of :math:`[D^\top; 1] \lambda = [0; 1]`; is it positive?

    With R near the inverse of A: if :math:`\|I - R A\| \le \beta < 1`, then A is regular and
    :math:`\|\lambda^* - \lambda\|_\infty \le \|R (e - A \lambda)\|_\infty / (1 - \beta)`
    (Krawczyk 1969; Rump, *Verification methods*, 2010). Products carry their bound, and A the
    rounding of w_i − w_k.
    """
    size = len(dw)
    scale = float(np.abs(dw).max())
    if not 0 < scale < np.inf:
        return False
    a = np.concatenate([dw.T / 2.0 ** np.frexp(scale)[1], np.ones((1, size))])
    try:
        r = np.linalg.inv(a)
    except np.linalg.LinAlgError:
        return False
    share = gamma(size + 6, torch.float64)
    beta = np.abs(np.eye(size) - r @ a) + share * (np.abs(r) @ np.abs(a))
    beta = float(beta.sum(1).max()) * UP
    target = np.zeros(size)
    target[-1] = 1
    residual = np.abs(target - a @ coefficients) + share * (np.abs(a) @ coefficients + target)
    error = float((np.abs(r) @ residual).max()) * UP / max(1 - beta, U) + TINY
    if not (beta < 0.5 and coefficients.min() > error):
        return False
    rise = coefficients @ db - (error + share * coefficients.max()) * size * np.abs(db).max() * UP
    return bool(rise >= 0) if db.any() else True


def _exact(w: ndarray, b: ndarray) -> bool:
    """Solve for the weights in fractions, if they are unique; are they exact, and none negative?"""
    rows = [
        [Fraction(float(x)) for x in w[1:, j]] + [Fraction(float(w[0, j]))]
        for j in range(w.shape[1])
    ]
    rows.append([Fraction(1)] * len(w))
    count = len(w) - 1
    for column in range(count):
        pivot = next((i for i in range(column, len(rows)) if rows[i][column]), None)
        if pivot is None:
            return False
        rows[column], rows[pivot] = rows[pivot], rows[column]
        top = rows[column]
        for i, row in enumerate(rows):
            if i != column and row[column]:
                ratio = row[column] / top[column]
                rows[i] = [x - ratio * y for x, y in zip(row, top, strict=True)]
    if any(row[count] for row in rows[count:]):
        return False
    weights = [rows[i][count] / rows[i][i] for i in range(count)]
    rise = sum((x * Fraction(float(y)) for x, y in zip(weights, b[1:], strict=True)), Fraction(0))
    return all(x >= 0 for x in weights) and rise >= Fraction(float(b[0]))
