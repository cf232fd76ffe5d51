"""Building up: exact marginals where they are known, and the promises of the sampler."""

from dataclasses import FrozenInstanceError
from itertools import pairwise

import jaxtyping
import pytest
import torch
from torch import nn

from companion.diffusion import (
    EmpiricalDenoiser,
    Schedule,
    Trajectory,
    ancestral_step,
    ddim_step,
    greedy_step,
    sample,
    spaced_times,
)
from companion.errors import DataError, NumericsError, ShapeError

METHODS = ["ancestral", "greedy", "ddim", "dpm-solver++"]
SHORT = Schedule.su(20, largest=0.5)


@pytest.fixture
def _as_for_a_user():
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def gaussian_denoiser(schedule: Schedule, mean: float, variance: float):
    """The exact E[ε | x_t] for data from N(mean, variance)."""

    def model(x, t):
        alpha_bar, beta_bar = schedule.alpha_bar[t][:, None], schedule.beta_bar[t][:, None]
        scale = alpha_bar**2 * variance + beta_bar**2
        return (beta_bar / scale * (x - alpha_bar * mean)).to(x.dtype)

    return model


def moments(method: str, mean: float, squared: float, schedule: Schedule, **options):
    """Mean and variance that the sampler arrives at: it is affine in x_T and each z."""
    model = gaussian_denoiser(schedule, mean, squared)
    centre, spread = 0.0, 1.0
    for t in range(schedule.steps, 0, -1):
        row, times = torch.tensor([[0.0], [1.0]]).double(), torch.tensor([t, t])
        guess, z = model(row, times), torch.zeros(2, 1).double()
        if method == "ancestral":
            shift, line = ancestral_step(row, guess, t, schedule, noise=z, **options)
            noisy = ancestral_step(row, guess, t, schedule, noise=z + 1, **options)[0] - shift
        elif method == "ddim":
            shift, line = ddim_step(row, guess, t, schedule, noise=z, **options)
            noisy = ddim_step(row, guess, t, schedule, noise=z + 1, **options)[0] - shift
        else:
            shift, line = greedy_step(row, guess, t, schedule)
            noisy = 0 * shift
        slope = float(line - shift)
        centre = slope * centre + float(shift)
        spread = slope**2 * spread + (float(noisy) ** 2 if t > 1 else 0)
    return centre, spread


def test_unit_variance_is_kept_exactly_by_the_ancestral_step():
    """For N(0, 1) and σ = β every marginal is exact but for the noise that the last step lacks."""
    _, spread = moments("ancestral", 0.0, 1.0, SHORT)
    assert spread == pytest.approx(1 - float(SHORT.beta[1]) ** 2, abs=1e-12)


def test_greedy_for_unit_variance_multiplies_by_alpha():
    schedule = Schedule.su()
    x = torch.randn(2000, 1, generator=torch.Generator().manual_seed(0)).double()
    model = gaussian_denoiser(schedule, 0.0, 1.0)
    for t in (1, 2, 500, 1000):
        guess = model(x, torch.full((2000,), t))
        stepped = greedy_step(x, guess, t, schedule)
        torch.testing.assert_close(stepped, schedule.alpha[t] * x, rtol=1e-12, atol=1e-14)
    found = sample(model, schedule, x.shape, method="greedy", start=x)
    torch.testing.assert_close(found, schedule.alpha_bar[-1] * x, rtol=1e-10, atol=0)
    assert float(found.std()) < 0.007


def test_deterministic_ddim_keeps_unit_variance_where_greedy_does_not():
    schedule = Schedule.su()
    _, kept = moments("ddim", 0.0, 1.0, schedule)
    _, lost = moments("greedy", 0.0, 1.0, schedule)
    assert kept == pytest.approx(1, abs=0.01)
    assert lost == pytest.approx(float(schedule.alpha_bar[-1]) ** 2, rel=1e-9)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("ancestral", {"variance": "beta"}),
        ("ancestral", {"variance": "posterior"}),
        ("ddim", {}),
        ("ddim", {"eta": 0.5}),
        ("ddim", {"eta": 1.0}),
    ],
)
def test_marginals_of_a_gaussian_come_closer_with_every_refinement(method, options):
    errors = []
    for steps in (50, 200, 800):
        schedule = Schedule.su(steps, largest=20 / steps)
        centre, spread = moments(method, 0.4, 0.3, schedule, **options)
        errors.append(abs(centre - 0.4) + abs(spread - 0.3))
    assert errors[2] < 0.008
    assert all(fine < 0.6 * coarse for coarse, fine in pairwise(errors)) or errors[0] < 0.005


@pytest.mark.parametrize(
    ("method", "options"), [("ancestral", {"variance": "posterior"}), ("ddim", {"eta": 0.7})]
)
def test_sampled_moments_are_the_computed_ones(method, options):
    schedule = Schedule.su(50, largest=0.4)
    model = gaussian_denoiser(schedule, 0.4, 0.3)
    centre, spread = moments(method, 0.4, 0.3, schedule, **options)
    draws = torch.Generator().manual_seed(3)
    x = sample(model, schedule, (40_000, 1), method=method, generator=draws, **options)
    assert float(x.mean()) == pytest.approx(centre, abs=4 * (spread / 40_000) ** 0.5)
    assert float(x.var()) == pytest.approx(spread, rel=4 * (2 / 40_000) ** 0.5)


