"""Which events survive: Gilmore's criterion against every hypergraph with at most five nodes."""

from collections.abc import Iterator
from functools import cache
from itertools import permutations
from math import comb

import numpy as np
import pytest

from companion.events import (
    Argument,
    Document,
    Event,
    Reach,
    is_conformal,
    is_recoverable,
    is_simple,
    out_of_reach,
    recovered,
    word_offsets,
)

Edges = frozenset[int]  # edges as bit masks over the nodes


def antichains(nodes: int) -> Iterator[Edges]:
    """Every set of non-empty edges of which none lies inside another."""

    def grow(chosen: tuple[int, ...], first: int) -> Iterator[Edges]:
        yield frozenset(chosen)
        for edge in range(first, 1 << nodes):
            if all(edge & other not in (edge, other) for other in chosen):
                yield from grow((*chosen, edge), edge + 1)

    return grow((), 1)


def cliques_of_pairs(edges: Edges, nodes: int = 5) -> Edges:
    """Maximal cliques of the 2-section, by trying every set of nodes."""
    near = [0] * nodes
    for edge in edges:
        for node in range(nodes):
            if edge >> node & 1:
                near[node] |= edge
    found = set()
    for chosen in range(1, 1 << nodes):
        everyone = (1 << nodes) - 1
        for node in range(nodes):
            if chosen >> node & 1:
                everyone &= near[node]
        if everyone == chosen:
            found.add(chosen)
    return frozenset(found)


def sets(edges: Edges) -> list[frozenset[int]]:
    return [frozenset(node for node in range(5) if edge >> node & 1) for edge in sorted(edges)]


@cache
def argument(node: int) -> Argument:
    return Argument(f"role {node}", node, node + 1, "abcde"[node])


def events(edges: Edges) -> list[Event]:
    return [Event("m", frozenset(map(argument, nodes))) for nodes in sets(edges)]


def graphs(nodes: int) -> int:
    """Number of graphs on any of so many nodes: each is the 2-section of one recoverable set."""
    return sum(comb(nodes, some) << comb(some, 2) for some in range(nodes + 1))


def test_criterion_is_right_for_every_antichain_of_five_nodes():
    """A set in which an edge lies inside another is lost, so antichains are all that can return."""
    recoverable = total = 0
    for edges in antichains(5):
        back = cliques_of_pairs(edges)
        assert is_conformal(sets(edges)) == (back == edges)
        recoverable += back == edges
        total += 1
    assert total == 7580  # Dedekind's number for 5, without the set whose one edge is empty
    assert recoverable == graphs(5) == 1450


@pytest.mark.usefixtures("_as_for_a_user")  # the checks of types would take longer than the test
def test_events_are_recoverable_exactly_if_they_come_out_again():
    """Up to the names of nodes: every antichain of five nodes, every set of edges of four."""
    of_five = representatives(5, np.array([sum(1 << edge for edge in x) for x in antichains(5)]))
    of_four = representatives(4, np.arange(1 << 15) << 1)  # bit e: whether edge e is in the set
    assert (len(of_five), len(of_four)) == (209, 1992)
    for edges in {*of_five, *of_four}:
        some = events(edges)
        back = recovered(some)
        assert {*back} == {*events(cliques_of_pairs(edges))}
        assert is_recoverable(some) == ({*back} == {*some})


def representatives(nodes: int, numbers: np.ndarray) -> set[Edges]:
    """One of the sets that differ in the names of nodes alone, for each kind."""
    edges = np.arange(1 << nodes)
    there = numbers[:, None] >> edges & 1
    least = numbers
    for order in permutations(range(nodes)):
        renamed = sum((edges >> node & 1) << new for node, new in enumerate(order))
        least = np.minimum(least, (there << renamed).sum(axis=1))
    return {frozenset(edges[number >> edges & 1 == 1].tolist()) for number in np.unique(least)}


@pytest.mark.parametrize(
    ("edges", "simple", "conformal"),
    [
        (["ab", "bc"], True, True),
        (["ab", "bc", "ca"], True, False),
        (["ab", "bc", "ca", "abc"], False, True),
        (["abc", "ab"], False, True),
        (["abx", "bcx", "cax"], True, False),
        (["abc", "bcd", "cda", "dab"], True, False),
        (["ab", "cd", "ef"], True, True),
        ([], True, True),
        ([""], False, True),
    ],
)
def test_small_hypergraphs(edges, simple, conformal):
    some = [frozenset(edge) for edge in edges]
    assert is_simple(some) == simple
    assert is_conformal(some) == conformal


def test_same_event_twice_cannot_come_out_twice():
    (event,) = events(frozenset([3]))
    assert not is_simple([event.arguments] * 2)
    assert not is_recoverable([event, event])
    assert recovered([event, event]) == [event]


def test_types_are_told_apart():
    """The triangle in two types: two of its edges in one, the third in the other."""
    one, two, three = events(frozenset([0b011, 0b110, 0b101]))
    other = Event("n", frozenset(argument(node + 3) for node in (0, 1)))
    assert not is_recoverable([one, two, three])
    assert is_recoverable([one, two, other])


def test_reach_counts_what_is_lost():
    triangle = events(frozenset([0b011, 0b110, 0b101]))
    documents = [
        Document("1", "abcde", tuple(triangle)),
        Document("2", "abcde", tuple(triangle[:2])),
        Document("3", "abcde", (triangle[0], Event("m", frozenset()))),
    ]
    assert out_of_reach(documents) == Reach(
        documents=3, documents_lost=2, events=7, events_lost=4, spurious=1, arguments_off=0
    )


def test_arguments_off_the_borders_of_tokens_are_out_of_reach():
    arguments = [Argument("x", 0, 2, "ab"), Argument("y", 3, 4, "d")]
    document = Document("1", "ab de", (Event("m", frozenset(arguments)),))
    assert out_of_reach([document]).documents_lost == 0
    assert out_of_reach([document], tokenize=word_offsets) == Reach(
        documents=1, documents_lost=1, events=1, events_lost=1, spurious=1, arguments_off=1
    )
