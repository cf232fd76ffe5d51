"""Scores of spans: the formula, the turning by distance, the count of numbers, and the masks."""

import pytest
import torch
from torch import nn

from companion.attention import rotate
from companion.errors import DataError, ShapeError
from companion.events.scorers import MASKED, EfficientGlobalPointer, GlobalPointer

KINDS = {"plain": GlobalPointer, "efficient": EfficientGlobalPointer}


def built(kind: str, **options) -> GlobalPointer | EfficientGlobalPointer:
    torch.manual_seed(0)
    return KINDS[kind](8, 3, key_dim=4, **options).double()


def tokens(*shape: int) -> torch.Tensor:
    torch.manual_seed(1)
    return torch.randn(*shape, 8, dtype=torch.float64)


@pytest.mark.parametrize("rope", [True, False])
def test_a_score_is_the_product_of_a_turned_query_and_a_turned_key(rope: bool) -> None:
    scorer, h = built("plain", rope=rope), tokens(2, 5)
    scores = scorer(h)
    both = scorer.to_queries_and_keys(h).reshape(2, 5, 2, 3, 4)
    for i, j, label in [(0, 0, 0), (1, 4, 2), (0, 3, 1)]:
        q, k = both[1, i, 0, label], both[1, j, 1, label]
        if rope:
            q, k = (rotate(v.expand(5, 4))[at] for v, at in ((q, i), (k, j)))
        torch.testing.assert_close(scores[1, label, i, j], q @ k / 2)


@pytest.mark.parametrize("rope", [True, False])
def test_the_efficient_score_is_shared_but_for_start_and_end(rope: bool) -> None:
    scorer, h = built("efficient", rope=rope), tokens(1, 6)
    assert isinstance(scorer, EfficientGlobalPointer)
    scores, both = scorer(h), scorer.to_queries_and_keys(h)[0]
    q, k = both[:, :4], both[:, 4:]
    weight, bias = scorer.to_labels.weight, scorer.to_labels.bias
    for i, j, label in [(0, 0, 0), (1, 4, 2), (0, 5, 1)]:
        w = torch.cat([weight[label], weight[3 + label]])  # of [q_i; k_i; q_j; k_j]
        own = w @ torch.cat([q[i], k[i], q[j], k[j]]) + bias[label] + bias[3 + label]
        turned = rotate(k[j].expand(6, 4))[j - i] if rope else k[j]  # R_{j-i} k_j
        torch.testing.assert_close(scores[0, label, i, j], q[i] @ turned / 2 + own)


@pytest.mark.parametrize("kind", KINDS)
def test_with_rotation_a_score_sees_the_length_of_a_span_and_not_its_place(kind: str) -> None:
    h = tokens(1, 1).expand(1, 7, 8)  # the same token seven times
    turned, plain = built(kind)(h), built(kind, rope=False)(h)
    by_length = turned[0, 0].diagonal(2)
    torch.testing.assert_close(by_length, by_length[:1].expand_as(by_length))
    assert (turned[0, 0, 0, 0] - turned[0, 0, 0, 3]).abs() > 1e-3
    assert torch.equal(plain[0, 0, 0, 0], plain[0, 0, 0, 3])


@pytest.mark.parametrize("kind", KINDS)
def test_below_the_diagonal_there_is_no_span(kind: str) -> None:
    h = tokens(2, 5)
    scores, whole = built(kind)(h), built(kind, upper=False)(h)
    upper = torch.ones(5, 5, dtype=torch.bool).triu()
    assert torch.equal(scores[:, :, upper], whole[:, :, upper])
    assert (scores[:, :, ~upper] == MASKED).all()
    assert (whole.abs() < 100).all()


@pytest.mark.parametrize("kind", KINDS)
def test_every_padded_row_and_column_is_masked_and_padding_changes_nothing(kind: str) -> None:
    """Public versions mask the last column of the batch only: a shorter sentence keeps its end."""
    scorer, h = built(kind), tokens(3, 7)
    mask = torch.arange(7) < torch.tensor([[7], [4], [1]])
    scores = scorer(h, mask)
    for row, length in enumerate((7, 4, 1)):
        own = scores[row, :, :length, :length]
        torch.testing.assert_close(own, scorer(h[row : row + 1, :length])[0])
        assert (scores[row, :, length:] == MASKED).all()
        assert (scores[row, :, :, length:] == MASKED).all()
    assert (scorer(h)[1, :, 2, 5] != MASKED).all()  # without the mask they would be spans
    both = built(kind, upper=False)(h, mask)
    assert (both[1, :, 4:] == MASKED).all()
    assert (both[1, :, :4, :4] != MASKED).all()
    broken = h.masked_fill(~mask[:, :, None], torch.nan)
    assert torch.equal(scorer(broken, mask), scores)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_masked_learns_nothing_and_half_precision_stays_finite(kind: str) -> None:
    scorer, h = built(kind), tokens(1, 4).requires_grad_()
    mask = torch.tensor([[True, True, False, False]])
    scorer(h, mask).clamp_min(-100).sum().backward()
    assert h.grad is not None
    assert (h.grad[0, 2:] == 0).all()
    assert h.grad[0, :2].abs().sum() > 0
    scores = scorer.to(torch.float16)(h.detach().half(), mask)
    assert scores.dtype == torch.float32
    assert scores.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_the_scores(kind: str) -> None:
    scorer, h = built(kind), tokens(1, 3).requires_grad_()
    kept = torch.ones(3, 3, dtype=torch.bool).triu()
    assert torch.autograd.gradcheck(lambda h: scorer(h)[:, :, kept], (h,))


def test_one_more_label_costs_4d_and_not_2Dd() -> None:
    def count(module: nn.Module) -> int:
        return sum(p.numel() for p in module.parameters())

    for labels in (1, 282):
        for kind, each in (("plain", 2 * (768 + 1) * 64), ("efficient", 4 * 64 + 2)):
            more = count(KINDS[kind](768, labels + 1)) - count(KINDS[kind](768, labels))
            assert more == each


@pytest.mark.usefixtures("_as_for_a_user")
@pytest.mark.parametrize("kind", KINDS)
def test_what_does_not_fit_is_told(kind: str) -> None:
    scorer = KINDS[kind](8, 3)
    for sizes, complaint in [
        ((0, 3, 64), "hidden is 0"),
        ((8, 0, 64), "labels is 0"),
        ((8, 3, 0), "key_dim is 0"),
        ((8, 3, 5), "key_dim is 5; rotary positions turn pairs"),
    ]:
        with pytest.raises(DataError, match=complaint):
            KINDS[kind](sizes[0], sizes[1], key_dim=sizes[2])
    with pytest.raises(ShapeError, match=r"hidden has shape \(2, 5, 7\); expected \[batch, seq, 8"):
        scorer(torch.zeros(2, 5, 7))
    with pytest.raises(ShapeError, match=r"mask has shape \(2, 4\); expected .* = \(2, 5\)"):
        scorer(torch.zeros(2, 5, 8), torch.ones(2, 4, dtype=torch.bool))
    with pytest.raises(DataError, match=r"mask is torch.float32; expected torch.bool"):
        scorer(torch.zeros(2, 5, 8), torch.ones(2, 5))
