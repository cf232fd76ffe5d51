"""A stack of layers: where the residual connections and the norms stand, and what goes in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from companion.attention.norm import NormKind, make_norm
from companion.attention.padding import check_sequence, check_tokens, without_padding
from companion.errors import DataError

__all__ = ["Block", "Encoder", "TokenEncoder"]


class Block(nn.Module):
    r"""One branch with its norm and residual connection.

    "pre": :math:`x + f(\mathrm{norm}(x))`; "post": :math:`\mathrm{norm}(x + f(x))`. Both were
    taken apart by Xiong et al., *On Layer Normalization in the Transformer Architecture*, 2020.

    Args:
        branch: f, called with [batch, seq, dim] and a mask.
        norm: ``make_norm`` says which there are.
        placement: "pre" or "post".
        dropout: on what the branch returns.
    """

    def __init__(
        self,
        branch: nn.Module,
        dim: int,
        *,
        norm: NormKind = "rms",
        placement: Literal["pre", "post"] = "pre",
        dropout: float = 0.0,
        eps: float = 1e-6,
    ) -> None:
        super().__init__()
        self.norm, self.branch = make_norm(norm, dim, eps=eps), branch
        self.dropout = nn.Dropout(dropout)
        self.placement = placement

    def forward(
        self, x: Float[Tensor, "batch seq dim"], mask: Bool[Tensor, "batch seq"] | None = None
    ) -> Float[Tensor, "batch seq dim"]:
        """Return x with what the branch adds."""
        if self.placement == "pre":
            return x + self.dropout(self.branch(self.norm(x), mask))
        return self.norm(x + self.dropout(self.branch(x, mask)))


class Encoder(nn.Module):
    """Layers one after another, each branch in a ``Block``; with "pre", one more norm at the end.

    A layer is a module called with [batch, seq, dim] and a mask, whose result is added to its
    input: a ``GatedAttentionUnit``, or one of your own. A layer with ``branches``, such as
    ``TransformerLayer``, becomes as many blocks.

    Args:
        layers: the layers, not copied.
        dim: d, numbers for each token.
        norm, placement, dropout, eps: as in ``Block``.

    Raises:
        DataError: without layers, or for an unknown norm or placement.

    >>> import torch
    >>> from companion.attention import GatedAttentionUnit, TransformerLayer
    >>> rivals = Encoder([TransformerLayer(16, 2)], dim=16), Encoder(
    ...     [GatedAttentionUnit(16, key_dim=8) for _ in range(2)], dim=16)
    >>> [len(encoder.blocks) for encoder in rivals]
    [2, 2]
    >>> rivals[1](torch.ones(3, 7, 16)).shape
    torch.Size([3, 7, 16])
    """

    def __init__(
        self,
        layers: Sequence[nn.Module],
        *,
        dim: int,
        norm: NormKind = "rms",
        placement: Literal["pre", "post"] = "pre",
        dropout: float = 0.0,
        eps: float = 1e-6,
    ) -> None:
        super().__init__()
        branches = [branch for layer in layers for branch in getattr(layer, "branches", (layer,))]
        if not branches:
            raise DataError("there are no layers; expected at least one")
        if placement not in ("pre", "post"):
            raise DataError(f"placement is {placement!r}; expected 'pre' or 'post'")
        self.dim = dim
        self.blocks = nn.ModuleList(
            Block(branch, dim, norm=norm, placement=placement, dropout=dropout, eps=eps)
            for branch in branches
        )
        self.last = make_norm(norm, dim, eps=eps) if placement == "pre" else nn.Identity()

    def forward(
        self, x: Float[Tensor, "batch seq dim"], mask: Bool[Tensor, "batch seq"] | None = None
    ) -> Float[Tensor, "batch seq dim"]:
        """Return as many vectors; zeros at padded positions.

        Args:
            x: d numbers for each token.
            mask: True where there is a token. What stands elsewhere, and how much, changes nothing.

        Raises:
            ShapeError: if x or the mask has another shape.
            DataError: if the mask is not Boolean.
        """
        check_sequence(x, self.dim, mask)
        (x,) = without_padding(x, mask=mask)
        for block in self.blocks:
            x = block(x, mask)
        (x,) = without_padding(self.last(x), mask=mask)
        return x


class TokenEncoder(nn.Module):
    r"""Tokens, embedded, then an ``Encoder``: [batch, seq] whole numbers to [batch, seq, dim].

    Args:
        encoder: what follows the embedding.
        vocabulary: how many tokens there are.
        segments: how many kinds of segment, each with an embedding of its own; 0 for none.
        norm: a norm right after the embedding, before "post" blocks; None for none.
        eps: of that norm.
        dropout: on the embedding.
        std: the size of the numbers of an untrained embedding; None: :math:`1/(2\sqrt d)`, with
            which the scores of a tied head begin at about 1/2.

    Raises:
        DataError: for an empty vocabulary.

    >>> import torch
    >>> from companion.attention import GatedAttentionUnit
    >>> encoder = Encoder([GatedAttentionUnit(16, key_dim=8)], dim=16)
    >>> TokenEncoder(encoder, vocabulary=99)(torch.zeros(2, 5, dtype=torch.int64)).shape
    torch.Size([2, 5, 16])
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        vocabulary: int,
        segments: int = 0,
        norm: NormKind | None = None,
        eps: float = 1e-6,
        dropout: float = 0.0,
        std: int | float | None = None,
    ) -> None:
        super().__init__()
        if vocabulary < 1:
            raise DataError(f"vocabulary is {vocabulary}; expected at least 1")
        dim = encoder.dim
        self.dim, self.vocabulary, self.segments = dim, vocabulary, segments
        self.embedding = nn.Embedding(vocabulary, dim)
        self.segment_embedding = nn.Embedding(segments, dim) if segments else None
        for table in (self.embedding, self.segment_embedding):
            if table is not None:
                nn.init.normal_(table.weight, std=dim**-0.5 / 2 if std is None else std)
        self.norm = nn.Identity() if norm is None else make_norm(norm, dim, eps=eps)
        self.dropout = nn.Dropout(dropout)
        self.encoder = encoder

    def embed(
        self,
        tokens: Int64[Tensor, "batch seq"],
        segments: Int64[Tensor, "batch seq"] | None = None,
    ) -> Float[Tensor, "batch seq dim"]:
        """Return what enters the encoder, without dropout."""
        x = self.embedding(tokens)
        if self.segment_embedding is not None:
            x = x + self.segment_embedding(tokens.new_zeros(()) if segments is None else segments)
        return self.norm(x)

    def forward(
        self,
        tokens: Int64[Tensor, "batch seq"],
        mask: Bool[Tensor, "batch seq"] | None = None,
        segments: Int64[Tensor, "batch seq"] | None = None,
    ) -> Float[Tensor, "batch seq dim"]:
        """Return a vector for each token; zeros at padded positions.

        Args:
            tokens: numbers below ``vocabulary``.
            mask: True where there is a token.
            segments: numbers below ``segments``; None means 0 everywhere.

        Raises:
            DataError: for tokens that are no whole numbers, or outside the vocabulary.
            ShapeError: for other shapes.
        """
        check_tokens(tokens, self.vocabulary, mask)
        if segments is not None:
            check_tokens(segments, self.segments, None, name="segments")
        return self.encoder(self.dropout(self.embed(tokens, segments)), mask)
