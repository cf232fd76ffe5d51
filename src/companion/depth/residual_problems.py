"""The cases on which answers to the exercises on residuals are tried, and what is right there.

Right means: computed in another way than a solution would, by running the network itself where
there is one.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from jaxtyping import Float64
from torch import Tensor
from torch.linalg import vector_norm

from companion.exercises import Case, draws

Scalar = Float64[Tensor, ""]
Vector = Float64[Tensor, " dim"]
Stack = Float64[Tensor, "layer dim dim"]

EXACT = 1e-7  # far above rounding, far below any mistake


def float64(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def normal(rng: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=rng, dtype=torch.float64)


def off(found: Tensor, expected: Tensor) -> bool:
    return float(vector_norm(found - expected)) > EXACT * (1 + float(vector_norm(expected)))


# Xavier's compromise over a network


def xavier_cases() -> list[Case]:
    rng = draws(1)
    drawn = [float64([2, 6]), float64([6, 2]), float64([2, 6, 3]), float64([4, 4, 4])]
    drawn += [1 + (64 * torch.rand(2 + k % 7, generator=rng)).double().floor() for k in range(16)]
    return [Case({"widths": widths}, _by_variances(widths)) for widths in drawn]


def _by_variances(widths: Tensor) -> Tensor:
    """Follow the mean squares of signal and gradient, each from 1, with sums of n or m terms."""
    forward = backward = float64(1.0)
    for n, m in pairwise(widths):
        variance = 2 / (n + m)
        forward, backward = forward * n * variance, backward * m * variance
    return torch.stack([forward, backward])


def xavier_fault(case: Case, found: Tensor) -> str | None:
    wrong = [
        name
        for name, one, other in zip(("forward", "backward"), found, case.expected, strict=True)
        if off(one, other)
    ]
    return f"not right: {', '.join(wrong)}" if wrong else None


# a plain orthogonal network


def plain_cases() -> list[Case]:
    rng, found = draws(2), []
    for depth, dim in [(1, 2), (2, 3), (5, 2), (7, 4), (20, 6), (30, 3)]:
        weights = torch.linalg.qr(normal(rng, depth, dim, dim)).Q
        x, v = normal(rng, dim), 1.5 * normal(rng, dim)
        found.append(Case({"weights": weights, "x": x, "v": v}, _by_autograd(weights, x, v)))
    return found


def _by_autograd(weights: Stack, x: Vector, v: Vector) -> Tensor:
    weights, start = weights.clone().requires_grad_(), x.clone().requires_grad_()
    out = start
    for matrix in weights:
        out = out @ matrix
    with torch.enable_grad():
        by_weights, by_start = torch.autograd.grad(out @ v, [weights, start])
    signal = out.detach().square().sum() / x.square().sum()
    return torch.stack([signal, by_start.norm() / v.norm(), by_weights.square().sum()])


def plain_fault(case: Case, found: Tensor) -> str | None:
    names = ("the signal", "the gradient", "the sum of squares")
    rows = zip(names, found, case.expected, strict=True)
    wrong = [name for name, one, other in rows if off(one, other)]
    return f"not right: {', '.join(wrong)}" if wrong else None


# growth for given angles


def angle_cases() -> list[Case]:
    rng = draws(3)
    by_hand = [(0.5, [0.0]), (0.5, [1.0]), (0.5, [0.5]), (0.1, [0.0, 0.0]), (0.25, [1, 1, 1])]
    drawn = [(0.02 + 0.05 * k, (2 * torch.rand(1 + k, generator=rng) - 1)) for k in range(12)]
    pairs = [(e, torch.as_tensor(c).double()) for e, c in [*by_hand, *drawn]]
    return [
        Case({"epsilon": float64(e), "cosines": c}, _by_vectors(float64(e), c)) for e, c in pairs
    ]


def _by_vectors(epsilon: Scalar, cosines: Float64[Tensor, " layer"]) -> Scalar:
    """Build the vector in the plane: each branch has its length and stands at its angle."""
    v = float64([1.0, 0.0])
    for angle in cosines.acos():
        turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()]).view(2, 2)
        v = v + epsilon * turn @ v
    return v.norm()


def angle_fault(case: Case, found: Tensor) -> str | None:
    return None if not off(found, case.expected) else "not the growth of the length"


# other norms


def norm_cases() -> list[Case]:
    rng = draws(4)
    by_hand = [(2.0, 1.0, 2.0), (1.0, 1.0, 3.0), (1.0, 10.0, math.e), (2.0, 100.0, 1.6487)]
    drawn = torch.rand(14, 3, generator=rng).double()
    triples = [(1 + 4 * a, float(2 + int(200 * b)), 1.1 + 3 * c) for a, b, c in drawn.tolist()]
    return [
        Case(
            {"p": float64(p), "depth": float64(depth), "bound": float64(bound)},
            _by_bisection(p, depth, bound),
        )
        for p, depth, bound in [*by_hand, *triples]
    ]


def _by_bisection(p: float, depth: float, bound: float) -> Scalar:
    low, high = 0.0, bound
    for _ in range(200):
        middle = (low + high) / 2
        fits = depth / p * math.log1p(middle**p) <= math.log(bound)
        low, high = (middle, high) if fits else (low, middle)
    return float64(low)


def norm_fault(case: Case, found: Tensor) -> str | None:
    if not off(found, case.expected):
        return None
    p, depth, bound = (float(value) for value in case.inputs.values())
    if float(found) < 0:
        return "ε is negative"
    grown = depth / p * math.log1p(float(found) ** p)
    return f"the log of the growth is {grown:.4g}, that of the bound {math.log(bound):.4g}"


# a branch with a mean


def mean_cases() -> list[Case]:
    rng = draws(5)
    by_hand = [(0.0, 1.0, 1.0), (1.0, 1.0, 0.5), (0.5, 1.0, 0.1), (1.0, 4.0, 0.1)]
    drawn = torch.rand(14, 3, generator=rng).double()
    # the mean of the entries is never above their root mean square
    triples = [((0.1 + 9 * b) ** 0.5 * a, 0.1 + 9 * b, 0.02 + c) for a, b, c in drawn.tolist()]
    return [
        Case(
            {"mean": float64(m), "square": float64(s), "epsilon": float64(e)},
            _by_quadrature(m, s, e),
        )
        for m, s, e in [*by_hand, *triples]
    ]


def _by_quadrature(mean: float, square: float, epsilon: float) -> Tensor:
    """Average over the normal yⱼ = (xW)ⱼ, of variance 2 r², on a fine grid."""
    z = torch.linspace(-9, 9, 20_001, dtype=torch.float64)
    weight = (-(z**2) / 2).exp()
    branch = (z * math.sqrt(2 * square)).clamp_min(0)
    first, second = ((weight * branch**k).sum() / weight.sum() for k in (1, 2))
    return torch.stack(
        [mean + epsilon * first, square + 2 * epsilon * mean * first + epsilon**2 * second]
    )


def mean_fault(case: Case, found: Tensor) -> str | None:
    names = ("the mean", "the mean square")
    rows = zip(names, found, case.expected, strict=True)
    wrong = [name for name, one, other in rows if float((one - other).abs()) > 1e-5 * (1 + other)]
    return f"not right: {', '.join(wrong)}" if wrong else None


# the first step of ReZero


def rezero_cases() -> list[Case]:
    rng = draws(6)
    eye, turn = torch.eye(2).double(), float64([[0, 1], [-1, 0]])
    by_hand = [
        (torch.stack([eye, turn]), float64([1, 2]), float64([0, 0]), float64(0.1)),
        (torch.stack([turn]), float64([1, 2]), float64([3, 5]), float64(0.1)),
    ]
    drawn = []
    for k in range(12):
        depth, dim = 1 + k, 2 + k % 3
        weights = normal(rng, depth, dim, dim) / dim**0.5
        drawn.append((weights, normal(rng, dim), normal(rng, dim), float64(0.05 + 0.1 * k)))
    names = ("weights", "x", "y", "eta")
    return [
        Case(dict(zip(names, one, strict=True)), _by_descent(*one)) for one in [*by_hand, *drawn]
    ]


def _by_descent(weights: Stack, x: Vector, y: Vector, eta: Scalar) -> Float64[Tensor, " layer"]:
    epsilon = torch.zeros(len(weights)).double().requires_grad_()
    with torch.enable_grad():
        out = x
        for one, matrix in zip(epsilon, weights, strict=True):
            out = out + one * (out @ matrix)
        (gradient,) = torch.autograd.grad((out - y).square().sum() / 2, epsilon)
    return -eta * gradient


def rezero_fault(case: Case, found: Tensor) -> str | None:
    return None if not off(found, case.expected) else "not the ε of one step"
