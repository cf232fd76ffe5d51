"""Points in the plane: data that a small network learns in seconds, and a distance to judge it."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import silu

from companion.errors import DataError, ShapeError

__all__ = ["PointDenoiser", "moons", "ring", "sliced_wasserstein", "swiss_roll"]


def moons(
    count: int, *, noise: float | int = 0.06, generator: torch.Generator | None = None
) -> Float[Tensor, "point 2"]:
    """Draw points from two interleaved half circles.

    Each point is an independent draw (scikit-learn's ``make_moons`` lays a grid: no sampler can be
    as close to it as it is to itself). Both axes have mean 0 and variance 1 in expectation.

    Args:
        noise: spread around the half circles, whose radius is 1 before scaling.

    Raises:
        DataError: if ``count`` is below 1 or ``noise`` below 0.

    >>> moons(4, generator=torch.Generator().manual_seed(0)).shape
    torch.Size([4, 2])
    """
    return _standardised(_moons, count, noise, generator)


def swiss_roll(
    count: int, *, noise: float | int = 0.3, generator: torch.Generator | None = None
) -> Float[Tensor, "point 2"]:
    """Draw points along a spiral of one and a half turns; otherwise as ``moons``.

    >>> swiss_roll(4, generator=torch.Generator().manual_seed(0)).shape
    torch.Size([4, 2])
    """
    return _standardised(_spiral, count, noise, generator)


def ring(
    count: int, *, noise: float | int = 0.1, generator: torch.Generator | None = None
) -> Float[Tensor, "point 2"]:
    """Draw points from eight Gaussians on a circle; otherwise as ``moons``.

    >>> ring(4, generator=torch.Generator().manual_seed(0)).shape
    torch.Size([4, 2])
    """
    return _standardised(_circle_of_eight, count, noise, generator)


Curve = Callable[[Float[Tensor, " point"]], Float[Tensor, "point 2"]]


def _moons(u: Float[Tensor, " point"]) -> Float[Tensor, "point 2"]:
    """The first half of u runs along the upper moon, the second along the lower."""
    upper, angle = u < 0.5, 2 * math.pi * u
    x = torch.where(upper, angle.cos(), 1 + angle.cos())
    y = torch.where(upper, angle.sin(), 0.5 + angle.sin())
    return torch.stack([x, y], dim=1)


def _spiral(u: Float[Tensor, " point"]) -> Float[Tensor, "point 2"]:
    angle = 1.5 * math.pi * (1 + 2 * u)
    return angle[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)


def _circle_of_eight(u: Float[Tensor, " point"]) -> Float[Tensor, "point 2"]:
    angle = (8 * u).floor() * math.pi / 4
    return torch.stack([angle.cos(), angle.sin()], dim=1)


def _standardised(
    curve: Curve, count: int, noise: float | int, generator: torch.Generator | None
) -> Float[Tensor, "point 2"]:
    """Draw u evenly in (0, 1), go there, add noise; scale by the moments of all u, not these."""
    if count < 1 or noise < 0:
        raise DataError(f"count is {count}, noise {noise}; expected count >= 1, noise >= 0")
    at = "cpu" if generator is None else generator.device
    u = torch.rand(count, generator=generator, device=at)
    points = curve(u) + noise * torch.randn(count, 2, generator=generator, device=at)
    everywhere = curve((torch.arange(4096, device=at) + 0.5) / 4096)
    spread = (everywhere.var(dim=0, correction=0) + noise**2).sqrt()
    return (points - everywhere.mean(dim=0)) / spread


def sliced_wasserstein(
    a: Float[Tensor, "first dim"], b: Float[Tensor, "second dim"], *, directions: int = 128
) -> float:
    r"""Return the distance of two clouds of points, seen from many sides.

    :math:`\mathrm{mean}_v \int_0^1 |F_a^{-1}(u) - F_b^{-1}(u)|\,du`, the quantiles being those of
    :math:`v \cdot x`: the Wasserstein distance on a line, averaged over unit vectors v (Rabin et
    al., *Wasserstein Barycenter and Its Application to Texture Mixing*, 2011; order 1). In the
    plane the directions are evenly spaced, elsewhere drawn with a fixed seed, so the same clouds
    always get the same number. Two clouds of n independent points from one distribution are about
    :math:`1/\sqrt n` apart: compare with that floor, not with 0.

    Raises:
        ShapeError: if the clouds are no matrices of one width, or empty.

    >>> a = torch.tensor([[0.0, 0.0], [2.0, 0.0]])
    >>> round(sliced_wasserstein(a, a + torch.tensor([0.0, 1.0])), 3)  # 2/π, the mean of |sin|
    0.637
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or 0 in (*a.shape, *b.shape):
        shapes = f"{tuple(a.shape)} and {tuple(b.shape)}"
        raise ShapeError(f"found {shapes}; expected two clouds [point, dim] of the same dim")
    axes = _directions(directions, a.shape[1]).to(a.device)
    lines = [(cloud.double() @ axes).sort(dim=0).values for cloud in (a, b)]
    edges = [torch.arange(len(line) + 1, device=a.device).double() / len(line) for line in lines]
    u = torch.cat(edges).unique()  # between two of these both quantiles are constant
    middle, width = (u[1:] + u[:-1]) / 2, u.diff()
    first, second = (line[(middle * len(line)).long()] for line in lines)
    return float((width @ (first - second).abs()).mean())


def _directions(count: int, dim: int) -> Float[Tensor, "dim direction"]:
    """Return unit vectors as columns."""
    if dim == 2:
        angles = math.pi * torch.arange(count).double() / count
        return torch.stack([angles.cos(), angles.sin()])
    draws = torch.Generator().manual_seed(0)
    columns = torch.randn(dim, count, generator=draws, dtype=torch.float64)
    return columns / columns.norm(dim=0)


class PointDenoiser(nn.Module):
    r"""A network for points: residual layers, each of which is told the time.

    The time enters as sines and cosines whose wavelengths grow from :math:`2\pi` to
    :math:`2000\pi` steps, mixed by a linear layer. The last layer starts at 0, so the first guess
    is no noise.

    Args:
        dim: numbers in a point.
        width: of the layers.
        depth: residual layers.
        waves: wavelengths, each a sine and a cosine.

    >>> model = PointDenoiser()
    >>> model(torch.ones(3, 2), torch.tensor([1, 10, 1000])).shape
    torch.Size([3, 2])
    >>> sum(weight.numel() for weight in model.parameters())
    125330
    """

    frequencies: Tensor

    def __init__(self, *, dim: int = 2, width: int = 168, depth: int = 4, waves: int = 32) -> None:
        super().__init__()
        exponents = torch.arange(waves) / max(waves - 1, 1)
        self.register_buffer("frequencies", 1e-3**exponents, persistent=False)
        self.time = nn.Linear(2 * waves, width)
        self.first = nn.Linear(dim, width)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.last = nn.Linear(width, dim)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(
        self, x: Float[Tensor, "batch dim"], t: Int64[Tensor, " batch"]
    ) -> Float[Tensor, "batch dim"]:
        """Return the noise in ``x`` at step ``t``."""
        angles = t[:, None] * self.frequencies
        time = self.time(torch.cat([angles.sin(), angles.cos()], dim=1))
        hidden = self.first(x)
        for layer in self.layers:
            hidden = hidden + layer(silu(hidden + time))
        return self.last(silu(hidden))
