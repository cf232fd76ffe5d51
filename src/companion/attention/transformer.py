"""The rival: a Transformer layer, multi-head softmax attention and a feed-forward network."""

from __future__ import annotations

from typing import Literal

from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from companion.attention.padding import allowed_keys, check_sequence, without_padding
from companion.attention.rotary import rotate
from companion.errors import DataError

__all__ = ["FeedForward", "MultiHeadAttention", "TransformerLayer"]

Heads = Float[Tensor, "batch head seq key"]


class MultiHeadAttention(nn.Module):
    r"""Mix the values with weights :math:`\mathrm{softmax}(QK^\top/\sqrt{d/h})` in h heads.

    Vaswani et al., *Attention Is All You Need*, 2017, section 3.2.2. Four matrices of d × d, no
    biases. Norm and residual connection are outside, in the ``Encoder``.

    Args:
        dim: d, numbers for each token.
        heads: h, divides d.
        fused: whether torch's ``scaled_dot_product_attention`` computes it, which need not hold
            all scores in memory; else they are written out. The numbers are the same to rounding.
        causal: whether a token sees only itself and what came before.
        rope: whether queries and keys are turned by their position (``rotate``, interleaved).

    Raises:
        DataError: for sizes that make no layer.

    >>> import torch
    >>> layer = MultiHeadAttention(16, 4)
    >>> layer(torch.ones(2, 5, 16)).shape, sum(p.numel() for p in layer.parameters())
    (torch.Size([2, 5, 16]), 1024)
    """

    def __init__(
        self, dim: int, heads: int, *, fused: bool = True, causal: bool = False, rope: bool = True
    ) -> None:
        super().__init__()
        if dim < 1 or heads < 1 or dim % heads:
            raise DataError(f"dim is {dim}, heads are {heads}; expected heads to divide dim")
        if rope and dim // heads % 2:
            found = f"a head has {dim // heads} numbers"
            raise DataError(f"{found}; rotary positions turn pairs: expected an even number")
        self.dim, self.heads, self.fused = dim, heads, fused
        self.causal, self.rope = causal, rope
        self.to_heads = nn.Linear(dim, 3 * dim, bias=False)
        self.to_out = nn.Linear(dim, dim, bias=False)
        for layer in (self.to_heads, self.to_out):
            nn.init.normal_(layer.weight, std=dim**-0.5)

    def forward(
        self, x: Float[Tensor, "batch seq dim"], mask: Bool[Tensor, "batch seq"] | None = None
    ) -> Float[Tensor, "batch seq dim"]:
        """Let every token gather from the others; zeros at padded positions.

        Args:
            x: d numbers for each token.
            mask: True where there is a token.

        Raises:
            ShapeError: if the width of x is not d.
        """
        check_sequence(x, self.dim, mask)
        (x,) = without_padding(x, mask=mask)
        q, k, v = self.project(x)
        attend = self._fused if self.fused else self._explicit
        mixed = rearrange(attend(q, k, v, mask), "batch head seq key -> batch seq (head key)")
        (out,) = without_padding(self.to_out(mixed), mask=mask)
        return out

    def project(
        self, x: Float[Tensor, "batch seq dim"], *, start: int = 0
    ) -> tuple[Heads, Heads, Heads]:
        """Return queries, keys and values, for tokens from position start."""
        split = "batch seq (part head key) -> part batch head seq key"
        q, k, v = rearrange(self.to_heads(x), split, part=3, head=self.heads)
        if self.rope:
            q, k = rotate(q, start=start), rotate(k, start=start)
        return q, k, v

    def _fused(self, q: Heads, k: Heads, v: Heads, mask: Tensor | None) -> Heads:
        if mask is None:
            return functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        allowed = self._allowed(q, mask)
        return functional.scaled_dot_product_attention(q, k, v, attn_mask=allowed)

    def _explicit(self, q: Heads, k: Heads, v: Heads, mask: Tensor | None) -> Heads:
        scores = (q * q.shape[-1] ** -0.5) @ k.mT
        allowed = self._allowed(q, mask)
        if allowed is not None:
            scores = scores.masked_fill(~allowed, float("-inf"))
        return scores.softmax(dim=-1) @ v

    def _allowed(
        self, q: Heads, mask: Bool[Tensor, "batch seq"] | None
    ) -> Bool[Tensor, "batch_or_1 1 query_or_1 seq"] | None:
        """Which keys a query may see; one that may see none sees all, lest softmax give NaN."""
        allowed = allowed_keys(q.shape[2], causal=self.causal, mask=mask, device=q.device)
        if allowed is None:
            return None
        return (allowed | ~allowed.any(dim=-1, keepdim=True))[:, None]


