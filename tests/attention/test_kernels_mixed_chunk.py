"""The kernels of mixed chunk attention against the reference: on CUDA, or interpreted."""

import jaxtyping
import pytest
import torch
from attention.kernel_cases import (
    DEVICE,
    HALVES,
    INTERPRETED,
    NO_DEVICE,
    assert_same,
    assert_twice_as_exact_as_plain,
    draw,
    holes,
    most_kept,
    outcome,
)

from companion.attention.mixed_chunk import mixed_chunk_attention as reference
from companion.errors import DataError, ShapeError

pytest.importorskip("triton", reason="pip install triton")
if not INTERPRETED and not torch.cuda.is_available():
    pytest.skip(NO_DEVICE, allow_module_level=True)
from companion.attention.kernels import blocks, chunks, mixed_chunk_attention
from companion.attention.kernels.mixed_chunk_tiles import chunk_tiles

FLAGS = [(causal, masked) for causal in (False, True) for masked in (False, True)]
CASES = {  # n, s, e, chunk
    "one token": (1, 1, 1, 4),
    "shorter than a chunk": (17, 5, 33, 256),
    "whole chunks": (48, 16, 16, 16),
    "ragged": (40, 9, 20, 13),
    "chunks of one token": (5, 3, 4, 1),
    "wider keys than a program takes": (10, 130, 9, 4),
}
LARGE = {  # for a GPU
    "as in the paper": (2048, 128, 1536, 256),
    "ragged": (1500, 100, 700, 200),
    "long chunks": (3000, 128, 256, 1024),
}


@pytest.fixture
def _as_for_a_user():
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(autouse=True)
def _few_programs(monkeypatch):
    """Large tiles whatever the batch: a program takes the interpreter as long as a large one."""
    if INTERPRETED:
        monkeypatch.setattr(chunks, "PROGRAMS", 0)


@pytest.fixture
def _fused(monkeypatch):
    """Float32 goes through the kernel for chunks, which a GPU has too few registers for."""
    if INTERPRETED:
        monkeypatch.setattr(chunks, "FUSED_BYTES", 4)


def case(n, s, e, chunk, *, causal, masked, batch=3, dtype=torch.float32):
    """Return the five tensors, the gradient of the result, and the options."""
    *tensors, do = draw(batch if masked else 1, n, s, s, s, s, e, e, dtype=dtype)
    mask = holes(batch, n) if masked else None
    return tensors, do, {"chunk": chunk, "causal": causal, "mask": mask}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("causal", "masked"), FLAGS)
@pytest.mark.usefixtures("_fused")
def test_float32_differs_in_the_last_digits_only(name, causal, masked):
    tensors, do, options = case(*CASES[name], causal=causal, masked=masked)
    assert_same(mixed_chunk_attention, reference, tensors, do, **options)


@pytest.mark.parametrize("name", ["one token", "ragged"])
@pytest.mark.parametrize(("causal", "masked"), FLAGS)
def test_without_the_kernel_for_chunks_it_is_the_same(name, causal, masked):
    tensors, do, options = case(*CASES[name], causal=causal, masked=masked)
    assert_same(mixed_chunk_attention, reference, tensors, do, **options)


@pytest.mark.parametrize("name", ["ragged"] if INTERPRETED else LARGE)
@pytest.mark.parametrize(("causal", "masked"), FLAGS)
@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_the_error_is_at_most_twice_that_of_plain_pytorch(name, causal, masked, dtype):
    sizes = (25, 8, 20, 10) if INTERPRETED else LARGE[name]
    tensors, do, options = case(*sizes, causal=causal, masked=masked, dtype=dtype)
    assert_twice_as_exact_as_plain(mixed_chunk_attention, reference, tensors, do, **options)


def test_the_blocks_of_a_long_chunk_are_rows_of_it(monkeypatch):
    for name in ("BLOCK_ROWS", "CAUSAL_ROWS", "ROW_TILE"):
        monkeypatch.setattr(blocks, name, 16)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1)
    monkeypatch.setattr(chunks, "FUSED_CHUNK", 8)
    tensors, do, options = case(90, 8, 9, 40, causal=True, masked=False)
    assert_same(mixed_chunk_attention, reference, tensors, do, **options)


