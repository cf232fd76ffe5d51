"""The scalings: what they solve, the published constants, and bad input."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.depth import DepthScaling

layers = st.integers(1, 10**6)


@given(layers)
def test_post_norm_solves_the_rule_of_each_optimiser(n: int) -> None:
    sgd, adam, lamb = (DepthScaling.for_optimizer(o, n, "post") for o in ("sgd", "adam", "lamb"))
    assert sgd.gain / sgd.alpha == pytest.approx((2 * n) ** -0.5)
    assert sgd.gain == pytest.approx(1 / sgd.alpha)  # steps as large, relative to the weights
    assert adam.gain / adam.alpha == pytest.approx(1 / (2 * n))
    assert adam.gain == pytest.approx(1 / adam.alpha)
    assert lamb.alpha == 1
    assert lamb.gain**2 / lamb.alpha == pytest.approx(1 / (2 * n))


@given(layers)
def test_pre_norm_solves_the_same_with_alpha_one(n: int) -> None:
    sgd, adam, lamb = (DepthScaling.for_optimizer(o, n, "pre") for o in ("sgd", "adam", "lamb"))
    assert sgd.alpha == adam.alpha == lamb.alpha == 1
    assert sgd.gain == pytest.approx((2 * n) ** -0.5)
    assert adam.gain == pytest.approx(1 / (2 * n))
    assert lamb.gain**2 == pytest.approx(1 / (2 * n))


@given(layers)
def test_deepnet_with_one_stack_is_the_essay_rule_up_to_a_constant(n: int) -> None:
    paper, rule = DepthScaling.deepnet("encoder", n), DepthScaling.for_optimizer("sgd", n, "post")
    assert paper.alpha == pytest.approx(rule.alpha)
    assert rule.gain / paper.gain == pytest.approx(4 ** (1 / 4))  # √2, whatever the depth
    assert DepthScaling.deepnet("decoder", 0, n) == paper


@pytest.mark.parametrize(("n", "m"), [(6, 6), (18, 18), (100, 100), (12, 3), (1, 1)])
def test_constants_agree_with_torchscale(n: int, m: int) -> None:
    """Torchscale 0.3.0, architecture/encoder.py and decoder.py: residual * alpha, weight / scale.

    Its encoder beside a decoder divides by ``(n⁴m)^.0625 / 1.15``, so it multiplies by 1.15
    where the paper has 0.87 = 1/1.15: the one place where the two do not agree.
    """
    encoder = DepthScaling.deepnet("encoder", n)
    assert encoder.alpha == pytest.approx(math.pow(2.0 * n, 0.25))
    assert 1 / encoder.gain == pytest.approx(math.pow(8.0 * n, 0.25))
    decoder = DepthScaling.deepnet("decoder", 0, m)
    assert decoder.alpha == pytest.approx(math.pow(2.0 * m, 0.25))
    assert 1 / decoder.gain == pytest.approx(math.pow(8.0 * m, 0.25))
    encoder, decoder = DepthScaling.deepnet("encoder-decoder", n, m)
    assert decoder.alpha == pytest.approx(math.pow(3.0 * m, 0.25))
    assert 1 / decoder.gain == pytest.approx(math.pow(12.0 * m, 0.25))
    assert encoder.alpha == pytest.approx(math.pow(math.pow(n, 4) * m, 0.0625) * 0.81)
    torchscale = 1 / (math.pow(math.pow(n, 4) * m, 0.0625) / 1.15)
    assert torchscale / encoder.gain == pytest.approx(1.15 / 0.87)  # 32 % larger


def test_deepnet_constants_by_hand() -> None:
    encoder, decoder = DepthScaling.deepnet("encoder-decoder", 2, 16)  # (2⁴·16)^(1/16) = √2
    assert encoder.alpha == pytest.approx(0.81 * 2**0.5)
    assert encoder.gain == pytest.approx(0.87 / 2**0.5)
    assert decoder.alpha == pytest.approx(48**0.25)
    assert decoder.gain == pytest.approx(192**-0.25)


def test_branch_weight_is_lambda_squared_over_alpha() -> None:
    assert DepthScaling(4, 0.5).branch_weight == Fraction(1, 16)
    assert DepthScaling().branch_weight == 1
