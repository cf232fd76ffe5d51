"""From noise to data with any of the steps, and with any number of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args, overload

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from companion.diffusion.forward import Denoiser, check_data, predict_noise, standard_normal
from companion.diffusion.sampling.steps import (
    ancestral_step,
    ddim_step,
    dpm_solver_step,
    greedy_step,
    predicted_data,
)
from companion.diffusion.sampling.times import spaced_times
from companion.diffusion.schedule import Schedule
from companion.errors import DataError, NumericsError, ShapeError

__all__ = ["Trajectory", "sample"]

Method = Literal["ancestral", "greedy", "ddim", "dpm-solver++"]
WATCH = 50  # steps between two looks at what a GPU has found: each look waits for it


@dataclass(frozen=True)
class Trajectory:
    """The path of a batch: ``states[k]`` is x at step ``times[k]``, from noise down to t = 0."""

    times: Int64[Tensor, " time"]
    states: Float[Tensor, "time batch ..."]


@overload
def sample(
    model: Denoiser,
    schedule: Schedule,
    shape: Sequence[int],
    *,
    method: Method = "ancestral",
    steps: int | None = None,
    variance: Literal["beta", "posterior"] = "beta",
    eta: float | int = 0,
    clip: bool = False,
    spacing: Literal["trailing", "leading"] = "trailing",
    start: Float[Tensor, "batch ..."] | None = None,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    progress: bool = False,
    trajectory: Literal[False] = False,
) -> Tensor: ...
@overload
def sample(
    model: Denoiser,
    schedule: Schedule,
    shape: Sequence[int],
    *,
    method: Method = "ancestral",
    steps: int | None = None,
    variance: Literal["beta", "posterior"] = "beta",
    eta: float | int = 0,
    clip: bool = False,
    spacing: Literal["trailing", "leading"] = "trailing",
    start: Float[Tensor, "batch ..."] | None = None,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    progress: bool = False,
    trajectory: Literal[True],
) -> Trajectory: ...
def sample(
    model: Denoiser,
    schedule: Schedule,
    shape: Sequence[int],
    *,
    method: Method = "ancestral",
    steps: int | None = None,
    variance: Literal["beta", "posterior"] = "beta",
    eta: float | int = 0,
    clip: bool = False,
    spacing: Literal["trailing", "leading"] = "trailing",
    start: Float[Tensor, "batch ..."] | None = None,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    progress: bool = False,
    trajectory: bool = False,
) -> Tensor | Trajectory:
    r"""Build up a batch from noise: x_T is standard normal, then one step after the other.

    The network is called once a step, in evaluation mode and without gradients; its modes are
    restored. The state is float32 (a bf16 state makes visibly worse pictures; for a bf16 network
    call this under ``torch.autocast``). The same generator gives the same samples, a CPU generator
    on every device.

    Args:
        model: ``model(x_t, t)``, the noise of variance 1; t is int64 [batch] in 1 … T, one number
            expanded.
        shape: of the result, ``[batch, …]``.
        method: ``ancestral`` (``eq-ddpm-sample``), ``ddim`` and ``dpm-solver++`` for few steps,
            ``greedy`` to see it fail.
        steps: calls of the network, 1 … T; ``None`` for all T. The times are ``spaced_times``.
        variance: of ``ancestral``, see ``ancestral_step``.
        eta: of ``ddim``: 0 deterministic … 1 as random as ``ancestral``.
        clip: clamp each predicted x_0 to [−1, 1]. Right for pictures, where it hides the errors
            of a network at large t; wrong for data outside [−1, 1], so off unless asked for.
        spacing: of the times, ``trailing`` or ``leading``.
        start: x_T, instead of drawing it.
        device: where; ``None`` for that of ``start``, else of the model's parameters.
        dtype: of the state, float32 or float64; ``None`` for that of ``start``, at least float32.
        progress: show a bar.
        trajectory: return every state, not the last alone: (steps + 1) times the memory.

    Raises:
        DataError: for an unknown method, variance or spacing, or steps or η out of range.
        ShapeError: if ``start`` or the model's answer has not the given shape.
        NumericsError: if the model returns NaN or infinity; names the step t.

    >>> draws = torch.Generator().manual_seed(0)
    >>> unit = Schedule.su(100, largest=0.2)
    >>> x = sample(lambda x, t: unit.beta_bar[t][:, None] * x, unit, (9, 2), generator=draws)
    >>> x.shape, bool(x.std() > 0.5)
    (torch.Size([9, 2]), True)
    """
    _check_choices(method, variance, eta)
    steps = schedule.steps if steps is None else steps
    kept = spaced_times(steps, schedule.steps, spacing=spacing)
    x = _first_state(model, shape, start, generator, device, dtype)
    draw = partial(standard_normal, x.shape, generator=generator, dtype=x.dtype, device=x.device)
    step = _Stepper(method, schedule.subset(kept), variance, eta, clip, draw)
    states, finite = [x], []
    with torch.no_grad(), _evaluating(model):
        for i in _countdown(len(kept) - 1, progress=progress):
            t = torch.full((1,), int(kept[i]), device=x.device).expand(len(x))
            noise_hat = predict_noise(model, x, t).to(x.dtype)
            finite.append(noise_hat.isfinite().all())
            if x.device.type == "cpu" or i == 1 or len(finite) % WATCH == 0:
                _check_finite(finite, kept)
            x = step(x, noise_hat, i)
            if trajectory:
                states.append(x)
    return Trajectory(kept.flip(0), torch.stack(states)) if trajectory else x


@dataclass
class _Stepper:
    """One of the methods with its options, and what DPM-Solver++ remembers."""

    method: str
    schedule: Schedule
    variance: Literal["beta", "posterior"]
    eta: float | int
    clip: bool
    draw: Callable[[], Tensor]
    x0_before: Tensor | None = None

    def __call__(self, x: Tensor, noise_hat: Tensor, i: int) -> Tensor:
        """Step from i to i − 1 of the shortened schedule."""
        schedule, clip = self.schedule, self.clip
        if self.method == "greedy":
            return greedy_step(x, noise_hat, i, schedule, clip=clip)
        if self.method == "dpm-solver++":
            x0 = predicted_data(x, noise_hat, i, schedule, clip=clip)
            x0_before, self.x0_before = self.x0_before, x0
            return dpm_solver_step(x, x0, i, schedule, x0_before=x0_before)
        if self.method == "ddim":
            noise = self.draw() if self.eta > 0 and i > 1 else None
            return ddim_step(x, noise_hat, i, schedule, noise=noise, eta=self.eta, clip=clip)
        noise = self.draw() if i > 1 else None
        variance = self.variance
        return ancestral_step(x, noise_hat, i, schedule, noise=noise, variance=variance, clip=clip)


def _first_state(
    model: Denoiser,
    shape: Sequence[int],
    start: Tensor | None,
    generator: torch.Generator | None,
    device: torch.device | str | None,
    dtype: torch.dtype | None,
) -> Tensor:
    """Return x_T: what was given, or standard normal."""
    if not shape or min(shape) < 1:
        raise ShapeError(f"shape is {tuple(shape)}; expected [batch, …], each at least 1")
    if start is not None:
        check_data("start", start)
        if start.shape != tuple(shape):
            raise ShapeError(f"start has shape {tuple(start.shape)}; expected {tuple(shape)}")
        dtype = torch.promote_types(start.dtype, torch.float32) if dtype is None else dtype
    dtype = torch.float32 if dtype is None else dtype
    if dtype not in (torch.float32, torch.float64):
        raise DataError(f"dtype is {dtype}; expected torch.float32 or torch.float64 for the state")
    if device is None:
        weights = model.parameters() if isinstance(model, nn.Module) else iter(())
        given = start if start is not None else next(weights, torch.empty(0))
        device = given.device
    if start is not None:
        return start.detach().to(device, dtype)
    return standard_normal(shape, generator=generator, dtype=dtype, device=torch.device(device))


def _countdown(steps: int, *, progress: bool) -> Iterator[int]:
    """Count from ``steps`` down to 1, with a bar if asked for."""
    numbers = range(steps, 0, -1)
    if not progress:
        return iter(numbers)
    from tqdm.auto import tqdm

    return iter(tqdm(numbers, desc="sampling", unit="step"))


@contextmanager
def _evaluating(model: Denoiser) -> Iterator[None]:
    """Put every module into evaluation mode, and back into the mode that it was in."""
    modules = list(model.modules()) if isinstance(model, nn.Module) else []
    modes = [module.training for module in modules]
    try:
        for module in modules:
            module.training = False
        yield
    finally:
        for module, training in zip(modules, modes, strict=True):
            module.training = training


def _check_choices(method: str, variance: str, eta: float | int) -> None:
    known = {"method": get_args(Method), "variance": ("beta", "posterior")}
    for name, found in (("method", method), ("variance", variance)):
        if found not in known[name]:
            expected = ", ".join(map(repr, known[name]))
            raise DataError(f"{name} is {found!r}; expected one of {expected}")
    if not 0 <= eta <= 1:
        raise DataError(f"eta is {eta}; expected 0 … 1")


def _check_finite(finite: list[Tensor], kept: Int64[Tensor, " kept"]) -> None:
    """Name the first step at which the model returned NaN or infinity."""
    wrong = (~torch.stack(finite)).nonzero()
    if len(wrong):
        t = int(kept[-1 - int(wrong[0])])
        raise NumericsError(f"the model returned NaN or infinity at step t = {t}; expected noise")
