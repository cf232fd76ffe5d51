"""A trained linker: from sentences to scores, and from scores to events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from companion.events.config import LinkerConfig
from companion.events.decoding import Decoded, decode_events
from companion.events.documents import Document
from companion.events.linker import EventLinker
from companion.events.offsets import Offsets
from companion.events.schema import Schema
from companion.events.sentences import batch_tokens, check_length
from companion.events.vocabulary import Vocabulary
from companion.training import Run

__all__ = ["Linker", "Scored", "scored_documents"]

BATCH = 16  # sentences that are scored together


@dataclass(frozen=True)
class Scored:
    """A sentence, and what a model says of its spans and links.

    Attributes:
        row: its place among the sentences that were asked about.
        document: with its text.
        offsets: of its tokens.
        spans, heads, tails: as ``decode_events`` takes them.
        schema: of the labels.
    """

    row: int
    document: Document
    offsets: Offsets
    spans: Float[Tensor, "label n n"]
    heads: Float[Tensor, "1 n n"]
    tails: Float[Tensor, "1 n n"]
    schema: Schema

    def events(
        self,
        *,
        threshold: int | float = 0.0,
        linked: bool = True,
        require_trigger: bool = False,
        most: int = 256,
    ) -> Decoded:
        """Return the events.

        Args:
            threshold, require_trigger: as in ``decode_events``.
            linked: False: the same spans without a look at the links, one event for each type. It
                is what links are to be measured against.
            most: of more spans than this the likeliest are kept, and 16 times as many events.
        """
        heads, tails = self.heads, self.tails
        if not linked:  # all joined: the one maximal clique of a type holds all of its spans
            heads, tails = (torch.full_like(part, threshold + 1) for part in (heads, tails))
        return decode_events(
            self.spans, heads, tails, self.schema, self.document.text, self.offsets,
            threshold=threshold, require_trigger=require_trigger,
            max_arguments=most, max_cliques=16 * most,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Linker:
    """A trained model and its vocabulary.

    Attributes:
        model: with its averaged weights, if there are any, in evaluation mode.
        vocabulary: from text to tokens.
        config: how it was made.
        run: history and folder of the training; None if it was read from a file.
    """

    model: EventLinker
    vocabulary: Vocabulary
    config: LinkerConfig
    run: Run | None = None

    @property
    def schema(self) -> Schema:
        """The types and roles that it knows."""
        return self.model.schema

    def scores(self, documents: Sequence[Document]) -> Iterator[Scored]:
        """Yield what the model says of each sentence, the shortest first.

        Raises:
            DataError: for a text that is longer than ``config.length``; names file, line and field.
        """
        longest = self.config.length
        return scored_documents(self.model, self.vocabulary, documents, longest=longest)

    def predict(
        self,
        documents: Sequence[Document],
        *,
        threshold: int | float | None = None,
        linked: bool = True,
        require_trigger: bool = False,
    ) -> list[Decoded]:
        """Return the events of each sentence, in the order given.

        Args:
            documents: with or without labels, which are not looked at.
            threshold: None: that of the configuration.
            linked, require_trigger: as in ``Scored.events``.

        Raises:
            DataError: as ``scores``.
        """
        threshold = self.config.threshold if threshold is None else threshold
        found = {
            one.row: one.events(threshold=threshold, linked=linked, require_trigger=require_trigger)
            for one in self.scores(documents)
        }
        return [found[row] for row in range(len(documents))]


@torch.no_grad()
def scored_documents(
    model: EventLinker, vocabulary: Vocabulary, documents: Sequence[Document], *, longest: int
) -> Iterator[Scored]:
    """Yield scores as ``Linker.scores`` does, from a model in evaluation mode."""
    encoded = [vocabulary.encode(document.text) for document in documents]
    for document, one in zip(documents, encoded, strict=True):
        check_length(document, len(one.tokens), longest)
    order = sorted(range(len(encoded)), key=lambda row: len(encoded[row].tokens))
    device = next(model.parameters()).device
    for first in range(0, len(order), BATCH):
        rows = order[first : first + BATCH]
        tokens, mask = batch_tokens([encoded[row].tokens for row in rows])
        scores = model(tokens.to(device), mask.to(device))
        for at, row in enumerate(rows):
            n = len(encoded[row].tokens)
            spans, heads, tails = (part[at, :, :n, :n].cpu() for part in scores)
            yield Scored(
                row, documents[row], encoded[row].offsets, spans, heads, tails, model.schema
            )
