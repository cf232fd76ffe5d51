"""What holds of the kernels as a whole; their results are tested in processes of their own."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch

from companion.attention import backend, gau_attention, mixed_chunk_attention, relu2, softmax
from companion.errors import DataError
from companion.training import devices

pytest.importorskip("triton", reason="pip install triton")
from companion.attention import kernels

ROOT = Path(__file__).resolve().parents[2]
INTERPRETED = os.environ | {"TRITON_INTERPRET": "1"}


def run(*arguments, **options):
    """Run Python on these; return what it printed and its errors."""
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, **options)
    return done.returncode, done.stdout, done.stdout + done.stderr


def test_the_kernels_in_triton_s_interpreter():
    """Triton reads TRITON_INTERPRET when it is imported, hence another process."""
    files = [Path(__file__).with_name(f"test_kernels_{name}.py") for name in ("gau", "mixed_chunk")]
    options = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
    code, out, everything = run(*options, *files, env=INTERPRETED)
    assert code == 0, everything
    skipped = [line for line in out.splitlines() if line.startswith("SKIPPED")]
    assert all("needs CUDA" in line for line in skipped), everything


COMPILES = """
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


def test_the_kernels_compile_for_a_gpu_that_is_not_there():
    """The interpreter takes code that the compiler refuses: this has it build for compute 9.0."""
    _, out, everything = run("-c", COMPILES)
    assert out.endswith("built\n"), everything


COMPILED = """
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


def test_torch_compile_takes_the_kernels_into_one_graph():
    """In a process of its own: the run-time checks of shapes would break the graph."""
    _, out, everything = run("-c", COMPILED, env=INTERPRETED)
    assert out.endswith("whole\n"), everything


def test_importing_the_room_takes_neither_triton_nor_the_kernels():
    code = """
import sys
import companion.attention
assert not any(name.startswith("companion.attention.kernels") for name in sys.modules)
print("triton" in sys.modules)
"""
    _, out, everything = run("-c", code)
    assert out == "False\n", everything


def test_on_a_cpu_the_kernels_say_that_they_run_on_cuda():
    q = k = v = torch.ones(1, 3, 2)
    for call in (
        lambda: kernels.gau_attention(q, k, v),
        lambda: kernels.mixed_chunk_attention(q, k, q, k, v),
    ):
        with pytest.raises(DataError, match="q is on cpu; the Triton kernel runs on CUDA"):
            call()


@pytest.mark.parametrize(
    ("normalize", "dtype"),
    [(softmax, torch.float32), (relu2, torch.float64)],
    ids=["softmax", "float64"],
)
def test_what_takes_no_kernel_runs_on_a_cpu_as_well(normalize, dtype):
    q, k, v = torch.randn(3, 2, 5, 4, dtype=dtype)
    found = kernels.gau_attention(q, k, v, normalize=normalize, causal=True)
    expected = gau_attention(q, k, v, normalize=normalize, causal=True)
    torch.testing.assert_close(found, expected)


class OnCuda(torch.Tensor):
    """A tensor on the CPU that says it is on CUDA."""

    is_cuda = True  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]


@pytest.mark.parametrize("reference", [gau_attention, mixed_chunk_attention])
def test_the_fastest_on_cuda_is_the_kernel_and_without_triton_one_warning(reference, monkeypatch):
    tensors = torch.ones(5 if reference is mixed_chunk_attention else 3, 1, 4, 2)
    expected = reference(*tensors, causal=True)
    tensors = [tensor.as_subclass(OnCuda) for tensor in tensors]
    monkeypatch.setattr(kernels, reference.__name__, lambda *_, causal: torch.tensor(causal))
    devices._found_triton.cache_clear()
    assert torch.equal(backend.fastest(*tensors, causal=True), torch.tensor(True))
    monkeypatch.setattr(devices, "find_spec", lambda name: None)
    devices._found_triton.cache_clear()
    with pytest.warns(UserWarning, match="not installed: attention runs unfused"):
        torch.testing.assert_close(
            backend.fastest(*tensors, causal=True).as_subclass(torch.Tensor), expected
        )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        backend.fastest(*tensors, causal=True)
    devices._found_triton.cache_clear()
