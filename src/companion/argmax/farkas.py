"""Proofs that a class never wins: weights on other classes that outdo it at every point.

Class k never wins strictly if there are :math:`\\lambda \\ge 0`, :math:`\\sum \\lambda_i = 1`,
with :math:`\\sum \\lambda_i w_i = w_k` and :math:`\\sum \\lambda_i b_i \\ge b_k`
(``eq-argmax-farkas``): the average of their logits, with the same weights everywhere, is no less
than its own. Floating-point weights fulfil such an equation only nearly; what is proved is that
exact ones lie beside them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray
from torch import Tensor

from companion.argmax.layer import OutputLayer, gamma

__all__ = ["Claim", "prove_never"]

U = 2.0**-53
UP = 1 + 2.0**-40  # covers the few roundings of a bound that is itself computed
TINY = 2.0**-1000  # more than all that underflows
NEAR = 1e-6  # how far the exact weights may lie from those that are given
LARGEST_EXACT = 60_000  # products of fractions that an exact elimination may cost


@dataclass(frozen=True)
class Claim:
    """Class k never wins, because of these others with these weights."""

    k: int
    others: Int64[ndarray, " other"]
    weights: Float64[ndarray, " other"]

    def sound(self, classes: int) -> bool:
        """Return whether the others are other classes, each once, with positive weights."""
        count = len(self.others)
        inside = bool(
            ((self.others >= 0) & (self.others < classes) & (self.others != self.k)).all()
        )
        distinct = 0 < count == len(self.weights) == len(set(self.others.tolist()))
        return inside and distinct and bool(((self.weights > 0) & np.isfinite(self.weights)).all())


def prove_never(
    layer: OutputLayer, claims: Sequence[Claim], radius: float | None = None
) -> Bool[ndarray, " claim"]:
    """Return which claims are proved: exact weights within 1e-6 of the given ones exist.

    An equal row proves it at once. A ball of finite ``radius`` leaves room for rounding; d + 1
    classes (d + 2 with the bias counted) have a square system, whose exact solution is enclosed;
    few classes are solved in fractions of the bits of their floats. False says only that none of
    these ways succeeded.
    """
    proved = np.zeros(len(claims), dtype=bool)
    sizes = np.array([len(c.others) if c.sound(layer.classes) else 0 for c in claims], dtype=int)
    for size in np.unique(sizes[sizes > 0]).tolist():
        same = np.flatnonzero(sizes == size)
        step = max(1, layer.memory // (128 * (size + 1) * max(size, layer.dim)))
        for part in np.split(same, range(step, len(same), step)):
            proved[part] = _prove([claims[i] for i in part], layer, size, radius)
    return proved


def _prove(claims: list[Claim], layer: OutputLayer, size: int, radius: float | None) -> ndarray:
    """Prove claims that name ``size`` classes each."""
    take = torch.from_numpy(np.array([[c.k, *c.others] for c in claims]))
    weights = torch.from_numpy(np.array([c.weights for c in claims]))
    device = layer.weight.device
    w = layer.weight[take.flatten().to(device)].double().cpu().view(*take.shape, -1)
    b = torch.zeros(take.shape, dtype=torch.float64)
    if layer.bias is not None:
        b = layer.bias[take.to(device)].cpu()
    dim, dw, db = w.shape[2], w[:, 1:] - w[:, :1], b[:, 1:] - b[:, :1]
    proved = torch.zeros(len(claims), dtype=torch.bool)
    if size == 1:
        proved = (dw == 0).all(2)[:, 0] & (db[:, 0] >= 0) & ((weights[:, 0] - 1).abs() <= NEAR)
    if radius is not None:
        proved |= _outdone_in_ball(dw, db, weights, radius)
    if size == dim + 1:
        proved |= _enclosed(dw, db, weights)
    if size == dim + 2:
        proved |= _enclosed(torch.cat([dw, db[:, :, None]], 2), torch.zeros_like(db), weights)
    if size > 1 and size**2 * (dim + 2) <= LARGEST_EXACT:
        for i in (~proved).nonzero()[:, 0].tolist():
            proved[i] = _exact(w[i].numpy(), b[i].numpy(), weights[i].numpy())
    return proved.numpy()


def _outdone_in_ball(
    dw: Float64[Tensor, "claim other dim"],
    db: Float64[Tensor, "claim other"],
    weights: Float64[Tensor, "claim other"],
    radius: float,
) -> Bool[Tensor, " claim"]:
    r"""Is :math:`r \|\sum \lambda_i (w_k - w_i)\| < \sum \lambda_i (b_i - b_k)`, for sure?

    True of any λ ≥ 0: the sum of the weights need not be 1.
    """
    share = gamma(weights.shape[1] + 4, torch.float64)
    drift = (weights[:, :, None] * dw).sum(1).abs() + share * (weights[:, :, None] * dw.abs()).sum(
        1
    )
    rise = (weights * db).sum(1) - share * (weights * db.abs()).sum(1) - TINY * weights.shape[1]
    length = drift.norm(dim=1) * (1 + gamma(dw.shape[2] + 8, torch.float64)) + TINY * dw[0].numel()
    return radius * length * UP < rise - rise.abs() * 4 * U


def _enclosed(
    dw: Float64[Tensor, "claim other dim"],
    db: Float64[Tensor, "claim other"],
    weights: Float64[Tensor, "claim other"],
) -> Bool[Tensor, " claim"]:
    r"""Enclose the exact solution of :math:`[D^\top; 1] \lambda = [0; 1]`; is it positive?

    With R near the inverse of A: if :math:`\|I - R A\| \le \beta < 1`, then A is regular and
    :math:`\|\lambda^* - \lambda\|_\infty \le \|R (e - A \lambda)\|_\infty / (1 - \beta)`
    (Krawczyk 1969; Rump, *Verification methods*, 2010). Products carry their bound, and A the
    rounding of w_i − w_k. With a bias :math:`\sum \lambda^*_i (b_i - b_k) \ge 0` as well.
    """
    size = dw.shape[1]
    scale = dw.abs().amax((1, 2))
    power = torch.ldexp(torch.ones_like(scale), torch.frexp(scale).exponent)
    a = torch.nn.functional.pad((dw / power[:, None, None]).mT, (0, 0, 0, 1), value=1.0)
    # One at a time: a batch of large matrices on several threads can stand still within MKL.
    r = torch.stack([torch.linalg.inv_ex(one).inverse for one in a])
    share = gamma(size + 6, torch.float64)
    beta = (torch.eye(size) - r @ a).abs() + share * (r.abs() @ a.abs())
    beta = beta.sum(2).amax(1) * UP
    target, column = torch.eye(size, dtype=torch.float64)[:, -1:], weights[:, :, None]
    residual = (target - a @ column).abs() + share * (a.abs() @ column + target)
    error = (r.abs() @ residual).amax((1, 2)) * UP / (1 - beta).clamp_min(U) + TINY
    positive = (beta < 0.5) & (error <= NEAR) & (weights.amin(1) > error) & (scale > 0)
    least = (error + share * weights.amax(1)) * size * db.abs().amax(1) * UP
    rise = (weights * db).sum(1)
    return positive & ((rise >= least) | (db == 0).all(1))


def _exact(w: ndarray, b: ndarray, given: ndarray) -> bool:
    """Solve in fractions for weights of the rows behind the first; is none negative or far off?

    The bias is the sign of a sum where the weights are unique without it, and an equation if not.
    """
    weights = _fractions(w)
    if weights is None and b.any():
        weights, b = _fractions(np.c_[w, b]), np.zeros_like(b)
    if weights is None or min(weights) < 0:
        return False
    if any(abs(x - Fraction(y)) > NEAR for x, y in zip(weights, given.tolist(), strict=True)):
        return False
    rise = sum((x * Fraction(y) for x, y in zip(weights, b[1:].tolist(), strict=True)), Fraction(0))
    return rise >= Fraction(float(b[0]))


def _fractions(w: ndarray) -> list[Fraction] | None:
    """Return the unique weights of sum 1 that make the other rows the first; None if none are."""
    rows = [[*map(Fraction, column[1:]), Fraction(column[0])] for column in w.T.tolist()]
    rows.append([Fraction(1)] * len(w))
    count = len(w) - 1
    if count > len(rows):
        return None
    for column, top in _pivots(rows, count):
        for i, row in enumerate(rows):
            if i != column and row[column]:
                ratio = row[column] / top[column]
                rows[i] = [x - ratio * y for x, y in zip(row, top, strict=True)]
    if any(row[count] for row in rows[count:]) or not all(rows[i][i] for i in range(count)):
        return None
    return [rows[i][count] / rows[i][i] for i in range(count)]


def _pivots(rows: list[list[Fraction]], count: int) -> Iterator[tuple[int, list[Fraction]]]:
    """Yield each column with a row that has it, brought to its place; end where there is none."""
    for column in range(min(count, len(rows))):
        pivot = next((i for i in range(column, len(rows)) if rows[i][column]), None)
        if pivot is None:
            return
        rows[column], rows[pivot] = rows[pivot], rows[column]
        yield column, rows[column]
