"""The quadratic kernel against its reference: on CUDA, or in Triton's interpreter on the CPU."""

import warnings
from functools import partial

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
from torch import nn
from torch.autograd import gradcheck

from companion.attention import relu2, self_normalized_relu2, softmax, softmax_plus
from companion.attention.gau import gau_attention as reference
from companion.errors import DataError, ShapeError

pytest.importorskip("triton", reason="pip install triton")
if not INTERPRETED and not torch.cuda.is_available():
    pytest.skip(NO_DEVICE, allow_module_level=True)
from companion.attention.kernels import blocks, gau_attention
from companion.attention.kernels.blocks import score_blocks

OTHERS = [self_normalized_relu2, softmax, softmax_plus]
SIZES = [(1, 1, 1), (17, 5, 33), (40, 24, 16), (49, 70, 9)]  # n, s, e
LARGE = [(1000, 128, 384), (2049, 100, 257), (4096, 128, 1536)]  # for a GPU
FLAGS = [(causal, masked) for causal in (False, True) for masked in (False, True)]


@pytest.fixture
def _as_for_a_user():
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(params=["one block", "blocks"])
def cut(request, monkeypatch):
    """Once with everything in one block, once with blocks of 16 rows of one sequence."""
    if request.param == "blocks":
        small_blocks(monkeypatch)


def small_blocks(monkeypatch, rows=16):
    for name in ("BLOCK_ROWS", "CAUSAL_ROWS", "ROW_TILE"):
        monkeypatch.setattr(blocks, name, rows)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1)


def case(n, s, e, *, causal, masked, batch=3, dtype=torch.float32):
    """Return q, k, v, the gradient of the result, and the options."""
    tensors = draw(batch if masked else 1, n, s, s, e, e, dtype=dtype)
    mask = holes(batch, n) if masked else None
    return tensors[:3], tensors[3], {"causal": causal, "mask": mask}


@pytest.mark.parametrize(("n", "s", "e"), SIZES if INTERPRETED else SIZES + LARGE)
@pytest.mark.parametrize(("causal", "masked"), FLAGS)
@pytest.mark.usefixtures("cut")
def test_float32_differs_in_the_last_digits_only(n, s, e, causal, masked):
    tensors, do, options = case(n, s, e, causal=causal, masked=masked)
    assert_same(gau_attention, reference, tensors, do, **options)


@pytest.mark.parametrize("normalize", OTHERS)
@pytest.mark.parametrize(("causal", "masked"), FLAGS)
@pytest.mark.usefixtures("cut")
def test_any_other_normaliser_gives_the_same_as_well(normalize, causal, masked):
    tensors, do, options = case(40, 5, 7, causal=causal, masked=masked)
    assert_same(gau_attention, reference, tensors, do, normalize=normalize, **options)


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize(("causal", "masked"), FLAGS)
@pytest.mark.parametrize("normalize", [relu2, softmax_plus])
@pytest.mark.usefixtures("cut")
def test_the_error_is_at_most_twice_that_of_plain_pytorch(normalize, causal, masked, dtype):
    tensors, do, options = case(49, 24, 40, causal=causal, masked=masked, dtype=dtype)
    options["normalize"] = normalize
    assert_twice_as_exact_as_plain(gau_attention, reference, tensors, do, **options)


@pytest.mark.parametrize("normalize", [relu2, softmax])
def test_gradients_are_summed_over_many_blocks_without_rounding_each_sum(normalize, monkeypatch):
    """Of one sign, so that the sums grow: rounded after each of 64 blocks they lose digits."""
    small_blocks(monkeypatch, rows=2)
    *tensors, do = (tensor.abs() for tensor in draw(1, 128, 4, 4, 3, 3, dtype=torch.float16))
    options = {"normalize": normalize}
    assert_twice_as_exact_as_plain(gau_attention, reference, tensors, do, **options)


@pytest.mark.parametrize("length", [1, 0.5, 8192, 65536])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_a_fixed_length_counts_and_float16_keeps_small_weights(length, dtype):
    """At n = 8192 a division by n before the square rounds every tenth positive weight to zero."""
    tensors, do, options = case(17, 24, 9, causal=True, masked=True, dtype=dtype)
    check = assert_same if dtype == torch.float32 else assert_twice_as_exact_as_plain
    check(gau_attention, reference, tensors, do, length=length, **options)


