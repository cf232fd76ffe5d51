"""What passes through a network at its start: forward, backward, and into the weights."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from companion.errors import DataError, ShapeError

__all__ = ["Signals", "shake", "signals"]

Number = float | int


class Signals(NamedTuple):
    """Three numbers about one network. Infinite or NaN where they overflow: a finding, no error.

    Args:
        forward: mean square of the output relative to that of the input.
        backward: norm of the gradient at the input relative to that at the output.
        squares: sum of the squared gradients of all weights; times −η it is what one step of
            plain gradient descent changes the loss by, eq-residual-increment.
    """

    forward: float
    backward: float
    squares: float


def signals(
    model: nn.Module, x: Float[Tensor, "row width"], probe: Float[Tensor, "row width"]
) -> Signals:
    r"""Send ``x`` forward and ``probe`` backward through a model, and measure.

    The loss is linear, :math:`L=\langle F(x),v\rangle/\sqrt{rd}` for r rows of width d, with the
    probe v: its gradient at the output does not depend on the size of the output.

    Args:
        model: keeps the shape of ``x``.
        x: what goes in.
        probe: v, of the shape of ``x``.

    Raises:
        ShapeError: the model changes the shape of ``x``, or ``probe`` has another.
        DataError: the model has no parameter that takes a gradient.

    >>> double = nn.Linear(4, 4, bias=False)
    >>> with torch.no_grad():
    ...     _ = double.weight.copy_(2 * torch.eye(4))
    >>> signals(double, torch.eye(4), torch.eye(4))
    Signals(forward=4.0, backward=2.0, squares=0.25)
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not parameters:
        raise DataError("the model has no parameter that takes a gradient")
    x = x.detach().requires_grad_()
    out = model(x)
    if out.shape != x.shape or probe.shape != x.shape:
        shapes = f"output {list(out.shape)}, probe {list(probe.shape)}"
        raise ShapeError(f"{shapes}; expected the shape of x, {list(x.shape)}")
    top = probe / probe.numel() ** 0.5
    below, *gradients = torch.autograd.grad((out * top).sum(), [x, *parameters])
    return Signals(
        forward=float(out.detach().square().mean() / x.detach().square().mean()),
        backward=float(below.norm() / top.norm()),
        squares=float(torch.stack([g.square().sum() for g in gradients]).sum()),
    )


@torch.no_grad()
def shake(
    model: nn.Module,
    x: Float[Tensor, "row width"],
    *,
    relative: Number,
    draws: int = 1,
    generator: torch.Generator | None = None,
) -> Float[Tensor, " draw"]:
    r"""Return how far the output moves when every matrix is moved by a given share of itself.

    Each matrix W becomes :math:`W+\rho\,\|W\|_F\,E/\|E\|_F` with a Gaussian E. What comes back is
    :math:`\|\Delta F\|/\|F\|`. For a linear loss with a random probe this is also the root mean
    square of ΔL over that of L: the mean over the probes is taken on paper (eq-residual-rough).
    The parameters are afterwards what they were.

    Args:
        model: every parameter with two axes or more counts as matrices, stacked along the others.
        x: what goes in.
        relative: ρ, at least 0.
        draws: how many E are tried.
        generator: of E.

    Raises:
        DataError: a number out of its range.

    >>> moved = shake(nn.Linear(50, 50, bias=False), torch.randn(20, 50), relative=0.1)
    >>> 0.05 < float(moved) < 0.2
    True
    """
    if not 0 <= relative < float("inf"):
        raise DataError(f"relative is {relative}; expected a finite number, 0 or more")
    if draws < 1:
        raise DataError(f"draws is {draws}; expected at least 1")
    matrices = [p for p in model.parameters() if p.ndim > 1]
    kept = [p.clone() for p in matrices]
    before, found = model(x), []
    try:
        for _ in range(draws):
            for p, old in zip(matrices, kept, strict=True):
                E = torch.randn(old.shape, generator=generator, dtype=old.dtype)
                length = relative * _size(old) / _size(E)
                p.copy_(old + length * E)
            found.append((model(x) - before).norm() / before.norm())
    finally:
        for p, old in zip(matrices, kept, strict=True):
            p.copy_(old)
    return torch.stack(found)


def _size(matrix: Float[Tensor, "*stack rows columns"]) -> Float[Tensor, "*stack 1 1"]:
    return matrix.square().sum(dim=(-2, -1), keepdim=True).sqrt()
