"""Gradients of several losses, and what the backward functions leave in ``.grad``."""

import pytest
import torch
from torch import nn

from companion.multitask import (
    backward_common,
    backward_primary,
    common_descent,
    primary_descent,
    task_gradients,
)


class Shared(nn.Module):
    """One trunk and three heads: no head uses the parameters of another."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(5, 4)
        self.heads = nn.ModuleList(nn.Linear(4, 1) for _ in range(3))

    def forward(self, x):
        hidden = torch.tanh(self.trunk(x))
        return [head(hidden).square().mean() for head in self.heads]


@pytest.fixture
def model():
    torch.manual_seed(1)
    return Shared().double()


@pytest.fixture
def x():
    return torch.randn(11, 5, dtype=torch.float64)


def flat_grads(model):
    grads = [p.grad if p.grad is not None else torch.zeros_like(p) for p in model.parameters()]
    return torch.cat([grad.reshape(-1) for grad in grads])


def gradients_one_by_one(model, x):
    rows = []
    for index in range(3):
        model.zero_grad()
        model(x)[index].backward()
        rows.append(flat_grads(model))
    model.zero_grad()
    return torch.stack(rows)


def test_task_gradients_are_those_of_backward(model, x):
    expected = gradients_one_by_one(model, x)
    found = task_gradients(model(x), model.parameters())
    assert torch.equal(found, expected)
    assert all(p.grad is None for p in model.parameters())


def test_task_gradients_are_zero_where_a_loss_uses_no_parameter(model, x):
    found = task_gradients(model(x)[:1], list(model.heads[1].parameters()))
    assert torch.equal(found, torch.zeros(1, 5, dtype=torch.float64))


def test_task_gradients_frees_the_graph_unless_asked(model, x):
    losses = model(x)
    first = task_gradients(losses, model.parameters(), retain_graph=True)
    assert torch.equal(task_gradients(losses, model.parameters()), first)
    with pytest.raises(RuntimeError, match="second time"):
        task_gradients(losses, model.parameters())


def test_task_gradients_of_losses_with_separate_graphs(model, x):
    losses = [model(x)[0], model(x)[1]]
    assert torch.equal(
        task_gradients(losses, model.parameters()), gradients_one_by_one(model, x)[:2]
    )


def test_task_gradients_of_a_shared_representation(model, x):
    hidden = torch.tanh(model.trunk(x))
    losses = [head(hidden).square().mean() for head in model.heads]
    assert task_gradients(losses, hidden).shape == (3, hidden.numel())


def test_task_gradients_of_a_sparse_embedding():
    table = nn.Embedding(6, 2, sparse=True)
    found = task_gradients([table(torch.tensor([1, 1])).sum()], table.parameters())
    assert torch.equal(found[0], torch.tensor([0.0, 0, 2, 2] + 8 * [0.0]))


def test_backward_primary_writes_the_direction(model, x):
    rows = gradients_one_by_one(model, x)
    expected = primary_descent(rows[0], rows[1:])
    losses = model(x)
    found = backward_primary(losses[0], losses[1:], model.parameters())
    assert torch.equal(flat_grads(model), expected.update)
    assert torch.equal(found.update, expected.update)
    assert torch.equal(found.weights, expected.weights)


def test_backward_common_writes_the_direction(model, x):
    expected = common_descent(gradients_one_by_one(model, x))
    backward_common(model(x), model.parameters())
    assert torch.equal(flat_grads(model), expected.update)


def test_backward_without_auxiliaries_is_backward(model, x):
    model(x)[0].backward()
    expected = flat_grads(model)
    model.zero_grad()
    backward_primary(model(x)[0], [], model.parameters())
    assert torch.equal(flat_grads(model), expected)


@pytest.mark.parametrize("common", [False, True])
def test_backward_adds_to_grad_in_place(model, x, common):
    def step():
        losses = model(x)
        if common:
            return backward_common(losses, model.parameters()).update
        return backward_primary(losses[0], losses[1:], model.parameters()).update

    once = step()
    place = model.trunk.weight.grad
    step()
    assert model.trunk.weight.grad is place
    torch.testing.assert_close(flat_grads(model), 2 * once)


def test_clipping_grad_does_not_change_the_direction(model, x):
    losses = model(x)
    found = backward_primary(losses[0], losses[1:], model.parameters())
    before = found.update.clone()
    nn.utils.clip_grad_norm_(model.parameters(), 1e-6)
    assert torch.equal(found.update, before)


def test_grad_has_the_precision_of_each_parameter():
    a = torch.ones(2, dtype=torch.float32, requires_grad=True)
    b = torch.ones(3, dtype=torch.float64, requires_grad=True)
    backward_common([a.sum().double() + b.sum(), 2 * b.sum()], [a, b])
    assert [p.grad is not None and p.grad.dtype for p in (a, b)] == [a.dtype, b.dtype]


@pytest.mark.parametrize("common", [False, True])
def test_backward_passes_over_frozen_parameters(model, x, common):
    """Fine-tuning: all of ``model.parameters()`` may be given, as every optimiser allows."""
    model.trunk.weight.requires_grad_(False)
    trained = [p for p in model.parameters() if p.requires_grad]
    g = task_gradients(model(x), trained)
    losses = model(x)
    if common:
        expected, found = common_descent(g), backward_common(losses, model.parameters())
    else:
        expected = primary_descent(g[0], g[1:])
        found = backward_primary(losses[0], losses[1:], model.parameters())
    assert model.trunk.weight.grad is None
    assert torch.equal(found.update, expected.update)
    assert torch.equal(torch.cat([p.grad.reshape(-1) for p in trained]), expected.update)


@pytest.mark.parametrize("common", [False, True])
def test_backward_leaves_alone_what_no_loss_depends_on(model, x, common):
    steps = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.5)
    before = model.heads[2].weight.clone()
    losses = model(x)[:2]
    if common:
        backward_common(losses, model.parameters())
    else:
        backward_primary(losses[0], losses[1:], model.parameters())
    steps.step()
    assert model.heads[2].weight.grad is None
    assert torch.equal(model.heads[2].weight, before)


def test_backward_counts_a_repeated_parameter_once(model, x):
    """Lists of two modules that share a weight hold it twice."""
    backward_primary(model(x)[0], model(x)[1:], [*model.parameters(), *model.trunk.parameters()])
    found = flat_grads(model)
    model.zero_grad()
    backward_primary(model(x)[0], model(x)[1:], model.parameters())
    assert torch.equal(flat_grads(model), found)


def test_backward_adds_to_a_sparse_grad():
    table = nn.Embedding(3, 2, sparse=True)
    table(torch.tensor([1])).sum().backward()
    backward_common([table(torch.tensor([1, 2])).sum()], table.parameters())
    assert table.weight.grad is not None
    assert torch.equal(table.weight.grad, torch.tensor([[0.0, 0.0], [2.0, 2.0], [1.0, 1.0]]))


@pytest.mark.parametrize("optimiser", [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW])
def test_any_optimiser_follows(model, x, optimiser):
    steps = optimiser(model.parameters(), lr=1e-2)
    before = model(x)[0].item()
    for _ in range(20):
        steps.zero_grad()
        losses = model(x)
        backward_primary(losses[0], losses[1:], model.parameters())
        steps.step()
    assert model(x)[0].item() < before


def test_no_loss_goes_up_to_first_order(model, x):
    """Halve the step: what a loss gains beyond -eta <g_i, u> shrinks fourfold."""
    losses = [model(x)[0], -model(x)[1], model(x)[2]]  # the second wants what the first does not
    g = task_gradients(losses, model.parameters())
    found = primary_descent(g[0], g[1:])
    assert (g @ found.update >= -1e-12).all()
    start = nn.utils.parameters_to_vector(model.parameters()).detach()
    rest = []
    for eta in (1e-3, 5e-4):
        nn.utils.vector_to_parameters(start - eta * found.update, model.parameters())
        moved = model(x)
        new = torch.stack([moved[0], -moved[1], moved[2]])
        rest.append(new - torch.stack(losses) + eta * g @ found.update)
    torch.testing.assert_close(rest[0] / rest[1], torch.full((3,), 4.0).double(), atol=0.05, rtol=0)
