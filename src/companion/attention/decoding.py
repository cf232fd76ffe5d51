"""Token after token: what each kind of layer has to remember of the tokens before."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from companion.attention.encoder import Block, TokenEncoder
from companion.attention.mixed_chunk import divided
from companion.attention.padding import check_tokens
from companion.attention.transformer import FeedForward, MultiHeadAttention
from companion.attention.unit import GatedAttentionUnit
from companion.errors import DataError, ShapeError

__all__ = ["Decoder"]


class Decoder:
    """A causal ``TokenEncoder`` that reads a text piece by piece: the numbers of one pass.

    Quadratic attention remembers key and value of every token: 2d numbers in a Transformer layer,
    s + e in a Gated Attention Unit. Mixed chunk attention remembers one matrix of s × e numbers and
    the tokens of the chunk it is in, however long the text. Without dropout.

    Args:
        encoder: reads from left to right in every layer.
        batch: how many texts are read at once.

    Raises:
        DataError: for a layer that sees what comes after, or that cannot be read in pieces.

    >>> from companion.attention import Architecture
    >>> encoder = Architecture(layers="flash", dim=16, chunk=4).token_encoder(9, causal=True)
    >>> tokens, decoder = torch.arange(9)[None], Decoder(encoder, batch=1)
    >>> pieces = [decoder.read(piece) for piece in tokens.split(5, dim=1)]
    >>> torch.allclose(torch.cat(pieces, dim=1), encoder(tokens), atol=1e-5)
    True
    """

    def __init__(self, encoder: TokenEncoder, *, batch: int) -> None:
        if batch < 1:
            raise DataError(f"batch is {batch}; expected at least 1")
        self.encoder, self.batch = encoder, batch
        self.position = 0
        blocks = [block for block in encoder.encoder.blocks if isinstance(block, Block)]
        like = encoder.embedding.weight
        self._layers = [(block, _memory(block.branch, batch, like)) for block in blocks]

    @torch.no_grad()
    def read(self, tokens: Int64[Tensor, "batch seq"]) -> Float[Tensor, "batch seq dim"]:
        """Return the vectors of the next tokens, all of them true.

        Raises:
            DataError: for tokens that are no whole numbers, or outside the vocabulary.
            ShapeError: for another batch.
        """
        check_tokens(tokens, self.encoder.vocabulary, None)
        if len(tokens) != self.batch:
            raise ShapeError(f"tokens have {len(tokens)} rows; expected {self.batch}")
        if tokens.shape[1] == 0:
            return self.encoder.embed(tokens)
        x = self.encoder.embed(tokens)
        for block, memory in self._layers:
            if block.placement == "pre":
                x = x + memory.read(block.norm(x))
            else:
                x = block.norm(x + memory.read(x))
        self.position += tokens.shape[1]
        return self.encoder.encoder.last(x)

    @property
    def remembered(self) -> int:
        """How many numbers are kept of the text so far."""
        tensors = [tensor for _, memory in self._layers for tensor in memory.tensors()]
        return sum(tensor.numel() for tensor in tensors)


class _None:
    """Of a branch that changes every token by itself."""

    def __init__(self, branch: FeedForward) -> None:
        self.branch = branch

    def read(self, x: Tensor) -> Tensor:
        return self.branch(x)

    def tensors(self) -> Sequence[Tensor]:
        return ()


class _Growing:
    """A tensor that grows along its last axis but one; room is made for twice as much at once."""

    def __init__(self) -> None:
        self.room: Tensor | None = None
        self.filled = 0

    def add(self, new: Tensor) -> Tensor:
        """Return everything so far."""
        start, self.filled = self.filled, self.filled + new.shape[-2]
        if self.room is None or self.room.shape[-2] < self.filled:
            room = new.new_zeros(*new.shape[:-2], 2 * self.filled, new.shape[-1])
            if self.room is not None:
                room[..., :start, :] = self.room[..., :start, :]
            self.room = room
        self.room[..., start : self.filled, :] = new
        return self.so_far()

    def so_far(self) -> Tensor:
        assert self.room is not None
        return self.room[..., : self.filled, :]


class _Softmax:
    """Keys and values of multi-head attention."""

    def __init__(self, branch: MultiHeadAttention) -> None:
        self.branch, self.keys, self.values = branch, _Growing(), _Growing()

    def read(self, x: Tensor) -> Tensor:
        q, k, v = self.branch.project(x, start=self.keys.filled)
        k, v = self.keys.add(k), self.values.add(v)
        scores = (q * q.shape[-1] ** -0.5) @ k.mT
        weights = scores.masked_fill(~_earlier(q, k), float("-inf")).softmax(dim=-1)
        return self.branch.to_out(
            rearrange(weights @ v, "batch head seq key -> batch seq (head key)")
        )

    def tensors(self) -> Sequence[Tensor]:
        return [cache.so_far() for cache in (self.keys, self.values) if cache.filled]


class _Quad:
    """Keys and values of a Gated Attention Unit."""

    def __init__(self, branch: GatedAttentionUnit) -> None:
        self.branch, self.keys, self.values = branch, _Growing(), _Growing()

    def read(self, x: Tensor) -> Tensor:
        start = self.keys.filled
        u, (q, k), v = self.branch.project(x, start=start)
        k, v = self.keys.add(k), self.values.add(v)
        exact = torch.promote_types(q.dtype, torch.float32)
        count = torch.arange(start + 1, self.keys.filled + 1, device=x.device, dtype=exact)
        if self.branch.length is not None:
            count = torch.full_like(count, self.branch.length)
        scores = (q * q.shape[-1] ** -0.5) @ k.mT
        weights = self.branch.normalize(scores, _earlier(q, k)[None], count[None, :, None])
        return self.branch.to_out(u * (weights @ v))

    def tensors(self) -> Sequence[Tensor]:
        return [cache.so_far() for cache in (self.keys, self.values) if cache.filled]


class _MixedChunk:
    """The sum of KᵀV over the chunks before, and the tokens of the chunk that is being read."""

    def __init__(self, branch: GatedAttentionUnit, batch: int, like: Tensor) -> None:
        self.branch, self.chunk = branch, branch.chunk
        room = like.new_zeros(batch, self.chunk, 2 * branch.key_dim + branch.inner)
        self.tokens = room.detach()  # k_quad, k_lin and v of each
        exact = torch.promote_types(like.dtype, torch.float32)
        self.sum = like.new_zeros(batch, branch.key_dim, branch.inner, dtype=exact).detach()
        self.chunks = self.filled = 0

    def read(self, x: Tensor) -> Tensor:
        pieces = []
        while x.shape[1]:
            room = self.chunk - self.filled
            pieces.append(self._within(x[:, :room]))
            x = x[:, room:]
        return torch.cat(pieces, dim=1)

    def _within(self, x: Tensor) -> Tensor:
        """Read tokens of one chunk."""
        s, c = self.branch.key_dim, self.chunk
        start = self.chunks * c + self.filled
        u, (q_quad, k_quad, q_lin, k_lin), v = self.branch.project(x, start=start)
        first, self.filled = self.filled, self.filled + x.shape[1]
        self.tokens[:, first : self.filled] = torch.cat([k_quad, k_lin, v], dim=-1)
        k_quad, k_lin, v = self.tokens[:, : self.filled].split([s, s, self.branch.inner], dim=-1)
        weights = ((q_quad * (s * c) ** -0.5) @ k_quad.mT).relu().square()
        near = weights.masked_fill(~_earlier(q_quad, k_quad), 0) @ v
        earlier = torch.tensor(max(self.chunks, 1), device=x.device)
        mixed = near + divided(q_lin, earlier) @ self.sum.to(v.dtype)
        if self.filled == c:
            self.sum += (k_lin / c).mT @ v
            self.chunks, self.filled = self.chunks + 1, 0
        return self.branch.to_out(u * mixed)

    def tensors(self) -> Sequence[Tensor]:
        return (self.tokens, self.sum)


_Memory = _None | _Softmax | _Quad | _MixedChunk


def _memory(branch: nn.Module, batch: int, like: Tensor) -> _Memory:
    if not getattr(branch, "causal", True):
        raise DataError(f"{type(branch).__name__} sees what comes after; expected causal=True")
    if isinstance(branch, FeedForward):
        return _None(branch)
    if isinstance(branch, MultiHeadAttention):
        return _Softmax(branch)
    if isinstance(branch, GatedAttentionUnit):
        return _Quad(branch) if branch.attention == "quad" else _MixedChunk(branch, batch, like)
    raise DataError(f"{type(branch).__name__} cannot be read in pieces; expected a layer of ours")


def _earlier(q: Tensor, k: Tensor) -> Bool[Tensor, "query key"]:
    """True where a query may see a key: the last query sees all of them."""
    queries, keys = q.shape[-2], k.shape[-2]
    every = torch.ones(queries, keys, dtype=torch.bool, device=q.device)
    return every.tril(diagonal=keys - queries)
