"""A first look at wide layers: most rivals are outdone by what few coordinates show of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from companion.argmax.layer import OutputLayer, gamma
from companion.argmax.leads import take_aim, trusted

__all__ = ["Shadow", "cast_shadow", "shadow_size"]

NARROWER = 8  # the share of coordinates that a shadow keeps is one in this many
LEAST = 64  # coordinates, below which a shadow saves nothing
LARGE = 4e12  # entries multiplied in a whole scan; below that, no bound is loosened
KEEP = 63 / 64  # rivals that may reach this share of the own score are looked at in full
UP = 1 + 2.0**-20


@dataclass(frozen=True)
class Shadow:
    r"""Rows x in m orthonormal directions P, and the length of the rest.

    :math:`\langle x, y\rangle \le \langle P^\top x, P^\top y\rangle + |x_\perp| |y_\perp|`, by
    Cauchy and Schwarz. The rows are in the order of their lengths, the longest first: it is the
    long ones that have to be looked at in full.
    """

    layer: OutputLayer
    order: Int64[Tensor, " class"]
    place: Int64[Tensor, " class"]  # of each class in the order
    basis: Float64[Tensor, "lifted coordinate"]
    points: Float32[Tensor, "class column"]  # the coordinates, |x_⊥| and |x|
    drift: float  # |Pᵀx as computed − Pᵀx for the nearest orthonormal P|, in units of |x|

    def low(
        self, directions: Float64[Tensor, "row lifted"], own: Int64[Tensor, " row"]
    ) -> Float64[Tensor, " row"]:
        r"""Bound :math:`\min_{i \ne k} \langle x_k - x_i, y\rangle` from below, loosely."""
        layer, aim = self.layer, take_aim(self.layer, directions, own)
        few, query = self._query(aim.tidy, aim.length), aim.tidy.float().T.contiguous()
        wanted = (aim.own_score * KEEP).float()
        column, place = torch.arange(len(own), device=own.device), self.place[own]
        best = torch.full_like(wanted, -torch.inf)
        step = layer.block_rows(len(own), torch.float32)
        score = torch.empty(step, len(own), device=own.device)
        rows = torch.empty(step, layer.dim, device=own.device)
        for start in range(0, layer.classes, step):
            stop = min(start + step, layer.classes)
            torch.mm(self.points[start:stop], few, out=score[: stop - start])
            inside = (place >= start) & (place < stop)
            score[place[inside] - start, column[inside]] = -torch.inf
            top = score[: stop - start].amax(0)
            which = (top > wanted).nonzero()[:, 0]
            if len(which):
                part = rows[: stop - start]
                layer.fill(part, self.order[start:stop])
                full = self._in_full(part, start, query[:, which], aim.length[which])
                full[place[inside & (top > wanted)] - start, _rank(inside, which)] = -torch.inf
                top[which] = full.amax(0)
            best = torch.maximum(best, top)
        bound = best.double()
        return (aim.own_score - bound - aim.room(bound, torch.float32)) * aim.scale

    def _in_full(
        self,
        rows: Float32[Tensor, "class lifted"],
        start: int,
        query: Float32[Tensor, "lifted row"],
        length: Float64[Tensor, " row"],
    ) -> Float32[Tensor, "class row"]:
        share = gamma(self.layer.dim + 8, torch.float32)
        error = share * self.points[start : start + len(rows), -1]
        return (rows @ query).addr_(error, (length * UP).float())

    def _query(
        self, tidy: Float64[Tensor, "row lifted"], length: Float64[Tensor, " row"]
    ) -> Float32[Tensor, "column row"]:
        size = self.basis.shape[1]
        share = 3 * self.drift * (1 + self.drift) + 4 * gamma(size + 8, torch.float32)
        columns = _columns(tidy @ self.basis, length, self.drift)
        columns[:, -1] *= share * UP
        return columns.T.contiguous()


def _rank(inside: Tensor, which: Int64[Tensor, " some"]) -> Int64[Tensor, " inner"]:
    """Return the places in ``which`` of those that are inside."""
    return inside[which].nonzero()[:, 0]


def _columns(
    seen: Float64[Tensor, "row coordinate"], length: Float64[Tensor, " row"], drift: float
) -> Float32[Tensor, "row column"]:
    """Return coordinates, an upper bound of the length of the rest, and one of the whole length."""
    few = seen.float()
    shown = (few.double().norm(dim=1) * (1 - 2.0**-20) - drift * length).clamp_min(0)
    rest = (length.square() * (1 + 2.0**-40) - shown.square()).clamp_min(0).sqrt()
    return torch.cat([few, (rest * UP).float()[:, None], (length * UP).float()[:, None]], dim=1)


def shadow_size(layer: OutputLayer, classes: int) -> int:
    """Return how many coordinates are worth their while for ``classes`` directions; 0 for none."""
    fits = layer.memory // (16 * layer.classes) - 2
    size = min(layer.dim // NARROWER, fits)
    large = float(layer.classes) ** 2 * layer.dim >= LARGE
    worth = large and LEAST <= size <= classes // 2 and trusted(torch.float32) == torch.float32
    return size if worth else 0


def cast_shadow(layer: OutputLayer, size: int) -> Shadow:
    """Choose the leading directions of a sample of rows, and see all rows in them."""
    device = layer.weight.device
    sample = layer.rows(torch.linspace(0, layer.classes - 1, 2 * size, device=device).long())
    leading = torch.linalg.eigh(sample @ sample.T).eigenvectors[:, -size:]
    basis = torch.linalg.qr(sample.T @ leading).Q
    skew = torch.linalg.norm(basis.T @ basis - torch.eye(size, device=device).double())
    error = gamma(2 * layer.dim + 8, torch.float64) * size
    drift = 2.0**-22 + 2 * float(skew) + 4 * error
    order = layer.norms.argsort(descending=True, stable=True)
    points = torch.empty(layer.classes, size + 2, device=device)
    step = layer.block_rows(size, torch.float64)
    rows = torch.empty(step, layer.dim, dtype=torch.float64, device=device)
    for start in range(0, layer.classes, step):
        which = order[start : start + step]
        layer.fill(rows[: len(which)], which)
        seen = rows[: len(which)] @ basis
        points[start : start + step] = _columns(seen, layer.norms[which], drift)
    place = torch.empty_like(order)
    place[order] = torch.arange(layer.classes, device=device)
    return Shadow(layer, order, place, basis, points, drift)
