"""Encoders and language models of every kind of layer: equal size, no leak, no padding, no NaN."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from companion.attention import (
    Architecture,
    Block,
    Encoder,
    FeedForward,
    GatedAttentionUnit,
    LanguageModel,
    MaskedLanguageModel,
    MultiHeadAttention,
    TokenEncoder,
    TransformerLayer,
    cross_entropy,
    make_norm,
)
from companion.errors import DataError, ShapeError

KINDS = ("transformer", "gau", "flash")
every_kind = pytest.mark.parametrize("kind", KINDS)
both_ways = pytest.mark.parametrize("causal", [False, True])


def architecture(kind: Any, **options: Any) -> Architecture:
    return Architecture(**{"layers": kind, "dim": 16, "depth": 2, "chunk": 4, **options})


def encoder(kind: str, *, causal: bool, **options: Any) -> Encoder:
    """A small one whose scales, offsets and gains are not those of the start."""
    made = architecture(kind, **options).encoder(causal=causal).double()
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if parameter.ndim < 2 or "scale" in name or "offset" in name:
                parameter.add_(torch.randn_like(parameter) / 2)
    return made


def close(found: Tensor, wanted: Tensor, atol: float = 1e-11) -> None:
    torch.testing.assert_close(found, wanted, rtol=0, atol=atol)


@pytest.mark.parametrize("dim", [32, 64, 96, 128, 200, 256, 512, 768])
def test_rivals_have_the_same_number_of_parameters(dim: int) -> None:
    with torch.device("meta"):
        models = [architecture(kind, dim=dim).language_model(100) for kind in KINDS]
    counts = [sum(p.numel() for p in model.parameters()) for model in models]
    assert max(counts) < 1.02 * min(counts)
    assert [len(model.encoder.encoder.blocks) for model in models] == [4, 4, 4]


def test_the_standard_layer_is_within_three_percent_of_two_units() -> None:
    from companion.attention import TransformerLayer

    with torch.device("meta"):
        layer, unit = TransformerLayer(768, 12), GatedAttentionUnit(768)
    one, two = (sum(p.numel() for p in m.parameters()) for m in (layer, unit))
    assert 1.02 < 2 * two / one < 1.03


@every_kind
@both_ways
@pytest.mark.parametrize(("placement", "norm"), [("pre", "rms"), ("pre", "layer"), ("post", "rms")])
def test_how_much_padding_there_is_changes_nothing(kind, causal: bool, placement, norm) -> None:
    made = encoder(kind, causal=causal, placement=placement, norm=norm)
    x = torch.randn(1, 10, 16, dtype=torch.float64)
    wanted = made(x)
    for before, after in [(0, 1), (0, 30), (1, 0), (30, 0), (7, 13)]:
        padded = torch.full((1, before + 10 + after, 16), torch.nan, dtype=torch.float64)
        mask = torch.zeros(1, before + 10 + after, dtype=torch.bool)
        padded[:, before : before + 10], mask[:, before : before + 10] = x, True
        found = made(padded, mask)
        close(found[mask], wanted[0])
        assert (found[~mask] == 0).all()
    found.square().sum().backward()  # pyright: ignore[reportPossiblyUnboundVariable]
    assert all(bool(p.grad.isfinite().all()) for p in made.parameters() if p.grad is not None)


@every_kind
def test_a_row_of_padding_alone_is_zero_and_has_no_gradient(kind) -> None:
    made = encoder(kind, causal=False)
    x = torch.randn(2, 6, 16, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[True] * 6, [False] * 6])
    out = made(x, mask)
    out.sum().backward()
    assert (out[1] == 0).all()
    assert x.grad is not None
    assert (x.grad[1] == 0).all()
    assert x.grad[0].isfinite().all()
    assert all(p.grad is None or bool(p.grad.isfinite().all()) for p in made.parameters())


@every_kind
def test_no_token_sees_what_comes_after(kind) -> None:
    made, seeing = encoder(kind, causal=True), encoder(kind, causal=False)
    x = torch.randn(2, 19, 16, dtype=torch.float64)
    for at in (1, 3, 4, 8, 18):  # within a chunk of four, at its ends, and last
        other = torch.cat([x[:, :at], torch.randn(2, 19 - at, 16, dtype=torch.float64)], dim=1)
        close(made(other)[:, :at], made(x)[:, :at], atol=1e-13)
        assert (made(other)[:, at:] - made(x)[:, at:]).abs().amax(dim=-1).min() > 1e-3
        assert (seeing(other)[:, :at] - seeing(x)[:, :at]).abs().amax(dim=-1).min() > 1e-9


@every_kind
def test_a_beginning_is_read_as_if_nothing_followed(kind) -> None:
    made = encoder(kind, causal=True)
    x = torch.randn(2, 19, 16, dtype=torch.float64)
    for m in (0, 1, 4, 5, 11, 18):
        close(made(x[:, :m]), made(x)[:, :m], atol=1e-12)


@every_kind
@both_ways
def test_no_token_and_one_token(kind, causal: bool) -> None:
    made = architecture(kind).token_encoder(9, causal=causal)
    assert made(torch.zeros(2, 0, dtype=torch.int64)).shape == (2, 0, 16)
    assert made(torch.zeros(0, 3, dtype=torch.int64)).shape == (0, 3, 16)
    one = made(torch.ones(2, 1, dtype=torch.int64))
    assert one.shape == (2, 1, 16)
    assert one.isfinite().all()


@every_kind
@pytest.mark.parametrize(("dtype", "most"), [(torch.bfloat16, 0.06), (torch.float16, 0.01)])
def test_lower_precisions_stay_near(kind, dtype: torch.dtype, most: float) -> None:
    made = architecture(kind, dim=32, chunk=16).encoder(causal=True)
    x = torch.randn(2, 100, 32)
    mask = torch.ones(2, 100, dtype=torch.bool)
    mask[1, 60:] = False
    wanted = made(x, mask)
    found = made.to(dtype)(x.to(dtype), mask)
    assert found.dtype == dtype
    assert (found.float() - wanted).norm() < most * wanted.norm()


# rms of what a branch adds to standard normal numbers, for n = 64 … 1024 and d = 64 … 768
QUIETEST, LOUDEST = 0.01, 1.2


@pytest.mark.parametrize("dim", [64, 256, 768])
@both_ways
def test_at_the_start_no_branch_is_dead_or_deafening(dim: int, causal: bool) -> None:
    layers = [layer for kind in KINDS
              for layer in architecture(kind, dim=dim, depth=1, chunk=256)
              .build_layers(causal=causal)[:1]]  # fmt: skip
    branches = [branch for layer in layers for branch in getattr(layer, "branches", (layer,))]
    kinds = [type(branch) for branch in branches]
    assert kinds == [MultiHeadAttention, FeedForward, GatedAttentionUnit, GatedAttentionUnit]
    for seq in (64, 1024):
        x = torch.randn(1, seq, dim)
        with torch.no_grad():
            sizes = [branch(x).square().mean().sqrt().item() for branch in branches]
        assert min(sizes) > QUIETEST, (seq, sizes)
        assert max(sizes) < LOUDEST, (seq, sizes)


@every_kind
@pytest.mark.parametrize("placement", ["pre", "post"])
@pytest.mark.parametrize("norm", ["layer", "rms", "scale", "plain"])
def test_every_parameter_learns(kind, placement, norm) -> None:
    model = architecture(kind, placement=placement, norm=norm).language_model(30, tied=False)
    model.loss(torch.randint(30, (2, 12))).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_norms_are_their_formulas() -> None:
    x = torch.randn(3, 5, 8)
    root = x.square().mean(dim=-1, keepdim=True).sqrt()
    for kind in ("rms", "plain", "scale"):
        torch.testing.assert_close(make_norm(kind, 8)(x), x / root, rtol=1e-5, atol=1e-5)
    layer = make_norm("layer", 8, eps=1e-3)
    torch.testing.assert_close(layer(x), functional.layer_norm(x, (8,), eps=1e-3))
    scale = make_norm("scale", 8)
    nn.init.constant_(next(scale.parameters()), 3.0)
    torch.testing.assert_close(scale(x), 3 * x / root, rtol=1e-5, atol=1e-5)


def test_blocks_put_the_norm_before_or_after() -> None:
    branch, x = FeedForward(8), torch.randn(2, 5, 8)
    pre, post = (Block(branch, 8, placement=p) for p in ("pre", "post"))
    norm = make_norm("rms", 8)
    torch.testing.assert_close(pre(x), x + branch(norm(x)))
    torch.testing.assert_close(post(x), norm(x + branch(x)))
    ends = [Encoder([branch], dim=8, placement=p).last for p in ("pre", "post")]
    assert [type(end) for end in ends] == [nn.RMSNorm, nn.Identity]


def test_dropout_works_in_training_alone() -> None:
    model = architecture("gau", dropout=0.5).language_model(30)
    tokens = torch.randint(30, (2, 12))
    assert not torch.equal(model(tokens), model(tokens))
    model.eval()
    assert torch.equal(model(tokens), model(tokens))


def test_an_encoder_takes_layers_of_ones_own() -> None:
    class Same(nn.Module):
        def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
            return x

    x = torch.randn(2, 5, 8)
    found = Encoder([Same(), FeedForward(8)], dim=8, norm="plain")(x)
    assert found.shape == x.shape


def test_segments_add_their_embedding() -> None:
    made = TokenEncoder(architecture("gau").encoder(), vocabulary=9, segments=2)
    tokens = torch.randint(9, (2, 5))
    first, second = torch.zeros_like(tokens), torch.ones_like(tokens)
    assert made.segment_embedding is not None
    difference = made.segment_embedding.weight[1] - made.segment_embedding.weight[0]
    close((made.embed(tokens, second) - made.embed(tokens)), difference.expand(2, 5, 16), 1e-6)
    assert torch.equal(made(tokens, None, first), made(tokens))
    assert not torch.allclose(made(tokens, None, second), made(tokens))


def test_a_tied_head_is_the_embedding() -> None:
    tied = architecture("gau").masked_language_model(30)
    free = architecture("gau").masked_language_model(30, tied=False)
    assert tied.head.weight is tied.encoder.embedding.weight
    counts = [sum(p.numel() for p in model.parameters()) for model in (tied, free)]
    assert counts[1] - counts[0] == 30 * 16
    tokens = torch.randint(30, (2, 5))
    wanted = tied.encoder(tokens) @ tied.encoder.embedding.weight.T
    close(tied(tokens), wanted, 1e-6)


def test_cross_entropy_is_the_mean_over_what_counts() -> None:
    logits, targets = torch.randn(3, 5, 7, dtype=torch.float64), torch.randint(7, (3, 5))
    wanted = functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    close(cross_entropy(logits, targets), wanted)
    mask = torch.rand(3, 5) < 0.5
    wanted = functional.cross_entropy(logits[mask], targets[mask])
    close(cross_entropy(logits, targets, mask), wanted)
    assert cross_entropy(logits, targets, torch.zeros_like(mask)) == 0
    assert cross_entropy(logits[:, :0], targets[:, :0]) == 0
    low = cross_entropy(logits.to(torch.float16), targets)
    assert low.dtype == torch.float32


@every_kind
def test_untrained_models_know_nothing(kind) -> None:
    tokens = torch.randint(300, (4, 40))
    measures = architecture(kind, dim=64)
    # Scores of 1/2 add 1/8 to the logarithm, and a tied head begins by repeating what it sees.
    loss = measures.language_model(300).loss(tokens)
    assert math.log(300) < loss.item() < math.log(300) + 0.3
    free = measures.masked_language_model(300, tied=False)
    loss = free.loss(tokens, tokens, torch.rand(4, 40) < 0.5)
    assert loss.item() == pytest.approx(math.log(300) + 1 / 8, abs=0.1)


@every_kind
def test_padding_does_not_enter_the_loss(kind) -> None:
    model = architecture(kind).language_model(30).double()
    tokens = torch.randint(30, (1, 9))
    for padding in (0, 17):
        padded = torch.cat([tokens, torch.full((1, 6), padding)], dim=1)
        mask = torch.arange(15)[None] < 9
        close(model.loss(padded, mask), model.loss(tokens))
        left = torch.cat([torch.full((1, 6), padding), tokens], dim=1)
        close(model.loss(left, mask.flip(1)), model.loss(tokens))


def test_a_model_learns_to_count() -> None:
    tokens = (torch.arange(24)[None] + torch.randint(8, (16, 1))) % 8
    for kind in KINDS:
        torch.manual_seed(0)
        model = architecture(kind, depth=1).language_model(8)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        for _ in range(40):
            optimizer.zero_grad()
            loss = model.loss(tokens)
            loss.backward()
            optimizer.step()
        assert loss.item() < 0.2, kind  # pyright: ignore[reportPossiblyUnboundVariable]


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Encoder([], dim=8), "there are no layers"),
        (lambda: architecture("gau", placement="mid").encoder(), "placement is 'mid'"),
        (lambda: architecture("gau", norm="l2").encoder(), "norm is 'l2'; expected one of 'layer'"),
        (lambda: architecture("gau").language_model(0), "vocabulary is 0"),
        (lambda: architecture("lstm"), "layers are 'lstm'; expected 'transformer', 'gau' or 'fla"),
        (lambda: architecture("gau", dim=0), "dim is 0"),
        (lambda: architecture("gau", depth=0), "depth is 0"),
        (lambda: architecture("gau", dropout=1.0), r"dropout is 1\.0"),
        (lambda: architecture("transformer", heads=3).encoder(), "dim is 16, heads are 3"),
        (lambda: architecture("gau", key_dim=7).encoder(), "key_dim is 7"),
        (lambda: architecture("flash", chunk=0).encoder(), "chunk is 0"),
        (lambda: LanguageModel(architecture("gau").token_encoder(9)), "expected causal=True"),
        (
            lambda: MaskedLanguageModel(architecture("flash").token_encoder(9, causal=True)),
            r"blocks\.0\.branch has causal=True; expected causal=False",
        ),
    ],
)
@pytest.mark.usefixtures("_as_for_a_user")
def test_measures_that_make_no_model_are_refused(make, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        make()


TOKENS = torch.zeros(2, 5, dtype=torch.int64)


@pytest.mark.parametrize(
    ("tokens", "mask", "kind", "complaint"),
    [
        (TOKENS.float(), None, DataError, r"tokens are torch\.float32; expected .* torch\.int64"),
        ([[1, 2]], None, DataError, "tokens are list"),
        (TOKENS[0], None, ShapeError, r"tokens have shape \(5,\); expected \[batch, seq\]"),
        (TOKENS + 9, None, DataError, r"tokens\[0, 0\] is 9; expected 0 to 8"),
        (TOKENS - 1, None, DataError, r"tokens\[0, 0\] is -1; expected 0 to 8"),
        (TOKENS, TOKENS, DataError, r"mask is torch\.int64; expected torch\.bool"),
        (TOKENS, [[True]], DataError, r"mask is list; expected torch\.bool"),
        (TOKENS, TOKENS[:1] == 0, ShapeError, r"mask has shape \(1, 5\); .* = \(2, 5\)"),
    ],
)
@pytest.mark.usefixtures("_as_for_a_user")
def test_what_is_no_sequence_of_tokens_is_refused(tokens, mask, kind, complaint: str) -> None:
    for layers in KINDS:
        with pytest.raises(kind, match=complaint):
            architecture(layers).language_model(9)(tokens, mask)


@pytest.mark.usefixtures("_as_for_a_user")
def test_losses_refuse_what_does_not_fit() -> None:
    with pytest.raises(DataError, match="a sequence of 1 tokens; expected at least 2"):
        architecture("gau").language_model(9).loss(TOKENS[:, :1])
    with pytest.raises(ShapeError, match=r"logits have shape \(2, 5, 9\), targets \(2, 4\)"):
        cross_entropy(torch.zeros(2, 5, 9), TOKENS[:, 1:])
    made = TokenEncoder(architecture("gau").encoder(), vocabulary=9, segments=2)
    with pytest.raises(DataError, match=r"segments\[0, 0\] is 2; expected 0 to 1"):
        made(TOKENS, None, TOKENS + 2)


def test_measures_are_values() -> None:
    assert architecture("gau") == replace(architecture("flash"), layers="gau")


@pytest.mark.parametrize(("dim", "heads"), [(6, 3), (10, 1), (48, 4), (128, 4), (768, 12)])
def test_a_transformer_takes_as_many_heads_as_fit(dim, heads):
    layer = Architecture(layers="transformer", dim=dim).build_layers()[0]
    assert isinstance(layer, TransformerLayer)
    assert layer.attention.heads == heads


def test_an_architecture_without_a_chunk_is_refused():
    with pytest.raises(DataError, match="chunk is 0; expected at least 1"):
        Architecture(layers="flash", chunk=0)
