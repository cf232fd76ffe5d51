"""Six ways to start a deep residual network, as stacks that can be measured.

N layers of two branches each make L = 2N branches of two matrices. Every function takes a
``block`` that makes such a branch (its last matrix is its last parameter), and ``layers`` = N.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from companion.depth.scaling import DepthScaling
from companion.depth.stack import ResidualStack
from companion.errors import DataError

__all__ = [
    "Gated",
    "admin",
    "deepnorm",
    "fixup",
    "rezero",
    "skipinit",
    "t_fixup",
    "t_fixup_embedding",
]

Block = Callable[[], nn.Module]


class Gated(nn.Module):
    """A branch times a number of its own, ``gate``: x ↦ gate · F(x).

    >>> Gated(nn.Identity(), 0.5)(torch.ones(2)).tolist()
    [0.5, 0.5]
    """

    def __init__(self, block: nn.Module, gate: float | int, *, trained: bool = True) -> None:
        super().__init__()
        self.block = block
        self.gate = nn.Parameter(torch.tensor(float(gate)), requires_grad=trained)

    def forward(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        return self.gate * self.block(x)


def deepnorm(block: Block, layers: int) -> ResidualStack:
    """Return DeepNorm: α = (2N)^(1/4), λ = (8N)^(−1/4), LN after the sum (Wang et al. 2022)."""
    scaling = DepthScaling.deepnet("encoder", layers)
    return ResidualStack(block, 2 * layers, norm="post", scaling=scaling)


def admin(block: Block, layers: int, x: Float[Tensor, "*batch dim"]) -> ResidualStack:
    r"""Return Admin: :math:`\mathrm{LN}(\omega_i x + F_i(x))`, ω measured (Liu et al. 2020).

    A first pass over ``x`` with ω = 1 measures the variance of each branch's output, and
    :math:`\omega_i^2 = 1 + \sum_{j<i}\mathrm{Var}\,F_j`, so that a branch weighs as much at the
    end of the stack as it would without any norm. LN forgets the scale of its input, so the stack
    divides the branch by ω instead; the numbers are the same but for the ε of LN.
    """
    stack = ResidualStack(block, 2 * layers, norm="post")
    branches, square = [], 1.0
    with torch.no_grad():
        for branch in stack.branches:
            out = branch(x)
            branches.append(Gated(branch, square**-0.5))
            square += float(out.var(correction=0))
            x = F.layer_norm(x + out, x.shape[-1:])
    stack.branches = nn.ModuleList(branches)
    return stack


def fixup(block: Block, layers: int) -> ResidualStack:
    r"""Return Fixup: no norm, the last matrix of a branch 0, the others times L^(−1/(2m−2)).

    (Zhang et al. 2019.) With m = 2 matrices in each of L branches: L^(−1/2). The trained scalars
    that Fixup adds beside each matrix (one multiplier, biases of 0) are left out.
    """
    stack = ResidualStack(block, 2 * layers, norm="none")
    with torch.no_grad():
        for branch in stack.branches:
            *others, last = _matrices(branch)
            last.zero_()
            for weight in others:
                weight.mul_((2 * layers) ** (-1 / (2 * len(others))))
    return stack


def t_fixup(block: Block, layers: int) -> ResidualStack:
    """Return T-Fixup: no norm; value, output and feed-forward times 0.67 N^(−1/4) (Huang 2020).

    That is the constant of an encoder. T-Fixup scales the embeddings as well, by (9N)^(−1/4):
    ``t_fixup_embedding``.
    """
    scaling = DepthScaling(1.0, 0.67 * layers ** (-1 / 4))
    return ResidualStack(block, 2 * layers, norm="none", scaling=scaling)


def t_fixup_embedding(layers: int) -> float:
    """Return (9N)^(−1/4), the factor of T-Fixup's embeddings.

    >>> round(t_fixup_embedding(9), 4)
    0.3333
    """
    return (9 * layers) ** (-1 / 4)


def rezero(block: Block, layers: int) -> ResidualStack:
    """Return ReZero: no norm, x + a F(x) with a trained a that starts at 0 (Bachlechner 2021)."""
    return ResidualStack(lambda: Gated(block(), 0), 2 * layers, norm="none")


def skipinit(block: Block, layers: int) -> ResidualStack:
    """Return SkipInit: no norm, x + a F(x) with a trained a that starts at 1/√L (De 2020).

    De and Smith start a at 0 or at 1/√L; with 0 it is ReZero.
    """
    gate = (2 * layers) ** -0.5
    return ResidualStack(lambda: Gated(block(), gate), 2 * layers, norm="none")


def _matrices(branch: nn.Module) -> list[nn.Parameter]:
    found = [weight for weight in branch.parameters() if weight.ndim > 1]
    if len(found) < 2:
        raise DataError(f"a branch has {len(found)} matrices; expected two or more")
    return found
