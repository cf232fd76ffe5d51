"""Mixed chunk attention forward and backward, by two Triton kernels and library products."""

# No postponed annotations here: custom_op reads the types.
import torch
import triton
from einops import rearrange
from torch import Tensor

from companion.attention.kernels.gau import (
    dense,
    gau_backward,
    gau_forward,
    on_device,
    precision,
)
from companion.attention.kernels.mixed_chunk_tiles import chunk_tiles, state_tiles
from companion.attention.mixed_chunk import in_chunks

__all__ = ["chunk_backward", "chunk_forward"]

FUSED_CHUNK = 256  # a program holds the weights of its rows to a whole chunk, no longer than this
FUSED_KEY = 128  # and all s numbers of the chunk's keys, no more than this
FUSED_BYTES = 2  # float32 does not fit into the registers
STEP = 64  # tokens that a program adds to its state at a time
PROGRAMS = 132  # what keeps a large GPU busy: where there would be fewer, tiles are smaller


def chunk_forward(
    qq: Tensor,
    kq: Tensor,
    ql: Tensor,
    kl: Tensor,
    v: Tensor,
    share: Tensor,
    chunk: int,
    causal: bool,
) -> Tensor:
    """Mix the values; share [batch or 1]: one over the tokens of a sequence."""
    qq, kq, ql, kl, v = (dense(tensor) for tensor in (qq, kq, ql, kl, v))
    rows = min(chunk, v.shape[1])
    states = _states(kl, v, share, rows, causal=causal)
    if _fits(rows, qq.shape[2], v.element_size()):
        return _chunks(qq, kq, ql, v, states, rows, chunk**-0.5, causal)
    apart = [_apart(tensor, rows) for tensor in (qq, kq, v)]
    near = gau_forward(apart[0], apart[1], apart[2], _root(chunk, v), causal)
    if causal:
        return _together(near.baddbmm_(_apart(ql, rows), states.flatten(0, 1)), v)
    return _together(near, v).baddbmm(ql, states[:, 0])


def chunk_backward(
    dmixed: Tensor,
    qq: Tensor,
    kq: Tensor,
    ql: Tensor,
    kl: Tensor,
    v: Tensor,
    share: Tensor,
    chunk: int,
    causal: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of the five tensors."""
    dmixed, ql, kl, v = (dense(tensor) for tensor in (dmixed, ql, kl, v))
    rows = min(chunk, v.shape[1])
    states = _states(kl, v, share, rows, causal=causal).flatten(0, 1)
    dstates = _states(ql, dmixed, share, rows, causal=causal, reverse=True).flatten(0, 1)
    do, values, keys, q, k = (_apart(tensor, rows) for tensor in (dmixed, v, kl, qq, kq))
    dqq, dkq, dv = gau_backward(do, q, k, values, _root(chunk, v), causal)
    if not causal:  # one state for the whole sequence
        do, values, keys, dv = dmixed, v, kl, _together(dv, v)
    far = do @ states.mT, values @ dstates.mT, dv.baddbmm(keys, dstates)
    dql, dkl, dv = (_together(gradient, v) for gradient in far) if causal else far
    return _together(dqq, v), _together(dkq, v), dql, dkl, dv


def _states(
    left: Tensor, right: Tensor, share: Tensor, rows: int, *, causal: bool, reverse: bool = False
) -> Tensor:
    """Return what the linear part multiplies, [batch, group, key, value]; not causal, one group.

    Sums of leftᵀ right over tokens, divided by their number before they are rounded, since float16
    does not hold such sums.
    """
    batch, seq, key = left.shape
    value = right.shape[2]
    if not causal:
        total = torch.baddbmm(left.new_empty(1, 1, 1), left.mT, right, beta=0, alpha=1 / seq)
        return (total * (share * seq)[:, None, None]).to(left.dtype)[:, None]
    groups = -(-seq // rows)
    states = left.new_empty(batch, groups, key, value)
    sizes = state_sizes(batch, key, value, left.element_size())
    grid = (triton.cdiv(value, sizes["VALUES"]), batch, triton.cdiv(key, sizes["KEYS"]))
    strides = (*left.stride()[:2], *right.stride()[:2])
    flags = {"REVERSE": reverse, "PRECISION": precision(left)}
    with on_device(left):
        state_tiles[grid](left, right, states, seq, rows, groups, *strides, **sizes, **flags)
    return states


def _chunks(
    qq: Tensor,
    kq: Tensor,
    ql: Tensor,
    v: Tensor,
    states: Tensor,
    rows: int,
    root: float,
    causal: bool,
) -> Tensor:
    batch, seq, key = qq.shape
    mixed = v.new_empty(v.shape)
    sizes = chunk_sizes(rows, key, v.shape[2])
    grid = (triton.cdiv(seq, rows) * triton.cdiv(rows, sizes["ROWS"]), batch)
    strides = [number for tensor in (qq, kq, ql, v) for number in tensor.stride()[:2]]
    strides += [states.stride(0), states.stride(1) if causal else 0]
    flags = {"CAUSAL": causal, "PRECISION": precision(v)}
    with on_device(v):
        chunk_tiles[grid](qq, kq, ql, v, states, mixed, seq, rows, root, *strides, **sizes, **flags)
    return mixed


def state_sizes(batch: int, key: int, value: int, bytes_each: int) -> dict[str, int]:
    """Return the sizes of a tile of state: at most 128 x 64, half as wide in float32.

    >>> state_sizes(8, 128, 1536, 2)
    {'KEY': 128, 'VALUE': 1536, 'KEYS': 128, 'VALUES': 64, 'STEP': 64}
    """
    keys, values = _power(key, 128), _power(value, 128 // bytes_each)
    if batch * triton.cdiv(key, keys) * triton.cdiv(value, values) < PROGRAMS:
        keys, values = max(16, keys // 2), max(16, values // 2)
    return {"KEY": key, "VALUE": value, "KEYS": keys, "VALUES": values, "STEP": STEP}


def chunk_sizes(rows: int, key: int, value: int) -> dict[str, int]:
    """Return how many rows of a chunk a program takes, and values at a time.

    >>> chunk_sizes(256, 128, 1536)["ROWS"]
    128
    """
    sizes = {"KEY": key, "VALUE": value, "DEPTH": _power(key, FUSED_KEY)}
    sizes |= {"ROWS": _power(rows, 128), "CHUNK": _power(rows, FUSED_CHUNK)}
    return sizes | {"VALUES": _power(value, 64), "num_warps": 8}


def _fits(rows: int, key: int, bytes_each: int) -> bool:
    return rows <= FUSED_CHUNK and key <= FUSED_KEY and bytes_each <= FUSED_BYTES


def _power(size: int, most: int) -> int:
    """Return the power of two that holds it, at least 16 as products ask, and no more than most."""
    return min(most, max(16, triton.next_power_of_2(size)))


def _root(chunk: int, like: Tensor) -> Tensor:
    return torch.full((1, 1), chunk**-0.5, device=like.device)


def _apart(tensor: Tensor, rows: int) -> Tensor:
    """Make every chunk a sequence of its own, the last one filled up with zeros."""
    chunks = in_chunks(tensor, rows)
    return rearrange(chunks, "batch group row width -> (batch group) row width")


def _together(chunks: Tensor, like: Tensor) -> Tensor:
    """Put the chunks of a sequence behind one another again, without what filled up the last."""
    batch, seq = like.shape[:2]
    pattern = "(batch group) row width -> batch (group row) width"
    return rearrange(chunks, pattern, batch=batch)[:, :seq].contiguous()
