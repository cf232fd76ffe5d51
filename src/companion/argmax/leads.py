"""By how much a class leads at a point, proved: products in floating point with a bound."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from companion.argmax.layer import OutputLayer, gamma

__all__ = ["Leads", "leads", "rivals"]


@dataclass(frozen=True)
class Leads:
    """Of each class at its direction: a lower bound of the lead, the best rival, the allowance.

    ``low`` is at most the true lead, and ``low + slack`` at least.
    """

    low: Float64[Tensor, " row"]
    rival: Int64[Tensor, " row"]
    slack: Float64[Tensor, " row"]


def leads(
    layer: OutputLayer,
    directions: Float64[Tensor, "row dim"],
    own: Int64[Tensor, " row"],
    dtype: torch.dtype = torch.float64,
) -> Leads:
    r"""Bound :math:`\min_{i \ne k} \langle x_k - x_i, y\rangle` from below.

    Each product is off by at most :math:`\gamma_{d+8} |x_i| |y|`, the rounding of the rows and of
    the direction to ``dtype`` included; what underflows is allowed for as well.
    """
    share = gamma(layer.dim + 8, dtype)
    length = directions.norm(dim=1) * (1 + gamma(2 * layer.dim + 8, torch.float64))
    tidy = directions / _power_of_two(length)[:, None]  # lengths in [1/2, 1]: nothing overflows
    long = length / _power_of_two(length)
    tiny = 8 * layer.dim * torch.finfo(dtype).tiny
    own_score = (layer.rows(own) * tidy).sum(1)
    own_slack = gamma(layer.dim + 8, torch.float64) * layer.norms[own] * long
    best = torch.full_like(own_score, -torch.inf)
    rival = torch.zeros_like(own)
    narrow, column = tidy.to(dtype).T.contiguous(), torch.arange(len(own), device=own.device)
    for start, rows in layer.blocks(len(own), dtype):
        score = rows @ narrow
        error = share * layer.norms[start : start + len(rows)]
        score.addr_(error.to(dtype), (long * (1 + share)).to(dtype))
        inside = (own >= start) & (own < start + len(rows))
        score[own[inside] - start, column[inside]] = -torch.inf
        value, index = score.max(dim=0)
        better = value > best
        best = torch.where(better, value.double(), best)
        rival = torch.where(better, index + start, rival)
    room = own_slack + 4 * torch.finfo(dtype).eps * best.abs() + tiny
    low = own_score - best - room
    slack = 2 * (room + own_slack + share * layer.norms.max() * long)
    return Leads(low * _power_of_two(length), rival, slack * _power_of_two(length))


def rivals(
    layer: OutputLayer,
    directions: Float64[Tensor, "row dim"],
    own: Int64[Tensor, " row"],
    count: int,
) -> Int64[Tensor, "row rival"]:
    """Return the ``count`` classes of the greatest products in float32, not ``own``; no proof."""
    count = min(count, layer.classes - 1)
    length = directions.norm(dim=1, keepdim=True).clamp_min(1e-300)
    narrow = (directions / length).float().T.contiguous()
    column = torch.arange(len(own), device=own.device)
    values = torch.full((0, len(own)), -torch.inf, device=own.device)
    found = torch.zeros((0, len(own)), dtype=torch.int64, device=own.device)
    for start, rows in layer.blocks(len(own), torch.float32):
        score = rows @ narrow
        inside = (own >= start) & (own < start + len(rows))
        score[own[inside] - start, column[inside]] = -torch.inf
        value, index = score.topk(min(count, len(rows)), dim=0)
        values, found = torch.cat([values, value]), torch.cat([found, index + start])
        values, order = values.topk(min(count, len(values)), dim=0)
        found = found.gather(0, order)
    return found.T.contiguous()


def _power_of_two(length: Float64[Tensor, " row"]) -> Float64[Tensor, " row"]:
    return torch.ldexp(torch.ones_like(length), torch.frexp(length).exponent)
