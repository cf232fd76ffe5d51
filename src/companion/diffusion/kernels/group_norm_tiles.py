"""What one program of the group norm's kernels does: one sample, a few of its groups.

It walks over them in tiles [group, channel, position], in whatever order the memory has them: once
if all fits in one tile, else once for the sums and once more, from the cache, for the result.
"""

from __future__ import annotations

from typing import no_type_check

import triton
import triton.language as tl

__all__ = ["backward_tiles", "forward_tiles"]


@triton.jit
@no_type_check
def _place(
    space,
    apart,
    GROUPS: tl.constexpr,
    WIDTH: tl.constexpr,
    GROUP: tl.constexpr,
    CHANNEL: tl.constexpr,
):
    """Return groups, channels, which of these exist, and where their first elements lie."""
    group = tl.program_id(1) * GROUP + tl.arange(0, GROUP)
    inside = tl.arange(0, CHANNEL)[None, :]
    channel = group[:, None] * WIDTH + inside
    there = tl.broadcast_to(group[:, None] < GROUPS, [GROUP, CHANNEL])
    if CHANNEL > WIDTH:  # where not, the compiler sees whole vectors to load
        there = there & (inside < WIDTH)
    sample = tl.program_id(0).to(tl.int64) * (GROUPS * WIDTH)
    return group, channel, there, sample * space + channel.to(tl.int64) * apart


@triton.jit
@no_type_check
def _moments(tile, real, count):
    """Return the mean of each group, and the sum of squared distances from it."""
    m = tl.sum(tl.sum(tile, 2), 1) / count
    d = tl.where(real, tile - m[:, None, None], 0.0)
    return m, tl.sum(tl.sum(d * d, 2), 1)


@triton.jit
@no_type_check
def _through_silu(dy, tile, w, b, m, r):
    """Return the gradient at the input of SiLU, and the normed x."""
    normed = (tile - m[:, None, None]) * r[:, None, None]
    u = normed * w[:, :, None] + b[:, :, None]
    s = tl.sigmoid(u)
    return dy * s * (1.0 + u * (1.0 - s)), normed


@triton.jit
@no_type_check
def forward_tiles(
    x,
    weight,
    bias,
    y,
    mean,
    deviation,
    space,
    apart,
    step,
    eps,
    GROUPS: tl.constexpr,
    WIDTH: tl.constexpr,
    GROUP: tl.constexpr,
    CHANNEL: tl.constexpr,
    SPACE: tl.constexpr,
    ONE_TILE: tl.constexpr,
):
    exact = mean.dtype.element_ty
    group, channel, there, start = _place(space, apart, GROUPS, WIDTH, GROUP, CHANNEL)
    at = tl.arange(0, SPACE)[None, None, :]

    real = there[:, :, None] & (at < space)
    tile = tl.load(x + start[:, :, None] + at * step, real, 0.0).to(exact)
    m, squares = _moments(tile, real, tl.cast(WIDTH * tl.minimum(space, SPACE), exact))
    if not ONE_TILE:  # take in the other tiles (Chan, Golub and LeVeque, 1979)
        for first in range(SPACE, space, SPACE):
            real = there[:, :, None] & (first + at < space)
            tile = tl.load(x + start[:, :, None] + (first + at) * step, real, 0.0).to(exact)
            count = tl.cast(WIDTH * tl.minimum(space - first, SPACE), exact)
            m_tile, squares_tile = _moments(tile, real, count)
            before = tl.cast(WIDTH * first, exact)
            share = count / (before + count)
            squares += squares_tile + (m_tile - m) * (m_tile - m) * share * before
            m += (m_tile - m) * share
    r = 1.0 / tl.sqrt(squares / tl.cast(WIDTH * space, exact) + eps)
    row = tl.program_id(0) * GROUPS + group
    tl.store(mean + row, m, group < GROUPS)
    tl.store(deviation + row, r, group < GROUPS)

    w = tl.load(weight + channel, there, 0.0).to(exact)[:, :, None]
    b = tl.load(bias + channel, there, 0.0).to(exact)[:, :, None]
    if ONE_TILE:
        u = (tile - m[:, None, None]) * r[:, None, None] * w + b
        tl.store(y + start[:, :, None] + at * step, u * tl.sigmoid(u), real)
    else:
        for first in range(0, space, SPACE):
            real = there[:, :, None] & (first + at < space)
            tile = tl.load(x + start[:, :, None] + (first + at) * step, real, 0.0).to(exact)
            u = (tile - m[:, None, None]) * r[:, None, None] * w + b
            tl.store(y + start[:, :, None] + (first + at) * step, u * tl.sigmoid(u), real)


@triton.jit
@no_type_check
def backward_tiles(
    dy,
    x,
    weight,
    bias,
    mean,
    deviation,
    dx,
    dweight,
    dbias,
    space,
    apart,
    step,
    GROUPS: tl.constexpr,
    WIDTH: tl.constexpr,
    GROUP: tl.constexpr,
    CHANNEL: tl.constexpr,
    SPACE: tl.constexpr,
    ONE_TILE: tl.constexpr,
):
    exact = mean.dtype.element_ty
    group, channel, there, start = _place(space, apart, GROUPS, WIDTH, GROUP, CHANNEL)
    at = tl.arange(0, SPACE)[None, None, :]
    row = tl.program_id(0) * GROUPS + group
    m = tl.load(mean + row, group < GROUPS, 0.0)
    r = tl.load(deviation + row, group < GROUPS, 0.0)
    w = tl.load(weight + channel, there, 0.0).to(exact)
    b = tl.load(bias + channel, there, 0.0).to(exact)

    real = there[:, :, None] & (at < space)
    place = start[:, :, None] + at * step
    tile = tl.load(x + place, real, 0.0).to(exact)
    du, normed = _through_silu(tl.load(dy + place, real, 0.0).to(exact), tile, w, b, m, r)
    along, total = tl.sum(du * normed, 2), tl.sum(du, 2)  # of the whole channel in the end
    if not ONE_TILE:
        for first in range(SPACE, space, SPACE):
            real = there[:, :, None] & (first + at < space)
            place = start[:, :, None] + (first + at) * step
            tile = tl.load(x + place, real, 0.0).to(exact)
            du, normed = _through_silu(tl.load(dy + place, real, 0.0).to(exact), tile, w, b, m, r)
            along += tl.sum(du * normed, 2)
            total += tl.sum(du, 2)
    channels_of_sample = tl.program_id(0) * (GROUPS * WIDTH) + channel
    tl.store(dweight + channels_of_sample, along, there)
    tl.store(dbias + channels_of_sample, total, there)

    # the mean gradient of the group, and the part of it along the normed x, change no result
    count = tl.cast(WIDTH * space, exact)
    level = (tl.sum(w * total, 1) / count)[:, None, None]
    slope = (tl.sum(w * along, 1) / count)[:, None, None]
    if ONE_TILE:
        d = (du * w[:, :, None] - level - normed * slope) * r[:, None, None]
        tl.store(dx + place, d, real)
    else:
        for first in range(0, space, SPACE):
            real = there[:, :, None] & (first + at < space)
            place = start[:, :, None] + (first + at) * step
            tile = tl.load(x + place, real, 0.0).to(exact)
            du, normed = _through_silu(tl.load(dy + place, real, 0.0).to(exact), tile, w, b, m, r)
            d = (du * w[:, :, None] - level - normed * slope) * r[:, None, None]
            tl.store(dx + place, d, real)
