"""Usual wrong answers to the exercises on GAU-α, as functions."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from companion.attention.alpha_problems import averages, power_weights

Number = float | int

# averages


def swapped(scores: Tensor, column: int) -> Tensor:
    return averages(scores, column).flip(0)


def still_counted(scores: Tensor, column: int) -> Tensor:
    """Left out of the sum, counted in the number."""
    without = (scores.sum(dim=1) - scores[:, column]) / scores.shape[1]
    return torch.stack([scores.mean(dim=1), without])


def from_one(scores: Tensor, column: int) -> Tensor:
    """The column before: numbers taken to begin with 1."""
    return averages(scores, column - 1 if column else scores.shape[1] - 1)


def never_left_out(scores: Tensor, column: int) -> Tensor:
    return scores.mean(dim=1).expand(2, -1)


def of_the_average(scores: Tensor, column: int) -> Tensor:
    """The score taken off the average, not off the sum."""
    mean = scores.mean(dim=1)
    return torch.stack([mean, mean - scores[:, column] / scores.shape[1] ** 2])


def in_columns(scores: Tensor, column: int) -> Tensor:
    return averages(scores, column).T


# weights that know no temperature


def not_normalised(scores: Tensor, power: int) -> Tensor:
    return scores.relu() ** power


def by_length(scores: Tensor, power: int) -> Tensor:
    return scores.relu() ** power / len(scores)


def negative_too(scores: Tensor, power: int) -> Tensor:
    return scores**power / (scores**power).sum()


def plain_softmax(scores: Tensor, power: int) -> Tensor:
    return torch.softmax(scores, dim=0)


def softmax_of_powers(scores: Tensor, power: int) -> Tensor:
    return torch.softmax(power * scores, dim=0)


def squared_always(scores: Tensor, power: int) -> Tensor:
    return power_weights(scores, 2)


def power_of_the_share(scores: Tensor, power: int) -> Tensor:
    """First divided by the sum, then raised."""
    return power_weights(scores, 1) ** power


def overflowing(scores: Tensor, power: int) -> Tensor:
    """Right but for sizes: powers of large scores are infinite, of small ones 0."""
    powers = scores.relu() ** power
    total = powers.sum()
    return powers / total if total != 0 else torch.zeros_like(scores)


def undefined(scores: Tensor, power: int) -> Tensor:
    return torch.softmax(power * scores.relu().log(), dim=0)


# the peak on the sphere


def kappa_of(scale: Number, t: Number, *, half: Number = 0.5) -> list[float]:
    return [t, -half * math.log1p(-(t**2)) / scale if abs(t) < 1 else math.inf]


def right_peak(scale: Number) -> float:
    return (math.sqrt(1 + 4 * scale**2) - 1) / (2 * scale)


def other_root(scale: Number) -> list[float]:
    t = -(math.sqrt(1 + 4 * scale**2) + 1) / (2 * scale)
    return [t, -math.log(t**2 - 1) / (2 * scale)]


def golden_always(scale: Number) -> list[float]:
    return kappa_of(1.0, right_peak(1.0))


def root_of_half(scale: Number) -> list[float]:
    """The roots of λt² + t − λ = 0 divided by λ, not by 2λ."""
    t = (math.sqrt(1 + 4 * scale**2) - 1) / scale
    return [t, kappa_of(scale, right_peak(scale))[1]]


def without_half(scale: Number) -> list[float]:
    return kappa_of(scale, right_peak(scale), half=1.0)


def not_for_each_scale(scale: Number) -> list[float]:
    return kappa_of(1.0, right_peak(scale))


def gaussian_kappa(scale: Number) -> list[float]:
    return [right_peak(scale), scale / 2]


def negative_kappa(scale: Number) -> list[float]:
    t, kappa = kappa_of(scale, right_peak(scale))
    return [t, -kappa]


def peak_of_small_scale(scale: Number) -> list[float]:
    """t = λ, as where λ is small."""
    t = float(min(scale, 1.0))
    return kappa_of(scale, t) if t < 1 else [t, 0.0]


# softmax_plus with padding


def plus(
    scores: Tensor,
    mask: Tensor,
    *,
    counted: str = "tokens",
    base: Number = 512.0,
    over: bool = False,
    masked: bool = True,
) -> Tensor:
    number = float(len(mask) if counted == "positions" else mask.sum())
    number = max(number, 16.0) if counted == "sixteen" else number
    scale = math.log(number) / math.log(base)
    scaled = scores / scale if over else scores * scale
    return torch.softmax(scaled.masked_fill(~mask, -torch.inf) if masked else scaled, dim=1)


def never_scaled(scores: Tensor, mask: Tensor) -> Tensor:
    return torch.softmax(scores.masked_fill(~mask, -torch.inf), dim=1)


def afterwards(scores: Tensor, mask: Tensor) -> Tensor:
    """The softmax over all keys, and then zeros."""
    return plus(scores, mask, masked=False) * mask


def root_law(scores: Tensor, mask: Tensor) -> Tensor:
    scale = math.sqrt(math.log(float(mask.sum())) / math.log(512))
    return torch.softmax((scores * scale).masked_fill(~mask, -torch.inf), dim=1)


def ratio_of_lengths(scores: Tensor, mask: Tensor) -> Tensor:
    scale = float(mask.sum()) / 512
    return torch.softmax((scores * scale).masked_fill(~mask, -torch.inf), dim=1)


def zeros_for_masked(scores: Tensor, mask: Tensor) -> Tensor:
    """A score of 0 for what is padded, whose exponential is 1."""
    return plus(scores * mask, mask, masked=False)


# the gradient of the norm


def rms(x: Tensor) -> Tensor:
    return x.square().mean().sqrt()


def gradient(
    x: Tensor, g: Tensor, *, share: Number = 1.0, mean: bool = True, power: Number = 1.0
) -> Tensor:
    y = x / rms(x)
    along = (y @ g) / (len(x) if mean else 1)
    return (g - share * y * along) / rms(x) ** power


def centred(x: Tensor, g: Tensor) -> Tensor:
    """The gradient of LayerNorm."""
    spread = x.std(correction=0)
    y = (x - x.mean()) / spread.clamp_min(1e-300)
    return (g - g.mean() - y * (y @ g) / len(x)) / spread.clamp_min(1e-300)


def of_unit_length(x: Tensor, g: Tensor) -> Tensor:
    """The gradient of x/‖x‖."""
    return gradient(x, g) / len(x) ** 0.5


def along_x(x: Tensor, g: Tensor) -> Tensor:
    """x in place of y, once."""
    return (g - x * (x @ g) / len(x) / rms(x)) / rms(x)


# the law of the spread


def level(length: Number, base: Number, spread: Number, *, factor: Number = 2.0) -> float:
    return math.sqrt(max(0.0, spread**2 + factor * math.log(length / base)))


def turned(length: Number, base: Number, spread: Number) -> float:
    return level(base, length, spread)


def log_law(length: Number, base: Number, spread: Number) -> float:
    return spread * math.log(length) / math.log(base)


def root_of_logs(length: Number, base: Number, spread: Number) -> float:
    return spread * math.sqrt(math.log(length) / math.log(base))


def binary(length: Number, base: Number, spread: Number) -> float:
    return level(length, base, spread, factor=2 / math.log(2))


def added_outside(length: Number, base: Number, spread: Number) -> float:
    return spread + math.sqrt(max(0.0, 2 * math.log(length / base)))


def not_rooted(length: Number, base: Number, spread: Number) -> float:
    return level(length, base, spread) ** 2


def base_forgotten(length: Number, base: Number, spread: Number) -> float:
    return math.sqrt(2 * math.log(length))


# the start of a deep stack


def start(units: Number, order: Number, *, count: Number = 1.0, power: Number = -1.0) -> float:
    return (count * units) ** (power / order)


def attention_order(units: Number, order: Number) -> float:
    return units**-0.5


def of_adam(units: Number, order: Number) -> float:
    return units ** (-1 / (order - 1)) if order > 1 else 0.0


def of_sgd(units: Number, order: Number) -> float:
    return units ** (-1 / (2 * order - 2)) if order > 1 else 0.0


def shared(units: Number, order: Number) -> float:
    return 1 / units


def power_for_root(units: Number, order: Number) -> float:
    return units**-order
