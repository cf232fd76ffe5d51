"""By how much a class leads at a point, proved: products in floating point with a bound."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from companion.argmax.layer import OutputLayer, gamma

__all__ = ["Leads", "leads", "likeliest", "take_aim", "trusted"]

GROUP = 64  # classes whose greatest product is kept: a maximum is fast, its place is not


@dataclass(frozen=True)
class Leads:
    """Of each class at its direction: a lower bound of the lead, the best rival, the allowance.

    ``low`` is at most the true lead, and ``low + slack`` at least. ``greatest`` holds the largest
    product of each group of classes, the own class left out, its allowance for rounding included.
    """

    low: Float64[Tensor, " row"]
    slack: Float64[Tensor, " row"]
    greatest: Float[Tensor, "group row"]
    layer: OutputLayer
    directions: Float[Tensor, "lifted row"]
    own: Int64[Tensor, " row"]

    def rivals(self, rows: Int64[Tensor, " some"], count: int = 1) -> Int64[Tensor, "some rival"]:
        """Return the best class of each of the ``count`` best groups (or of all), the best first.

        Where a group holds the own class alone, that is named.
        """
        count = min(count, len(self.greatest))
        groups = self.greatest[:, rows].topk(count, dim=0).indices.T  # [some, rival]
        step = max(1, self.layer.memory // (32 * GROUP * count * self.layer.dim))
        parts = [
            self._best_of(some, group)
            for some, group in zip(rows.split(step), groups.split(step), strict=True)
        ]
        return torch.cat(parts) if parts else groups

    def _best_of(
        self, rows: Int64[Tensor, " some"], groups: Int64[Tensor, "some rival"]
    ) -> Int64[Tensor, "some rival"]:
        members = groups[:, :, None] * GROUP + torch.arange(GROUP, device=groups.device)
        outside = members >= self.layer.classes
        members = members.clamp(max=self.layer.classes - 1)
        points = self.layer.rows(members.flatten(), self.directions.dtype)
        points = points.view(len(rows), groups.shape[1] * GROUP, self.layer.dim)
        score = points @ self.directions[:, rows].T[:, :, None]
        score = score.view(members.shape)
        score.masked_fill_(outside | (members == self.own[rows, None, None]), -torch.inf)
        return members.gather(2, score.argmax(2, keepdim=True)).squeeze(2)


@dataclass(frozen=True)
class Aim:
    """Directions scaled by powers of two to lengths near 1, and the own scores there."""

    tidy: Float64[Tensor, "row lifted"]
    length: Float64[Tensor, " row"]  # upper bounds
    scale: Float64[Tensor, " row"]
    own_score: Float64[Tensor, " row"]
    own_slack: Float64[Tensor, " row"]

    def room(self, best: Float64[Tensor, " row"], dtype: torch.dtype) -> Float64[Tensor, " row"]:
        """Return what own score less ``best`` may be off by, if ``best`` is an upper bound."""
        kind = torch.finfo(dtype)
        return self.own_slack + 8 * kind.eps * best.abs() + 8 * self.tidy.shape[1] * kind.tiny


def take_aim(
    layer: OutputLayer, directions: Float64[Tensor, "row lifted"], own: Int64[Tensor, " row"]
) -> Aim:
    """Scale directions, so that no product overflows, and take the products with the own rows."""
    length = directions.norm(dim=1) * (1 + gamma(2 * layer.dim + 8, torch.float64))
    scale = torch.ldexp(torch.ones_like(length), torch.frexp(length).exponent)
    tidy, length = directions / scale[:, None], length / scale
    own_score = (layer.rows(own) * tidy).sum(1)
    own_slack = gamma(layer.dim + 8, torch.float64) * layer.norms[own] * length
    return Aim(tidy, length, scale, own_score, own_slack)


def leads(
    layer: OutputLayer,
    directions: Float64[Tensor, "row lifted"],
    own: Int64[Tensor, " row"],
    dtype: torch.dtype = torch.float64,
) -> Leads:
    r"""Bound :math:`\min_{i \ne k} \langle x_k - x_i, y\rangle` from below.

    Each product is off by at most :math:`\gamma_{d+8} |x_i| |y|`, the rounding of the rows and of
    the direction to ``dtype`` included; what underflows is allowed for as well.

    Args:
        layer: all classes.
        directions: one y for each row, as ``OutputLayer.lift`` makes them.
        own: the class k of each row.
        dtype: of the products; float32 is faster and needs a larger lead.
    """
    dtype = trusted(dtype)
    share = gamma(layer.dim + 8, dtype)
    aim = take_aim(layer, directions, own)
    narrow = aim.tidy.to(dtype).T.contiguous()
    greatest = _greatest(layer, narrow, (aim.length * (1 + share)).to(dtype), own, share)
    best = greatest.amax(0).double()
    room = aim.room(best, dtype)
    slack = 2 * (room + aim.own_slack + share * layer.norms.max() * aim.length)
    low = aim.own_score - best - room
    return Leads(low * aim.scale, slack * aim.scale, greatest, layer, narrow, own)


def _greatest(
    layer: OutputLayer,
    narrow: Float[Tensor, "lifted row"],
    long: Float[Tensor, " row"],
    own: Int64[Tensor, " row"],
    share: float,
) -> Float[Tensor, "group row"]:
    """Return the largest of the products of each group, each with its allowance added."""
    column = torch.arange(len(own), device=own.device)
    parts, buffer = [], torch.empty(0, dtype=narrow.dtype, device=own.device)
    for start, rows in layer.blocks(len(own), narrow.dtype, GROUP):
        score = torch.mm(rows, narrow, out=buffer.resize_(len(rows), len(own)))
        inside = (own >= start) & (own < start + len(rows))
        score[own[inside] - start, column[inside]] = -torch.inf
        whole = len(rows) // GROUP * GROUP
        parts.append(score[:whole].view(whole // GROUP, GROUP, len(own)).amax(1))
        if whole < len(rows):
            parts.append(score[whole:].amax(0, keepdim=True))
    norms = torch.nn.functional.pad(layer.norms, (0, -layer.classes % GROUP)).view(-1, GROUP)
    return torch.cat(parts).addr_((share * norms.amax(1)).to(narrow.dtype), long)


def likeliest(
    layer: OutputLayer,
    directions: Float64[Tensor, "row lifted"],
    own: Int64[Tensor, " row"],
    count: int,
) -> Int64[Tensor, "row rival"]:
    """Return the ``count`` classes of the greatest products, the own one among them; no proof."""
    narrow = torch.nn.functional.normalize(directions).float()
    values = torch.zeros((len(own), 0), device=own.device)
    found = torch.zeros((len(own), 0), dtype=torch.int64, device=own.device)
    for start, rows in layer.blocks(len(own), torch.float32, GROUP):
        value, index = (narrow @ rows.T).topk(min(count, len(rows)), dim=1)
        values, found = torch.cat([values, value], 1), torch.cat([found, index + start], 1)
        values, order = values.topk(min(count, values.shape[1]), dim=1)
        found = found.gather(1, order)
    return found


def trusted(dtype: torch.dtype) -> torch.dtype:
    """Return float64 for float32 where matrix products of float32 may be cut shorter (TF32)."""
    short = (
        torch.get_float32_matmul_precision() != "highest" or torch.backends.cuda.matmul.allow_tf32
    )
    return torch.float64 if dtype == torch.float32 and short else dtype
