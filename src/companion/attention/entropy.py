"""How wide attention looks: its entropy, what is expected of it, and scales that hold it level."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from companion.errors import DataError

__all__ = [
    "GOLDEN_KAPPA",
    "Law",
    "attention_entropy",
    "freezing_spread",
    "gaussian_entropy",
    "sample_scores",
    "scale_at",
    "sphere_entropy",
    "sphere_peak",
    "weights_entropy",
]

Number = float | int
Law = Literal["usual", "log", "root"]
WORD = 2**32

GOLDEN_KAPPA = math.log((1 + math.sqrt(5)) / 2) / 2
"""What ``sphere_entropy`` loses for each dimension at scale 1: half the logarithm of the golden
ratio, 0.2406 (``eq-alpha-kappa``)."""


def weights_entropy(weights: Float[Tensor, "... query key"]) -> Float[Tensor, "... query"]:
    r"""Return :math:`H_i = -\sum_j a_{ij} \log a_{ij}` in nats, 0 for a weight of 0.

    :math:`e^H` is how many keys share the attention, where they share it equally.

    Args:
        weights: attention; the rows sum to 1.

    >>> weights_entropy(torch.tensor([[0.25, 0.25, 0.25, 0.25], [1.0, 0.0, 0.0, 0.0]])).exp()
    tensor([4., 1.])
    """
    return torch.special.entr(weights).sum(dim=-1)


def attention_entropy(
    scores: Float[Tensor, "... query key"],
    scale: Number = 1.0,
    allowed: Bool[Tensor, "... query key"] | None = None,
) -> Float[Tensor, "... query"]:
    r"""Return the entropy of softmax attention without forming a logarithm of a weight.

    .. math:: H_i = \log\sum_j e^{\lambda s_{ij}} - \lambda\sum_j a_{ij} s_{ij}

    (``eq-alpha-entropy``; Su Jianlin, kexue.fm/archives/8823).

    Args:
        scores: s, the scores before the softmax.
        scale: λ, what multiplies them before the softmax.
        allowed: True where a key may be seen. Every query must see one at least, or gets NaN.

    >>> attention_entropy(torch.zeros(1, 8)).exp()
    tensor([8.])
    """
    scaled = scale * scores
    if allowed is not None:
        scaled = scaled.masked_fill(~allowed, -torch.inf)
    scaled = scaled - scaled.amax(dim=-1, keepdim=True)  # changes no weight, and saves digits
    weights = torch.softmax(scaled, dim=-1)
    seen = scaled.masked_fill(weights == 0, 0)  # lest −∞ times 0 be NaN
    return torch.logsumexp(scaled, dim=-1) - (weights * seen).sum(dim=-1)


def freezing_spread(length: Number) -> float:
    r"""Return :math:`\sqrt{2\log n}`: scores that spread wider freeze attention to a few keys.

    Of n independent normal numbers with standard deviation σ the largest is about
    :math:`\sigma\sqrt{2\log n}`; when σ reaches that root, the exponential of the largest is as
    large as the sum of all others (``eq-alpha-freezing``; Derrida 1981, the random energy model).

    Args:
        length: n, at least 1.

    Raises:
        DataError: for a length below 1.

    >>> round(freezing_spread(512), 2)
    3.53
    """
    return math.sqrt(2 * math.log(_length(length)))


def gaussian_entropy(length: Number, spread: Number) -> float:
    r"""Return the entropy expected of n independent Gaussian scores: :math:`\log n-\sigma^2/2`.

    Zero from ``freezing_spread`` on (``eq-alpha-gaussian``; Derrida 1981). Exact only as n grows,
    and late near the freezing point.

    Args:
        length: n, at least 1.
        spread: σ, the standard deviation of the scores after scaling.

    Raises:
        DataError: for a length below 1, or a negative spread.

    >>> round(gaussian_entropy(512, 1), 3), gaussian_entropy(512, 4)
    (5.738, 0.0)
    """
    if not 0 <= spread < math.inf:
        raise DataError(f"spread is {spread}; expected 0 or more, and finite")
    return max(0.0, math.log(_length(length)) - spread**2 / 2)


def sphere_peak(scale: Number) -> float:
    r"""Return the cosine t between a query and the keys that it looks at most.

    Keys are uniform on a sphere of radius :math:`\sqrt d`, and so is the query; scores are
    :math:`\lambda q\cdot k=\lambda d t`. What there is of keys at cosine t, times what each gets,
    :math:`(1-t^2)^{d/2}e^{\lambda dt}`, is largest at

    .. math:: t = \frac{\sqrt{1+4\lambda^2}-1}{2\lambda}

    (``eq-alpha-peak``).

    Args:
        scale: λ, at least 0; :math:`1/\sqrt d` is the usual one.

    Raises:
        DataError: for a negative scale.

    >>> round(sphere_peak(1), 4)
    0.618
    """
    if not 0 <= scale < math.inf:
        raise DataError(f"scale is {scale}; expected 0 or more, and finite")
    return 2 * scale / (math.sqrt(1 + 4 * scale**2) + 1)


def sphere_entropy(length: Number, dim: Number, scale: Number) -> float:
    r"""Return Laplace's estimate of the entropy: :math:`\log n + \frac d2\log(1-t^2)`.

    t is ``sphere_peak`` (``eq-alpha-kappa``). Written as :math:`\log n-\kappa\lambda d`, κ is
    0.24 at λ = 1 and between 1 and 2, which is the essay's constant, and nearly λ/2 where λ is
    small. Not cut off at 0: where it is negative, attention is frozen.

    Args:
        length: n, keys.
        dim: d, numbers in a key.
        scale: λ.

    Raises:
        DataError: for a length or dimension below 1, or a negative scale.

    >>> round((sphere_entropy(1, 64, 1) / 64), 4), round(-GOLDEN_KAPPA, 4)
    (-0.2406, -0.2406)
    """
    if not dim >= 1:
        raise DataError(f"dim is {dim}; expected at least 1")
    return math.log(_length(length)) + dim / 2 * math.log1p(-(sphere_peak(scale) ** 2))


def scale_at(law: Law, length: Number, *, base: Number, entropy: Number = 0.0) -> float:
    r"""Return by what the scores are multiplied at length n, relative to length ``base``.

    "usual": 1. "log": :math:`\log n/\log n_0` (``eq-alpha-softmax-plus``). "root":
    :math:`\sqrt{(\log n-H)/(\log n_0-H)}`, which holds the entropy H of Gaussian scores level
    (``eq-alpha-root``).

    Args:
        law: which.
        length: n, at least 1.
        base: the length n₀ at which all laws agree.
        entropy: H, of "root" alone; where log n is less, the factor is 0.

    Raises:
        DataError: for another law, a length below 1, or a base whose logarithm is not above H.

    >>> [round(scale_at(law, 4096, base=512), 3) for law in get_args(Law)]
    [1.0, 1.333, 1.155]
    """
    if law not in get_args(Law):
        expected = ", ".join(map(repr, get_args(Law)))
        raise DataError(f"law is {law!r}; expected one of {expected}")
    log, start = math.log(_length(length)), math.log(_length(base))
    if not start > entropy >= 0:
        raise DataError(f"base is {base}, entropy {entropy}; expected log(base) > entropy >= 0")
    if law == "usual":
        return 1.0
    if law == "log":
        return log / start
    return math.sqrt(max(0.0, log - entropy) / (start - entropy))


def sample_scores(count: int, *, seed: int = 0) -> Float64[Tensor, " key"]:
    """Return independent standard normal numbers: those of the figure's script on the page.

    Box and Muller's method on the generator mulberry32, which counts in 32 bits. The first of a
    longer sample are the shorter one.

    Args:
        count: how many, at least 1.
        seed: of the random numbers.

    Raises:
        DataError: for a count below 1.

    >>> torch.equal(sample_scores(9, seed=3)[:4], sample_scores(4, seed=3))
    True
    """
    if count < 1:
        raise DataError(f"count is {count}; expected at least 1")
    counter = torch.arange(1, 2 * count + 1, dtype=torch.int64)
    t = (seed * 0x9E3779B9 + counter * 0x6D2B79F5) % WORD
    t = _times(t ^ (t >> 15), t | 1)
    t = t ^ (t + _times(t ^ (t >> 7), t | 61)) % WORD
    uniform = ((t ^ (t >> 14)).double() + 0.5) / WORD
    radius, angle = uniform.view(-1, 2).unbind(1)
    return (-2 * radius.log()).sqrt() * torch.cos(2 * math.pi * angle)


def _times(a: Tensor, b: Tensor) -> Tensor:
    return (a * b) % WORD  # the low 32 bits survive the overflow of 64


def _length(length: Number) -> Number:
    if not 1 <= length < math.inf:
        raise DataError(f"length is {length}; expected at least 1, and finite")
    return length
