"""Usual wrong answers to the exercises on one layer, as functions.

Each is the thing somebody writes, so that an answer can be told what it does instead.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

Counts = list[int]
Lengths = list[float]
Pair = tuple[float, float]


# the number of parameters


def counts(
    dim: int,
    inner: int,
    key_dim: int,
    bias: int,
    *,
    keys: int = 1,
    affine: int = 4,
    gau_bias: int | None = None,
    attention: int = 4,
    feed_forward: int = 8,
    layer_bias: int = 9,
) -> Counts:
    """Both counts, with parts of them miscounted."""
    gau = 3 * dim * inner + keys * dim * key_dim + affine * key_dim
    gau_bias = 2 * inner + key_dim + dim if gau_bias is None else gau_bias
    layer = (attention + feed_forward) * dim * dim
    return [gau + bias * gau_bias, layer + bias * layer_bias * dim]


def estimates(dim: int, inner: int, key_dim: int, bias: int) -> Counts:
    return counts(dim, inner, 0, 0)


def never_biased(dim: int, inner: int, key_dim: int, bias: int) -> Counts:
    return counts(dim, inner, key_dim, 0)


def bias_of_what_goes_in(dim: int, inner: int, key_dim: int, bias: int) -> Counts:
    """A bias as long as a row of the matrix: three times d, once e."""
    return counts(dim, inner, key_dim, bias, gau_bias=3 * dim + inner)


def offset_taken_for_bias(dim: int, inner: int, key_dim: int, bias: int) -> Counts:
    return counts(dim, inner, key_dim, bias, affine=4 if bias else 2)


# the weights


def weights(
    q: Tensor,
    k: Tensor,
    mask: Tensor,
    *,
    key_power: float = 1.0,
    inside: float = 2.0,
    reach: int = 0,
    length: str = "tokens so far",
    keys: bool = True,
    rows: bool = True,
) -> Tensor:
    """The weights, with one of their parts changed."""
    seq = len(q)
    scores = (q @ k.mT).relu() ** inside / q.shape[1] ** key_power
    seen = torch.ones(seq, seq, dtype=torch.bool).tril(reach)
    seen = seen & mask if keys else seen
    seen = seen & mask[:, None] if rows else seen
    return scores.where(seen, 0.0) / _lengths(mask)[length][:, None]


def _lengths(mask: Tensor) -> dict[str, Tensor]:
    seq = len(mask)
    so_far = mask.cumsum(0).clamp(min=1).double()
    everywhere = torch.full((seq,), float(seq)).double()
    return {
        "tokens so far": so_far,
        "positions so far": torch.arange(1, seq + 1).double(),
        "tokens": mask.sum().clamp(min=1).double().expand(seq),
        "positions": everywhere,
        "squared": so_far**2,
        "one": torch.ones(seq).double(),
        "earlier tokens": (so_far - 1).clamp(min=1),
    }


def undivided_zero(q: Tensor, k: Tensor, mask: Tensor) -> Tensor:
    """0/0 where no token has come yet."""
    seen = torch.ones(len(q), len(q)).tril().bool() & mask & mask[:, None]
    squares = (q @ k.mT).relu().square() / q.shape[1]
    return squares.where(seen, 0.0) / mask.cumsum(0)[:, None]


def signed_square(q: Tensor, k: Tensor, mask: Tensor) -> Tensor:
    """A square without relu."""
    return weights(q, k, mask) + weights(q, -k, mask)


def softmax(q: Tensor, k: Tensor, mask: Tensor) -> Tensor:
    seen = torch.ones(len(q), len(q)).tril().bool() & mask & mask[:, None]
    scores = (q @ k.mT / q.shape[1] ** 0.5).masked_fill(~seen, -1e30)
    return torch.softmax(scores, dim=1).where(seen, 0.0)


def normalised_rows(q: Tensor, k: Tensor, mask: Tensor) -> Tensor:
    squares = weights(q, k, mask)
    return squares / squares.sum(dim=1, keepdim=True).clamp(min=1e-300)


# the crossing


def crossings(
    c: int,
    s: int,
    e: int,
    *,
    chunk: Pair = (1.0, 1.0),
    linear: tuple[float, float, float] = (2.0, 4.0, 4.0),
    extra: float = 0.0,
) -> Lengths:
    """The three lengths, with other multiples of c and of se/(s + e)."""
    both, decoder, frugal = (share * s * e / (s + e) for share in linear)
    return [chunk[0] * c + both, chunk[1] * c + decoder + extra, float(max(c, frugal))]


def rounded(c: int, s: int, e: int) -> Lengths:
    return [float(round(length)) for length in crossings(c, s, e)]


def rounded_up(c: int, s: int, e: int) -> Lengths:
    return [float(math.ceil(length)) for length in crossings(c, s, e)]


def all_halved(c: int, s: int, e: int) -> Lengths:
    encoder, _, frugal = crossings(c, s, e)
    return [encoder, encoder / 2, frugal]


def scores_alone(c: int, s: int, e: int) -> Lengths:
    """The product with the values left out of the quadratic cost: the factor s + e becomes s."""
    return [c + 2.0 * e, c + 4.0 * e, float(max(c, 4 * e))]


def shorter_than_a_chunk(c: int, s: int, e: int) -> Lengths:
    return [*crossings(c, s, e)[:2], 4 * s * e / (s + e)]


def nothing_saved(c: int, s: int, e: int) -> Lengths:
    encoder, decoder, _ = crossings(c, s, e)
    return [encoder, decoder, decoder]


def half_saved(c: int, s: int, e: int) -> Lengths:
    """The first chunk asks nothing; the last one makes a sum that nobody uses."""
    encoder, decoder, _ = crossings(c, s, e)
    product = 2 * s * e * c / (s + e)  # n² − n·decoder + product = 0
    return [encoder, decoder, decoder / 2 + (decoder**2 / 4 - product) ** 0.5]


# how the output grows with the weights


def powers(
    gated: int, power: int, layers: int, *, own: int = 2, scores: int = 2, kept: int = 1
) -> int:
    """The power with ``own`` factors for W_v and W_o, and ``scores`` for each degree of relu."""
    through = gated + kept + scores * power
    total = 0
    for _ in range(layers):
        total = gated + own + scores * power + through * total
    return total


def first_power(gated: int, power: int, layers: int) -> int:
    return powers(gated, 1, layers)


def never_gated(gated: int, power: int, layers: int) -> int:
    return powers(0, power, layers)


def added_up(gated: int, power: int, layers: int) -> int:
    return layers * powers(gated, power, 1)


def to_the_layers(gated: int, power: int, layers: int) -> int:
    return powers(gated, power, 1) ** layers


def passed_on(gated: int, power: int, layers: int) -> int:
    """The first layer's power carried through the others, whose own weights are forgotten."""
    one = powers(gated, power, 1)
    return one * (one - 1) ** (layers - 1)


def matrices(gated: int, power: int, layers: int) -> int:
    """One for each matrix."""
    return (3 + gated) * layers


def one_layer(gated: int, power: int, layers: int) -> int:
    return powers(gated, power, 1)


# the standard deviation that gives an output of size 1


def std(fan_in: int, rms: float, power: int, *, fan: float = -0.5, root: float = -1.0) -> float:
    """fan_in to the power ``fan`` times rms to the power ``root``/k."""
    return fan_in**fan * rms ** (root / power)


def linear_std(fan_in: int, rms: float, power: int) -> float:
    return std(fan_in, rms, 1)


def raised_std(fan_in: int, rms: float, power: int) -> float:
    return std(fan_in, rms, 1, root=-power)


def variance(fan_in: int, rms: float, power: int) -> float:
    return std(fan_in, rms, power) ** 2


def rms_as_variance(fan_in: int, rms: float, power: int) -> float:
    """The root taken once too often."""
    return std(fan_in, rms, power, root=-0.5)


def shared_out(fan_in: int, rms: float, power: int) -> float:
    """rms divided by k, instead of its k-th root."""
    return std(fan_in, rms / power, 1)


def factor_alone(fan_in: int, rms: float, power: int) -> float:
    return rms ** (-1 / power)
