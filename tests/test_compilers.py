"""What Triton and ``torch.compile`` make of the package, in processes of their own.

There the run-time checks of shapes are not in the way: they would break a graph.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
KERNELS = [
    "attention/test_kernels_gau.py",
    "attention/test_kernels_mixed_chunk.py",
    "diffusion/test_group_norm_kernel.py",
]
INTERPRETED = os.environ | {"TRITON_INTERPRET": "1"}  # read when Triton is imported

TRITON = find_spec("triton") is not None
needs_triton = pytest.mark.skipif(not TRITON, reason="pip install triton")


def run(*arguments: str | Path, env: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Run Python on these; return its status, what it printed, and that with its errors."""
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, cwd=TESTS.parent, env=env, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stdout + done.stderr


@needs_triton
def test_the_kernels_in_triton_s_interpreter() -> None:
    files = [TESTS / name for name in KERNELS]
    alone = INTERPRETED | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # they cost a second
    code, out, everything = run("-m", "pytest", "-q", "-p", "no:cacheprovider", *files, env=alone)
    assert code == 0, everything
    skipped = [line for line in out.splitlines() if line.startswith("SKIPPED")]
    assert all("attention" in line for line in skipped), everything
    assert all("needs CUDA: too large" in line for line in skipped), everything


ATTENTION_BUILT = """
import warnings
warnings.simplefilter("ignore")  # Triton on its own defaults
import triton
from triton.backends.compiler import GPUTarget
from companion.attention.kernels.chunks import chunk_sizes, state_sizes
from companion.attention.kernels.gau import tile_sizes
from companion.attention.kernels.gau_tiles import weight_tiles
from companion.attention.kernels.mixed_chunk_tiles import chunk_tiles, state_tiles

def build(kernel, sizes, kind, precision):
    sizes = sizes | {"PRECISION": precision}
    options = {"num_warps": sizes.pop("num_warps", 4)}
    names = kernel.arg_names
    tensors = "q k weights slopes left right states q_quad k_quad q_lin v mixed".split()
    kinds = {name: f"*{kind}" if name in tensors else "i32" for name in names}
    kinds |= {"root": "*fp32" if kernel is weight_tiles else "fp32"} if "root" in names else {}
    kinds |= {name: "constexpr" for name in sizes}
    constants = {(names.index(name),): value for name, value in sizes.items()}
    aligned = [name for name in names if name not in sizes and name != "root"]
    hints = {(names.index(name),): [["tt.divisibility", 16]] for name in aligned}
    source = triton.compiler.ASTSource(kernel, kinds, constants, hints)
    built = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
    assert built.metadata.shared <= 227 * 1024, (kernel, built.metadata.shared)
    if kind == "bf16":  # on the units that make it worth while, in whole vectors
        assert "wgmma" in built.asm["ptx"] and "st.global.v4" in built.asm["ptx"], kernel

for kind, size, precision in (("bf16", 2, "ieee"), ("fp32", 4, "ieee"), ("fp32", 4, "tf32")):
    flags = {"CAUSAL": True, "BACKWARD": True}
    build(weight_tiles, tile_sizes(2048, 2048, 128, size) | flags, kind, precision)
    build(state_tiles, state_sizes(8, 128, 1536, size) | {"REVERSE": True}, kind, precision)
flags = {"CAUSAL": False, "BACKWARD": False}
build(weight_tiles, tile_sizes(100, 30, 300, 2) | flags, "fp16", "ieee")
build(chunk_tiles, chunk_sizes(256, 128, 1536) | {"CAUSAL": True}, "bf16", "ieee")
print("built")
"""
NORMALIZATION_BUILT = """
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


@needs_triton
def test_the_kernels_compile_for_a_gpu_that_is_not_there() -> None:
    """The interpreter takes code that the compiler refuses: this has it build for compute 9.0."""
    _, out, everything = run("-c", NORMALIZATION_BUILT + ATTENTION_BUILT)
    assert out == "built\nbuilt\n", everything


UNET_WHOLE = """
import torch
from companion.diffusion import UNet
net = UNet.digits().double().eval()
for parameter in net.parameters():
    torch.nn.init.normal_(parameter, std=0.2)
x, t = torch.randn(2, 1, 8, 8, dtype=torch.float64), torch.tensor([1, 900])
compiled = torch.compile(net, fullgraph=True, backend="eager")
torch.testing.assert_close(compiled(x, t), net(x, t))
print("whole")
"""
NORMALIZATION_WHOLE = """
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
ATTENTION_WHOLE = """
import warnings
warnings.simplefilter("error", UserWarning)
import torch
from companion.attention import GatedAttentionUnit, fastest, kernels, relu2, softmax_plus
from companion.attention.kernels import blocks
from companion.attention.kernels.gau import _forward_op as quad
from companion.attention.kernels.mixed_chunk import _forward_op as chunks
from companion.training.devices import has_triton

def assert_same(backend, attend, lengths=(7,), **options):
    torch._dynamo.reset()
    unit = GatedAttentionUnit(8, key_dim=4, chunk=3, attend=attend, **options)
    compiled = torch.compile(unit, fullgraph=True, backend=backend)
    for n in lengths:
        x, mask = torch.randn(2, n, 8, requires_grad=True), torch.ones(2, n, dtype=torch.bool)
        mask[0, :2] = False
        results = []
        for function in (unit, compiled):
            y = function(x, mask)
            results.append([y, *torch.autograd.grad(y.square().sum(), [x, *unit.parameters()])])
        torch.testing.assert_close(*results)

gau, mixed_chunk = kernels.gau_attention, kernels.mixed_chunk_attention
assert_same("aot_eager", gau, causal=True, lengths=(7, 10))
assert_same("aot_eager", mixed_chunk, attention="mixed_chunk")
assert_same("eager", fastest)
blocks.BLOCK_ROWS = blocks.CAUSAL_ROWS = blocks.ROW_TILE = 4
blocks.BLOCK_BYTES = 1
assert_same("aot_eager", gau, normalize=softmax_plus, causal=True)
assert torch.compile(lambda: has_triton("nothing"), fullgraph=True, backend="eager")()

q, k, v = (torch.randn(2, 5, width, requires_grad=True) for width in (4, 4, 3))
torch.library.opcheck(quad, (q, k, v, torch.ones(1, 5), True))
checks = ("test_schema", "test_autograd_registration", "test_faketensor")
torch.library.opcheck(chunks, (q, k, q, k, v, torch.ones(1), 2, True), test_utils=checks)
print("whole")
"""


def test_torch_compile_takes_nets_and_kernels_into_one_graph() -> None:
    programs = [UNET_WHOLE, NORMALIZATION_WHOLE, ATTENTION_WHOLE][: 3 if TRITON else 1]
    _, out, everything = run("-c", "".join(programs), env=INTERPRETED)
    assert out == "whole\n" * len(programs), everything


IMPORTED = """
import sys
import companion.attention
from companion.diffusion import normalization
assert not any(name.startswith("companion.") and "kernels" in name for name in sys.modules)
print("triton" in sys.modules)
"""


def test_importing_the_rooms_takes_neither_triton_nor_the_kernels() -> None:
    _, out, everything = run("-c", IMPORTED)
    assert out == "False\n", everything
