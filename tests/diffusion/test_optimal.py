"""The closed form against brute force, in its limits, and as the smallest of all losses."""

import jaxtyping
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from companion.diffusion import (
    EmpiricalDenoiser,
    Schedule,
    denoising_loss,
    optimal,
    optimal_denoiser,
    optimal_noise,
    tear_down,
)
from companion.errors import DataError, ShapeError

SCHEDULE = Schedule.su()


@pytest.fixture
def _as_for_a_user():
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def brute_force(x_t: torch.Tensor, t: torch.Tensor, data: torch.Tensor) -> torch.Tensor:
    """The definition: densities of a normal distribution, one by one, normalised by softmax."""
    rows = []
    for x, step in zip(x_t.double(), t.tolist(), strict=True):
        gaps = x - SCHEDULE.alpha_bar[step] * data.double()
        logs = -gaps.square().view(len(data), -1).sum(dim=1) / (2 * SCHEDULE.beta_bar[step] ** 2)
        rows.append(torch.tensordot(logs.softmax(dim=0), data.double(), dims=1))
    return torch.stack(rows)


def torn(count: int, shape: tuple[int, ...], seed: int, *, dtype=torch.float64):
    draws = torch.Generator().manual_seed(seed)
    data = torch.randn(count, *shape, generator=draws).to(dtype)
    t = torch.tensor([1, 2, 30, 300, 1000])
    x0 = data[torch.randint(count, (5,), generator=draws)]
    noise = torch.randn(5, *shape, generator=draws).to(dtype)
    return tear_down(x0, t, SCHEDULE, noise), t, data


@given(st.integers(1, 60), st.sampled_from([(), (2,), (1, 3, 3)]), st.integers(0, 9))
def test_brute_force(count, shape, seed):
    x_t, t, data = torn(count, shape, seed)
    expected = brute_force(x_t, t, data)
    found = optimal_denoiser(x_t, t, data, SCHEDULE)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("chunk", [1, 7, 64, 10**6])
def test_the_size_of_the_pieces_does_not_matter(chunk, monkeypatch):
    monkeypatch.setattr(optimal, "CHUNK", chunk)
    x_t, t, data = torn(50, (2,), 0)
    found = optimal_denoiser(x_t, t, data, SCHEDULE)
    torch.testing.assert_close(found, brute_force(x_t, t, data), rtol=1e-9, atol=1e-9)


def test_float32_points_get_float64_distances():
    """At t = 1 the squares that cancel are 50 000 times as large as what decides."""
    x_t, t, data = torn(200, (3, 32, 32), 0, dtype=torch.float32)
    found = optimal_denoiser(x_t, t, data, SCHEDULE)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), brute_force(x_t, t, data), rtol=0, atol=1e-5)


def test_many_large_pictures_fit_into_little_memory():
    """50 000 pictures of 3072 numbers at once would be 1.2 GB in float64; here fewer, expanded."""
    data = torch.randn(10, 3, 32, 32).repeat(200, 1, 1, 1)
    x_t, t = data[:2] + 0.001, torch.tensor([1, 1])
    largest = []
    normal = torch.Tensor.to

    def watched(self, *args, **kwargs):
        result = normal(self, *args, **kwargs)
        largest.append(result.numel())
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "to", watched)
        found = optimal_denoiser(x_t, t, data, SCHEDULE)
    assert max(largest) <= optimal.CHUNK < data.numel()
    torch.testing.assert_close(found, data[:2], rtol=0, atol=1e-6)


def test_in_pure_noise_the_best_guess_is_the_mean():
    data = torch.randn(40, 2).double()
    far = Schedule.su(4000)  # ᾱ_T = e^{−20}
    found = optimal_denoiser(torch.randn(6, 2).double(), torch.full((6,), 4000), data, far)
    torch.testing.assert_close(found, data.mean(dim=0).expand(6, 2), rtol=0, atol=1e-7)


def test_with_hardly_any_noise_it_is_the_nearest_row():
    data = torch.randn(40, 2).double()
    x_t = data[:6] + 0.001
    found = optimal_denoiser(x_t, torch.ones(6, dtype=torch.int64), data, SCHEDULE)
    torch.testing.assert_close(found, data[:6], rtol=0, atol=1e-9)


def test_no_overflow_far_from_all_rows():
    data = torch.tensor([[1.0], [-1.0]])
    near_zero = Schedule([1 - 1e-12])
    x_t = torch.tensor([[1e6], [-1e6], [1.0]])
    found = optimal_denoiser(x_t, torch.ones(3, dtype=torch.int64), data, near_zero)
    torch.testing.assert_close(found, torch.tensor([[1.0], [-1.0], [1.0]]))


def test_two_points_give_a_tangent():
    data = torch.tensor([[-1.0], [1.0]]).double()
    x = torch.linspace(-3, 3, 50).double()[:, None]
    t = torch.full((50,), 400)
    expected = (SCHEDULE.alpha_bar[400] * x / SCHEDULE.beta_bar[400] ** 2).tanh()
    found = optimal_denoiser(x, t, data, SCHEDULE)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_the_noise_is_the_same_guess():
    x_t, t, data = torn(30, (2,), 3)
    x0 = optimal_denoiser(x_t, t, data, SCHEDULE)
    noise = optimal_noise(x_t, t, data, SCHEDULE)
    torch.testing.assert_close(tear_down(x0, t, SCHEDULE, noise), x_t, rtol=0, atol=1e-12)
    model = EmpiricalDenoiser(data, SCHEDULE)
    assert torch.equal(model(x_t, t), noise)


@pytest.mark.parametrize("change", ["scaled", "shifted", "data of another set"])
def test_no_other_guess_has_a_smaller_loss(change):
    data = torch.randn(7, 2, generator=torch.Generator().manual_seed(0)).double()
    x0 = data[torch.randint(7, (4000,), generator=torch.Generator().manual_seed(1))]
    best = EmpiricalDenoiser(data, SCHEDULE)
    others = {
        "scaled": lambda x, t: 0.95 * best(x, t),
        "shifted": lambda x, t: best(x, t) + 0.1,
        "data of another set": EmpiricalDenoiser(data[:6], SCHEDULE),
    }
    draws = [torch.Generator().manual_seed(2) for _ in range(2)]
    least = denoising_loss(best, x0, SCHEDULE, generator=draws[0])
    other = denoising_loss(others[change], x0, SCHEDULE, generator=draws[1])
    assert least < other


@pytest.mark.usefixtures("_as_for_a_user")
@pytest.mark.parametrize("shape", [(0, 2), (5, 3), (5, 2, 1), (5,)])
def test_data_that_does_not_fit(shape):
    message = rf"data has shape \({', '.join(map(str, shape))},?\) for x_t of shape \(3, 2\)"
    with pytest.raises(ShapeError, match=message):
        optimal_denoiser(torch.ones(3, 2), torch.tensor([1, 2, 3]), torch.ones(shape), SCHEDULE)


@pytest.mark.usefixtures("_as_for_a_user")
def test_other_bad_input():
    x_t, t = torch.ones(3, 2), torch.tensor([1, 2, 3])
    with pytest.raises(DataError, match=r"t\[0\] is 0; expected 1 … 1000"):
        optimal_denoiser(x_t, t - 1, x_t, SCHEDULE)
    with pytest.raises(DataError, match=r"data is torch\.uint8"):
        optimal_noise(x_t, t, x_t.byte(), SCHEDULE)
