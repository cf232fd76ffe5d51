"""Usual wrong answers to the exercises on chunks, on probes and on decoding, as functions.

Each is the thing somebody writes, so that an answer can be told what it does instead.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from companion.attention.suspects import Attend

# the linear part


def linear_sums(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    chunk: int,
    *,
    divisor: Callable[[int, int, int], float] = lambda before, chunk, seq: max(before, 1) * chunk,
    first: Callable[[int], int] = lambda before: 0,
    last: Callable[[int], int] = lambda before: before,
) -> Tensor:
    """The sums over chunks ``first`` to ``last``, divided by ``divisor``."""
    out = []
    for before, rows in enumerate(q.split(chunk)):
        span = slice(first(before) * chunk, last(before) * chunk)
        out.append(rows @ (k[span].mT @ v[span]) / divisor(before, chunk, len(q)))
    return torch.cat(out)


def inclusive(q: Tensor, k: Tensor, v: Tensor, chunk: int) -> Tensor:
    return linear_sums(
        q,
        k,
        v,
        chunk,
        last=lambda before: before + 1,
        divisor=lambda before, chunk, seq: min((before + 1) * chunk, seq),
    )


def inclusive_undivided(q: Tensor, k: Tensor, v: Tensor, chunk: int) -> Tensor:
    """The own chunk in the sum, the divisor as it should be."""
    return linear_sums(q, k, v, chunk, last=lambda before: before + 1)


def everywhere(q: Tensor, k: Tensor, v: Tensor, chunk: int) -> Tensor:
    return q @ (k.mT @ v) / len(q)


def neighbour(q: Tensor, k: Tensor, v: Tensor, chunk: int) -> Tensor:
    """The chunk before, and no other."""
    return linear_sums(
        q,
        k,
        v,
        chunk,
        first=lambda before: max(before - 1, 0),
        divisor=lambda before, chunk, seq: chunk,
    )


def by_number(number: Callable[[int, int, int], float]) -> Callable[..., Tensor]:
    def answer(q: Tensor, k: Tensor, v: Tensor, chunk: int) -> Tensor:
        return linear_sums(q, k, v, chunk, divisor=number)

    return answer


def by_position(q: Tensor, k: Tensor, v: Tensor, chunk: int) -> Tensor:
    """The right sums, each row divided by its own position."""
    sums = linear_sums(q, k, v, chunk, divisor=lambda before, chunk, seq: 1.0)
    return sums / torch.arange(1, len(q) + 1).double()[:, None]


def token_by_token(q: Tensor, k: Tensor, v: Tensor, chunk: int) -> Tensor:
    """All tokens before t, those of the own chunk too."""
    earlier = (q @ k.mT).tril(-1) @ v
    return earlier / torch.arange(len(q)).clamp(min=1).double()[:, None]


def zero_by_zero(q: Tensor, k: Tensor, v: Tensor, chunk: int) -> Tensor:
    sums = linear_sums(q, k, v, chunk, divisor=lambda before, chunk, seq: 1.0)
    before = torch.arange(len(q)).div(chunk, rounding_mode="floor") * chunk
    return sums / before[:, None]


def full_chunks_only(q: Tensor, k: Tensor, v: Tensor, chunk: int) -> Tensor:
    """A view that refuses a last chunk of fewer tokens."""
    groups = len(q) // chunk
    return linear_sums(
        q.view(groups, chunk, -1).flatten(0, 1), k[: groups * chunk], v[: groups * chunk], chunk
    )


# the probe


def _tokens(seq: int = 12) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    rng = torch.Generator().manual_seed(1)
    q, k, v = torch.randn(3, 1, seq, 3, generator=rng).double()
    return q, k, v, torch.ones(1, seq, dtype=torch.bool)


def _close(one: Tensor, two: Tensor) -> bool:
    return torch.allclose(one, two, rtol=0.0, atol=1e-4)


def _cut(tensors: tuple[Tensor, ...], span: slice) -> Any:
    return tuple(one[:, span] for one in tensors)


def _raised(tensors: tuple[Tensor, ...], span: slice) -> Any:
    """Other numbers at some tokens."""
    at = torch.zeros(1, tensors[0].shape[1], 1).double()
    at[:, span] = 1.0
    return tuple(one + at for one in tensors)


def _prefixes(attend: Any, tensors: tuple[Tensor, ...], cuts: tuple[int, ...]) -> bool:
    whole = attend(*tensors)
    return all(_close(attend(*_cut(tensors, slice(m))), whole[:, :m]) for m in cuts)


def _padded(attend: Any, *, front: bool, cuts: tuple[int, ...]) -> bool:
    """Whether padding leaves what comes out at the tokens as it is."""
    q, k, v, mask = _tokens()
    for m in cuts:
        span = slice(m, None) if front else slice(m)
        there = torch.zeros_like(mask)
        there[:, span] = True
        alone = attend(*_cut((q, k, v, mask), span))
        if not _close(attend(q, k, v, there)[:, span], alone):
            return False
    return True


def _other_contents(attend: Any, compared: slice) -> bool:
    """Whether other numbers at padded positions change nothing; as many of them as before."""
    q, k, v, mask = _tokens()
    there = mask.clone()
    there[:, :3] = False
    other = attend(*_raised((q, k, v), slice(3)), there)
    return _close(other[:, compared], attend(q, k, v, there)[:, compared])


CUTS = (1, 2, 5, 8, 11)


# Each of these is asked about the same few attentions again and again; they answer once.


@cache
def thorough(attend: Attend) -> bool:
    front, back = (_padded(attend, front=front, cuts=CUTS) for front in (True, False))
    return _prefixes(attend, _tokens(), CUTS) and front and back


@cache
def without_prefixes(attend: Attend) -> bool:
    """Later tokens are changed, and padding is tried; the number of tokens stays."""
    front = _padded(attend, front=True, cuts=CUTS)
    return perturbed(attend) and front


@cache
def perturbed(attend: Any) -> bool:
    q, k, v, mask = _tokens()
    whole = attend(q, k, v, mask)
    for m in CUTS:
        if not _close(attend(*_raised((q, k, v), slice(m, None)), mask)[:, :m], whole[:, :m]):
            return False
    return True


@cache
def one_cut(attend: Attend) -> bool:
    """Half of the tokens, once: where a chunk may end."""
    return _prefixes(attend, _tokens(), (8,)) and _padded(attend, front=True, cuts=CUTS)


@cache
def constant_tokens(attend: Attend) -> bool:
    ones = torch.ones(1, 12, 3).double()
    mask = torch.ones(1, 12, dtype=torch.bool)
    return _prefixes(attend, (ones, ones, ones, mask), CUTS) and _padded(
        attend, front=True, cuts=CUTS
    )


@cache
def exact(attend: Attend) -> bool:
    q, k, v, mask = _tokens()
    whole = attend(q, k, v, mask)
    same = [
        torch.equal(attend(*_cut((q, k, v, mask), slice(m))), whole[:, :m]) for m in range(1, 12)
    ]
    return all(same) and thorough(attend)


@cache
def never_padded(attend: Attend) -> bool:
    return _prefixes(attend, _tokens(), CUTS)


@cache
def padded_behind(attend: Attend) -> bool:
    return never_padded(attend) and _padded(attend, front=False, cuts=CUTS)


@cache
def contents_of_padding(attend: Attend) -> bool:
    return never_padded(attend) and _other_contents(attend, slice(3, None))


@cache
def padded_rows_too(attend: Attend) -> bool:
    return thorough(attend) and _other_contents(attend, slice(None))


@cache
def padding_alone(attend: Attend) -> bool:
    return _padded(attend, front=True, cuts=CUTS) and _padded(attend, front=False, cuts=(1, 5, 11))


def trusting(attend: Attend) -> bool:
    return True


def suspicious(attend: Attend) -> bool:
    """Tokens drawn anew for the second call, which nothing survives."""
    return False


def turned_round(attend: Attend) -> bool:
    return not thorough(attend)
