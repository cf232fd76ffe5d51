"""What is measured: magnitudes, slopes, the change of a loss, steps of LAMB."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import linregress
from torch import nn

from companion.depth import Lamb, loss_increment, magnitude, peak_live_bytes, scaling_slope

sizes = st.integers(1, 12)


# magnitude


@given(sizes, sizes, st.floats(1e-3, 1e3), st.integers(0, 99))
def test_magnitude_is_the_minimum_over_kappa(rows, columns, size, seed):
    rng = torch.Generator().manual_seed(seed)
    weight = size * torch.randn(rows, columns, generator=rng).double()
    gram = (weight @ weight.T).numpy()
    identity = np.eye(rows)

    def miss(log_kappa):
        return np.linalg.norm(gram / math.exp(2 * log_kappa) - identity)

    found = magnitude(weight)
    centre = math.log(found)
    best = minimize_scalar(miss, bounds=(centre - 2, centre + 2), method="bounded",
                           options={"xatol": 1e-9})  # fmt: skip
    assert found == pytest.approx(math.exp(best.x), rel=1e-4)
    assert magnitude(weight.T) == pytest.approx(found)


@pytest.mark.parametrize("size", [1e-150, 1e-30, 1.0, 1e30, 1e150])
def test_magnitude_of_multiples_of_orthogonal_matrices(size):
    orthogonal = nn.init.orthogonal_(torch.empty(6, 6)).double()
    assert magnitude(size * orthogonal) == pytest.approx(size, rel=1e-6)
    assert magnitude(size * orthogonal[:3]) == pytest.approx(size, rel=1e-6)


def test_magnitude_of_a_gaussian_is_root_two_and_of_zeros_zero():
    assert magnitude(torch.randn(500, 500) / 500**0.5) == pytest.approx(2**0.5, rel=0.01)
    assert magnitude(torch.zeros(3, 2)) == 0


# slope


@given(st.floats(-3, 3), st.integers(0, 99))
def test_slope_and_its_error_are_those_of_linear_regression(exponent, seed):
    rng = np.random.default_rng(seed)
    depths = np.array([4, 10, 30, 100, 300])
    values = depths[:, None] ** exponent * np.exp(0.1 * rng.normal(size=(5, 3)))
    found = scaling_slope(depths.tolist(), values.tolist())
    expected: Any = linregress(np.log(np.repeat(depths, 3)), np.log(values.ravel()))
    assert found.exponent == pytest.approx(expected.slope, abs=1e-9)
    assert found.stderr == pytest.approx(expected.stderr, rel=1e-6)


def test_slope_takes_tensors_and_two_points():
    found = scaling_slope(torch.tensor([2, 8]), torch.tensor([1.0, 2.0]))
    assert found.exponent == pytest.approx(0.5)
    assert math.isnan(found.stderr)


# the change of the loss


def network():
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1)).double()


def loss_fn(model, batch):
    return model(batch).square().mean()


BATCH = torch.linspace(-1, 1, 12).view(4, 3).double()


def gradient(model):
    thetas = [*model.parameters()]
    parts = torch.autograd.grad(loss_fn(model, BATCH), thetas)
    return [part.flatten() for part in parts], [theta.flatten() for theta in thetas]


def test_first_steps_are_what_the_chapter_says():
    """SGD −η‖g‖², Adam −η‖g‖₁, LAMB −η Σ ‖θ‖‖g‖₁/√n over the matrices."""
    model, eta = network(), 1e-5
    for theta in model.parameters():
        theta.data += 0.1  # no vector of zeros: LAMB would leave its step as long as Adam's
    parts, thetas = gradient(model)
    g = torch.cat(parts)
    expected = {
        torch.optim.SGD: g.square().sum(),
        torch.optim.Adam: g.abs().sum(),
        Lamb: sum(t.norm() * p.abs().sum() / len(p) ** 0.5
                  for t, p in zip(thetas, parts, strict=True)),
    }  # fmt: skip
    for kind, value in expected.items():
        optimizer = kind(model.parameters(), lr=eta)
        found = loss_increment(model, loss_fn, BATCH, optimizer)
        assert found.predicted == pytest.approx(-eta * value.item(), rel=1e-3), kind
        assert found.actual == pytest.approx(found.predicted, rel=1e-2), kind
        assert found.finite


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam, Lamb])
def test_measuring_leaves_no_trace(kind):
    model = network()
    optimizer = kind(model.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        loss_fn(model, BATCH).backward()
        optimizer.step()
    weights = [theta.detach().clone() for theta in model.parameters()]
    gradients = [theta.grad for theta in model.parameters()]
    first = loss_increment(model, loss_fn, BATCH, optimizer)
    assert loss_increment(model, loss_fn, BATCH, optimizer) == first
    for theta, old, kept in zip(model.parameters(), weights, gradients, strict=True):
        assert torch.equal(theta, old)
        assert theta.grad is kept
    assert all(int(state.get("step", 2)) == 2 for state in optimizer.state.values())


def test_error_of_first_order_shrinks_with_the_step():
    model = network()
    misses = []
    for eta in (1e-1, 1e-2):
        sgd = torch.optim.SGD(model.parameters(), lr=eta)
        found = loss_increment(model, loss_fn, BATCH, sgd)
        misses.append(abs(found.actual / found.predicted - 1))
    assert misses[0] / misses[1] == pytest.approx(10, rel=0.2)


# LAMB


def algorithm_two(theta, gradients, *, lr, betas, eps, decay):
    """Algorithm 2 of You et al. in NumPy."""
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for t, g in enumerate(gradients, start=1):
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        r = m / (1 - betas[0] ** t) / (np.sqrt(v / (1 - betas[1] ** t)) + eps) + decay * theta
        theta = theta - lr * np.linalg.norm(theta) / np.linalg.norm(r) * r
    return theta


@given(st.integers(0, 99), st.sampled_from([0.0, 0.1]))
def test_lamb_is_algorithm_two(seed, decay):
    rng = np.random.default_rng(seed)
    start, gradients = rng.normal(size=(3, 4)), rng.normal(size=(6, 3, 4))
    options = {"lr": 0.03, "betas": (0.8, 0.95), "eps": 1e-3}
    theta = nn.Parameter(torch.tensor(start))
    lamb = Lamb([theta], weight_decay=decay, **options)
    for g in gradients:
        theta.grad = torch.tensor(g)
        lamb.step()
    expected = algorithm_two(start, gradients, decay=decay, **options)
    np.testing.assert_allclose(theta.detach().numpy(), expected, rtol=1e-10)


def test_lamb_agrees_with_pytorch_optimizer():
    """It leaves the moments uncorrected, which the quotient of norms makes up for; unless told
    otherwise it corrects the step as well, so that its first one is ten times as long."""
    peer = pytest.importorskip("pytorch_optimizer")
    ours, theirs = (nn.Parameter(torch.linspace(-1, 2, 12).double()) for _ in range(2))
    pair = [(ours, Lamb([ours], lr=0.02, eps=1e-14)),
            (theirs, peer.Lamb([theirs], lr=0.02, eps=1e-14, adam_debias=True))]  # fmt: skip
    for step in range(20):
        for theta, optimizer in pair:
            theta.grad = torch.sin(theta.detach() + step)
            optimizer.step()
    torch.testing.assert_close(ours, theirs)


def test_lamb_at_zero_takes_adams_step_and_runs_a_closure():
    theta = nn.Parameter(torch.zeros(2))
    lamb = Lamb([theta], lr=0.1, eps=0.0)

    def closure():
        theta.grad = torch.tensor([2.0, -3.0])
        return 7.0

    assert lamb.step(closure) == 7.0
    torch.testing.assert_close(theta.detach(), torch.tensor([-0.1, 0.1]))
    theta.grad = None
    lamb.step()
    torch.testing.assert_close(theta.detach(), torch.tensor([-0.1, 0.1]))


# memory


def test_bytes_are_counted_while_they_live():
    assert peak_live_bytes(lambda: torch.ones(10).double()) == 40 + 80
    assert peak_live_bytes(lambda: torch.ones(1000).exp().exp().exp()) == 2 * 4000
    kept = torch.ones(1000)
    assert peak_live_bytes(lambda: kept.view(10, 100).add_(1)) == 0

    def backward():  # ones(100), its square, the sum, and the gradients
        x = torch.ones(100, requires_grad=True)
        x.square().sum().backward()

    assert 3 * 400 <= peak_live_bytes(backward) <= 6 * 400
