"""At which of the T steps a shortened run calls the network."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Int64
from torch import Tensor

from companion.errors import DataError

__all__ = ["spaced_times"]


def spaced_times(
    steps: int, total: int, *, spacing: Literal["trailing", "leading"] = "trailing"
) -> Int64[Tensor, " kept"]:
    r"""Return ``steps`` of the times 1 … ``total``, evenly spaced and ascending, after a 0.

    ``trailing`` takes :math:`t_i = \mathrm{round}(iT/S)` and so ends at T, where the noise is what
    sampling starts from. ``leading`` takes :math:`t_i = 1 + (i - 1)\lfloor T/S \rfloor`, the
    default of diffusers' DDIM: it stays below T and takes :math:`x_T` for a less noisy picture
    (Lin et al., *Common Diffusion Noise Schedules and Sample Steps are Flawed*, 2024, table 2).

    Raises:
        DataError: if ``steps`` is not in 1 … ``total``, or the spacing is unknown.

    >>> spaced_times(4, 10)
    tensor([ 0,  2,  5,  8, 10])
    >>> spaced_times(4, 10, spacing="leading")
    tensor([0, 1, 3, 5, 7])
    """
    if not 1 <= steps <= total:
        raise DataError(f"steps is {steps}; expected 1 … {total}, the steps of the schedule")
    if spacing == "trailing":
        kept = [round(i * total / steps) for i in range(1, steps + 1)]
    elif spacing == "leading":
        kept = [1 + i * (total // steps) for i in range(steps)]
    else:
        raise DataError(f"spacing is {spacing!r}; expected 'trailing' or 'leading'")
    return torch.tensor([0, *kept])
