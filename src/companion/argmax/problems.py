"""The cases on which answers to the exercises of this room are tried, and what is right there.

Right means: what ``argmaxable`` proves, or a property computed from the definition.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from jaxtyping import Float64
from scipy.optimize import nnls
from scipy.spatial import ConvexHull, QhullError
from torch import Tensor

from companion.argmax.scanner import argmaxable
from companion.exercises import SHIFT, Case, draws

EXACT = 1e-7  # far above rounding, far below any mistake
CLEAR = 0.01  # an example must show its point by this share of its size


def float64(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def normal(rng: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=rng, dtype=torch.float64)


def differs(found: Tensor, expected: Tensor) -> bool:
    return bool((found - expected).abs().max() > EXACT * (1 + expected.abs().max()))


# the lead of a word in its own state


def lead_cases() -> list[Case]:
    rng = draws(1)
    layers = [float64([[1, 0], [0, 1], [-1, 0]]), 5 * float64([[0.6, 0.8], [0.8, 0.6]])]
    layers += [2 * float64([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, -1]])]
    for k in range(17):
        rows = normal(rng, 2 + k % 7, 2 + k % 5)
        layers.append((1 + k % 3) * rows / rows.norm(dim=1, keepdim=True))
    return [Case({"distances": _distances(rows)}, own_leads(rows)) for rows in layers]


def _distances(rows: Tensor) -> Tensor:
    return (rows[:, None] - rows).norm(dim=2)


def own_leads(rows: Float64[Tensor, "word dim"]) -> Float64[Tensor, " word"]:
    """The lead of each word over its strongest rival when the state is its own row."""
    logits = rows @ rows.T
    rivals = logits - torch.diag(torch.full([len(rows)], torch.inf, dtype=torch.float64))
    return logits.diagonal() - rivals.max(dim=0).values


def lead_fault(case: Case, found: Tensor) -> str | None:
    return "not the leads in the states z = w" if differs(found, case.expected) else None


# the linear program


def program_cases() -> list[Case]:
    rng = draws(2)
    layers = [
        (float64([[2, 0], [1, 0], [0, 1]]), float64([0, 0, 0])),
        (float64([[1, 1], [2, 1], [0, 1]]), float64([3, 0, 1])),
    ]
    layers += [(normal(rng, 2 + k % 5, 1 + k % 4), normal(rng, 2 + k % 5)) for k in range(16)]
    return [Case({"weight": w, "bias": b}, _affine(w, b)) for w, b in layers]


def logits(weight: Tensor, bias: Tensor, state: Tensor) -> Tensor:
    return weight @ state + bias


def _affine(weight: Tensor, bias: Tensor) -> Tensor:
    """The rows of the program, read off the logits at 0 and at the unit vectors."""
    axes = torch.eye(weight.shape[1], dtype=torch.float64)

    def behind(state: Tensor) -> Tensor:
        found = logits(weight, bias, state)
        return found[1:] - found[0]

    start = behind(0 * axes[0])
    slopes = torch.stack([behind(axis) - start for axis in axes], dim=1)
    return torch.cat([slopes, torch.ones_like(start)[:, None], -start[:, None]], dim=1)


def program_fault(case: Case, found: Tensor) -> str | None:
    """At any fixed state the largest s that the rows allow has to be the lead of word 0."""
    weight, bias = case.inputs.values()
    for state in normal(draws(7), 8, weight.shape[1]):
        values = logits(weight, bias, state)
        lead = values[0] - values[1:].max()
        room, pull = found[:, -1] - found[:, :-2] @ state, found[:, -2]
        if not bool((pull > 0).all()):
            return "a row does not hold s back: its coefficient has to be positive"
        if differs((room / pull).min(), lead):
            return "in some state the rows allow another s than the lead of word 0"
    return None


# a certificate by hand


def certificate_cases() -> list[Case]:
    return _certificates(SHIFT.get())


@cache  # each asks for a proof
def _certificates(shift: int) -> list[Case]:
    """The cases of one set of draws; `shift` tells the sets apart."""
    rng = draws(3)
    triangle = [[0, 0], [4, 0], [0, 4]]
    layers = [
        (float64([[1, 1], *triangle]), float64([0, 0, 0, 0])),
        (float64([[1, 1], *triangle]), float64([1, 0, 0, 0])),
        (float64([[1, 1], *triangle]), float64([-1, 0, 0, 0])),
        (float64([[3, 2], *triangle]), float64([0, 0, 0, 0])),
        (float64([[3, 2], *triangle]), float64([-9, 0, 0, 0])),
        (float64([[1, 1], *triangle]), float64([1, 0, 5, 0])),
    ]
    for _ in range(16):
        rows, shares = normal(rng, 3, 2), torch.rand(3, generator=rng).double() + 0.05
        inside = (shares / shares.sum()) @ rows
        word = inside if len(layers) % 3 else normal(rng, 2)
        layers.append((torch.vstack([word[None], rows]), normal(rng, 4)))
    return [Case({"weight": w, "bias": b}, _weights(w, b)) for w, b in layers]


def _weights(weight: Tensor, bias: Tensor) -> Tensor:
    report = argmaxable(weight, bias, classes=[0], progress=False)
    found = torch.zeros(len(weight) - 1, dtype=torch.float64)
    others, weights = report.certificate(0)
    found[others - 1] = weights
    return found


def certificate_fault(case: Case, found: Tensor) -> str | None:
    if not differs(found, case.expected):
        return None
    if not case.expected.any():
        return "word 0 wins somewhere: there is no certificate, so zeros are right"
    return "not weights that prove that word 0 never wins"


# the fewest words that shut one in


def wins(rows: Tensor) -> bool:
    """Whether word 0 is the best in some state, without a bias."""
    return int(argmaxable(rows, classes=[0], progress=False).verdict[0]) == 1


def depth(rows: Tensor) -> float:
    """How deep word 0 lies inside the hull of the others, as a share of the hull's size."""
    others = rows[1:].numpy()
    if len(others) <= others.shape[1]:
        return 0.0  # no body
    try:
        faces = ConvexHull(others).equations
    except QhullError:  # flat
        return 0.0
    size = float(np.linalg.norm(others - others.mean(axis=0), axis=1).max())
    return float(-(faces[:, :-1] @ rows[0].numpy() + faces[:, -1]).max()) / size


