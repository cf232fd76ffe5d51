"""Maximal cliques: the complete subgraphs that no other contains. Each is decoded as an event."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from itertools import combinations
from typing import Any, NamedTuple, TypeVar

from companion.errors import CompanionError, DataError

__all__ = [
    "Recursion",
    "WorkError",
    "each_clique",
    "maximal_cliques",
    "maximal_cliques_recursive",
    "split_recursively",
]

Node = TypeVar("Node", bound=Hashable)


class WorkError(CompanionError, RuntimeError):
    """A search that would go beyond the limit that was set for it."""


class Recursion(NamedTuple):
    """What the recursion found, and how often it called itself, the first call included."""

    cliques: set[frozenset]
    calls: int


def maximal_cliques(
    nodes: Iterable[Node], edges: Iterable[tuple[Node, Node]], *, limit: int | None = None
) -> set[frozenset[Node]]:
    """Return the maximal cliques of an undirected graph (``eq-events-cliques``).

    Bron and Kerbosch, *Algorithm 457*, 1973, with a pivot (Tomita, Tanaka and Takahashi, 2006), in
    networkx's version. A graph of n nodes has up to 3^{n/3} of them (Moon and Moser, 1965).

    Args:
        nodes: of the graph; a node without an edge is a clique.
        edges: pairs of nodes, in any order; a pair of one node with itself says nothing.
        limit: how many cliques there may be. None: as many as there are.

    Raises:
        DataError: for an edge to a node that there is not.
        WorkError: if there are more than ``limit``.

    >>> sorted(map(sorted, maximal_cliques("abcd", [*zip("abc", "bca")])))
    [['a', 'b', 'c'], ['d']]
    """
    found: set[frozenset[Node]] = set()
    for clique in each_clique(nodes, edges):
        if limit is not None and len(found) == limit:
            raise WorkError(f"the graph has more than {limit} maximal cliques, the limit")
        found.add(clique)
    return found


def each_clique(
    nodes: Iterable[Node], edges: Iterable[tuple[Node, Node]]
) -> Iterator[frozenset[Node]]:
    """Yield the maximal cliques one by one, each once, in an order that the input decides.

    Raises:
        DataError: for an edge to a node that there is not.
    """
    import networkx  # here: what never decodes need not wait for it

    names = list(dict.fromkeys(nodes))
    numbers = {node: number for number, node in enumerate(names)}
    graph = networkx.Graph()
    graph.add_nodes_from(range(len(names)))
    graph.add_edges_from(_numbered(edges, numbers))
    for clique in networkx.find_cliques(graph):
        yield frozenset(names[number] for number in clique)


def maximal_cliques_recursive(
    nodes: Iterable[Node], edges: Iterable[tuple[Node, Node]], *, limit: int | None = None
) -> set[frozenset[Node]]:
    """Return the maximal cliques, by the recursion of the essay: to read, not to run.

    Su, *GPLinker*, 2022. If all nodes are adjacent to each other, they are the one clique. If not,
    take every pair that is not adjacent, go on with the neighbours of its one node, that node
    included, and with those of the other, and unite what comes back. A leaf is the set of nodes
    that are adjacent to all nodes chosen on the way, themselves included. The number of calls
    explodes: the complement of a perfect matching of 2k nodes has 2^k cliques, and the recursion
    takes 2^k k! ways to them.

    Args:
        nodes: of the graph.
        edges: pairs of nodes.
        limit: how many calls there may be. None: as many as it takes.

    Raises:
        DataError: for an edge to a node that there is not.
        WorkError: if it takes more than ``limit``.

    >>> sorted(map(sorted, maximal_cliques_recursive("abcd", [*zip("abc", "bca")])))
    [['a', 'b', 'c'], ['d']]
    """
    return split_recursively(nodes, edges, limit=limit).cliques


def split_recursively(
    nodes: Iterable[Node], edges: Iterable[tuple[Node, Node]], *, limit: int | None = None
) -> Recursion:
    """Return what ``maximal_cliques_recursive`` does, and the number of calls it took.

    >>> split_recursively("abc", [("a", "b"), ("b", "c")]).calls
    3
    """
    near = {node: {node} for node in nodes}  # each node is a neighbour of itself
    for one, other in _numbered(edges, {node: node for node in near}):
        near[one].add(other)
        near[other].add(one)
    recursion = _Splitting(near, limit)
    cliques = recursion.search(frozenset(near)) if near else set()
    return Recursion(cliques, recursion.calls)


class _Splitting:
    """The recursion, with a count of its calls."""

    def __init__(self, near: Mapping[Any, set], limit: int | None) -> None:
        self.near, self.limit, self.calls = near, limit, 0

    def search(self, part: frozenset) -> set[frozenset]:
        self.calls += 1
        if self.limit is not None and self.calls > self.limit:
            raise WorkError(f"the recursion takes more than {self.limit} calls, the limit")
        near = self.near
        apart = [(u, v) for u, v in combinations(part, 2) if v not in near[u]]
        if not apart:
            return {part}
        return {leaf for pair in apart for u in pair for leaf in self.search(part & near[u])}


def _numbered(edges: Iterable[tuple[Node, Node]], numbers: dict) -> Iterator[tuple]:
    for one, other in edges:
        for node in (one, other):
            if node not in numbers:
                known: Collection = list(numbers)[:8]
                raise DataError(f"the edge ({one!r}, {other!r}): no node {node!r} among {known}")
        yield numbers[one], numbers[other]
