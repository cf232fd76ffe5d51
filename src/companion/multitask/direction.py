"""What every rule of this room returns, and the measure of how exactly it was found."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Direction", "kkt_residual"]


@dataclass(frozen=True)
class Direction:
    """A descent direction ``u`` for :math:`\\theta \\leftarrow \\theta - \\eta u`, and its origin.

    Attributes:
        update: ``u``, on the device and in the precision of the gradients.
        weights: how much of each gradient is in ``u``: float64 on the CPU, as they were solved.
            The multipliers λ (``primary_descent``), the hull weights α (``common_descent``),
            or both, α first (``hybrid_descent``).
        gram: all inner products of the gradients, primaries first: float64 on the CPU.
    """

    update: Float[Tensor, " dim"]
    weights: Float[Tensor, " weight"]
    gram: Float[Tensor, "task task"]


def kkt_residual(
    update: Float[Tensor, " dim"],
    weights: Float[Tensor, " task"],
    gradients: Float[Tensor, "task dim"],
    *,
    primaries: int,
) -> float:
    r"""Say how far ``update`` and ``weights`` are from optimal; 0 is exact, 1 is as bad as a guess.

    The first ``primaries`` rows share the update as equals (α, on the simplex), the others only
    restrain it (λ ≥ 0): equation ``eq-primary-kkt``, for several primaries ``eq-primary-hybrid``.
    With :math:`s_i = \langle g_i, u\rangle - |u|^2` for a primary and
    :math:`s_i = \langle g_i, u\rangle` for the others, optimality is :math:`u = \sum_i w_i g_i`,
    :math:`w_i \ge 0`, :math:`s_i \ge 0` and :math:`w_i s_i = 0`. The *relative KKT residual* is
    the largest violation, each measured as a length,

    .. math:: \max\Big(|u - \sum_i w_i g_i|,\ \max_i\big|\min(w_i|g_i|,\, s_i/|g_i|)\big|\Big)
              \Big/ \sum_{i\ \mathrm{primary}} w_i |g_i| ,

    with :math:`\max(|g_i|, |u|)` instead of :math:`|g_i|` under the :math:`s_i` of a primary, so
    that a primary gradient of zero, which asks for ``u = 0``, is judged too. For one primary the
    denominator is :math:`|g_0|`, and row 0 measures the gap
    :math:`\langle g_0, u\rangle - |u|^2`. Sums run in float64 (on a device without it: float32).

    Args:
        update: ``u``.
        weights: one per row of ``gradients``; for ``primary_descent`` put a 1 before its λ.
        gradients: all gradients, primaries first.
        primaries: how many rows are primaries, at least 1.

    >>> g = torch.tensor([[1.0, 0.0], [-1.0, 1.0]])      # u leaves what g[0] and g[1] agree on
    >>> kkt_residual(torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.5]), g, primaries=1)
    0.0
    >>> kkt_residual(g[0], torch.tensor([1.0, 0.0]), g, primaries=1) > 0.1      # g[1] ignored
    True
    """
    wide = torch.float32 if gradients.device.type == "mps" else torch.float64
    u, w, g = (part.detach().to(gradients.device, wide) for part in (update, weights, gradients))
    lengths = torch.linalg.vector_norm(g, dim=1)
    scale = (w[:primaries] * lengths[:primaries]).sum()
    slack, unit = g @ u, lengths.clone()
    slack[:primaries] -= u @ u
    unit[:primaries] = unit[:primaries].clamp(min=torch.linalg.vector_norm(u))
    slack = slack / torch.where(unit > 0, unit, 1.0)
    violation = torch.minimum(w * lengths, slack).abs()
    violation = torch.where((lengths == 0) & (slack >= 0), 0.0, violation)
    worst = torch.maximum(torch.linalg.vector_norm(u - w @ g), violation.max())
    return 0.0 if worst == 0 else float(worst / scale)
