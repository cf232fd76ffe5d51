"""The judge of digits: every number tells apart the failure that it is there for."""

import math

import jaxtyping
import numpy as np
import pytest
import torch

from companion.diffusion import digit_quality, digits, frechet_distance
from companion.errors import DataError, NumericsError, ShapeError


@pytest.fixture(scope="module")
def real():
    """Held-out digits, shuffled."""
    images = digits().images[1::2]
    return images[torch.randperm(len(images), generator=torch.Generator().manual_seed(5))]


@pytest.fixture(scope="module")
def of_real(real):
    return digit_quality(real[:450])


def test_gaussians_in_closed_form():
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(4000, 3, generator=generator, dtype=torch.float64)
    z = z - z.mean(0)
    z = z @ torch.linalg.inv(torch.linalg.cholesky(z.T.cov())).T  # mean 0, covariance 1 exactly
    a, b = torch.tensor([1.0, 2.0, 0.5]).double(), torch.tensor([3.0, 0.0, 0.7]).double()
    shift = torch.tensor([0.3, -1.0, 2.0]).double()
    expected = float(shift.square().sum() + (a - b).square().sum())
    turn = torch.linalg.qr(torch.randn(3, 3, generator=generator).double())[0]
    assert frechet_distance(z * a @ turn, (z * b + shift) @ turn) == pytest.approx(expected)
    assert frechet_distance(z, z) == pytest.approx(0, abs=1e-6)


def test_covariances_that_do_not_commute():
    from scipy.linalg import sqrtm

    a, b = torch.randn(50, 4).double(), torch.randn(60, 4).double() @ torch.randn(4, 4).double()
    cov_a, cov_b = a.T.cov().numpy(), b.T.cov().numpy()
    root = np.trace(np.real(np.asarray(sqrtm(cov_a @ cov_b))))
    expected = (a.mean(0) - b.mean(0)).square().sum() + cov_a.trace() + cov_b.trace() - 2 * root
    assert frechet_distance(a, b) == pytest.approx(float(expected))
    assert frechet_distance(b, a) == pytest.approx(float(expected))


def test_real_digits_are_near_the_floor(of_real):
    assert of_real.distance < of_real.floor_high
    assert of_real.floor_low < of_real.floor < of_real.floor_high
    assert of_real.confidence > 0.9
    assert sum(of_real.classes) == 450
    assert min(of_real.classes) > 25
    assert min(of_real.precision, of_real.recall) > 0.9
    assert of_real.copied == pytest.approx(of_real.apart, rel=0.1)


def test_collapse_to_one_class(of_real):
    images, labels = digits()
    found = digit_quality(images[labels == 3].repeat(3, 1, 1, 1)[:450])
    assert found.distance > 20 * of_real.floor_high
    assert found.recall < 0.25
    assert found.classes[3] > 400


def test_copies_of_the_training_digits(of_real):
    found = digit_quality(digits().images[::2][torch.randperm(899)[:450]])
    assert found.copied == 0
    assert found.precision > 0.85
    assert digit_quality(digits().images[1::2][:450], training=digits().images).copied == 0


def test_gaussian_of_each_class_is_confident_and_yet_found(of_real):
    images, labels = digits()
    generator = torch.Generator().manual_seed(0)
    drawn = []
    for digit in range(10):
        rows = images[labels == digit].flatten(1)
        root = torch.linalg.cholesky(rows.T.cov() + 1e-4 * torch.eye(64))
        drawn.append(rows.mean(0) + torch.randn(89, 64, generator=generator) @ root.T)
    found = digit_quality(torch.cat(drawn).view(-1, 1, 8, 8).clamp(-1, 1))
    assert found.confidence > of_real.confidence - 0.02
    assert found.distance > 1.3 * found.floor
    assert found.recall < of_real.recall - 0.1
    assert found.copied > 1.05 * found.apart


def test_noise_is_no_digit(of_real):
    found = digit_quality(torch.randn(300, 1, 8, 8).clamp(-1, 1))
    assert found.distance > 20 * of_real.floor_high
    assert found.precision < 0.05
    assert found.confidence < 0.8


def test_same_samples_give_the_same_numbers(real, of_real):
    state = torch.get_rng_state()
    torch.manual_seed(77)
    assert digit_quality(real[:450]) == of_real
    torch.set_rng_state(state)


def test_readable(of_real):
    lines = str(of_real).splitlines()
    assert f"{of_real.distance:.2f}" in lines[0]
    assert f"{of_real.floor:.2f}" in lines[0]
    assert lines[-1].endswith("of 450")
    assert len(lines) == 5


@pytest.fixture
def _as_for_a_user():
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.usefixtures("_as_for_a_user")
def test_bad_samples():
    with pytest.raises(DataError, match="10 samples; expected 200 to 898"):
        digit_quality(torch.zeros(10, 1, 8, 8))
    with pytest.raises(DataError, match="899 samples"):
        digit_quality(torch.zeros(899, 1, 8, 8))
    with pytest.raises(ShapeError, match=r"\(300, 3, 8, 8\)"):
        digit_quality(torch.zeros(300, 3, 8, 8))
    with pytest.raises(ShapeError, match=r"training has shape \(3, 64\)"):
        digit_quality(torch.zeros(300, 1, 8, 8), training=torch.zeros(3, 64))
    images = torch.zeros(300, 1, 8, 8)
    images[7, 0, 1, 2] = math.nan
    with pytest.raises(NumericsError, match=r"images\[7, 0, 1, 2\] is nan"):
        digit_quality(images)


@pytest.mark.usefixtures("_as_for_a_user")
def test_bad_features():
    with pytest.raises(ShapeError, match=r"\(5, 2\) and \(5, 3\)"):
        frechet_distance(torch.zeros(5, 2), torch.zeros(5, 3))
    with pytest.raises(ShapeError, match="two samples"):
        frechet_distance(torch.zeros(1, 2), torch.zeros(5, 2))
    with pytest.raises(NumericsError, match=r"features_b\[0, 0\] is inf"):
        frechet_distance(torch.zeros(5, 2), torch.full((5, 2), math.inf))
