"""Three programs' names for the tensors of GAU-α, and how ours are made of theirs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["LAYOUTS", "PORT", "Layout", "Source"]


@dataclass(frozen=True)
class Source:
    """Where one of our tensors comes from: one of theirs, or several stacked; transposed or not."""

    names: tuple[str, ...]
    transposed: bool = False
    stacked: bool = False

    def shape(self, ours: tuple[int, ...]) -> tuple[int, ...]:
        """The shape that each of theirs must have."""
        inner = ours[1:] if self.stacked else ours
        return inner[::-1] if self.transposed else inner

    def read(self, tensors: Mapping[str, Tensor]) -> Tensor:
        """Make ours."""
        found = [tensors[name].to(torch.float32) for name in self.names]
        value = torch.stack(found) if self.stacked else found[0]
        return value.T.contiguous() if self.transposed else value.contiguous()


@dataclass(frozen=True)
class Layout:
    """The names of one program: of the embeddings, of the head if it has one, and of a unit."""

    program: str
    tokens: str
    segments: str
    head: str | None
    unit: str  # with {i}, the number of the unit
    inner: str
    outer: str
    scale: tuple[str, ...]
    transposed: bool = False

    def sources(self, *, layers: int, segments: int) -> Iterator[tuple[str, Source]]:
        """Yield our names, and where each comes from; the head is the embedding."""
        yield "encoder.embedding.weight", Source((self.tokens,))
        if segments:
            yield "encoder.segment_embedding.weight", Source((self.segments,))
        for i in range(layers):
            ours, theirs = f"encoder.encoder.blocks.{i}.branch.", self.unit.format(i=i)
            yield ours + "to_hidden.weight", Source((theirs + self.inner,), self.transposed)
            yield ours + "to_out.weight", Source((theirs + self.outer,), self.transposed)
            names = tuple(theirs + name for name in self.scale)
            yield ours + "scale", Source(names, stacked=len(names) > 1)


PORT = Layout(
    program="the PyTorch port",
    tokens="gau_alpha.embeddings.word_embeddings.weight",
    segments="gau_alpha.embeddings.token_type_embeddings.weight",
    head="cls.predictions.decoder.weight",
    unit="gau_alpha.encoder.layer.{i}.gau.",
    inner="i_dense.weight",
    outer="o_dense.weight",
    scale=("q_scaleoffset.weight", "k_scaleoffset.weight"),
)
LAYOUTS = (
    PORT,
    Layout(
        program="bert4torch",
        tokens="embeddings.word_embeddings.weight",
        segments="embeddings.segment_embeddings.weight",
        head="mlmDecoder.weight",
        unit="encoderLayer.{i}.gau.",
        inner="i_dense.weight",
        outer="o_dense.weight",
        scale=("offsetscale.gamma",),
    ),
    Layout(
        program="bert4keras",
        tokens="bert/embeddings/word_embeddings",
        segments="bert/embeddings/token_type_embeddings",
        head=None,
        unit="GAU_alpha/encoder/layer_{i}/gau/",
        inner="i_dense/kernel",
        outer="o_dense/kernel",
        scale=("q_scaleoffset/gamma", "k_scaleoffset/gamma"),
        transposed=True,
    ),
)