@pytest.mark.parametrize("normalize", [relu2, softmax])
def test_float64_is_float64_throughout_and_matches_finite_differences(normalize, monkeypatch):
    small_blocks(monkeypatch, rows=2)
    tensors, do, options = case(5, 3, 2, causal=True, masked=True, dtype=torch.float64)
    assert_same(gau_attention, reference, tensors, do, rtol=1e-14, normalize=normalize, **options)
    leaves = [tensor.requires_grad_() for tensor in tensors]
    attend = partial(gau_attention, normalize=normalize, **options)
    assert gradcheck(attend, leaves, fast_mode=True)


@pytest.mark.parametrize("normalize", [relu2, *OTHERS])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.usefixtures("cut")
def test_what_is_padded_neither_gives_nor_gets_anything(normalize, causal):
    tensors, do, options = case(40, 5, 9, causal=causal, masked=True)
    mask = options["mask"]
    padded = ~mask[:, :, None]
    clean = outcome(gau_attention, tensors, do, torch.float32, normalize=normalize, **options)
    dirty = [tensor.masked_fill(padded, torch.nan) for tensor in (*tensors, do)]
    found = outcome(
        gau_attention, dirty[:3], dirty[3], torch.float32, normalize=normalize, **options
    )
    for ours, same in zip(found, clean, strict=True):
        assert torch.equal(ours, same)
        assert not ours[padded.expand_as(ours)].any()


@pytest.mark.usefixtures("cut")
def test_a_nan_in_a_token_stays_visible():
    q, k, v = draw(1, 20, 4, 4, 3)
    q[0, 7, 0] = torch.nan
    mixed = gau_attention(q, k, v)
    assert mixed[0, 7].isnan().all()
    assert mixed[0, [6, 8]].isfinite().all()


def test_every_number_of_the_results_is_written(monkeypatch):
    """Fresh memory is filled with NaN in these tests: what is left unwritten would show."""
    assert torch.empty(5, device=DEVICE).isnan().all()
    small_blocks(monkeypatch)
    for causal, masked in FLAGS:
        tensors, do, options = case(21, 5, 7, causal=causal, masked=masked)
        results = outcome(gau_attention, tensors, do, torch.float32, **options)
        assert all(result.isfinite().all() for result in results)


@pytest.mark.parametrize("normalize", [relu2, softmax])
@pytest.mark.parametrize("shape", [(2, 0), (0, 3), (0, 0)])
def test_nothing_in_nothing_out(normalize, shape):
    tensors = [tensor.requires_grad_() for tensor in draw(*shape, 4, 4, 3)]
    mixed = gau_attention(*tensors, normalize=normalize, causal=True)
    assert mixed.shape == (*shape, 3)
    mixed.sum().backward()
    assert tensors[2].grad is not None


