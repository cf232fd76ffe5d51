"""Causal attentions, some right and some not, for a probe to tell apart.

All are called ``attend(q, k, v, mask)``; tensors are [batch, seq, width], the mask is Boolean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor

from companion.attention.gau import gau_attention
from companion.attention.mixed_chunk import mixed_chunk_attention
from companion.attention.normalizers import softmax

__all__ = ["SUSPECTS", "Attend", "Suspect"]

Attend = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]

CHUNK = 4


@dataclass(frozen=True)
class Suspect:
    """An attention, what is said of it, and whether it is right."""

    words: str
    attend: Attend
    right: bool = False


def _divided(q: Tensor, k: Tensor, v: Tensor, seen: Tensor, count: Tensor) -> Tensor:
    weights = (q @ k.mT).relu().square() / q.shape[2] / count.clamp(min=1)
    return weights.where(seen, 0.0) @ v


def _causal(q: Tensor, reach: int = 0) -> Tensor:
    return torch.ones(q.shape[1], q.shape[1], dtype=torch.bool).tril(reach)


def reference(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    return gau_attention(q, k, v, causal=True, mask=mask)


def rounded(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    return reference(q.float(), k.float(), v.float(), mask).double()


def soft(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    return gau_attention(q, k, v, causal=True, mask=mask, normalize=softmax)


def chunked(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    return mixed_chunk_attention(q, k, -q, k, v, chunk=CHUNK, causal=True, mask=mask)


def noisy_padding(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    return reference(q, k, v, mask).where(mask[:, :, None], v)


def by_positions(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    return gau_attention(q, k, v, causal=True, mask=mask, length=q.shape[1])


def by_all_tokens(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    return _divided(q, k, v, _causal(q) & mask[:, None], mask.sum(dim=1)[:, None, None])


def by_positions_so_far(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    so_far = torch.arange(1, q.shape[1] + 1)[:, None]
    return _divided(q, k, v, _causal(q) & mask[:, None], so_far)


def one_ahead(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    scores = (q @ k.mT).masked_fill(~(_causal(q, 1) & mask[:, None]), -1e30)
    return torch.softmax(scores, dim=2) @ v


def inclusive_sums(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """The own chunk is in the linear sum, with the tokens of it that are yet to come."""
    order = mask.int().argsort(dim=1, descending=True, stable=True)[:, :, None]
    k, v = (one.where(mask[:, :, None], 0.0) for one in (k, v))
    packed = [torch.take_along_dim(one, order, dim=1) for one in (q, k, v)]
    extra = -q.shape[1] % CHUNK
    filled = [torch.cat([one, one.new_zeros(len(one), extra, one.shape[2])], 1) for one in packed]
    own = [rearrange(one, "b (g c) w -> b g c w", c=CHUNK) for one in filled]
    ahead = rearrange(own[0] @ (own[1].mT @ own[2]) / CHUNK, "b g c w -> b (g c) w")
    ahead = torch.take_along_dim(ahead[:, : q.shape[1]], order.argsort(dim=1), dim=1)
    return chunked(q, k, v, mask) + ahead


def future_denominator(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """The row is divided by the sum over all keys, and cut off afterwards."""
    scores = (q @ k.mT).masked_fill(~mask[:, None], -1e30)
    return torch.softmax(scores, dim=2).where(_causal(q), 0.0) @ v


def unmasked_keys(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    return _divided(q, k, v, _causal(q), mask.cumsum(dim=1)[:, :, None])


def padding_as_tokens(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """The divisor counts the tokens so far and all padding of the row."""
    count = mask.cumsum(dim=1) + (~mask).sum(dim=1, keepdim=True)
    return _divided(q, k, v, _causal(q) & mask[:, None], count[:, :, None])


def zeroed_padding(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """Padding set to zero before a softmax, in which a score of zero counts."""
    there = mask[:, :, None]
    scores = (q @ k.where(there, 0.0).mT).masked_fill(~_causal(q), -1e30)
    return torch.softmax(scores, dim=2) @ v.where(there, 0.0)


def chunks_of_positions(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """Padding is taken out of the sums, but still moves the borders of the chunks."""
    k, v = (one.where(mask[:, :, None], 0.0) for one in (k, v))
    return chunked(q, k, v, torch.ones_like(mask))


SUSPECTS = (
    Suspect("is the reference", reference, right=True),
    Suspect("divides by the number of positions", by_positions),
    Suspect("divides by the number of tokens, later ones included", by_all_tokens),
    Suspect("sees one token ahead", one_ahead),
    Suspect("divides by a sum that later tokens are part of", future_denominator),
    Suspect("sees the later tokens of its own chunk", inclusive_sums),
    Suspect("lets padded keys in", unmasked_keys),
    Suspect("counts padding in front as tokens", by_positions_so_far),
    Suspect("counts all padding of the row as tokens", padding_as_tokens),
    Suspect("gives weight to padding that was set to zero", zeroed_padding),
    Suspect("moves its chunks when padding stands in front", chunks_of_positions),
    Suspect("is mixed chunk attention", chunked, right=True),
    Suspect("is softmax attention", soft, right=True),
    Suspect("computes in float32", rounded, right=True),
    Suspect("leaves something at padded positions, where nobody looks", noisy_padding, right=True),
)
