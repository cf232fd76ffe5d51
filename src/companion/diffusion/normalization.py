"""SiLU of a group norm, which comes before every convolution of the U-Net; its fastest code."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from companion.errors import ShapeError
from companion.training.devices import has_triton

__all__ = ["fastest", "group_norm_silu"]

UNFUSED = "group norms run unfused on CUDA"


def group_norm_silu(
    x: Float[Tensor, "batch channel *space"],
    weight: Float[Tensor, " channel"],
    bias: Float[Tensor, " channel"],
    *,
    groups: int,
    eps: float = 1e-5,
) -> Float[Tensor, "batch channel *space"]:
    r"""Normalise each group of channels of each sample, scale and shift each channel, apply SiLU.

    :math:`y = u\,\sigma(u)`, :math:`u_c = w_c (x_c - m_g)/\sqrt{v_g + \mathrm{eps}} + b_c`, with
    the mean :math:`m_g` and the variance :math:`v_g` (of the population) over all channels and
    positions of the group g of c (Wu and He, *Group Normalization*, 2018; SiLU: Elfwing, Uchibe
    and Doya, 2018). This is the definition; ``kernels.group_norm`` has the same name and signature.

    Args:
        x: any floating precision, any memory format.
        weight, bias: one number for each channel; taken to the precision of x.
        groups: how many groups of consecutive channels; divides the number of channels.
        eps: added to the variance.

    Raises:
        ShapeError: if ``groups`` does not divide the channels.

    >>> x = torch.tensor([[[1.0], [3.0]]])  # one sample, two channels in one group: mean 2, var 1
    >>> group_norm_silu(x, torch.ones(2), torch.zeros(2), groups=1).flatten()
    tensor([-0.2689,  0.7311])
    """
    check_groups(x, groups)
    u = functional.group_norm(x, groups, weight.to(x.dtype), bias.to(x.dtype), eps)
    return functional.silu(u, inplace=not u.requires_grad)


def check_groups(x: Tensor, groups: int) -> None:
    """Raise ``ShapeError`` if the channels of x fall into no such number of groups."""
    if x.ndim < 2 or groups < 1 or x.shape[1] % groups:
        expected = "expected [batch, channel, ...] with channels divisible by groups"
        raise ShapeError(f"x has shape {tuple(x.shape)} and groups={groups}; {expected}")


def fastest(device: torch.device | str) -> Callable[..., Tensor]:
    """Return the Triton kernel on CUDA with Triton, else the reference: same signature.

    >>> fastest("cpu") is group_norm_silu
    True
    """
    if torch.device(device).type != "cuda" or not has_triton(UNFUSED):
        return group_norm_silu
    from companion.diffusion.kernels import group_norm

    return group_norm.group_norm_silu
