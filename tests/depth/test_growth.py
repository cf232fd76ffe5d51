"""Growth through residual layers: the formulas against matrices, sums and each other."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from companion.depth import (
    aligned_growth,
    alignment,
    orthogonal_growth,
    random_orthogonal,
    relu_growth,
    sample_growth,
    tied_growth,
    typical_growth,
)
from companion.depth.growth import _uniform
from companion.errors import DataError


def draws(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(autouse=True)
def _double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@given(epsilon=st.floats(0, 2), depth=st.integers(1, 200))
def test_formulas_are_products_of_layers(epsilon: float, depth: int) -> None:
    assert aligned_growth(epsilon, depth) == pytest.approx(depth * math.log(1 + epsilon))
    assert orthogonal_growth(epsilon, depth) == pytest.approx(
        sum(math.log(math.hypot(1, epsilon)) for _ in range(depth))
    )


@given(epsilon=st.floats(0, 1), depth=st.integers(1, 60))
def test_tied_growth_is_the_sum_of_squared_binomials(epsilon: float, depth: int) -> None:
    total = sum(math.comb(depth, k) ** 2 * epsilon ** (2 * k) for k in range(depth + 1))
    assert tied_growth(epsilon, depth) == pytest.approx(math.log(total) / 2, abs=1e-9)


@given(epsilon=st.floats(0, 1), depth=st.integers(1, 300))
def test_growths_are_in_order(epsilon: float, depth: int) -> None:
    fresh, tied = orthogonal_growth(epsilon, depth), tied_growth(epsilon, depth)
    assert fresh <= tied + 1e-9
    assert tied <= aligned_growth(epsilon, depth) + 1e-9
    assert fresh <= relu_growth(epsilon, depth) + 1e-9
    assert relu_growth(epsilon, depth) <= depth * math.log1p(epsilon) + 1e-9


def test_growth_of_the_essay() -> None:
    for depth in (1, 10, 1000, 10**6):
        assert aligned_growth(1 / depth, depth) < 1
        assert orthogonal_growth(depth**-0.5, depth) < 0.5
    depth = 10**6
    assert aligned_growth(depth**-0.5, depth) == pytest.approx(depth**0.5 - 0.5, abs=1e-3)
    assert tied_growth(1e-3, depth) == pytest.approx(  # log I₀(2√N) / 2, and as above ½ less
        999.5 - math.log(4 * math.pi * 1000) / 4, abs=1e-2
    )


def test_relu_growth_approaches_one_dimension() -> None:
    depth = 10**5
    rate = (relu_growth(1e-3, depth) - relu_growth(1e-3, depth // 2)) / (depth // 2)
    assert rate == pytest.approx(1e-3 / math.sqrt(math.pi), rel=2e-3)


@pytest.mark.parametrize("dim", [1, 2, 3, 10, 300])
def test_alignment_is_the_mean_cosine(dim: int) -> None:
    v = torch.randn(40_000, dim, generator=draws(dim))
    found = (v[:, 0].abs() / v.norm(dim=1)).mean()
    assert alignment(dim) == pytest.approx(float(found), rel=0.02)


@pytest.mark.parametrize(("dim", "along"), [(1, 0), (2, 0), (5, 0), (64, 0), (2, 1), (9, 0.5)])
def test_sampled_growth_is_that_of_orthogonal_matrices(dim: int, along: float) -> None:
    """Mean and spread of the logarithm, against vectors that are multiplied by matrices."""
    depth, walks, generator = 20, 3000, draws(dim)
    v = torch.ones(walks, 1, dim) / dim**0.5
    for _ in range(depth):
        if dim <= 5:
            turned = v @ random_orthogonal(walks, dim, generator=generator)
        else:
            turned = torch.randn(walks, 1, dim, generator=generator)
            turned = turned * v.norm(dim=2, keepdim=True) / turned.norm(dim=2, keepdim=True)
        inner = (v * turned).sum(2, keepdim=True)
        push = torch.rand(walks, 1, 1, generator=generator) < along
        v = v + 0.3 * torch.where(push & (inner < 0), -turned, turned)
    logs = v.norm(dim=2).log().flatten()
    found = sample_growth(0.3, depth, dim, walks=walks, along=along, seed=3)
    assert found.shape == (walks, depth + 1)
    assert (found[:, 0] == 0).all()
    error = float(logs.std()) * (2 / walks) ** 0.5
    assert float(found[:, -1].mean()) == pytest.approx(float(logs.mean()), abs=4 * error)
    assert float(found[:, -1].std()) == pytest.approx(float(logs.std()), rel=0.1)


def test_sampled_square_has_the_mean_of_right_angles() -> None:
    for dim in (1, 3, 50):
        found = sample_growth(0.2, 10, dim, walks=20_000, seed=5)[:, -1]
        assert float((2 * found).exp().mean()) == pytest.approx((1 + 0.2**2) ** 10, rel=0.05)


@pytest.mark.parametrize("along", [0, 0.5, 1])
def test_typical_growth_is_the_sampled_mean(along: float) -> None:
    for dim in (1, 4, 100):
        found = sample_growth(1 / 32, 1024, dim, walks=600, along=along, seed=8)[:, -1]
        expected = typical_growth(1 / 32, 1024, dim, along=along)
        assert float(found.mean()) == pytest.approx(expected, abs=0.13)


def test_draws_depend_on_the_seed_alone() -> None:
    first = sample_growth(0.1, 7, 3, walks=2, seed=1)
    torch.randn(5)
    assert torch.equal(first, sample_growth(0.1, 7, 3, walks=2, seed=1))
    assert not torch.equal(first, sample_growth(0.1, 7, 3, walks=2, seed=2))


def test_generator_is_mulberry32() -> None:
    """The first numbers of its usual form in JavaScript, seeded with 0."""

    def reference(seed: int, count: int) -> Tensor:
        found, state = [], seed
        for _ in range(count):
            state = (state + 0x6D2B79F5) & 0xFFFFFFFF
            t = ((state ^ (state >> 15)) * (state | 1)) & 0xFFFFFFFF
            t ^= (t + (((t ^ (t >> 7)) * (t | 61)) & 0xFFFFFFFF)) & 0xFFFFFFFF
            found.append(((t ^ (t >> 14)) + 0.5) / 2**32)
        return torch.tensor(found)

    assert torch.equal(_uniform(50, 0), reference(0, 50))
    assert torch.equal(_uniform(50, 3), reference(3 * 0x9E3779B9 & 0xFFFFFFFF, 50))


def test_a_branch_against_x_can_take_all_of_it() -> None:
    found = sample_growth(1, 30, 1, seed=1)[0, -1]
    assert found == -math.inf


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: aligned_growth(0.1, 0), "depth is 0; expected at least one layer"),
        (lambda: orthogonal_growth(-0.1, 3), "epsilon is -0.1; expected a finite number"),
        (lambda: tied_growth(math.nan, 3), "epsilon is nan"),
        (lambda: relu_growth(math.inf, 3), "epsilon is inf"),
        (lambda: alignment(0), "dim is 0; expected at least 1"),
        (lambda: typical_growth(0.1, 3, 0), "dim is 0"),
        (lambda: sample_growth(0.1, 3, 2, walks=0), "walks is 0; expected at least 1"),
        (lambda: sample_growth(0.1, 3, 2, along=1.5), "along is 1.5; expected a share"),
    ],
)
def test_bad_numbers_are_named(call, message: str) -> None:
    with pytest.raises(DataError, match=message):
        call()


def test_numbers_in_the_sentences_of_the_chapter() -> None:
    assert f"{math.exp(0.5):.2f}" == "1.65"
    assert f"{(1 - 1 / math.pi) ** -0.5:.2f}" == "1.21"
    assert f"{(1 + 1 / 8**2) ** 8:.2f}" == "1.13"
    assert math.hypot(1, 0.1) == pytest.approx(1.005, abs=1e-4)
    assert 30e12 < math.exp(aligned_growth(1000**-0.5, 1000)) < 35e12
    sums = [sum(1 / (layer + 1) for layer in range(1, depth + 1)) for depth in (8, 512)]
    assert 3 < sums[1] / sums[0] < 3.5  # "about three times"