@pytest.mark.parametrize("method", ["ancestral", "ddim", "dpm-solver++"])
def test_the_optimal_denoiser_gives_the_data_back_as_often_as_it_is_there(method):
    data = torch.tensor([-1.5, -1.5, 0.2, 0.6, 0.6, 0.6, 1.8, 1.8, 1.8, 1.8])[:, None]
    schedule = Schedule.su(200, largest=0.1)
    model = EmpiricalDenoiser(data, schedule)
    x = sample(
        model,
        schedule,
        (20_000, 1),
        method=method,
        variance="posterior",
        generator=torch.Generator().manual_seed(5),
    )
    points = torch.tensor([-1.5, 0.2, 0.6, 1.8])
    gaps = (x - points).abs()
    near = float((gaps.amin(dim=1) < 0.02).float().mean())
    assert near > (0.999 if method == "ancestral" else 0.97)
    shares = gaps.argmin(dim=1).bincount(minlength=4) / len(x)
    expected = torch.tensor([0.2, 0.1, 0.3, 0.4])
    torch.testing.assert_close(shares, expected, rtol=0, atol=0.015)


def test_eta_1_is_the_ancestral_step_with_the_posterior_variance():
    x, guess, z = torch.randn(3, 5, 2, generator=torch.Generator().manual_seed(0)).double()
    for t in (1, 2, 11, 20):
        ddim = ddim_step(x, guess, t, SHORT, noise=z, eta=1.0)
        ancestral = ancestral_step(x, guess, t, SHORT, noise=z, variance="posterior")
        torch.testing.assert_close(ddim, ancestral, rtol=0, atol=1e-12)


def test_clipping_does_nothing_where_nothing_is_to_be_clipped():
    guess, x0 = torch.randn(5, 2).double(), torch.rand(5, 2).double() * 2 - 1
    for t in (1, 2, 11, 20):
        x = SHORT.alpha_bar[t] * x0 + SHORT.beta_bar[t] * guess
        for step in (greedy_step, ddim_step):
            plain, clipped = (step(x, guess, t, SHORT, clip=clip) for clip in (False, True))
            torch.testing.assert_close(plain, clipped, rtol=0, atol=1e-12)
        far = greedy_step(x + 100, guess, t, SHORT, clip=True)
        assert not torch.allclose(far, greedy_step(x + 100, guess, t, SHORT), atol=1e-3)


