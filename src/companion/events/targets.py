"""What a perfect model would answer: the inverse of ``decode_events``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from companion.errors import DataError
from companion.events.documents import Argument, Document, Event
from companion.events.hypergraph import Links
from companion.events.offsets import Offsets, check_offsets, off_borders
from companion.events.schema import Schema

__all__ = ["DenseTargets", "Positives", "Targets", "encode_targets"]


class DenseTargets(NamedTuple):
    """True where a score shall be positive."""

    spans: Bool[Tensor, "label n n"]
    heads: Bool[Tensor, "1 n n"]
    tails: Bool[Tensor, "1 n n"]


class Positives(NamedTuple):
    """The places where a score shall be positive, as many rows for each label."""

    spans: Int64[Tensor, "label k 2"]
    heads: Int64[Tensor, "1 m 2"]
    tails: Int64[Tensor, "1 m 2"]


@dataclass(frozen=True)
class Targets:
    """The places where the three scores shall be positive, in tokens.

    Attributes:
        labels: how many labels the schema has.
        tokens: how many tokens the sentence has.
        spans: label, first token and last token, ascending, each once.
        heads: pairs of first tokens, smaller first, ascending, each once.
        tails: pairs of last tokens, alike.
        unreachable: arguments that do not begin and end where tokens do; they are in no target.
    """

    labels: int
    tokens: int
    spans: tuple[tuple[int, int, int], ...]
    heads: tuple[tuple[int, int], ...]
    tails: tuple[tuple[int, int], ...]
    unreachable: tuple[Argument, ...] = ()

    def dense(self) -> DenseTargets:
        """Return all places, the positive ones True."""
        n = self.tokens
        spans = torch.zeros(self.labels, n, n, dtype=torch.bool)
        heads, tails = torch.zeros(2, 1, n, n, dtype=torch.bool)
        for place in self.spans:
            spans[place] = True
        for links, pairs in ((heads, self.heads), (tails, self.tails)):
            for pair in pairs:
                links[0][pair] = True
        return DenseTargets(spans, heads, tails)

    def positives(self, *, padding: int = -1) -> Positives:
        """Return the positive places alone, for ``sparse_multilabel_cross_entropy``.

        Args:
            padding: stands in both columns of the rows that a label with fewer places has too many.
                A negative number can be taken for no place.
        """
        rows: list[list[tuple[int, int]]] = [[] for _ in range(self.labels)]
        for label, *place in self.spans:
            rows[label].append((place[0], place[1]))
        return Positives(
            _padded(rows, padding),
            _padded([list(self.heads)], padding),
            _padded([list(self.tails)], padding),
        )


def encode_targets(document: Document, schema: Schema, offsets: Offsets) -> Targets:
    """Return the places where the scores of a perfect model are positive.

    A span's label is one for its type and role (``eq-events-score``); the heads and the tails of
    any two arguments of an event are linked (``eq-events-links``). Two arguments with the same
    span, in two roles, link a head and a tail with themselves.

    Args:
        document: text and events.
        schema: of the events.
        offsets: of the tokens, in characters of the text.

    Raises:
        DataError: for a type or role outside the schema, or offsets that do not fit the text.

    >>> from companion.events import EventType, Role, character_offsets
    >>> schema = Schema((EventType("m", (Role("winner"), Role("loser"))),), triggers=False)
    >>> beat = Event("m", frozenset({Argument("winner", 0, 2, "Li"), Argument("loser", 8, 9, "B")}))
    >>> document = Document("1", "Li beat B", (beat,))
    >>> targets = encode_targets(document, schema, character_offsets(document.text))
    >>> targets.spans, targets.heads, targets.tails
    (((0, 0, 1), (1, 8, 8)), ((0, 8),), ((1, 8),))
    """
    check_offsets(offsets, document.text)
    unreachable = off_borders(document, offsets)
    # The first token that begins there, the last that ends there: the bytes of one character share
    # its offsets.
    first = {s: at for at, (s, e) in reversed([*enumerate(offsets)]) if s < e}
    last = {e: at for at, (s, e) in enumerate(offsets) if s < e}
    kept = [Event(event.type, event.arguments - unreachable) for event in document.events]
    spans = {
        (_index(schema, document, event.type, one.role), first[one.start], last[one.end])
        for event in kept
        for one in event.arguments
    }
    links = Links.of(kept)
    return Targets(
        len(schema.labels),
        len(offsets),
        tuple(sorted(spans)),
        tuple(sorted((first[one], first[other]) for one, other in links.heads)),
        tuple(sorted((last[one], last[other]) for one, other in links.tails)),
        tuple(sorted(unreachable)),
    )


def _index(schema: Schema, document: Document, kind: str, role: str) -> int:
    try:
        return schema.index(kind, role)
    except DataError as error:
        raise DataError(f"{document.source or document.id}: {error}") from error


def _padded(rows: Sequence[Sequence[tuple[int, int]]], padding: int) -> Tensor:
    most = max(map(len, rows), default=0)
    filled = [[*row, *[(padding, padding)] * (most - len(row))] for row in rows]
    return torch.tensor(filled, dtype=torch.int64).view(len(rows), most, 2)