@pytest.mark.parametrize("tokens", [16, 40])
def test_small_tiles_of_the_state_give_the_same(tokens, monkeypatch):
    """More than one tile of keys, of values, and more than one step of tokens in a chunk."""
    monkeypatch.setattr(chunks, "STEP", 16)
    monkeypatch.setattr(chunks, "state_sizes", small_tiles)
    tensors, do, options = case(3 * tokens - 5, 24, 20, tokens, causal=True, masked=False)
    assert_same(mixed_chunk_attention, reference, tensors, do, **options)


def small_tiles(batch, key, value, bytes_each):
    return {"KEY": key, "VALUE": value, "KEYS": 16, "VALUES": 16, "STEP": chunks.STEP}


def test_a_program_writes_no_row_of_the_next_chunk():
    """Which another program writes, at any time: a race that ordered programs would hide."""
    q, k, v = draw(1, 10, 4, 4, 3)
    states, mixed = torch.zeros(2, 4, 3, device=DEVICE), torch.full_like(v, torch.nan)
    strides = [number for tensor in (q, k, q, v) for number in tensor.stride()[:2]]
    strides += [24, 12]
    sizes = chunks.chunk_sizes(5, 4, 3) | {"CAUSAL": True, "PRECISION": "ieee"}
    chunk_tiles[1, 1](q, k, q, v, states, mixed, 10, 5, 1.0, *strides, **sizes)
    assert mixed[0, :5].isfinite().all()
    assert mixed[0, 5:].isnan().all()


def test_a_batch_too_small_for_the_gpu_gets_smaller_tiles(monkeypatch):
    monkeypatch.setattr(chunks, "PROGRAMS", 132)
    many, few = (chunks.state_sizes(batch, 128, 1536, 2) for batch in (8, 1))
    assert (many["KEYS"], many["VALUES"]) == (128, 64)
    assert (few["KEYS"], few["VALUES"]) == (64, 32)


def test_float64_is_the_reference():
    tensors, do, options = case(20, 4, 5, 6, causal=True, masked=True, dtype=torch.float64)
    assert_same(mixed_chunk_attention, reference, tensors, do, rtol=0, **options)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.usefixtures("_fused")
def test_what_is_padded_neither_gives_nor_gets_anything(causal):
    tensors, do, options = case(40, 5, 9, 13, causal=causal, masked=True)
    padded = ~options["mask"][:, :, None]
    clean = outcome(mixed_chunk_attention, tensors, do, torch.float32, **options)
    dirty = [tensor.masked_fill(padded, torch.nan) for tensor in (*tensors, do)]
    found = outcome(mixed_chunk_attention, dirty[:5], dirty[5], torch.float32, **options)
    for ours, same in zip(found, clean, strict=True):
        assert torch.equal(ours, same)
        assert not ours[padded.expand_as(ours)].any()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.usefixtures("_fused")
def test_a_nan_in_a_token_stays_visible_and_if_causal_behind_it_only(causal):
    tensors, _, options = case(20, 4, 3, 8, causal=causal, masked=False)
    for of_quad, tensor in ((True, tensors[0]), (False, tensors[2])):
        kept = tensor[0, 9].clone()
        tensor[0, 9, 0] = torch.nan
        mixed = mixed_chunk_attention(*tensors, **options)
        assert mixed[0, 9].isnan().all(), of_quad
        assert mixed[0, [8, 10, 19]].isfinite().all()
        tensor[0, 9] = kept
    tensors[3][0, 9, 0] = torch.nan  # a key of the linear part: chunk 2 sees it, or all
    mixed = mixed_chunk_attention(*tensors, **options)
    assert mixed[0, 16:].isnan().all()
    assert mixed[0, :16].isfinite().all() == causal


@pytest.mark.usefixtures("_fused")
def test_every_number_of_the_results_is_written():
    """Fresh memory is filled with NaN in these tests: what is left unwritten would show."""
    assert torch.empty(5, device=DEVICE).isnan().all()
    for causal, masked in FLAGS:
        tensors, do, options = case(21, 5, 7, 8, causal=causal, masked=masked)
        results = outcome(mixed_chunk_attention, tensors, do, torch.float32, **options)
        assert all(result.isfinite().all() for result in results)


