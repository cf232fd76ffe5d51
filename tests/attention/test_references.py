"""Both references against their formulas, one query after the other, and against torch's own."""

import math
from functools import partial

import jaxtyping
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck
from torch.nn import functional

from companion.attention import (
    gau_attention,
    mixed_chunk_attention,
    relu2,
    self_normalized_relu2,
    softmax,
    softmax_plus,
)
from companion.errors import DataError, ShapeError

NORMALIZERS = [relu2, self_normalized_relu2, softmax, softmax_plus]


def close(found, expected, atol=1e-12):
    torch.testing.assert_close(found, expected, rtol=0, atol=atol)


def three(batch=2, n=6, s=4, e=3, dtype=torch.float64):
    return [torch.randn(batch, n, width, dtype=dtype) for width in (s, s, e)]


def five(batch=2, n=6, s=4, e=3, dtype=torch.float64):
    return [torch.randn(batch, n, width, dtype=dtype) for width in (s, s, s, s, e)]


def gau_by_hand(tensors, normalize, causal, mask, length):
    """Every query by itself, from the keys that it may see, as the formulas say."""
    q, k, v = tensors
    out = torch.zeros_like(v)
    batch, n, s = q.shape
    for b in range(batch):
        for i in range(n):
            seen = [j for j in range(n) if mask[b, j] and (j <= i or not causal)]
            if not seen or not mask[b, i]:
                continue
            scores = torch.stack([q[b, i] @ k[b, j] / math.sqrt(s) for j in seen])
            count = length or len(seen)
            if normalize in (relu2, self_normalized_relu2):
                squares = scores.clamp_min(0) ** 2
                total = count if normalize is relu2 else squares.sum()
                weights = squares / total if total > 0 else squares
            else:
                scale = math.log(count) / math.log(512) if normalize is softmax_plus else 1
                weights = (scale * scores).exp() / (scale * scores).exp().sum()
            out[b, i] = sum(w * v[b, j] for w, j in zip(weights, seen, strict=True))
    return out


def mixing_matrix(tensors, chunk, causal, mask):
    """All of mixed chunk attention as one dense matrix, [batch, n, n], entry by entry."""
    qq, kq, ql, kl, _ = tensors
    batch, n, s = qq.shape
    dense = torch.zeros(batch, n, n, dtype=qq.dtype)
    for b in range(batch):
        tokens = [i for i in range(n) if mask[b, i]]
        for a, i in enumerate(tokens):  # the a-th true token, which stands at i
            for c, j in enumerate(tokens):
                mine, other = a // chunk, c // chunk
                if mine == other and (c <= a or not causal):
                    dense[b, i, j] += torch.relu(qq[b, i] @ kq[b, j]) ** 2 / (chunk * s)
                if not causal:
                    dense[b, i, j] += ql[b, i] @ kl[b, j] / len(tokens)
                elif other < mine:
                    dense[b, i, j] += ql[b, i] @ kl[b, j] / (mine * chunk)
    return dense


@st.composite
def masks(draw, longest=9):
    """A mask of one or two sequences, any pattern, or of length 0."""
    n, batch = draw(st.integers(0, longest)), draw(st.integers(1, 2))
    row = st.lists(st.booleans(), min_size=n, max_size=n)
    return torch.tensor(draw(st.lists(row, min_size=batch, max_size=batch)), dtype=torch.bool)


LENGTHS = st.sampled_from([None, 1, 7.5, 512])


@given(masks(), st.sampled_from(NORMALIZERS), st.booleans(), LENGTHS, st.integers(0, 2**32))
def test_gau_attention_is_its_formula_for_every_mask(mask, normalize, causal, length, seed):
    torch.manual_seed(seed)
    mask = mask.reshape(len(mask), -1)
    tensors = three(*mask.shape)
    found = gau_attention(*tensors, normalize=normalize, causal=causal, mask=mask, length=length)
    close(found, gau_by_hand(tensors, normalize, causal, mask, length))
    if mask.all():
        attend = partial(gau_attention, *tensors, normalize=normalize, length=length)
        close(attend(causal=causal), found)


@given(masks(longest=11), st.integers(1, 13), st.booleans(), st.integers(0, 2**32))
def test_mixed_chunk_attention_is_one_dense_matrix_for_every_mask(mask, chunk, causal, seed):
    torch.manual_seed(seed)
    mask = mask.reshape(len(mask), -1)
    tensors = five(*mask.shape)
    found = mixed_chunk_attention(*tensors, chunk=chunk, causal=causal, mask=mask)
    close(found, mixing_matrix(tensors, chunk, causal, mask) @ tensors[-1])
    if mask.all():
        close(mixed_chunk_attention(*tensors, chunk=chunk, causal=causal), found)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("n", "chunk"), [(12, 4), (11, 4), (3, 4), (1, 4), (5, 1)])
