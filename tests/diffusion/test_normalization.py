"""SiLU of a group norm is what its formula says, whatever code computes it."""

import warnings

import pytest
import torch
from torch.autograd import gradcheck

from companion.diffusion.normalization import fastest, group_norm_silu
from companion.errors import ShapeError
from companion.training import devices


def by_hand(x, weight, bias, groups, eps):
    """The formula, one group of one sample after the other."""
    y = torch.empty_like(x)
    width = x.shape[1] // groups
    for sample in range(len(x)):
        for group in range(groups):
            inside = slice(group * width, (group + 1) * width)
            z = x[sample, inside]
            normed = (z - z.mean()) / (((z - z.mean()) ** 2).mean() + eps) ** 0.5
            shape = (-1,) + (1,) * (z.ndim - 1)
            u = normed * weight[inside].reshape(shape) + bias[inside].reshape(shape)
            y[sample, inside] = u / (1 + torch.exp(-u))
    return y


@pytest.mark.parametrize("shape", [(2, 6), (3, 6, 5), (2, 6, 3, 5), (1, 6, 2, 3, 2)])
@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("eps", [1e-5, 0.1])
def test_the_reference_is_the_formula(shape, groups, eps):
    x, weight, bias = torch.randn(shape).double(), torch.randn(6).double(), torch.randn(6).double()
    found = group_norm_silu(x, weight, bias, groups=groups, eps=eps)
    torch.testing.assert_close(found, by_hand(x, weight, bias, groups, eps), rtol=0, atol=1e-12)


def test_the_gradient_of_the_reference_is_right_and_x_is_left_alone():
    tensors = [torch.randn(shape).double().requires_grad_() for shape in ((2, 4, 3, 3), (4,), (4,))]
    assert gradcheck(lambda *three: group_norm_silu(*three, groups=2), tensors)
    x, before = tensors[0].detach(), tensors[0].detach().clone()
    with torch.no_grad():
        group_norm_silu(x, tensors[1], tensors[2], groups=2)
    assert torch.equal(x, before)


@pytest.mark.parametrize("groups", [0, -1, 4, 12])
def test_groups_that_do_not_divide_the_channels_are_refused(groups):
    with pytest.raises(ShapeError, match=rf"\(2, 6, 3, 3\) and groups={groups}; expected"):
        group_norm_silu(torch.zeros(2, 6, 3, 3), torch.ones(6), torch.zeros(6), groups=groups)


def test_the_fastest_on_a_cpu_is_the_reference():
    assert fastest("cpu") is fastest(torch.device("cpu")) is group_norm_silu


def test_the_fastest_on_cuda_is_the_kernel_and_without_triton_one_warning(monkeypatch):
    pytest.importorskip("triton", reason="pip install triton")
    from companion.diffusion.kernels import group_norm

    devices._found_triton.cache_clear()
    assert fastest("cuda:1") is group_norm.group_norm_silu
    monkeypatch.setattr(devices, "find_spec", lambda name: None)
    devices._found_triton.cache_clear()
    with pytest.warns(UserWarning, match="Triton is not installed"):
        assert fastest("cuda") is group_norm_silu
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fastest("cuda") is group_norm_silu
    devices._found_triton.cache_clear()
