"""The loss of several right answers: dense and sparse are one, and neither loses its digits."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from companion.errors import DataError, ShapeError
from companion.events.losses import multilabel_cross_entropy, sparse_multilabel_cross_entropy
from companion.events.published_loss import published_sparse_loss


def dense_targets(scores: Tensor, positives: Tensor) -> Tensor:
    """True at the indices; negative ones are none."""
    size = scores.shape[-1]
    wide = torch.zeros(*scores.shape[:-1], size + 1, dtype=torch.bool)
    return wide.scatter(-1, positives.where(positives >= 0, torch.tensor(size)), True)[..., :size]


def written_out(scores: list[float], right: set[int]) -> float:
    """The formula, summed with exponentials."""
    values = torch.tensor(scores, dtype=torch.float64)
    is_right = torch.tensor([i in right for i in range(len(scores))])
    sums = (-values[is_right]).exp().sum(), values[~is_right].exp().sum()
    return float((1 + sums[0]).log() + (1 + sums[1]).log())


@settings(max_examples=60, deadline=None)
@given(
    scores=st.lists(st.floats(-30, 30), min_size=1, max_size=12),
    right=st.sets(st.integers(0, 11)),
    repeated=st.integers(0, 2),
    gaps=st.integers(0, 3),
)
def test_both_are_the_formula(scores, right, repeated, gaps):
    right = {i for i in right if i < len(scores)}
    values = torch.tensor(scores, dtype=torch.float64)
    indices = torch.tensor([*[-1] * gaps, *right, *[*right] * repeated], dtype=torch.int64)
    wanted = pytest.approx(written_out(scores, right), rel=1e-12, abs=1e-12)
    assert sparse_multilabel_cross_entropy(values, indices).item() == wanted
    assert multilabel_cross_entropy(values, dense_targets(values, indices)).item() == wanted


@pytest.mark.parametrize("size", [1.0, 20.0, 1e4])
def test_value_and_gradient_of_both_agree(size: float) -> None:
    torch.manual_seed(0)
    scores = (size * torch.randn(4, 7, 300, dtype=torch.float64)).requires_grad_()
    positives = torch.randint(0, 300, (4, 7, 5))
    positives[0] = -1  # nothing is right
    positives[1, :, 2:] = -1
    positives[2, 0] = 0  # one, five times
    dense = multilabel_cross_entropy(scores, dense_targets(scores, positives))
    sparse = sparse_multilabel_cross_entropy(scores, positives)
    assert (dense - sparse).abs().max() <= 1e-10 * size
    weights = torch.randn(4, 7, dtype=torch.float64)
    gradients = [torch.autograd.grad((loss * weights).sum(), scores)[0] for loss in (dense, sparse)]
    torch.testing.assert_close(gradients[1], gradients[0], rtol=0, atol=1e-10)
    assert gradients[0].abs().max() > 0.1


@pytest.mark.parametrize("positives", [[[2, 0, -1], [-1, -1, -1]], [[4, 4, 4], [0, 1, 2]]])
def test_the_gradient_is_that_of_the_value(positives: list[list[int]]) -> None:
    torch.manual_seed(1)
    scores = torch.randn(2, 5, dtype=torch.float64, requires_grad=True)
    indices = torch.tensor(positives)
    targets = dense_targets(scores, indices)
    gradcheck = torch.autograd.gradcheck
    assert gradcheck(lambda s: multilabel_cross_entropy(s, targets), (scores,))
    assert gradcheck(lambda s: sparse_multilabel_cross_entropy(s, indices), (scores,))


def test_one_right_among_fixed_scores_is_cross_entropy_with_a_threshold() -> None:
    """Each right candidate against the threshold 0: softmax cross entropy of the pair (s, 0)."""
    s = torch.linspace(-5, 5, 11, dtype=torch.float64)
    alone = sparse_multilabel_cross_entropy(s[:, None], torch.zeros(11, 1, dtype=torch.int64))
    pairs = torch.stack([s, torch.zeros_like(s)], dim=-1)
    torch.testing.assert_close(alone, -pairs.log_softmax(dim=-1)[:, 0])


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_huge_scores_in_float32_give_finite_values_and_gradients(kind: str) -> None:
    base = torch.tensor([1e4, -1e4, 1e4, -1e4, -1e12, 0.0]).repeat(4, 1).requires_grad_()
    positives = torch.tensor([[0, 2], [1, 3], [0, 1], [-1, -1]])
    if kind == "dense":
        loss = multilabel_cross_entropy(base, dense_targets(base, positives))
    else:
        loss = sparse_multilabel_cross_entropy(base, positives)
    # confident and right; both sides wrong; one of each wrong; nothing is right, two score high
    wanted = [torch.tensor(2.0).log(), 2e4, 2e4, 1e4]
    torch.testing.assert_close(loss, torch.tensor(wanted), rtol=1e-4, atol=1e-6)
    loss.sum().backward()
    assert base.grad is not None
    assert base.grad.isfinite().all()
    assert base.grad[1, 0] == pytest.approx(0.5, abs=1e-3)  # shared by 0 and 2, both too high
    assert base.grad[2, 1] == -1


def confident(score: float, wrong: float = -30.0) -> tuple[Tensor, Tensor]:
    """Three right candidates among 16,384, and one wrong that may score high."""
    scores = torch.full((16_384,), -30.0)
    scores[:3], scores[5] = score, wrong
    return scores.requires_grad_(), torch.tensor([0, 1, 2])


@pytest.mark.parametrize(("floor", "found"), [(1e-10, -6.93), (1e-7, -0.019), (1e-5, 4.59)])
def test_the_published_form_is_lost_where_the_exact_one_is_not(floor: float, found: float) -> None:
    scores, positives = confident(15.0)
    exact = written_out(scores.tolist(), {0, 1, 2})
    assert sparse_multilabel_cross_entropy(scores, positives).item() == pytest.approx(
        exact, rel=0.3
    )  # 9e-7, which is a few units in the last place of 1
    assert abs(sparse_multilabel_cross_entropy(scores, positives).item() - exact) < 2.5e-7
    published = published_sparse_loss(scores, positives, floor=floor).item()
    assert published == pytest.approx(found, abs=0.01)
    assert exact < 1e-6


def test_confident_right_candidates_shield_no_wrong_one() -> None:
    gradients = []
    published = partial(published_sparse_loss, floor=1e-10)
    for loss in (sparse_multilabel_cross_entropy, published):
        scores, positives = confident(20.0, wrong=4.0)
        loss(scores, positives).backward()
        assert scores.grad is not None
        gradients.append(scores.grad[5].item())
    assert gradients[0] == pytest.approx(0.982, abs=1e-3)
    assert gradients[1] < 1e-6  # it should be pushed down, and is not


def test_in_exact_enough_arithmetic_the_published_form_is_the_same() -> None:
    torch.manual_seed(2)
    scores = torch.randn(3, 40, dtype=torch.float64)
    positives = torch.tensor([[0, 7, 9], [3, -1, -1], [1, 2, -1]])
    exact = sparse_multilabel_cross_entropy(scores, positives)
    torch.testing.assert_close(published_sparse_loss(scores, positives), exact)


def test_another_mark_for_padding() -> None:
    scores = torch.randn(2, 6)
    marked = sparse_multilabel_cross_entropy(scores, torch.tensor([[3, 0], [0, 0]]), padding=0)
    plain = sparse_multilabel_cross_entropy(scores, torch.tensor([[3, -1], [-1, -1]]))
    assert torch.equal(marked, plain)


def test_the_sparse_loss_makes_no_dense_target() -> None:
    """What autograd keeps for the way back: scores without the right ones, once, and no mask."""
    scores = torch.randn(2, 3, 1000, requires_grad=True)
    positives = torch.randint(0, 1000, (2, 3, 4))
    kept: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        sparse_multilabel_cross_entropy(scores, positives)
    large = [tensor for tensor in kept if tensor.numel() == scores.numel()]
    assert {tensor.dtype for tensor in large} <= {torch.float32}
    assert len({tensor.data_ptr() for tensor in large} - {scores.data_ptr()}) == 1


@pytest.mark.usefixtures("_as_for_a_user")
@pytest.mark.parametrize(
    ("positives", "error", "complaint"),
    [
        (torch.tensor([[6], [0]]), DataError, r"positives\[0, 0\] is 6; expected 0 to 5, or -1"),
        (torch.tensor([[0], [-2]]), DataError, r"positives\[1, 0\] is -2; expected 0 to 5"),
        (torch.tensor([0]), ShapeError, r"positives \(1,\); expected the same but for the last"),
        (torch.zeros(3, 1).long(), ShapeError, r"scores have shape \(2, 6\), positives \(3, 1\)"),
    ],
    ids=["large", "negative", "flat", "rows"],
)
def test_indices_that_are_none_are_told(positives, error, complaint) -> None:
    with pytest.raises(error, match=complaint):
        sparse_multilabel_cross_entropy(torch.randn(2, 6), positives)


@pytest.mark.usefixtures("_as_for_a_user")
def test_targets_that_do_not_fit_are_told() -> None:
    with pytest.raises(ShapeError, match=r"targets \(6,\); expected the same"):
        multilabel_cross_entropy(torch.randn(2, 6), torch.zeros(6, dtype=torch.bool))
    with pytest.raises(DataError, match=r"targets are torch.float32; expected torch.bool"):
        multilabel_cross_entropy(torch.randn(2, 6), torch.zeros(2, 6))
    with pytest.raises(ShapeError, match="no candidates on the last axis"):
        sparse_multilabel_cross_entropy(torch.randn(2, 0), torch.zeros(2, 0).long())
