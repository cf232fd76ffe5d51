"""The cases on which answers to the exercises on building up are tried, and what is right there.

Right means: what tearing down gives for the same picture and noise, or what Gaussians say when
they are conditioned.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float64
from torch import Tensor
from torch.distributions import Normal
from torch.linalg import vector_norm

from companion.diffusion.problems import (
    EXACT,
    Series,
    beta_of,
    float64,
    noises,
    off,
    some_alphas,
)
from companion.exercises import Case, draws

# fewer steps


def schedule_cases() -> list[Case]:
    rng = draws(4)
    drawn = [
        (float64([0.8, 0.6]), 2),
        (float64([0.9, 0.8, 0.7, 0.6]), 2),
        (float64([0.9, 0.8, 0.6]), 3),
        (float64([0.8, 0.7, 0.6]), 1),
    ]
    drawn += [(some_alphas(k * (2 + k % 3), rng), k) for k in (1, 2, 3, 4, 5) for _ in range(3)]
    return [
        Case(
            {"alphas": alphas, "every": float64(every)},
            torch.stack([piece.prod() for piece in alphas.split(every)]),
        )
        for alphas, every in drawn
    ]


def schedule_fault(case: Case, found: Tensor) -> str | None:
    if not off(found, case.expected):
        return None
    left, wanted = float(found.prod()), float(case.expected.prod())
    if abs(left - wanted) > EXACT:
        return f"at the end ᾱ is {left:.4g}, in the long schedule {wanted:.4g}"
    return "x at the kept times is not what it is in the long schedule"


# the spread of the last step


def variance_cases() -> list[Case]:
    rng = draws(5)
    drawn = [float64([0.6]), float64([0.8, 0.6]), float64([0.9, 0.8, 0.7])]
    drawn += [some_alphas(1 + k % 8, rng) for k in range(17)]
    return [Case({"alphas": alphas}, _given(noises(alphas)[:, 1:])) for alphas in drawn]


def _given(rows: Float64[Tensor, "time source"]) -> Series:
    """The spread of each row but the last, once the next one is known: Pythagoras."""
    rests = [one - (one @ two) / (two @ two) * two for one, two in pairwise(rows)]
    return torch.stack([vector_norm(rest) for rest in rests])


def variance_fault(case: Case, found: Tensor) -> str | None:
    if not off(found, case.expected):
        return None
    if abs(float(found[0])) > EXACT:
        return f"σ₁ = {float(found[0]):.4g}, but x₁₋₁ is x₀ itself, which is given"
    return "not the spread of x_{t−1} once x_t and x₀ are known"


# from any time to any earlier one


def ddim_cases() -> list[Case]:
    """One picture and one noise at two times: the step has to lead from one to the other."""
    rng = draws(6)
    pairs = [(0.6, 0.8), (0.6, 1.0), (0.28, 0.6), (0.02, 0.05), (0.96, 0.999)]
    pairs += [sorted(some_alphas(2, rng).tolist()) for _ in range(15)]
    cases = []
    for number, pair in enumerate(pairs):
        now, then = (float64(value) for value in pair)
        x0, noise = torch.randn(2, 2 + number % 4, generator=rng).double()
        if number < 3:  # few digits, for the reader of a message
            x0, noise = float64([[2, 1], [1, 2]])
        inputs = {"x": now * x0 + beta_of(now) * noise, "noise": noise}
        bars = {"alpha_bar": now, "alpha_bar_to": then}
        cases.append(Case(inputs | bars, then * x0 + beta_of(then) * noise))
    return cases


def ddim_fault(case: Case, found: Tensor) -> str | None:
    return "not the x_s of the same picture and noise" if off(found, case.expected) else None


# the best denoiser of a finite data set


def _bayes(x: Tensor, data: Tensor, alpha_bar: Tensor) -> Tensor:
    evidence = Normal(alpha_bar * data, beta_of(alpha_bar)).log_prob(x).sum(dim=1)
    return (evidence - evidence.logsumexp(0)).exp() @ data


def optimal_cases() -> list[Case]:
    rng = draws(7)
    by_hand: list[tuple[Sequence[float], Sequence[Sequence[float]], float]] = [
        ([0.5], [[-1], [1]], 0.6),
        ([1, 0], [[0, 0], [2, 0], [0, 2]], 0.8),
        ([3, 4], [[1, 2]], 0.6),
        ([0, 0], [[3, 4], [-3, -4]], 0.5),
        ([30, 0], [[0, 1], [1, -1]], 0.999),  # far from both: every density is zero in float64
    ]
    drawn = [(float64(x), float64(data), float64(bar)) for x, data, bar in by_hand]
    for k in range(15):
        data, bar = (
            torch.randn(2 + k % 5, 1 + k % 3, generator=rng).double(),
            some_alphas(1, rng)[0],
        )
        noise = torch.randn(data.shape[1], generator=rng).double()
        drawn.append((bar * data[0] + beta_of(bar) * noise, data, bar))
    return [
        Case({"x": x, "data": data, "alpha_bar": bar}, _bayes(x, data, bar))
        for x, data, bar in drawn
    ]


def optimal_fault(case: Case, found: Tensor) -> str | None:
    return "not E[x₀|x_t]" if off(found, case.expected) else None
