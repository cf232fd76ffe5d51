"""The cases on which answers to the exercises on primary tasks are tried, and what is right there.

Right means: what ``primary_descent`` gives, or the property that singles out the optimum.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import torch
from jaxtyping import Float64
from torch import Tensor
from torch.linalg import qr, vector_norm

from companion.exercises import Case, draws
from companion.multitask import primary_descent

EXACT = 1e-7  # relative to ‖g₀‖: far above rounding, far below any mistake
CLEAR = 0.01  # an example must show its point by this cosine, or share of ‖g₀‖


def float64(values: Sequence[object]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def descent_cases() -> list[Case]:
    rng = draws(1)
    cases = []
    for count in [1, 1, 2, 0, *(1 + k % 6 for k in range(20))]:
        primary, auxiliary = torch.randn(count + 1, 8, generator=rng).double().tensor_split([1])
        weights = torch.randn(count, generator=rng).double()
        if len(cases) < 3:  # few digits, for the reader of a message
            primary, auxiliary, weights = primary.round(), auxiliary.round(), weights.round()
        update = primary[0] + weights @ auxiliary
        gap = primary[0] @ update - update @ update
        cases.append(Case({"weights": weights, "products": auxiliary @ update}, gap))
    return cases


def descent_fault(case: Case, found: Tensor) -> str | None:
    weights, products = case.inputs.values()
    size = 1 + float(weights.abs() @ products.abs())
    return "not ⟨g₀,u⟩ − ‖u‖²" if abs(found - case.expected) > EXACT * size else None


def single_cases() -> list[Case]:
    rng = draws(2)
    pairs = [
        *([1, 0], [-1, 1]),  # conflict
        *([1, 0], [1, 1]),  # agreement
        *([1, 0], [0, 2]),  # neither
        *([1, 0], [-2, 0]),  # opposed: u = 0
        *([1, 2], [0, 0]),
        *([0, 0], [1, 2]),
        *([1, 0], [-1e-6, 1e-6]),
        *([1, 0], [-1e6, 2e6]),
    ]
    pairs = [*map(float64, pairs)]
    for k in range(16):
        pairs += torch.randn(2, 2 + k % 5, generator=rng).double()
    return [
        Case({"primary": one, "auxiliary": two}, primary_descent(one, two[None]).update)
        for one, two in zip(pairs[::2], pairs[1::2], strict=True)
    ]


def single_fault(case: Case, found: Tensor) -> str | None:
    limit = EXACT * vector_norm(case.inputs["primary"])
    return "not the best step" if vector_norm(found - case.expected) > limit else None


def _multiplier_cases(problems: Sequence[tuple[Tensor, Tensor]]) -> list[Case]:
    return [
        Case({"primary": one, "auxiliary": rows}, primary_descent(one, rows).weights)
        for one, rows in problems
    ]


def multiplier_fault(case: Case, found: Tensor) -> str | None:
    """Judge λ by the step it gives: the step is unique, λ need not be."""
    primary, auxiliary = case.inputs.values()
    if found.min() < -EXACT * found.abs().max():
        return "λ has a negative entry"
    step, best = (primary + weights @ auxiliary for weights in (found, case.expected))
    if vector_norm(step - best) <= EXACT * vector_norm(primary):
        return None
    length, least = (round(float(vector_norm(one)), 9) for one in (step, best))
    return f"‖g₀ + Gᵀλ‖ is {length:.4g}, the least possible is {least:.4g}"


def pair_cases() -> list[Case]:
    rng = draws(3)
    by_hand = [
        ([1, 0], [[1, 1], [1, -1]]),  # neither conflicts
        ([1, 0], [[-1, 1], [1, 3]]),  # the first alone
        ([1, 0], [[1, 3], [-1, 1]]),  # the second alone
        ([1, 0, 0], [[-1, 1, 1], [-1, -1, 1]]),  # both
        ([1, 0], [[-2, -2], [-1, 0]]),  # both conflict, one is enough, and u = 0
        ([1, 0], [[-1, 2], [-2, 4]]),  # parallel
        ([1, 0], [[-1, 2], [1, -2]]),  # opposed
        ([1, 0], [[-1, 1], [0, 0]]),
        ([1, 0], [[0, 0], [0, 0]]),
        ([0, 0], [[-1, 1], [1, 2]]),
        ([1, 0, 0], [[-1e3, 1e3, 0], [-1e-3, 0, 1e-3]]),
    ]
    problems = [(float64(one), float64(rows)) for one, rows in by_hand]
    for k in range(21):
        one, rows = torch.randn(3, 2 + k % 4, generator=rng).double().tensor_split([1])
        problems.append((one[0], rows))
    return _multiplier_cases(problems)


def orthogonal_cases() -> list[Case]:
    rng = draws(5)
    by_hand = [
        ([1, 0], [[-1, 0], [0, 1]]),
        ([1, 0], [[1, 1], [-1, 1]]),
        ([-2, 1], [[1, 0], [0, -3]]),
        ([1, 2], [[0, 0]]),
        ([-1, -1, 1], [[1, 1, 0], [0, 0, 0], [1, -1, 0]]),
    ]
    problems = [(float64(one), float64(rows)) for one, rows in by_hand]
    for k in range(19):
        count, dim = 1 + k % 5, 6
        rows = qr(torch.randn(dim, count, generator=rng).double()).Q.T
        lengths = torch.randn(count, 1, generator=rng).double().exp()
        problems.append((torch.randn(dim, generator=rng).double(), lengths * rows))
    return _multiplier_cases(problems)


def pcgrad_mean(gradients: Float64[Tensor, "task dim"]) -> Float64[Tensor, " dim"]:
    r"""PCGrad's update, averaged over the orders in which it may project.

    Each gradient is projected, in turn, off every other one that it then conflicts with; the
    results are summed (Yu et al. 2020, algorithm 1, where the order is drawn anew each step).

    >>> pcgrad_mean(torch.tensor([[1.0, 0.0], [-1.0, 1.0]]).double())
    tensor([0.5000, 1.5000], dtype=torch.float64)
    """
    update = torch.zeros_like(gradients[0])
    for index, gradient in enumerate(gradients):
        orders = list(permutations([*gradients[:index], *gradients[index + 1 :]]))
        for order in orders:
            projected = gradient
            for other in order:
                if projected @ other < 0:
                    projected = projected - other * (projected @ other) / (other @ other)
            update = update + projected / len(orders)
    return update


def cosine(one: Tensor, two: Tensor) -> float:
    """The cosine of the angle between two vectors; 0 where one of them is zero."""
    lengths = vector_norm(one) * vector_norm(two)
    return float(one @ two / lengths) if lengths > 0 else 0.0


def cosines(gradients: Tensor) -> dict[str, float]:
    """The cosine between g₀ and each rule's step; negative: L₀ rises to first order."""
    steps = {
        "plain sum": gradients.sum(dim=0),
        "PCGrad": pcgrad_mean(gradients),
        "primary rule": primary_descent(gradients[0], gradients[1:]).update,
    }
    noise = 1e-12 * vector_norm(gradients)  # a shorter step is a rounded zero
    return {
        name: cosine(gradients[0], step) if vector_norm(step) > noise else 0.0
        for name, step in steps.items()
    }


def _one_pass(gradients: Tensor) -> Tensor:
    """The step after one pass: each constraint in turn is met by the nearest step that meets it."""
    step, *auxiliary = gradients
    for gradient in auxiliary:
        step = primary_descent(step, gradient[None]).update
    return step


def products(gradients: Tensor) -> list[float]:
    """The cosines between each auxiliary gradient and the step after one pass."""
    return [cosine(gradient, _one_pass(gradients)) for gradient in gradients[1:]]


def left(gradients: Tensor) -> float:
    """How far the pass stays from the optimum, in units of ‖g₀‖."""
    best = primary_descent(gradients[0], gradients[1:]).update
    return float(vector_norm(_one_pass(gradients) - best) / vector_norm(gradients[0]))
