"""Plain and residual chains: what a layer computes, and what passes through many of them."""

import math
from dataclasses import replace

import jaxtyping
import pytest
import torch
from torch.nn.functional import layer_norm

from companion.depth import (
    Chain,
    DepthScaling,
    FeedForward,
    ResidualStack,
    Wiring,
    random_orthogonal,
    scaling_slope,
    shake,
    signals,
)
from companion.errors import DataError, ShapeError

DEPTHS = [8, 32, 128]


@pytest.fixture(autouse=True)
def _double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def _as_for_a_user():
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=draws(seed))


def by_hand(wiring: Wiring, x: torch.Tensor, matrices: torch.Tensor, depth: int) -> torch.Tensor:
    h = layer_norm(x, x.shape[-1:]) if wiring.norm == "pre" else x
    h = h @ matrices[0]
    h = h if wiring.branch == "linear" else h.clamp_min(0)
    h = h @ matrices[1] if wiring.branch == "two-layer" else h
    y = x + h / depth**wiring.power if wiring.skip else h
    return layer_norm(y, y.shape[-1:]) if wiring.norm == "post" else y


@pytest.mark.parametrize("branch", ["linear", "relu", "two-layer"])
@pytest.mark.parametrize("norm", ["none", "pre", "post"])
@pytest.mark.parametrize(("skip", "power"), [(True, 0.5), (True, 0), (False, 0)])
def test_a_chain_is_its_layers(branch, norm, skip, power) -> None:
    wiring = Wiring(branch=branch, norm=norm, skip=skip, power=power)
    chain, x = Chain(wiring, 5, 3, generator=draws()), normal(4, 5)
    states = chain.states(x)
    assert len(states) == 4
    expected = x
    for state, matrices in zip(states[1:], chain.weights, strict=True):
        expected = by_hand(wiring, expected, matrices, 3)
        torch.testing.assert_close(state, expected)
    torch.testing.assert_close(chain(x), expected)


@pytest.mark.parametrize("branch", ["linear", "relu", "two-layer"])
@pytest.mark.parametrize("orthogonal", [True, False])
def test_branches_keep_the_mean_square(branch, orthogonal) -> None:
    wiring = Wiring(branch=branch, skip=False, orthogonal=orthogonal)
    x = normal(16, 100)
    nets = [Chain(wiring, 100, 1, generator=draws(s)) for s in range(20)]
    outs = [net(x).detach().square().mean() for net in nets]
    assert float(torch.stack(outs).mean() / x.square().mean()) == pytest.approx(1, abs=0.06)


def test_orthogonal_matrices_are_uniform() -> None:
    """Each entry has mean 0 and mean square 1/d; a bare QR has a diagonal of one sign."""
    q = random_orthogonal(4000, 3, generator=draws())
    torch.testing.assert_close(q @ q.mT, torch.eye(3).expand_as(q))
    assert float(q.mean(0).abs().max()) < 0.05
    assert float((q.square().mean(0) - 1 / 3).abs().max()) < 0.03


def test_plain_orthogonal_holds_two_of_three() -> None:
    wiring = Wiring(branch="linear", skip=False, orthogonal=True)
    for depth in (1, 10, 300):
        x, v = normal(1, 16, seed=2), normal(1, 16, seed=3)
        found = signals(Chain(wiring, 16, depth, generator=draws()), x, v)
        assert found.forward == pytest.approx(1)
        assert found.backward == pytest.approx(1)
        squares = depth * float(x.square().sum() * v.square().sum()) / 16
        assert found.squares == pytest.approx(squares)


@pytest.mark.parametrize(("power", "expected"), [(0.5, 0), (0.75, -0.5), (1, -1)])
def test_squares_grow_by_one_less_twice_the_power(power, expected) -> None:
    found = []
    for depth in DEPTHS:
        nets = [Chain(Wiring(power=power), 48, depth, generator=draws(s)) for s in range(4)]
        rows = [signals(net, normal(8, 48, seed=s), normal(8, 48, seed=50 + s))
                for s, net in enumerate(nets)]  # fmt: skip
        assert all(0.8 < row.forward < 4 for row in rows)
        assert all(0.8 < row.backward < 2.5 for row in rows)
        found.append([row.squares for row in rows])
    slope = scaling_slope(DEPTHS, found)
    assert slope.exponent == pytest.approx(expected, abs=max(0.12, 3 * slope.stderr))