# one dimension more


def lift_cases() -> list[Case]:
    rng = draws(5)
    line, grid = torch.arange(5.0).double(), torch.cartesian_prod(*2 * [torch.arange(3.0)])
    layers = [
        line[:3, None],
        float64([[0, 0], [1, 0], [2, 0], [0, 1]]),
        float64([[1, 1], [2, 2], [3, 3], [-1, 0]]),
        grid.double(),
        torch.stack([line, line**2 - 2], dim=1),
    ]
    layers += [normal(rng, 4 + k, 1 + k % 3) for k in range(10)]
    return [Case({"weight": rows}, _on_a_sphere(rows)) for rows in layers]


def _on_a_sphere(rows: Tensor) -> Tensor:
    """The coordinate that gives all rows one length, a bit more than that of the longest."""
    squares = rows.square().sum(dim=1)
    return (1 + squares.max() - squares).sqrt()


def lift_fault(case: Case, found: Tensor) -> str | None:
    rows = torch.cat([case.inputs["weight"], found[:, None]], dim=1)
    lost = [k for k in range(len(rows)) if outside(rows, k) < EXACT]
    return f"with this coordinate {_named(lost)} still cannot win" if lost else None


def outside(rows: Tensor, word: int) -> float:
    r"""How far a word lies outside the hull of the others: v, from v² / (1 + v²) by NNLS.

    >>> round(outside(float64([[3, 4], [0, 0], [-1, 0]]), 0), 9)
    5.0
    """
    ways = (rows[word] - torch.cat([rows[:word], rows[word + 1 :]])).numpy()
    ones = np.ones((1, len(ways)))
    _, left = nnls(np.concatenate([ways.T, ones]), np.append(np.zeros(ways.shape[1]), 1.0))
    return left / max(1e-300, 1 - left**2) ** 0.5


def _named(words: list[int]) -> str:
    return f"word {words[0]}" if len(words) == 1 else f"words {', '.join(map(str, words))}"


# what a certificate allows a sampler


def ceiling_cases() -> list[Case]:
    rng = draws(6)
    drawn = [float64(one) for one in ([0.5, 0.5], [1.0], [0.25] * 4, [0.5, 0, 0.5], [0, 1])]
    for k in range(15):
        shares = torch.rand(2 + k % 6, generator=rng).double()
        drawn.append(shares / shares.sum())
    return [Case({"weights": w}, 1 / (1 + (w**-w).prod())) for w in drawn]  # 0⁰ is 1


def ceiling_fault(case: Case, found: Tensor) -> str | None:
    return "not the bound on the probability" if differs(found, case.expected) else None
