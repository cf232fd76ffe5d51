"""Which sets of events survive when only pairs of arguments are kept.

A hypergraph is a set of edges, each a set of nodes: here the events of one type, and their
arguments. What is left of it is a graph, the 2-section: two nodes are joined if an edge holds both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from companion.events.cliques import each_clique
from companion.events.documents import Argument, Document, Event, ordered
from companion.events.offsets import Offsets, character_offsets, off_borders

__all__ = [
    "Links",
    "Reach",
    "is_conformal",
    "is_recoverable",
    "is_simple",
    "out_of_reach",
    "recovered",
]


def is_simple(edges: Collection[frozenset]) -> bool:
    """Say whether no edge is empty, stands twice, or lies inside another.

    >>> is_simple([frozenset("ab"), frozenset("bc")]), is_simple([frozenset("ab"), frozenset("b")])
    (True, False)
    """
    pairs = combinations(edges, 2)
    return all(edges) and not any(one <= other or other <= one for one, other in pairs)


def is_conformal(edges: Collection[frozenset]) -> bool:
    """Say whether every clique of the 2-section lies in an edge, by Gilmore's criterion.

    For any three edges, ``(A ∩ B) ∪ (B ∩ C) ∪ (C ∩ A)`` must lie in some edge (Berge,
    *Hypergraphs*, 1989, chapter 1).

    >>> triangle = [frozenset("ab"), frozenset("bc"), frozenset("ca")]
    >>> is_conformal(triangle), is_conformal([*triangle, frozenset("abc")])
    (False, True)
    """
    return all(
        any((a & b) | (b & c) | (c & a) <= edge for edge in edges)
        for a, b, c in combinations(set(edges), 3)
    )


@dataclass(frozen=True)
class Links:
    """All that is kept of which arguments belong together (``eq-events-links``).

    A pair of heads, smaller first, and a pair of tails, for every two arguments of an event. There
    is one set of each for all types; roles are not kept.
    """

    heads: frozenset[tuple[int, int]]
    tails: frozenset[tuple[int, int]]

    @classmethod
    def of(cls, events: Iterable[Event]) -> Links:
        """Return the links of a sentence's events, in characters."""
        pairs = [pair for event in events for pair in combinations(sorted(event.arguments), 2)]
        return cls(
            frozenset(_ascending(one.start, other.start) for one, other in pairs),
            frozenset(_ascending(one.end, other.end) for one, other in pairs),
        )

    def join(self, one: Argument, other: Argument) -> bool:
        """Say whether two arguments are joined: their heads are, and their tails are."""
        heads = _ascending(one.start, other.start) in self.heads
        return heads and _ascending(one.end, other.end) in self.tails


def recovered(events: Sequence[Event]) -> list[Event]:
    """Return what a decoder makes of perfect scores for these events: all that any model can do.

    Per type the maximal cliques of the arguments under the links (``eq-events-decode``).

    >>> a, b, c = (Argument(role, at, at + 1, role) for at, role in enumerate("abc"))
    >>> pairs = [Event("m", frozenset(pair)) for pair in ([a, b], [b, c], [c, a])]
    >>> recovered(pairs) == [Event("m", frozenset([a, b, c]))]
    True
    """
    links, found = Links.of(events), []
    for kind in dict.fromkeys(event.type for event in events):
        nodes = sorted({one for event in events if event.type == kind for one in event.arguments})
        edges = [pair for pair in combinations(nodes, 2) if links.join(*pair)]
        found += [Event(kind, clique) for clique in each_clique(nodes, edges)]
    return ordered(found)


def is_recoverable(events: Sequence[Event]) -> bool:
    """Say whether the events of a sentence come out again: whether ``recovered`` returns them.

    Exactly if for each type no event is empty or inside another, the events are conformal, and the
    links join no two arguments of the type that share no event of it. The last is the price of
    keeping heads apart from tails, and one set of both for all roles and types.

    >>> a, b, c = (Argument(role, at, at + 1, role) for at, role in enumerate("abc"))
    >>> is_recoverable([Event("m", frozenset([a, b])), Event("m", frozenset([b, c]))])
    True
    >>> is_recoverable([Event("m", frozenset(pair)) for pair in ([a, b], [b, c], [c, a])])
    False
    """
    links = Links.of(events)
    for kind in {event.type for event in events}:
        edges = [event.arguments for event in events if event.type == kind]
        if not is_simple(edges) or not is_conformal(edges):
            return False
        if any(
            links.join(one, other) and not any({one, other} <= edge for edge in edges)
            for one, other in combinations(frozenset().union(*edges), 2)
        ):
            return False
    return True


@dataclass(frozen=True)
class Reach:
    """How much of a data set no model of this kind can get right.

    Attributes:
        documents: how many were looked at.
        documents_lost: those whose events do not all come out again.
        events: how many there are.
        events_lost: those that do not come out again.
        spurious: events that come out in their place.
        arguments_off: arguments that do not fall on the borders of tokens.
    """

    documents: int
    documents_lost: int
    events: int
    events_lost: int
    spurious: int
    arguments_off: int


def out_of_reach(
    documents: Iterable[Document], *, tokenize: Callable[[str], Offsets] = character_offsets
) -> Reach:
    """Count what is lost between a document's events and ``recovered``.

    Args:
        documents: with their events.
        tokenize: gives the offsets of a text's tokens; an argument that does not fall on their
            borders is missing from the events that come out.

    >>> out_of_reach([Document("1", "no arguments", (Event("m", frozenset()),))]).events_lost
    1
    """
    total = [0] * 6
    for document in documents:
        off = off_borders(document, tokenize(document.text))
        kept = [Event(event.type, event.arguments - off) for event in document.events]
        there, back = Counter(document.events), Counter(recovered(kept))
        lost, spurious = (there - back).total(), (back - there).total()
        counts = (1, int(lost > 0 or spurious > 0), there.total(), lost, spurious, len(off))
        total = [sum(pair) for pair in zip(total, counts, strict=True)]
    return Reach(*total)


def _ascending(one: int, other: int) -> tuple[int, int]:
    return (one, other) if one <= other else (other, one)
