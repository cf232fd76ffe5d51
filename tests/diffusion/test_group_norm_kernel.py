"""The kernel against its reference: on CUDA, or on the CPU in Triton's interpreter."""

import os

import pytest
import torch
from torch.autograd import gradcheck

from companion.diffusion.normalization import group_norm_silu as reference
from companion.errors import DataError, ShapeError

pytest.importorskip("triton", reason="pip install triton")
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
if not INTERPRETED and not torch.cuda.is_available():
    why = "no CUDA device; test_compilers runs this file in Triton's interpreter"
    pytest.skip(why, allow_module_level=True)
from companion.diffusion.kernels.group_norm import group_norm_silu  # noqa: E402

DEVICE = torch.device("cpu" if INTERPRETED else "cuda")
FORMATS = {"rows": torch.contiguous_format, "channels_last": torch.channels_last}
DTYPES = [torch.float32, torch.bfloat16, torch.float16]
SHAPES = {  # shape, groups
    "odd": ((2, 12, 5, 7), 3),
    "one channel a group": ((3, 8, 4, 4), 8),
    "one group": ((2, 10, 3, 3), 1),
    "more groups than a power of two": ((1, 14, 3, 2), 7),
    "several tiles": ((1, 24, 41, 40), 1),
    "one pixel": ((2, 6, 1, 1), 2),
}
LARGE = {  # levels of the U-Net for CIFAR-10: too slow for the interpreter
    "level 32": ((4, 128, 32, 32), 32),
    "level 32, up": ((3, 384, 32, 32), 32),
    "level 8": ((4, 512, 8, 8), 32),
    "level 4": ((16, 256, 4, 4), 32),
    "one group of 4 million": ((1, 64, 256, 256), 1),
}
CASES = SHAPES if INTERPRETED else SHAPES | LARGE


def draw(shape, dtype, memory_format=torch.contiguous_format, offset=0.0):
    """Return x, weight, bias and the gradient of the result."""
    sizes = (shape, shape[1:2], shape[1:2], shape)
    x, weight, bias, dy = (torch.randn(size).to(DEVICE, dtype) for size in sizes)
    x = (x + offset).to(memory_format=memory_format)
    return x, 1 + 0.5 * weight, bias, dy


def outcome(function, tensors, dy, groups, dtype):
    """Return the result and the gradients of x, weight and bias, in that precision."""
    leaves = [tensor.detach().to(dtype).requires_grad_() for tensor in tensors]
    y = function(*leaves, groups=groups)
    return y.detach(), *torch.autograd.grad(y, leaves, dy.to(dtype))


def assert_twice_as_exact_as_plain(x, weight, bias, dy, groups):
    """The error, against float64, is at most twice that of plain PyTorch in the same precision."""
    tensors, dtype = (x, weight, bias), x.dtype
    found = outcome(group_norm_silu, tensors, dy, groups, dtype)
    plain = outcome(reference, tensors, dy, groups, dtype)
    exact = outcome(reference, tensors, dy, groups, torch.float64)
    for name, ours, theirs, truth in zip(("y", "dx", "dw", "db"), found, plain, exact, strict=True):
        assert ours.dtype == dtype
        limit = 2 * float((theirs - truth).abs().max())
        limit += 2 * torch.finfo(torch.promote_types(dtype, torch.float32)).eps * scale(truth)
        if INTERPRETED and dtype == torch.bfloat16:  # the interpreter cuts off what it should round
            limit += torch.finfo(dtype).eps / 2 * scale(truth)
        assert float((ours - truth).abs().max()) <= limit, name


