"""Units in which one thing is different, to see what it was good for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float, Int64
from torch import Tensor, nn

from companion.attention.architecture import Architecture
from companion.attention.backend import fastest
from companion.attention.encoder import Encoder, TokenEncoder
from companion.attention.gau import gau_attention
from companion.attention.mixed_chunk import mixed_chunk_attention
from companion.attention.models import LanguageModel
from companion.attention.normalizers import relu2, softmax
from companion.attention.unit import GatedAttentionUnit
from companion.errors import DataError

__all__ = ["VARIANTS", "RelativeBias", "build_variant", "global_only", "in_heads", "local_only"]


def in_heads(heads: int) -> Callable[..., Tensor]:
    """Return ``gau_attention`` in several heads: each has its share of the s and of the e numbers.

    >>> q = v = torch.ones(1, 3, 4)
    >>> in_heads(2)(q, q, v).shape
    torch.Size([1, 3, 4])
    """
    split = "batch seq (head width) -> (batch head) seq width"
    join = "(batch head) seq width -> batch seq (head width)"

    def attend(*tensors: Tensor, mask: Tensor | None = None, **options: Any) -> Tensor:
        if mask is not None:
            mask = mask.repeat_interleave(heads, dim=0)
        parts = [rearrange(tensor, split, head=heads) for tensor in tensors]
        return rearrange(gau_attention(*parts, mask=mask, **options), join, head=heads)

    return attend


def local_only(*tensors: Tensor, **options: Any) -> Tensor:
    """Mix within chunks alone: ``eq-flash-quad-chunk``."""
    q_quad, k_quad, q_lin, k_lin, v = tensors
    return mixed_chunk_attention(q_quad, k_quad, torch.zeros_like(q_lin), k_lin, v, **options)


def global_only(*tensors: Tensor, **options: Any) -> Tensor:
    """Mix by the summaries alone: ``eq-flash-lin-causal``. The own chunk is not seen."""
    q_quad, k_quad, q_lin, k_lin, v = tensors
    return mixed_chunk_attention(torch.zeros_like(q_quad), k_quad, q_lin, k_lin, v, **options)


class RelativeBias(nn.Module):
    r"""Attend with a learned number b for each distance: :math:`\mathrm{relu}^2(qk/\sqrt s + b)`.

    As in T5 (Raffel et al. 2020), with a number of its own for each distance up to a limit.

    Args:
        furthest: distances beyond it share one number.
    """

    def __init__(self, furthest: int = 128) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(2 * furthest + 1))
        self.furthest = furthest

    def forward(self, q: Tensor, k: Tensor, v: Tensor, **options: Any) -> Tensor:
        """Mix the values, as ``gau_attention``."""
        at = torch.arange(q.shape[1], device=q.device)
        distance = (at[:, None] - at).clamp(-self.furthest, self.furthest) + self.furthest
        bias = self.table[distance]

        def shifted(scores: Tensor, allowed: Tensor | None, length: Tensor) -> Tensor:
            return relu2(scores + bias, allowed, length)

        options["normalize"] = shifted
        return gau_attention(q, k, v, **options)


class AbsolutePositions(TokenEncoder):
    r"""Add sines and cosines of the position to the embedding, scaled by one learned number.

    Vaswani et al. 2017, section 3.5; the scale begins at :math:`1/\sqrt d`, as in FLASH.
    """

    def __init__(self, encoder: Encoder, *, vocabulary: int) -> None:
        super().__init__(encoder, vocabulary=vocabulary)
        self.gain = nn.Parameter(torch.tensor(encoder.dim**-0.5))

    def embed(
        self,
        tokens: Int64[Tensor, "batch seq"],
        segments: Int64[Tensor, "batch seq"] | None = None,
    ) -> Float[Tensor, "batch seq dim"]:
        """Return what enters the encoder."""
        pair = torch.arange(0, self.dim, 2, device=tokens.device)
        at = torch.arange(tokens.shape[1], device=tokens.device)
        angle = at[:, None] * 10_000.0 ** (-pair / self.dim)
        waves = torch.cat([angle.sin(), angle.cos()], dim=-1)[:, : self.dim]
        return super().embed(tokens, segments) + self.gain * waves


VARIANTS: dict[str, dict[str, Any]] = {
    "GAU": {},
    "GAU, four heads": {"attend": lambda: in_heads(4)},
    "GAU, softmax": {"normalize": softmax},
    "GAU, no positions": {"rope": False},
    "GAU, absolute positions": {"rope": False, "absolute": True},
    "GAU, three encodings": {"absolute": True, "attend": RelativeBias},
    "FLASH": {"attention": "mixed_chunk"},
    "FLASH, local only": {"attention": "mixed_chunk", "attend": lambda: local_only},
    "FLASH, global only": {"attention": "mixed_chunk", "attend": lambda: global_only},
    "Transformer": {},
    "Transformer, one head": {"heads": 1},
}
"""What is different, by name: options of ``GatedAttentionUnit`` (``attend``: what makes it),
``absolute`` for positions added to the embedding, ``heads`` of the Transformer."""


def build_variant(name: str, measures: Architecture, *, vocabulary: int) -> LanguageModel:
    """Return an untrained causal language model with the measures given, and one thing different.

    Args:
        name: one of ``VARIANTS``.
        measures: its ``layers`` does not count.
        vocabulary: how many tokens there are.

    Raises:
        DataError: for an unknown name.

    >>> model = build_variant("GAU, softmax", Architecture(dim=16), vocabulary=9)
    >>> model(torch.zeros(1, 5, dtype=torch.int64)).shape
    torch.Size([1, 5, 9])
    """
    if name not in VARIANTS:
        raise DataError(f"no variant is called {name!r}; there are: {', '.join(VARIANTS)}")
    options = dict(VARIANTS[name])
    if name.startswith("Transformer"):
        return replace(measures, layers="transformer", **options).language_model(vocabulary)
    absolute, make = options.pop("absolute", False), options.pop("attend", lambda: fastest)
    usual = replace(measures, layers="gau").build_layers(causal=True)
    layers = [
        GatedAttentionUnit(
            measures.dim,
            key_dim=one.key_dim,
            chunk=measures.chunk,
            causal=True,
            attend=make(),
            **options,
        )
        for one in usual
        if isinstance(one, GatedAttentionUnit)
    ]
    encoder = Encoder(layers, dim=measures.dim)
    kind = AbsolutePositions if absolute else TokenEncoder
    return LanguageModel(kind(encoder, vocabulary=vocabulary))
