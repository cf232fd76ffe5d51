"""Usual wrong answers to the exercises on residuals, as functions.

Each is the thing somebody writes, so that an answer can be told what it does instead.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float64
from torch import Tensor, stack

Number = float | int
Scalar = Float64[Tensor, ""]
Vector = Float64[Tensor, " dim"]
Widths = Float64[Tensor, " width"]
Pair = Float64[Tensor, "2"]
Triple = Float64[Tensor, "3"]
Stack = Float64[Tensor, "layer dim dim"]
Layers = Float64[Tensor, " layer"]

# Xavier's compromise over a network


def shares(widths: Widths) -> tuple[Float64[Tensor, " layer"], Float64[Tensor, " layer"]]:
    """What each layer does to the mean squares, forward and backward."""
    total = widths[:-1] + widths[1:]
    return 2 * widths[:-1] / total, 2 * widths[1:] / total


def exchanged(widths: Widths) -> Pair:
    ahead, back = shares(widths)
    return stack([back.prod(), ahead.prod()])


def ends_only(widths: Widths) -> Pair:
    """As if the first and the last width were one layer."""
    return stack([part.prod() for part in shares(widths[[0, -1]])])


def rooted(widths: Widths) -> Pair:
    return stack([part.prod().sqrt() for part in shares(widths)])


def one_over_inputs(widths: Widths) -> Pair:
    """Var W = 1/n in place of Xavier's."""
    return stack([widths[0] ** 0, widths[-1] / widths[0]])


def both_kept(widths: Widths) -> Pair:
    return torch.ones(2).double()


def averaged(widths: Widths) -> Pair:
    return stack([part.mean() for part in shares(widths)])


# a plain orthogonal network


def triple(squares: Scalar) -> Triple:
    return stack([squares**0, squares**0, squares])


def one_layer(weights: Stack, x: Vector, v: Vector) -> Triple:
    return triple((x @ x) * (v @ v))


def lengths(weights: Stack, x: Vector, v: Vector) -> Triple:
    return triple(len(weights) * x.norm() * v.norm())


def by_width(weights: Stack, x: Vector, v: Vector) -> Triple:
    return triple(len(x) * (x @ x) * (v @ v))


def inner(weights: Stack, x: Vector, v: Vector) -> Triple:
    """The squared inner product for the product of the squared lengths."""
    return triple(len(weights) * (x @ v) ** 2)


def all_kept(weights: Stack, x: Vector, v: Vector) -> Triple:
    return triple(x.sum() * 0 + 1)


def norm_of_all(weights: Stack, x: Vector, v: Vector) -> Triple:
    """The length of the whole gradient, not its square."""
    return triple((len(weights) * (x @ x) * (v @ v)).sqrt())


# growth for given angles


def factors(epsilon: Scalar, cosines: Layers, *, twice: Number = 2) -> Layers:
    return 1 + twice * epsilon * cosines + epsilon**2


def squared(epsilon: Scalar, cosines: Layers) -> Scalar:
    return factors(epsilon, cosines).prod()


def once(epsilon: Scalar, cosines: Layers) -> Scalar:
    return factors(epsilon, cosines, twice=1).clamp_min(0).prod().sqrt()


def along_only(epsilon: Scalar, cosines: Layers) -> Scalar:
    return (1 + epsilon * cosines).prod()


def right_angles(epsilon: Scalar, cosines: Layers) -> Scalar:
    return factors(epsilon, 0 * cosines).prod().sqrt()


def logarithm(epsilon: Scalar, cosines: Layers) -> Scalar:
    return factors(epsilon, cosines).log().sum() / 2


def worst(epsilon: Scalar, cosines: Layers) -> Scalar:
    return (1 + epsilon) ** len(cosines)


def added(epsilon: Scalar, cosines: Layers) -> Scalar:
    """Each layer adds to the first length, as if nothing had grown in between."""
    return (1 + (factors(epsilon, cosines) - 1).sum()).clamp_min(0).sqrt()


# other norms


def euclidean(p: Scalar, depth: Scalar, bound: Scalar) -> Scalar:
    return (bound ** (2 / depth) - 1).sqrt()


def straight(p: Scalar, depth: Scalar, bound: Scalar) -> Scalar:
    """All branches along x: p = 1."""
    return bound ** (1 / depth) - 1


def root_forgotten(p: Scalar, depth: Scalar, bound: Scalar) -> Scalar:
    return bound ** (p / depth) - 1


def power_forgotten(p: Scalar, depth: Scalar, bound: Scalar) -> Scalar:
    return (bound ** (1 / depth) - 1) ** (1 / p)


def first_order(p: Scalar, depth: Scalar, bound: Scalar) -> Scalar:
    return (p * bound.log() / depth) ** (1 / p)


def rate_only(p: Scalar, depth: Scalar, bound: Scalar) -> Scalar:
    return depth ** (-1 / p)


# a branch with a mean


def moved(mean: Scalar, square: Scalar, epsilon: Scalar, *, push: Number, cross: Number) -> Pair:
    """Mean and mean square, if the branch has the mean ``push`` r and ``cross`` is 2."""
    step = epsilon * push * square.sqrt()
    return stack([mean + step, square + cross * mean * step + epsilon**2 * square])


def no_cross(mean: Scalar, square: Scalar, epsilon: Scalar) -> Pair:
    return moved(mean, square, epsilon, push=math.pi**-0.5, cross=0)


def single_cross(mean: Scalar, square: Scalar, epsilon: Scalar) -> Pair:
    return moved(mean, square, epsilon, push=math.pi**-0.5, cross=1)


def unit_variance(mean: Scalar, square: Scalar, epsilon: Scalar) -> Pair:
    """The mean of a relu of variance 1/d, not 2/d."""
    return moved(mean, square, epsilon, push=(2 * math.pi) ** -0.5, cross=2)


def no_mean(mean: Scalar, square: Scalar, epsilon: Scalar) -> Pair:
    return moved(mean, square, epsilon, push=0, cross=2)


def no_spread(mean: Scalar, square: Scalar, epsilon: Scalar) -> Pair:
    """The last term forgotten."""
    found = moved(mean, square, epsilon, push=math.pi**-0.5, cross=2)
    return stack([found[0], found[1] - epsilon**2 * square])


def mean_squared(mean: Scalar, square: Scalar, epsilon: Scalar) -> Pair:
    """The square of the new mean, as if no entry differed from it."""
    new = moved(mean, square, epsilon, push=math.pi**-0.5, cross=2)[0]
    return stack([new, new**2])


# the first step of ReZero


def products(weights: Stack, x: Vector, against: Vector) -> Layers:
    return torch.einsum("i,lij,j->l", x, weights, against)


def uphill(weights: Stack, x: Vector, y: Vector, eta: Scalar) -> Layers:
    return eta * products(weights, x, x - y)


def target_forgotten(weights: Stack, x: Vector, y: Vector, eta: Scalar) -> Layers:
    return -eta * products(weights, x, x)


def nothing(weights: Stack, x: Vector, y: Vector, eta: Scalar) -> Layers:
    return weights[:, 0, 0] * 0


def transposed(weights: Stack, x: Vector, y: Vector, eta: Scalar) -> Layers:
    return -eta * products(weights, x - y, x)


def not_halved(weights: Stack, x: Vector, y: Vector, eta: Scalar) -> Layers:
    return -2 * eta * products(weights, x, x - y)


def shared_out(weights: Stack, x: Vector, y: Vector, eta: Scalar) -> Layers:
    return -eta / len(weights) * products(weights, x, x - y)
