"""Two losses with one expected gradient, and how much the gradient of each varies."""

import jaxtyping
import pytest
import torch

from companion.diffusion import Schedule, denoising_loss
from companion.errors import DataError, ShapeError

SCHEDULE = Schedule.su()


@pytest.fixture
def _as_for_a_user():
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def column(table: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    return table[t][:, None]


def wave(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    return (x + t[:, None] / 7).sin()


@pytest.fixture
def batch():
    draws = torch.Generator().manual_seed(0)
    x0, one, two = torch.randn(3, 50, 3, generator=draws).double()
    return x0, one, two, torch.randint(1, 1001, (50,), generator=draws)


def test_reduced_is_the_formula(batch):
    x0, noise, _, t = batch
    x_t = column(SCHEDULE.alpha_bar, t) * x0 + column(SCHEDULE.beta_bar, t) * noise
    squares = (noise - wave(x_t, t)).square()
    found = denoising_loss(wave, x0, SCHEDULE, t=t, noise=noise)
    torch.testing.assert_close(found, squares.mean(), rtol=1e-12, atol=0)
    found = denoising_loss(wave, x0, SCHEDULE, weighting="essay", t=t, noise=noise)
    weight = (column(SCHEDULE.beta, t) / column(SCHEDULE.beta_bar, t)).square()
    torch.testing.assert_close(found, (weight * squares).mean(), rtol=1e-12, atol=0)


def test_four_noise_is_the_formula(batch):
    x0, before, last, t = batch
    beta, beta_bar = column(SCHEDULE.beta, t), column(SCHEDULE.beta_bar, t)
    rest = column(SCHEDULE.alpha, t) * column(SCHEDULE.beta_bar, t - 1)
    x_t = column(SCHEDULE.alpha_bar, t) * x0 + rest * before + beta * last
    squares = (last - beta / beta_bar * wave(x_t, t)).square()  # the essay's ε_θ is β/β̄ of ours
    found = denoising_loss(
        wave, x0, SCHEDULE, form="four-noise", weighting="essay", t=t, noise=(before, last)
    )
    torch.testing.assert_close(found, squares.mean(), rtol=1e-11, atol=0)
    found = denoising_loss(wave, x0, SCHEDULE, form="four-noise", t=t, noise=(before, last))
    uniform = (beta_bar / beta).square() * squares
    torch.testing.assert_close(found, uniform.mean(), rtol=1e-11, atol=0)


def test_at_the_first_step_there_is_no_noise_before(batch):
    x0, before, last, _ = batch
    t = torch.ones(50, dtype=torch.int64)
    losses = [
        denoising_loss(wave, x0, SCHEDULE, form="four-noise", t=t, noise=(other, last))
        for other in (before, 1e6 * before)
    ]
    torch.testing.assert_close(*losses, rtol=0, atol=0)
    reduced = denoising_loss(wave, x0, SCHEDULE, t=t, noise=last)
    torch.testing.assert_close(losses[0], reduced, rtol=1e-12, atol=0)


def gradients(form: str, t: int, count: int = 40_000) -> torch.Tensor:
    """Gradients of a linear model's loss, one row a sample: [sample, weight]."""
    x0 = torch.randn(count, 2, generator=torch.Generator().manual_seed(1)).double()
    x0 = x0 * torch.tensor([1.0, 0.5]) + torch.tensor([0.3, 0.0])
    weight = torch.tensor([[0.3, 0.1], [-0.2, 0.4]]).double().repeat(count, 1, 1).requires_grad_()
    loss = denoising_loss(
        lambda x, t: torch.einsum("bij,bj->bi", weight, x),
        x0,
        SCHEDULE,
        form=form,  # pyright: ignore[reportArgumentType]
        t=torch.full((count,), t),
        generator=torch.Generator().manual_seed(2 if form == "reduced" else 3),
    )
    (gradient,) = torch.autograd.grad(loss * count, weight)
    return gradient.flatten(1)


@pytest.mark.parametrize(
    ("t", "low", "high"), [(1, 0.9, 1.1), (2, 1.3, 1.8), (10, 4, 7), (100, 35, 60), (500, 70, 150)]
)
def test_same_mean_gradient_but_another_variance(t, low, high):
    reduced, four = gradients("reduced", t), gradients("four-noise", t)
    error = ((reduced.var(dim=0) + four.var(dim=0)) / len(reduced)).sqrt()
    assert ((reduced.mean(dim=0) - four.mean(dim=0)).abs() < 4 * error).all()
    assert low < float(four.var(dim=0).sum() / reduced.var(dim=0).sum()) < high


def test_another_scale_of_the_target_would_not_have_the_same_gradient():
    reduced, four = gradients("reduced", 10), gradients("four-noise", 10)
    error = ((reduced.var(dim=0) + four.var(dim=0)) / len(reduced)).sqrt()
    forgotten = SCHEDULE.beta[10] / SCHEDULE.beta_bar[10]  # β_t for β̄_t
    assert ((reduced.mean(dim=0) - forgotten * four.mean(dim=0)).abs() > 4 * error).any()


def test_the_best_linear_guess_for_unit_variance_is_told_by_the_loss():
    x0 = torch.randn(20_000, 1, generator=torch.Generator().manual_seed(0)).double()
    t = torch.full((20_000,), 300)
    losses = {}
    for share in (0.9, 1.0, 1.1):
        losses[share] = float(
            denoising_loss(
                lambda x, t, share=share: share * column(SCHEDULE.beta_bar, t) * x,
                x0,
                SCHEDULE,
                t=t,
                generator=torch.Generator().manual_seed(1),
            )
        )
    assert min(losses, key=losses.__getitem__) == 1.0
    assert losses[1.0] == pytest.approx(float(SCHEDULE.alpha_bar[300] ** 2), rel=0.03)


def test_times_are_drawn_evenly_from_1_to_the_last():
    schedule, seen = Schedule.su(5), []

    def model(x, t):
        seen.append(t)
        return x

    denoising_loss(
        model, torch.zeros(50_000, 1), schedule, generator=torch.Generator().manual_seed(0)
    )
    counts = seen[0].bincount(minlength=6)
    assert counts[0] == 0
    assert len(counts) == 6
    assert ((counts[1:] / 10_000 - 1).abs() < 0.05).all()


@pytest.mark.parametrize("form", ["reduced", "four-noise"])
def test_one_generator_one_loss(form):
    x0 = torch.randn(8, 3)
    one, same, other = (
        denoising_loss(wave, x0, SCHEDULE, form=form, generator=torch.Generator().manual_seed(seed))
        for seed in (1, 1, 2)
    )
    assert one == same != other


def test_a_bf16_answer_is_compared_in_float32():
    x0 = torch.randn(64, 8)
    noise, t = torch.randn(64, 8), torch.arange(1, 65)
    found = denoising_loss(lambda x, t: x.bfloat16(), x0, SCHEDULE, t=t, noise=noise)
    assert found.dtype == torch.float32


@pytest.mark.usefixtures("_as_for_a_user")
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"form": "five-noise"}, DataError, "form is 'five-noise'; expected one of 'reduced'"),
        ({"weighting": "snr"}, DataError, "weighting is 'snr'; expected one of 'uniform'"),
        ({"t": torch.tensor([1, 0, 2])}, DataError, r"t\[1\] is 0; expected 1 … 1000"),
        ({"t": torch.tensor([1, 2, 1001])}, DataError, r"t\[2\] is 1001; expected 1 … 1000"),
        ({"t": torch.tensor([1, 2])}, ShapeError, r"t has shape \(2,\)"),
        ({"noise": torch.ones(3, 1)}, ShapeError, r"noise has shape \(3, 1\), x0 \(3, 2\)"),
        ({"noise": (torch.ones(3, 2),) * 2}, DataError, "noise holds 2 tensors; expected one"),
        (
            {"form": "four-noise", "noise": torch.ones(3, 2)},
            DataError,
            r"noise holds 1 tensors; expected a pair .* for 'four-noise'",
        ),
    ],
)
def test_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        denoising_loss(lambda x, t: x, torch.ones(3, 2), SCHEDULE, **options)


@pytest.mark.usefixtures("_as_for_a_user")
def test_answers_and_data_that_do_not_fit():
    x0 = torch.ones(3, 2)
    with pytest.raises(ShapeError, match=r"returned shape \(3, 1\) for x_t of shape \(3, 2\)"):
        denoising_loss(lambda x, t: x[:, :1], x0, SCHEDULE)
    with pytest.raises(DataError, match="the model returned a tuple; expected the noise"):
        denoising_loss(lambda x, t: (x,), x0, SCHEDULE)  # pyright: ignore[reportArgumentType]
    with pytest.raises(DataError, match=r"x0 is torch\.uint8; expected a tensor of floats"):
        denoising_loss(lambda x, t: x, x0.byte(), SCHEDULE)
