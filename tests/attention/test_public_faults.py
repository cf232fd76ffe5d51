"""Faults of published versions: each rule as published fails here, and ours does not.

Every faulty rule is written out, so that the test shows what it tells apart.
"""

import pytest
import torch
from torch.nn import functional

from companion.attention import GatedAttentionUnit, gau_attention, mixed_chunk_attention, relu2
from companion.attention.padding import without_padding


def relative(found, expected):
    return float(((found - expected).norm() / expected.norm()).detach())


def silu(*shape):
    """What a projection and SiLU leave of unit input: mean .2, as values, keys and queries have."""
    return functional.silu(torch.randn(*shape, dtype=torch.float64))


def rms_of_chunks(mixed, chunk):
    return mixed.unflatten(1, (-1, chunk)).square().mean(dim=(0, 2, 3)).sqrt()


# ---------------------------------------------------------------------------------------
# the normaliser


def divided_by_n(q, k, v):
    """Causal, every query divided by the length of the whole sequence."""
    return gau_attention(q, k, v, causal=True, length=q.shape[1])


@pytest.mark.parametrize("m", [16, 64, 200])
def test_a_causal_unit_says_the_same_while_it_generates(m):
    q, k, v = silu(1, 256, 8), silu(1, 256, 8), silu(1, 256, 4)

    def gap(attend):
        return relative(attend(q[:, :m], k[:, :m], v[:, :m]), attend(q, k, v)[:, :m])

    assert gap(lambda *three: gau_attention(*three, causal=True)) < 1e-13
    assert gap(divided_by_n) == pytest.approx(256 / m - 1)


def divided_by_chunk(q, k, v, chunk):
    """The causal linear branch, its running sum divided by the length of one chunk alone."""
    q, k, v = (tensor.unflatten(1, (-1, chunk)) for tensor in (q, k, v))
    states = (k.mT @ v / chunk).cumsum(dim=1)
    states = functional.pad(states[:, :-1], (0, 0, 0, 0, 1, 0))
    return (q @ states).flatten(1, 2)


def test_the_causal_linear_branch_stays_level_over_4096_tokens():
    q, k, v = silu(1, 4096, 16), silu(1, 4096, 16), silu(1, 4096, 8)
    ours = mixed_chunk_attention(0 * q, k, q, k, v, chunk=256, causal=True)
    ours, theirs = rms_of_chunks(ours, 256), rms_of_chunks(divided_by_chunk(q, k, v, 256), 256)
    assert ours[0] == theirs[0] == 0
    assert ours[1:].max() < 1.2 * ours[1:].min()
    torch.testing.assert_close(theirs, ours * torch.arange(16))
    assert theirs[15] > 12 * theirs[1]


def divided_by_padded_length(q, k, v, mask):
    """What is padded is left out of the sum, and counted in n."""
    q, k, v = without_padding(q, k, v, mask=mask)
    return gau_attention(q, k, v, length=mask.shape[1])


def linear_divided_by_padded_length(q, k, v, mask):
    q, k, v = without_padding(q, k, v, mask=mask)
    return q @ (k.mT @ v) / mask.shape[1]


@pytest.mark.parametrize("before", [0, 17])
@pytest.mark.parametrize("causal", [False, True])
def test_outputs_do_not_depend_on_how_much_padding_there_is(before, causal):
    q, k, v = silu(1, 100, 8), silu(1, 100, 8), silu(1, 100, 4)

    def change(attend):
        """From 128 places to 512."""
        found = []
        for places in (128, 512):
            mask = torch.zeros(1, places, dtype=torch.bool)
            mask[:, before : before + 100] = True
            around = (0, 0, before, places - before - 100)
            wide = [functional.pad(tensor, around, value=9.0) for tensor in (q, k, v)]
            found.append(attend(*wide, mask)[:, before : before + 100])
        return relative(found[1], found[0])

    def ours(q, k, v, mask):
        return gau_attention(q, k, v, mask=mask, causal=causal)

    def ours_mixed(q, k, v, mask):
        return mixed_chunk_attention(q, k, q, k, v, mask=mask, causal=causal, chunk=64)

    assert change(ours) < 1e-13
    assert change(ours_mixed) < 1e-13
    assert change(divided_by_padded_length) == pytest.approx(0.75)  # 128/512 is left
    assert change(linear_divided_by_padded_length) == pytest.approx(0.75)


# ---------------------------------------------------------------------------------------
# leaks


def test_leaks_are_looked_for_with_random_tokens_because_a_norm_cancels_constants():
    x = torch.randn(1, 12, 16, dtype=torch.float64)
    shifted, replaced = x.clone(), x.clone()
    shifted[:, 8:] += 3.0  # the same number to each feature
    replaced[:, 8:] = torch.randn_like(x[:, 8:])

    def leak(causal, other):
        torch.manual_seed(0)
        unit = GatedAttentionUnit(16, key_dim=8, causal=causal).double()
        before, after = (unit(functional.layer_norm(x, (16,))) for x in (x, other))
        return float((after - before)[:, :8].abs().max().detach())

    assert leak(False, shifted) < 1e-12  # it sees the future, and this probe does not notice
    assert leak(False, replaced) > 1e-3
    assert leak(True, replaced) == 0


