"""A stack of residual branches, as deep as you like."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from companion.depth.scaling import DepthScaling
from companion.errors import DataError, ShapeError

__all__ = ["ResidualStack"]

Block = Callable[[], nn.Module] | nn.Module
NORMS = ("post", "pre", "none")
UNSCALED = frozenset({"query", "key", "q_proj", "k_proj"})  # attribute `unscaled` overrides


class ResidualStack(nn.Module):
    r"""N layers of residual branches, one after the other.

    With the factor α and the branch F, a branch maps x to

    - "post": :math:`\mathrm{LN}(\alpha x + F(x))` (eq-depth-deepnorm);
    - "pre": :math:`\alpha x + F(\mathrm{LN}(x))` (eq-depth-prenorm);
    - "none": :math:`\alpha x + F(x)`.

    LN subtracts the mean and divides by the root of the variance plus ``eps``; it has no gain and
    no bias unless ``affine`` asks for them. After "pre" there is no LN at the end: whoever reads
    the stack out adds one.

    At the start every matrix of a branch, as the branch itself draws it, is multiplied by λ
    (``scaling.gain``), but for query and key: those named in the branch's attribute ``unscaled``
    or, where it has none, those with ``query``, ``key``, ``q_proj`` or ``k_proj`` in their name.
    Vectors (biases) are left alone.

    Args:
        block: makes one branch: a function (or class) of no arguments, or a module to be copied
            and drawn anew by its ``reset_parameters``. A list of several makes a layer of as many
            branches, such as attention and feed-forward.
        depth: N, number of layers; the stack has N times as many branches as ``block`` makes.
        norm: where LN stands.
        scaling: α and λ; nothing is scaled by default.
        affine: dimension of a trained gain and bias in every LN; None for none.
        eps: under the root in LN.
        checkpoint_every: branches between two activations that are kept for the backward pass;
            the others are computed again. None keeps all.

    Raises:
        DataError: if depth is below 1, a name is unknown, or a block is of no use.
        ShapeError: in a forward pass, if a branch changes the shape.

    >>> from companion.depth import FeedForward
    >>> stack = ResidualStack(lambda: FeedForward(8), depth=4, scaling=DepthScaling(2.0, 0.5))
    >>> stack(torch.randn(3, 8)).shape, len(stack.branches)
    (torch.Size([3, 8]), 4)
    """

    def __init__(
        self,
        block: Block | Sequence[Block],
        depth: int,
        *,
        norm: str = "post",
        scaling: DepthScaling | None = None,
        affine: int | None = None,
        eps: float = 1e-5,
        checkpoint_every: int | None = None,
    ) -> None:
        super().__init__()
        blocks: list[Block] = [*block] if isinstance(block, Sequence) else [block]
        if not isinstance(depth, int) or depth < 1:
            raise DataError(f"depth is {depth!r}; expected a whole number, at least 1")
        if norm not in NORMS:
            raise DataError(f"norm is {norm!r}; expected one of {', '.join(map(repr, NORMS))}")
        for name, value in (("affine", affine), ("checkpoint_every", checkpoint_every)):
            if value is not None and value < 1:
                raise DataError(f"{name} is {value}; expected at least 1, or None")
        if not blocks:
            raise DataError("block is an empty list; expected at least one branch")
        self.norm, self.eps, self.checkpoint_every = norm, eps, checkpoint_every
        self.scaling = DepthScaling() if scaling is None else scaling
        self.branches = nn.ModuleList(_fresh(one) for _ in range(depth) for one in blocks)
        count = 0 if affine is None or norm == "none" else len(self.branches)
        size = affine or 0
        self.gains = nn.ParameterList(torch.ones(size) for _ in range(count))
        self.biases = nn.ParameterList(torch.zeros(size) for _ in range(count))
        with torch.no_grad():
            for weight in self.scaled_weights():
                weight.mul_(self.scaling.gain)

    def scaled_weights(self) -> Iterator[nn.Parameter]:
        """Yield the matrices whose size at the start depends on λ."""
        for branch in self.branches:
            unscaled = getattr(branch, "unscaled", UNSCALED)
            for name, parameter in branch.named_parameters():
                if parameter.ndim > 1 and not {*name.split(".")} & {*unscaled}:
                    yield parameter

    def forward(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        every = self.checkpoint_every
        if every is None or not torch.is_grad_enabled():
            return self._run(x, 0, len(self.branches))
        for start in range(0, len(self.branches), every):
            stop = min(start + every, len(self.branches))
            x = checkpoint(self._run, x, start, stop, use_reentrant=False)  # pyright: ignore[reportAssignmentType]
        return x

    def _run(self, x: Tensor, start: int, stop: int) -> Tensor:
        for index in range(start, stop):
            x = self._step(x, index)
        return x

    def _step(self, x: Tensor, index: int) -> Tensor:
        before = self._normalise(x, index) if self.norm == "pre" else x
        branch = self.branches[index](before)
        if branch.shape != x.shape:
            found, wanted = list(branch.shape), list(x.shape)
            raise ShapeError(f"branch {index} gives shape {found}; expected that of x, {wanted}")
        total = torch.add(branch, x, alpha=self.scaling.alpha)
        return self._normalise(total, index) if self.norm == "post" else total

    def _normalise(self, x: Tensor, index: int) -> Tensor:
        gain = self.gains[index] if len(self.gains) else None
        bias = self.biases[index] if len(self.biases) else None
        return F.layer_norm(x, x.shape[-1:], gain, bias, self.eps)


def _fresh(block: Block) -> nn.Module:
    """Return a new branch with random numbers of its own."""
    if isinstance(block, nn.Module):
        made = deepcopy(block)
        drawn = [m for m in made.modules() if hasattr(m, "reset_parameters")]
        for module in drawn:
            module.reset_parameters()  # pyright: ignore[reportCallIssue]  (it has one)
        if not drawn and any(True for _ in made.parameters()):
            name = type(block).__name__
            raise DataError(f"{name} has no reset_parameters; expected a function that makes it")
        return made
    made = block()
    if not isinstance(made, nn.Module):
        raise DataError(f"block made a {type(made).__name__}; expected a torch.nn.Module")
    return made
