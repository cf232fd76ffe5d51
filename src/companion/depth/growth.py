"""How much longer a vector gets on its way through N residual layers, x ← x + ε f(x)."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from companion.errors import DataError

__all__ = [
    "aligned_growth",
    "alignment",
    "orthogonal_growth",
    "relu_growth",
    "sample_growth",
    "tied_growth",
    "typical_growth",
]

Number = float | int
WORD = 2**32


def aligned_growth(epsilon: Number, depth: int) -> float:
    r"""Return the log of :math:`(1+\varepsilon)^N`: every branch points along its input.

    Equation ``eq-residual-one-dim``; in one dimension no branch of full size can do anything else,
    but for the sign.

    Args:
        epsilon: size of the branch relative to its input, at least 0.
        depth: number of layers N, at least 1.

    Raises:
        DataError: a number out of its range.

    >>> round(math.exp(aligned_growth(1 / 1000, 1000)), 3)
    2.717
    """
    check_layers(epsilon, depth)
    return depth * math.log1p(epsilon)


def orthogonal_growth(epsilon: Number, depth: int) -> float:
    r"""Return the log of :math:`(1+\varepsilon^2)^{N/2}`: every branch at right angles to x.

    Equation ``eq-residual-high-dim``. Arguments and errors as in `aligned_growth`.

    >>> round(math.exp(orthogonal_growth(1000**-0.5, 1000)), 3)
    1.648
    """
    check_layers(epsilon, depth)
    return depth / 2 * math.log1p(epsilon**2)


def tied_growth(epsilon: Number, depth: int) -> float:
    r"""Return the log of the root of :math:`\sum_k\binom Nk^2\varepsilon^{2k}`: one branch N times.

    Equation ``eq-residual-tied``: the root mean square growth when all layers share one Gaussian
    matrix with variance 1/d, in the limit of large d. Arguments and errors as in `aligned_growth`.

    >>> round(math.exp(tied_growth(1, 1)), 3)  # √2: one layer cannot know that it is repeated
    1.414
    """
    check_layers(epsilon, depth)
    k = torch.arange(depth + 1, dtype=torch.float64)
    whole = torch.tensor(depth + 1.0, dtype=torch.float64)
    binomial = torch.lgamma(whole) - torch.lgamma(k + 1) - torch.lgamma(whole - k)
    return float(torch.logsumexp(2 * binomial + 2 * torch.xlogy(k, torch.tensor(epsilon)), 0)) / 2


def relu_growth(epsilon: Number, depth: int) -> float:
    r"""Return the log growth when the branch is relu(xW), Var W = 2/d, in the limit of large d.

    Equation ``eq-residual-mean``. Such a branch has the mean :math:`r/\sqrt\pi` in each entry, r
    being the root mean square of x. The mean μ of the entries takes part in the growth:
    :math:`\mu \leftarrow \mu + \varepsilon r/\sqrt\pi` and
    :math:`r^2 \leftarrow r^2 + 2\varepsilon\mu r/\sqrt\pi + \varepsilon^2r^2`, from μ = 0.
    Arguments and errors as in `aligned_growth`.

    >>> round(relu_growth(0.01, 10_000) - orthogonal_growth(0.01, 10_000))
    55
    """
    check_layers(epsilon, depth)
    push, share, total = epsilon / math.sqrt(math.pi), 0.0, 0.0
    for _ in range(depth):  # share is μ/r, total the log of r
        factor = math.sqrt(1 + 2 * push * share + epsilon**2)
        share, total = (share + push) / factor, total + math.log(factor)
    return total


def alignment(dim: int) -> float:
    r"""Return the mean size of the cosine between a fixed and a random direction.

    In d dimensions it is :math:`\Gamma(d/2)/(\sqrt\pi\,\Gamma((d+1)/2))`: 1 for d = 1, tending to
    :math:`\sqrt{2/\pi d}`.

    Raises:
        DataError: ``dim`` is below 1.

    >>> round(alignment(1), 9), round(alignment(3), 9)
    (1.0, 0.5)
    """
    check_dim(dim)
    ratio = math.lgamma(dim / 2) - math.lgamma((dim + 1) / 2)
    return math.exp(ratio) / math.sqrt(math.pi)


def typical_growth(epsilon: Number, depth: int, dim: int, *, along: Number = 0) -> float:
    r"""Return the mean log growth over random directions, to second order in ε.

    :math:`N(\varepsilon sc_d + \varepsilon^2/2 - \varepsilon^2/d)`, with s the share ``along`` of
    branches that are turned to push along x and :math:`c_d` the `alignment`. Equations
    ``eq-residual-spread`` (s = 0) and ``eq-residual-pushed`` (s = 1).

    >>> round(typical_growth(0.1, 100, 1), 3), round(typical_growth(0.1, 100, 1, along=1), 3)
    (-0.5, 9.5)
    """
    check_layers(epsilon, depth)
    check_dim(dim)
    check_share(along)
    return depth * (epsilon * along * alignment(dim) + epsilon**2 * (0.5 - 1 / dim))


def sample_growth(
    epsilon: Number, depth: int, dim: int, *, walks: int = 1, along: Number = 0, seed: int = 0
) -> Float64[Tensor, "walk layer"]:
    r"""Return sampled log growth after 0, 1, …, N layers whose branch turns x at random.

    Each branch has the length of x and a direction uniform on the sphere, as that of Q x with a
    random orthogonal Q: :math:`\|x+\varepsilon Qx\|^2=(1+2\varepsilon c+\varepsilon^2)\|x\|^2`
    with c the cosine. Only c is drawn, so d costs nothing. The random numbers are those of the
    figure's script on the page, and depend on the seed alone.

    Args:
        epsilon, depth: as in `aligned_growth`.
        dim: d, at least 1.
        walks: how many independent ones.
        along: probability that a branch which pushes against x is turned round.
        seed: of the random numbers.

    Returns:
        Natural logarithms; −∞ where a branch as long as x took all of it away (only d = 1).

    Raises:
        DataError: a number out of its range.

    >>> sample_growth(0.5, 3, 1, along=1).exp()  # 1.5 to the powers 0, 1, 2, 3
    tensor([[1.0000, 1.5000, 2.2500, 3.3750]], dtype=torch.float64)
    """
    check_layers(epsilon, depth)
    check_dim(dim)
    check_share(along)
    if walks < 1:
        raise DataError(f"walks is {walks}; expected at least 1")
    first, second, third = _uniform(3 * walks * depth, seed).view(walks, depth, 3).unbind(2)
    cosine = _cosine(first, second, dim)
    cosine = torch.where(third < along, cosine.abs(), cosine)
    square = (1 + 2 * epsilon * cosine + epsilon**2).clamp_min(0)
    return torch.nn.functional.pad((square.log() / 2).cumsum(1), (1, 0))


def _uniform(count: int, seed: int) -> Float64[Tensor, " draw"]:
    """Return numbers uniform on (0, 1): the generator mulberry32, which counts in 32 bits."""
    counter = torch.arange(1, count + 1, dtype=torch.int64)
    t = (seed * 0x9E3779B9 + counter * 0x6D2B79F5) % WORD
    t = _times(t ^ (t >> 15), t | 1)
    t = t ^ (t + _times(t ^ (t >> 7), t | 61)) % WORD
    return ((t ^ (t >> 14)).double() + 0.5) / WORD


def _times(a: Int64[Tensor, " draw"], b: Int64[Tensor, " draw"]) -> Int64[Tensor, " draw"]:
    return (a * b) % WORD  # the low 32 bits survive the overflow of 64


def _cosine(
    u: Float64[Tensor, "walk layer"], v: Float64[Tensor, "walk layer"], dim: int
) -> Float64[Tensor, "walk layer"]:
    """Return cosines between random directions: Bailey's polar method for Student's t, d − 1."""
    turn = torch.cos(2 * math.pi * v)
    if dim == 1:
        return turn.sign()
    wide = torch.expm1(-2 / (dim - 1) * u.log())
    return turn * (wide / (1 + wide * turn**2)).sqrt()


def check_layers(epsilon: Number, depth: int) -> None:
    """Raise DataError unless ε is a finite number of at least 0, and there is a layer."""
    if not 0 <= epsilon < math.inf:
        raise DataError(f"epsilon is {epsilon}; expected a finite number, 0 or more")
    if depth < 1:
        raise DataError(f"depth is {depth}; expected at least one layer")


def check_dim(dim: int) -> None:
    """Raise DataError unless there is a dimension."""
    if dim < 1:
        raise DataError(f"dim is {dim}; expected at least 1")


def check_share(along: Number) -> None:
    """Raise DataError unless the share lies between 0 and 1."""
    if not 0 <= along <= 1:
        raise DataError(f"along is {along}; expected a share from 0 to 1")
