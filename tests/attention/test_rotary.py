"""Rotary positions: turns by complex numbers, and products that know the distance alone."""

import jaxtyping
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck

from companion.attention import gau_attention, rotate, softmax
from companion.errors import ShapeError

both = pytest.mark.parametrize("interleaved", [True, False])


def close(found, expected, atol=1e-12):
    torch.testing.assert_close(found, expected, rtol=0, atol=atol)


def by_hand(x, start, interleaved, base):
    """The same with complex numbers, one token after the other."""
    s = x.shape[-1]
    a, b = (x[..., ::2], x[..., 1::2]) if interleaved else (x[..., : s // 2], x[..., s // 2 :])
    out = torch.empty_like(x)
    for m in range(x.shape[-2]):
        angles = [(start + m) * base ** (-2 * i / s) for i in range(s // 2)]
        turn = torch.exp(1j * torch.tensor(angles, dtype=torch.float64))
        turned = torch.complex(a[..., m, :], b[..., m, :]) * turn
        parts = (turned.real, turned.imag)
        joined = torch.stack(parts, -1).flatten(-2) if interleaved else torch.cat(parts, -1)
        out[..., m, :] = joined
    return out


@both
@pytest.mark.parametrize("shape", [(3, 4), (2, 5, 6), (2, 3, 4, 2), (2, 0, 4), (1, 2)])
@pytest.mark.parametrize("start", [0, 7, -2])
@pytest.mark.parametrize("base", [10_000, 2.5])
def test_turns_are_products_of_complex_numbers(interleaved, shape, start, base):
    x = torch.randn(shape).double()
    found = rotate(x, start=start, interleaved=interleaved, base=base)
    close(found, by_hand(x, start, interleaved, float(base)))
    close(found.norm(dim=-1), x.norm(dim=-1))


@given(st.integers(0, 3000), st.integers(0, 3000), st.integers(0, 3000), st.booleans())
def test_products_know_the_distance_alone(i, j, further, interleaved):
    q, k = torch.randn(2, 1, 8).double()

    def product(i, j):
        turned = [rotate(x, start=at, interleaved=interleaved) for x, at in ((q, i), (k, j))]
        return (turned[0] * turned[1]).sum()

    close(product(i + further, j + further), product(i, j), atol=1e-9)


def test_the_two_conventions_are_one_up_to_the_order_of_the_numbers_and_not_the_same():
    x = torch.randn(2, 5, 8).double()
    order = torch.tensor([0, 2, 4, 6, 1, 3, 5, 7])
    close(rotate(x)[..., order], rotate(x[..., order], interleaved=False))
    assert (rotate(x) - rotate(x, interleaved=False)).abs().max() > 0.1
    q, k = torch.randn(2, 1, 6, 8).double()
    scores = [
        rotate(q, interleaved=a) @ rotate(k, interleaved=b).mT
        for a in (False, True)
        for b in (False, True)
    ]
    assert not torch.allclose(scores[0], scores[3], atol=0.1)  # a weight fits one alone
    assert not torch.allclose(scores[0], scores[1], atol=0.1)  # and mixing them fits neither


@both
def test_later_tokens_continue_where_earlier_ones_stopped(interleaved):
    x = torch.randn(2, 9, 4).double()
    parts = [
        rotate(x[:, :5], interleaved=interleaved),
        rotate(x[:, 5:], start=5, interleaved=interleaved),
    ]
    close(torch.cat(parts, dim=1), rotate(x, interleaved=interleaved))


@both
def test_the_gradient_is_right(interleaved):
    x = torch.randn(2, 3, 4).double().requires_grad_()
    assert gradcheck(lambda x: rotate(x, start=3, interleaved=interleaved), (x,))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_angles_stay_exact_in_lower_precisions(dtype):
    """bfloat16 has no 257, and a sine rounded before the product is off by more than the result."""
    x = torch.randn(1, 3, 64).to(dtype)
    found = rotate(x, start=4001)
    exact = rotate(x.double(), start=4001)
    assert found.dtype == dtype
    torch.testing.assert_close(found, exact.to(dtype), rtol=torch.finfo(dtype).eps, atol=1e-4)
    error = (found.double() - exact).abs().mean()
    assert error < 1.1 * (exact.to(dtype).double() - exact).abs().mean()


def test_attention_does_not_see_where_a_sequence_begins():
    q, k, v = torch.randn(3, 1, 6, 8).double()
    outputs = [
        gau_attention(rotate(q, start=m), rotate(k, start=m), v, normalize=softmax) for m in (0, 50)
    ]
    close(*outputs, atol=1e-10)
    apart = gau_attention(rotate(q, start=50), rotate(k), v, normalize=softmax)
    assert not torch.allclose(apart, outputs[0], atol=1e-2)


@pytest.mark.parametrize("shape", [(3, 5), (2, 3, 1), (4,)])
def test_numbers_that_make_no_pairs_are_refused(shape):
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        with pytest.raises(ShapeError, match=r"expected \[\.\.\., seq, key\], key even"):
            rotate(torch.ones(shape))
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
