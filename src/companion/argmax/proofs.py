"""The proofs that a scan has found so far, on their way into a report."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float64, Int64
from numpy import ndarray
from torch import Tensor

from companion.argmax.layer import OutputLayer
from companion.argmax.report import ArgmaxReport

__all__ = ["Proofs"]


class Proofs:
    """Verdicts on chosen classes, filled in as they are proved. Entries count the chosen ones."""

    def __init__(
        self, layer: OutputLayer, classes: Int64[Tensor, " class"], radius: float | None
    ) -> None:
        count = len(classes)
        self.layer, self.classes, self.radius = layer, classes, radius
        self.verdict = torch.full((count,), -1, dtype=torch.int8)
        self.margin = torch.full((count,), torch.nan, dtype=torch.float64)
        self.twin = torch.full((count,), -1, dtype=torch.int64)
        self.own = torch.full((count,), -2, dtype=torch.int64)
        self._points: list[Tensor] = []
        self._stored = 0
        self._never: dict[int, tuple[ndarray, ndarray]] = {}

    def win_at_own(self, entries: Int64[Tensor, " row"], low: Float64[Tensor, " row"]) -> None:
        """These win at the points that their own rows are."""
        self.verdict[entries], self.margin[entries], self.own[entries] = 1, low, -1

    def win_at(
        self,
        entries: Int64[Tensor, " row"],
        points: Float64[Tensor, "row dim"],
        low: Float64[Tensor, " row"],
    ) -> None:
        """These win at ``points`` by ``low`` at least."""
        if len(entries):
            self.verdict[entries], self.margin[entries] = 1, low
            self.own[entries] = self._stored + torch.arange(len(entries))
            self._points.append(points)
            self._stored += len(points)

    def outdone(self, entry: int, others: Int64[ndarray, " other"], weights: ndarray) -> None:
        """This one never wins: others outdo it with these weights."""
        self.verdict[entry] = 0
        self._never[entry] = (others, weights)

    def outdone_by_twin(self, entry: int, twin: int) -> None:
        """This one never wins: another has the same row and no smaller bias."""
        self.outdone(entry, np.array([twin]), np.ones(1))
        self.twin[entry] = twin

    @property
    def open(self) -> Int64[Tensor, " row"]:
        """Entries not decided yet."""
        return (self.verdict == -1).nonzero()[:, 0]

    def report(self) -> ArgmaxReport:
        """Return what is proved as a report."""
        nothing = (np.zeros(0, np.int64), np.zeros(0))
        never = [self._never.get(j, nothing) for j in range(len(self.classes))]
        starts = np.cumsum([0, *(len(indices) for indices, _ in never)])
        points = torch.zeros((0, self.layer.weight.shape[1]), dtype=torch.float64)
        return ArgmaxReport(
            shape=(self.layer.weight.shape[0], self.layer.weight.shape[1]),
            radius=self.radius,
            classes=self.classes,
            verdict=self.verdict,
            margin=self.margin,
            twin=self.twin,
            centre=self.layer.centre.cpu(),
            own=self.own,
            points=torch.cat([points, *self._points]),
            starts=torch.from_numpy(starts),
            indices=torch.from_numpy(np.concatenate([nothing[0], *(i for i, _ in never)])),
            coefficients=torch.from_numpy(np.concatenate([nothing[1], *(w for _, w in never)])),
            layer=self.layer,
        )