def test_the_quadratic_part_is_dense_attention_under_a_block_diagonal_mask(n, chunk, causal):
    qq, kq, ql, kl, v = five(n=n)
    found = mixed_chunk_attention(qq, kq, 0 * ql, kl, v, chunk=chunk, causal=causal)
    block = torch.arange(n) // chunk
    allowed = block[:, None] == block
    allowed = allowed.tril() if causal else allowed
    weights = relu2(qq @ kq.mT / 2, allowed[None], torch.full((1, 1, 1), float(chunk)).double())
    close(found, weights @ v)
    parts = [
        gau_attention(*(t[:, g : g + chunk] for t in (qq, kq, v)), causal=causal, length=chunk)
        for g in range(0, n, chunk)
    ]
    close(found, torch.cat(parts, dim=1))


@pytest.mark.parametrize(("n", "chunk"), [(12, 4), (11, 4), (3, 4), (1, 4)])
def test_the_linear_part_is_dense_linear_attention(n, chunk):
    qq, kq, ql, kl, v = five(n=n)
    found = mixed_chunk_attention(0 * qq, kq, ql, kl, v, chunk=chunk)
    close(found, ql @ kl.mT @ v / n)
    found = mixed_chunk_attention(0 * qq, kq, ql, kl, v, chunk=chunk, causal=True)
    block = torch.arange(n) // chunk
    earlier = (block[:, None] > block) / (chunk * block[:, None]).clamp_min(1)
    close(found, (ql @ kl.mT * earlier) @ v)
    assert not found[:, :chunk].any()  # nothing stands before the first chunk


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_softmax_is_torch_s_attention(causal, masked):
    q, k, v = three(n=7)
    mask = torch.ones(2, 7, dtype=torch.bool)
    if masked:
        mask[0, 5:] = False
        mask[1, 3] = False
    allowed = mask[:, None, :].expand(2, 7, 7)
    allowed = allowed.tril() if causal else allowed
    expected = functional.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
    expected = expected.masked_fill(~mask[:, :, None], 0)
    options = {"causal": causal, "mask": mask if masked else None}
    close(gau_attention(q, k, v, normalize=softmax, **options), expected)
    close(gau_attention(q, k, v, normalize=softmax_plus, length=512, **options), expected)
    other = gau_attention(q, k, v, normalize=softmax_plus, **options)
    assert not torch.allclose(other, expected, atol=1e-3)


def test_weights_that_are_the_identity_give_back_the_values():
    def identity(scores, allowed, length):
        return torch.eye(scores.shape[-1], dtype=scores.dtype).expand_as(scores)

    q, k, v = three()
    assert torch.equal(gau_attention(q, k, v, normalize=identity), v)


@pytest.mark.parametrize("normalize", NORMALIZERS)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_the_gradient_of_gau_attention_is_right(normalize, causal, masked):
    tensors = [tensor.requires_grad_() for tensor in three(n=5)]
    mask = torch.tensor([[True] * 5, [True, False, True, True, False]]) if masked else None

    def function(*three):
        return gau_attention(*three, normalize=normalize, causal=causal, mask=mask)

    assert gradcheck(function, tensors)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_the_gradient_of_mixed_chunk_attention_is_right(causal, masked):
    tensors = [tensor.requires_grad_() for tensor in five(n=5, s=3, e=2)]
    mask = torch.tensor([[True] * 5, [True, False, True, True, False]]) if masked else None

    def function(*five):
        return mixed_chunk_attention(*five, chunk=2, causal=causal, mask=mask)

    assert gradcheck(function, tensors)


ATTENTIONS = {
    "relu2": (three, gau_attention, {}),
    "self-normalized": (three, gau_attention, {"normalize": self_normalized_relu2}),
    "softmax": (three, gau_attention, {"normalize": softmax}),
    "softmax plus": (three, gau_attention, {"normalize": softmax_plus}),
    "mixed chunk": (five, mixed_chunk_attention, {"chunk": 4}),
}
each_attention = pytest.mark.parametrize(
    ("make", "attend", "options"), ATTENTIONS.values(), ids=ATTENTIONS
)


@each_attention
@pytest.mark.parametrize("last", [0, 1, 4, 9, 10, 13])
def test_causal_outputs_know_nothing_of_later_tokens_to_the_bit(make, attend, options, last):
    tensors = make(n=14, dtype=torch.float32)
    changed = [tensor.clone() for tensor in tensors]
    for tensor in changed:  # random tokens: a norm before would cancel a constant
        tensor[:, last:] = torch.randn_like(tensor[:, last:])
    before, after = (attend(*t, causal=True, **options) for t in (tensors, changed))
    assert torch.equal(after[:, :last], before[:, :last])
    assert not torch.equal(after[:, last:], before[:, last:])


