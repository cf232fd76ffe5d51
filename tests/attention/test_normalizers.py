"""From scores to weights: what each rule promises, at the edges too."""

import math
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck

from companion.attention import (
    gau_attention,
    relu2,
    self_normalized_relu2,
    softmax,
    softmax_plus,
)

ALL = [relu2, self_normalized_relu2, softmax, softmax_plus]
each = pytest.mark.parametrize("normalize", ALL)


def length(n):
    return torch.full((1, 1, 1), float(n), dtype=torch.float64)


def close(found, expected, rtol=1e-13):
    torch.testing.assert_close(found, expected, rtol=rtol, atol=1e-14)


def test_relu2_has_two_equal_forms():
    """(1/n) relu²(QKᵀ/√s) = (1/(ns)) relu²(QKᵀ), and not (1/n) relu²(QKᵀ/s)."""
    n, s = 9, 5
    q, k, v = (torch.randn(2, n, width).double() for width in (s, s, 3))
    other = (q @ k.mT).relu().square() / (n * s) @ v
    close(gau_attention(q, k, v), other)
    wrong = (q @ k.mT / s).relu().square() / n @ v
    assert not torch.allclose(wrong, other, rtol=0.1)


@given(st.integers(0, 2**32), st.sampled_from([1e-200, 1e-3, 1.0, 7.0, 1e200]))
def test_self_normalised_weights_do_not_know_the_size_of_the_scores(seed, factor):
    torch.manual_seed(seed)
    scores = torch.randn(2, 5, 7).double()
    allowed = torch.rand(2, 5, 7) < 0.6
    weights = self_normalized_relu2(scores, allowed, length(3))
    close(self_normalized_relu2(factor * scores, allowed, length(99)), weights)
    some = (scores.relu() * allowed).any(dim=-1)
    close(weights.sum(dim=-1), some.double())
    if factor not in (1.0, 1e-200, 1e200):
        close(
            relu2(factor * scores, allowed, length(3)),
            factor**2 * relu2(scores, allowed, length(3)),
        )


def test_self_normalised_weights_keep_large_float16_scores():
    """Squares of scores above 256 are more than float16 holds."""
    scores = torch.tensor([[[3000.0, 4000.0, -5000.0]]], dtype=torch.float16)
    naive = scores.relu().square() / scores.relu().square().sum(dim=-1, keepdim=True)
    assert naive.isnan().any()
    found = self_normalized_relu2(scores, None, length(3))
    torch.testing.assert_close(
        found.double(), torch.tensor([[[0.36, 0.64, 0]]]).double(), rtol=2e-3, atol=0
    )


def test_a_query_without_a_positive_score_gives_nothing_and_finite_gradients():
    scores = -torch.rand(1, 2, 3).double()
    scores[0, 1, 2] = 1
    scores.requires_grad_()
    weights = self_normalized_relu2(scores, None, length(3))
    assert not weights[0, 0].any()
    assert weights[0, 1].tolist() == [0, 0, 1]
    (found,) = torch.autograd.grad(weights.square().sum(), scores)
    assert found.isfinite().all()


@each
def test_the_gradients_are_right_and_the_scores_left_alone(normalize):
    scores = torch.randn(2, 3, 4).double()
    kept = scores.clone()
    allowed = torch.rand(2, 3, 4) < 0.7
    allowed[0, 0] = False
    for mask in (None, allowed):
        weights = normalize(scores, mask, length(9))
        assert torch.equal(scores, kept)
        assert weights.dtype == scores.dtype
        inputs = scores.clone().requires_grad_()
        assert gradcheck(lambda x, mask=mask: normalize(x, mask, length(9)), (inputs,))
        if mask is not None:
            assert not weights[~mask].any()


@each
def test_what_may_not_be_seen_is_without_influence(normalize):
    """Not even infinity there comes through: the scores of the future may be anything."""
    allowed = torch.ones(1, 4, 4, dtype=torch.bool).tril()
    scores = torch.randn(1, 4, 4).double()
    loud = torch.where(allowed, scores, float("inf"))
    quiet = torch.where(allowed, scores, -1e300)
    close(normalize(loud, allowed, length(4)), normalize(scores, allowed, length(4)))
    close(normalize(quiet, allowed, length(4)), normalize(scores, allowed, length(4)))