def shift_tokens(x):
    """Half of the features from the token before, as one package does to its input."""
    moved, stays = x.chunk(2, dim=-1)
    return torch.cat([functional.pad(moved, (0, 0, 1, -1)), stays], dim=-1)


@pytest.mark.parametrize("attention", ["quad", "mixed_chunk"])
def test_padding_on_the_left_does_not_leak_into_the_first_token(attention):
    x = torch.randn(1, 12, 16, dtype=torch.float64)
    mask = torch.arange(12)[None] >= 5
    other = torch.where(mask[:, :, None], x, torch.randn_like(x))
    options = {"key_dim": 8, "attention": attention, "chunk": 4}
    unit = GatedAttentionUnit(16, **options).double()
    assert torch.equal(unit(x, mask), unit(other, mask))
    leak = (unit(shift_tokens(x), mask) - unit(shift_tokens(other), mask))[0].norm(dim=1)
    assert leak[5] > 0.01
    alone = unit(x[:, 5:])  # nor does it matter where the tokens stand
    torch.testing.assert_close(unit(x, mask)[:, 5:], alone, rtol=0, atol=1e-12)


def chunk_local(q, k, v, chunk):
    """The linear branch of every chunk from its own keys, as one release had it for a while."""
    q, k, v = (tensor.unflatten(1, (-1, chunk)) for tensor in (q, k, v))
    return (q @ (k.mT @ v) / (q.shape[1] * chunk)).flatten(1, 2)


def test_every_chunk_hears_every_other_unless_causal():
    q, k, v = silu(1, 12, 4), silu(1, 12, 4), silu(1, 12, 3)
    other = v.clone()
    other[:, 8:] = silu(1, 4, 3)

    def effect(attend):
        return float((attend(q, k, other) - attend(q, k, v))[:, :4].abs().max())

    assert effect(lambda q, k, v: mixed_chunk_attention(q, k, q, k, v, chunk=4)) > 1e-3
    assert effect(lambda q, k, v: chunk_local(q, k, v, 4)) == 0


# ---------------------------------------------------------------------------------------
# numbers that vanish or explode


def branch(unit, x, change=lambda heads, n: heads):
    """The size of what attention mixes, on unit input."""
    with torch.no_grad():
        _, heads, v = unit.project(x)
        mixed = unit.attend(*change(heads, x.shape[1]), v, causal=unit.causal, **unit.options)
    return float(mixed.square().mean().sqrt())


@pytest.mark.parametrize("attention", ["quad", "mixed_chunk"])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("rope", [False, True])
def test_attention_is_neither_dead_nor_deafening_before_training(attention, causal, rope):
    x = torch.randn(1, 512, 128)
    unit = GatedAttentionUnit(128, attention=attention, causal=causal, rope=rope, chunk=128)
    assert 0.02 < branch(unit, x) < 3


def test_two_published_initialisations_are_dead_or_deafening():
    x = torch.randn(1, 512, 128)
    unit = GatedAttentionUnit(128, rope=False)

    def dead(heads, n):
        """γ drawn with a deviation of .02, and 1/n² in place of 1/(ns)."""
        q, k = (head * 0.02 * torch.randn(128) for head in heads)
        return q * (128 / n) ** 0.5, k

    assert branch(unit, x, dead) < 1e-8

    def deafening(scores, allowed, length):
        """A bias of relative position, √s times a table of unit numbers, is not divided."""
        n = scores.shape[-1]
        table = 128**0.5 * torch.randn(2 * n)
        at = torch.arange(n)
        return (scores + table[n + at[None] - at[:, None]]).relu().square()

    unit.options["normalize"] = deafening
    assert branch(unit, x) > 100


def test_float16_keeps_the_weights_of_8192_keys():
    n, s = 8192, 128
    q, k = torch.randn(64, s).half(), torch.randn(n, s).half()
    v = torch.randn(n, 4).half()
    exact = (q.double() @ k.double().T).relu().square()

    def lost(weights):
        return float((weights[exact > 0] == 0).double().mean())

    theirs = ((q @ k.T) / n).relu().square()  # 1/n²
    ours = relu2(((q * s**-0.5) @ k.T)[None], None, torch.full((1, 1, 1), float(n)))[0]
    assert lost(theirs) > 0.08
    assert lost(ours) < 0.02
    assert relative((theirs @ v).double(), exact / n**2 @ v.double()) > 3e-3
    assert relative((ours @ v).double(), exact / (n * s) @ v.double()) < 1e-3


# ---------------------------------------------------------------------------------------
# rows without a token


def test_a_row_of_padding_gives_zeros_where_published_rules_give_nan():
    q, k, v = silu(2, 6, 4), silu(2, 6, 4), silu(2, 6, 3)
    mask = torch.tensor([[False] * 6, [True] * 6])
    squares = (q @ k.mT).relu().square() * mask[:, None]
    divided = squares / mask.sum(dim=1)[:, None, None] @ v  # by how many there are: none
    filled = (q @ k.mT).masked_fill(~mask[:, None], -torch.inf).softmax(dim=-1) @ v
    assert divided[0].isnan().all()
    assert filled[0].isnan().all()
    for causal in (False, True):
        found = [
            gau_attention(q, k, v, mask=mask, causal=causal),
            mixed_chunk_attention(q, k, q, k, v, mask=mask, causal=causal, chunk=4),
        ]
        for mixed in found:
            assert not mixed[0].any()
            assert mixed[1].any()
