"""Maximal cliques: the recursion of the essay beside Bron and Kerbosch's search.

Four contestants: ours, which is networkx's with names and limits; networkx alone, on a graph that
is ready; the recursion; the recursion that looks at no set of nodes twice. Three families of
graphs: random ones (three for each density and size), the complement of a perfect matching of 2k
nodes (2^k cliques) and Moon and Moser's (3^{n/3} cliques, the most there can be). Each contestant
must first find the cliques that networkx finds. A recursion that takes more than ``calls_limit``
calls, or looks at more sets, is not timed, and what it raised is recorded.

Run: ``python benchmarks/events/cliques.py`` (``--quick``: two small graphs).
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import networkx
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness import Contestant, arguments, race, write
from companion.events import WorkError, maximal_cliques, maximal_cliques_recursive
from companion.events.cliques import split_recursively

LIMIT = 100_000  # calls
Cliques = set[frozenset[int]]


class Case(NamedTuple):
    """A graph, and what it was made from."""

    family: str
    nodes: int
    edges: list[tuple[int, int]]
    density: float | None = None
    draw: int | None = None


def random_graph(nodes: int, density: float, draw: int, seed: int) -> Case:
    generator = random.Random(f"{seed} {nodes} {density} {draw}")
    edges = [pair for pair in combinations(range(nodes), 2) if generator.random() < density]
    return Case("random", nodes, edges, density, draw)


def in_parts(family: str, nodes: int, size: int) -> Case:
    """All edges but those inside parts of a size: 2 is the matching, 3 Moon and Moser's graph."""
    pairs = combinations(range(nodes), 2)
    return Case(family, nodes, [(u, v) for u, v in pairs if u // size != v // size])


def cases(*, quick: bool, seed: int) -> Iterator[Case]:
    """Yield the graphs."""
    if quick:
        yield random_graph(10, 0.6, 0, seed)
        yield in_parts("matching", 8, 2)
        return
    for density in (0.3, 0.6, 0.9):
        for nodes in (10, 15, 20, 30, 40):
            for draw in range(3):
                yield random_graph(nodes, density, draw, seed)
    for nodes in (4, 6, 8, 10, 12, 14, 16, 20):
        yield in_parts("matching", nodes, 2)
    for nodes in (6, 9, 12, 15, 18):
        yield in_parts("moon-moser", nodes, 3)


def without_repetition(case: Case) -> Cliques:
    """Return what the recursion does, but go on from each set of nodes once."""
    near = {node: {node} for node in range(case.nodes)}
    for one, other in case.edges:
        near[one].add(other)
        near[other].add(one)
    found, seen, waiting = set(), set(), [frozenset(near)]
    while waiting:
        part = waiting.pop()
        if part in seen:
            continue
        if len(seen) == LIMIT:
            raise WorkError(f"more than {LIMIT} sets of nodes, the limit")
        seen.add(part)
        apart = [(u, v) for u, v in combinations(part, 2) if v not in near[u]]
        if not apart:
            found.add(part)
        waiting += [part & near[node] for pair in apart for node in pair]
    return found


def compete(case: Case, device: torch.device, *, quick: bool) -> dict[str, Any]:
    """Race all contestants on a graph."""
    nodes, edges = range(case.nodes), case.edges
    graph = networkx.Graph(edges)
    graph.add_nodes_from(nodes)
    expected = {frozenset(clique) for clique in networkx.find_cliques(graph)}

    def error(found: Cliques) -> float:
        return float(len(found ^ expected))

    solvers = {
        "companion": lambda: maximal_cliques(nodes, edges),
        "networkx": lambda: {frozenset(clique) for clique in networkx.find_cliques(graph)},
        "recursion": lambda: maximal_cliques_recursive(nodes, edges, limit=LIMIT),
        "recursion, each set once": lambda: without_repetition(case),
    }
    entries = [Contestant(name, solve, error, allowed=0) for name, solve in solvers.items()]
    budget = 0.2 if quick else 2.0
    results = race(entries, device, warmup=1, rounds=15, budget=budget)
    about = {
        "family": case.family,
        "nodes": case.nodes,
        "edges": len(edges),
        "density": case.density,
        "draw": case.draw,
        "cliques": len(expected),
        "calls": calls(case),
    }
    print(about, {name: result.get("median_s") for name, result in results.items()}, flush=True)
    return about | {"results": results}


def calls(case: Case) -> int | None:
    """Return how many calls the recursion takes; None: more than the limit."""
    try:
        return split_recursively(range(case.nodes), case.edges, limit=LIMIT).calls
    except WorkError:
        return None


def main() -> None:
    options = arguments(__doc__)
    record = [
        compete(case, options.device, quick=options.quick)
        for case in cases(quick=options.quick, seed=options.seed)
    ]
    about = {"calls_limit": LIMIT, "cases": record}
    print(write("events-cliques", options, ("networkx",), about))


if __name__ == "__main__":
    main()
