"""Usual wrong answers to the exercises of *A thousand layers*, as functions."""

from __future__ import annotations

import torch
from jaxtyping import Float64
from torch import Tensor

Number = Float64[Tensor, ""]
Matrix = Float64[Tensor, "rows columns"]
Vector = Float64[Tensor, " entry"]


# the magnitude of a matrix


def squared(weight: Matrix) -> Number:
    product = weight.mm(weight.T)
    return product.square().sum() / product.trace()


def inverted(weight: Matrix) -> Number:
    return 1 / squared(weight).sqrt()


def mean_square(weight: Matrix) -> Number:
    return weight.norm() / min(weight.shape) ** 0.5


def largest(weight: Matrix) -> Number:
    return torch.linalg.matrix_norm(weight, 2)


def entrywise(weight: Matrix) -> Number:
    """The trace of the squared entries of W Wᵀ's diagonal alone."""
    diagonal = (weight @ weight.T).diag()
    return (diagonal.square().sum() / diagonal.sum()).sqrt()


# the step of a sign


def step_of_sgd(gradient: Vector, rate: Number) -> Number:
    return -rate * gradient.square().sum()


def length(gradient: Vector, rate: Number) -> Number:
    return -rate * gradient.norm()


def uphill(gradient: Vector, rate: Number) -> Number:
    return rate * gradient.abs().sum()


def averaged(gradient: Vector, rate: Number) -> Number:
    return -rate * gradient.abs().mean()


def signs_cancel(gradient: Vector, rate: Number) -> Number:
    return -rate * gradient.sum()


# the gain of Pre-Norm


def gain(layers: Number, *, count: float | int, power: float | int) -> Number:
    return (count * layers) ** power


# the constants of an encoder with a decoder


def constants(
    encoder_layers: Number,
    decoder_layers: Number,
    *,
    swapped: bool = False,
    beta: float = 0.87,
    three: int = 3,
    twelve: int = 12,
) -> Vector:
    m, n = (decoder_layers, encoder_layers) if swapped else (encoder_layers, decoder_layers)
    root = (m**4 * n) ** (1 / 16)
    return torch.stack([0.81 * root, beta / root, (three * n) ** 0.25, (twelve * n) ** -0.25])


# the branch with α on the wrong side


def one_over(alpha: Number) -> Number:
    return 1 / alpha


def only_one_term(alpha: Number) -> Number:
    return alpha / (1 + alpha**2)


def lengths_added(alpha: Number) -> Number:
    return 2 * alpha / (1 + alpha) ** 2


def not_normalised(alpha: Number) -> Number:
    return 2 * alpha


# a scaling from its slopes


def powers(
    sgd: Number, lamb: Number, *, start: float = 1.0, square: float = 2.0, turned: bool = False
) -> Vector:
    difference = (sgd - start) / square  # b − a
    b = lamb - start - difference
    return torch.stack([b, b - difference] if turned else [b - difference, b])