@each_attention
@pytest.mark.parametrize("m", [1, 3, 4, 5, 13])
def test_causal_outputs_of_a_prefix_are_a_prefix_of_the_outputs(make, attend, options, m):
    tensors = make(n=14)
    whole = attend(*tensors, causal=True, **options)
    close(attend(*(t[:, :m] for t in tensors), causal=True, **options), whole[:, :m])


@each_attention
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("places", [range(5), range(3, 8), [0, 2, 3, 7, 9]])
def test_padding_changes_nothing_wherever_it_stands(make, attend, options, causal, places):
    """NaN stands there; neither outputs nor gradients may see it."""
    tensors = [tensor.requires_grad_() for tensor in make(n=5)]
    mask = torch.zeros(2, 10, dtype=torch.bool)
    mask[:, list(places)] = True
    padded = []
    for tensor in tensors:
        wide = torch.full((2, 10, tensor.shape[2]), float("nan"), dtype=torch.float64)
        wide[mask] = tensor.detach().reshape(-1, tensor.shape[2])
        padded.append(wide.requires_grad_())
    alone = attend(*tensors, causal=causal, **options)
    among = attend(*padded, causal=causal, mask=mask, **options)
    close(among[mask].reshape(alone.shape), alone)
    assert not among[~mask].any()
    factors = torch.randn_like(alone)
    wanted = torch.autograd.grad((alone * factors).sum(), tensors)
    found = torch.autograd.grad((among[mask].reshape(alone.shape) * factors).sum(), padded)
    for one, other in zip(found, wanted, strict=True):
        close(one[mask].reshape(other.shape), other)
        assert not one[~mask].any()  # finite, and zero


@each_attention
@pytest.mark.parametrize("causal", [False, True])
def test_a_sequence_of_padding_alone_gives_zeros_and_finite_gradients(
    make, attend, options, causal
):
    tensors = [tensor.requires_grad_() for tensor in make()]
    mask = torch.tensor([[False] * 6, [True] * 6])
    mixed = attend(*tensors, causal=causal, mask=mask, **options)
    assert not mixed[0].any()
    assert mixed[1].isfinite().all()
    mixed.sum().backward()
    for tensor in tensors:
        assert tensor.grad.isfinite().all()
        assert not tensor.grad[0].any()


@each_attention
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("causal", [False, True])
def test_lower_precisions_are_off_by_their_rounding(make, attend, options, dtype, causal):
    options = options | ({"chunk": 64} if attend is mixed_chunk_attention else {})
    exact = [tensor.to(dtype) for tensor in make(n=300, s=16, e=8)]
    found = attend(*exact, causal=causal, **options)
    assert found.dtype == dtype
    expected = attend(*(tensor.double() for tensor in exact), causal=causal, **options)
    relative = (found.double() - expected).norm() / expected.norm()
    assert relative < torch.finfo(dtype).eps * (4 if dtype == torch.float32 else 1)


@each_attention
@pytest.mark.parametrize("causal", [False, True])
def test_inputs_in_another_order_of_memory_give_the_same_and_are_left_alone(
    make, attend, options, causal
):
    tensors = make(n=9)
    kept = [tensor.clone() for tensor in tensors]
    expected = attend(*tensors, causal=causal, **options)
    every_second = [torch.repeat_interleave(t, 2, dim=1)[:, ::2] for t in tensors]
    turned = [t.transpose(0, 1).contiguous().transpose(0, 1) for t in tensors]
    views = torch.cat(tensors, dim=2).split([t.shape[2] for t in tensors], dim=2)
    for others in (every_second, turned, views):
        close(attend(*others, causal=causal, **options), expected, atol=1e-14)
    assert all(torch.equal(one, other) for one, other in zip(tensors, kept, strict=True))


@each_attention
@pytest.mark.parametrize("batch", [0, 2])
@pytest.mark.parametrize("n", [0, 1])
def test_no_token_and_one_token(make, attend, options, batch, n):
    tensors = make(batch=batch, n=n)
    for causal in (False, True):
        for mask in (None, torch.ones(batch, n, dtype=torch.bool)):
            mixed = attend(*tensors, causal=causal, mask=mask, **options)
            assert mixed.shape == tensors[-1].shape
            assert mixed.isfinite().all()
            if n and options.get("normalize") in (softmax, softmax_plus):
                close(mixed, tensors[-1])


def test_long_sequences_in_float16_neither_overflow_nor_vanish():
    n = 4 * 65536  # more than float16 can hold
    tensors = [0.5 + torch.rand(1, n, width, dtype=torch.float16) for width in (2, 2, 2, 2, 1)]
    exact = [tensor.double() for tensor in tensors]
    for causal in (False, True):
        found = mixed_chunk_attention(*tensors, chunk=16, causal=causal).double()
        torch.testing.assert_close(
            found, mixed_chunk_attention(*exact, chunk=16, causal=causal), rtol=0.01, atol=0
        )


