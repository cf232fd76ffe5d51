"""Bad input: one error that names the offender; a loss that overflows is a result.

The run-time checks of shapes, which only tests have, are off: a user does not have them either.
"""

import math
from typing import Any

import jaxtyping
import pytest
import torch
from torch import nn

from companion.depth import (
    Attention,
    DepthScaling,
    FeedForward,
    Lamb,
    ResidualStack,
    loss_increment,
    magnitude,
    scaling_slope,
)
from companion.errors import DataError, NumericsError, ShapeError


@pytest.fixture(autouse=True)
def _as_for_a_user():
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.parametrize("value", [0, -1.0, math.inf, math.nan])
@pytest.mark.parametrize("name", ["alpha", "gain"])
def test_factor_that_is_not_positive(name: str, value: float) -> None:
    with pytest.raises(DataError, match=rf"{name} is {value}; expected a finite number above 0"):
        DepthScaling(**{name: value})


BOTH: Any = ("both", 3, 3)


class Frozen(nn.Module):
    """Has a parameter, and no way to draw it anew."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))


def stack(**options: Any) -> ResidualStack:
    return ResidualStack(**({"block": lambda: FeedForward(4), "depth": 2} | options))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: DepthScaling.for_optimizer("sgd", 0), "layers is 0; expected a whole number"),
        (lambda: DepthScaling.for_optimizer("adamw", 3), "optimizer 'adamw' with norm 'post'"),
        (lambda: DepthScaling.for_optimizer("adam", 3, "none"), "expected 'sgd', 'adam' or"),
        (lambda: DepthScaling.deepnet("encoder"), "encoder_layers is 0; expected a whole"),
        (lambda: DepthScaling.deepnet("encoder-decoder", 3), "decoder_layers is 0"),
        (lambda: DepthScaling.deepnet("decoder", 3), "decoder_layers is 0"),
        (lambda: DepthScaling.deepnet(*BOTH), "architecture is 'both'; expected one of"),
        (lambda: stack(depth=0), "depth is 0; expected a whole number, at least 1"),
        (lambda: stack(depth=2.5), "depth is 2.5; expected a whole number"),
        (lambda: stack(norm="rms"), "norm is 'rms'; expected one of 'post', 'pre', 'none'"),
        (lambda: stack(affine=0), "affine is 0; expected at least 1, or None"),
        (lambda: stack(checkpoint_every=0), "checkpoint_every is 0; expected at least 1"),
        (lambda: stack(block=[]), "block is an empty list"),
        (lambda: stack(block=lambda: 3), "block made a int; expected a torch.nn.Module"),
        (lambda: stack(block=Frozen()), "Frozen has no reset_parameters"),
        (lambda: FeedForward(0), "dim is 0, hidden is 0; expected at least 1"),
        (lambda: Attention(6, heads=4), "dim is 6, heads is 4; expected heads to divide dim"),
        (lambda: Lamb([torch.ones(1)], lr=-1), "lr is -1; expected 0 or more"),
        (lambda: Lamb([torch.ones(1)], betas=(0.9, 1.0)), "betas are"),
        (lambda: scaling_slope([1, 2], [1.0]), r"depths have shape \[2\], values \[1\]"),
        (lambda: scaling_slope([3, 3], [1, 2]), "expected two different ones"),
        (lambda: scaling_slope([1, 2], [1, 0]), r"value \[1\] is 0.0; expected it above 0"),
        (lambda: scaling_slope([0, 2], [1, 1]), r"depth \[0\] is 0.0"),
    ],
)
def test_bad_input_is_named(make, words):
    with pytest.raises(DataError, match=words):
        make()


@pytest.mark.parametrize("norm", ["post", "pre", "none"])
def test_branch_that_changes_the_dimension(norm):
    blocks = [lambda: nn.Linear(4, 4), lambda: nn.Linear(4, 6)]
    model = ResidualStack(blocks, 3, norm=norm)
    with pytest.raises(ShapeError, match=r"branch 1 gives shape \[2, 6\]; expected .* \[2, 4\]"):
        model(torch.ones(2, 4))


def test_branch_that_would_only_broadcast():
    model = ResidualStack(lambda: nn.Linear(4, 1), 1, norm="none")
    with pytest.raises(ShapeError, match=r"branch 0 gives shape \[2, 1\]"):
        model(torch.ones(2, 4))


def test_magnitude_of_no_matrix():
    with pytest.raises(ShapeError, match=r"weight has shape \[0, 3\]"):
        magnitude(torch.ones(0, 3))
    bad = torch.ones(2, 2)
    bad[1, 0] = math.nan
    with pytest.raises(NumericsError, match=r"weight\[1, 0\] is nan"):
        magnitude(bad)


def test_foreign_parameter_and_loss_that_is_no_scalar():
    model, other = nn.Linear(1, 1), nn.Linear(1, 1)
    sgd = torch.optim.SGD(other.parameters(), lr=0.1)
    with pytest.raises(DataError, match="a parameter that is none of the model's"):
        loss_increment(model, lambda model, x: model(x).sum(), torch.ones(1, 1), sgd)
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ShapeError, match=r"loss has shape \[1, 1\]; expected a scalar"):
        loss_increment(model, lambda model, x: model(x), torch.ones(1, 1), sgd)


@pytest.mark.parametrize("rate", [1e30, math.inf])
def test_loss_that_overflows_is_a_measurement(rate):
    model = nn.Linear(1, 1)
    before = [theta.detach().clone() for theta in model.parameters()]
    sgd = torch.optim.SGD(model.parameters(), lr=rate)
    found = loss_increment(model, lambda m, x: m(x).pow(4).sum(), torch.full((1, 1), 9.0), sgd)
    assert not found.finite
    assert not math.isfinite(found.actual)
    for theta, old in zip(model.parameters(), before, strict=True):
        assert torch.equal(theta, old)


def test_slope_of_an_explosion_is_nan():
    slope = scaling_slope([1, 10, 100], [1.0, math.inf, 2.0])
    assert math.isnan(slope.exponent)
    assert math.isnan(slope.stderr)
