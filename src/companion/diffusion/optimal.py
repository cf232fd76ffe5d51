"""The best possible denoiser for a finite set of data, in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from companion.diffusion.forward import check_data, check_times
from companion.diffusion.schedule import Schedule
from companion.errors import ShapeError

__all__ = ["EmpiricalDenoiser", "optimal_denoiser", "optimal_noise"]

CHUNK = 2**22  # numbers of the data, and of the weights, that are looked at in one go


def optimal_denoiser(
    x_t: Float[Tensor, "batch ..."],
    t: Int64[Tensor, " batch"],
    data: Float[Tensor, "row ..."],
    schedule: Schedule,
) -> Float[Tensor, "batch ..."]:
    r"""Return :math:`E[x_0 \mid x_t]` if :math:`x_0` is a row of ``data``, each as likely.

    :math:`\sum_i w_i x_i` with weights
    :math:`w = \mathrm{softmax}_i(-\lVert x_t - \bar\alpha_t x_i\rVert^2 / 2\bar\beta_t^2)`, by
    Bayes' rule from ``eq-ddpm-jump``. No network has a smaller loss on these rows; sampling with it
    gives back the rows themselves. Large sets are read in pieces, in float64 (float32 on Apple's
    Metal, which has nothing better).

    Args:
        x_t: torn-down points.
        t: the step of each, 1 … T.
        data: the rows, each of the shape of one point; it may stay on the CPU.

    Raises:
        ShapeError: if ``data`` is empty, or its rows or t do not fit ``x_t``.
        DataError: if a step is out of range, or a tensor is not float.

    >>> data = torch.tensor([[-1.0], [1.0]])
    >>> x_t, t = torch.tensor([[0.0], [0.36]]), torch.tensor([1, 1])
    >>> optimal_denoiser(x_t, t, data, Schedule([0.8]))  # the second: tanh(.8 · .36 / .6²)
    tensor([[0.0000],
            [0.6640]])
    """
    mean = _posterior_mean(x_t, t, data, schedule)
    return mean.view(x_t.shape).to(x_t.dtype)


def optimal_noise(
    x_t: Float[Tensor, "batch ..."],
    t: Int64[Tensor, " batch"],
    data: Float[Tensor, "row ..."],
    schedule: Schedule,
) -> Float[Tensor, "batch ..."]:
    r"""Return the same as noise: :math:`(x_t - \bar\alpha_t E[x_0 \mid x_t]) / \bar\beta_t`.

    Raises:
        ShapeError, DataError: as ``optimal_denoiser``.

    >>> optimal_noise(torch.ones(1, 1), torch.tensor([1]), torch.zeros(3, 1), Schedule([0.8]))
    tensor([[1.6667]])
    """
    mean = _posterior_mean(x_t, t, data, schedule)
    alpha_bar, beta_bar = _coefficients(t, schedule, mean)
    noise = (x_t.reshape(mean.shape).to(mean.dtype) - alpha_bar * mean) / beta_bar
    return noise.view(x_t.shape).to(x_t.dtype)


@dataclass(frozen=True)
class EmpiricalDenoiser:
    """The optimal denoiser of ``data`` in the place of a network: ``model(x_t, t)`` is the noise.

    >>> model = EmpiricalDenoiser(torch.zeros(3, 1), Schedule([0.8]))
    >>> model(torch.ones(1, 1), torch.tensor([1]))
    tensor([[1.6667]])
    """

    data: Float[Tensor, "row ..."]
    schedule: Schedule

    def __call__(
        self, x_t: Float[Tensor, "batch ..."], t: Int64[Tensor, " batch"]
    ) -> Float[Tensor, "batch ..."]:
        """Return ``optimal_noise`` of ``x_t``."""
        return optimal_noise(x_t, t, self.data, self.schedule)


def _posterior_mean(x_t: Tensor, t: Tensor, data: Tensor, schedule: Schedule) -> Tensor:
    """Return the weighted average of the rows [batch, dim]: a softmax that never holds them all."""
    _check(x_t, t, data, schedule)
    precision = torch.float32 if x_t.device.type == "mps" else torch.float64
    x = x_t.flatten(1).to(precision) if x_t.ndim > 1 else x_t[:, None].to(precision)
    rows = data.reshape(len(data), x.shape[1])
    alpha_bar, beta_bar = _coefficients(t, schedule, x)
    peak = torch.full((len(x), 1), -torch.inf).to(x)
    total, mean = torch.zeros_like(peak), torch.zeros_like(x)
    for part in rows.split(max(1, CHUNK // max(x.shape))):
        part = part.to(x)
        # −|x_t − ᾱx_i|² / 2β̄², less |x_t|², which all rows share
        logits = alpha_bar * (x @ part.T - alpha_bar / 2 * part.square().sum(dim=1)) / beta_bar**2
        new_peak = torch.maximum(peak, logits.amax(dim=1, keepdim=True))
        weights, rescale = (logits - new_peak).exp(), (peak - new_peak).exp()
        total = rescale * total + weights.sum(dim=1, keepdim=True)
        mean = rescale * mean + weights @ part
        peak = new_peak
    return mean / total


def _coefficients(t: Tensor, schedule: Schedule, x: Tensor) -> tuple[Tensor, Tensor]:
    at = t.cpu()
    return schedule.alpha_bar[at, None].to(x), schedule.beta_bar[at, None].to(x)


def _check(x_t: Tensor, t: Tensor, data: Tensor, schedule: Schedule) -> None:
    check_data("x_t", x_t)
    check_data("data", data)
    check_times(t, len(x_t), lowest=1, highest=schedule.steps)
    if len(data) == 0 or data.shape[1:] != x_t.shape[1:]:
        found = f"{tuple(data.shape)} for x_t of shape {tuple(x_t.shape)}"
        raise ShapeError(f"data has shape {found}; expected rows of the shape of one point")
