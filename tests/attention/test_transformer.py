"""The rival: fused and written out, against torch's own layer, with masks, and its count."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from companion.attention import FeedForward, MultiHeadAttention, TransformerLayer
from companion.errors import DataError, ShapeError


def pair(**options: bool) -> tuple[MultiHeadAttention, MultiHeadAttention]:
    fused = MultiHeadAttention(24, 3, fused=True, **options).double()
    explicit = MultiHeadAttention(24, 3, fused=False, **options).double()
    explicit.load_state_dict(fused.state_dict())
    return fused, explicit


def ragged(*kept: slice, seq: int = 9) -> Tensor:
    mask = torch.zeros(len(kept), seq, dtype=torch.bool)
    for row, part in enumerate(kept):
        mask[row, part] = True
    return mask


MASKS = {
    "none": None,
    "right": ragged(slice(0, 9), slice(0, 4)),
    "left": ragged(slice(3, 9), slice(8, 9)),
    "empty": ragged(slice(2, 7), slice(0, 0)),
}


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", [*MASKS])
def test_fused_is_what_is_written_out_forward_and_backward(name: str, causal: bool) -> None:
    mask, outputs, gradients = MASKS[name], [], []
    layers = pair(causal=causal)
    x = torch.randn(2, 9, 24, dtype=torch.float64)
    weight = torch.randn(2, 9, 24, dtype=torch.float64)
    for layer in layers:
        own = x.clone().requires_grad_()
        out = layer(own, mask)
        (out * weight).sum().backward()
        outputs.append(out)
        gradients.append([own.grad, *(p.grad for p in layer.parameters())])
    torch.testing.assert_close(outputs[0], outputs[1], rtol=0, atol=1e-13)
    for first, second in zip(*gradients, strict=True):
        assert first is not None
        assert first.isfinite().all()
        torch.testing.assert_close(first, second, rtol=0, atol=1e-12)
    if mask is not None:
        assert (outputs[0][~mask] == 0).all()


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_without_positions_it_is_the_attention_of_torch(fused: bool, causal: bool) -> None:
    layer = MultiHeadAttention(24, 3, fused=fused, causal=causal, rope=False).double()
    oracle = nn.MultiheadAttention(24, 3, bias=False, batch_first=True).double()
    oracle.in_proj_weight.data.copy_(layer.to_heads.weight)
    oracle.out_proj.weight.data.copy_(layer.to_out.weight)
    x, mask = torch.randn(2, 9, 24, dtype=torch.float64), MASKS["right"]
    assert mask is not None
    later = torch.ones(9, 9, dtype=torch.bool).triu(1) if causal else None
    wanted, _ = oracle(x, x, x, key_padding_mask=~mask, attn_mask=later, need_weights=False)
    torch.testing.assert_close(layer(x, mask)[mask], wanted[mask], rtol=0, atol=1e-13)


def test_only_distances_count() -> None:
    layer = MultiHeadAttention(24, 3).double()
    x = torch.randn(1, 6, 24, dtype=torch.float64)
    far = torch.cat([torch.randn(1, 40, 24, dtype=torch.float64), x], dim=1)
    mask = torch.arange(46)[None] >= 40
    torch.testing.assert_close(layer(far, mask)[:, 40:], layer(x), rtol=0, atol=1e-12)
    assert not torch.allclose(layer(x.flip(1)).flip(1), layer(x), atol=1e-3)
    flat = MultiHeadAttention(24, 3, rope=False).double()
    torch.testing.assert_close(flat(x.flip(1)).flip(1), flat(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dim", [48, 96, 384, 768])
@pytest.mark.parametrize("ffn", ["glu", "mlp"])
def test_a_layer_has_twelve_squares_of_parameters(dim: int, ffn) -> None:
    with torch.device("meta"):
        layer = TransformerLayer(dim, 3, ffn=ffn)
    assert sum(p.numel() for p in layer.attention.parameters()) == 4 * dim**2
    assert sum(p.numel() for p in layer.parameters()) == 12 * dim**2


@pytest.mark.parametrize("dim", [64, 100, 128, 200, 256, 512, 640, 1000])
def test_a_width_that_is_no_multiple_of_24_is_rounded_to_eight(dim: int) -> None:
    with torch.device("meta"):
        layer = FeedForward(dim)
    assert layer.to_out.in_features % 8 == 0
    assert abs(layer.to_out.in_features - 8 * dim / 3) <= 4
    count = sum(p.numel() for p in layer.parameters())
    assert count == pytest.approx(8 * dim**2, rel=0.03)


def test_the_feed_forward_networks_are_their_formulas() -> None:
    x = torch.randn(2, 5, 8)
    glu, mlp = FeedForward(8, inner=6), FeedForward(8, kind="mlp", inner=6)
    u, v = glu.to_hidden.weight[:6], glu.to_hidden.weight[6:]
    wanted = (functional.silu(x @ u.T) * (x @ v.T)) @ glu.to_out.weight.T
    torch.testing.assert_close(glu(x), wanted)
    wanted = functional.silu(x @ mlp.to_hidden.weight.T) @ mlp.to_out.weight.T
    torch.testing.assert_close(mlp(x), wanted)


def test_a_layer_by_itself_adds_both_branches() -> None:
    layer, x = TransformerLayer(24, 3), torch.randn(2, 9, 24)
    attended = x + layer.attention(x)
    torch.testing.assert_close(x + layer(x), attended + layer.feed_forward(attended))
    mask = MASKS["left"]
    assert mask is not None
    assert (layer(x, mask)[~mask] == 0).all()


WRONG: Any = "moe"


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: MultiHeadAttention(24, 5), "dim is 24, heads are 5; expected heads to divide dim"),
        (lambda: MultiHeadAttention(0, 1), "dim is 0"),
        (lambda: MultiHeadAttention(24, 0), "heads are 0"),
        (lambda: MultiHeadAttention(15, 3), "a head has 5 numbers; rotary"),
        (lambda: FeedForward(8, inner=0), "inner is 0; expected at least 1"),
        (lambda: FeedForward(8, kind=WRONG), "ffn is 'moe'; expected 'glu' or 'mlp'"),
    ],
)
@pytest.mark.usefixtures("_as_for_a_user")
def test_sizes_that_make_no_layer_are_refused(make, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        make()


@pytest.mark.usefixtures("_as_for_a_user")
@pytest.mark.parametrize(
    "layer", [MultiHeadAttention(8, 2), FeedForward(8), TransformerLayer(8, 2)]
)
def test_what_does_not_fit_is_refused(layer: nn.Module) -> None:
    x = torch.zeros(2, 5, 8)
    with pytest.raises(ShapeError, match=r"x has shape \(2, 5, 7\); expected \[batch, seq, 8\]"):
        layer(x[..., 1:])
    with pytest.raises(DataError, match=r"mask is torch\.float32; expected torch\.bool"):
        layer(x, torch.ones(2, 5))
    with pytest.raises(ShapeError, match=r"mask has shape \(2, 4\)"):
        layer(x, torch.ones(2, 4, dtype=torch.bool))
