"""What one program does for mixed chunk attention: a running state, or some rows of a chunk."""

from __future__ import annotations

from typing import no_type_check

import triton
import triton.language as tl

from companion.attention.kernels.gau_tiles import product

__all__ = ["chunk_tiles", "state_tiles"]


@triton.jit
@no_type_check
def _load(at, row, far, there, number, COUNT: tl.constexpr):
    """Load a tile [row, number]: ``at`` + row times ``far``; zeros where there is nothing."""
    place = at + row.to(tl.int64)[:, None] * far + number[None, :]
    return tl.load(place, there[:, None] & (number[None, :] < COUNT), 0.0)


@triton.jit
@no_type_check
def state_tiles(
    left,
    right,
    states,
    seq,
    rows,
    groups,
    left_batch,
    left_row,
    right_batch,
    right_row,
    KEY: tl.constexpr,
    VALUE: tl.constexpr,
    KEYS: tl.constexpr,
    VALUES: tl.constexpr,
    STEP: tl.constexpr,
    REVERSE: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """For every group, a tile of the sum of leftᵀ right over the groups before it, in float32.

    Divided by the number of tokens summed. Reversed: of the groups behind it, each first divided
    by the number of tokens before that group.
    """
    sequence = tl.program_id(1).to(tl.int64)
    key = tl.program_id(2) * KEYS + tl.arange(0, KEYS)
    value = tl.program_id(0) * VALUES + tl.arange(0, VALUES)
    real = (key[:, None] < KEY) & (value[None, :] < VALUE)
    place = states + sequence * groups * KEY * VALUE + key[:, None] * VALUE + value[None, :]

    state = tl.zeros([KEYS, VALUES], tl.float32)
    for done in range(0, groups):
        group = groups - 1 - done if REVERSE else done
        seen = (tl.maximum(group, 1) * rows).to(tl.float32)
        at = place + group.to(tl.int64) * (KEY * VALUE)
        if REVERSE:
            tl.store(at, state, real)
        else:
            tl.store(at, state / seen, real)
        own = tl.zeros([KEYS, VALUES], tl.float32)
        for first in range(0, rows, STEP):
            inside = first + tl.arange(0, STEP)
            token = group * rows + inside
            there = (inside < rows) & (token < seq)
            a = _load(left + sequence * left_batch, token, left_row, there, key, KEY)
            b = _load(right + sequence * right_batch, token, right_row, there, value, VALUE)
            own = product(tl.trans(a), b, own, PRECISION)
        state += own / seen if REVERSE else own


@triton.jit
@no_type_check
def chunk_tiles(
    q_quad,
    k_quad,
    q_lin,
    v,
    states,
    mixed,
    seq,
    rows,
    root,
    q_quad_batch,
    q_quad_row,
    k_quad_batch,
    k_quad_row,
    q_lin_batch,
    q_lin_row,
    v_batch,
    v_row,
    states_batch,
    states_group,
    KEY: tl.constexpr,
    VALUE: tl.constexpr,
    DEPTH: tl.constexpr,
    ROWS: tl.constexpr,
    CHUNK: tl.constexpr,
    VALUES: tl.constexpr,
    CAUSAL: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """mixed = (relu(q_quad·k_quad) root)² v within a chunk + q_lin·state, for some of its rows."""
    sequence = tl.program_id(1).to(tl.int64)
    tiles = tl.cdiv(rows, ROWS)
    group = tl.program_id(0) // tiles
    row = tl.program_id(0) % tiles * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, CHUNK)
    query, token = group * rows + row, group * rows + column
    query_there = (row < rows) & (query < seq)
    there = (column < rows) & (token < seq)
    number = tl.arange(0, DEPTH)

    q = _load(q_quad + sequence * q_quad_batch, query, q_quad_row, query_there, number, KEY)
    k = _load(k_quad + sequence * k_quad_batch, token, k_quad_row, there, number, KEY)
    score = product(q, tl.trans(k), tl.zeros([ROWS, CHUNK], tl.float32), PRECISION)
    none = score <= 0.0  # a NaN is not, and stays visible
    if CAUSAL:
        none = none | (column[None, :] > row[:, None])
    positive = tl.where(none, 0.0, score * root)
    weights = (positive * positive).to(mixed.dtype.element_ty)

    q = _load(q_lin + sequence * q_lin_batch, query, q_lin_row, query_there, number, KEY)
    state = states + sequence * states_batch + group.to(tl.int64) * states_group
    v += sequence * v_batch
    mixed += sequence * seq * VALUE
    for first in range(0, VALUE, VALUES):
        value = first + tl.arange(0, VALUES)
        s = _load(state, number, VALUE, number < KEY, value, VALUE)
        far = product(q, s, tl.zeros([ROWS, VALUES], tl.float32), PRECISION)
        values = _load(v, token, v_row, there, value, VALUE)
        both = product(weights, values, far, PRECISION)
        at = mixed + query.to(tl.int64)[:, None] * VALUE + value[None, :]
        tl.store(at, both, query_there[:, None] & (value[None, :] < VALUE))