class Counting(nn.Module):
    """Remembers the times it was called at, its modes, and whether gradients were on."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.frozen = nn.Dropout().eval()
        self.times, self.state = [], []

    def forward(self, x, t):
        self.times.append(int(t[0]))
        modes = {module.training for module in self.modules()}
        self.state.append((modes, torch.is_grad_enabled(), t.dtype, tuple(t.shape), x.dtype))
        return self.layer(x)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("spacing", ["trailing", "leading"])
def test_any_number_of_steps(method, spacing):
    for steps in range(1, 21):
        model = Counting()
        x = sample(model, SHORT, (3, 2), method=method, steps=steps, spacing=spacing)
        assert model.times == spaced_times(steps, 20, spacing=spacing)[1:].flip(0).tolist()
        assert len(model.times) == steps
        assert x.shape == (3, 2)
        assert x.isfinite().all()


def test_trailing_times_begin_at_the_last_and_never_meet():
    for total in (1, 7, 50, 1000):
        for steps in range(1, min(total, 60) + 1):
            times = spaced_times(steps, total)
            assert times[0] == 0
            assert times[-1] == total
            assert (times.diff() > 0).all()
    assert spaced_times(50, 1000, spacing="leading")[-1] == 981  # what DDIM's authors start from


def test_the_model_is_called_in_evaluation_mode_without_gradients_and_restored():
    model = Counting()
    x = sample(model, SHORT, (3, 2))
    assert set(map(str, model.state)) == {
        str(({False}, False, torch.int64, (3,), torch.float32)),
    }
    assert model.training
    assert model.layer.training
    assert not model.frozen.training  # as it was
    assert not x.requires_grad


def test_the_modes_are_restored_when_the_model_fails():
    class Failing(Counting):
        def forward(self, x, t):
            raise RuntimeError("no answer")

    model = Failing()
    with pytest.raises(RuntimeError, match="no answer"):
        sample(model, SHORT, (3, 2))
    assert model.training
    assert not model.frozen.training


def wave(x, t):
    return (3 * x + t.view(-1, *[1] * (x.ndim - 1)) / 5).sin()


@pytest.mark.parametrize("method", METHODS)
def test_one_generator_one_sample(method):
    shape = (4, 1, 3, 3)
    one, same, other = (
        sample(wave, SHORT, shape, method=method, generator=torch.Generator().manual_seed(seed))
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize(
    ("method", "options"), [("ddim", {}), ("greedy", {}), ("dpm-solver++", {})]
)
def test_deterministic_after_the_start(method, options):
    start = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    runs = [sample(wave, SHORT, (4, 2), method=method, start=start, **options) for _ in range(2)]
    assert torch.equal(*runs)
    random = [sample(wave, SHORT, (4, 2), method="ddim", eta=0.5, start=start) for _ in range(2)]
    assert not torch.equal(*random)


def test_the_start_is_not_changed_and_decides_the_precision():
    start = torch.randn(4, 2).double()
    kept = start.clone()
    assert sample(wave, SHORT, (4, 2), start=start).dtype == torch.float64
    assert torch.equal(start, kept)
    assert sample(wave, SHORT, (4, 2), start=start.bfloat16()).dtype == torch.float32
    assert sample(wave, SHORT, (4, 2), dtype=torch.float64).dtype == torch.float64
    assert sample(wave, SHORT, (4, 2)).dtype == torch.float32
    assert sample(lambda x, t: x.bfloat16(), SHORT, (4, 2)).dtype == torch.float32


def test_float32_follows_float64():
    start = torch.randn(64, 3, generator=torch.Generator().manual_seed(0)).double()
    for method in ("ddim", "dpm-solver++"):
        single, double = (
            sample(wave, Schedule.su(), (64, 3), method=method, steps=50, start=x)
            for x in (start.float(), start)
        )
        gap = (single - double).abs().median()
        assert gap < 1e-4


@pytest.mark.parametrize("method", METHODS)
def test_the_trajectory_runs_from_the_start_to_the_sample(method):
    start = torch.randn(4, 2)
    path, end = (
        sample(
            wave,
            SHORT,
            (4, 2),
            method=method,
            steps=7,
            start=start,
            trajectory=wanted,
            generator=torch.Generator().manual_seed(0),
        )
        for wanted in (True, False)
    )
    assert isinstance(path, Trajectory)
    assert isinstance(end, torch.Tensor)
    assert path.states.shape == (8, 4, 2)
    assert torch.equal(path.states[0], start)
    assert torch.equal(path.states[-1], end)
    assert torch.equal(path.times, spaced_times(7, 20).flip(0))
    with pytest.raises(FrozenInstanceError):
        path.times = path.times  # pyright: ignore[reportAttributeAccessIssue]


def test_no_fresh_noise_in_the_last_step():
    model = EmpiricalDenoiser(torch.full((1, 2), 0.3), SHORT)
    for method in ("ancestral", "ddim"):
        x = sample(model, SHORT, (9, 2), method=method, eta=1.0)
        torch.testing.assert_close(x, torch.full((9, 2), 0.3), rtol=0, atol=1e-5)


def test_a_bar_on_demand(capsys):
    sample(wave, SHORT, (1, 2), steps=5)
    assert capsys.readouterr().err == ""
    sample(wave, SHORT, (1, 2), steps=5, progress=True)
    assert "5/5" in capsys.readouterr().err


@pytest.mark.usefixtures("_as_for_a_user")
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"method": "euler"},
            DataError,
            "'euler'; expected one of 'ancestral', 'greedy', 'ddim', 'dpm-solver\\+\\+'",
        ),
        ({"variance": "learned"}, DataError, "'learned'; expected one of 'beta', 'posterior'"),
        ({"spacing": "even"}, DataError, "spacing is 'even'; expected 'trailing' or 'leading'"),
        ({"steps": 0}, DataError, "steps is 0; expected 1 … 20"),
        ({"steps": 21}, DataError, "steps is 21; expected 1 … 20"),
        ({"steps": -3}, DataError, "steps is -3"),
        ({"eta": 1.5}, DataError, r"eta is 1\.5; expected 0 … 1"),
        ({"dtype": torch.bfloat16}, DataError, r"dtype is torch\.bfloat16; expected torch\.float"),
        ({"start": torch.ones(3, 3)}, ShapeError, r"start has shape \(3, 3\); expected \(3, 2\)"),
    ],
)
def test_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        sample(wave, SHORT, (3, 2), **options)


@pytest.mark.usefixtures("_as_for_a_user")
@pytest.mark.parametrize("shape", [(), (0, 2), (3, -1)])
def test_shapes_that_are_none(shape):
    with pytest.raises(ShapeError, match="expected \\[batch, …\\], each at least 1"):
        sample(wave, SHORT, shape)


@pytest.mark.usefixtures("_as_for_a_user")
def test_answers_of_another_shape():
    with pytest.raises(ShapeError, match=r"returned shape \(3, 1\) for x_t of shape \(3, 2\)"):
        sample(lambda x, t: x[:, :1], SHORT, (3, 2))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("clip", [False, True])
def test_answers_that_are_not_finite_name_the_step(bad, clip):
    def model(x, t):
        return torch.where((t == 13)[:, None], bad, x)

    with pytest.raises(NumericsError, match="NaN or infinity at step t = 13"):
        sample(model, SHORT, (3, 2), clip=clip)
