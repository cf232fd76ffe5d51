"""Mixed chunk attention, FLASH's own: quadratic within a chunk, linear between chunks."""

from __future__ import annotations

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional

from companion.attention.padding import check_inputs
from companion.errors import DataError

__all__ = ["mixed_chunk_attention"]


def mixed_chunk_attention(
    q_quad: Float[Tensor, "batch seq key"],
    k_quad: Float[Tensor, "batch seq key"],
    q_lin: Float[Tensor, "batch seq key"],
    k_lin: Float[Tensor, "batch seq key"],
    v: Float[Tensor, "batch seq value"],
    *,
    chunk: int = 256,
    causal: bool = False,
    mask: Bool[Tensor, "batch seq"] | None = None,
) -> Float[Tensor, "batch seq value"]:
    r"""Mix the values of the own chunk by relu², those of others linearly; in time linear in n.

    The sum of ``eq-flash-quad-chunk``,
    :math:`\frac1{cs}\mathrm{relu}^2(Q_g K_g^\top) V_g`, and of ``eq-flash-lin-chunk``,
    :math:`\frac1n Q_g \sum_h K_h^\top V_h`, or, causal, ``eq-flash-lin-causal``, where only earlier
    chunks h < g are summed and n is how many tokens they hold; the first chunk has none (Hua et al.
    2022, section 3.3). This is the definition; ``kernels.mixed_chunk_attention`` has the same name
    and signature.

    With a mask, the chunks are counted over the true tokens alone: the result is that of the
    sequence without its padding, wherever the padding stands.

    Args:
        q_quad, k_quad: s numbers for each token, for the quadratic part.
        q_lin, k_lin: as many, for the linear part; any sign, there is no feature map.
        v: e numbers for each token.
        chunk: c, tokens in a chunk; the last one may hold fewer. The quadratic part is divided by
            c even then.
        causal: whether a token sees only itself and what came before.
        mask: True where there is a token. What is padded contributes nothing, and receives zeros.

    Raises:
        ShapeError: if the tensors do not fit together.
        DataError: if they differ in precision or device, the mask is not Boolean, or ``chunk`` is
            no whole number of at least 1.

    >>> q = k = v = torch.ones(1, 4, 1)
    >>> mixed_chunk_attention(q, k, q, k, v, chunk=2, causal=True).flatten()
    tensor([0.5000, 1.0000, 1.5000, 2.0000])
    """
    named = {"q_quad": q_quad, "k_quad": k_quad, "q_lin": q_lin, "k_lin": k_lin}
    _, n, s = check_inputs(named, v, mask)
    check_chunk(chunk)
    if n == 0:
        return v.clone()
    tensors, order, tokens = packed([*named.values(), v], mask)
    qq, kq, ql, kl, v = (in_chunks(tensor, min(chunk, n)) for tensor in tensors)
    weights = ((qq * (s * chunk) ** -0.5) @ kq.mT).relu_().square()
    near = (weights.tril_() if causal else weights) @ v
    # Keys are divided before the sum over tokens, which float16 could not hold.
    if causal:  # of the earlier chunks, all of them full: before group g there are g
        states = functional.pad(((kl / chunk).mT @ v)[:, :-1].cumsum(dim=1), (0, 0, 0, 0, 1, 0))
        earlier = torch.arange(ql.shape[1], device=v.device).clamp_min(1)
        ql = divided(ql, earlier[:, None, None])
        mixed = torch.baddbmm(near.flatten(0, 1), ql.flatten(0, 1), states.flatten(0, 1))
        chunks = "(batch group) row value -> batch (group row) value"
        mixed = rearrange(mixed, chunks, group=len(earlier))
    else:
        count = torch.full((1,), n, device=v.device) if tokens is None else tokens.clamp_min(1)
        states = divided(flat(kl), count[:, None, None]).mT @ flat(v)
        mixed = torch.baddbmm(flat(near), flat(ql), states)
    return unpacked(mixed[:, :n], order, mask)


def packed(
    tensors: list[Tensor], mask: Bool[Tensor, "batch seq"] | None
) -> tuple[list[Tensor], Int64[Tensor, "batch seq"] | None, Int64[Tensor, " batch"] | None]:
    """Move the true tokens to the front, in their order, and zeros behind them.

    Returns:
        The tensors; where each of their tokens stood; how many of them are true. Both None
        without a mask.
    """
    if mask is None:
        return tensors, None, None
    order = mask.int().argsort(dim=1, descending=True, stable=True)
    there = mask.gather(1, order)[:, :, None]
    moved = [_take(tensor, order).masked_fill(~there, 0) for tensor in tensors]
    return moved, order, mask.sum(dim=1)


def unpacked(
    mixed: Float[Tensor, "batch seq value"],
    order: Int64[Tensor, "batch seq"] | None,
    mask: Bool[Tensor, "batch seq"] | None,
) -> Float[Tensor, "batch seq value"]:
    """Move the tokens back to where they stood, and put zeros where there is none."""
    if order is None or mask is None:
        return mixed
    return _take(mixed, order.argsort(dim=1)).masked_fill(~mask[:, :, None], 0)


def in_chunks(
    tensor: Float[Tensor, "batch seq width"], rows: int
) -> Float[Tensor, "batch group row width"]:
    """Cut into groups of so many tokens, the last one filled up with zeros."""
    missing = -tensor.shape[1] % rows
    filled = functional.pad(tensor, (0, 0, 0, missing)) if missing else tensor
    return rearrange(filled, "batch (group row) width -> batch group row width", row=rows)


def flat(
    tensor: Float[Tensor, "batch group row width"],
) -> Float[Tensor, "batch seq width"]:
    """Put the chunks behind one another again."""
    return rearrange(tensor, "batch group row width -> batch (group row) width")


def divided(tensor: Tensor, count: Tensor) -> Tensor:
    """Divide by whole numbers, in float32 at least: the lower precisions would round them."""
    exact = torch.promote_types(tensor.dtype, torch.float32)
    return (tensor / count.to(exact)).to(tensor.dtype)


def check_chunk(chunk: int) -> None:
    """Refuse what is no number of tokens."""
    if not isinstance(chunk, int) or isinstance(chunk, bool) or chunk < 1:
        raise DataError(f"chunk is {chunk!r}; expected a whole number of at least 1")


def _take(tensor: Tensor, order: Tensor) -> Tensor:
    return tensor.gather(1, order[:, :, None].expand(-1, -1, tensor.shape[2]))
