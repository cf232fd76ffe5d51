"""What the chapter counts and compares is what it says it counts and compares."""

import pytest
import torch

from companion.attention import Architecture, GatedAttentionUnit, MultiHeadAttention, gau_attention
from companion.attention.comparison import RIVALS, Comparison, learn, operations
from companion.attention.cost import cost_of
from companion.attention.variants import (
    VARIANTS,
    RelativeBias,
    build_variant,
    global_only,
    in_heads,
    local_only,
)
from companion.errors import DataError

SMALL = Architecture(dim=16, depth=1, key_dim=8, chunk=8, heads=2)
BRIEF = Comparison(model=SMALL, length=32, batch=4, steps=30, every=15, warmup=5)


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_cost_counts_operations_scores_and_what_is_kept():
    with torch.device("meta"):
        unit, x = GatedAttentionUnit(64, key_dim=16), torch.empty(3, 100, 64)
        heads = MultiHeadAttention(64, 4, fused=False)
    found = cost_of(unit, x, length=100)
    e, s = 128, 16
    assert found.operations == 300 * (2 * (3 * 64 * e + 64 * s) + 2 * 100 * (s + e))
    assert found.scores == 3 * 100**2
    assert cost_of(heads, x, length=100).scores == 3 * 4 * 100**2


def test_cost_does_not_depend_on_where_the_tensors_are():
    unit, x = GatedAttentionUnit(16, key_dim=8, attention="mixed_chunk", chunk=4), draw(2, 12, 16)
    here = cost_of(unit.double(), x, length=12)
    assert here == cost_of(unit.to("meta"), x.to("meta"), length=12)


def test_what_is_kept_grows_with_the_square_only_for_the_full_matrix():
    kept = {}
    for attention in ("quad", "mixed_chunk"):
        with torch.device("meta"):
            unit = GatedAttentionUnit(32, key_dim=16, attention=attention, chunk=64, causal=True)
            inputs = [torch.empty(1, n, 32) for n in (1024, 4096)]
        small, large = (cost_of(unit, x, length=x.shape[1]).kept for x in inputs)
        kept[attention] = large / small
    assert kept["quad"] > 14
    assert kept["mixed_chunk"] < 4.1


def test_kept_leaves_parameters_out():
    linear, x = torch.nn.Linear(8, 1000), torch.ones(2, 8, requires_grad=True)
    assert cost_of(linear, x, length=2).kept == 16


@pytest.mark.parametrize("causal", [False, True])
def test_heads_are_attention_of_each_share(causal):
    q, k, v = draw(2, 6, 8), draw(2, 6, 8).roll(1, 1), draw(2, 6, 12)
    mask = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
    parts = [
        gau_attention(q[..., a], k[..., a], v[..., b], causal=causal, mask=mask)
        for a, b in ((slice(4), slice(6)), (slice(4, 8), slice(6, 12)))
    ]
    found = in_heads(2)(q, k, v, causal=causal, mask=mask)
    torch.testing.assert_close(found, torch.cat(parts, dim=-1))


def test_local_and_global_part_make_the_whole():
    from companion.attention import mixed_chunk_attention

    q, k, p, r, v = (draw(1, 20, 4).roll(i, 1) for i in range(5))
    whole = mixed_chunk_attention(q, k, p, r, v, chunk=6, causal=True)
    local, distant = (f(q, k, p, r, v, chunk=6, causal=True) for f in (local_only, global_only))
    torch.testing.assert_close(local + distant, whole)
    assert not distant[:, :6].any()
    assert distant[:, 6:].any()


def test_relative_bias_shifts_the_scores_by_distance():
    q, k, v = draw(1, 5, 4), draw(1, 5, 4).roll(1, 1), draw(1, 5, 3)
    bias = RelativeBias(furthest=2).double()
    torch.testing.assert_close(bias(q, k, v), gau_attention(q, k, v))
    with torch.no_grad():
        bias.table.copy_(torch.arange(-2.0, 3.0))
    distance = (torch.arange(5)[:, None] - torch.arange(5)).clamp(-2, 2)
    expected = ((q @ k.mT) / 2 + distance).relu().square() / 5 @ v
    torch.testing.assert_close(bias(q, k, v), expected)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_is_causal_and_as_large_as_its_rivals(name):
    model = build_variant(name, SMALL, vocabulary=11).eval()
    tokens = torch.randint(11, (1, 24), generator=torch.Generator().manual_seed(1))
    changed = tokens.clone()
    changed[:, 17] = (tokens[:, 17] + 1) % 11
    before, after = model(tokens), model(changed)
    torch.testing.assert_close(before[:, :17], after[:, :17])
    assert not torch.allclose(before[:, 17:], after[:, 17:])
    base = sum(p.numel() for p in build_variant("GAU", SMALL, vocabulary=11).parameters())
    size = sum(p.numel() for p in model.parameters())
    table = 2 * 257 if "three" in name else 0  # of the two relative biases
    assert abs(size - table - base) < 0.03 * base


def test_variants_differ_from_what_they_vary():
    tokens = torch.randint(11, (1, 24), generator=torch.Generator().manual_seed(1))
    outputs = {}
    for name in VARIANTS:
        torch.manual_seed(0)
        outputs[name] = build_variant(name, SMALL, vocabulary=11)(tokens)
    for name, base in ((n, n.split(",")[0]) for n in VARIANTS if "," in n):
        assert not torch.allclose(outputs[name], outputs[base], atol=1e-6), name


def test_unknown_variant_is_named():
    with pytest.raises(DataError, match="no variant is called 'GAU, two'"):
        build_variant("GAU, two", SMALL, vocabulary=3)


def test_learning_lowers_the_loss_and_repeats():
    first, again = (learn("FLASH", BRIEF, seed=1) for _ in range(2))
    assert first.steps == [15, 30]
    assert first.losses == again.losses
    assert first.losses[1] < first.losses[0] < 4.56  # the logarithm of 95 characters
    assert first.training[1] < first.training[0]
    assert learn("FLASH", BRIEF, seed=2).losses != first.losses
    assert first.seconds_per_step > 0


def test_operations_are_those_of_the_formula():
    """Forward 2 per parameter and token and 2n(s+e) per unit, backward twice as much."""
    d, e, s, n, units, tokens = 16, 32, 8, 32, 2, 4 * 32
    vocabulary = BRIEF.tokens()[0]
    forward = units * (2 * (3 * d * e + d * s) + 2 * n * (s + e)) + 2 * d * vocabulary
    assert operations("GAU", BRIEF) == 3 * tokens * forward
    assert {name: operations(name, BRIEF) > 0 for name in RIVALS} == dict.fromkeys(RIVALS, True)
