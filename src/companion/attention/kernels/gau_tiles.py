"""What one program does for the quadratic attention: one tile of scores, made into weights."""

from __future__ import annotations

from typing import no_type_check

import triton
import triton.language as tl

__all__ = ["product", "weight_tiles"]


@triton.jit
@no_type_check
def product(a, b, total, PRECISION: tl.constexpr):
    """Return total + a b, summed in float32."""
    if PRECISION == "widened":  # the interpreter would multiply the bits of bfloat16
        a, b = a.to(tl.float32), b.to(tl.float32)
        return tl.dot(a, b, total, input_precision="ieee")
    else:  # noqa: RET505  (Triton compiles one of two branches, not what follows one)
        return tl.dot(a, b, total, input_precision=PRECISION)


@triton.jit
@no_type_check
def weight_tiles(
    q,
    k,
    root,
    weights,
    slopes,
    rows,
    columns,
    diagonal,
    q_batch,
    q_row,
    k_batch,
    k_row,
    root_batch,
    root_row,
    weights_batch,
    weights_row,
    KEY: tl.constexpr,
    DEPTH: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    CAUSAL: tl.constexpr,
    BACKWARD: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """weights = (relu(q·k) root)²; backward also slopes = their derivative by q·k times slopes."""
    sequence = tl.program_id(2).to(tl.int64)
    row = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    row_there, column_there = row < rows, column < columns
    far_row, far_column = row.to(tl.int64), column.to(tl.int64)

    score = tl.zeros([ROWS, COLUMNS], tl.float32)
    last_row = tl.program_id(1) * ROWS + ROWS - 1
    if not CAUSAL or tl.program_id(0) * COLUMNS <= last_row + diagonal:
        for first in range(0, KEY, DEPTH):
            number = first + tl.arange(0, DEPTH)
            there = number[None, :] < KEY
            at = q + sequence * q_batch + far_row[:, None] * q_row + number[None, :]
            q_tile = tl.load(at, row_there[:, None] & there, 0.0)
            at = k + sequence * k_batch + far_column[:, None] * k_row + number[None, :]
            k_tile = tl.load(at, column_there[:, None] & there, 0.0)
            score = product(q_tile, tl.trans(k_tile), score, PRECISION)

    none = score <= 0.0  # a NaN is not, and stays visible
    if CAUSAL:
        none = none | (column[None, :] > row[:, None] + diagonal)
    r = tl.load(root + sequence * root_batch + row * root_row, row_there, 0.0)[:, None]
    positive = tl.where(none, 0.0, score * r)
    real = row_there[:, None] & column_there[None, :]
    at = sequence * weights_batch + far_row[:, None] * weights_row + column[None, :]
    tl.store(weights + at, positive * positive, real)
    if BACKWARD:
        slope = tl.load(slopes + at, real, 0.0).to(tl.float32)
        tl.store(slopes + at, tl.where(none, 0.0, 2.0 * positive * r * slope), real)
