"""The cases on which answers to the exercises on GAU-α are tried, and what is right there.

Right means: what the package computes, what automatic differentiation gives, where a search ends.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import rms_norm

from companion.attention.answers import float64, off
from companion.attention.clue import CLUE
from companion.attention.entropy import gaussian_entropy
from companion.attention.normalizers import softmax_plus
from companion.exercises import Case, draw_integers, draws

# averages with and without one task


def clue_cases() -> list[Case]:
    rng = draws(21)
    small = float64([[1.0, 2.0, 6.0], [2.0, 2.0, 3.0]])
    drawn = [(small, 2), (small, 0), (small, 1), (float64([[5.0, 9.0]]), 1)]
    drawn += [(100 * torch.rand(2 + k, 3 + k, generator=rng).double(), k) for k in range(3)]
    tasks = [*next(iter(CLUE.values()))]
    published = float64([[*scores.values()] for scores in CLUE.values()])
    drawn.append((published, tasks.index("wsc")))
    return [
        Case({"scores": scores, "column": float64(float(column))}, averages(scores, column))
        for scores, column in drawn
    ]


def averages(scores: Tensor, column: int) -> Tensor:
    """With all columns, and without one: a row each."""
    counted = torch.arange(scores.shape[1]) != column
    return torch.stack([scores.mean(dim=1), scores[:, counted].mean(dim=1)])


def clue_fault(case: Case, found: Tensor) -> str | None:
    names = ("with all tasks", "without the one")
    wrong = [w for w, one, two in zip(names, found, case.expected, strict=True) if off(one, two)]
    return f"not the average {' and not '.join(wrong)}" if wrong else None


# weights that know no temperature


def power_weight_cases() -> list[Case]:
    rng = draws(22)
    by_hand = [([1.0, 2.0], 2), ([2.0, 1.0, -3.0], 1), ([1.0, -1.0, 2.0], 3), ([-1.0, -2.0], 2)]
    by_hand += [([3e200, 4e200, -5e200], 2), ([3e-200, 4e-200, -5.0e-200], 2), ([0.0, 0.0], 2)]
    drawn = [(float64(scores), power) for scores, power in by_hand]
    drawn += [(torch.randn(4 + k, generator=rng).double(), 1 + k) for k in range(5)]
    return [
        Case({"scores": scores, "power": float64(float(power))}, power_weights(scores, power))
        for scores, power in drawn
    ]


def power_weights(scores: Tensor, power: int) -> Tensor:
    """relu to a power over its sum, as a softmax of logarithms."""
    if not (scores > 0).any():
        return torch.zeros_like(scores)
    return torch.softmax(power * scores.relu().log(), dim=0)


def power_weight_fault(case: Case, found: Tensor) -> str | None:
    scores = case.inputs["scores"]
    if not (scores > 0).any():
        return "no score is positive: no key gets anything" if found.any() else None
    if off(found.sum(), torch.ones_like(found.sum())):
        return f"the weights sum to {float(found.sum()):.4g}"
    return "not relu(s) to the power, over its sum" if off(found, case.expected) else None


# the peak on the sphere


def peak_cases() -> list[Case]:
    scales = [1.0, 2.0, 0.5, 1.5, 0.125, 0.375, 8.0, 30.0]
    scales += [k / 16 for (k,) in draw_integers(27, (1, 400), count=3)]
    return [Case({"scale": float64(scale)}, _peak(scale)) for scale in scales]


def _peak(scale: float) -> Tensor:
    """Where λt + log(1 − t²)/2 is largest: the end of a search; and κ."""
    low, high = 0.0, 1.0
    for _ in range(200):
        middle = (low + high) / 2
        rising = scale > middle / (1 - middle**2) if middle < 1 else False
        low, high = (middle, high) if rising else (low, middle)
    return float64([low, -math.log1p(-(low**2)) / (2 * scale)])


def peak_fault(case: Case, found: Tensor) -> str | None:
    names = ("the cosine t", "κ")
    wrong = [w for w, one, two in zip(names, found, case.expected, strict=True) if off(one, two)]
    return f"wrong: {' and '.join(wrong)}" if wrong else None


# softmax_plus with padding


def mask_cases() -> list[Case]:
    rng = draws(23)
    by_hand = [([[0.0, 1.0]], [1.0, 1.0]), ([[0.0, 1.0, 5.0]], [1.0, 1.0, 0.0])]
    by_hand += [([[9.0, 1.0, 3.0], [0.0, 2.0, 2.0]], [0.0, 1.0, 1.0])]
    drawn = [(float64(scores), float64(mask)) for scores, mask in by_hand]
    for number in range(6):
        keys = (4, 9, 40, 600, 7, 300)[number]
        mask = torch.rand(keys, generator=rng).double() < (0.6, 0.8, 1.0)[number % 3]
        mask[0] = True
        drawn.append((3 * torch.randn(2, keys, generator=rng).double(), mask.double()))
    return [Case({"scores": s, "mask": mask}, _plus(s, mask)) for s, mask in drawn]


def _plus(scores: Tensor, mask: Tensor) -> Tensor:
    length = mask.sum().view(1, 1, 1)
    return softmax_plus(scores[None], mask.bool()[None, None], length)[0]


def mask_fault(case: Case, found: Tensor) -> str | None:
    if found[:, ~case.inputs["mask"].bool()].any():
        return "a padded key is given weight"
    if off(found.sum(dim=1), torch.ones(len(found)).double()):
        return "the weights of a query do not sum to 1"
    return "not softmax_plus" if off(found, case.expected) else None


# the gradient of the norm


def rms_cases() -> list[Case]:
    rng = draws(24)
    by_hand = [([1.0, 1.0], [1.0, 0.0]), ([3.0, -3.0, 3.0], [1.0, 0.0, 0.0])]
    by_hand += [([2.0, 0.0], [1.0, 1.0]), ([0.5, 1.0], [2.0, 1.0])]
    drawn = [(float64(x), float64(g)) for x, g in by_hand]
    drawn += [tuple(torch.randn(2, 3 + k, generator=rng).double() * 2) for k in range(5)]
    return [Case({"x": x, "g": g}, _rms_gradient(x, g)) for x, g in drawn]


def _rms_gradient(x: Tensor, g: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    (found,) = torch.autograd.grad((rms_norm(x, x.shape, eps=0.0) * g).sum(), x)
    return found


def rms_fault(case: Case, found: Tensor) -> str | None:
    if not off(found, case.expected):
        return None
    along = float(found @ case.inputs["x"])
    if abs(along) > 1e-6 * float(found.norm() * case.inputs["x"].norm()):
        return "the gradient is not at right angles to x, along which the norm changes nothing"
    return "at right angles to x, but not the gradient"


# the law of the spread


def spread_cases() -> list[Case]:
    drawn = [(512, 64, 1.0), (64, 512, 2.0), (512, 512, 1.0), (4096, 512, 0.5), (8192, 64, 2.0)]
    drawn += [(128, 64, 0.0), (1024, 2, 0.7)]
    more = draw_integers(25, (64, 9000), (64, 9000), (1, 24), count=4)
    drawn += [(n, b, k / 16) for n, b, k in more]
    names = ("length", "base", "spread")
    return [
        Case(
            {name: float64(float(one)) for name, one in zip(names, given, strict=True)},
            float64(_level_spread(*given)),
        )
        for given in drawn
    ]


def _level_spread(length: int, base: int, spread: float) -> float:
    """Where the expected entropy is what it was at the base: the end of a search; 0 if nowhere."""
    wanted, low, high = gaussian_entropy(base, spread), 0.0, 100.0
    for _ in range(200):
        middle = (low + high) / 2
        wide = gaussian_entropy(length, middle) > wanted
        low, high = (middle, high) if wide else (low, middle)
    return low


def spread_fault(case: Case, found: Tensor) -> str | None:
    if not off(found, case.expected) or max(abs(float(found)), float(case.expected)) < 1e-9:
        return None
    length, base, spread = (float(one) for one in case.inputs.values())
    if float(found) < 0:
        return "a standard deviation is not negative"
    before, after = gaussian_entropy(base, spread), gaussian_entropy(length, float(found))
    return f"the entropy goes from {before:.4g} to {after:.4g}"


# the start of a deep stack


def start_cases() -> list[Case]:
    drawn = [(8, 3), (24, 3), (2, 2), (24, 2), (1, 3), (1000, 3), (16, 4), (5, 1)]
    drawn += draw_integers(26, (2, 2000), (1, 5), count=4)
    return [
        Case({"units": float64(float(n)), "order": float64(float(k))}, float64(_start(n, k)))
        for n, k in drawn
    ]


def _start(units: int, order: int) -> float:
    """Where the units' contributions to a step of LAMB sum to 1: the end of a search."""
    low, high = 0.0, 1.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if units * middle**order < 1 else (low, middle)
    return high


def start_fault(case: Case, found: Tensor) -> str | None:
    if not off(found, case.expected):
        return None
    units, order = (float(one) for one in case.inputs.values())
    return f"all units together contribute {units * float(found) ** order:.4g}, not 1"
