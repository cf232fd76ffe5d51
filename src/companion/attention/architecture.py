"""Three kinds of layers, with as many parameters each, in models that are otherwise the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import nn

from companion.attention.encoder import Encoder, TokenEncoder
from companion.attention.models import LanguageModel, MaskedLanguageModel
from companion.attention.norm import NormKind
from companion.attention.transformer import TransformerLayer
from companion.attention.unit import GatedAttentionUnit
from companion.errors import DataError

__all__ = ["Architecture"]


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The measures of a model, by which rivals differ in the kind of their layers alone.

    In place of each Transformer layer, "gau" and "flash" put two ``GatedAttentionUnit``, the first
    with quadratic, the second with mixed chunk attention. Their number of parameters is the
    measure: the Transformer's feed-forward networks are as wide as makes it equal, to the nearest
    multiple of 8.

    Args:
        layers: the kind.
        depth: how many Transformer layers, or pairs of units.
        dim: d, numbers for each token.
        heads: of the Transformer; None: as many as leave a head 64 numbers, but 4 at least, or
            the nearest smaller number that d allows.
        key_dim: s, the width of queries and keys of a unit; None: half of d, 128 at most.
        chunk: tokens in a chunk, of "flash".
        fused: whether the Transformer attends by torch's fused function.
        norm, placement, dropout: as in ``Block``.

    Raises:
        DataError: for measures that make no model.

    >>> counts = [sum(p.numel() for p in Architecture(layers=k, dim=96).encoder().parameters())
    ...           for k in ("transformer", "gau", "flash")]
    >>> max(counts) < 1.02 * min(counts)
    True
    """

    layers: Literal["transformer", "gau", "flash"] = "gau"
    depth: int = 2
    dim: int = 128
    heads: int | None = None
    key_dim: int | None = None
    chunk: int = 256
    fused: bool = True
    norm: NormKind = "rms"
    placement: Literal["pre", "post"] = "pre"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for name in ("depth", "dim", "heads", "key_dim", "chunk"):
            size = getattr(self, name)
            if size is not None and size < 1:
                raise DataError(f"{name} is {size}; expected at least 1")
        if not 0 <= self.dropout < 1:
            raise DataError(f"dropout is {self.dropout}; expected 0 <= dropout < 1")
        if self.layers not in ("transformer", "gau", "flash"):
            raise DataError(f"layers are {self.layers!r}; expected 'transformer', 'gau' or 'flash'")

    def build_layers(self, *, causal: bool = False) -> list[nn.Module]:
        """Return the untrained layers: ``depth`` of the Transformer, or twice as many units."""
        d, s = self.dim, self.key_dim or max(2, min(128, self.dim // 2 // 2 * 2))
        if self.layers == "transformer":
            heads = self.heads or _heads(d)
            inner = 8 * round((8 * d / 3 + 2 * s / 3) / 8)  # two units: 12 d² + 2 d s
            return [
                TransformerLayer(d, heads, inner=inner, fused=self.fused, causal=causal)
                for _ in range(self.depth)
            ]
        attention = "quad" if self.layers == "gau" else "mixed_chunk"
        return [
            GatedAttentionUnit(d, key_dim=s, causal=causal, attention=attention, chunk=self.chunk)
            for _ in range(2 * self.depth)
        ]

    def encoder(self, *, causal: bool = False) -> Encoder:
        """Return an untrained encoder of vectors."""
        return Encoder(
            self.build_layers(causal=causal),
            dim=self.dim,
            norm=self.norm,
            placement=self.placement,
            dropout=self.dropout,
        )

    def token_encoder(
        self, vocabulary: int, *, causal: bool = False, segments: int = 0
    ) -> TokenEncoder:
        """Return an untrained encoder of tokens; with "post", a norm follows the embedding."""
        return TokenEncoder(
            self.encoder(causal=causal),
            vocabulary=vocabulary,
            segments=segments,
            norm=self.norm if self.placement == "post" else None,
            dropout=self.dropout,
        )

    def language_model(self, vocabulary: int, *, tied: bool = True) -> LanguageModel:
        """Return an untrained model of the next token."""
        return LanguageModel(self.token_encoder(vocabulary, causal=True), tied=tied)

    def masked_language_model(self, vocabulary: int, *, tied: bool = True) -> MaskedLanguageModel:
        """Return an untrained model of hidden tokens."""
        return MaskedLanguageModel(self.token_encoder(vocabulary), tied=tied)


def _heads(dim: int) -> int:
    """Return a number of heads that leaves each an even number of numbers, or 1."""
    most = max(4, dim // 64)
    return next((heads for heads in range(most, 1, -1) if dim % (2 * heads) == 0), 1)
