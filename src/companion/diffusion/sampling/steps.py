"""One step of building up, from x_t to x_{t−1}, in the ways that are known.

``noise_hat`` is the network's guess of the noise in ``x``, of variance 1. For a shortened run the
schedule is ``schedule.subset(times)`` and t counts within it. No step needs noise at t = 1: there
σ is 0, or (``ancestral_step``) what remains of the noise would be left in the picture.
"""

from __future__ import annotations

import math
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from companion.diffusion.schedule import Schedule
from companion.errors import DataError

__all__ = ["ancestral_step", "ddim_step", "dpm_solver_step", "greedy_step", "predicted_data"]


def predicted_data(
    x: Float[Tensor, "batch ..."],
    noise_hat: Float[Tensor, "batch ..."],
    t: int,
    schedule: Schedule,
    *,
    clip: bool = False,
) -> Float[Tensor, "batch ..."]:
    r"""Solve ``eq-ddpm-jump`` for the data: :math:`\hat x_0 = (x_t - \bar\beta_t\hat\varepsilon)/
    \bar\alpha_t`.

    Args:
        clip: clamp to [−1, 1], where pictures are.

    >>> import torch
    >>> predicted_data(torch.ones(1, 1), torch.zeros(1, 1), 1, Schedule([0.5]))
    tensor([[2.]])
    """
    alpha_bar, beta_bar = float(schedule.alpha_bar[t]), float(schedule.beta_bar[t])
    x0 = (x - beta_bar * noise_hat) / alpha_bar
    return x0.clamp(-1, 1) if clip else x0


def greedy_step(
    x: Float[Tensor, "batch ..."],
    noise_hat: Float[Tensor, "batch ..."],
    t: int,
    schedule: Schedule,
    *,
    clip: bool = False,
) -> Float[Tensor, "batch ..."]:
    r"""Take the mean :math:`\mu(x_t)` of what may have come before, and nothing else.

    :math:`(x_t - \frac{\beta_t^2}{\bar\beta_t}\hat\varepsilon)/\alpha_t` (``eq-ddpm-greedy``).
    Never sample with it: a mean has less variance than what it is the mean of, and no fresh noise
    makes up for that. For data of unit variance the step is :math:`x \mapsto \alpha_t x`, so
    all samples end within :math:`\bar\alpha_T` of one point. The deterministic step that keeps
    the variance is ``ddim_step``.

    Args:
        clip: clamp the data that the guess implies to [−1, 1] first.

    >>> import torch
    >>> schedule = Schedule([0.8])
    >>> greedy_step(torch.ones(1, 1), torch.full((1, 1), 0.6), 1, schedule)  # unit variance: β̄_t x
    tensor([[0.8000]])
    """
    alpha, beta = float(schedule.alpha[t]), float(schedule.beta[t])
    alpha_bar, beta_bar = float(schedule.alpha_bar[t - 1]), float(schedule.beta_bar[t])
    if not clip:
        return (x - beta**2 / beta_bar * noise_hat) / alpha
    x0 = predicted_data(x, noise_hat, t, schedule, clip=True)  # the same mean, through x̂_0
    before = float(schedule.beta_bar[t - 1])
    return (alpha_bar * beta**2 * x0 + alpha * before**2 * x) / beta_bar**2


def ancestral_step(
    x: Float[Tensor, "batch ..."],
    noise_hat: Float[Tensor, "batch ..."],
    t: int,
    schedule: Schedule,
    *,
    noise: Float[Tensor, "batch ..."] | None,
    variance: Literal["beta", "posterior"] = "beta",
    clip: bool = False,
) -> Float[Tensor, "batch ..."]:
    r"""Take the mean, then add fresh noise: :math:`\mu(x_t) + \sigma_t z` (``eq-ddpm-sample``).

    Ho et al. 2020, algorithm 2. ``beta``: :math:`\sigma_t = \beta_t`, exact if the data has unit
    variance. ``posterior``: :math:`\sigma_t = \beta_t\bar\beta_{t-1}/\bar\beta_t`, exact if
    the data is a single point.

    Args:
        noise: z, standard normal; ``None`` for the last step, which adds none.
        clip: clamp the data that the guess implies to [−1, 1] first.

    >>> import torch
    >>> x, noise_hat, z = torch.ones(1, 1), torch.zeros(1, 1), torch.ones(1, 1)
    >>> ancestral_step(x, noise_hat, 2, Schedule([0.6, 0.8]), noise=z)
    tensor([[1.8500]])
    """
    mean = greedy_step(x, noise_hat, t, schedule, clip=clip)
    return mean if noise is None else mean + spread(t, schedule, variance=variance) * noise


