"""Usual wrong answers to the exercises of this room, as functions."""

from __future__ import annotations

import torch
from jaxtyping import Float64
from torch import Tensor

Rows = Float64[Tensor, "word dim"]
Words = Float64[Tensor, " word"]
Square = Float64[Tensor, "word word"]
Program = Float64[Tensor, "rival entry"]
Weights = Float64[Tensor, " rival"]
Scalar = Float64[Tensor, ""]


# the lead of a word in its own state


def _rivals(distances: Square) -> Square:
    apart = distances.clone()
    apart.fill_diagonal_(torch.inf)
    return apart


def not_halved(distances: Square) -> Words:
    return _rivals(distances).amin(dim=1) ** 2


def not_squared(distances: Square) -> Words:
    return _rivals(distances).amin(dim=1) / 2


def itself_included(distances: Square) -> Words:
    return distances.amin(dim=1) ** 2 / 2


def farthest(distances: Square) -> Words:
    return distances.amax(dim=1) ** 2 / 2


def averaged(distances: Square) -> Words:
    return (distances**2).sum(dim=1) / (2 * (len(distances) - 1))


# the linear program


def _program(slopes: Rows, bound: Words, *, pull: float = 1.0) -> Program:
    column = torch.full_like(bound, pull)
    return torch.cat([slopes, column[:, None], bound[:, None]], dim=1)


def turned_rows(weight: Rows, bias: Words) -> Program:
    return _program(weight[0] - weight[1:], bias[0] - bias[1:])


def turned_bias(weight: Rows, bias: Words) -> Program:
    return _program(weight[1:] - weight[0], bias[1:] - bias[0])


def without_bias(weight: Rows, bias: Words) -> Program:
    return _program(weight[1:] - weight[0], 0 * bias[1:])


def rivals_alone(weight: Rows, bias: Words) -> Program:
    return _program(weight[1:], -bias[1:])


def pushed(weight: Rows, bias: Words) -> Program:
    return _program(weight[1:] - weight[0], bias[0] - bias[1:], pull=-1.0)


def no_lead(weight: Rows, bias: Words) -> Program:
    return _program(weight[1:] - weight[0], bias[0] - bias[1:], pull=0.0)


# a certificate by hand


def barycentric(weight: Rows) -> Weights:
    """The weights of word 0 in the triangle of the others, of whatever sign."""
    system = torch.cat([weight[1:].T, torch.ones(1, 3).double()])
    return torch.linalg.solve(system, torch.cat([weight[0], torch.ones(1).double()]))


def any_sign(weight: Rows, bias: Words) -> Weights:
    found = barycentric(weight)
    return found if float(found @ bias[1:]) >= float(bias[0]) else 0 * found


def sign_clipped(weight: Rows, bias: Words) -> Weights:
    found = barycentric(weight).clamp(min=0)
    found = found / found.sum()
    return found if float(found @ bias[1:]) >= float(bias[0]) else 0 * found


def bias_forgotten(weight: Rows, bias: Words) -> Weights:
    found = barycentric(weight)
    return found if bool((found >= 0).all()) else 0 * found


def bias_turned(weight: Rows, bias: Words) -> Weights:
    found = bias_forgotten(weight, bias)
    return found if float(found @ bias[1:]) <= float(bias[0]) else 0 * found


def bias_equal(weight: Rows, bias: Words) -> Weights:
    """The lifted point has to be hit exactly, which happens by accident only."""
    found = bias_forgotten(weight, bias)
    return found if float((found @ bias[1:] - bias[0]).abs()) < 1e-9 else 0 * found


def nothing_proved(weight: Rows, bias: Words) -> Weights:
    return torch.zeros(3).double()


# one dimension more


def constant(weight: Rows) -> Words:
    return torch.ones(len(weight)).double()


def length(weight: Rows) -> Words:
    return weight.norm(dim=1)


def numbered(weight: Rows) -> Words:
    return torch.arange(len(weight)).double()


def summed(weight: Rows) -> Words:
    return weight.sum(dim=1)


def absolute(weight: Rows) -> Words:
    return weight.abs().sum(dim=1)


def first_squared(weight: Rows) -> Words:
    return weight[:, 0] ** 2


# what a certificate allows a sampler


def largest_weight(weights: Weights) -> Scalar:
    return weights.max() / (1 + weights.max())


def one_half(weights: Weights) -> Scalar:
    return torch.full([], 0.5).double()


def counted(weights: Weights) -> Scalar:
    return torch.full([], 1 / (1 + len(weights))).double()


def zero_times_infinity(weights: Weights) -> Scalar:
    return 1 / (1 + (-(weights * weights.log()).sum()).exp())


def in_bits(weights: Weights) -> Scalar:
    return 1 / (1 + torch.special.entr(weights).sum().div(0.6931471805599453).exp())


def sign_lost(weights: Weights) -> Scalar:
    return 1 / (1 + (-torch.special.entr(weights).sum()).exp())


def not_raised(weights: Weights) -> Scalar:
    return 1 / (1 + torch.special.entr(weights).sum())
