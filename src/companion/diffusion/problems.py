"""The cases on which answers to the exercises on tearing down are tried, and what is right there.

Right means: what tearing down itself gives, step by step.
"""

from __future__ import annotations

import torch
from jaxtyping import Float64
from torch import Tensor
from torch.linalg import vector_norm

from companion.exercises import Case, draws

Scalar = Float64[Tensor, ""]
Series = Float64[Tensor, " step"]

EXACT = 1e-7  # far above rounding, far below any mistake


def float64(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def some_alphas(count: int, rng: torch.Generator) -> Series:
    """Some α, of which one may be close to 1 and the next close to 0."""
    return 0.05 + 0.94 * torch.rand(count, generator=rng, dtype=torch.float64)


def beta_of(alpha: Tensor) -> Tensor:
    """The partner of α or ᾱ: their squares sum to 1."""
    return ((1 - alpha) * (1 + alpha)).sqrt()


def off(found: Tensor, expected: Tensor) -> bool:
    return float(vector_norm(found - expected)) > EXACT * (1 + float(vector_norm(expected)))


def noises(alphas: Series) -> Float64[Tensor, "time source"]:
    """What x_0, …, x_t are made of: row t holds the coefficients of x₀, ε₁, …, ε_t, 0, …, 0."""
    sources = torch.eye(len(alphas) + 1).double()
    rows = [sources[0]]
    for alpha, source in zip(alphas, sources[1:], strict=True):
        rows.append(alpha * rows[-1] + beta_of(alpha) * source)
    return torch.stack(rows)


# the coefficients of the expanded sum


def mixing_cases() -> list[Case]:
    rng = draws(1)
    drawn = [float64([0.6]), float64([0.8, 0.6]), float64([0.6, 0.8, 0.5])]
    drawn += [some_alphas(1 + k % 9, rng) for k in range(17)]
    return [Case({"alphas": alphas}, noises(alphas)[-1]) for alphas in drawn]


def mixing_fault(case: Case, found: Tensor) -> str | None:
    if not off(found, case.expected):
        return None
    total = float(found.square().sum())
    if abs(total - 1) > EXACT:
        return f"the squares sum to {total:.4g}, expected 1"
    return "the squares sum to 1, but these are not the coefficients of x₀, ε₁, …, ε_t"


# two noises, seen from another side


def _steps() -> list[tuple[Tensor, Tensor]]:
    """Pairs α_t, ᾱ_{t−1}; t = 1, where ᾱ_0 = 1, among them."""
    rng = draws(2)
    by_hand = [(0.6, 0.8), (0.8, 1.0), (0.5, 0.1), (0.999, 0.9), (0.99, 0.01)]
    drawn = [some_alphas(2, rng).tolist() for _ in range(15)]
    return [(float64(one), float64(two)) for one, two in [*by_hand, *drawn]]


def _turned(alpha: Tensor, before: Tensor) -> Tensor:
    """Orthonormal rows: the noise in x_t of unit length, and what is orthogonal to it."""
    noise = torch.stack([alpha * beta_of(before), beta_of(alpha)])
    noise = noise / vector_norm(noise)
    return torch.stack([noise, torch.stack([noise[1], -noise[0]])])


def rotation_cases() -> list[Case]:
    return [
        Case({"alpha": alpha, "alpha_bar_before": before}, _turned(alpha, before))
        for alpha, before in _steps()
    ]


def rotation_fault(case: Case, found: Tensor) -> str | None:
    """Judge ω by what it is for: unit variance, uncorrelated with ε; its sign is free."""
    gram = found @ found.T
    if abs(float(gram[0, 0]) - 1) > EXACT:
        return f"ε has variance {float(gram[0, 0]):.4g}, expected 1"
    if off(found[0], case.expected[0]):
        return "ε has variance 1, but β̄_t ε is not the noise in x_t"
    if abs(float(gram[0, 1])) > EXACT:
        return f"E[εω] = {float(gram[0, 1]):.4g}, expected 0"
    if abs(float(gram[1, 1]) - 1) > EXACT:
        return f"ω has variance {float(gram[1, 1]):.4g}, expected 1"
    return None


def reduced_cases() -> list[Case]:
    """ε_t is the second coordinate: its part along ε can be known from x_t, the other cannot."""
    return [
        Case(
            {"alpha": alpha, "alpha_bar_before": before},
            _turned(alpha, before)[:, 1].square(),
        )
        for alpha, before in _steps()
    ]


def reduced_fault(case: Case, found: Tensor) -> str | None:
    if not off(found, case.expected):
        return None
    words = "not the weight and the constant"
    total = float(found.sum())
    return f"{words}: at f = 0 the loss is 1, here {total:.4g}" if abs(total - 1) > EXACT else words


# another notation


def notation_cases() -> list[Case]:
    rng = draws(3)
    drawn = [float64([0.36]), float64([0.36, 0.64]), float64([0.1, 0.2, 0.3])]
    drawn += [some_alphas(1 + k % 7, rng) for k in range(17)]
    return [Case({"paper_betas": betas}, _from_logarithms(betas)) for betas in drawn]


def _from_logarithms(paper_betas: Tensor) -> Tensor:
    logs = torch.log1p(-paper_betas)  # log α_t²; its running sum is log ᾱ_t²
    ratio = -torch.expm1(logs.cumsum(0)) / paper_betas
    return torch.stack([(logs / 2).exp(), (logs.cumsum(0) / 2).exp(), ratio.sqrt()])


def notation_fault(case: Case, found: Tensor) -> str | None:
    names = ("α_t", "ᾱ_t", "β̄_t/β_t")
    rows = zip(names, found, case.expected, strict=True)
    wrong = [name for name, one, other in rows if off(one, other)]
    return f"not right: {', '.join(wrong)}" if wrong else None
