"""Rotary position embedding: turn pairs of numbers by an angle that grows with the position."""

from __future__ import annotations

import torch
from einops import rearrange
from jaxtyping import Float, Int64
from torch import Tensor

from companion.errors import ShapeError

__all__ = ["rotate"]


def rotate(
    x: Float[Tensor, "... seq key"],
    *,
    start: int = 0,
    interleaved: bool = True,
    base: int | float = 10_000,
) -> Float[Tensor, "... seq key"]:
    r"""Turn pair i of the token at position m by the angle :math:`m\,\mathrm{base}^{-2i/s}`.

    The product of a turned query and a turned key depends on their distance alone (Su et al.,
    *RoFormer*, 2021). Two conventions of which numbers make a pair are in use, and weights trained
    with one are useless with the other.

    Args:
        x: s numbers for each token, s even. Angles, their sines and the turn are computed in
            float32 at least.
        start: the position of the first token.
        interleaved: pairs are (0, 1), (2, 3) … as in bert4keras and GAU-α; else (0, s/2),
            (1, s/2 + 1) … as in the paper's own code of FLASH.
        base: the slowest pair turns about this many times slower than the first.

    Raises:
        ShapeError: if s is odd.

    >>> rotate(torch.tensor([[1.0, 0.0], [1.0, 0.0]]))
    tensor([[1.0000, 0.0000],
            [0.5403, 0.8415]])
    """
    if x.ndim < 2 or x.shape[-1] % 2:
        raise ShapeError(f"x has shape {tuple(x.shape)}; expected [..., seq, key], key even")
    positions = torch.arange(start, start + x.shape[-2], device=x.device)
    cos, sin = _turns(positions, x.shape[-1], base=base, dtype=x.dtype)
    pairs = "(pair two) -> two ... pair" if interleaved else "(two pair) -> two ... pair"
    a, b = rearrange(x, f"... {pairs}", two=2)
    turned = torch.stack([a * cos - b * sin, b * cos + a * sin])
    back = "... (pair two)" if interleaved else "... (two pair)"
    return rearrange(turned, f"two ... pair -> {back}").to(x.dtype)


def _turns(
    positions: Int64[Tensor, " seq"], key: int, *, base: int | float, dtype: torch.dtype
) -> tuple[Float[Tensor, "seq pair"], Float[Tensor, "seq pair"]]:
    """Return cosine and sine of every position's angles."""
    exact = torch.promote_types(dtype, torch.float32)
    pair = torch.arange(key // 2, device=positions.device, dtype=exact)
    angles = positions.to(exact)[:, None] * base ** (-2 * pair / key)
    return angles.cos(), angles.sin()
