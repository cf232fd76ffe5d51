"""Verdicts against the vertices that Qhull finds, and against exact arithmetic where it cannot."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy.spatial import ConvexHull

from companion.argmax import argmaxable

MARGIN = 1e-10  # nearer than this to a facet, a class may be undecided (never wrong)


def upper_hull(weight: np.ndarray, bias: np.ndarray | None) -> ConvexHull:
    return ConvexHull(weight if bias is None else np.c_[weight, bias])


def vertices(hull: ConvexHull, biased: bool) -> set[int]:
    """The classes that win somewhere: vertices of the hull, of the upper one if there is a bias."""
    upper = hull.equations[:, -2] > 0 if biased else slice(None)
    return set(hull.simplices[upper].ravel().tolist())


def winners(weight: np.ndarray, bias: np.ndarray | None = None) -> tuple[set[int], set[int]]:
    """The classes said to win, and the undecided; what is said must verify."""
    w = torch.from_numpy(weight)
    b = None if bias is None else torch.from_numpy(bias)
    report = argmaxable(w, b, progress=False)
    assert report.verify(w, b)
    return {*report.classes[report.verdict == 1].tolist()}, {
        *report.classes[report.verdict == -1].tolist()
    }


@pytest.mark.parametrize("dim", [2, 3, 4, 5])
@pytest.mark.parametrize("biased", [False, True])
def test_verdicts_are_those_of_qhull(dim, biased):
    """Some 400 classes for each of the eight: clouds that are round, far from 0, flat and long."""
    rng = np.random.default_rng(dim)
    for size in (dim + 3, 90):
        for shift, stretch in ((0, 1.0), (100, 1.0), (0, 1e-3), (0, 30.0)):
            weight = rng.standard_normal((size, dim)) + shift
            weight[:, 0] *= stretch
            bias = rng.standard_normal(size) if biased else None
            won, undecided = winners(weight, bias)
            assert won == vertices(upper_hull(weight, bias), biased)
            assert not undecided


@pytest.mark.parametrize("dim", [2, 3, 4, 5])
@pytest.mark.parametrize("biased", [False, True])
def test_points_beside_a_facet(dim, biased):
    """Out by 1e-6 or 1e-9: it wins. In: it never does. By 1e-13 or 0: right, or undecided."""
    rng = np.random.default_rng(dim)
    for offset in (1e-6, 1e-9, 1e-13, 0.0, -1e-13, -1e-9, -1e-6):
        weight, bias = rng.standard_normal((20, dim)), rng.standard_normal(20)
        hull = upper_hull(weight, bias if biased else None)
        upper = (
            np.flatnonzero(hull.equations[:, -2] > 0) if biased else np.arange(len(hull.simplices))
        )
        facet = upper[0]
        middle = hull.points[hull.simplices[facet]].mean(0) + offset * hull.equations[facet, :-1]
        points = np.r_[hull.points, middle[None]]
        won, undecided = winners(points[:, :dim], points[:, dim].copy() if biased else None)
        if abs(offset) >= MARGIN:
            assert not undecided
            assert (20 in won) == (offset > 0)
        elif offset:
            assert 20 in undecided or (20 in won) == (offset > 0)
        others = {*range(20)} - undecided
        assert won & others >= vertices(hull, biased) & others - {*hull.simplices[facet]}


def in_hull(points: list[list[Fraction]], query: list[Fraction]) -> bool:
    """Is a point a convex combination of others? In fractions, over all sets that may suffice."""
    dim = len(query)
    for size in range(1, dim + 2):
        for some in itertools.combinations(points, size):
            rows = [[p[j] for p in some] + [query[j]] for j in range(dim)]
            rows.append([Fraction(1)] * (size + 1))
            if (weights := solution(rows)) is not None and min(weights) >= 0:
                return True
    return False


def solution(rows: list[list[Fraction]]) -> list[Fraction] | None:
    """Solve for unique unknowns, the right side last; None if there are none, or several."""
    count = len(rows[0]) - 1
    for c in range(count):
        pivot = next((i for i in range(c, len(rows)) if rows[i][c]), None)
        if pivot is None:
            return None
        rows[c], rows[pivot] = rows[pivot], rows[c]
        for i in range(len(rows)):
            if i != c and rows[i][c]:
                ratio = rows[i][c] / rows[c][c]
                rows[i] = [x - ratio * y for x, y in zip(rows[i], rows[c], strict=True)]
    if any(row[count] for row in rows[count:]):
        return None
    return [rows[i][count] / rows[i][i] for i in range(count)]


def cloud(kind: str, rng: np.random.Generator, dim: int) -> np.ndarray:
    count = int(rng.integers(2, 8))
    if kind == "round":
        return rng.standard_normal((count, dim))
    grid = rng.integers(-2, 3, (count, dim)).astype(float)
    if kind == "grid":  # duplicates, collinear and coplanar points, points on facets
        return grid
    if kind == "decimals":  # tenths, which no float is: some are off a line by one rounding
        return grid * 10.0 ** int(rng.integers(-3, 0))
    weight = rng.standard_normal((count, dim))
    scale = rng.choice([0.0, 1e-16, 1e-13, 1e-9, 1e-6])
    weight[count // 2] = (weight[0] + weight[-1]) / 2 + scale * rng.standard_normal(dim)
    return weight


@pytest.mark.parametrize(
    ("kind", "undecided_at_most"), [("round", 0), ("grid", 0), ("decimals", 0.02), ("middle", 0.05)]
)
def test_degenerate_clouds_against_exact_arithmetic(kind, undecided_at_most):
    """No verdict is wrong on hundreds of classes of small clouds, many of them with ties."""
    rng = np.random.default_rng(0)
    total = open_ = 0
    for case in range(50):
        weight = cloud(kind, rng, 1 + case % 3)
        won, undecided = winners(weight)
        exact = [[Fraction(float(x)) for x in row] for row in weight]
        for k in {*range(len(weight))} - undecided:
            assert (k in won) == (not in_hull(exact[:k] + exact[k + 1 :], exact[k])), (weight, k)
        total, open_ = total + len(weight), open_ + len(undecided)
    assert open_ <= undecided_at_most * total


def outdone(weight: np.ndarray, bias: np.ndarray, k: int) -> bool:
    """Do weights of others give the row of k and at least its bias? In fractions, over all sets."""
    exact = [[Fraction(float(x)) for x in row] for row in weight]
    heights = [Fraction(float(x)) for x in bias]
    others = [i for i in range(len(weight)) if i != k]
    for size in range(1, weight.shape[1] + 2):
        for some in itertools.combinations(others, size):
            rows = [[exact[i][j] for i in some] + [exact[k][j]] for j in range(weight.shape[1])]
            found = solution([*rows, [Fraction(1)] * (size + 1)])
            if found is None or min(found) < 0:
                continue
            if sum(x * heights[i] for x, i in zip(found, some, strict=True)) >= heights[k]:
                return True
    return False


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e5])
def test_a_grid_with_a_bias_against_exact_arithmetic(scale):
    """Equal rows, rows on a line, equal biases, biases that are tiny or huge beside the rows."""
    rng = np.random.default_rng(0)
    for case in range(25):
        count, dim = int(rng.integers(2, 8)), 1 + case % 3
        weight = rng.integers(-2, 3, (count, dim)).astype(float)
        bias = scale * rng.integers(-2, 3, count)
        won, undecided = winners(weight, bias)
        assert not undecided
        assert won == {k for k in range(count) if not outdone(weight, bias, k)}


def test_the_same_cloud_in_fewer_bits():
    weight = torch.randn(150, 3)
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        rounded = weight.to(dtype)
        report = argmaxable(rounded, progress=False)
        assert report.verify(rounded)
        exact = argmaxable(rounded.double(), progress=False)
        assert torch.equal(report.verdict, exact.verdict)
