"""One encoder, three scorers: which spans are arguments, and which belong together."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from companion.errors import DataError, ShapeError
from companion.events.losses import sparse_multilabel_cross_entropy
from companion.events.schema import Schema
from companion.events.scorers import EfficientGlobalPointer, GlobalPointer

__all__ = ["EventLinker", "LinkerScores", "LinkerTargets", "pair_indices"]

SCORERS = {"efficient": EfficientGlobalPointer, "plain": GlobalPointer}


class LinkerScores(NamedTuple):
    """What an ``EventLinker`` says of some sentences; above 0 means yes."""

    spans: Float[Tensor, "batch label seq seq"]
    heads: Float[Tensor, "batch 1 seq seq"]
    tails: Float[Tensor, "batch 1 seq seq"]


class LinkerTargets(NamedTuple):
    """The pairs of tokens that shall score above 0; −1 twice means none."""

    spans: Int64[Tensor, "batch label span 2"]
    heads: Int64[Tensor, "batch 1 head 2"]
    tails: Int64[Tensor, "batch 1 tail 2"]


class EventLinker(nn.Module):
    """GPLinker: score spans as arguments, and pairs of heads and of tails as linked.

    Su, *GPLinker*, 2022: one label for each pair of event type and role; two more scorers, without
    rotary positions, say which first tokens and which last tokens occur in one event
    (``eq-events-links``). ``decode_events`` turns the scores into events.

    Args:
        encoder: from whole numbers [batch, seq] and a mask to vectors [batch, seq, hidden], such as
            ``companion.attention.TokenEncoder``. It must let padding change nothing.
        schema: of the events.
        hidden: the width of its vectors; None: what ``encoder.dim`` says.
        key_dim: the width of queries and keys in the three scorers.
        scorer: of the arguments: "efficient" or "plain" (``GlobalPointer``).
        link_rope: whether the scorers of links see how far two tokens are apart; not in the essay.
        dropout: on the encoder's vectors.

    Raises:
        DataError: if the width is unknown or another argument makes no model.

    >>> from companion.attention import Architecture
    >>> from companion.events import EventType, Role
    >>> schema = Schema((EventType("match", (Role("winner"), Role("loser"))),))
    >>> linker = EventLinker(Architecture(dim=16, depth=1).token_encoder(99), schema, key_dim=8)
    >>> scores = linker(torch.ones(2, 5, dtype=torch.int64))
    >>> [tuple(part.shape) for part in scores]
    [(2, 3, 5, 5), (2, 1, 5, 5), (2, 1, 5, 5)]
    """

    def __init__(
        self,
        encoder: nn.Module,
        schema: Schema,
        *,
        hidden: int | None = None,
        key_dim: int = 64,
        scorer: Literal["efficient", "plain"] = "efficient",
        link_rope: bool = False,
        dropout: int | float = 0.0,
    ) -> None:
        super().__init__()
        hidden = getattr(encoder, "dim", None) if hidden is None else hidden
        if not isinstance(hidden, int):
            raise DataError("the encoder has no dim; expected hidden, the width of its vectors")
        if scorer not in SCORERS:
            raise DataError(f"scorer is {scorer!r}; expected one of {', '.join(SCORERS)}")
        self.encoder, self.schema = encoder, schema
        self.dropout = nn.Dropout(dropout)
        self.spans = SCORERS[scorer](hidden, len(schema.labels), key_dim=key_dim)
        self.heads = GlobalPointer(hidden, 1, key_dim=key_dim, rope=link_rope)
        self.tails = GlobalPointer(hidden, 1, key_dim=key_dim, rope=link_rope)

    def forward(
        self, tokens: Int64[Tensor, "batch seq"], mask: Bool[Tensor, "batch seq"] | None = None
    ) -> LinkerScores:
        """Return the scores of all pairs of tokens.

        Args:
            tokens: whole numbers that the encoder knows.
            mask: True where there is a token; None: everywhere. Padding changes nothing.
        """
        mask = torch.ones_like(tokens, dtype=torch.bool) if mask is None else mask
        hidden = self.dropout(self.encoder(tokens, mask))
        return LinkerScores(*(part(hidden, mask) for part in (self.spans, self.heads, self.tails)))

    def loss(
        self,
        tokens: Int64[Tensor, "batch seq"],
        targets: LinkerTargets,
        mask: Bool[Tensor, "batch seq"] | None = None,
    ) -> Float[Tensor, ""]:
        """Return the loss of the three scorers: summed over labels, the mean over the rest.

        Args:
            tokens, mask: as in ``forward``.
            targets: what shall score above 0.
        """
        return linker_loss(self(tokens, mask), targets)


def linker_loss(scores: LinkerScores, targets: LinkerTargets) -> Float[Tensor, ""]:
    """Return the mean over sentences and scorers of the sparse losses, summed over labels.

    Raises:
        ShapeError: if targets are of another number of sentences or labels.
        DataError: for a pair that is none.
    """
    total = scores.spans.new_zeros(())
    for part, pairs in zip(scores, targets, strict=True):
        flat = rearrange(part, "batch label start end -> batch label (start end)")
        indices = pair_indices(pairs, part.shape[-1])
        total = total + sparse_multilabel_cross_entropy(flat, indices).sum(dim=1).mean()
    return total / len(scores)


def pair_indices(
    pairs: Int64[Tensor, "batch label pair 2"], seq: int
) -> Int64[Tensor, "batch label pair"]:
    """Return where pairs (i, j) lie in a row of seq² candidates; −1 for (−1, −1).

    Raises:
        ShapeError: if the last axis is no pair.
        DataError: for a token that is none; looked at on the CPU alone.

    >>> pair_indices(torch.tensor([[[[0, 2], [-1, -1]]]]), 5)
    tensor([[[ 2, -1]]])
    """
    if pairs.shape[-1] != 2:
        raise ShapeError(f"pairs have shape {tuple(pairs.shape)}; expected the last axis to be 2")
    none = (pairs == -1).all(dim=-1)
    if pairs.device.type == "cpu":
        wrong = ((pairs < 0) | (pairs >= seq)).any(dim=-1) & ~none
        if bool(wrong.any()):
            at = wrong.nonzero()[0].tolist()
            found = f"pairs{at} is {pairs[tuple(at)].tolist()}"
            raise DataError(f"{found}; expected tokens 0 to {seq - 1}, or -1 twice for none")
    return torch.where(none, -1, pairs[..., 0] * seq + pairs[..., 1])