class FeedForward(nn.Module):
    r"""Change every token by itself: the GLU :math:`(U \odot V)W_o`, or :math:`\phi(XW_u)W_o`.

    ``eq-flash-glu``, but with :math:`V = XW_v` left straight, and ``eq-flash-ffn``;
    :math:`U = \phi(XW_u)`, :math:`\phi` = SiLU: SwiGLU (Shazeer, *GLU Variants Improve
    Transformer*, 2020). No biases.

    Args:
        dim: d, numbers for each token.
        kind: "glu", of three matrices, or "mlp", of two.
        inner: e, the width within. None makes 8d² parameters: 4d for "mlp"; for "glu" 8d/3,
            rounded to a multiple of 8, which GPUs multiply faster.

    Raises:
        DataError: for sizes that make no layer, or an unknown kind.

    >>> sum(p.numel() for p in FeedForward(48).parameters()) == 8 * 48**2
    True
    """

    def __init__(
        self, dim: int, *, kind: Literal["glu", "mlp"] = "glu", inner: int | None = None
    ) -> None:
        super().__init__()
        if kind not in ("glu", "mlp"):
            raise DataError(f"ffn is {kind!r}; expected 'glu' or 'mlp'")
        if inner is None:
            inner = max(8, 8 * round(dim / 3)) if kind == "glu" else 4 * dim
        for name, size in (("dim", dim), ("inner", inner)):
            if size < 1:
                raise DataError(f"{name} is {size}; expected at least 1")
        self.dim, self.kind = dim, kind
        self.to_hidden = nn.Linear(dim, 2 * inner if kind == "glu" else inner, bias=False)
        self.to_out = nn.Linear(inner, dim, bias=False)
        for layer in (self.to_hidden, self.to_out):
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5)

    def forward(
        self, x: Float[Tensor, "batch seq dim"], mask: Bool[Tensor, "batch seq"] | None = None
    ) -> Float[Tensor, "batch seq dim"]:
        """Change every token; zeros at padded positions.

        Raises:
            ShapeError: if the width of x is not d.
        """
        check_sequence(x, self.dim, mask)
        (x,) = without_padding(x, mask=mask)
        hidden = self.to_hidden(x)
        if self.kind == "mlp":
            return self.to_out(functional.silu(hidden))
        u, v = hidden.chunk(2, dim=-1)
        return self.to_out(functional.silu(u) * v)


class TransformerLayer(nn.Module):
    r"""Attention, then a feed-forward network: two branches, 4d² + 8d² = 12d² parameters.

    The interface is that of ``GatedAttentionUnit``: what ``forward`` returns is to be added to x.
    By itself, without norms, that is a + f(x + a), where a = attention(x). In an ``Encoder`` each
    of the two ``branches`` has a norm and a residual connection of its own.

    Args:
        dim: d, numbers for each token.
        heads: h, divides d.
        ffn: "glu" or "mlp".
        inner: the width within the feed-forward network; None: that of 8d² parameters.
        fused, causal, rope: as in ``MultiHeadAttention``.

    >>> import torch
    >>> layer = TransformerLayer(48, 4)
    >>> layer(torch.ones(2, 5, 48)).shape
    torch.Size([2, 5, 48])
    >>> sum(p.numel() for p in layer.parameters()) == 12 * 48**2
    True
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        *,
        ffn: Literal["glu", "mlp"] = "glu",
        inner: int | None = None,
        fused: bool = True,
        causal: bool = False,
        rope: bool = True,
    ) -> None:
        super().__init__()
        self.dim = dim
        self.attention = MultiHeadAttention(dim, heads, fused=fused, causal=causal, rope=rope)
        self.feed_forward = FeedForward(dim, kind=ffn, inner=inner)

    @property
    def branches(self) -> tuple[nn.Module, nn.Module]:
        """Attention and feed-forward network, for an ``Encoder`` to put norms before them."""
        return self.attention, self.feed_forward

    def forward(
        self, x: Float[Tensor, "batch seq dim"], mask: Bool[Tensor, "batch seq"] | None = None
    ) -> Float[Tensor, "batch seq dim"]:
        """Return what both branches add to x, without norms; zeros at padded positions."""
        attended = self.attention(x, mask)
        return attended + self.feed_forward(x + attended, mask)
