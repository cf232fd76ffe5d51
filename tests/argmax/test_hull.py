"""Verdicts against the vertices that Qhull finds."""

import numpy as np
import pytest
import torch
from scipy.spatial import ConvexHull

from companion.argmax import argmaxable


def vertices(weight: torch.Tensor, bias: torch.Tensor | None) -> set[int]:
    """The classes that win somewhere: vertices of the hull, of the upper one if there is a bias."""
    if bias is None:
        return set(ConvexHull(weight.numpy()).vertices.tolist())
    hull = ConvexHull(np.c_[weight.numpy(), bias.numpy()])
    return set(hull.simplices[hull.equations[:, -2] > 0].ravel().tolist())


@pytest.mark.parametrize("dim", [2, 3, 4, 5])
@pytest.mark.parametrize("biased", [False, True])
def test_verdicts_are_those_of_the_hull(dim, biased):
    weight = torch.randn(200, dim, dtype=torch.float64)
    bias = torch.randn(200, dtype=torch.float64) if biased else None
    report = argmaxable(weight, bias, progress=False)
    assert set(report.classes[report.verdict == 1].tolist()) == vertices(weight, bias)
    assert not (report.verdict == -1).any()
    assert report.verify(weight, bias)
