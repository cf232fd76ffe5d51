"""The classes that no simple point proves: in or out of the hull of the others, exactly.

Only few of the others matter to a class. Each search begins with the likeliest, takes the shortest
convex combination of their differences, and adds whoever beats the class in that direction.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float64
from numpy import ndarray
from torch import Tensor

from companion.argmax.farkas import Claim, prove_never
from companion.argmax.hull import nearest
from companion.argmax.layer import OutputLayer
from companion.argmax.leads import leads, likeliest
from companion.argmax.proofs import Proofs
from companion.argmax.witness import canonical, own_points

__all__ = ["decide_rest"]

TOGETHER = 256  # searches whose products are taken together
LEAST_ADDED = 8  # rivals that join a working set in a round; in wide layers an eighth of the width
WIDE = 64  # dimensions from which on least squares gain by threads
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

    def attempt(self, rows: Float64[ndarray, "other lifted"]) -> Attempt:
        """Find where the class leads its working set, or weights with which that outdoes it."""
        points = rows - self.row
        points /= np.sqrt(np.einsum("ij,ij->i", points, points)).mean() or 1.0
        if self.walls:
            points = np.concatenate([points, self.walls])
        found = nearest(points)
        weights = found.weights[: len(rows)]
        if found.gap >= NEARLY or not weights.any():
            return Attempt(found.direction)
        used = np.flatnonzero(weights > 0)
        claim = Claim(self.k, np.array(self.others)[used], weights[used] / weights[used].sum())
        return Attempt(found.direction, claim, points[found.weights > 0])


@dataclass(frozen=True)
class Attempt:
    """A direction to try and, if the class hardly leads there, the claim that it never does."""

    direction: Float64[ndarray, " lifted"]
    claim: Claim | None = None
    face: Float64[ndarray, "point lifted"] | None = None

    def second_direction(self) -> Float64[ndarray, " lifted"]:
        """Return a direction after the claim has failed.

        Rounding spoils one that is short; its face, all points of which are equally far behind,
        has one that is not.
        """
        if self.face is None:
            return self.direction
        return np.linalg.lstsq(self.face, -np.ones(len(self.face)), rcond=None)[0]


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
    walls = [] if layer.bias is None else [-np.eye(layer.dim)[-1]]  # t > 0
    return [
        Search(int(entry), int(k), row, sorted({*other} - {int(k)}), list(walls))
        for entry, k, row, other in zip(entries, own, rows, others, strict=True)
    ]


def _round(layer: OutputLayer, proofs: Proofs, searches: list[Search]) -> list[Search]:
    """Let each search try once; return those that go on, with more rivals."""
    left = _claim(layer, proofs, searches, _attempts(layer, searches))
    if not left:
        return []
    y = np.stack([attempt.second_direction() for _, attempt in left])
    if layer.bias is not None:  # a point has t > 0; where that fails, one far out
        y[:, -1] = np.where(y[:, -1] > 0, y[:, -1], 1e-9 * np.abs(y).max(1).clip(1e-300))
    z = layer.lower(torch.from_numpy(y).to(layer.weight.device))
    own = torch.tensor([search.k for search, _ in left], device=z.device)
    kept = canonical(layer, z, proofs.radius)
    found = leads(layer, layer.lift(kept), own)
    won = (found.low > 0).cpu()
    entries = torch.tensor([search.entry for search, _ in left])
    proofs.win_at(entries[won], kept.cpu()[won], found.low.cpu()[won])
    lost = (~won).nonzero()[:, 0]
    rivals = found.rivals(lost.to(own.device), max(LEAST_ADDED, layer.dim // 8)).cpu().tolist()
    return [
        left[i][0]
        for i, new in zip(lost.tolist(), rivals, strict=True)
        if _grow(layer, left[i][0], new, z[i], proofs.radius)
    ]


def _attempts(layer: OutputLayer, searches: list[Search]) -> list[Attempt]:
    needed = torch.tensor([j for search in searches for j in search.others])
    ends = np.cumsum([len(search.others) for search in searches])
    attempts, start, step = [], 0, max(1, layer.memory // (64 * layer.dim))
    threads = torch.get_num_threads() if layer.dim >= WIDE else 1
    while start < len(searches):  # as many at a time as fit in memory
        begin = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, begin + step, side="right")))
        which = needed[begin : int(ends[stop - 1])].to(layer.weight.device)
        rows = np.split(layer.rows(which).cpu().numpy(), ends[start : stop - 1] - begin)
        with ThreadPoolExecutor(threads) as pool:
            attempts += pool.map(Search.attempt, searches[start:stop], rows)
        start = stop
    return attempts


def _claim(
    layer: OutputLayer, proofs: Proofs, searches: list[Search], attempts: list[Attempt]
) -> list[tuple[Search, Attempt]]:
    """Prove the claims; return the searches that have none, or none that can be proved."""
    claimed = [(i, a.claim) for i, a in enumerate(attempts) if a.claim is not None]
    proved = prove_never(layer, [claim for _, claim in claimed], proofs.radius)
    done = set()
    for (i, claim), sure in zip(claimed, proved, strict=True):
        if sure:
            proofs.outdone(searches[i].entry, claim.others, claim.weights)
            done.add(i)
    return [(searches[i], attempts[i]) for i in range(len(searches)) if i not in done]


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
