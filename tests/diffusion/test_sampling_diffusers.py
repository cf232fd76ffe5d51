"""The samplers against diffusers, one step at a time, with the same noise.

diffusers keeps its tables in float32, in which 1 − ᾱ has lost digits at small t. Here its
schedulers get float64 tables, so that what is compared is the algorithm, to 1e-5 and closer.
"""

import pytest
import torch

from companion.diffusion import (
    Schedule,
    ancestral_step,
    ddim_step,
    dpm_solver_step,
    predicted_data,
    sample,
    spaced_times,
)

diffusers = pytest.importorskip("diffusers")
SCHEDULES = {1000: Schedule.linear(1000), 100: Schedule.linear(100, first=1e-3, last=0.2)}
SHAPE = (4, 1, 3, 3)
TOLERANCE = 1e-5

precisions = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
clippings = pytest.mark.parametrize("clip", [False, True])


def wave(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """A fixed network: neither linear in x nor the same at two steps."""
    return (0.7 * x + t.view(-1, 1, 1, 1) / 90).sin() + 0.2 * x


def scheduler(name: str, total: int = 1000, **options):
    """A scheduler of diffusers with our tables, in float64."""
    theirs = getattr(diffusers, name)(num_train_timesteps=total, **options)
    ho = SCHEDULES[total].ho()
    theirs.betas, theirs.alphas, theirs.alphas_cumprod = ho.beta, ho.alpha, ho.alpha_bar
    theirs.alpha_t, theirs.sigma_t = ho.alpha_bar.sqrt(), (1 - ho.alpha_bar).sqrt()
    theirs.lambda_t = theirs.alpha_t.log() - theirs.sigma_t.log()
    if hasattr(theirs, "final_alpha_cumprod"):
        theirs.final_alpha_cumprod = torch.tensor(1.0).double()
    if hasattr(theirs, "one"):
        theirs.one = torch.tensor(1.0).double()
    return theirs


def start(dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(0)).to(dtype)


def compare(theirs, times: torch.Tensor, step, advance, dtype=torch.float64, tol=TOLERANCE):
    """Walk down; at every step both get the same x, the same guess and the same noise.

    ``step(x, noise_hat, i, z)`` is ours, ``advance(x, noise_hat, t, draws)`` theirs.
    """
    assert (theirs.timesteps + 1).tolist() == times[1:].flip(0).tolist()  # their t is ours less 1
    x = start(dtype)
    for i in range(len(times) - 1, 0, -1):
        t = int(times[i])
        noise_hat = wave(x, torch.full((len(x),), t))
        draws, same = (torch.Generator().manual_seed(t) for _ in range(2))
        z = torch.randn(SHAPE, generator=same, dtype=dtype)
        expected = advance(noise_hat, t - 1, x, generator=draws)
        found = step(x, noise_hat, i, z)
        torch.testing.assert_close(found.double(), expected.double(), rtol=tol, atol=tol)
        x = found


def check_ancestral(theirs, ours, clip, run, dtype):
    total, steps, spacing = run
    options = {"variance_type": theirs, "clip_sample": clip, "timestep_spacing": spacing}
    other = scheduler("DDPMScheduler", total, **options)
    other.set_timesteps(steps)
    times = spaced_times(steps, total, spacing=spacing)
    short = SCHEDULES[total].subset(times)

    def step(x, noise_hat, i, z):
        # A shortened run of theirs ends with noise; ours, in `sample`, does not.
        z = z if times[i] > 1 else None
        return ancestral_step(x, noise_hat, i, short, noise=z, variance=ours, clip=clip)

    advance = lambda *args, **keys: other.step(*args, **keys).prev_sample  # noqa: E731
    compare(other, times, step, advance, dtype)


@precisions
@clippings
@pytest.mark.parametrize(
    ("theirs", "ours"), [("fixed_large", "beta"), ("fixed_small", "posterior")]
)
@pytest.mark.parametrize(
    "run",
    [(100, 100, "trailing"), (1000, 50, "trailing"), (1000, 50, "leading"), (1000, 7, "trailing")],
)
def test_ancestral(theirs, ours, clip, run, dtype):
    check_ancestral(theirs, ours, clip, run, dtype)


def test_ancestral_through_all_thousand_steps():
    check_ancestral("fixed_large", "beta", False, (1000, 1000, "trailing"), torch.float32)


def check_ddim(eta, clip, run, dtype):
    total, steps, spacing = run
    options = {"clip_sample": clip, "set_alpha_to_one": True, "timestep_spacing": spacing}
    other = scheduler("DDIMScheduler", total, **options)
    other.set_timesteps(steps)
    times = spaced_times(steps, total, spacing=spacing)
    short = SCHEDULES[total].subset(times)

    def step(x, noise_hat, i, z):
        return ddim_step(x, noise_hat, i, short, noise=z, eta=eta, clip=clip)

    advance = lambda *args, **keys: other.step(*args, eta=eta, **keys).prev_sample  # noqa: E731
    compare(other, times, step, advance, dtype)


@precisions
@clippings
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(
    "run",
    [(100, 100, "trailing"), (1000, 50, "trailing"), (1000, 50, "leading"), (1000, 30, "leading")],
)
def test_ddim(eta, clip, run, dtype):
    """Trailing with a divisor of T: else their times and their step before disagree."""
    check_ddim(eta, clip, run, dtype)


def test_ddim_through_all_thousand_steps():
    check_ddim(0.0, False, (1000, 1000, "trailing"), torch.float32)


def check_dpm_solver(run, dtype):
    total, steps, spacing = run
    other = scheduler("DPMSolverMultistepScheduler", total, timestep_spacing=spacing)
    times = spaced_times(steps, total, spacing=spacing)
    if spacing == "leading":  # theirs leaves out one time more than DDIM's: give them ours
        other.set_timesteps(timesteps=(times[1:].flip(0) - 1).tolist())
    else:
        other.set_timesteps(steps)
    short, before = SCHEDULES[total].subset(times), []

    def step(x, noise_hat, i, _):
        x0 = predicted_data(x, noise_hat, i, short)
        before.append(x0)
        return dpm_solver_step(x, x0, i, short, x0_before=before[-2] if before[1:] else None)

    advance = lambda *args, **keys: other.step(*args, **keys).prev_sample  # noqa: E731
    compare(other, times, step, advance, dtype)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@precisions
@pytest.mark.parametrize(
    "run",
    [
        (100, 100, "trailing"),
        (1000, 50, "trailing"),
        (1000, 20, "trailing"),
        (1000, 7, "trailing"),
        (1000, 10, "leading"),
    ],
)
def test_dpm_solver(run, dtype):
    """Their defaults (order 2, midpoint, a last step of order 1 to σ = 0) but for the spacing."""
    check_dpm_solver(run, dtype)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_dpm_solver_through_all_thousand_steps():
    check_dpm_solver((1000, 1000, "trailing"), torch.float32)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize(
    ("method", "name"),
    [("ddim", "DDIMScheduler"), ("dpm-solver++", "DPMSolverMultistepScheduler")],
)
def test_whole_runs_end_at_the_same_pictures(method, name):
    other = scheduler(name, timestep_spacing="trailing")
    other.register_to_config(clip_sample=False)  # which one of them has
    other.set_timesteps(20)
    x = expected = start()
    for t in other.timesteps.tolist():
        guess = wave(expected, torch.full((len(x),), t + 1))
        expected = other.step(guess, t, expected).prev_sample
    found = sample(wave, SCHEDULES[1000], SHAPE, method=method, steps=20, start=x)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_a_whole_ancestral_run_with_the_same_generator():
    other = scheduler("DDPMScheduler", 100, variance_type="fixed_large", clip_sample=True)
    other.set_timesteps(100)
    draws = torch.Generator().manual_seed(3)
    expected = torch.randn(SHAPE, generator=draws)
    for t in other.timesteps.tolist():
        guess = wave(expected, torch.full((len(expected),), t + 1))
        expected = other.step(guess, t, expected, generator=draws).prev_sample.float()
    found = sample(
        wave, SCHEDULES[100], SHAPE, clip=True, generator=torch.Generator().manual_seed(3)
    )
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_their_float32_tables_are_the_reason_for_float64_ones():
    """With diffusers' own tables the same step at t = 2 is off by more than 1e-5."""
    own = diffusers.DDPMScheduler(variance_type="fixed_small", clip_sample=False)
    exact = scheduler("DDPMScheduler", variance_type="fixed_small", clip_sample=False)
    x = start(torch.float32)
    guess = wave(x, torch.full((len(x),), 2))
    steps = [
        other.step(guess, 1, x, generator=torch.Generator().manual_seed(0)).prev_sample.double()
        for other in (own, exact)
    ]
    assert 1e-6 < float((steps[0] - steps[1]).abs().max()) < 2e-4
