"""First steps, the six methods and the classifier: each is its formula."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from companion.depth import (
    Attention,
    DeepClassifier,
    DepthScaling,
    FeedForward,
    Lamb,
    ResidualStack,
    accuracy,
    cross_entropy,
    first_step,
    loss_increment,
    majority,
    methods,
    scaling_slope,
    spirals,
)
from companion.errors import DataError, ShapeError
from companion.training import Recipe, fit

DIM = 8
DEPTHS = [4, 12, 36]


def block():
    return FeedForward(DIM, 12)


def probe(stack, seed, *, scale=1.0):
    rng = torch.Generator().manual_seed(seed)
    x, v = torch.randn(2, 10, DIM, generator=rng)
    x = scale * F.layer_norm(x, (DIM,))
    return (stack(x) * v).sum() / v.numel() ** 0.5


# the first step


def test_first_step_is_what_the_optimisers_do():
    torch.manual_seed(2)
    layer = [lambda: Attention(DIM), block]
    stack = ResidualStack(layer, 3, scaling=DepthScaling(2.0, 0.5)).double()
    x, v = torch.randn(2, 4, 5, DIM).double()

    def loss(model, batch):
        return (model(x) * v).sum()

    found = first_step(loss(stack, None), stack.parameters())
    for kind, value in ((torch.optim.SGD, found.sgd), (torch.optim.Adam, found.adam),
                        (Lamb, found.lamb)):  # fmt: skip
        step = loss_increment(stack, loss, None, kind(stack.parameters(), lr=1e-6))
        assert step.predicted == pytest.approx(-1e-6 * value, rel=1e-3)
        assert step.actual == pytest.approx(-1e-6 * value, rel=1e-2)


def test_first_step_of_zeros_and_of_what_has_no_part():
    w, other = nn.Parameter(torch.zeros(2, 2)), nn.Parameter(torch.ones(3))
    assert first_step((w * 2).sum(), [w, other]) == (16.0, 8.0, 8.0)
    assert first_step(w.sum(), [other]) == (0.0, 0.0, 0.0)
    with pytest.raises(DataError, match="no parameter"):
        first_step(w.sum(), [])


def slopes(make, *, norm=None):
    rows = []
    for depth in DEPTHS:
        row = []
        for seed in range(3):
            torch.manual_seed(seed)
            stack = make(depth)
            row.append(first_step(probe(stack, seed), stack.parameters()))
        rows.append(row)
    table = torch.tensor(rows)
    return [scaling_slope(DEPTHS, table[:, :, i]) for i in range(3)]


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [("sgd", (0, 0.5, 0.25)), ("adam", (-1, 0, -0.5)), ("lamb", (0, 0.5, 0))],
)
def test_each_rule_holds_its_own_optimiser_and_no_other(optimizer, expected):
    def make(n):
        return ResidualStack(block, 2 * n, scaling=DepthScaling.for_optimizer(optimizer, n))

    for found, wanted in zip(slopes(make), expected, strict=True):
        assert found.exponent == pytest.approx(wanted, abs=0.12)
        assert found.stderr < 0.06


# the methods


def gates(stack: ResidualStack) -> list[methods.Gated]:
    return [branch for branch in stack.branches if isinstance(branch, methods.Gated)]


def x_of(seed=0):
    return F.layer_norm(torch.randn(20, DIM), (DIM,))


@pytest.mark.parametrize("make", [methods.fixup, methods.rezero])
def test_fixup_and_rezero_start_as_the_identity(make):
    x = x_of()
    assert torch.equal(make(block, 5)(x), x)


def test_fixup_scales_the_inner_matrix_by_the_root_of_the_branches():
    torch.manual_seed(1)
    plain = ResidualStack(block, 32, norm="none")
    torch.manual_seed(1)
    fixed = methods.fixup(block, 16)
    after = dict(fixed.named_parameters())
    for name, weight in plain.named_parameters():
        factor = 0 if name.endswith("outer") else 32**-0.5
        torch.testing.assert_close(after[name], weight * factor)


def test_skipinit_weighs_a_branch_by_one_over_the_root():
    stack = methods.skipinit(block, 8)
    x = x_of()
    expected = x
    for gated in gates(stack):
        expected = expected + gated.block(expected) / 4
    torch.testing.assert_close(stack(x), expected)
    assert all(gated.gate.requires_grad for gated in gates(stack))
    assert len(gates(stack)) == 16


def test_t_fixup_and_deepnorm_are_stacks_with_their_constants():
    stack = methods.t_fixup(block, 16)
    assert (stack.norm, stack.scaling) == ("none", DepthScaling(1.0, 0.67 / 2))
    assert methods.t_fixup_embedding(9) == pytest.approx(1 / 3)
    stack = methods.deepnorm(block, 2)
    assert (stack.norm, len(stack.branches)) == ("post", 4)
    assert stack.scaling == DepthScaling.deepnet("encoder", 2)


def test_admin_divides_by_the_measured_omega():
    x = x_of()
    stack = methods.admin(block, 3, x)
    square, now = 1.0, x
    for gated in gates(stack):
        torch.testing.assert_close(gated.gate.item(), square**-0.5)
        omega = square**0.5
        inner = gated.block(now)
        square += inner.var(correction=0).item()
        # the pass that measures has ω = 1
        now = F.layer_norm(now + inner, (DIM,))
        whole = F.layer_norm(omega * x + gated.block(x), (DIM,), eps=1e-5 * omega**2)
        torch.testing.assert_close(F.layer_norm(x + gated(x), (DIM,)), whole)


def test_fixup_needs_two_matrices():
    with pytest.raises(DataError, match="a branch has 1 matrices; expected two or more"):
        methods.fixup(lambda: nn.Linear(3, 3), 2)


@pytest.mark.parametrize(
    ("make", "sgd"), [(methods.fixup, 0.0), (methods.rezero, 1.0), (methods.deepnorm, 0.0)]
)
def test_which_methods_hold_the_step_of_sgd(make, sgd):
    found = slopes(lambda n: make(block, n))[0]
    assert found.exponent == pytest.approx(sgd, abs=0.15)


# the classifier


def test_classifier_learns_a_spiral_of_half_a_turn():
    data = spirals(500, turns=0.5, generator=torch.Generator().manual_seed(0))
    stack = ResidualStack(block, 6, scaling=DepthScaling.deepnet("encoder", 3))
    model = DeepClassifier(nn.Linear(2, DIM), stack, dim=DIM)
    recipe = Recipe(steps=60, batch=32, rate=1e-2, clip=None, average=None)
    fit(model, cross_entropy, data, recipe, progress=False)
    assert accuracy(model, data) > 0.95


def test_problems_are_balanced_and_what_they_say():
    data = spirals(4000, generator=torch.Generator().manual_seed(3))
    assert data.labels.double().mean() == pytest.approx(0.5, abs=0.03)
    assert data.inputs.norm(dim=1).max() <= 2
    inputs, labels = (t[:1] for t in (data.inputs, data.labels))
    turned = torch.atan2(inputs[:, 1], inputs[:, 0]) - torch.pi * inputs.norm(dim=1)
    assert torch.cos(turned - torch.pi * labels) == pytest.approx(1, abs=1e-5)
    votes = majority(2000, length=5, symbols=4, generator=torch.Generator().manual_seed(3))
    assert votes.labels.double().mean() == pytest.approx(0.5, abs=0.05)
    assert torch.equal(votes.labels, ((votes.inputs > 1).double().mean(1) > 0.5).long())


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: spirals(0), "count is 0; expected at least 1"),
        (lambda: majority(5, length=4), "length 4, symbols 8; expected at least 1, odd, even"),
    ],
)
def test_problems_refuse_nonsense(make, words):
    with pytest.raises(DataError, match=words):
        make()


def test_classifier_says_what_the_embedding_should_give():
    stack = ResidualStack(block, 1)
    model = DeepClassifier(nn.Linear(2, DIM + 1), stack, dim=DIM)
    with pytest.raises(ShapeError, match=r"\[3, 9\]; expected \[row, 8\] or \[row, seq, 8\]"):
        model(torch.zeros(3, 2))
    model = DeepClassifier(nn.Embedding(4, DIM), ResidualStack(block, 1), dim=DIM)
    assert model(torch.zeros(3, 7, dtype=torch.long)).shape == (3, 2)
