"""The Fréchet distance of two clouds of features, as if each were Gaussian."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from companion.errors import DataError, NumericsError, ShapeError

__all__ = ["frechet_distance"]


def frechet_distance(
    features_a: Float[Tensor, "sample_a feature"], features_b: Float[Tensor, "sample_b feature"]
) -> float:
    r"""Return the squared Fréchet distance of the Gaussians fitted to two sets of features.

    :math:`|m_a - m_b|^2 + \operatorname{tr}(C_a + C_b - 2 (C_a^{1/2} C_b C_a^{1/2})^{1/2})`
    (Dowson and Landau 1982; with features of a classifier: Heusel et al. 2017), in float64.
    Finite samples of one distribution are apart by more than 0: compare at equal sizes.

    Raises:
        ShapeError: if the sets have not one number of features, or fewer than two samples.
        NumericsError: for NaN or infinity.

    >>> a = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    >>> round(frechet_distance(a, a + 1), 6)
    3.0
    """
    for name, rows in {"features_a": features_a, "features_b": features_b}.items():
        if rows.ndim != 2 or len(rows) < 2 or rows.shape[1] != features_a.shape[-1]:
            found = f"{tuple(features_a.shape)} and {tuple(features_b.shape)}"
            raise ShapeError(f"found {found}; expected [sample, feature], two samples at least")
        if not rows.is_floating_point():
            raise DataError(f"{name} are {rows.dtype}; expected floating point")
        if not rows.isfinite().all():
            at = (~rows.isfinite()).nonzero()[0].tolist()
            raise NumericsError(f"{name}{at} is {rows[tuple(at)].item()}; expected finite numbers")
    a, b = features_a.detach().cpu().double(), features_b.detach().cpu().double()
    cov_a, cov_b = a.T.cov().reshape(a.shape[1], -1), b.T.cov().reshape(b.shape[1], -1)
    root = _root(cov_a)
    mixed = torch.linalg.eigvalsh(root @ cov_b @ root).clamp(min=0).sqrt().sum()
    means = (a.mean(0) - b.mean(0)).square().sum()
    return max(0.0, float(means + cov_a.trace() + cov_b.trace() - 2 * mixed))


def _root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T
