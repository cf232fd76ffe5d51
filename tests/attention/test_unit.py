"""The Gated Attention Unit: its two limits, its parameters, masks, precisions and errors."""

from copy import deepcopy
from typing import Any

import jaxtyping
import pytest
import torch
from torch.autograd import gradcheck
from torch.nn import functional

from companion.attention import (
    GatedAttentionUnit,
    fastest,
    gau_attention,
    mixed_chunk_attention,
    rotate,
    self_normalized_relu2,
    softmax,
)
from companion.errors import DataError, ShapeError

both = pytest.mark.parametrize("attention", ["quad", "mixed_chunk"])


def close(found, expected, atol=1e-12):
    torch.testing.assert_close(found, expected, rtol=0, atol=atol)


def unit(attention: Any = "quad", **options):
    """A small unit with scales and offsets that are not those of the start."""
    made = GatedAttentionUnit(6, key_dim=4, attention=attention, chunk=3, **options).double()
    with torch.no_grad():
        made.scale.normal_()
        assert made.offset is not None
        made.offset.normal_()
    return made


def weights(made):
    w = made.to_hidden.weight
    return w[: made.inner], w[made.inner : 2 * made.inner], w[2 * made.inner :]


def test_with_the_identity_for_attention_it_is_a_gated_linear_unit():
    made = unit(attend=lambda q, k, v, **options: v)
    x = torch.randn(2, 5, 6).double()
    w_u, w_v, _ = weights(made)
    glu = functional.silu(x @ w_u.T) * functional.silu(x @ w_v.T) @ made.to_out.weight.T
    close(made(x), glu)


def test_without_the_gate_it_is_plain_attention_of_one_head(monkeypatch):
    made = unit(normalize=softmax, rope=False)
    project = made.project
    x = torch.randn(2, 5, 6).double()
    u, (q, k), v = project(x)
    monkeypatch.setattr(made, "project", lambda x: (torch.ones_like(u), [q, k], v))
    expected = functional.scaled_dot_product_attention(q, k, v) @ made.to_out.weight.T
    close(made(x), expected)


@both
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("rope", [False, True])
def test_it_is_its_formula(attention, causal, rope):
    made = unit(attention, causal=causal, rope=rope)
    x = torch.randn(2, 7, 6).double()
    w_u, w_v, w_z = weights(made)
    u, v, z = (functional.silu(x @ w.T) for w in (w_u, w_v, w_z))
    assert made.offset is not None
    heads = [z * scale + offset for scale, offset in zip(made.scale, made.offset, strict=True)]
    heads = [rotate(head) for head in heads] if rope else heads
    if attention == "quad":
        mixed = gau_attention(*heads, v, causal=causal)
    else:
        mixed = mixed_chunk_attention(*[*heads, v], causal=causal, chunk=3)
    close(made(x), (u * mixed) @ made.to_out.weight.T)


@pytest.mark.parametrize(("attention", "heads"), [("quad", 2), ("mixed_chunk", 4)])
def test_its_parameters_are_3de_and_ds_and_the_scalings(attention, heads):
    made = GatedAttentionUnit(24, expansion=3, key_dim=10, attention=attention)
    count = sum(parameter.numel() for parameter in made.parameters())
    assert count == 3 * 24 * 72 + 24 * 10 + 2 * heads * 10
    names = ["scale", "offset", "to_hidden.weight", "to_out.weight"]
    assert [name for name, _ in made.named_parameters()] == names


def test_options_reach_the_attention():
    seen = {}

    def attend(*tensors, **options):
        seen.update(options, tensors=len(tensors))
        return tensors[-1]

    x, mask = torch.randn(1, 5, 6).double(), torch.ones(1, 5, dtype=torch.bool)
    unit(attend=attend, normalize=self_normalized_relu2, causal=True, length=9)(x, mask)
    assert seen.pop("mask") is mask
    options = {"normalize": self_normalized_relu2, "causal": True, "length": 9, "tensors": 3}
    assert seen == options
    seen.clear()
    unit("mixed_chunk", attend=attend)(x)
    assert seen == {"causal": False, "mask": None, "chunk": 3, "tensors": 5}


@both
@pytest.mark.parametrize("causal", [False, True])
def test_the_gradients_are_right(attention, causal):
    made = unit(attention, causal=causal)
    x = torch.randn(1, 4, 6).double().requires_grad_()
    mask = torch.tensor([[True, True, False, True]])
    names = [name for name, _ in made.named_parameters()]

    def function(x, *parameters):
        given = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(made, given, (x, mask))

    assert gradcheck(function, (x, *made.parameters()), fast_mode=True)


