"""The Gated Attention Unit: one layer in place of attention and a feed-forward network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from companion.attention.backend import fastest
from companion.attention.mixed_chunk import check_chunk
from companion.attention.normalizers import Normalizer, relu2
from companion.attention.padding import check_sequence, without_padding
from companion.attention.rotary import rotate
from companion.errors import DataError

__all__ = ["GatedAttentionUnit"]

HEADS = {"quad": 2, "mixed_chunk": 4}  # queries and keys made of the same z


class GatedAttentionUnit(nn.Module):
    r"""Gate what attention mixes: :math:`O = (U \odot AV) W_o`, ``eq-flash-gau``.

    :math:`U = \phi(XW_u),\ V = \phi(XW_v),\ Z = \phi(XW_z)` with :math:`\phi` = SiLU; queries and
    keys are Z, scaled and shifted per number (Hua et al., *Transformer Quality in Linear Time*,
    2022, sections 2 and 3). Norm and residual connection are outside, in the ``Encoder``.

    Args:
        dim: d, numbers for each token.
        expansion: e/d, the width of U and V.
        key_dim: s, the width of Z.
        normalize: from scores to weights; of "quad" only.
        causal: whether a token sees only itself and what came before.
        attention: "quad", ``gau_attention``; or "mixed_chunk", ``mixed_chunk_attention``, in which
            queries and keys of the quadratic and of the linear part are four scalings of one Z.
        chunk: tokens in a chunk; of "mixed_chunk" only.
        length: a fixed n for the normaliser; of "quad" only.
        rope: whether queries and keys are turned by their position (``rotate``, interleaved).
        shift: whether Z is shifted as well as scaled; GAU-α has no biases, and no shift.
        attend: what computes attention: ``fastest``, or a function with the signature of
            ``gau_attention`` or ``mixed_chunk_attention``.

    Raises:
        DataError: for sizes that make no unit, or an unknown attention.

    >>> unit = GatedAttentionUnit(16, key_dim=8)
    >>> unit(torch.ones(2, 5, 16)).shape
    torch.Size([2, 5, 16])
    >>> sum(p.numel() for p in unit.parameters()) == 3 * 16 * 32 + 16 * 8 + 2 * 2 * 8
    True
    """

    offset: nn.Parameter | None

    def __init__(
        self,
        dim: int,
        *,
        expansion: int = 2,
        key_dim: int = 128,
        normalize: Normalizer = relu2,
        causal: bool = False,
        attention: Literal["quad", "mixed_chunk"] = "quad",
        chunk: int = 256,
        length: int | float | None = None,
        rope: bool = True,
        shift: bool = True,
        attend: Callable[..., Tensor] = fastest,
    ) -> None:
        super().__init__()
        for name, size in (("dim", dim), ("expansion", expansion), ("key_dim", key_dim)):
            if size < 1:
                raise DataError(f"{name} is {size}; expected at least 1")
        if rope and key_dim % 2:
            raise DataError(f"key_dim is {key_dim}; rotary positions turn pairs: expected it even")
        if attention not in HEADS:
            raise DataError(f"attention is {attention!r}; expected 'quad' or 'mixed_chunk'")
        check_chunk(chunk)
        self.dim, self.inner, self.key_dim = dim, expansion * dim, key_dim
        self.causal, self.attention, self.rope, self.attend = causal, attention, rope, attend
        self.normalize, self.length, self.chunk = normalize, length, chunk
        self.options: dict[str, object] = (
            {"normalize": normalize, "length": length} if attention == "quad" else {"chunk": chunk}
        )
        self.to_hidden = nn.Linear(dim, 2 * self.inner + key_dim, bias=False)
        self.scale = nn.Parameter(torch.ones(HEADS[attention], key_dim))
        self.register_parameter(
            "offset", nn.Parameter(torch.zeros(HEADS[attention], key_dim)) if shift else None
        )
        self.to_out = nn.Linear(self.inner, dim, bias=False)
        for layer in (self.to_hidden, self.to_out):  # LeCun's: what comes out is as large as what
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5)  # went in

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
        u, heads, v = self.project(x)
        mixed = self.attend(*heads, v, causal=self.causal, mask=mask, **self.options)
        return self.to_out(u * mixed)

    def project(
        self, x: Float[Tensor, "batch seq dim"], *, start: int = 0
    ) -> tuple[Tensor, list[Tensor], Tensor]:
        """Return the gate u, queries and keys, and the values v, for tokens from position start."""
        hidden = functional.silu(self.to_hidden(x))
        u, v, z = hidden.split([self.inner, self.inner, self.key_dim], dim=-1)
        heads = [z * scale for scale in self.scale]
        if self.offset is not None:
            heads = [head + offset for head, offset in zip(heads, self.offset, strict=True)]
        if self.rope:
            heads = [rotate(head, start=start) for head in heads]
        return u, [head.to(v.dtype) for head in heads], v  # autocast leaves the scaling in float32
