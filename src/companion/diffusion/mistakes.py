"""Usual wrong answers to the exercises on tearing a picture down, as functions.

Each is the thing somebody writes, so that an answer can be told what it does instead.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float64
from torch import Tensor, cat, stack

Scalar = Float64[Tensor, ""]
Series = Float64[Tensor, " step"]
Longer = Float64[Tensor, " source"]  # one entry more: for x₀, or time 0
Pieces = Float64[Tensor, " piece"]


def partner(alpha: Float64[Tensor, "*_"]) -> Float64[Tensor, "*_"]:
    """β of α, and β̄ of ᾱ."""
    return (1 - alpha**2).clamp(min=0).sqrt()


def ones_and(values: Series) -> Longer:
    return torch.nn.functional.pad(values, (1, 0), value=1.0)


# coefficients of the expanded sum


def later_products(alphas: Series) -> Longer:
    """α_t…α_{s+1} for s = 0…t."""
    return ones_and(alphas.flip(0)).cumprod(0).flip(0)


def mixed(betas: Callable[[Series], Series], alphas: Series) -> Longer:
    """The right coefficients, if ``betas`` gives the right β."""
    return later_products(alphas) * ones_and(betas(alphas))


def own_alpha_too(alphas: Series) -> Longer:
    """The product begins one factor too early: β_s is multiplied by α_s as well."""
    return cat([alphas.prod()[None], later_products(alphas)[:-1] * partner(alphas)])


def earlier_products(alphas: Series) -> Longer:
    """β_s multiplied by what came before it, α_1…α_{s−1}."""
    before = ones_and(alphas).cumprod(0)
    return cat([before[-1:], before[:-1] * partner(alphas)])


def bare_betas(alphas: Series) -> Longer:
    return cat([alphas.prod()[None], partner(alphas)])


# two noises, seen from another side


def parts(alpha: Scalar, before: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """The two noises in x_t as they come, α_tβ̄_{t−1} and β_t, and the length β̄_t of both."""
    return alpha * partner(before), partner(alpha), partner(alpha * before)


def square(a: Scalar, b: Scalar, c: Scalar, d: Scalar) -> Float64[Tensor, "2 2"]:
    return stack([a, b, c, d]).view(2, 2)


def plus_twice(alpha: Scalar, before: Scalar) -> Float64[Tensor, "2 2"]:
    old, new, length = parts(alpha, before)
    return square(old, new, new, old) / length


def divided(alpha: Scalar, before: Scalar, *, power: int) -> Float64[Tensor, "2 2"]:
    """β̄_t to a power that should be 1."""
    old, new, length = parts(alpha, before)
    return square(old, new, new, -old) / length**power


def exchanged(alpha: Scalar, before: Scalar) -> Float64[Tensor, "2 2"]:
    old, new, length = parts(alpha, before)
    return square(new, old, old, -new) / length


def one_step_only(alpha: Scalar, before: Scalar) -> Float64[Tensor, "2 2"]:
    """As if x_{t−1} were made of noise alone: β̄_{t−1} = 1."""
    return square(alpha, partner(alpha), partner(alpha), -alpha)


def without_squares(alpha: Scalar, before: Scalar) -> Float64[Tensor, "2 2"]:
    old, new = alpha * (1 - before), 1 - alpha
    return square(old, new, new, -old) / (1 - alpha * before)


def omega_is_new(alpha: Scalar, before: Scalar) -> Float64[Tensor, "2 2"]:
    old, new, length = parts(alpha, before)
    return square(old / length, new / length, 0 * old, old**0)


# the reduced loss


def shares(alpha: Scalar, before: Scalar) -> tuple[Scalar, Scalar]:
    old, new, length = parts(alpha, before)
    return (new / length) ** 2, (old / length) ** 2


def independent(alpha: Scalar, before: Scalar) -> Pieces:
    return stack([0 * alpha, alpha**0])


def the_same(alpha: Scalar, before: Scalar) -> Pieces:
    return stack([alpha**0, 0 * alpha])


def roots(alpha: Scalar, before: Scalar) -> Pieces:
    return stack(shares(alpha, before)).sqrt()


def swapped(alpha: Scalar, before: Scalar) -> Pieces:
    return stack(shares(alpha, before)).flip(0)


def upside_down(alpha: Scalar, before: Scalar) -> Pieces:
    weight, constant = shares(alpha, before)
    return stack([1 / weight, constant])


def undivided(alpha: Scalar, before: Scalar) -> Pieces:
    old, new, _ = parts(alpha, before)
    return stack([new, old]) ** 2


def with_step_weight(alpha: Scalar, before: Scalar) -> Pieces:
    """The factor β_t²/α_t² of the loss for x_{t−1}, carried along."""
    return stack(shares(alpha, before)) * (alpha**-2 - 1)


def nothing_left(alpha: Scalar, before: Scalar) -> Pieces:
    weight, constant = shares(alpha, before)
    return stack([weight, 0 * constant])


# another notation


def table(alphas: Series, bars: Series, factor: Series) -> Float64[Tensor, "3 step"]:
    return stack([alphas, bars, factor])


def paper_as_it_stands(betas: Series) -> Float64[Tensor, "3 step"]:
    bars = (1 - betas).cumprod(0)
    return table(1 - betas, bars, ((1 - bars) / betas) ** 0.5)


def from_alphas(alphas: Series, *, power: int = 1) -> Float64[Tensor, "3 step"]:
    """All three from α_t, the factor raised to ``power``."""
    bars = alphas.cumprod(0)
    return table(alphas, bars, (partner(bars) / partner(alphas)) ** power)


def paper_bar(betas: Series) -> Float64[Tensor, "3 step"]:
    alphas, bars, factor = from_alphas((1 - betas) ** 0.5)
    return table(alphas, bars**2, factor)


def bar_without_square(betas: Series) -> Float64[Tensor, "3 step"]:
    alphas, bars, _ = from_alphas((1 - betas) ** 0.5)
    return table(alphas, bars, ((1 - bars) / betas) ** 0.5)


def paper_beta_below(betas: Series) -> Float64[Tensor, "3 step"]:
    alphas, bars, _ = from_alphas((1 - betas) ** 0.5)
    return table(alphas, bars, partner(bars) / betas)
