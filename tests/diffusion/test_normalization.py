"""SiLU of a group norm is what its formula says, whatever code computes it."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
from torch.autograd import gradcheck

from companion.diffusion.normalization import fastest, group_norm_silu
from companion.errors import ShapeError
from companion.training import devices

ROOT = Path(__file__).resolve().parents[2]
INTERPRETED = os.environ | {"TRITON_INTERPRET": "1"}


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


def test_the_kernel_in_triton_s_interpreter():
    """Triton reads TRITON_INTERPRET when it is imported, hence another process."""
    pytest.importorskip("triton", reason="pip install triton")
    kernel_tests = Path(__file__).with_name("test_group_norm_kernel.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", kernel_tests]
    done = subprocess.run(
        command, cwd=ROOT, env=INTERPRETED, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout.splitlines()[-1], done.stdout


COMPILES = """
import triton
from triton.backends.compiler import GPUTarget
from companion.diffusion.kernels.group_norm import TILE, _plan
from companion.diffusion.kernels.group_norm_tiles import backward_tiles, forward_tiles

numbers = {"space": "i32", "apart": "i32", "step": "i32", "eps": "fp32"}
halves = ("x", "y", "dx", "dy")
for kernel in (forward_tiles, backward_tiles):
    for width, space, together in ((4, 1024, True), (12, 1024, False)):
        layout = (32 * width, space, 1, 32 * width) if together else (32 * width, space, space, 1)
        sizes = _plan(8, layout, 2, 32, TILE)[1] | {"apart" if together else "step": 1}
        warps = sizes.pop("num_warps")
        names = kernel.arg_names
        kinds = {name: "*bf16" if name in halves else numbers.get(name, "*fp32") for name in names}
        kinds |= {name: "constexpr" for name in sizes}
        constants = {(names.index(name),): value for name, value in sizes.items()}
        source = triton.compiler.ASTSource(kernel, kinds, constants)
        target = GPUTarget("cuda", 90, 32)
        built = triton.compile(source, target=target, options={"num_warps": warps})
        assert len(built.asm["cubin"]) > 1000
print("built")
"""


def test_the_kernel_compiles_for_a_gpu_that_is_not_there():
    """The interpreter takes code that the compiler refuses: this has it build for compute 9.0."""
    pytest.importorskip("triton", reason="pip install triton")
    command = [sys.executable, "-c", COMPILES]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.endswith("built\n"), done.stdout + done.stderr


COMPILED = """
import sys
import torch
from companion.diffusion.kernels.group_norm import group_norm_silu

def step(x, weight, bias):
    return 2 * group_norm_silu(torch.relu(x), weight, bias, groups=3)

tensors = [torch.randn(*shape).requires_grad_() for shape in ((2, 6, 3, 5), (6,), (6,))]
results = []
for function in (step, torch.compile(step, fullgraph=True, backend="aot_eager")):
    y = function(*tensors)
    results.append([y, *torch.autograd.grad(y.square().sum(), tensors)])
torch.testing.assert_close(results[1], results[0])
x = tensors[0].detach().to(memory_format=torch.channels_last)
y = torch.compile(step, fullgraph=True, backend="aot_eager")(x, *tensors[1:])
assert y.is_contiguous(memory_format=torch.channels_last)
operator = torch.ops.companion.group_norm_silu.default
torch.library.opcheck(operator, (*tensors, 3, 1e-5))
print("whole")
"""


def test_torch_compile_takes_the_kernel_into_one_graph():
    """In a process of its own: the run-time checks of shapes would break the graph."""
    pytest.importorskip("triton", reason="pip install triton")
    command = [sys.executable, "-c", COMPILED]
    done = subprocess.run(
        command, cwd=ROOT, env=INTERPRETED, capture_output=True, text=True, check=False
    )
    assert done.stdout.endswith("whole\n"), done.stdout + done.stderr


def test_importing_the_room_takes_neither_triton_nor_the_kernels():
    code = """
import sys
from companion.diffusion import normalization
assert not any(name == "triton" or "kernels" in name for name in sys.modules if "companion" in name)
print("triton" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "False\n", done.stdout + done.stderr
