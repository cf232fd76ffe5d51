"""Classes that were put inside the hull of others are found, and vertices are left alone."""

import numpy as np
import pytest
import torch

from companion.argmax import argmaxable
from companion.multitask import common_descent


def planted(dim: int, depth: float, rng: np.random.Generator) -> tuple[torch.Tensor, range]:
    """A shell of vertices, and 40 points at ``depth`` below facets that some of them span."""
    shell = rng.standard_normal((250, dim))
    shell /= np.linalg.norm(shell, axis=1, keepdims=True)
    inside = []
    for _ in range(40):
        # The nearest neighbours of a direction span a facet, or something just below one.
        some = np.argsort(-shell @ rng.standard_normal(dim))[: dim + 1]
        weights = rng.dirichlet(np.ones(dim + 1))
        weights = depth / dim + (1 - depth * (dim + 1) / dim) * weights
        inside.append(weights @ shell[some])
    return torch.from_numpy(np.r_[shell, np.array(inside)]), range(250, 290)


@pytest.mark.parametrize("dim", [3, 8, 20])
@pytest.mark.parametrize("depth", [0.3, 1e-3, 1e-6])
def test_planted_classes_are_found_and_vertices_are_not_condemned(dim, depth):
    weight, inside = planted(dim, depth, np.random.default_rng(dim))
    report = argmaxable(weight, progress=False)
    assert (report.verdict[inside.start :] == 0).all()
    assert (report.verdict[: inside.start] == 1).all()
    assert report.verify(weight)
    for k in inside:
        others, coefficients = report.certificate(k)
        assert len(others) <= dim + 1
        assert (coefficients > 0).all()
        gap = coefficients @ (weight[others] - weight[k])
        assert gap.abs().max() < 1e-12


def test_equal_norms_leave_no_class_out():
    weight = torch.nn.functional.normalize(torch.randn(1000, 8, dtype=torch.float64))
    report = argmaxable(weight, progress=False)
    assert (report.verdict == 1).all()
    assert report.verify(weight)


def test_the_margin_of_a_class_is_at_most_its_distance_from_the_hull_of_the_others():
    """The distance is the length of chapter 1's common descent direction."""
    weight = torch.randn(60, 6, dtype=torch.float64)
    report = argmaxable(weight, progress=False)
    lengths = []
    for k in range(60):
        rest = torch.cat([weight[:k], weight[k + 1 :]])
        lengths.append(common_descent(weight[k] - rest).update.norm())
    length = torch.stack(lengths)
    won = report.verdict == 1
    assert torch.equal(won, length > 1e-9)
    assert (report.margin[won] <= length[won] * (1 + 1e-9)).all()
    assert report.margin[~won].isnan().all()


def test_two_classes_few_classes_and_one_dimension():
    assert argmaxable(torch.tensor([[1.0], [2.0]]), progress=False).verdict.tolist() == [1, 1]
    line = torch.tensor([[1.0], [2.0], [4.0], [3.0]])
    assert argmaxable(line, progress=False).verdict.tolist() == [1, 0, 1, 0]
    few = torch.randn(5, 40)
    report = argmaxable(few, progress=False)
    assert report.verdict.tolist() == [1] * 5
    assert report.verify(few)


def test_duplicates_are_reported_as_such():
    weight = torch.randn(50, 20)
    weight[7], weight[30], weight[31] = weight[3], weight[3], 0.0
    weight[40] = -0.0
    report = argmaxable(weight, progress=False)
    assert report.twin[[3, 7, 30, 31, 40]].tolist() == [7, 3, 3, 40, 31]
    assert report.verdict[[3, 7, 30, 31, 40]].tolist() == [0] * 5
    assert (report.twin >= 0).sum() == 5
    assert report.verify(weight)


def test_of_duplicates_the_one_with_the_greatest_bias_may_win():
    weight, bias = torch.randn(50, 20), torch.zeros(50)
    weight[7] = weight[30] = weight[3]
    bias[7] = 1e-3
    report = argmaxable(weight, bias, progress=False)
    assert report.twin[[3, 7, 30]].tolist() == [7, -1, 7]
    assert report.verdict[[3, 7, 30]].tolist() == [0, 1, 0]
    assert report.verify(weight, bias)