def test_epsilon_in_the_weights_scales_the_step_by_its_root() -> None:
    found = []
    for depth in DEPTHS:
        torch.manual_seed(depth)
        scaling = DepthScaling(alpha=1.0, gain=depth**-0.25)
        nets = [ResidualStack(lambda: FeedForward(48, 48), depth, norm="none", scaling=scaling)
                for _ in range(3)]  # fmt: skip
        rows = [signals(net, normal(8, 48), normal(8, 48, seed=2)).squares for net in nets]
        found.append(rows)
    assert scaling_slope(DEPTHS, found).exponent == pytest.approx(0.5, abs=0.12)


def test_a_mean_brings_exponential_growth_back() -> None:
    x, grown = normal(4, 128), {}
    for branch in ("relu", "two-layer"):
        out = Chain(Wiring(branch=branch, power=0.5), 128, 100, generator=draws())(x)
        grown[branch] = float(out.detach().norm() / x.norm())
    assert grown["relu"] > 60
    assert grown["two-layer"] < 2.5


def test_layer_norm_behind_relu_stretches_the_gradient() -> None:
    wiring = Wiring(branch="relu", skip=False, norm="post")
    rows = [signals(Chain(wiring, 128, 40, generator=draws(s)), normal(8, 128, seed=s),
                    normal(8, 128, seed=9 + s)).backward for s in range(5)]  # fmt: skip
    rate = sum(math.log(row) for row in rows) / 5 / 40
    assert rate == pytest.approx(-math.log(1 - 1 / math.pi) / 2, abs=0.03)


def test_what_overflows_is_reported() -> None:
    found = signals(Chain(Wiring(), 4, 3000, generator=draws()), normal(2, 4), normal(2, 4))
    assert not math.isfinite(found.forward)
    assert not math.isfinite(found.squares)


# the landscape


def test_unrest_of_a_plain_net_grows_with_the_root_of_its_depth() -> None:
    plain = Wiring(branch="linear", skip=False, orthogonal=True)
    for wiring, rate in ((plain, 0.5), (Wiring(power=1), -0.5)):
        found = [shake(Chain(wiring, 32, depth, generator=draws(depth)), normal(8, 32),
                       relative=0.01, draws=6, generator=draws(3)).square().mean().sqrt()
                 for depth in DEPTHS]  # fmt: skip
        slope = scaling_slope(DEPTHS, torch.stack(found))
        assert slope.exponent == pytest.approx(rate, abs=0.08)


def test_shaking_one_matrix_moves_the_output_by_its_share() -> None:
    chain = Chain(Wiring(branch="linear", skip=False), 200, 1, generator=draws())
    moved = shake(chain, normal(50, 200), relative=0.05, draws=5, generator=draws(2))
    assert moved.shape == (5,)
    assert torch.allclose(moved, torch.full((5,), 0.05), rtol=0.05)


def test_shaking_leaves_the_weights_as_they_were() -> None:
    chain = Chain(Wiring(), 6, 2, generator=draws())
    before = chain.weights.detach().clone()
    assert float(shake(chain, normal(3, 6), relative=0.5, generator=draws())) > 0
    assert torch.equal(chain.weights, before)
    with pytest.raises(ShapeError):
        shake(chain, normal(3, 7), relative=0.5)
    assert torch.equal(chain.weights, before)


# bad input


@pytest.mark.usefixtures("_as_for_a_user")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Chain(Wiring(), 4, 0), DataError, "depth is 0; expected at least one layer"),
        (lambda: Chain(Wiring(), 0, 4), DataError, "width is 0; expected at least 1"),
        (lambda: Wiring(power=1, skip=False), DataError, "power is 1 without a skip"),
        (lambda: replace(Wiring(), norm="batch"), DataError, "norm is 'batch'; expected one of"),
        (lambda: replace(Wiring(), branch="wide"), DataError, "branch is 'wide'; expected one of"),
        (lambda: Chain(Wiring(), 4, 2)(normal(3, 5)), ShapeError, "x has 5 columns"),
        (
            lambda: signals(torch.nn.Linear(4, 3), normal(2, 4), normal(2, 4)),
            ShapeError,
            r"output \[2, 3\], probe \[2, 4\]; expected the shape of x, \[2, 4\]",
        ),
        (
            lambda: signals(torch.nn.Identity(), normal(2, 4), normal(2, 4)),
            DataError,
            "no parameter that takes a gradient",
        ),
        (
            lambda: shake(Chain(Wiring(), 4, 2), normal(2, 4), relative=-1),
            DataError,
            "relative is -1; expected a finite number",
        ),
        (
            lambda: shake(Chain(Wiring(), 4, 2), normal(2, 4), relative=0.1, draws=0),
            DataError,
            "draws is 0; expected at least 1",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_named(call, error, message) -> None:
    with pytest.raises(error, match=message):
        call()
