"""Usual wrong answers to the exercises on building a picture up, as functions.

Each is the thing somebody writes, so that an answer can be told what it does instead.
"""

from __future__ import annotations

import torch
from jaxtyping import Float64
from torch import Tensor, cat

from companion.diffusion.mistakes import Scalar, Series, ones_and, partner

Kept = Float64[Tensor, " kept"]
Vector = Float64[Tensor, " dim"]
Rows = Float64[Tensor, "point dim"]


# fewer steps


def kept_as_they_are(alphas: Series, every: Scalar) -> Kept:
    return alphas[int(every) - 1 :: int(every)]


def first_ones(alphas: Series, every: Scalar) -> Kept:
    return alphas[: len(alphas) // int(every)]


def average(alphas: Series, every: Scalar) -> Kept:
    return alphas.view(-1, int(every)).mean(dim=1)


def geometric(alphas: Series, every: Scalar) -> Kept:
    return alphas.view(-1, int(every)).log().mean(dim=1).exp()


def last_repeated(alphas: Series, every: Scalar) -> Kept:
    return kept_as_they_are(alphas, every) ** every


def running_product(alphas: Series, every: Scalar) -> Kept:
    return kept_as_they_are(alphas.cumprod(0), every)


def added_variances(alphas: Series, every: Scalar) -> Kept:
    return (1 - (1 - alphas**2).view(-1, int(every)).sum(dim=1)).sqrt()


# the spread of the last step


def bars_around(alphas: Series) -> tuple[Series, Series]:
    """β̄_{t−1} and β̄_t for t = 1…T."""
    bars = partner(ones_and(alphas).cumprod(0))
    return bars[:-1], bars[1:]


def exact_variance(alphas: Series) -> Series:
    before, now = bars_around(alphas)
    return (partner(alphas) * before / now) ** 2


def upper_choice(alphas: Series) -> Series:
    return partner(alphas)


def inverted(alphas: Series) -> Series:
    before, now = bars_around(alphas)
    return partner(alphas) * now / before


def not_divided(alphas: Series) -> Series:
    return partner(alphas) * bars_around(alphas)[0]


def first_twice(alphas: Series) -> Series:
    """A shift by one that repeats β̄_1 where β̄_0 belongs."""
    now = bars_around(alphas)[1]
    return partner(alphas) * cat([now[:1], now[:-1]]) / now


def rolled(alphas: Series) -> Series:
    now = bars_around(alphas)[1]
    return partner(alphas) * now.roll(1) / now


def paper_formula(alphas: Series) -> Series:
    """Ho's formula with our ᾱ in it."""
    bars = ones_and(alphas).cumprod(0)
    return partner(alphas) * ((1 - bars[:-1]) / (1 - bars[1:])) ** 0.5


# from any time to any earlier one


def greedy(x: Vector, noise: Vector, now: Scalar, then: Scalar) -> Vector:
    """The mean of the greedy step, its α that of the whole way."""
    alpha = now / then
    return (x - (1 - alpha**2) / partner(now) * noise) / alpha


def greedy_unscaled(x: Vector, noise: Vector, now: Scalar, then: Scalar) -> Vector:
    """The greedy step with Ho's noise where the smaller noise of the essay belongs."""
    alpha = now / then
    return (x - partner(alpha) * noise) / alpha


def pictures_apart(x: Vector, noise: Vector, now: Scalar, then: Scalar) -> Vector:
    """Only the noise is exchanged."""
    return x - (partner(now) - partner(then)) * noise


def not_rescaled(x: Vector, noise: Vector, now: Scalar, then: Scalar) -> Vector:
    """ᾱ_t x₀ taken for x₀."""
    return then * (x - partner(now) * noise) + partner(then) * noise


def left_clean(x: Vector, noise: Vector, now: Scalar, then: Scalar) -> Vector:
    """The picture as it is guessed, shrunk, with no noise put back."""
    return then * (x - partner(now) * noise) / now


def guessed(x: Vector, noise: Vector, now: Scalar, then: Scalar) -> Vector:
    return (x - partner(now) * noise) / now


def squared_noise(x: Vector, noise: Vector, now: Scalar, then: Scalar) -> Vector:
    return left_clean(x, noise, now, then) + partner(then) ** 2 * noise


def paper_jump(x: Vector, noise: Vector, now: Scalar, then: Scalar) -> Vector:
    """The formula as the papers print it, where ᾱ is the square of ours."""
    x0 = (x - (1 - now).sqrt() * noise) / now.sqrt()
    return then.sqrt() * x0 + (1 - then).sqrt() * noise


# the best denoiser of a finite data set


def distances(x: Vector, data: Rows, bar: Scalar) -> Float64[Tensor, " point"]:
    """‖x − ᾱ y‖² for each row y."""
    return (bar * data - x).square().sum(dim=1)


def weighted(exponents: Float64[Tensor, " point"], data: Rows) -> Vector:
    return torch.softmax(exponents, dim=0) @ data


def unscaled_data(x: Vector, data: Rows, bar: Scalar) -> Vector:
    return weighted(-distances(x, data, bar**0) / (2 * partner(bar) ** 2), data)


def scaled_back(x: Vector, data: Rows, bar: Scalar) -> Vector:
    """x/ᾱ compared with the data, but with the noise of x."""
    return weighted(-distances(x / bar, data, bar**0) / (2 * partner(bar) ** 2), data)


def spread_not_squared(x: Vector, data: Rows, bar: Scalar) -> Vector:
    return weighted(-distances(x, data, bar) / (2 * partner(bar)), data)


def without_half(x: Vector, data: Rows, bar: Scalar) -> Vector:
    return weighted(-distances(x, data, bar) / partner(bar) ** 2, data)


def length_not_squared(x: Vector, data: Rows, bar: Scalar) -> Vector:
    return weighted(-(distances(x, data, bar) ** 0.5) / (2 * partner(bar) ** 2), data)


def towards_the_farthest(x: Vector, data: Rows, bar: Scalar) -> Vector:
    return weighted(distances(x, data, bar) / (2 * partner(bar) ** 2), data)


def uniform(x: Vector, data: Rows, bar: Scalar) -> Vector:
    return data.mean(dim=0)


def nearest(x: Vector, data: Rows, bar: Scalar) -> Vector:
    return data[distances(x, data, bar).argmin()]


def mean_in_x(x: Vector, data: Rows, bar: Scalar) -> Vector:
    """E[ᾱx₀|x_t]: the mean of the shrunk pictures."""
    return bar * weighted(-distances(x, data, bar) / (2 * partner(bar) ** 2), data)


def bare_exponentials(x: Vector, data: Rows, bar: Scalar) -> Vector:
    """Densities divided by their sum: right, until all of them are rounded to zero."""
    density = (-distances(x, data, bar) / (2 * partner(bar) ** 2)).exp()
    return density @ data / density.sum()
