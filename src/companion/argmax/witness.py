"""Points at which a class may win: its own row first, then reflections across what beats it."""

from __future__ import annotations

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from companion.argmax.layer import OutputLayer, gamma

__all__ = ["canonical", "inside_ball", "own_points", "reflected"]


def own_points(
    layer: OutputLayer, classes: Int64[Tensor, " row"], radius: float | None
) -> Float64[Tensor, "row dim"]:
    r"""Return :math:`z = w_k - c`, of length 1 or radius; with a bias, long enough to outdo it.

    At this point :math:`\langle w_k, z\rangle` is the largest for every class if all norms are
    equal (``eq-argmax-equal-norm``), and for most classes in high dimensions.
    """
    z = layer.rows(classes)[:, : layer.weight.shape[1]] * layer.scale
    length = z.norm(dim=1, keepdim=True)
    z = torch.where(length > 0, z / torch.where(length > 0, length, 1), 1.0)
    if layer.bias is not None:
        spread = (layer.bias - layer.centre[-1] / layer.unit).abs().max()
        reach = 32 * spread / layer.norms.median() * layer.scale
        z = z * (torch.where(reach > 0, reach, 1.0) if radius is None else radius)
    return canonical(layer, z, radius)


def canonical(
    layer: OutputLayer, z: Float64[Tensor, "row dim"], radius: float | None
) -> Float64[Tensor, "row dim"]:
    """Return the points in the form a report keeps them: where only the direction matters, of
    length 1 or radius; else shortened into the ball, if there is one."""
    if layer.bias is not None and radius is None:
        return z
    share = 1 - 4 * gamma(z.shape[1] + 8, torch.float64)
    limit = 1.0 if radius is None else radius
    length = z.norm(dim=1, keepdim=True)
    if layer.bias is not None:
        return torch.where(length > limit * share * share, z * (limit * share * share / length), z)
    return z * torch.where(length > 0, limit * share / length, 1.0)


def inside_ball(z: Float64[Tensor, "row dim"], radius: float) -> bool:
    """Return whether all points have a length of at most ``radius``, for sure."""
    longest = float(z.norm(dim=1).max()) if len(z) else 0.0
    return longest * (1 + 2 * gamma(z.shape[1] + 8, torch.float64)) <= radius


def reflected(
    layer: OutputLayer,
    directions: Float64[Tensor, "row lifted"],
    own: Int64[Tensor, " row"],
    rivals: Int64[Tensor, "row rival"],
) -> Float64[Tensor, "row lifted"]:
    r"""Reflect each direction across the hyperplanes on which k and a rival tie, one by one.

    :math:`y - 2 \langle x_k - x_j, y\rangle (x_k - x_j) / |x_k - x_j|^2` where j is ahead (the
    braid of Grivas, Bogoychev and Lopez, 2022): the nearest place where k is ahead by what it was
    behind. They reflect across the best rival alone; with several a round settles more classes.
    """
    rows = layer.rows(own)
    for rival in rivals.T:
        gap = rows - layer.rows(rival)
        square = gap.square().sum(1).clamp_min(torch.finfo(torch.float64).tiny)
        behind = (gap * directions).sum(1).clamp_max(0)
        directions = directions - (2 * behind / square)[:, None] * gap
    return directions
