"""Usual wrong answers to the exercises of the chapter on primary tasks, as functions.

Each is the thing somebody writes, so that an answer can be told what it does instead.
"""

from __future__ import annotations

import torch
from jaxtyping import Float64
from torch import Tensor
from torch.linalg import pinv, solve, vector_norm

Vector = Float64[Tensor, " dim"]
Rows = Float64[Tensor, "auxiliary dim"]
Weights = Float64[Tensor, " auxiliary"]


# one auxiliary task


def without_relu(primary: Vector, auxiliary: Vector) -> Vector:
    return primary - auxiliary * (primary @ auxiliary) / (auxiliary @ auxiliary)


def divided_by_length(primary: Vector, auxiliary: Vector) -> Vector:
    return primary + auxiliary * (-(primary @ auxiliary)).relu() / vector_norm(auxiliary)


def turned_sign(primary: Vector, auxiliary: Vector) -> Vector:
    return primary + auxiliary * (primary @ auxiliary).relu() / (auxiliary @ auxiliary)


def padded(primary: Vector, auxiliary: Vector, *, pad: float) -> Vector:
    """Add ``pad`` to the denominator; 0 leaves the division 0/0 in."""
    conflict = torch.clamp(primary @ auxiliary, max=0.0)
    return primary - auxiliary * (conflict / (auxiliary @ auxiliary + pad))


def plain_sum(primary: Vector, auxiliary: Vector) -> Vector:
    return primary + auxiliary


def both_projected(primary: Vector, auxiliary: Vector) -> Vector:
    """PCGrad with two tasks."""
    if primary @ auxiliary >= 0:
        return plain_sum(primary, auxiliary)
    return without_relu(primary, auxiliary) + without_relu(auxiliary, primary)


# two auxiliary tasks: multipliers


def unconstrained(primary: Vector, auxiliary: Rows) -> Weights:
    return pinv(auxiliary @ auxiliary.T) @ -(auxiliary @ primary)


def clipped(primary: Vector, auxiliary: Rows) -> Weights:
    return unconstrained(primary, auxiliary).clamp(min=0.0)


def clipped_solve(primary: Vector, auxiliary: Rows) -> Weights:
    return solve(auxiliary @ auxiliary.T, -(auxiliary @ primary)).clamp(min=0.0)


def each_alone(primary: Vector, auxiliary: Rows) -> Weights:
    conflict = (auxiliary @ primary).clamp(max=0.0)
    return conflict.neg() / auxiliary.square().sum(dim=1).clamp(min=1e-300)


def only_one(primary: Vector, auxiliary: Rows) -> Weights:
    """At most one multiplier: the one that shortens g₀ most, all others zero."""
    options = [torch.zeros(len(auxiliary)).double(), *each_alone(primary, auxiliary).diag()]
    return min(options, key=lambda option: float(vector_norm(primary + option @ auxiliary)))


def both_or_neither(primary: Vector, auxiliary: Rows) -> Weights:
    both = unconstrained(primary, auxiliary)
    return both if bool((both >= 0).all()) else torch.zeros_like(both)


def both_before_none(primary: Vector, auxiliary: Rows) -> Weights:
    """Cases tried in a good order, the joint one by a solver that refuses parallel gradients."""
    both = solve(auxiliary @ auxiliary.T, -(auxiliary @ primary))
    return both if bool((both >= 0).all()) else only_one(primary, auxiliary)


def until_feasible(primary: Vector, auxiliary: Rows) -> Weights:
    """The essay's iteration: solve again for the worst constraint, stop when none is violated."""
    weights = torch.zeros(len(auxiliary)).double()
    for _ in range(200):
        products = auxiliary @ (primary + weights @ auxiliary)
        worst = int(products.argmin())
        square = float(auxiliary[worst] @ auxiliary[worst])
        if float(products[worst]) >= -1e-12 * square:
            break
        weights[worst] = max(0.0, float(weights[worst] - products[worst] / square))
    return weights


# orthogonal auxiliary tasks: multipliers


def signed(primary: Vector, auxiliary: Rows) -> Weights:
    return -(auxiliary @ primary) / auxiliary.square().sum(dim=1)


def by_length(primary: Vector, auxiliary: Rows) -> Weights:
    return (-(auxiliary @ primary)).relu() / vector_norm(auxiliary, dim=1)


def zero_by_zero(primary: Vector, auxiliary: Rows) -> Weights:
    return signed(primary, auxiliary).relu()
