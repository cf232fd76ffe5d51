"""Which classes can be the largest logit: a scan over all of them, with a proof for each."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from tqdm import tqdm

from companion.argmax.layer import OutputLayer, prepare
from companion.argmax.leads import leads
from companion.argmax.proofs import Proofs
from companion.argmax.report import ArgmaxReport
from companion.argmax.shadow import Shadow, cast_shadow, shadow_size
from companion.argmax.twins import find_twins
from companion.argmax.witness import canonical, own_points, reflected
from companion.argmax.working_set import decide_rest
from companion.errors import DataError, ShapeError

__all__ = ["Scanner", "argmaxable"]

Classes = Sequence[int] | range | Int64[Tensor, " chosen"]
BATCH = 1024  # classes that are scanned together
ROUNDS = 100  # reflections at most
YIELD = 0.005  # reflections stop where fewer of the classes left are found in a round


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
        for block in chosen.split(scanner.block):
            parts.append(scanner.decide(block))
            bar.update(len(block))
    return ArgmaxReport.join(parts or [scanner.decide(chosen)])


class Scanner:
    """Decides classes of one layer, some at a time.

    What it says about a class does not depend on what it was asked before, so a scan may be split
    into blocks, stopped and continued; ``ArgmaxReport.join`` puts the parts together.

    Attributes:
        block: how many classes ``argmaxable`` hands over at a time.

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
        self.block = self.layer.together(BATCH)
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
        for entries in torch.arange(len(chosen)).split(self.block):
            self._scan(proofs, entries)
        decide_rest(self.layer, proofs)
        return proofs.report()

    def _first_look(self, proofs: Proofs, entries: Int64[Tensor, " row"]) -> Int64[Tensor, " left"]:
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

    def _scan(self, proofs: Proofs, entries: Int64[Tensor, " row"]) -> None:
        """Prove what twins, own rows and reflections can prove."""
        layer = self.layer
        twins = self._twins[proofs.classes[entries]]
        for j, twin in zip(entries[twins >= 0].tolist(), twins[twins >= 0].tolist(), strict=True):
            proofs.outdone_by_twin(j, twin)
        entries = entries[twins < 0]
        entries = self._first_look(proofs, entries)
        own = proofs.classes[entries].to(layer.weight.device)
        z = own_points(layer, own, self.radius)
        for turn in range(ROUNDS):
            if not len(entries):
                return
            y = layer.lift(z)
            found = leads(layer, y, own, torch.float32)
            won = (found.low > 0).cpu()
            if turn:
                proofs.win_at(entries[won], z[won].cpu(), found.low[won].cpu())
            else:
                proofs.win_at_own(entries[won], found.low[won].cpu())
            share = float(won.double().mean())
            lost = (~won).nonzero()[:, 0]
            if turn and share < YIELD:
                return
            rival = found.rivals(lost.to(own.device))[:, 0]
            entries, own, y = entries[lost], own[lost], y[lost]
            z = canonical(layer, layer.lower(reflected(layer, y, own, rival)), self.radius)
