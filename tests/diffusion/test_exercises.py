"""The exercises on diffusion: what their texts claim, and other right and wrong answers."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from companion.diffusion import (
    Schedule,
    ddim_step,
    exercises,
    greedy_step,
    problems,
    sampling_mistakes,
    sampling_problems,
    tear_down,
)
from companion.errors import AnswerError
from companion.exercises import Exercise, check

seeds = st.integers(0, 2**20)


def float64(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def alphas(seed: int, count: int) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return 0.05 + 0.94 * torch.rand(count, generator=rng, dtype=torch.float64)


def normal(seed: int, *shape: int) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=rng, dtype=torch.float64)


def said(exercise: Exercise, answer: object) -> str:
    with pytest.raises(AnswerError) as caught:
        check(exercise, answer)
    return " ".join(str(caught.value).split())


# what the cases take for right, against the package


@given(seed=seeds, count=st.integers(1, 12))
def test_noises_are_those_of_the_schedule_and_keep_the_variance(seed: int, count: int) -> None:
    given_alphas = alphas(seed, count)
    schedule, rows = Schedule(given_alphas), problems.noises(given_alphas)
    torch.testing.assert_close(rows[:, 0], schedule.alpha_bar)
    torch.testing.assert_close(rows[:, 1:].norm(dim=1), schedule.beta_bar)
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(count + 1, dtype=torch.float64))


def test_notation_is_that_of_the_schedule() -> None:
    for case in problems.notation_cases():
        schedule = Schedule.from_ho(case.inputs["paper_betas"])
        rows = (schedule.alpha, schedule.alpha_bar, schedule.beta_bar / schedule.beta)
        torch.testing.assert_close(case.expected, torch.stack(rows)[:, 1:])


def test_schedule_is_the_subset_of_the_package() -> None:
    for case in sampling_problems.schedule_cases():
        long, every = case.inputs.values()
        times = torch.arange(0, len(long) + 1, int(every))
        torch.testing.assert_close(Schedule(long).subset(times).alpha[1:], case.expected)


def test_variance_is_the_posterior_of_the_package() -> None:
    for case in sampling_problems.variance_cases():
        schedule = Schedule(case.inputs["alphas"])
        spread = schedule.beta[1:] * schedule.beta_bar[:-1] / schedule.beta_bar[1:]
        torch.testing.assert_close(case.expected, spread)
        assert case.expected[0] == 0


def test_ddim_is_the_step_of_the_package() -> None:
    for case in sampling_problems.ddim_cases():
        x, noise, now, then = case.inputs.values()
        if then == 1:
            schedule, t = Schedule([float(now)]), 1
        else:
            schedule, t = Schedule([float(then), float(now / then)]), 2
        found = ddim_step(x[None], noise[None], t, schedule)[0]
        torch.testing.assert_close(found, case.expected)
        greedy = greedy_step(x[None], noise[None], t, schedule)[0]
        torch.testing.assert_close(greedy, sampling_mistakes.greedy(x, noise, now, then))
        assert torch.allclose(greedy, case.expected) == (then == 1)  # they agree at s = 0 only


def test_optimal_is_the_denoiser_of_the_package() -> None:
    from companion.diffusion import optimal_denoiser

    for case in sampling_problems.optimal_cases():
        x, data, bar = case.inputs.values()
        found = optimal_denoiser(x[None], torch.tensor([1]), data, Schedule([float(bar)]))[0]
        torch.testing.assert_close(found, case.expected)


# other right answers


def walked(steps: Tensor) -> Tensor:
    """Step by step, as the tearing down itself: slow, and right."""
    found = torch.ones(1, dtype=torch.float64)
    for one in steps:
        found = torch.cat([one * found, (1 - one**2).sqrt()[None]])
    return found


def test_mixing_may_be_walked() -> None:
    check(exercises.MIXING, walked)
    with pytest.raises(AnswerError, match=r"the\s+squares\s+sum\s+to"):
        check(exercises.MIXING, lambda steps: 2 * walked(steps))
    with pytest.raises(AnswerError, match=r"sum\s+to\s+1,\s+but"):
        check(exercises.MIXING, lambda steps: walked(steps).flip(0))


def turned(alpha: Tensor, before: Tensor, *, sign: float = 1.0) -> Tensor:
    angle = torch.atan2((1 - alpha**2).sqrt(), alpha * (1 - before**2).sqrt())
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos, sin, sign * sin, -sign * cos]).view(2, 2)


def test_rotation_leaves_the_sign_of_omega_free() -> None:
    check(exercises.ROTATION, turned)
    check(exercises.ROTATION, lambda alpha, before: turned(alpha, before, sign=-1.0))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ([[2, 0], [0, 1]], "ε has variance 4, expected 1"),
        ([[0, 1], [1, 0]], "but β̄_t ε is not the noise in x_t"),
        ([[1, 0], [0.5, 1]], "E[εω] = 0.5, expected 0"),
        ([[1, 0], [0, 3]], "ω has variance 9, expected 1"),
    ],
)
def test_rotation_says_what_an_unknown_mistake_breaks(change: object, words: str) -> None:
    message = said(
        exercises.ROTATION, lambda alpha, before: float64(change) @ turned(alpha, before)
    )
    assert words in message


def test_reduced_says_that_zero_has_loss_one() -> None:
    assert "at f = 0 the loss is 1, here 4" in said(
        exercises.REDUCED, lambda alpha, before: 4 * turned(alpha, before)[:, 1] ** 2
    )


def test_notation_names_the_rows_that_are_wrong() -> None:
    def answer(betas: Tensor) -> Tensor:
        schedule = Schedule.from_ho(betas)
        rows = (schedule.alpha, schedule.alpha_bar + 1, schedule.beta_bar / schedule.beta)
        return torch.stack(rows)[:, 1:]

    assert "not right: ᾱ_t found" in said(exercises.NOTATION, answer)


def test_variance_may_come_from_precisions() -> None:
    """1/β̄² of what x₀ says of x_{t−1}, and α²/β² of what x_t says; at t = 1 the first is ∞."""

    def answer(steps: Tensor) -> Tensor:
        before = torch.cat([steps.new_ones(1), steps.cumprod(0)[:-1]])
        return (1 / (1 / (1 - before**2) + steps**2 / (1 - steps**2))).sqrt()

    check(exercises.VARIANCE, answer)
    assert "x₀ itself, which is given" in said(exercises.VARIANCE, lambda one: answer(one) + 0.5)


def test_ddim_may_start_from_the_greedy_form() -> None:
    def answer(x: Tensor, noise: Tensor, now: Tensor, then: Tensor) -> Tensor:
        alpha = now / then
        return (x - ((1 - now**2).sqrt() - alpha * (1 - then**2).sqrt()) * noise) / alpha

    check(exercises.DDIM, answer)


def test_optimal_names_densities_that_vanish() -> None:
    """A loop over the points, with densities as they are: right but for the far x."""

    def answer(x: Tensor, data: Tensor, bar: Tensor) -> Tensor:
        density = [math.exp(-float((x - bar * y) @ (x - bar * y) / (2 - 2 * bar**2))) for y in data]
        return float64(density) @ data / float64(density).sum()

    assert "Shift the exponents" in said(exercises.OPTIMAL, answer)


def test_optimal_cases_hold_one_far_from_every_point() -> None:
    distances = []
    for case in sampling_problems.optimal_cases():
        x, data, bar = case.inputs.values()
        distances.append(float((x - bar * data).norm(dim=1).min() / (1 - bar**2).sqrt()))
    assert max(distances) > 40  # where exp(−d²/2) is 0 in float64
    assert math.exp(-(40**2) / 2) == 0


# what the solutions say


def test_thirty_five_noises_outweigh_the_rest() -> None:
    squares = problems.noises(Schedule.su().alpha[1:])[-1].square()
    assert squares[-35:].sum() > 0.5 > squares[-34:].sum()


def test_the_matrix_of_the_chapter_is_a_reflection() -> None:
    for case in problems.rotation_cases():
        torch.testing.assert_close(case.expected @ case.expected, torch.eye(2).double())
        torch.testing.assert_close(torch.det(case.expected), float64(-1.0))


def test_reduced_pieces_by_sampling_with_any_f() -> None:
    alpha, before = float64(0.8), float64(0.6)
    old, new = normal(0, 2, 400_000)
    seen = alpha * (1 - before**2).sqrt() * old + (1 - alpha**2).sqrt() * new
    size, beta = (1 - (alpha * before) ** 2).sqrt(), (1 - alpha**2).sqrt()
    weight, constant = problems._turned(alpha, before)[:, 1] ** 2
    for f in (0 * seen, seen.tanh(), -seen):
        both = weight * (seen / size - size / beta * f).square().mean() + constant
        assert abs((new - f).square().mean() - both) < 0.01


def test_numbers_of_the_solutions() -> None:
    schedule = Schedule.su()
    share = 1 - (schedule.beta[100] / schedule.beta_bar[100]) ** 2
    assert round(float(share), 2) == 0.98
    assert f"{schedule.beta[1]:.4f}" == "0.0045"
    ratio = schedule.beta_bar[:-1] / schedule.beta_bar[1:]
    assert ratio[99:].min() > 0.99  # from t = 100 on
    assert (ratio.diff() > 0).all()
    assert f"{schedule.alpha_bar[-1]:.4f}" == "0.0065"
    assert f"{schedule.alpha_bar[-1] ** 2:.5f}" == "0.00004"
    assert (schedule.beta_bar[1:] >= schedule.beta[1:]).all()


def test_every_tenth_alpha_is_the_formula_with_fewer_steps() -> None:
    kept = Schedule.su().alpha[10::10]
    torch.testing.assert_close(kept, Schedule.su(100).alpha[1:])
    for steps in (25, 50, 100):
        mended = Schedule.su(steps, largest=20 / steps).alpha_bar[-1]
        assert mended < Schedule.su().alpha_bar[-1]  # tears down more than it should


@given(seed=seeds)
def test_ddim_of_normal_data_is_a_cosine(seed: int) -> None:
    low, high = alphas(seed, 2).sort().values
    x = normal(seed, 3)
    schedule = Schedule([float(high), float(low / high)])
    found = ddim_step(x[None], schedule.beta_bar[2] * x[None], 2, schedule)[0]
    torch.testing.assert_close(found, (low.acos() - high.acos()).cos() * x)


@given(seed=seeds, bar=st.floats(0.05, 0.99))
def test_two_points_make_a_soft_sign(seed: int, bar: float) -> None:
    x, alpha_bar = normal(seed, 1), float64(bar)
    found = sampling_problems._bayes(x, float64([[-1.0], [1.0]]), alpha_bar)
    torch.testing.assert_close(found, (alpha_bar * x / (1 - alpha_bar**2)).tanh())


def test_ddim_cases_are_one_picture_and_noise_at_two_times() -> None:
    """The first case of the message, torn down by the package."""
    schedule = Schedule([0.8, 0.75])
    x0, noise = float64([[2, 1]]), float64([[1, 2]])
    now, then = (tear_down(x0, torch.tensor([t]), schedule, noise)[0] for t in (2, 1))
    case = sampling_problems.ddim_cases()[0]
    torch.testing.assert_close(case.inputs["x"], now)
    torch.testing.assert_close(case.expected, then)
