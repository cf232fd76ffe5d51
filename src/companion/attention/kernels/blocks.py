"""Scores a block at a time: how large a block is, and any normaliser on one after the other."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from companion.attention.normalizers import Normalizer
from companion.attention.padding import keys_that_count

__all__ = ["block_size", "score_blocks", "streamed"]

BLOCK_BYTES = 24 * 2**20  # scores at once: they stay in the second-level cache of a large GPU
BLOCK_ROWS = 2048  # but no fewer rows, however long: fewer would leave much of the GPU idle
CAUSAL_ROWS = 512  # about as many, of each sequence, when causal: what is above them is left out
ROW_TILE = 128  # rows of a block are a multiple of this


def block_size(batch: int, seq: int, *, causal: bool, bytes_each: int) -> tuple[int, int]:
    """Return how many sequences, and how many rows of each, make one block of scores.

    Not causal, few sequences with many rows: each value is then read rarely. Causal, many sequences
    with fewer rows: a row block sees no column behind its end.

    >>> block_size(8, 2048, causal=False, bytes_each=2)
    (3, 2048)
    >>> block_size(8, 2048, causal=True, bytes_each=2)
    (8, 512)
    >>> block_size(1, 4097, causal=False, bytes_each=2)
    (1, 2176)
    >>> block_size(1, 65536, causal=False, bytes_each=2)
    (1, 2048)
    """
    at_once = max(BLOCK_ROWS, BLOCK_BYTES // (seq * bytes_each))
    rows = at_once
    if causal:
        rows = min(at_once, max(CAUSAL_ROWS, seq // 8, BLOCK_ROWS // batch))
    rows = _even(seq, rows)
    rows = min(seq, -(-rows // ROW_TILE) * ROW_TILE)
    return _even(batch, max(1, at_once // rows)), rows


def score_blocks(
    batch: int, seq: int, *, causal: bool, bytes_each: int
) -> list[tuple[slice, slice]]:
    """Return the blocks, each as its sequences and its rows; none if there is nothing.

    >>> score_blocks(2, 5, causal=True, bytes_each=4)
    [(slice(0, 2, None), slice(0, 5, None))]
    """
    if batch == 0 or seq == 0:
        return []
    sequences, rows = block_size(batch, seq, causal=causal, bytes_each=bytes_each)
    return [
        (slice(b, min(b + sequences, batch)), slice(row, min(row + rows, seq)))
        for b in range(0, batch, sequences)
        for row in range(0, seq, rows)
    ]


def streamed(
    q: Float[Tensor, "batch seq key"],
    k: Float[Tensor, "batch seq key"],
    v: Float[Tensor, "batch seq value"],
    *,
    normalize: Normalizer,
    causal: bool,
    mask: Bool[Tensor, "batch seq"] | None,
    length: int | float | None,
) -> Float[Tensor, "batch seq value"]:
    """Attend by any normaliser, with scores q·k, in plain PyTorch on any device.

    A block of scores is dropped when its rows are mixed, and computed again on the way back. If
    causal, the normaliser is not shown the keys behind the block's last row. Where gradients of
    several blocks add up they do so in float32 at least: k and v are then kept in float32, too.
    """
    batch, seq, _ = q.shape
    if batch == 0:
        return v.clone()
    sequences, rows = block_size(batch, seq, causal=causal, bytes_each=q.element_size())
    count = keys_that_count(seq, causal=causal, mask=mask, length=length, like=q)
    adds_up = rows < seq and torch.is_grad_enabled()
    wide = torch.promote_types(q.dtype, torch.float32) if adds_up else q.dtype
    some = [tensor.split(sequences) for tensor in (q, k.to(wide), v.to(wide))]
    some.append(count.expand(batch, seq, 1).split(sequences))
    there = [None] * len(some[0]) if mask is None else mask.split(sequences)
    mixed = []
    for q_, k_, v_, count_, there_ in zip(*some, there, strict=True):
        blocks = zip(q_.split(rows, dim=1), count_.split(rows, dim=1), strict=True)
        lines = []
        for first, (queries, counts) in zip(range(0, seq, rows), blocks, strict=True):
            end = min(first + rows, seq) if causal else seq
            seen = None if there_ is None else there_[:, :end]
            start = first if causal else None
            tensors = (queries, k_[:, :end], v_[:, :end], seen, counts)
            lines.append(checkpoint(_mix, *tensors, normalize, start, use_reentrant=False))
        mixed.append(torch.cat(lines, dim=1))
    return torch.cat(mixed)


def _mix(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    there: Tensor | None,
    count: Tensor,
    normalize: Normalizer,
    first: int | None,
) -> Tensor:
    """Mix the values for the rows q; ``first`` is the position of the first of them, if causal."""
    k, v = k.to(q.dtype), v.to(q.dtype)
    allowed = None if there is None else there[:, None, :]
    if first is not None:
        row = torch.arange(first, first + q.shape[1], device=q.device)
        earlier = torch.arange(k.shape[1], device=q.device) <= row[:, None]
        allowed = earlier[None] if allowed is None else allowed & earlier
    return normalize(q @ k.mT, allowed, count) @ v


def _even(total: int, most: int) -> int:
    """Return the size of equal parts that are no larger than ``most``, the last perhaps smaller."""
    return -(-total // -(-total // most))
