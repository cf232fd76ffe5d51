"""Which classes can be the largest logit: a scan over all of them, with a proof for each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor
from tqdm import tqdm

from companion.argmax.layer import OutputLayer, prepare
from companion.argmax.leads import Leads, leads
from companion.argmax.proofs import Proofs
from companion.argmax.report import ArgmaxReport
from companion.argmax.shadow import Shadow, cast_shadow, shadow_size
from companion.argmax.twins import find_twins
from companion.argmax.witness import canonical, own_points, reflected
from companion.argmax.working_set import decide_rest
from companion.errors import DataError, ShapeError

__all__ = ["PART", "Scanner", "argmaxable"]

Entries = Int64[Tensor, " _entry"]
Points = Float64[Tensor, "_entry dim"]
Classes = Sequence[int] | range | Int64[Tensor, " chosen"]
BATCH = 1024  # classes whose products are taken together
PART = 8192  # classes that are scanned before what is left over goes to least squares
ACROSS = 8  # rivals that a point is reflected across in a round
ROUNDS = 1000  # of reflections at most
# What a round and a search cost, in operations of products, as measured on a CPU
FEW = 50  # directions that cost as much as reading all rows does
GREATEST = 60  # dimensions that cost as much as the greatest of the products does
CALLS = 2e8  # of all calls in a round, however small the layer


def argmaxable(
    weight: Float[Tensor, "class dim"],
    bias: Float[Tensor, " class"] | None = None,
    *,
    radius: int | float | None = None,
    classes: Classes | None = None,
    device: str | torch.device | None = None,
    memory: int | None = None,
    progress: bool = True,
) -> ArgmaxReport:
    r"""Decide for each class whether some point z makes its logit the largest, with proof.

    Class k wins at z if :math:`\langle w_k, z\rangle + b_k > \langle w_i, z\rangle + b_i` for all
    :math:`i \ne k` (``eq-argmax-predictable``). Either such a z is found, or weights on other
    classes whose average outdoes k everywhere (``eq-argmax-farkas``), or the class is undecided.

    Args:
        weight: one row a class; float16, bfloat16, float32 or float64, all read exactly.
        bias: one number a class.
        radius: only points of length at most this count; None: all.
        classes: which to decide (all others remain rivals); None: all.
        device: where products are computed; None: where ``weight`` is.
        memory: bytes the scan may take beside the layer and the report; None: 1 GiB.
        progress: show a bar.

    Raises:
        ShapeError: no matrix of at least two rows, or a bias of another length.
        DataError: a precision that is none of the four, classes out of range or twice, a radius
            that is no positive number.
        NumericsError: NaN or infinity; the message names the rows.

    >>> w = torch.tensor([[1.0, 2.0], [2.0, 1.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> report = argmaxable(w, progress=False)
    >>> report.verdict.tolist()
    [1, 1, 1, 1, 0]
    >>> report.verify(w)
    True
    """
    scanner = Scanner(weight, bias, radius=radius, device=device, memory=memory)
    chosen = scanner.choose(classes)
    parts = []
    with tqdm(total=len(chosen), unit="class", disable=not progress) as bar:
        for block in chosen.split(scanner.part):
            parts.append(scanner.decide(block))
            bar.update(len(block))
    return ArgmaxReport.join(parts or [scanner.decide(chosen)])


class Scanner:
    """Decides classes of one layer, some at a time.

    What it says about a class does not depend on what it was asked before, so a scan may be split
    into blocks, stopped and continued; ``ArgmaxReport.join`` puts the parts together.

    Attributes:
        part: how many classes ``argmaxable`` hands over at a time.

    >>> scanner = Scanner(torch.eye(3))
    >>> ArgmaxReport.join(scanner.decide([k]) for k in range(3)).verdict.tolist()
    [1, 1, 1]
    """

    def __init__(
        self,
        weight: Float[Tensor, "class dim"],
        bias: Float[Tensor, " class"] | None = None,
        *,
        radius: int | float | None = None,
        device: str | torch.device | None = None,
        memory: int | None = None,
    ) -> None:
        if radius is not None and not 0 < radius < math.inf:
            raise DataError(f"radius is {radius}; expected a positive number, or None for no bound")
        self.radius = None if radius is None else float(radius)
        self.layer: OutputLayer = prepare(weight, bias, device=device, memory=memory)
        self._batch = self.layer.together(BATCH)
        self.part = self.layer.together(PART)
        self._twins = find_twins(self.layer)
        self._shadow: Shadow | None = None

    def choose(self, classes: Classes | None) -> Int64[Tensor, " chosen"]:
        """Return classes as a tensor; all of them for None."""
        count = self.layer.classes
        if classes is None:
            return torch.arange(count)
        chosen = torch.as_tensor(classes if isinstance(classes, Tensor) else list(classes))
        if chosen.numel() and chosen.dtype not in (torch.int64, torch.int32):
            raise DataError(f"classes are {chosen.dtype}; expected integers")
        if chosen.ndim != 1:
            raise ShapeError(f"classes have shape {tuple(chosen.shape)}; expected [class]")
        chosen = chosen.long().cpu()
        wrong = chosen[(chosen < 0) | (chosen >= count)]
        if len(wrong):
            raise DataError(f"class {int(wrong[0])} is out of range; expected 0 to {count - 1}")
        if len(chosen.unique()) != len(chosen):
            raise DataError("a class is named twice; expected each once")
        return chosen

    def decide(self, classes: Classes) -> ArgmaxReport:
        """Decide some classes; errors as ``argmaxable``."""
        chosen = self.choose(classes)
        proofs = Proofs(self.layer, chosen, self.radius)
        for entries in torch.arange(len(chosen)).split(self.part):
            self._scan(proofs, entries)
        decide_rest(self.layer, proofs)
        return proofs.report()

    def _scan(self, proofs: Proofs, entries: Entries) -> None:
        """Prove what twins, own rows and reflections can prove.

        Reflections go on as long as the classes they settle would cost more by least squares.
        """
        entries = self._without_twins(proofs, entries)
        left, z = self._in_batches(self._at_own_rows, proofs, entries)
        lost = 0.0  # operations that least squares would have saved
        for _ in range(ROUNDS):
            before = len(left)
            if not before or lost > self._least_squares:
                return
            left, z = self._in_batches(self._try, proofs, left, z)
            lost += self._products(before) - self._least_squares * (before - len(left))
            lost = max(lost, 0.0)

    @property
    def _least_squares(self) -> float:
        """What the search for one class costs."""
        return 20e6 + 2.5e6 * self.layer.dim + 400 * self.layer.dim**3

    def _products(self, directions: int) -> float:
        """What a round with so many directions costs, in batches."""
        read = FEW * math.ceil(directions / self._batch)
        products = self.layer.classes * (directions + read)
        return CALLS + 2.0 * products * (self.layer.dim + GREATEST)

    def _in_batches(
        self, step: Callable[..., tuple[Entries, Points]], proofs: Proofs, *columns: Tensor
    ) -> tuple[Entries, Points]:
        """Take a step with a batch at a time; return what is left over of all."""
        batches = zip(*(column.split(self._batch) for column in columns), strict=True)
        parts = [step(proofs, *batch) for batch in batches]
        return torch.cat([entries for entries, _ in parts]), torch.cat([z for _, z in parts])

    def _without_twins(self, proofs: Proofs, entries: Entries) -> Entries:
        twins = self._twins[proofs.classes[entries]]
        for j, twin in zip(entries[twins >= 0].tolist(), twins[twins >= 0].tolist(), strict=True):
            proofs.outdone_by_twin(j, twin)
        return entries[twins < 0]

    def _at_own_rows(self, proofs: Proofs, entries: Entries) -> tuple[Entries, Points]:
        """Prove what the own rows prove; return the others, and points to try next."""
        entries = self._first_look(proofs, entries)
        own = proofs.classes[entries].to(self.layer.weight.device)
        z = own_points(self.layer, own, self.radius)
        found, won = self._leads(z, own)
        proofs.win_at_own(entries[won], found.low.cpu()[won])
        return entries[~won], self._next(z, own, found, won)

    def _try(self, proofs: Proofs, entries: Entries, z: Points) -> tuple[Entries, Points]:
        """Prove of these what the points prove; return the others, and points to try next."""
        own = proofs.classes[entries].to(self.layer.weight.device)
        found, won = self._leads(z, own)
        proofs.win_at(entries[won], z.cpu()[won], found.low.cpu()[won])
        return entries[~won], self._next(z, own, found, won)

    def _leads(self, z: Points, own: Int64[Tensor, " row"]) -> tuple[Leads, Bool[Tensor, " row"]]:
        found = leads(self.layer, self.layer.lift(z), own, torch.float32)
        return found, (found.low > 0).cpu()

    def _next(
        self, z: Points, own: Int64[Tensor, " row"], found: Leads, won: Bool[Tensor, " row"]
    ) -> Points:
        """Reflect the points of those that did not win."""
        lost = (~won).nonzero()[:, 0].to(own.device)
        rivals = found.rivals(lost, ACROSS)
        y = reflected(self.layer, self.layer.lift(z[lost]), own[lost], rivals)
        return canonical(self.layer, self.layer.lower(y), self.radius)

    def _first_look(self, proofs: Proofs, entries: Entries) -> Entries:
        """Prove of a wide layer what few coordinates prove; return the others."""
        size = shadow_size(self.layer, len(entries))
        if not size:
            return entries
        if self._shadow is None or self._shadow.basis.shape[1] != size:
            self._shadow = cast_shadow(self.layer, size)
        own = proofs.classes[entries].to(self.layer.weight.device)
        low = self._shadow.low(self.layer.lift(own_points(self.layer, own, self.radius)), own).cpu()
        proofs.win_at_own(entries[low > 0], low[low > 0])
        return entries[low <= 0]