def spread(t: int, schedule: Schedule, *, variance: Literal["beta", "posterior"]) -> float:
    """Return the standard deviation σ_t of the fresh noise."""
    if variance == "beta":
        return float(schedule.beta[t])
    if variance == "posterior":
        return float(schedule.beta[t] * schedule.beta_bar[t - 1] / schedule.beta_bar[t])
    raise DataError(f"variance is {variance!r}; expected 'beta' or 'posterior'")


def ddim_step(
    x: Float[Tensor, "batch ..."],
    noise_hat: Float[Tensor, "batch ..."],
    t: int,
    schedule: Schedule,
    *,
    noise: Float[Tensor, "batch ..."] | None = None,
    eta: float | int = 0,
    clip: bool = False,
) -> Float[Tensor, "batch ..."]:
    r"""Tear the predicted data down again to t − 1, with the predicted noise.

    :math:`\bar\alpha_{t-1}\hat x_0 + \sqrt{\bar\beta_{t-1}^2 - \sigma^2}\,\hat\varepsilon +
    \sigma z` with :math:`\sigma = \eta\,\beta_t\bar\beta_{t-1}/\bar\beta_t` (Song et al.,
    *Denoising Diffusion Implicit Models*, 2021, eq. 12 and 16). η = 0 is deterministic; η = 1 is
    ``ancestral_step`` with the posterior variance.

    Args:
        noise: z, standard normal; may be ``None`` if η = 0, and for the last step.
        eta: η in [0, 1].
        clip: clamp the predicted data to [−1, 1]; the predicted noise stays.

    Raises:
        DataError: if η is outside [0, 1].

    >>> import torch
    >>> x, noise_hat = torch.ones(1, 1), torch.zeros(1, 1)
    >>> ddim_step(x, noise_hat, 2, Schedule([0.6, 0.8]))
    tensor([[1.2500]])
    """
    if not 0 <= eta <= 1:
        raise DataError(f"eta is {eta}; expected 0 … 1")
    x0 = predicted_data(x, noise_hat, t, schedule, clip=clip)
    alpha_bar, beta_bar = float(schedule.alpha_bar[t - 1]), float(schedule.beta_bar[t - 1])
    sigma = eta * spread(t, schedule, variance="posterior")
    rest = math.sqrt(max(beta_bar**2 - sigma**2, 0.0))
    before = alpha_bar * x0 + rest * noise_hat
    return before if noise is None or sigma == 0 else before + sigma * noise


def dpm_solver_step(
    x: Float[Tensor, "batch ..."],
    x0: Float[Tensor, "batch ..."],
    t: int,
    schedule: Schedule,
    *,
    x0_before: Float[Tensor, "batch ..."] | None,
) -> Float[Tensor, "batch ..."]:
    r"""Take a step of DPM-Solver++(2M): DDIM with the data extrapolated from two predictions.

    With :math:`\lambda_t = \log(\bar\alpha_t/\bar\beta_t)` and
    :math:`h = \lambda_{t-1} - \lambda_t`: :math:`x_{t-1} = \frac{\bar\beta_{t-1}}{\bar\beta_t}x_t
    - \bar\alpha_{t-1}(e^{-h} - 1)D`, :math:`D = \hat x_0 + \frac{h}{2h'}(\hat x_0 - \hat x_0')`
    (Lu et al., *DPM-Solver++*, 2022, algorithm 2; :math:`\hat x_0'` and :math:`h'` are of the step
    before). The first step and the last are DDIM's; the last returns :math:`\hat x_0`.

    Args:
        x0: ``predicted_data`` at t.
        x0_before: ``predicted_data`` at t + 1, ``None`` in the first step.

    >>> import torch
    >>> x, x0 = torch.ones(1, 1), torch.full((1, 1), 0.5)
    >>> dpm_solver_step(x, x0, 1, Schedule([0.6, 0.8]), x0_before=2 * x0)
    tensor([[0.5000]])
    """
    if t == 1:
        return x0
    decay = math.exp(-_log_ratio(t - 1, schedule) + _log_ratio(t, schedule))  # e^{−h}
    direction = x0
    if x0_before is not None:
        h = _log_ratio(t - 1, schedule) - _log_ratio(t, schedule)
        h_before = _log_ratio(t, schedule) - _log_ratio(t + 1, schedule)
        direction = x0 + h / (2 * h_before) * (x0 - x0_before)
    ratio = float(schedule.beta_bar[t - 1] / schedule.beta_bar[t])
    return ratio * x - float(schedule.alpha_bar[t - 1]) * (decay - 1) * direction


def _log_ratio(t: int, schedule: Schedule) -> float:
    """Return λ_t = log(ᾱ_t/β̄_t)."""
    return math.log(float(schedule.alpha_bar[t]) / float(schedule.beta_bar[t]))
