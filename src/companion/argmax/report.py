"""What was decided about each class, and the proof: kept, checked without a solver, saved."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int8, Int64
from torch import Tensor
from tqdm import tqdm

from companion.argmax.farkas import Claim, prove_never
from companion.argmax.layer import OutputLayer, prepare
from companion.argmax.leads import leads
from companion.argmax.report_file import read_arrays, write_arrays
from companion.argmax.witness import inside_ball, own_points
from companion.errors import DataError

__all__ = ["ArgmaxReport"]

ARRAYS = (
    "classes", "verdict", "margin", "twin", "centre", "own",
    "points", "starts", "indices", "coefficients",
)  # fmt: skip
JOINED = ("classes", "verdict", "margin", "twin", "points", "indices", "coefficients")


@dataclass(frozen=True, eq=False)
class ArgmaxReport:
    """Verdicts on classes of an output layer, each with its proof.

    Attributes:
        shape: rows and columns of the layer, (c, d).
        radius: only points :math:`\\|z\\| \\le` radius counted, or all (None).
        classes: which classes these are, [m]; the arrays below have one entry for each.
        verdict: 1 the class wins somewhere, 0 it never does, −1 neither could be proved.
        margin: a proved lower bound of the lead at the witness, in logits; NaN without a witness.
            Without a bias the witness has length 1, or ``radius``. The bound is a loose one where
            a wide layer was looked at in few coordinates.
        twin: a class with the same row (and no smaller bias), which therefore always ties or
            outdoes this one; −1 if there is none.
    """

    shape: tuple[int, int]
    radius: float | None
    classes: Int64[Tensor, " class"]
    verdict: Int8[Tensor, " class"]
    margin: Float64[Tensor, " class"]
    twin: Int64[Tensor, " class"]
    centre: Float64[Tensor, " lifted"]
    own: Int64[Tensor, " class"]  # −1: the class's own row is its witness; −2 none; else a point
    points: Float64[Tensor, "point dim"]
    starts: Int64[Tensor, " next"]  # the certificate of entry j lies in starts[j] : starts[j + 1]
    indices: Int64[Tensor, " weight"]
    coefficients: Float64[Tensor, " weight"]
    layer: OutputLayer | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.classes)

    def __str__(self) -> str:
        won, never, open_ = (int((self.verdict == value).sum()) for value in (1, 0, -1))
        twins = int((self.twin >= 0).sum())
        return (
            f"{len(self)} of {self.shape[0]} classes, dim {self.shape[1]}: {won} argmaxable, "
            f"{never} not ({twins} of them duplicates), {open_} undecided"
        )

    def position(self, k: int) -> int:
        """Return the entry of class k in the arrays."""
        found = (self.classes == k).nonzero()
        if not len(found):
            raise DataError(f"class {k} is not in this report of {len(self)} classes")
        return int(found[0])

    def certificate(self, k: int) -> tuple[Int64[Tensor, " other"], Float64[Tensor, " other"]]:
        """Return the other classes and their weights, which prove that class k never wins.

        Both are empty unless its verdict is 0.
        """
        return self._certificate(self.position(k))

    def _certificate(self, j: int) -> tuple[Int64[Tensor, " other"], Float64[Tensor, " other"]]:
        part = slice(int(self.starts[j]), int(self.starts[j + 1]))
        return self.indices[part], self.coefficients[part]

    @property
    def witness(self) -> Float64[Tensor, "class dim"]:
        """A point z for each class at which it wins; rows of NaN where there is none.

        Most witnesses are the class's own row made from the layer when asked for: a report that
        was loaded needs the layer again (``ArgmaxReport.load(path, weight, bias)``).
        """
        return self.witnesses(torch.arange(len(self)))

    def witnesses(self, entries: Int64[Tensor, " row"]) -> Float64[Tensor, "row dim"]:
        """Return the witnesses of some entries of the arrays."""
        own = self.own[entries]
        points = torch.full((len(entries), self.shape[1]), torch.nan, dtype=torch.float64)
        points[own >= 0] = self.points[own[own >= 0]]
        if bool((own == -1).any()):
            if self.layer is None:
                raise DataError(
                    "this report was loaded without its layer, whose rows are the witnesses; "
                    "expected ArgmaxReport.load(path, weight, bias)"
                )
            which = self.classes[entries][own == -1].to(self.layer.weight.device)
            points[own == -1] = own_points(self.layer, which, self.radius).cpu()
        return points

    def verify(
        self,
        weight: Tensor,
        bias: Tensor | None = None,
        *,
        classes: Sequence[int] | None = None,
        device: str | torch.device | None = None,
        memory: int | None = None,
        progress: bool = False,
    ) -> bool:
        """Check every verdict against the layer: products with their rounding bound, no solver.

        A class said to win is checked at its witness, against all others, in float64; one said
        never to win by enclosing the weights of its certificate. False if one proof fails, if an
        undecided class carries one, or if the report belongs to another layer.

        Args:
            weight: the layer.
            bias: its bias.
            classes: check only these; a sample is quick where all take as long as a whole scan.
            device: where products are computed; None: where ``weight`` is.
            memory: bytes the check may take.
            progress: show a bar.
        """
        if tuple(weight.shape) != self.shape or not self._consistent():
            return False
        if len(self.centre) != self.shape[1] + (bias is not None):
            return False
        layer = prepare(weight, bias, centre=self.centre, device=device, memory=memory)
        chosen = torch.ones(len(self), dtype=torch.bool)
        if classes is not None:
            chosen = torch.zeros_like(chosen)
            chosen[[self.position(k) for k in classes]] = True
        proved = int((chosen & (self.verdict >= 0)).sum())
        with tqdm(total=proved, unit="class", disable=not progress) as bar:
            return replace(self, layer=layer)._proved(chosen, bar)

    def _consistent(self) -> bool:
        c, entries = self.shape[0], len(self)
        sizes = self.starts.diff()
        same = all(len(x) == entries for x in (self.verdict, self.margin, self.twin, self.own))
        if not same or len(self.starts) != entries + 1 or bool((sizes < 0).any()):
            return False
        if bool(((self.classes < 0) | (self.classes >= c)).any()):
            return False
        won, never = self.verdict == 1, self.verdict == 0
        return (
            len(self.classes.unique()) == entries
            and bool(((self.verdict >= -1) & (self.verdict <= 1)).all())
            and bool(((self.own >= -1) == won).all() and (self.own >= -2).all())
            and bool((self.own < len(self.points)).all())
            and bool(((sizes > 0) == never).all() and (self.margin.isnan() == ~won).all())
            and bool((never | (self.twin == -1)).all())
            and int(self.starts[0]) == 0
            and int(self.starts[-1]) == len(self.indices) == len(self.coefficients)
        )

    def _proved(self, chosen: Bool[Tensor, " class"], bar: tqdm) -> bool:
        won = (chosen & (self.verdict == 1)).nonzero()[:, 0]
        never = (chosen & (self.verdict == 0)).nonzero()[:, 0]
        return self._wins(won, bar) and self._never_wins(never, bar)

    def _wins(self, won: Int64[Tensor, " row"], bar: tqdm) -> bool:
        layer = self.layer
        assert layer is not None
        for entries in won.split(layer.together(2048)):
            k = self.classes[entries].to(layer.weight.device)
            z = self.witnesses(entries).to(layer.weight.device)
            if self.radius is not None and not inside_ball(z, self.radius):
                return False
            found = leads(layer, layer.lift(z), k)
            margin = self.margin[entries].to(found.low.device)
            if not bool(((found.low > 0) & (margin <= found.low + found.slack)).all()):
                return False
            bar.update(len(entries))
        return True

    def _never_wins(self, never: Int64[Tensor, " row"], bar: tqdm) -> bool:
        layer = self.layer
        assert layer is not None
        first = self.indices[self.starts[never]]
        alone = self.starts.diff()[never] == 1
        if not bool(((self.twin[never] == -1) | alone & (self.twin[never] == first)).all()):
            return False
        for entries in never.split(4096):
            claims = [
                Claim(k, *(part.numpy() for part in self._certificate(j)))
                for j, k in zip(entries.tolist(), self.classes[entries].tolist(), strict=True)
            ]
            if not prove_never(layer, claims, self.radius).all():
                return False
            bar.update(len(entries))
        return True

    @staticmethod
    def join(parts: Iterable[ArgmaxReport]) -> ArgmaxReport:
        """Put reports on different classes of one layer together, in the order of the classes.

        Raises:
            DataError: no parts, parts of different layers, or a class in two of them.
        """
        reports = list(parts)
        if not reports:
            raise DataError("there are no reports to join; expected at least one")
        first = reports[0]
        for i, other in enumerate(reports):
            same = (other.shape, other.radius) == (first.shape, first.radius)
            if not same or not torch.equal(other.centre, first.centre):
                raise DataError(
                    f"report {i} is about a layer {other.shape} with radius {other.radius}; "
                    f"expected that of report 0: {first.shape}, {first.radius}, with one centre"
                )
        shifts = np.cumsum([0, *(len(report.points) for report in reports)])
        sizes = torch.cat([report.starts.diff() for report in reports])
        whole = replace(
            first,
            own=torch.cat([
                torch.where(r.own >= 0, r.own + int(s), r.own)
                for r, s in zip(reports, shifts, strict=False)
            ]),
            starts=torch.nn.functional.pad(sizes.cumsum(0), (1, 0)),
            **{
                name: torch.cat([getattr(report, name) for report in reports])
                for name in JOINED
            },
        )  # fmt: skip
        return whole._sorted()

    def _sorted(self) -> ArgmaxReport:
        order = self.classes.argsort(stable=True)
        classes = self.classes[order]
        if bool((classes.diff() == 0).any()):
            twice = int(classes[1:][classes.diff() == 0][0])
            raise DataError(f"class {twice} is in two of the reports; expected each class once")
        sizes, begin = self.starts.diff()[order], self.starts[:-1][order]
        starts = torch.nn.functional.pad(sizes.cumsum(0), (1, 0))
        within = torch.arange(int(starts[-1])) - starts[:-1].repeat_interleave(sizes)
        take = begin.repeat_interleave(sizes) + within
        own = self.own[order]
        used = own[own >= 0]
        own = torch.where(own >= 0, (own >= 0).cumsum(0) - 1, own)
        return replace(
            self,
            classes=classes,
            verdict=self.verdict[order],
            margin=self.margin[order],
            twin=self.twin[order],
            own=own,
            points=self.points[used],
            starts=starts,
            indices=self.indices[take],
            coefficients=self.coefficients[take],
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an npz file (numbers only, no pickle), whole or not at all."""
        arrays = {name: getattr(self, name).numpy() for name in ARRAYS}
        radius = np.nan if self.radius is None else self.radius
        write_arrays(path, {**arrays, "shape": np.array(self.shape), "radius": np.array(radius)})

    @staticmethod
    def load(
        path: str | os.PathLike[str], weight: Tensor | None = None, bias: Tensor | None = None
    ) -> ArgmaxReport:
        """Read what ``save`` wrote; the layer is needed only to make ``witness`` from its rows.

        Raises:
            DataError: no such report, or a layer of another shape.
        """
        found = read_arrays(path, ("shape", "radius", *ARRAYS))
        arrays = {name: torch.from_numpy(found[name]) for name in ARRAYS}
        if found["radius"].shape != () or found["shape"].shape != (2,):
            raise DataError(f"{path} is no report that was saved: it has no radius, or no shape")
        radius, shape = float(found["radius"]), tuple(found["shape"].tolist())
        report = ArgmaxReport(
            shape=shape, radius=None if np.isnan(radius) else radius, layer=None, **arrays
        )
        if weight is None:
            return report
        if tuple(weight.shape) != report.shape:
            raise DataError(
                f"{path} is about a layer {report.shape}; found a weight {tuple(weight.shape)}"
            )
        return replace(report, layer=prepare(weight, bias, centre=report.centre))
