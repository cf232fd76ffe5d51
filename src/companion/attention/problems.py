"""The cases on which answers to the exercises on one layer are tried, and what is right there.

Right means: what the modules of PyTorch hold, what the package attends to, what a program computes
that is counted, or how large an output becomes that is measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from companion.attention.answers import float64, off
from companion.attention.gau import gau_attention
from companion.exercises import Case, draw_integers, draws

# the number of parameters


def count_cases() -> list[Case]:
    drawn = [(1, 1, 1, 0), (1, 1, 1, 1), (2, 3, 5, 0), (2, 3, 5, 1), (3, 2, 4, 1), (4, 8, 2, 0)]
    drawn += [(64, 128, 16, 0), (768, 1536, 128, 0), (768, 1536, 128, 1)]
    drawn += draw_integers(5, (1, 900), (1, 900), (1, 90), (0, 1), count=4)
    names = ("dim", "inner", "key_dim", "bias")
    return [
        Case(
            {name: float64(float(size)) for name, size in zip(names, sizes, strict=True)},
            float64([float(gau_count(*sizes)), float(layer_count(sizes[0], sizes[3]))]),
        )
        for sizes in drawn
    ]


def gau_count(dim: int, inner: int, key_dim: int, bias: int) -> int:
    """Numbers in W_u, W_v and W_z side by side, W_o, and two pairs of scale and offset."""
    with torch.device("meta"):
        hidden = nn.Linear(dim, 2 * inner + key_dim, bias=bool(bias))
        return _numbers(hidden, nn.Linear(inner, dim, bias=bool(bias))) + 2 * 2 * key_dim


def layer_count(dim: int, bias: int) -> int:
    with torch.device("meta"):
        attention = nn.MultiheadAttention(dim, 1, bias=bool(bias))
        up, down = (
            nn.Linear(*sizes, bias=bool(bias)) for sizes in ((dim, 4 * dim), (4 * dim, dim))
        )
        return _numbers(attention, up, down)


def _numbers(*modules: nn.Module) -> int:
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


def count_fault(case: Case, found: Tensor) -> str | None:
    names = ("the GAU", "the Transformer layer")
    wrong = [
        f"{name} is off by {float(one - two):+.0f}"
        for name, one, two in zip(names, found, case.expected, strict=True)
        if one != two
    ]
    return "; ".join(wrong) or None


# the weights


def weight_cases() -> list[Case]:
    rng = draws(2)
    by_hand = [
        ([[2.0]], [[3.0]], [1.0]),
        ([[1.0], [2.0]], [[1.0], [3.0]], [1.0, 1.0]),
        ([[1.0], [1.0]], [[-1.0], [2.0]], [1.0, 1.0]),
        ([[1.0], [2.0], [1.0]], [[1.0], [2.0], [1.0]], [1.0, 1.0, 0.0]),
        ([[1.0], [2.0], [1.0]], [[1.0], [2.0], [1.0]], [0.0, 1.0, 1.0]),
        ([[1.0], [2.0]], [[1.0], [2.0]], [0.0, 0.0]),
    ]
    drawn = [(float64(q), float64(k), float64(mask)) for q, k, mask in by_hand]
    for number in range(8):
        seq, key = 3 + number % 5, 2 + number % 3
        q, k = torch.randn(2, seq, key, generator=rng).double()
        there = torch.rand(seq, generator=rng) < (1.0, 0.7)[number % 2]
        drawn.append((q, k, there.double()))
    return [Case({"q": q, "k": k, "mask": mask}, _weights(q, k, mask)) for q, k, mask in drawn]


def _weights(q: Tensor, k: Tensor, mask: Tensor) -> Tensor:
    """What the package mixes, seen through values that tell the tokens apart."""
    tokens = torch.eye(len(q)).double()
    return gau_attention(q[None], k[None], tokens[None], causal=True, mask=mask.bool()[None])[0]


def weight_fault(case: Case, found: Tensor) -> str | None:
    there = case.inputs["mask"].bool()
    if found[:, ~there].any():
        return "a padded token is given weight"
    if found[~there].any():
        return "the row of a padded token is not zero"
    if found.triu(1).any():
        return "a token sees a later one"
    return "not relu²(QKᵀ) / (s t)" if off(found, case.expected) else None


# the crossing

WAYS = ("in an encoder", "in a decoder", "with nothing in vain")


def crossing_cases() -> list[Case]:
    drawn = [(1, 1, 1), (4, 1, 1), (4, 1, 3), (1, 2, 6), (256, 128, 1536), (128, 64, 512)]
    drawn += [(16, 3, 5), (1, 7, 9), (512, 128, 2048)]
    drawn += draw_integers(6, (1, 300), (1, 200), (1, 900), count=4)
    return [
        Case(
            {"chunk": float64(float(c)), "key_dim": float64(float(s)), "inner": float64(float(e))},
            float64([_crossing(c, s, e, way) for way in WAYS]),
        )
        for c, s, e in drawn
    ]


def _crossing(c: int, s: int, e: int, way: str) -> float:
    """From which length on, at least c, the dense form costs more: the end of a search."""
    pair, outer = 2 * s + 2 * e, 2 * s * e

    def excess(n: float) -> float:
        dense, local = (n * n, n * c) if way == WAYS[0] else (n * (n + 1) / 2, n * (c + 1) / 2)
        adding = asking = n - c if way == WAYS[2] else n  # tokens that add to a sum, that ask one
        return (dense - local) * pair - (adding + asking) * outer

    low, high = float(c), 1e6
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (low, middle) if excess(middle) > 0 else (middle, high)
    return high


def crossing_fault(case: Case, found: Tensor) -> str | None:
    wrong = [w for w, one, two in zip(WAYS, found, case.expected, strict=True) if off(one, two)]
    return f"not where the costs meet: {', '.join(wrong)}" if wrong else None


# how the output grows with the weights


def power_cases() -> list[Case]:
    drawn = [(gated, power, 1) for power in (1, 2) for gated in (0, 1)]
    drawn += [(1, 3, 1), (1, 2, 2), (0, 1, 2), (1, 1, 2), (1, 2, 3), (0, 2, 3), (1, 1, 3)]
    drawn += draw_integers(7, (0, 1), (1, 3), (1, 3), count=4)
    names = ("gated", "power", "layers")
    return [
        Case(
            {name: float64(float(size)) for name, size in zip(names, sizes, strict=True)},
            float64(float(_measured_power(*sizes))),
        )
        for sizes in drawn
    ]


def _measured_power(gated: int, power: int, layers: int) -> int:
    """Double all weights; say how often the output doubles."""
    rng = draws(3)
    x = 0.5 + torch.rand(2, 2, generator=rng).double()
    stack = [0.5 + torch.rand(4, 2, 2, generator=rng).double() for _ in range(layers)]

    def last(times: int) -> Tensor:
        out = x
        for weights in stack:
            out = _layer(out, times * weights, gated=gated, power=power)
        return out

    return round(math.log2(float((last(2) / last(1)).mean())))


def _layer(x: Tensor, weights: Tensor, *, gated: int, power: int) -> Tensor:
    u, v, z = (x @ weights[:3]).relu()
    mixed = (z @ z.mT).relu() ** power @ v
    return (u * mixed if gated else mixed) @ weights[3]


def whole_number_fault(case: Case, found: Tensor) -> str | None:
    return None if float(found) == float(case.expected) else "not the power"


# the standard deviation that gives an output of size 1


def init_cases() -> list[Case]:
    drawn = [(1, 2.0, 1), (4, 1.0, 3), (4, 8.0, 3), (1, 128.0, 7), (256, 0.01, 7), (768, 0.02, 5)]
    drawn += [(64, 300.0, 2), (1536, 0.5, 13)]
    drawn += [(n, k / 8, p) for n, k, p in draw_integers(8, (1, 900), (1, 900), (1, 9), count=4)]
    names = ("fan_in", "rms", "power")
    return [
        Case(
            {name: float64(float(size)) for name, size in zip(names, sizes, strict=True)},
            float64(_bisected(lambda std, sizes=sizes: output_size(std, *sizes))),
        )
        for sizes in drawn
    ]


def output_size(std: float, fan_in: int, rms: float, power: int) -> float:
    """The size of the output when all weights are so many times as large."""
    return rms * (std / fan_in**-0.5) ** power


def _bisected(size: Callable[[float], float]) -> float:
    """Where a rising function is 1."""
    low, high = 1e-6, 1e6
    for _ in range(100):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if size(middle) < 1 else (low, middle)
    return low


def init_fault(case: Case, found: Tensor) -> str | None:
    if not off(found, case.expected):
        return None
    if float(found) <= 0:
        return "a standard deviation is positive"
    fan_in, rms, power = (float(value) for value in case.inputs.values())
    return f"the output comes out at {output_size(float(found), int(fan_in), rms, int(power)):.4g}"