def scale(truth):
    """Return the largest number: rounding is relative to it."""
    return float(truth.abs().max())


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("memory", FORMATS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_error_is_at_most_twice_that_of_plain_pytorch(case, memory, dtype):
    shape, groups = CASES[case]
    x, weight, bias, dy = draw(shape, dtype, FORMATS[memory])
    assert_twice_as_exact_as_plain(x, weight, bias, dy, groups)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(("shape", "groups"), [((2, 32, 8, 8), 8), ((1, 24, 41, 40), 1)])
def test_a_mean_far_from_zero_costs_no_more_digits_than_plain_pytorch_loses(shape, groups, dtype):
    """E[x²] - E[x]² in float32 would leave nothing of a variance of 1 at a mean of 5000."""
    x, weight, bias, dy = draw(shape, dtype, offset=5000.0)
    assert_twice_as_exact_as_plain(x, weight, bias, dy, groups)


@pytest.mark.parametrize("memory", FORMATS)
@pytest.mark.parametrize(("shape", "groups"), [((2, 6, 3, 5), 3), ((1, 12, 45, 50), 1)])
def test_float64_is_float64_throughout(shape, groups, memory):
    x, weight, bias, dy = draw(shape, torch.float64, FORMATS[memory])
    found, expected = (
        outcome(function, (x, weight, bias), dy, groups, torch.float64)
        for function in (group_norm_silu, reference)
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-11)


def test_the_gradient_matches_finite_differences():
    x, weight, bias, _ = draw((2, 4, 2, 3), torch.float64)
    tensors = [tensor.requires_grad_() for tensor in (x, weight, bias)]
    assert gradcheck(lambda *three: group_norm_silu(*three, groups=2), tensors, fast_mode=True)


@pytest.mark.parametrize("memory", FORMATS)
def test_the_memory_format_is_kept_forward_and_backward(memory):
    x, weight, bias, dy = draw((2, 12, 5, 7), torch.float32, FORMATS[memory])
    x.requires_grad_()
    y = group_norm_silu(x, weight, bias, groups=3)
    (dx,) = torch.autograd.grad(y, x, dy)
    assert y.stride() == dx.stride() == x.stride()


def test_strided_and_other_ranks_are_the_same_numbers():
    weight, bias = torch.randn(2, 6, device=DEVICE)
    wide = torch.randn(2, 12, 6, 8, device=DEVICE)
    for x in (wide[:, ::2, :, 1::2], wide[:, :6, 0, 0], wide[:, :6, :, 2], wide[:, :6, None]):
        found = group_norm_silu(x, weight, bias, groups=2)
        torch.testing.assert_close(found, reference(x, weight, bias, groups=2))


def test_gradients_that_come_strided_or_expanded_are_read_right():
    x, weight, bias, _ = draw((2, 6, 3, 5), torch.float64)
    found, expected = (
        torch.autograd.grad(function(x.requires_grad_(), weight, bias, groups=2).sum(), x)
        for function in (group_norm_silu, reference)
    )
    torch.testing.assert_close(found, expected)


def test_every_number_of_the_results_is_written():
    """Fresh memory is filled with NaN in these tests: what is left unwritten would show."""
    assert torch.empty(5, device=DEVICE).isnan().all()
    for memory in FORMATS.values():
        for shape, groups in CASES.values():
            x, weight, bias, dy = draw(shape, torch.float32, memory)
            results = outcome(group_norm_silu, (x, weight, bias), dy, groups, torch.float32)
            assert all(result.isfinite().all() for result in results)


def test_a_half_precision_x_takes_float32_weights():
    x, weight, bias, dy = draw((2, 12, 5, 7), torch.float32)
    leaves = [x.half().requires_grad_(), weight.requires_grad_(), bias.requires_grad_()]
    y = group_norm_silu(*leaves, groups=3)
    gradients = torch.autograd.grad(y, leaves, dy.half())
    assert [y.dtype, *(g.dtype for g in gradients)] == [torch.float16] * 2 + [torch.float32] * 2


def test_nothing_in_nothing_out():
    x = torch.zeros(0, 6, 4, 4, device=DEVICE, requires_grad=True)
    weight, bias = torch.ones(2, 6, device=DEVICE).requires_grad_()
    y = group_norm_silu(x, weight, bias, groups=2)
    dweight, dx = torch.autograd.grad(y.sum(), [weight, x])
    assert y.shape == dx.shape == (0, 6, 4, 4)
    assert torch.equal(dweight, torch.zeros(6, device=DEVICE))


def test_what_does_not_fit_is_refused():
    x, one = torch.zeros(2, 6, 4, 4, device=DEVICE), torch.ones(6, device=DEVICE)
    with pytest.raises(ShapeError, match="groups=4"):
        group_norm_silu(x, one, one, groups=4)
    elsewhere = torch.ones(6, device="meta")
    with pytest.raises(DataError, match=f"x is on {DEVICE}.*, bias on meta"):
        group_norm_silu(x, one, elsewhere, groups=3)
    if not INTERPRETED:
        with pytest.raises(DataError, match="runs on CUDA"):
            group_norm_silu(x.cpu(), one.cpu(), one.cpu(), groups=3)
