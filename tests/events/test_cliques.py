"""Maximal cliques: three ways to the same sets, and what the recursion costs."""

import random
from itertools import combinations
from math import factorial

import networkx
import pytest

from companion.errors import DataError
from companion.events import WorkError, maximal_cliques, maximal_cliques_recursive
from companion.events.cliques import split_recursively


def random_graph(generator: random.Random, most: int) -> tuple[list[int], list[tuple[int, int]]]:
    nodes = list(range(generator.randint(0, most)))
    share = generator.random()
    edges = [
        generator.choice([pair, (pair[1], pair[0])])
        for pair in combinations(nodes, 2)
        if generator.random() < share
    ]
    generator.shuffle(nodes)
    return nodes, edges


@pytest.mark.usefixtures("_as_for_a_user")  # the checks of types would take longer than the search
def test_three_ways_agree_on_ten_thousand_graphs():
    generator = random.Random(0)
    several = 0
    for _ in range(10_000):
        nodes, edges = random_graph(generator, 6)
        graph = networkx.Graph(edges)
        graph.add_nodes_from(nodes)
        expected = {frozenset(clique) for clique in networkx.find_cliques(graph)}
        assert maximal_cliques(nodes, edges) == expected
        assert maximal_cliques_recursive(nodes, edges) == expected
        several += len(expected) > 1
    assert several > 5000


def test_larger_graphs_agree():
    generator = random.Random(1)
    for _ in range(150):
        nodes, edges = random_graph(generator, 10)
        assert maximal_cliques_recursive(nodes, edges) == maximal_cliques(nodes, edges)


def matching(pairs: int) -> tuple[range, list[tuple[int, int]]]:
    """The complement of a perfect matching: each node is joined to all but one."""
    nodes = range(2 * pairs)
    return nodes, [pair for pair in combinations(nodes, 2) if pair[0] // 2 != pair[1] // 2]


@pytest.mark.parametrize("pairs", [1, 2, 3, 4, 5])
def test_recursion_takes_every_order_to_every_clique(pairs):
    """Calls: all ways to choose some pairs, one after the other, and a side of each."""
    result = split_recursively(*matching(pairs))
    ways = [2**k * factorial(pairs) // factorial(pairs - k) for k in range(pairs + 1)]
    assert result.calls == sum(ways)
    assert ways[-1] == 2**pairs * factorial(pairs)
    assert result.cliques == maximal_cliques(*matching(pairs))
    assert len(result.cliques) == 2**pairs


def test_recursion_stops_at_its_limit():
    assert split_recursively(*matching(5), limit=6331).calls == 6331
    with pytest.raises(WorkError, match="more than 6330 calls, the limit"):
        maximal_cliques_recursive(*matching(5), limit=6330)
    with pytest.raises(WorkError, match="more than 1000 calls"):
        maximal_cliques_recursive(*matching(40), limit=1000)


def test_search_stops_at_its_limit():
    assert len(maximal_cliques(*matching(5), limit=32)) == 32
    with pytest.raises(WorkError, match="more than 31 maximal cliques"):
        maximal_cliques(*matching(5), limit=31)
    with pytest.raises(WorkError, match="more than 1000 maximal cliques"):
        maximal_cliques(*matching(40), limit=1000)


@pytest.mark.parametrize("search", [maximal_cliques, maximal_cliques_recursive])
def test_special_graphs(search):
    assert search([], []) == set()
    assert search("ab", []) == {frozenset("a"), frozenset("b")}
    assert search("a", [("a", "a")]) == {frozenset("a")}
    assert search("aab", [("b", "a"), ("a", "b")]) == {frozenset("ab")}
    moon = [pair for pair in combinations(range(9), 2) if pair[0] // 3 != pair[1] // 3]
    assert len(search(range(9), moon)) == 3**3  # Moon and Moser's bound is reached
    with pytest.raises(DataError, match=r"the edge \('a', 'c'\): no node 'c' among \['a', 'b'\]"):
        search("ab", [("a", "c")])


def test_splitting_at_one_pair_alone_would_be_wrong():
    """The recursion must take every pair that is not adjacent: with the first alone, sets come out
    that are no maximal cliques."""

    def search(part, near):
        apart = [(u, v) for u, v in combinations(sorted(part), 2) if v not in near[u]]
        return {frozenset(part)} if not apart else {
            leaf for node in apart[0] for leaf in search(part & near[node], near)
        }  # fmt: skip

    generator, wrong = random.Random(2), 0
    for _ in range(200):
        nodes, edges = random_graph(generator, 8)
        near = {u: {u} | {v for e in edges if u in e for v in e} for u in nodes}
        wrong += bool(nodes) and search(set(nodes), near) != maximal_cliques(nodes, edges)
    assert wrong > 20