@pytest.mark.parametrize("shape", [(2, 0), (0, 3), (0, 0)])
def test_nothing_in_nothing_out(shape):
    tensors = [tensor.requires_grad_() for tensor in draw(*shape, 4, 4, 4, 4, 3)]
    mixed = mixed_chunk_attention(*tensors, causal=True)
    assert mixed.shape == (*shape, 3)
    mixed.sum().backward()
    assert tensors[4].grad is not None


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.usefixtures("_fused")
def test_parts_of_wider_tensors_and_expanded_gradients_are_read_right(causal):
    (wide,) = draw(2, 2 * 21, 40)
    parts = wide[:, ::2].split([5, 5, 5, 5, 20], dim=2)
    turned = [part.mT.contiguous().mT for part in parts]
    for tensors in (parts, turned):
        results = []
        for attend in (mixed_chunk_attention, reference):
            leaves = [tensor.detach().requires_grad_() for tensor in tensors]
            mixed = attend(*leaves, chunk=8, causal=causal)
            results.append([mixed, *torch.autograd.grad(mixed.sum(), leaves)])
        torch.testing.assert_close(*results, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
def test_float16_holds_sums_over_many_tokens(causal):
    """Keys and values of 30: their sum over 128 tokens is beyond what float16 holds."""
    tensors, do, options = case(128, 16, 16, 16, causal=causal, masked=False)
    tensors = [torch.full_like(tensor, 30.0).half() for tensor in tensors]
    tensors[0], tensors[2] = tensors[0] / 1000, tensors[2] / 1000
    assert torch.finfo(torch.float16).max < 30 * 30 * 128
    found = outcome(mixed_chunk_attention, tensors, do / 1000, torch.float16, **options)
    assert all(result.isfinite().all() for result in found)
    exact = reference(*(tensor.double() for tensor in tensors), **options)
    torch.testing.assert_close(found[0].double(), exact, rtol=0.01, atol=0)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_what_is_kept_for_the_way_back_grows_with_n_only(causal, masked):
    n, widest = 128, 9
    tensors, _, options = case(n, 4, widest, 64, causal=causal, masked=masked, batch=1)
    leaves = [tensor.requires_grad_() for tensor in tensors]
    assert most_kept(lambda: reference(*leaves, **options)) >= n * 64  # which the measure sees
    assert most_kept(lambda: mixed_chunk_attention(*leaves, **options)) <= n * widest


def test_autocast_casts_before_the_kernel():
    tensors, do, options = case(17, 8, 9, 8, causal=True, masked=True)
    leaves = [tensor.requires_grad_() for tensor in tensors]
    with torch.autocast(DEVICE.type, dtype=torch.bfloat16):
        mixed = mixed_chunk_attention(*leaves, **options)
        assert mixed.dtype == torch.bfloat16
    gradients = torch.autograd.grad(mixed, leaves, do.bfloat16())
    exact = outcome(reference, tensors, do, torch.float64, **options)
    for ours, truth in zip((mixed.detach(), *gradients), exact, strict=True):
        assert float((ours - truth).norm() / truth.norm()) < 0.02


@pytest.mark.usefixtures("_as_for_a_user")
def test_what_does_not_fit_is_refused():
    q, k, v = draw(2, 6, 4, 4, 3)
    with pytest.raises(ShapeError, match="k_lin has shape"):
        mixed_chunk_attention(q, k, q, k[:, :5], v)
    with pytest.raises(DataError, match=r"v is torch.float16"):
        mixed_chunk_attention(q, k, q, k, v.half())
    with pytest.raises(DataError, match=r"chunk is 0; expected"):
        mixed_chunk_attention(q, k, q, k, v, chunk=0)
    with pytest.raises(DataError, match=r"mask is torch.float32; expected torch.bool"):
        mixed_chunk_attention(q, k, q, k, v, mask=torch.ones(2, 6, device=DEVICE))


@pytest.mark.skipif(INTERPRETED, reason="needs CUDA: too large for the interpreter")
@pytest.mark.parametrize("causal", [False, True])
def test_memory_grows_with_n_and_not_with_its_square(causal):
    """Twice as long takes about twice as much; a square of n = 65536 numbers would be 8.6 GB."""
    peaks = []
    for n in (32768, 65536):
        tensors = draw(1, n, 128, 128, 128, 128, 1536, dtype=torch.bfloat16)
        leaves = [tensor.requires_grad_() for tensor in tensors]
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        mixed = mixed_chunk_attention(*leaves, causal=causal)
        mixed.sum().backward()
        peaks.append(torch.cuda.max_memory_allocated() - before)
        assert mixed.isfinite().all()
        del mixed, leaves, tensors
    assert peaks[1] < 2.2 * peaks[0]
    assert peaks[1] < 20 * 65536 * 1536 * 2
