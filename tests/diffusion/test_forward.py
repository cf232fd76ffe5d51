"""The jump is what the single steps come to, for every shape and precision."""

import jaxtyping
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from companion.diffusion import Schedule, tear_down
from companion.errors import DataError, ShapeError

SCHEDULE = Schedule.su(20, largest=0.5)


@pytest.fixture
def _as_for_a_user():
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def step_by_step(x0: torch.Tensor, noises: torch.Tensor, schedule: Schedule) -> torch.Tensor:
    x = x0
    for t in range(1, len(noises) + 1):
        x = schedule.alpha[t] * x + schedule.beta[t] * noises[t - 1]
    return x


@given(st.integers(1, 20), st.integers(0, 5))
def test_the_jump_is_the_steps_with_the_noises_gathered(t, seed):
    draws = torch.Generator().manual_seed(seed)
    x0 = torch.randn(3, 2, 4, generator=draws).double()
    noises = torch.randn(t, 3, 2, 4, generator=draws).double()
    weights = [SCHEDULE.alpha[s + 1 : t + 1].prod() * SCHEDULE.beta[s] for s in range(1, t + 1)]
    gathered = sum(w * n for w, n in zip(weights, noises, strict=True)) / SCHEDULE.beta_bar[t]
    found = tear_down(x0, torch.full((3,), t), SCHEDULE, gathered)
    torch.testing.assert_close(found, step_by_step(x0, noises, SCHEDULE), rtol=0, atol=1e-12)


def test_mean_and_variance_of_both_ways_agree():
    count, t = 200_000, 13
    draws = torch.Generator().manual_seed(0)
    x0 = torch.full((count, 1), 1.7).double()
    jumped = tear_down(
        x0, torch.full((count,), t), SCHEDULE, torch.randn(count, 1, generator=draws).double()
    )
    walked = step_by_step(x0, torch.randn(t, count, 1, generator=draws).double(), SCHEDULE)
    for x in (jumped, walked):
        assert float(x.mean()) == pytest.approx(1.7 * float(SCHEDULE.alpha_bar[t]), abs=0.01)
        assert float(x.std()) == pytest.approx(float(SCHEDULE.beta_bar[t]), abs=0.01)


def test_unit_variance_stays():
    count = 200_000
    draws = torch.Generator().manual_seed(1)
    signs = 2 * torch.randint(2, (count, 1), generator=draws) - 1.0
    noise = torch.randn(count, 1, generator=draws)
    for t in (0, 1, 5, 20):
        x = tear_down(signs, torch.full((count,), t), SCHEDULE, noise)
        assert float(x.square().mean()) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(4,), (4, 2), (4, 3, 8, 8)])
def test_any_shape_any_precision(shape, dtype):
    draws = torch.Generator().manual_seed(0)
    x0, noise = torch.randn(2, *shape, generator=draws).double()
    t = torch.tensor([0, 1, 7, 20])
    found = tear_down(x0.to(dtype), t, SCHEDULE, noise.to(dtype))
    assert found.dtype == dtype
    column = (-1, *[1] * (len(shape) - 1))
    expected = SCHEDULE.alpha_bar[t].view(column) * x0 + SCHEDULE.beta_bar[t].view(column) * noise
    tolerance = 10 * torch.finfo(dtype).eps
    torch.testing.assert_close(found.double(), expected, rtol=tolerance, atol=tolerance)
    assert torch.equal(found[0], x0.to(dtype)[0])  # t = 0 is the data


def test_float32_coefficients_come_from_float64_tables():
    schedule = Schedule.su()  # 1 − α² in float32 is off by 1e-3 at t = 1
    found = tear_down(torch.zeros(1, 1), torch.tensor([1]), schedule, torch.ones(1, 1))
    assert float(found) == pytest.approx(2e-5**0.5, rel=1e-6)


def test_diffusers_add_noise():
    diffusers = pytest.importorskip("diffusers")
    schedule = Schedule.linear()
    theirs = diffusers.DDPMScheduler(num_train_timesteps=1000)
    theirs.alphas_cumprod = schedule.ho().alpha_bar  # in place of its float32 products
    x0, noise = torch.randn(2, 1000, 3)
    t = torch.arange(1, 1001)
    expected = theirs.add_noise(x0.double(), noise.double(), t - 1)
    found = tear_down(x0.double(), t, schedule, noise.double())
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    found = tear_down(x0, t, schedule, noise)
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=2e-6)


@pytest.mark.usefixtures("_as_for_a_user")
@pytest.mark.parametrize(
    ("t", "message"),
    [
        ([3, 21, 2], r"t\[1\] is 21; expected 0 … 20"),
        ([3, 2, -1], r"t\[2\] is -1; expected 0 … 20"),
        ([1.0, 2.0, 3.0], "t is torch.float32; expected torch.int64"),
    ],
)
def test_times_out_of_range(t, message):
    with pytest.raises(DataError, match=message):
        tear_down(torch.ones(3, 2), torch.tensor(t), SCHEDULE, torch.ones(3, 2))


@pytest.mark.usefixtures("_as_for_a_user")
def test_shapes_that_do_not_fit():
    x0, t = torch.ones(3, 2), torch.tensor([1, 2, 3])
    with pytest.raises(ShapeError, match=r"noise has shape \(3, 1\), x0 \(3, 2\)"):
        tear_down(x0, t, SCHEDULE, torch.ones(3, 1))
    with pytest.raises(ShapeError, match=r"t has shape \(2,\); expected \[batch\] = \(3,\)"):
        tear_down(x0, t[:2], SCHEDULE, x0)
    with pytest.raises(ShapeError, match="x0 is a single number"):
        tear_down(torch.tensor(1.0), t, SCHEDULE, torch.tensor(1.0))


@pytest.mark.usefixtures("_as_for_a_user")
def test_data_that_is_not_float():
    x0, t = torch.ones(3, 2), torch.tensor([1, 2, 3])
    with pytest.raises(DataError, match=r"x0 is torch\.uint8; expected a tensor of floats"):
        tear_down(x0.byte(), t, SCHEDULE, x0)
    with pytest.raises(DataError, match="noise is list"):
        tear_down(x0, t, SCHEDULE, [1.0])  # pyright: ignore[reportArgumentType]