@pytest.mark.parametrize("causal", [False, True])
def test_a_sum_over_a_chunk_may_be_more_than_float16_holds(causal):
    q, k, v = (torch.full((1, 96, 2), x, dtype=torch.float16) for x in (0.01, 60.0, 60.0))
    assert (k[:, :32].mT @ v[:, :32]).isinf().all()
    found = mixed_chunk_attention(0 * q, k, q, k, v, chunk=32, causal=causal)[:, 32:]
    expected = torch.full_like(found, 2 * 0.01 * 60 * 60)
    torch.testing.assert_close(found, expected, rtol=2e-3, atol=0)


@pytest.fixture
def _as_for_a_user():
    """Without the run-time checks of shapes, which only tests have."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.usefixtures("_as_for_a_user")
@pytest.mark.parametrize(
    ("which", "change", "error", "message"),
    [
        (0, lambda t: t[0], ShapeError, r"q has shape \(6, 4\); expected \[batch, seq, width\]"),
        (1, lambda t: t[:, :5], ShapeError, r"k has shape \(2, 5, 4\), q \(2, 6, 4\); expected"),
        (1, lambda t: t[..., :3], ShapeError, r"k has shape \(2, 6, 3\), q \(2, 6, 4\)"),
        (2, lambda t: t[:1], ShapeError, r"v has shape \(1, 6, 3\), q \(2, 6, 4\)"),
        (0, lambda t: t[..., :0], ShapeError, r"k has shape \(2, 6, 4\), q \(2, 6, 0\)"),
        (2, lambda t: t.float(), DataError, "v is torch.float32 on cpu, q is torch.float64 on cpu"),
        (1, lambda t: t.long(), DataError, "k is torch.int64; expected a tensor of floats"),
        (0, lambda t: t.tolist(), DataError, "q is list; expected a tensor of floats"),
        (1, lambda t: t.to("meta"), DataError, "k is torch.float64 on meta, q is"),
    ],
)
def test_tensors_that_do_not_fit_are_named(which, change, error, message):
    tensors = three()
    tensors[which] = change(tensors[which])
    with pytest.raises(error, match=message):
        gau_attention(*tensors)
    five_tensors = five()
    name = {0: "q_quad", 1: "k_quad", 2: "v"}[which]
    place = which if which < 2 else 4
    five_tensors[place] = change(five_tensors[place])
    message = message.replace("q is torch", "q_quad is torch").replace("q (", "q_quad (")
    with pytest.raises(error, match=f"{name} "):
        mixed_chunk_attention(*five_tensors)


@pytest.mark.usefixtures("_as_for_a_user")
def test_queries_of_no_numbers_are_refused():
    empty, v = torch.zeros(2, 6, 0), torch.zeros(2, 6, 3)
    with pytest.raises(ShapeError, match=r"q has shape \(2, 6, 0\); expected at least one"):
        gau_attention(empty, empty, v)
    with pytest.raises(ShapeError, match=r"q_quad has shape \(2, 6, 0\); expected at least one"):
        mixed_chunk_attention(empty, empty, empty, empty, v)


@pytest.mark.usefixtures("_as_for_a_user")
@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        (torch.ones(2, 6), DataError, "mask is torch.float32; expected torch.bool, True where"),
        (torch.ones(2, 6, dtype=torch.int64), DataError, "mask is torch.int64"),
        ([[True] * 6] * 2, DataError, "mask is list"),
        (torch.ones(6, dtype=torch.bool), ShapeError, r"shape \(6,\); expected \[batch, seq\]"),
        (torch.ones(2, 1, 6, dtype=torch.bool), ShapeError, r"shape \(2, 1, 6\)"),
        (torch.ones(1, 6, dtype=torch.bool), ShapeError, r"\(1, 6\); .* = \(2, 6\)"),
    ],
)
def test_a_mask_of_another_type_or_shape_is_refused(mask, error, message):
    with pytest.raises(error, match=message):
        gau_attention(*three(), mask=mask)
    with pytest.raises(error, match=message):
        mixed_chunk_attention(*five(), mask=mask)


@pytest.mark.usefixtures("_as_for_a_user")
@pytest.mark.parametrize("length", [0, -1, 0.0, float("nan")])
def test_a_length_that_is_none_is_refused(length):
    with pytest.raises(DataError, match=rf"length is {length}; expected a number above 0"):
        gau_attention(*three(), length=length)


@pytest.mark.usefixtures("_as_for_a_user")
@pytest.mark.parametrize("chunk", [0, -4, 2.0, True, None, "4"])
def test_a_chunk_of_no_tokens_is_refused(chunk):
    with pytest.raises(DataError, match=rf"chunk is {chunk!r}; expected a whole number"):
        mixed_chunk_attention(*five(), chunk=chunk)