@both
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("rope", [False, True])
def test_padding_changes_nothing_and_receives_zeros(attention, causal, rope):
    """NaN in it: outputs, and the gradients of all parameters, stay what they were."""
    made = unit(attention, causal=causal, rope=rope)
    x = torch.randn(2, 5, 6).double()
    wide = torch.full((2, 12, 6), float("nan"), dtype=torch.float64)
    wide[:, 3:8] = x
    mask = torch.zeros(2, 12, dtype=torch.bool)
    mask[:, 3:8] = True
    results = []
    for call in (lambda: made(x), lambda: made(wide, mask)):
        out = call()
        results.append((out, torch.autograd.grad(out.square().sum(), [*made.parameters()])))
    (alone, wanted), (among, found) = results
    close(among[:, 3:8], alone)
    assert not among[~mask].any()
    for one, other in zip(found, wanted, strict=True):
        close(one, other, atol=1e-10)


@both
def test_causal_units_are_causal_to_the_bit_and_prefix_consistent(attention):
    made = unit(attention, causal=True)
    x = torch.randn(1, 11, 6).double()
    other = torch.cat([x[:, :7], torch.randn(1, 4, 6).double()], dim=1)
    assert torch.equal(made(other)[:, :7], made(x)[:, :7])
    close(made(x[:, :7]), made(x)[:, :7])


def test_positions_matter_only_with_rope_and_begin_where_they_are_told():
    order = torch.tensor([3, 1, 4, 0, 2])
    x = torch.randn(1, 5, 6).double()
    blind, seeing = unit(rope=False), unit(rope=True)
    close(blind(x[:, order]), blind(x)[:, order])
    assert not torch.allclose(seeing(x[:, order]), seeing(x)[:, order], atol=1e-3)
    _, heads, _ = seeing.project(x)
    _, later, _ = seeing.project(x[:, 2:], start=2)
    for one, other in zip(later, heads, strict=True):
        close(one, other[:, 2:])


@both
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("autocast", [False, True])
def test_lower_precisions_by_conversion_and_by_autocast(attention, dtype, autocast):
    made = unit(attention, causal=True)
    with torch.no_grad():
        made.scale.fill_(1.0)
        assert made.offset is not None
        made.offset.zero_()
    x = torch.randn(2, 40, 6)
    expected = made(x.double())
    if autocast:
        with torch.autocast("cpu", dtype):
            found = made.float()(x)
        (gradient,) = torch.autograd.grad(found.float().sum(), made.scale)
        assert gradient.dtype == torch.float32
    else:
        found = made.to(dtype)(x.to(dtype))
    assert found.dtype == dtype
    relative = (found.double() - expected).norm() / expected.norm()
    assert relative < 4 * torch.finfo(dtype).eps


@both
def test_it_can_be_copied_stored_and_loaded(attention, tmp_path):
    made, other = unit(attention), unit(attention)
    x = torch.randn(1, 5, 6).double()
    assert not torch.allclose(other(x), made(x))
    torch.save(made.state_dict(), tmp_path / "unit.pt")
    other.load_state_dict(torch.load(tmp_path / "unit.pt", weights_only=True))
    assert torch.equal(other(x), made(x))
    assert torch.equal(deepcopy(made)(x), made(x))
    assert made(x[:, :0]).shape == (1, 0, 6)


def test_the_fastest_on_a_cpu_is_the_reference():
    q = torch.randn(1, 5, 4)
    assert torch.equal(fastest(q, q, q, causal=True), gau_attention(q, q, q, causal=True))
    found = fastest(q, q, q, q, q, chunk=2)
    assert torch.equal(found, mixed_chunk_attention(q, q, q, q, q, chunk=2))


@pytest.fixture
def _as_for_a_user():
    """Without the run-time checks of shapes, which only tests have."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.usefixtures("_as_for_a_user")
@pytest.mark.parametrize(
    ("size", "options", "message"),
    [
        (0, {}, "dim is 0; expected at least 1"),
        (8, {"expansion": 0}, "expansion is 0"),
        (8, {"key_dim": 0}, "key_dim is 0"),
        (8, {"key_dim": 7}, "key_dim is 7; rotary positions turn pairs: expected it even"),
        (8, {"attention": "cubic"}, "attention is 'cubic'; expected 'quad' or 'mixed_chunk'"),
        (8, {"chunk": 0}, "chunk is 0; expected a whole number of at least 1"),
    ],
)
def test_sizes_that_make_no_unit_are_refused(size, options, message):
    with pytest.raises(DataError, match=message):
        GatedAttentionUnit(size, **options)
    GatedAttentionUnit(8, key_dim=7, rope=False)


@pytest.mark.usefixtures("_as_for_a_user")
@both
def test_inputs_that_do_not_fit_are_refused(attention):
    made = unit(attention)
    x = torch.randn(2, 5, 6).double()
    for wrong in (x[0], x[..., :5]):
        with pytest.raises(ShapeError, match=r"x has shape \(.*\); expected \[batch, seq, 6\]"):
            made(wrong)
    with pytest.raises(DataError, match=r"mask is torch.float32; expected torch.bool"):
        made(x, torch.ones(2, 5))
    with pytest.raises(ShapeError, match=r"mask has shape \(2, 4\); expected"):
        made(x, torch.ones(2, 4, dtype=torch.bool))
    with pytest.raises(DataError, match="length is 0"):
        unit(length=0)(x)
