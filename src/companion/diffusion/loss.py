"""What the network learns: the noise that a step of tearing down has added."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from companion.diffusion.forward import (
    Denoiser,
    check_data,
    check_times,
    coefficient,
    predict_noise,
    standard_normal,
    tear_down,
)
from companion.diffusion.schedule import Schedule
from companion.errors import DataError, ShapeError

__all__ = ["denoising_loss"]


def denoising_loss(
    model: Denoiser,
    x0: Float[Tensor, "batch ..."],
    schedule: Schedule,
    *,
    form: Literal["reduced", "four-noise"] = "reduced",
    weighting: Literal["uniform", "essay"] = "uniform",
    t: Int64[Tensor, " batch"] | None = None,
    noise: Tensor | tuple[Tensor, Tensor] | None = None,
    generator: torch.Generator | None = None,
) -> Float[Tensor, ""]:
    r"""Return the mean squared error of the predicted noise at random steps.

    ``reduced`` (``eq-ddpm-reduced``; Ho et al. 2020, eq. 14):
    :math:`\lVert\varepsilon - \hat\varepsilon(\bar\alpha_t x_0 + \bar\beta_t\varepsilon,
    t)\rVert^2`. ``four-noise`` (``eq-ddpm-four-noise``) draws the last step on its own:
    :math:`\lVert\frac{\bar\beta_t}{\beta_t}\varepsilon_t - \hat\varepsilon(x_t, t)\rVert^2` with
    :math:`x_t = \alpha_t(\bar\alpha_{t-1}x_0 + \bar\beta_{t-1}\bar\varepsilon_{t-1})
    + \beta_t\varepsilon_t`. Both have the same expected gradient, ``reduced`` with less variance.

    Args:
        model: ``model(x_t, t)``, the noise on Ho et al.'s scale of variance 1.
        x0: the data, float, the batch axis first.
        weighting: ``uniform`` as above; ``essay`` multiplies by :math:`\beta_t^2/\bar\beta_t^2`.
        t: steps in 1 … T, one a row (fastest on the CPU); ``None`` draws them evenly.
        noise: :math:`\varepsilon`, or for ``four-noise`` the pair
            :math:`(\bar\varepsilon_{t-1}, \varepsilon_t)`; ``None`` draws it.
        generator: draws t, then the noise; its device may be another than that of ``x0``.

    Raises:
        DataError: for an unknown form or weighting, a step out of range, or ``x0`` not float.
        ShapeError: if t, the noise or the model's answer does not fit ``x0``.

    >>> x0 = torch.zeros(4, 2)
    >>> denoising_loss(lambda x, t: x / 0.6, x0, Schedule([0.8])).round(decimals=6)  # β̄_1 = .6
    tensor(0.)
    """
    check_data("x0", x0)
    _check_word("form", form, ("reduced", "four-noise"))
    _check_word("weighting", weighting, ("uniform", "essay"))
    t = _draw_times(len(x0), schedule, generator) if t is None else t
    check_times(t, len(x0), lowest=1, highest=schedule.steps)
    before, last = _noises(form, x0, noise, generator)
    if before is None:
        x_t, target = tear_down(x0, t, schedule, last), last
    else:
        x_before = tear_down(x0, t - 1, schedule, before)
        beta = coefficient(schedule.beta, t, x0)
        x_t = coefficient(schedule.alpha, t, x0) * x_before + beta * last
        target = coefficient(schedule.beta_bar, t, x0) / beta * last
    error = (target - predict_noise(model, x_t, t.to(x0.device))).square()
    if weighting == "essay":
        error = coefficient((schedule.beta / schedule.beta_bar).square(), t, x0) * error
    return error.mean()


def _noises(
    form: str,
    x0: Tensor,
    noise: Tensor | tuple[Tensor, Tensor] | None,
    generator: torch.Generator | None,
) -> tuple[Tensor | None, Tensor]:
    """Return (None, ε) for the reduced form, (ε̄_{t−1}, ε_t) for the other."""
    count = 1 if form == "reduced" else 2
    if noise is None:
        drawn = [_normal_like(x0, generator) for _ in range(count)]
    else:
        drawn = [noise] if isinstance(noise, Tensor) else list(noise)
    if len(drawn) != count:
        expected = ("one tensor", "a pair (ε̄_{t−1}, ε_t)")[count - 1]
        raise DataError(f"noise holds {len(drawn)} tensors; expected {expected} for {form!r}")
    for part in drawn:
        if part.shape != x0.shape:
            raise ShapeError(f"noise has shape {tuple(part.shape)}, x0 {tuple(x0.shape)}")
    return (None, drawn[0]) if count == 1 else (drawn[0], drawn[1])


def _normal_like(x0: Tensor, generator: torch.Generator | None) -> Tensor:
    return standard_normal(x0.shape, generator=generator, dtype=x0.dtype, device=x0.device)


def _draw_times(
    batch: int, schedule: Schedule, generator: torch.Generator | None
) -> Int64[Tensor, " batch"]:
    """Draw each of 1 … T with the same probability."""
    at = "cpu" if generator is None else generator.device
    return torch.randint(1, schedule.steps + 1, (batch,), generator=generator, device=at)


def _check_word(name: str, found: str, known: tuple[str, ...]) -> None:
    if found not in known:
        raise DataError(f"{name} is {found!r}; expected one of {', '.join(map(repr, known))}")