@pytest.mark.parametrize("causal", [False, True])
def test_parts_of_wider_tensors_and_expanded_gradients_are_read_right(causal):
    (wide,) = draw(2, 2 * 21, 32)
    options = {"causal": causal}
    parts = wide[:, ::2].split([5, 5, 22], dim=2)
    turned = [part.mT.contiguous().mT for part in parts]
    for tensors in (parts, turned):
        results = []
        for attend in (gau_attention, reference):
            leaves = [tensor.detach().requires_grad_() for tensor in tensors]
            mixed = attend(*leaves, **options)
            results.append([mixed, *torch.autograd.grad(mixed.sum(), leaves)])
        torch.testing.assert_close(*results, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("normalize", [relu2, softmax])
@pytest.mark.parametrize("causal", [False, True])
def test_nothing_as_large_as_all_scores_is_kept_for_the_way_back(normalize, causal, monkeypatch):
    small_blocks(monkeypatch)
    n = 64
    tensors, _, options = case(n, 4, 5, causal=causal, masked=True, batch=1)
    leaves = [tensor.requires_grad_() for tensor in tensors]
    options["normalize"] = normalize
    assert most_kept(lambda: reference(*leaves, **options)) >= n * n  # which the measure sees
    assert most_kept(lambda: gau_attention(*leaves, **options)) <= 5 * n


class Learned(nn.Module):
    """A normaliser of one's own, with a parameter."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.7, device=DEVICE))

    def forward(self, scores, allowed, length):
        return softmax(scores * self.scale, allowed, length)


def test_the_parameters_of_a_normaliser_get_their_gradient(monkeypatch):
    small_blocks(monkeypatch)
    tensors, do, options = case(40, 5, 9, causal=True, masked=True)
    normalize = Learned()
    found, expected = (
        torch.autograd.grad(attend(*tensors, normalize=normalize, **options), normalize.scale, do)
        for attend in (gau_attention, reference)
    )
    torch.testing.assert_close(found, expected)


def test_autocast_casts_before_the_kernel():
    tensors, do, options = case(17, 8, 9, causal=True, masked=True)
    leaves = [tensor.requires_grad_() for tensor in tensors]
    with torch.autocast(DEVICE.type, dtype=torch.bfloat16):
        mixed = gau_attention(*leaves, **options)
        assert mixed.dtype == reference(*tensors, **options).dtype == torch.bfloat16
    gradients = torch.autograd.grad(mixed, leaves, do.bfloat16())
    exact = outcome(reference, tensors, do, torch.float64, **options)
    for ours, truth in zip((mixed.detach(), *gradients), exact, strict=True):
        assert float((ours - truth).norm() / truth.norm()) < 0.02


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(
    ("batch", "seq"), [(1, 1), (8, 512), (8, 2048), (3, 4097), (1, 65536), (70, 17), (5, 8192)]
)
def test_the_blocks_cover_every_row_once_and_are_as_small_as_promised(batch, seq, causal):
    seen = torch.zeros(batch, seq)
    for some, rows in score_blocks(batch, seq, causal=causal, bytes_each=2):
        seen[some, rows] += 1
        height = (some.stop - some.start) * (rows.stop - rows.start)
        most = max(blocks.BLOCK_ROWS, blocks.BLOCK_BYTES / (2 * seq)) + blocks.ROW_TILE
        assert height <= most
    assert torch.equal(seen, torch.ones(batch, seq))
    assert score_blocks(0, 4, causal=causal, bytes_each=2) == []


@pytest.mark.usefixtures("_as_for_a_user")
def test_what_does_not_fit_is_refused():
    q, k, v = draw(2, 6, 4, 4, 3)
    with pytest.raises(ShapeError, match="k has shape"):
        gau_attention(q, k[:, :5], v)
    with pytest.raises(DataError, match=r"v is torch.float16"):
        gau_attention(q, k, v.half())
    with pytest.raises(DataError, match=r"length is 0; expected"):
        gau_attention(q, k, v, length=0)
    with pytest.raises(DataError, match=r"mask is torch.float32; expected torch.bool"):
        gau_attention(q, k, v, mask=torch.ones(2, 6, device=DEVICE))


@pytest.mark.skipif(INTERPRETED, reason="needs CUDA: too large for the interpreter")
@pytest.mark.parametrize("normalize", [relu2, softmax_plus])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("n", [8192, 65536])
def test_memory_grows_with_n_and_not_with_its_square(n, causal, normalize):
    """At n = 65536 the scores would be 8.6 GB: forward and backward together stay below that."""
    q, k, v = (t.requires_grad_() for t in draw(1, n, 128, 128, 1536, dtype=torch.bfloat16))
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    mixed = gau_attention(q, k, v, causal=causal, normalize=normalize)
    mixed.sum().backward()
    peak = torch.cuda.max_memory_allocated() - before
    block = max(blocks.BLOCK_ROWS * n * 2, blocks.BLOCK_BYTES)
    assert peak < 12 * block + 8 * v.numel() * 2
    assert mixed.isfinite().all()
    rows = slice(n - 64, n)  # the last rows, straight from the formula
    exact = reference_rows(q, k, v, rows, normalize)
    error = (mixed[:, rows] - exact).norm() / exact.norm()
    assert float(error) < 0.02


def reference_rows(q, k, v, rows, normalize):
    """Attention of the last rows, which see all keys, in float64."""
    q, k, v = (tensor.detach().double() for tensor in (q[:, rows], k, v))
    length = torch.full((1, 1, 1), float(k.shape[1]), device=DEVICE, dtype=torch.float64)
    allowed = None
    if q.shape[1] > 1:
        last = torch.arange(k.shape[1], device=DEVICE)
        allowed = (last <= last[rows, None])[None]
    return normalize(q @ k.mT * k.shape[2] ** -0.5, allowed, length) @ v


def test_it_warns_of_nothing():
    tensors, do, options = case(17, 8, 9, causal=True, masked=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        outcome(gau_attention, tensors, do, torch.float32, **options)
