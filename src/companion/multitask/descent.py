"""Descent directions for several losses: one primary with helpers, equals, or both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from companion.errors import DataError, NumericsError, ShapeError
from companion.multitask.cone import hybrid_weights
from companion.multitask.direction import Direction
from companion.multitask.gram import eigen_factor, factorise, weighted_sum

__all__ = ["common_descent", "gram_weights", "hybrid_descent", "primary_descent"]


def primary_descent(
    primary: Float[Tensor, " dim"], auxiliary: Float[Tensor, "task dim"]
) -> Direction:
    r"""Follow the primary gradient as far as no auxiliary loss has to go up.

    :math:`u = g_0 + \sum_i \lambda_i g_i` with
    :math:`\lambda = \arg\min_{\lambda \ge 0} |g_0 + \sum_i \lambda_i g_i|^2`: the projection of
    :math:`g_0` on the cone :math:`\{u : \langle g_i, u\rangle \ge 0\}` (``eq-primary-dual``;
    the quadratic program of Lopez-Paz and Ranzato, *Gradient Episodic Memory*, 2017, eq. 11).

    Args:
        primary: :math:`g_0`.
        auxiliary: :math:`g_1 \dots g_n`; ``n = 0`` gives :math:`u = g_0`.

    Returns:
        ``u``, λ, and the Gram matrix of :math:`g_0, g_1 \dots g_n`. Dependent or zero gradients
        have several λ (one of them is returned) but one ``u``.

    Raises:
        ShapeError: if the gradients are no vectors of one length.
        DataError: if their precisions or devices differ.
        NumericsError: if one of them holds NaN or infinity, or a length or multiplier exceeds
            float64.

    >>> direction = primary_descent(torch.tensor([1.0, 0.0]), torch.tensor([[-1.0, 1.0]]))
    >>> direction.update
    tensor([0.5000, 0.5000])
    >>> direction.weights.round(decimals=6)
    tensor([0.5000], dtype=torch.float64)
    """
    _check_tensors({"primary": primary, "auxiliary": auxiliary})
    if primary.ndim != 1:
        raise ShapeError(f"primary has shape {tuple(primary.shape)}; expected a vector [dim]")
    direction = _descend({"primary": primary[None], "auxiliary": auxiliary})
    return replace(direction, weights=direction.weights[1:])


def common_descent(gradients: Float[Tensor, "task dim"]) -> Direction:
    r"""Find the direction along which the slowest of several equal losses falls fastest.

    :math:`u = \sum_i \alpha_i g_i`, the shortest vector of the convex hull of the gradients:
    :math:`\alpha \ge 0`, :math:`\sum_i \alpha_i = 1` (``eq-primary-parallel``; Désidéri,
    *Multiple-gradient descent algorithm*, 2012), exact where Frank and Wolfe's steps only approach.

    Args:
        gradients: :math:`g_1 \dots g_m`, at least one.

    Returns:
        ``u``, α, and the Gram matrix of the gradients.

    Raises:
        ShapeError, DataError, NumericsError: as ``primary_descent``.

    >>> common_descent(torch.tensor([[2.0, 0.0], [0.0, 1.0]])).update.round(decimals=4)
    tensor([0.4000, 0.8000])
    """
    return _descend({"gradients": gradients})


def hybrid_descent(
    primaries: Float[Tensor, "primary dim"], auxiliary: Float[Tensor, "task dim"]
) -> Direction:
    r"""Let several primary losses fall as equals, and no auxiliary loss go up.

    :math:`u = \sum_i \alpha_i g_i + \sum_j \lambda_j g_j` of least length, α on the simplex and
    :math:`\lambda \ge 0` (``eq-primary-hybrid``). One primary: ``primary_descent``; no auxiliary:
    ``common_descent``.

    Args:
        primaries: the gradients weighted by α, at least one.
        auxiliary: the gradients weighted by λ, or none.

    Returns:
        ``u``, the weights (α, λ), and the Gram matrix of all gradients, primaries first.

    Raises:
        ShapeError, DataError, NumericsError: as ``primary_descent``.

    >>> g = torch.tensor([[1.0, 1.0, 0.0], [1.0, -1.0, 0.0]])
    >>> hybrid_descent(g, torch.tensor([[-1.0, 0.0, 1.0]])).update.round(decimals=4)
    tensor([0.5000, 0.0000, 0.5000])
    """
    return _descend({"primaries": primaries, "auxiliary": auxiliary})


def gram_weights(gram: Float[Tensor, "task task"], *, primaries: int) -> Float[Tensor, " task"]:
    r"""Return the weights of ``hybrid_descent`` from inner products alone (``eq-primary-gram``).

    An inner product knows an angle near 0 or 180 degrees only to 1e-8; for gradients closer than
    that the functions that see the vectors are more exact.

    Args:
        gram: :math:`\langle g_i, g_j\rangle`, primaries first.
        primaries: how many of the rows are primaries; the weights of these sum to 1.

    Raises:
        ShapeError: if ``gram`` is not square, or ``primaries`` not among its rows.
        DataError: if it is no matrix of inner products.
        NumericsError: if it holds NaN or infinity.

    >>> gram_weights(torch.tensor([[1.0, -1.0], [-1.0, 2.0]]), primaries=1).round(decimals=6)
    tensor([1.0000, 0.5000], dtype=torch.float64)
    """
    if gram.ndim != 2 or gram.shape[0] != gram.shape[1] or not 1 <= primaries <= len(gram):
        found = f"{tuple(gram.shape)} and primaries={primaries}"
        raise ShapeError(f"gram has shape {found}; expected [task, task], 1 <= primaries <= task")
    matrix = gram.detach().cpu().double().numpy()
    if not np.isfinite(matrix).all():
        row, column = np.argwhere(~np.isfinite(matrix))[0]
        raise NumericsError(f"gram is {matrix[row, column]} at [{row}, {column}]; expected finite")
    _check_products(matrix)
    return torch.from_numpy(hybrid_weights(eigen_factor(matrix), primaries=primaries))


def _check_products(gram: ndarray) -> None:
    """Refuse what no vectors have: a negative square, a cosine beyond 1, ⟨a, b⟩ ≠ ⟨b, a⟩."""
    lengths = np.sqrt(np.diag(gram).clip(min=0.0))
    limit = np.outer(lengths, lengths)
    wrong = (np.abs(gram) > 1.01 * limit) | (np.abs(gram - gram.T) > 0.01 * limit)
    if wrong.any():
        at = tuple(np.argwhere(wrong)[0].tolist())
        found = f"{gram[at]:.6g} at {list(at)}, {gram[at[::-1]]:.6g} at {list(at[::-1])}"
        raise DataError(f"gram is {found}; expected inner products, |⟨a, b⟩| at most |a| |b|")


def _descend(named: dict[str, Tensor]) -> Direction:
    """Solve for any number of matrices of gradients; the first holds the primaries."""
    _check_tensors(named)
    _check_shapes(named)
    gradients = [rows.detach() for rows in named.values()]
    scale = _safe_scale(_finite_peaks(named))
    with np.errstate(over="ignore"):  # what overflows, and matters, is told by name
        columns, gram = factorise(gradients, scale)
        _check_range(named, "length", np.hypot.reduce(columns, axis=0))
        weights = hybrid_weights(columns, primaries=len(gradients[0]))
        _check_range(named, "multiplier", weights)
    update = weighted_sum(weights, gradients, scale)
    return Direction(update, torch.from_numpy(weights), torch.from_numpy(gram))


def _check_range(named: dict[str, Tensor], what: str, values: ndarray) -> None:
    places = [f"{name}[{row}]" for name, rows in named.items() for row in range(len(rows))]
    for place, value in zip(places, values, strict=True):
        if not np.isfinite(value):
            limit = f"{np.finfo(np.float64).max:.2g}"
            raise NumericsError(f"the {what} of {place} exceeds {limit}; rescale its loss")


def _check_tensors(named: Mapping[str, object]) -> None:
    for name, value in named.items():
        if not isinstance(value, Tensor):
            found = type(value).__name__
            raise DataError(f"{name} is a {found}, expected a tensor (torch.stack makes one)")


def _check_shapes(named: dict[str, Tensor]) -> None:
    first = next(iter(named.values()))
    for name, rows in named.items():
        if rows.ndim != 2 or rows.shape[1] == 0 or rows.shape[1] != first.shape[-1]:
            shapes = ", ".join(f"{key} {tuple(value.shape)}" for key, value in named.items())
            raise ShapeError(f"found {shapes}; expected rows of one length, {name} as [task, dim]")
        if not rows.is_floating_point() or rows.dtype != first.dtype or rows.device != first.device:
            kinds = ", ".join(f"{key} {v.dtype} on {v.device}" for key, v in named.items())
            raise DataError(f"found {kinds}; expected one floating precision on one device")
    if len(first) == 0:
        raise ShapeError(f"{next(iter(named))} is empty; expected at least one gradient")


def _finite_peaks(named: dict[str, Tensor]) -> ndarray:
    """Return the largest magnitude of each row; NaN and infinity show up in it."""
    peaks = []
    for name, rows in named.items():
        rows = rows.detach()
        peak = torch.maximum(rows.amax(dim=1), -rows.amin(dim=1))  # faster than a norm, no copy
        for row in (~peak.isfinite()).nonzero()[:, 0].tolist():
            index = int((~rows[row].isfinite()).nonzero()[0])
            where = f"{name}[{row}, {index}]"
            raise NumericsError(f"{where} is {float(rows[row, index])}; expected a finite gradient")
        peaks.append(peak.cpu().double().numpy())
    return np.concatenate(peaks)


def _safe_scale(peaks: ndarray) -> ndarray:
    """Return 1 where squares neither overflow nor vanish, else a power of two: exact to divide."""
    safe = ((peaks > 1e-100) & (peaks < 1e100)) | (peaks == 0)
    return np.where(safe, 1.0, np.ldexp(1.0, np.frexp(peaks)[1] - 1))
