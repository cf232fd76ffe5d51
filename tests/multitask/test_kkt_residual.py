"""The measure of exactness tells the optimum from its neighbours."""

import pytest
import torch

from companion.multitask import common_descent, hybrid_descent, kkt_residual, primary_descent


@pytest.fixture
def gradients() -> torch.Tensor:
    g = torch.randn(4, 6, dtype=torch.float64)
    g[1:] -= 0.7 * g[0]
    return g


@pytest.mark.parametrize("change", [1e-2, 1e-4, 1e-6])
def test_residual_is_as_large_as_the_error_in_a_multiplier(gradients, change):
    found = primary_descent(gradients[0], gradients[1:])
    weights = torch.cat([torch.ones(1), found.weights])
    assert kkt_residual(found.update, weights, gradients, primaries=1) <= 1e-14
    weights[1 + int(found.weights.argmax())] += change
    residual = kkt_residual(weights @ gradients, weights, gradients, primaries=1)
    assert change / 20 < residual < 20 * change


def test_residual_sees_a_constraint_that_is_broken(gradients):
    alone = torch.tensor([1.0, 0, 0, 0], dtype=torch.float64)
    assert kkt_residual(gradients[0], alone, gradients, primaries=1) > 0.1


def test_residual_sees_a_negative_weight():
    g = torch.eye(2, dtype=torch.float64)
    weights = torch.tensor([1.0, -0.5], dtype=torch.float64)
    assert kkt_residual(weights @ g, weights, g, primaries=1) == pytest.approx(0.5)


def test_residual_sees_a_weight_on_a_slack_constraint():
    g = torch.tensor([[1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    weights = torch.tensor([1.0, 0.25], dtype=torch.float64)
    assert kkt_residual(weights @ g, weights, g, primaries=1) > 0.1


def test_residual_sees_an_update_that_is_not_the_sum(gradients):
    found = common_descent(gradients)
    assert kkt_residual(1.01 * found.update, found.weights, gradients, primaries=4) > 1e-4


def test_residual_tells_the_kinds_of_rows_apart(gradients):
    found = hybrid_descent(gradients[:2], gradients[2:])
    assert kkt_residual(found.update, found.weights, gradients, primaries=2) <= 1e-14
    assert kkt_residual(found.update, found.weights, gradients, primaries=4) > 1e-3


def test_residual_asks_for_zero_where_a_primary_is_zero():
    g = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    found = common_descent(g)
    assert kkt_residual(found.update, found.weights, g, primaries=2) == 0.0
    assert kkt_residual(g[0], torch.tensor([1.0, 0.0]), g, primaries=2) > 0.1


def test_residual_does_not_depend_on_the_scale(gradients):
    weights = torch.tensor([1.0, 0.3, 0, 0.1], dtype=torch.float64)
    plain, tiny = (
        kkt_residual(weights @ g, weights, g, primaries=1) for g in (gradients, 1e-12 * gradients)
    )
    assert plain == pytest.approx(tiny)
