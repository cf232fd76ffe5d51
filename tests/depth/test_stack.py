"""The stack: its three formulas, its scaled weights, and checkpoints that change no number."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from companion.depth import Attention, DepthScaling, FeedForward, ResidualStack, peak_live_bytes

SCALING = DepthScaling(3.0, 0.25)
LAYER = [lambda: Attention(8, heads=2), lambda: FeedForward(8, 12)]


def norm(x):
    x = x - x.mean(-1, keepdim=True)
    return x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt()


FORMULAS = {
    "post": lambda x, branch: norm(3 * x + branch(x)),
    "pre": lambda x, branch: 3 * x + branch(norm(x)),
    "none": lambda x, branch: 3 * x + branch(x),
}


@pytest.mark.parametrize("place", FORMULAS)
@pytest.mark.parametrize("depth", [1, 4])
def test_stack_is_its_formula(place, depth):
    stack = ResidualStack(LAYER, depth, norm=place, scaling=SCALING).double()
    x = torch.randn(2, 5, 8).double()
    expected = x
    for branch in stack.branches:
        expected = FORMULAS[place](expected, branch)
    assert len(stack.branches) == 2 * depth
    torch.testing.assert_close(stack(x), expected)
    others = [name for name in FORMULAS if name != place]
    for other in others:
        wrong = x
        for branch in stack.branches:
            wrong = FORMULAS[other](wrong, branch)
        assert not torch.allclose(wrong, expected, rtol=0.01)


def test_plain_stack_scales_nothing():
    stack = ResidualStack(lambda: FeedForward(4), 1, norm="none")
    x = torch.randn(3, 4)
    torch.testing.assert_close(stack(x), x + stack.branches[0](x))


def stds(stack):
    """The spread of each kind of weight over all layers, as a share of Xavier's."""
    found = {}
    for branch in stack.branches:
        for name, weight in branch.named_parameters():
            rows, columns = weight.shape
            found.setdefault(name, []).append(weight.flatten() / (2 / (rows + columns)) ** 0.5)
    return {name: float(torch.cat(parts).detach().std()) for name, parts in found.items()}


def test_gain_falls_on_value_output_and_feed_forward_alone():
    blocks = [lambda: Attention(32), lambda: FeedForward(32)]
    found = stds(ResidualStack(blocks, 50, scaling=SCALING))
    for name in ("query", "key"):
        assert found.pop(name) == pytest.approx(1, rel=0.02)
    assert set(found) == {"value", "output", "inner", "outer"}
    for share in found.values():
        assert share == pytest.approx(0.25, rel=0.02)


class Foreign(nn.Module):
    """Named as in fairseq and torchscale."""

    def __init__(self):
        super().__init__()
        for name in ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"):
            setattr(self, name, nn.Linear(4, 4))


def test_gain_on_a_block_of_others_falls_where_torchscale_puts_it():
    torch.manual_seed(5)
    plain = ResidualStack(Foreign, 2)
    torch.manual_seed(5)
    scaled = ResidualStack(Foreign, 2, scaling=SCALING)
    after = dict(scaled.named_parameters())
    for name, weight in plain.named_parameters():
        matrix = name.endswith("weight")
        kept = not matrix or "q_proj" in name or "k_proj" in name
        assert torch.equal(after[name], weight * (1 if kept else 0.25)), name


def test_attribute_of_the_block_says_what_is_left_alone():
    class Own(nn.Module):
        unscaled = ("gate",)

        def __init__(self):
            super().__init__()
            self.gate, self.query = nn.Linear(2, 2), nn.Linear(2, 2)

    stack = ResidualStack(Own, 1, scaling=SCALING)
    named = dict(stack.named_parameters())
    assert [w is named["branches.0.query.weight"] for w in stack.scaled_weights()] == [True]


def test_module_as_block_is_copied_and_drawn_anew():
    first = nn.Linear(4, 8)
    given = first.weight.detach().clone()
    stack = ResidualStack(nn.Sequential(first, nn.ReLU(), nn.Linear(8, 4)), 3)
    named = dict(stack.named_parameters())
    weights = [named[f"branches.{number}.0.weight"] for number in range(3)]
    assert torch.equal(first.weight, given)
    assert not torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], given)


def test_layers_have_weights_of_their_own():
    stack = ResidualStack(LAYER, 3)
    assert len({id(p) for p in stack.parameters()}) == 3 * 6


@pytest.mark.parametrize("place", ["post", "pre"])
def test_affine_is_a_trained_gain_and_bias_in_every_norm(place):
    stack = ResidualStack(lambda: FeedForward(4), 3, norm=place, affine=4)
    x = torch.randn(2, 4)
    before = stack(x)
    torch.testing.assert_close(before, ResidualStack.forward(stack, x))
    assert len(stack.gains) == len(stack.biases) == 3
    plain = ResidualStack(lambda: FeedForward(4), 3, norm=place)
    plain.load_state_dict(stack.state_dict(), strict=False)
    torch.testing.assert_close(plain(x), before)  # ones and zeros change nothing
    before.square().sum().backward()
    assert all(p.grad is not None for p in stack.parameters())


@given(st.integers(1, 9), st.sampled_from(["post", "pre", "none"]))
def test_checkpoints_change_no_number(every, place):
    torch.manual_seed(every)
    stack = ResidualStack(LAYER, 3, norm=place, scaling=SCALING, checkpoint_every=every)
    x = torch.randn(2, 3, 8, requires_grad=True)

    def gradients():
        out = stack(x)
        return out, *torch.autograd.grad(out.square().sum(), [x, *stack.parameters()])

    found = gradients()
    stack.checkpoint_every = None
    for one, other in zip(found, gradients(), strict=True):
        assert torch.equal(one, other)


def test_memory_with_checkpoints_does_not_grow_in_proportion():
    def peak(depth, every):
        stack = ResidualStack(lambda: FeedForward(8), depth, checkpoint_every=every)
        x = torch.randn(64, 8)
        stack(x).sum().backward()  # the gradients are there before the count
        return peak_live_bytes(lambda: stack(x).sum().backward())

    assert 3.5 < peak(160, None) / peak(40, None) < 4.5
    assert peak(160, 12) / peak(40, 6) < 2.2  # like √160 / √40
    assert peak(160, 12) < peak(160, None) / 5


def test_attention_is_softmax_attention():
    block = Attention(8, heads=2, causal=True).double()
    x = torch.randn(3, 5, 8).double()
    q, k, v = ((x @ w).view(3, 5, 2, 4).transpose(1, 2)
               for w in (block.query, block.key, block.value))  # fmt: skip
    mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    torch.testing.assert_close(block(x), mixed.transpose(1, 2).reshape(3, 5, 8) @ block.output)
    changed = x.clone()
    changed[:, 3:] += 1
    torch.testing.assert_close(block(changed)[:, :3], block(x)[:, :3])


def test_one_head_that_sees_all():
    block = Attention(4).double()
    x = torch.randn(6, 4).double()
    scores = x @ block.query @ block.key.T @ x.T / 2
    torch.testing.assert_close(block(x), scores.softmax(-1) @ x @ block.value @ block.output)


def test_feed_forward_is_two_matrices():
    block = FeedForward(4, 6, activation=torch.tanh)
    x = torch.randn(2, 4)
    torch.testing.assert_close(block(x), torch.tanh(x @ block.inner) @ block.outer)
    assert block.inner.shape == (4, 6)
