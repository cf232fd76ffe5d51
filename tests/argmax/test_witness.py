"""Reflections: a class is ahead by what it was behind, and a rival that is behind moves nothing."""

import torch

from companion.argmax.layer import prepare
from companion.argmax.witness import reflected


def test_a_reflection_puts_a_class_ahead_by_what_it_was_behind() -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(12, 4, generator=generator, dtype=torch.float64)
    layer = prepare(weight, None)
    rows = layer.rows(slice(None))
    y = torch.randn(12, 4, generator=generator, dtype=torch.float64)
    own, rival = torch.arange(12), torch.arange(12).roll(1)
    before = ((rows[own] - rows[rival]) * y).sum(1)
    assert 0 < int((before < 0).sum()) < 12
    moved = reflected(layer, y, own, rival[:, None])
    after = ((rows[own] - rows[rival]) * moved).sum(1)
    torch.testing.assert_close(after, before.abs())
    torch.testing.assert_close(moved[before > 0], y[before > 0])


def test_several_rivals_are_taken_one_after_the_other() -> None:
    layer = prepare(torch.randn(9, 3, generator=torch.Generator().manual_seed(1)), None)
    y = torch.ones(2, 3, dtype=torch.float64)
    own, rivals = torch.tensor([0, 1]), torch.tensor([[2, 3], [4, 5]])
    first = reflected(layer, y, own, rivals[:, :1])
    both = reflected(layer, first, own, rivals[:, 1:])
    assert torch.equal(reflected(layer, y, own, rivals), both)
