"""Corners of Gaussian clouds: against Qhull, known angles and the formula for the plane."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.spatial import ConvexHull
from scipy.special import ndtr

from companion.argmax.gaussian import expected_vertices, log_inner_angle, log_outer_angle
from companion.errors import DataError


@pytest.mark.parametrize(("words", "dims"), [(10, 2), (50, 3), (8, 5), (40, 4)])
def test_mean_number_of_corners_is_that_of_drawn_clouds(words: int, dims: int) -> None:
    rng = np.random.default_rng(7)
    clouds = rng.standard_normal((400, words, dims))
    found = np.array([len(ConvexHull(cloud).vertices) for cloud in clouds])
    error = found.std() / 20
    assert abs(found.mean() - expected_vertices(words, dims)) < 4 * error + 1e-9


@pytest.mark.parametrize("words", [3, 30, 3000])
def test_two_dimensions_are_the_formula_of_renyi_and_sulanke(words: int) -> None:
    """Edges of the hull: pairs of points with all others on one side of their line."""

    def side(x: float) -> float:
        return float(ndtr(x * np.sqrt(2)) ** (words - 2) * np.exp(-2 * x * x) * np.sqrt(2 / np.pi))

    edges = words * (words - 1) * quad(side, -5, 7, points=[0, 2, 4], limit=200)[0]
    assert expected_vertices(words, 2) == pytest.approx(edges, rel=1e-7)


def test_one_dimension_and_few_words() -> None:
    for words in (2, 3, 100, 100_000):
        assert expected_vertices(words, 1) == pytest.approx(2, rel=1e-8)
    assert expected_vertices(7, 6) == 7
    assert expected_vertices(1, 1) == 1


@pytest.mark.parametrize("dims", [2, 3, 8, 20, 50, 100])
def test_two_words_more_than_dimensions(dims: int) -> None:
    """All are corners, or exactly one is inside (Radon), which gets rare quickly."""
    found = expected_vertices(dims + 2, dims)
    assert dims + 1 < found <= dims + 2
    assert found < dims + 2 - 1e-4 or dims > 5
    assert found == pytest.approx(dims + 2, rel=1e-9) or dims < 20


def test_what_the_chapter_says_of_a_large_vocabulary() -> None:
    """In 64 dimensions less than a thousandth of a word is lost; in 17 half of the words."""
    assert 250_000 - expected_vertices(250_000, 64) < 1e-3
    halves = [expected_vertices(250_000, dims) / 250_000 for dims in (16, 17)]
    assert halves[0] < 0.5 < halves[1]


def test_angles_of_a_tetrahedron() -> None:
    solid = 3 * np.arccos(1 / 3) - np.pi
    assert np.exp(log_inner_angle(4)) == pytest.approx(solid / (4 * np.pi), rel=1e-9)
    assert np.exp(log_inner_angle(1)) == pytest.approx(1, rel=1e-9)
    dihedral = np.pi - np.arccos(1 / 3)  # between the normals of two faces, at an edge
    assert np.exp(log_outer_angle(2, 4)) == pytest.approx(dihedral / (2 * np.pi), rel=1e-9)


@pytest.mark.parametrize(("words", "dims"), [(0, 3), (3, 0)])
def test_nothing_to_count_is_refused(words: int, dims: int) -> None:
    with pytest.raises(DataError, match="expected at least 1"):
        expected_vertices(words, dims)
