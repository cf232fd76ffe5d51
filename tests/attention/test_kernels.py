"""What holds of the kernels as a whole; ``test_compilers`` tests their results."""

import warnings

import pytest
import torch

from companion.attention import backend, gau_attention, mixed_chunk_attention, relu2, softmax
from companion.errors import DataError
from companion.training import devices

pytest.importorskip("triton", reason="pip install triton")
from companion.attention import kernels


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
