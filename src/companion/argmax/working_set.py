"""The classes that no simple point proves: in or out of the hull of the others, exactly.

Only few of the others matter to a class. Each search begins with the likeliest, takes the shortest
convex combination of their differences, and adds whoever beats the class in that direction.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float64
from numpy import ndarray
from torch import Tensor

from companion.argmax.farkas import prove_never
from companion.argmax.hull import nearest
from companion.argmax.layer import OutputLayer
from companion.argmax.leads import leads, likeliest
from companion.argmax.proofs import Proofs
from companion.argmax.witness import canonical, own_points

__all__ = ["decide_rest"]

TOGETHER = 128  # searches whose products are taken together
ADDED = 8  # rivals that join a working set in a round
ROUNDS = 200
NEARLY = 1e-9  # a shortest combination of this length, beside the points, may be 0
BEYOND = 1 + 1e-9  # weights are sought in a ball a little larger, so that rounding has room


@dataclass
class Search:
    """One class, the others that were tried against it, and the half-spaces it must keep to."""

    entry: int
    k: int
    row: Float64[ndarray, " lifted"]
    others: list[int]
    walls: list[ndarray] = field(default_factory=list)
    weights: Float64[ndarray, " other"] = field(default_factory=lambda: np.zeros(0))
    near: bool = False


def decide_rest(layer: OutputLayer, proofs: Proofs) -> None:
    """Decide what is open in ``proofs``, or leave it open where neither can be proved."""
    for entries in proofs.open.split(TOGETHER):
        searches = _begin(layer, proofs, entries)
        for _ in range(ROUNDS):
            if not searches:
                break
            searches = _round(layer, proofs, searches)


def _begin(layer: OutputLayer, proofs: Proofs, entries: Tensor) -> list[Search]:
    own = proofs.classes[entries].to(layer.weight.device)
    start = layer.lift(own_points(layer, own, proofs.radius))
    others = likeliest(layer, start, own, 2 * layer.dim).cpu().tolist()
    rows = layer.rows(own).cpu().numpy()
    walls = []
    if layer.bias is not None:  # t > 0
        walls = [-np.eye(layer.dim)[-1]]
    return [
        Search(int(entry), int(k), row, sorted({*other} - {int(k)}), list(walls))
        for entry, k, row, other in zip(entries, own, rows, others, strict=True)
    ]


def _round(layer: OutputLayer, proofs: Proofs, searches: list[Search]) -> list[Search]:
    open_, directions = [], []
    for search in searches:
        y = _direction(layer, proofs, search)
        if y is not None:
            open_.append(search)
            directions.append(y)
    if not open_:
        return []
    y = torch.from_numpy(np.stack(directions)).to(layer.weight.device)
    z = layer.lower(y)
    own = torch.tensor([search.k for search in open_], device=y.device)
    kept = canonical(layer, z, proofs.radius)
    found = leads(layer, layer.lift(kept), own)
    worst = found.rivals(torch.arange(len(own), device=own.device), ADDED).cpu().tolist()
    left = []
    for i, search in enumerate(open_):
        if float(found.low[i]) > 0:
            entry = torch.tensor([search.entry])
            proofs.win_at(entry, kept[i : i + 1].cpu(), found.low[i : i + 1].cpu())
        elif _grow(layer, search, worst[i], z[i], proofs.radius):
            left.append(search)
    return left


def _direction(layer: OutputLayer, proofs: Proofs, search: Search) -> ndarray | None:
    """Return where the class leads its working set; None if it never does, which is then proved."""
    rows = layer.rows(torch.tensor(search.others, device=layer.weight.device)).cpu().numpy()
    points = rows - search.row
    scale = np.linalg.norm(points, axis=1).mean() or 1.0
    points = np.concatenate([points / scale, *(wall[None] for wall in search.walls)])
    found = nearest(points)
    weights = found.weights[: len(rows)]
    y = found.direction
    if found.gap < NEARLY and weights.any():
        used = np.flatnonzero(weights > 0)
        others = np.array(search.others)[used]
        coefficients = weights[used] / weights[used].sum()
        if prove_never(layer, search.k, others, coefficients, proofs.radius):
            proofs.outdone(search.entry, others, coefficients)
            return None
        face = points[found.weights > 0]
        y = np.linalg.lstsq(face, -np.ones(len(face)), rcond=None)[0]
    if layer.bias is not None and y[-1] <= 0:
        y[-1] = 1e-9 * max(np.abs(y).max(), 1e-300)
    return y


def _grow(
    layer: OutputLayer,
    search: Search,
    rivals: list[int],
    z: Float64[Tensor, " dim"],
    radius: float | None,
) -> bool:
    """Add those that beat the class, or the wall of the ball it left; False if nothing is new."""
    new = sorted({*rivals} - {*search.others, search.k})
    search.others += new
    if radius is not None and layer.bias is not None:
        length = float(z.norm())
        if length > radius:
            across = z.cpu().numpy() / length * layer.scale
            wall = np.append(across, -radius * BEYOND * layer.unit)
            search.walls.append(wall / np.linalg.norm(wall))
            return True
    return bool(new)
