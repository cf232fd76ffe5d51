"""One walk over long gradients that brings back their few inner products."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

__all__ = ["eigen_factor", "factorise", "weighted_sum"]

COLUMNS = 1 << 15  # a slice of 16 gradients in float64 is then 4 MB: it stays in the cache
NEARLY_SINGULAR = 1e-4  # smallest eigenvalue of the matrix of cosines that we trust


def factorise(
    gradients: list[Tensor], scale: Float[ndarray, " task"]
) -> tuple[Float[ndarray, "rank task"], Float[ndarray, "task task"]]:
    r"""Return short columns with the gradients' lengths and angles, and the Gram matrix.

    The columns come from the Gram matrix (``eq-primary-gram``): one matrix product per slice. But
    a Gram matrix squares: float64 keeps a cosine to 1e-16, hence an angle near zero only to 1e-8,
    and multipliers of size 1/angle magnify the error to about 1e-16/angle² of :math:`|g_0|`. Where
    the matrix of cosines is nearly singular, a QR decomposition of the gradients themselves, slice
    after slice, keeps angles down to 1e-16. It costs four to six times as much, so it is run only
    there.

    Args:
        gradients: matrices ``[task_k, dim]``, stacked in this order.
        scale: rows are divided by these, lest squares overflow; the columns are not, and overflow
            to infinity, as the Gram matrix does, where float64 cannot hold them.
    """
    products = [part @ part.mT for part in _slices(gradients, scale)]
    scaled = torch.stack(products).sum(dim=0).cpu().numpy()
    gram = scaled * scale[:, None] * scale  # in this order no 0 meets an infinity
    values, columns = _eigen(scaled)
    if values[0] < NEARLY_SINGULAR:
        triangle = torch.zeros(len(scale), len(scale))
        for part in _slices(gradients, scale):
            tall = torch.cat([triangle.to(part), part.mT])
            triangle = torch.linalg.qr(tall, mode="r").R
        columns = triangle.cpu().numpy()
    return columns * scale, gram


def eigen_factor(gram: Float[ndarray, "task task"]) -> Float[ndarray, "task task"]:
    """Return ``F`` with ``F.T @ F = gram``, from the eigenvalues of the matrix of cosines.

    A Cholesky factor would be cheaper, but does not exist for dependent gradients.

    >>> columns = eigen_factor(np.array([[4.0, -2.0], [-2.0, 1.0]]))    # two opposite gradients
    >>> (columns.T @ columns).round(6)
    array([[ 4., -2.],
           [-2.,  1.]])
    """
    return _eigen(gram)[1]


def _eigen(gram: ndarray) -> tuple[ndarray, ndarray]:
    lengths = np.sqrt(np.diag(gram))
    unit = np.where(lengths > 0, lengths, 1.0)
    cosines = gram / unit / unit[:, None]
    np.fill_diagonal(cosines, 1.0)  # for zero gradients too: they are no sign of dependence
    values, vectors = np.linalg.eigh(cosines)
    return values, np.sqrt(values.clip(min=0.0))[:, None] * vectors.T * lengths


def weighted_sum(
    weights: Float[ndarray, " task"], gradients: list[Tensor], scale: Float[ndarray, " task"]
) -> Float[Tensor, " dim"]:
    """Return ``Σ weights[i] · gradients[i]``, summed in float64, in the gradients' precision."""
    update = torch.empty_like(gradients[0][0])
    start = 0
    for part in _slices(gradients, scale):
        factors = torch.as_tensor(weights * scale, device=part.device)
        update[start : start + part.shape[1]] = factors @ part
        start += part.shape[1]
    return update


def _slices(gradients: list[Tensor], scale: ndarray) -> Iterator[Tensor]:
    """Yield slices ``[task, columns]`` in float64, where they lie (Metal has none: on the CPU)."""
    device = gradients[0].device if gradients[0].device.type != "mps" else torch.device("cpu")
    divisor = torch.as_tensor(scale, device=device)[:, None]
    for parts in zip(*(rows.split(COLUMNS, dim=1) for rows in gradients), strict=True):
        wide = [part.to(device, torch.float64) for part in parts if len(part)]
        rows = wide[0] if len(wide) == 1 else torch.cat(wide)
        yield rows if (scale == 1).all() else rows / divisor
