"""Tearing down: from the data to any step in one jump."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from companion.diffusion.schedule import Schedule
from companion.errors import DataError, ShapeError

__all__ = ["Denoiser", "coefficient", "predict_noise", "standard_normal", "tear_down"]

Denoiser = Callable[[Tensor, Tensor], Tensor]
"""``model(x_t, t)``: the noise in ``x_t``, of variance 1 as in Ho et al.; t is int64 [batch]."""


def tear_down(
    x0: Float[Tensor, "batch ..."],
    t: Int64[Tensor, " batch"],
    schedule: Schedule,
    noise: Float[Tensor, "batch ..."],
) -> Float[Tensor, "batch ..."]:
    r"""Jump from the data to step t: :math:`x_t = \bar\alpha_t x_0 + \bar\beta_t \bar\varepsilon`.

    This is ``eq-ddpm-jump``; each row has its own step.

    Args:
        x0: data of any shape, float; its precision and device are those of the result.
        t: steps in 0 … T, 0 is the data itself. On the CPU the check of t costs a GPU no wait.
        noise: :math:`\bar\varepsilon`, standard normal, of the shape of ``x0``.

    Raises:
        ShapeError: if ``noise`` or ``t`` does not fit ``x0``.
        DataError: if a step is out of range or no int64, or ``x0`` or ``noise`` is not float.

    >>> x0, noise = torch.ones(2, 1), torch.full((2, 1), 0.25)
    >>> tear_down(x0, torch.tensor([0, 2]), Schedule([0.8, 0.75]), noise)
    tensor([[1.0000],
            [0.8000]])
    """
    check_data("x0", x0)
    check_data("noise", noise)
    if noise.shape != x0.shape:
        raise ShapeError(f"noise has shape {tuple(noise.shape)}, x0 {tuple(x0.shape)}")
    check_times(t, len(x0), lowest=0, highest=schedule.steps)
    alpha_bar = coefficient(schedule.alpha_bar, t, x0)
    beta_bar = coefficient(schedule.beta_bar, t, x0)
    return (alpha_bar * x0 + beta_bar * noise).to(x0.dtype)


def coefficient(table: Float64[Tensor, " time"], t: Int64[Tensor, " batch"], x: Tensor) -> Tensor:
    """Return ``table[t]`` as ``[batch, 1, … 1]``, in the precision and on the device of x."""
    return table[t.cpu()].to(x).view(-1, *[1] * (x.ndim - 1))


def predict_noise(model: Denoiser, x_t: Tensor, t: Int64[Tensor, " batch"]) -> Tensor:
    """Return ``model(x_t, t)``, refused unless it is a tensor of the shape of ``x_t``.

    >>> predict_noise(lambda x, t: 0 * x, torch.ones(2, 3), torch.tensor([1, 2])).shape
    torch.Size([2, 3])
    """
    guess = model(x_t, t)
    if not isinstance(guess, Tensor):
        raise DataError(
            f"the model returned a {type(guess).__name__}; expected the noise, a tensor"
        )
    if guess.shape != x_t.shape:
        found = f"{tuple(guess.shape)} for x_t of shape {tuple(x_t.shape)}"
        raise ShapeError(f"the model returned shape {found}; expected the same")
    return guess


def standard_normal(
    shape: Sequence[int],
    *,
    generator: torch.Generator | None,
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    """Draw on the generator's device, then move: a CPU generator gives any device the same noise.

    >>> draws = torch.Generator().manual_seed(0)
    >>> standard_normal([2], generator=draws, dtype=torch.float32, device=torch.device("cpu"))
    tensor([ 1.5410, -0.2934])
    """
    at = device if generator is None else generator.device
    return torch.randn(tuple(shape), generator=generator, dtype=dtype, device=at).to(device)


def check_data(name: str, x: Tensor) -> None:
    """Refuse what is no float tensor with a batch axis."""
    if not isinstance(x, Tensor) or not x.is_floating_point():
        found = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise DataError(f"{name} is {found}; expected a tensor of floats")
    if x.ndim == 0:
        raise ShapeError(f"{name} is a single number; expected a batch [batch, …]")


def check_times(t: Tensor, batch: int, *, lowest: int, highest: int) -> None:
    """Refuse steps out of range; a ``t`` on a GPU is waited for."""
    if t.dtype != torch.int64:
        raise DataError(f"t is {t.dtype}; expected torch.int64")
    if t.shape != (batch,):
        raise ShapeError(f"t has shape {tuple(t.shape)}; expected [batch] = {(batch,)}")
    wrong = (t < lowest) | (t > highest)
    if wrong.any():
        row = int(wrong.nonzero()[0])
        raise DataError(f"t[{row}] is {int(t[row])}; expected {lowest} … {highest}")