@each
@pytest.mark.parametrize("n", [(1, 1), (2, 1), (1, 5), (2, 5)])
def test_lengths_of_sequences_and_queries_are_told_apart(normalize, n):
    """One count for all, or one for each sequence, query or both."""
    scores = torch.randn(2, 5, 6).double()
    counts = torch.randint(2, 600, (*n, 1)).double()
    found = normalize(scores, None, counts)
    wide = counts.expand(2, 5, 1)
    for b in range(2):
        for i in range(5):
            one = normalize(scores[b : b + 1, i : i + 1], None, wide[b, i].reshape(1, 1, 1))
            close(found[b, i], one[0, 0])


def test_softmax_plus_is_softmax_at_its_base_and_flatter_below():
    scores = torch.randn(1, 4, 6).double()
    assert torch.equal(softmax_plus(scores, None, length(512)), softmax(scores, None, length(1)))
    short = softmax_plus(scores, None, length(15))
    close(short, (scores * math.log(15) / math.log(512)).softmax(dim=-1))
    close(softmax_plus(scores, None, length(1)), torch.full_like(scores, 1 / 6))
    limited = partial(softmax_plus, minimum_length=16)
    close(limited(scores, None, length(15)), softmax_plus(scores, None, length(16)))
    close(limited(scores, None, length(300)), softmax_plus(scores, None, length(300)))
    close(softmax_plus(scores, None, length(64), base=64), softmax(scores, None, length(1)))
    q = torch.randn(1, 6, 4).double()
    options = {"normalize": limited, "length": 2}  # a rule with an option of its own
    expected = (q @ q.mT / 2 * math.log(16) / math.log(512)).softmax(dim=-1) @ q
    close(gau_attention(q, q, q, **options), expected)


def test_softmax_plus_holds_the_entropy_where_softmax_lets_it_grow():
    def entropy(normalize, n):
        scores = torch.randn(1, 64, n).double()
        weights = normalize(scores, None, length(n))
        return -(weights * weights.clamp_min(1e-300).log()).sum(dim=-1).mean() / math.log(n)

    spread = {f: entropy(f, 4096) - entropy(f, 16) for f in (softmax, softmax_plus)}
    assert spread[softmax] > 0.05
    assert spread[softmax_plus] < 0.5 * spread[softmax]


def test_relu2_of_a_hidden_score_that_is_infinite_has_no_gradient():
    scores = torch.tensor([[[1.0, torch.inf], [1.0, 2.0]]], requires_grad=True)
    allowed = torch.tensor([[[True, False], [True, True]]])
    relu2(scores, allowed, torch.ones(1, 1, 1)).sum().backward()
    assert scores.grad is not None
    torch.testing.assert_close(scores.grad, torch.tensor([[[2.0, 0.0], [2.0, 4.0]]]))


def test_relu2_does_not_round_the_length_to_the_precision_of_the_scores():
    """In bfloat16 1000 is 1000, but its root is off by .2 %, and every weight by twice that."""
    scores = torch.rand(1, 50, 1000).bfloat16()
    exact = scores.double().square() / 1000

    def bias(weights):
        return abs(float(weights.double().sum() / exact.sum()) - 1)

    rounded = scores * length(1000).rsqrt().to(scores.dtype)
    assert bias(rounded.square()) > 3e-3
    assert bias(relu2(scores, None, length(1000).float())) < 3e-4


@pytest.mark.parametrize("far", [-1e6, 1e6])
def test_softmax_does_not_mind_where_the_scores_lie(far):
    """What is hidden is filled with less than any score, not with a number that is small enough."""
    scores = torch.randn(1, 4, 4).double()
    allowed = torch.ones(1, 4, 4, dtype=torch.bool).tril()
    found = softmax(scores + far, allowed, length(4))
    torch.testing.assert_close(found, softmax(scores, allowed, length(4)), rtol=0, atol=1e-9)
