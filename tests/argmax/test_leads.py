"""Bounds of leads hold: against fractions, for hard numbers, in both precisions and in shadows."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from companion.argmax import Scanner, argmaxable
from companion.argmax.layer import prepare
from companion.argmax.leads import leads, likeliest, trusted
from companion.argmax.shadow import cast_shadow
from companion.argmax.witness import own_points

HARD = ["round", "far from 0", "nearly equal", "of all sizes", "tiny", "huge"]


def rows(kind: str, dtype: torch.dtype) -> torch.Tensor:
    g = torch.Generator().manual_seed(0)
    weight = torch.randn(150, 7, generator=g, dtype=torch.float64)
    changed = {
        "round": weight,
        "far from 0": weight + 1e4,
        "nearly equal": 1 + weight * 1e-6,
        "of all sizes": weight * 10.0 ** torch.randint(-12, 12, (150, 1), generator=g),
        "tiny": weight * 1e-36,
        "huge": weight * 1e36,
    }
    return changed[kind].to(dtype)


def exact_lead(weight: torch.Tensor, z: torch.Tensor, k: int) -> Fraction:
    point = [Fraction(x) for x in z.tolist()]
    scores = [
        sum((Fraction(a) * b for a, b in zip(row, point, strict=True)), Fraction(0))
        for row in weight.double().tolist()
    ]
    return scores[k] - max(scores[:k] + scores[k + 1 :])


@pytest.mark.parametrize("kind", HARD)
@pytest.mark.parametrize("stored", [torch.float32, torch.float64])
@pytest.mark.parametrize("used", [torch.float32, torch.float64])
def test_bounds_enclose_the_exact_lead(kind, stored, used):
    weight = rows(kind, stored)
    layer = prepare(weight, None)
    own = torch.arange(0, 150, 17)
    z = own_points(layer, own, None)
    z[1::2] = torch.randn(len(z[1::2]), 7, dtype=torch.float64)  # and points at which k loses
    found = leads(layer, layer.lift(z), own, used)
    for i, k in enumerate(own.tolist()):
        exact = exact_lead(weight, z[i], k)
        assert Fraction(float(found.low[i])) <= exact, (kind, k)
        assert exact <= Fraction(float(found.low[i])) + Fraction(float(found.slack[i])), (kind, k)


def test_the_bound_is_not_much_too_low():
    layer = prepare(rows("round", torch.float32), None)
    own = torch.arange(150)
    found = leads(layer, layer.lift(own_points(layer, own, None)), own)
    assert (found.slack < 1e-13).all()


def test_rivals_and_likeliest_are_those_of_the_largest_products():
    weight = torch.randn(300, 5, dtype=torch.float64)
    layer = prepare(weight, None)
    own = torch.tensor([4, 170, 299])
    y = layer.lift(torch.randn(3, 5, dtype=torch.float64))
    score = layer.rows(slice(None)) @ y.T
    assert torch.equal(likeliest(layer, y, own, 12), score.topk(12, dim=0).indices.T)
    score[own, torch.arange(3)] = -torch.inf
    found = leads(layer, y, own).rivals(torch.arange(3), 5)
    groups = torch.nn.functional.pad(score, (0, 0, 0, 20), value=-torch.inf).view(5, 64, 3)
    best = groups.max(1).indices + 64 * torch.arange(5)[:, None]
    assert {frozenset(row) for row in found.tolist()} == {frozenset(r) for r in best.T.tolist()}
    assert torch.equal(found[:, 0], score.argmax(0))


def test_float32_is_trusted_only_if_it_is_float32():
    assert trusted(torch.float32) == torch.float32
    torch.set_float32_matmul_precision("high")
    try:
        assert trusted(torch.float32) == torch.float64
    finally:
        torch.set_float32_matmul_precision("highest")


@pytest.mark.parametrize("spread", [0.0, 0.3])
@pytest.mark.parametrize("biased", [False, True])
def test_a_shadow_bounds_the_lead_from_below(spread, biased):
    """Tight enough to let classes through, and never above what float64 knows."""
    g = torch.Generator().manual_seed(0)
    weight = torch.randn(1500, 160, generator=g) * torch.arange(1, 161) ** -0.3
    weight *= torch.exp(spread * torch.randn(1500, 1, generator=g))
    bias = torch.randn(1500, generator=g) if biased else None
    layer = prepare(weight, bias)
    own = torch.arange(0, 1500, 5)
    y = layer.lift(own_points(layer, own, None))
    low, known = cast_shadow(layer, 32).low(y, own), leads(layer, y, own)
    assert (low <= known.low + known.slack).all()
    assert torch.equal(low > 0, leads(layer, y, own, torch.float32).low > 0)
    assert (known.low > 0).sum() > 100
    if spread:
        assert (known.low <= 0).any()


def test_a_scan_that_uses_shadows_says_the_same(monkeypatch):
    g = torch.Generator().manual_seed(0)
    weight = torch.randn(900, 40, generator=g) * torch.exp(0.5 * torch.randn(900, 1, generator=g))
    plain = argmaxable(weight, progress=False)
    monkeypatch.setattr("companion.argmax.shadow.LARGE", 0.0)
    monkeypatch.setattr("companion.argmax.shadow.LEAST", 4)
    scanner = Scanner(weight)
    shadowed = scanner.decide(range(900))
    assert scanner._shadow is not None
    assert torch.equal(plain.verdict, shadowed.verdict)
    assert {*np.unique(plain.verdict)} == {0, 1}
    assert shadowed.verify(weight)
    assert (shadowed.margin[plain.verdict == 1] <= plain.margin[plain.verdict == 1] + 1e-3).all()
