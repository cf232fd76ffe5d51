"""From scores to events: spans, links, cliques (``eq-events-decode``)."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from itertools import combinations, islice
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from companion.errors import DataError, NumericsError, ShapeError
from companion.events.cliques import each_clique
from companion.events.documents import Argument, Event, ordered
from companion.events.offsets import Offsets, check_offsets
from companion.events.schema import Schema

__all__ = ["Decoded", "DecodingCut", "decode_events"]


class DecodingCut(UserWarning):
    """A sentence had more spans or cliques than the limit; some were left out."""


class Decoded(list[Event]):
    """The events of a sentence, in an order of their own.

    Attributes:
        cut: one message for each limit that was reached; empty if nothing was left out.
    """

    def __init__(self, events: Iterable[Event] = (), *, cut: Iterable[str] = ()) -> None:
        super().__init__(events)
        self.cut = tuple(cut)


class _Span(NamedTuple):
    """A node of the graph: a span in a role. The span in another role is another node."""

    role: str
    first: int
    last: int


def decode_events(
    span_scores: Float[Tensor, "label n n"],
    head_scores: Float[Tensor, "*one n n"],
    tail_scores: Float[Tensor, "*one n n"],
    schema: Schema,
    text: str,
    offsets: Offsets,
    *,
    threshold: int | float = 0.0,
    require_trigger: bool = False,
    max_arguments: int = 256,
    max_cliques: int = 512,
) -> Decoded:
    """Return the events that the scores of a sentence say.

    The arguments are the spans with a score above the threshold (``eq-events-score``); two are
    joined if the scores of their heads and of their tails, smaller first, both are above it
    (``eq-events-links``); the events of a type are the maximal cliques of its arguments
    (``eq-events-cliques``). Neither the lower triangles nor tokens without text are looked at.

    Args:
        span_scores: for each label, first token and last token.
        head_scores: for two first tokens, ``[n, n]`` or ``[1, n, n]``.
        tail_scores: for two last tokens, alike.
        schema: of the labels.
        text: of the sentence.
        offsets: of its tokens, in characters.
        threshold: above it a score means yes.
        require_trigger: leave out events without a trigger.
        max_arguments: of more spans than this, those with the highest scores are kept.
        max_cliques: of more events of one type than this, the first that are found are kept.

    Raises:
        ShapeError: if labels or tokens do not fit the scores.
        NumericsError: for a score that is NaN.
        DataError: for offsets that do not fit the text, a limit below 1, or a trigger that is
            required of a schema without.

    Warns:
        DecodingCut: when a limit is reached; ``cut`` of the result says it as well.

    >>> from companion.events import EventType, Role, character_offsets
    >>> schema = Schema((EventType("m", (Role("winner"), Role("loser"))),), triggers=False)
    >>> spans, links = -torch.ones(2, 9, 9), -torch.ones(2, 9, 9)
    >>> spans[0, 0, 1] = spans[1, 8, 8] = links[0, 0, 8] = links[1, 1, 8] = 1
    >>> (event,) = decode_events(spans, *links, schema, "Li beat B", character_offsets("Li beat B"))
    >>> sorted((one.role, one.text) for one in event.arguments)
    [('loser', 'B'), ('winner', 'Li')]
    """
    heads, tails = (scores.detach().cpu() for scores in (head_scores, tail_scores))
    spans = span_scores.detach().cpu()
    heads, tails = (one[0] if one.ndim == 3 and len(one) == 1 else one for one in (heads, tails))
    _check(spans, heads, tails, schema, text, offsets)
    if max_arguments < 1 or max_cliques < 1:
        raise DataError(f"max_arguments is {max_arguments}, max_cliques {max_cliques}; expected 1")
    if require_trigger and not schema.triggers:
        raise DataError("require_trigger is True; the schema has no triggers")
    cut: list[str] = []
    nodes = _nodes(spans, schema, offsets, threshold, max_arguments, cut)
    joined = ((heads > threshold).tolist(), (tails > threshold).tolist())
    found: dict[Event, None] = {}  # two tokens may have the same characters, hence two cliques
    for kind, members in nodes.items():
        edges = [pair for pair in combinations(members, 2) if _join(*pair, joined)]
        cliques = list(islice(each_clique(members, edges), max_cliques + 1))
        if len(cliques) > max_cliques:
            cut.append(f"{kind}: more than {max_cliques} cliques, the first are kept")
        for clique in cliques[:max_cliques]:
            event = Event(kind, frozenset(_argument(span, text, offsets) for span in clique))
            if event.trigger is not None or not require_trigger:
                found[event] = None
    if cut:
        warnings.warn("; ".join(cut), DecodingCut, stacklevel=2)
    return Decoded(ordered(found), cut=cut)


def _nodes(
    scores: Tensor,
    schema: Schema,
    offsets: Offsets,
    threshold: int | float,
    most: int,
    cut: list[str],
) -> dict[str, list[_Span]]:
    """Return the spans above the threshold, by type, in the order of label and place."""
    there = torch.tensor([start < end for start, end in offsets], dtype=torch.bool)
    allowed = (there[:, None] & there).triu()
    places = ((scores > threshold) & allowed).nonzero()
    if len(places) > most:
        cut.append(f"{len(places)} spans above {threshold}, the {most} highest are kept")
        best = scores[tuple(places.T)].argsort(descending=True, stable=True)[:most]
        places = places[best.sort().values]
    found: dict[str, list[_Span]] = {}
    for label, first, last in places.tolist():
        kind, role = schema.labels[label]
        found.setdefault(kind, []).append(_Span(role, first, last))
    return found


def _join(one: _Span, other: _Span, joined: tuple[list[list[bool]], list[list[bool]]]) -> bool:
    heads, tails = joined
    low, high = sorted((one.first, other.first))
    least, most = sorted((one.last, other.last))
    return heads[low][high] and tails[least][most]


def _argument(span: _Span, text: str, offsets: Offsets) -> Argument:
    start, end = offsets[span.first][0], offsets[span.last][1]
    return Argument(span.role, start, end, text[start:end])


def _check(
    spans: Tensor, heads: Tensor, tails: Tensor, schema: Schema, text: str, offsets: Offsets
) -> None:
    n, labels = len(offsets), len(schema.labels)
    for name, scores, expected in (
        ("span_scores", spans, (labels, n, n)),
        ("head_scores", heads, (n, n)),
        ("tail_scores", tails, (n, n)),
    ):
        if scores.shape != expected:
            why = f"{labels} labels of the schema, {n} tokens"
            raise ShapeError(f"{name} has shape {tuple(scores.shape)}; expected {expected}: {why}")
        if scores.isnan().any():
            at = scores.isnan().nonzero()[0].tolist()
            raise NumericsError(f"{name}{at} is nan; expected a score")
    check_offsets(offsets, text)
