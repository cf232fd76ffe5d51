"""Plain and residual networks of one width, to compare how depth treats them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from companion.depth.growth import check_layers
from companion.errors import DataError, ShapeError

__all__ = ["Chain", "Wiring", "random_orthogonal"]

Number = float | int
BRANCHES = {"linear": (1.0,), "relu": (2.0,), "two-layer": (2.0, 1.0)}  # variances times width
NORMS = ("none", "pre", "post")


@dataclass(frozen=True, kw_only=True)
class Wiring:
    r"""How one layer of a `Chain` uses its branch f.

    :math:`y = \mathrm{norm}(x + \varepsilon f(x))` with :math:`\varepsilon = N^{-p}`, and
    :math:`y = \mathrm{norm}(f(x))` without the skip.

    Args:
        branch: "linear" xW, "relu" relu(xW), or "two-layer" relu(xW)V; each matrix is Gaussian
            with the variance that keeps the mean square, eq-residual-forward and eq-residual-relu.
        skip: whether x is added.
        power: the exponent p.
        norm: LayerNorm without gain and bias: "none", "pre" (before f) or "post" (after the sum).
        orthogonal: whether the matrices are random orthogonal ones, times √2 before a relu.

    Raises:
        DataError: a name that is none of these, or ``power`` without a skip.

    >>> Wiring(branch="two-layer", power=0.5).epsilon(depth=100)
    0.1
    """

    branch: Literal["linear", "relu", "two-layer"] = "two-layer"
    skip: bool = True
    power: Number = 0
    norm: Literal["none", "pre", "post"] = "none"
    orthogonal: bool = False

    def __post_init__(self) -> None:
        for name, allowed in (("branch", tuple(BRANCHES)), ("norm", NORMS)):
            if getattr(self, name) not in allowed:
                raise DataError(f"{name} is {getattr(self, name)!r}; expected one of {allowed}")
        if self.power and not self.skip:
            raise DataError(f"power is {self.power} without a skip; a plain net has no ε")

    def epsilon(self, depth: int) -> float:
        """Return ε for N = ``depth`` layers; 1 without a skip."""
        return float(depth) ** -self.power


class Chain(nn.Module):
    r"""N layers wired alike, each with matrices of its own: rows in, rows of the same width out.

    Args:
        wiring: of every layer.
        width: d, of a row.
        depth: N, at least 1.
        generator: of the weights.

    Raises:
        DataError: ``width`` or ``depth`` is below 1.
        ShapeError: an input of another width.

    >>> plain = Chain(Wiring(branch="linear", skip=False, orthogonal=True), width=8, depth=500)
    >>> x = torch.randn(4, 8)
    >>> torch.allclose(plain(x).norm(), x.norm(), rtol=1e-3)
    True
    """

    def __init__(
        self, wiring: Wiring, width: int, depth: int, *, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        if width < 1:
            raise DataError(f"width is {width}; expected at least 1")
        check_layers(0, depth)
        self.wiring, self.epsilon = wiring, wiring.epsilon(depth)
        variances = torch.tensor(BRANCHES[wiring.branch])[:, None, None]
        shape = (depth, len(variances), width, width)
        if wiring.orthogonal:
            weights = random_orthogonal(depth * len(variances), width, generator=generator)
        else:
            weights = torch.randn(shape, generator=generator) / width**0.5
        # one tensor for all layers: autograd then collects one gradient, not N
        self.weights = nn.Parameter(weights.view(shape) * variances.to(weights).sqrt())

    def forward(self, x: Float[Tensor, "row width"]) -> Float[Tensor, "row width"]:
        """Return what comes out of the last layer."""
        width = self.weights.shape[-1]
        if x.shape[-1] != width:
            raise ShapeError(f"x has {x.shape[-1]} columns; expected the {width} of the chain")
        return self.states(x)[-1]

    def states(self, x: Float[Tensor, "row width"]) -> list[Float[Tensor, "row width"]]:
        """Return x before the first layer and after each."""
        found = [x]
        for matrices in self.weights.unbind(0):
            found.append(self._layer(found[-1], matrices.unbind(0)))
        return found

    def _layer(self, x: Tensor, matrices: tuple[Tensor, ...]) -> Tensor:
        wiring = self.wiring
        h = layer_norm(x, x.shape[-1:]) if wiring.norm == "pre" else x
        h = h @ matrices[0]
        if wiring.branch != "linear":
            h = torch.relu(h)
        if len(matrices) == 2:
            h = h @ matrices[1]
        y = x + self.epsilon * h if wiring.skip else h
        return layer_norm(y, y.shape[-1:]) if wiring.norm == "post" else y


def random_orthogonal(
    count: int, width: int, *, generator: torch.Generator | None = None
) -> Float[Tensor, "matrix width width"]:
    """Return random orthogonal matrices, uniform over all of them.

    The Q of a QR decomposition alone is not: LAPACK fixes its signs, and a product of many such Q
    drifts. Multiplying each column by the sign of R's diagonal mends it (Mezzadri, 2007).

    >>> q = random_orthogonal(2, 3)
    >>> torch.allclose(q @ q.mT, torch.eye(3).expand(2, 3, 3), atol=1e-5)
    True
    """
    q, r = torch.linalg.qr(torch.randn(count, width, width, generator=generator))
    return q * r.diagonal(dim1=-2, dim2=-1).sign()[:, None]
