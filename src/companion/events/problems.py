"""The cases on which answers to the exercises on linked events are tried, and what is right there.

Right means: what a count of every possibility gives, or a search that is not the learner's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

import networkx as nx
import torch
from jaxtyping import Float64
from torch import Tensor

from companion.exercises import Case, draw_integers, draws

EXACT = 1e-9  # far above rounding, far below any mistake


def float64(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def rows(cliques: Iterable[Iterable[int]], nodes: int) -> Float64[Tensor, "clique node"]:
    """Return one row of zeros and ones for each set of nodes, sorted by the members of the sets.

    >>> rows([{1, 2}, {0, 1}], 3)
    tensor([[1., 1., 0.],
            [0., 1., 1.]], dtype=torch.float64)
    """
    ordered = sorted(sorted(clique) for clique in cliques)
    found = torch.zeros(len(ordered), nodes, dtype=torch.float64)
    for row, clique in zip(found, ordered, strict=True):
        row[list(clique)] = 1.0
    return found


# counting candidates


def count_cases() -> list[Case]:
    cases = []
    shown = [(3, 3), (4, 2), (5, 1), (1, 1), (4, 9), (6, 5), (40, 7), (128, 128)]
    for tokens, longest in [*shown, *draw_integers(6, (1, 200), (1, 60), count=4)]:
        ends = [min(first + longest, tokens) for first in range(tokens)]
        count = sum(end - first for first, end in enumerate(ends))
        inputs = {"tokens": float64(tokens), "longest": float64(longest)}
        cases.append(Case(inputs, float64(count)))
    return cases


def count_fault(case: Case, found: Tensor) -> str | None:
    return "not the number of spans" if abs(found - case.expected) > EXACT else None


# the loss of what is not positive


def sparse_cases() -> list[Case]:
    rng = draws(7)
    by_hand = [
        ([1, -2, 3, 0], [0]),
        ([2, -1], []),  # nothing is positive
        ([2, 3], [0, 1]),  # everything is
        ([-3, 2, -4, 45], [3]),  # a confident positive beside a negative of +2
        ([-9, 50, 60, -8], [1, 2]),
        ([900, -800, 4], [0]),
        ([-900, -700], [1]),
        ([800, -3], [1]),
    ]
    problems = [(float64(scores), float64(positives)) for scores, positives in by_hand]
    for k in range(16):
        scores = 4 * torch.randn(8 + k, generator=rng).double()
        positives = torch.randperm(8 + k, generator=rng)[: 1 + k % 4].double()
        problems.append((scores, positives))
    return [
        Case({"scores": scores, "positives": positives}, _of_the_rest(scores, positives))
        for scores, positives in problems
    ]


def _of_the_rest(scores: Tensor, positives: Tensor) -> Tensor:
    given = {int(index) for index in positives}
    negatives = [score for index, score in enumerate(scores) if index not in given]
    return torch.stack([float64(0.0), *negatives]).logsumexp(dim=0)


def sparse_fault(case: Case, found: Tensor) -> str | None:
    off = abs(float(found - case.expected))
    limit = EXACT * (1 + abs(float(case.expected)))
    return "not log(1 + Σ over the negatives)" if off > limit else None


# links


def link_cases() -> list[Case]:
    rng = draws(8)
    spans = [
        [[0, 1], [2, 3]],
        [[2, 3], [0, 1]],  # the later argument first
        [[0, 3], [0, 1]],  # nested, with one head
        [[1, 1], [3, 4], [0, 4]],
    ]
    cases = [_link_case(float64(one), 5, rng) for one in spans for _ in range(3)]
    for k in range(12):
        count, tokens = 2 + k % 5, 7
        ends = torch.randint(tokens, (count, 2), generator=rng).sort(dim=1).values
        cases.append(_link_case(ends.unique(dim=0).flip(0).double(), tokens, rng))
    return cases


def _link_case(spans: Tensor, tokens: int, rng: torch.Generator) -> Case:
    # whole numbers, so that the threshold itself occurs
    scores = torch.randint(-1, 2, (2, tokens, tokens), generator=rng).double()
    near = torch.zeros(len(spans), len(spans), dtype=torch.float64)
    for one, two in combinations(range(len(spans)), 2):
        above = []
        for part in (0, 1):
            first, last = sorted((int(spans[one, part]), int(spans[two, part])))
            above.append(bool(scores[part, first, last] > 0))
        near[one, two] = near[two, one] = float(all(above))
    return Case({"spans": spans, "heads": scores[0], "tails": scores[1]}, near)


def link_fault(case: Case, found: Tensor) -> str | None:
    wrong = (found - case.expected).abs() > EXACT
    if not wrong.any():
        return None
    one, two = wrong.nonzero()[0].tolist()
    return f"entry [{one}, {two}] is wrong"


# cliques


def clique_cases() -> list[Case]:
    rng = draws(9)
    by_hand = [
        (1, []),
        (3, [(0, 1), (0, 2), (1, 2)]),
        (3, [(0, 1), (1, 2)]),
        (3, []),
        (4, [(0, 1), (1, 2), (2, 3), (0, 3)]),
        (5, [(0, 1), (0, 2), (1, 2), (2, 3), (3, 4)]),
        (6, [(0, 1), (2, 3), (2, 4), (3, 4), (4, 5)]),
    ]
    graphs = [(nodes, pairs) for nodes, pairs in by_hand]
    for k in range(14):
        nodes = 4 + k % 4
        drawn = torch.rand(nodes, nodes, generator=rng) < (0.3, 0.6, 0.8)[k % 3]
        graphs.append((nodes, [p for p in combinations(range(nodes), 2) if drawn[p]]))
    return [_clique_case(nodes, pairs) for nodes, pairs in graphs]


def _clique_case(nodes: int, pairs: Sequence[tuple[int, int]]) -> Case:
    graph = nx.Graph(pairs)
    graph.add_nodes_from(range(nodes))
    near = torch.zeros(nodes, nodes, dtype=torch.float64)
    for one, two in pairs:
        near[one, two] = near[two, one] = 1.0
    return Case({"adjacency": near}, rows(nx.find_cliques(graph), nodes))


def clique_fault(case: Case, found: Tensor) -> str | None:
    same = torch.equal(found, case.expected)
    return None if same else "not the maximal cliques"


# events that cannot be told apart


def comes_out(events: Float64[Tensor, "event argument"]) -> set[frozenset[int]]:
    """Return the maximal cliques of the links that the rows of a 0/1 matrix make."""
    graph = nx.Graph()
    for event in members(events):
        graph.add_nodes_from(event)
        graph.add_edges_from(combinations(sorted(event), 2))
    return {frozenset(clique) for clique in nx.find_cliques(graph)}


def members(events: Float64[Tensor, "event argument"]) -> list[frozenset[int]]:
    """Return each row of a 0/1 matrix as the set of its ones."""
    return [frozenset(row.nonzero().flatten().tolist()) for row in events]


def nested(events: Float64[Tensor, "event argument"]) -> bool:
    """Whether a row lies inside another one, or equals it."""
    sets = members(events)
    return any(one <= two for k, one in enumerate(sets) for two in sets[:k] + sets[k + 1 :])


def written(events: Tensor) -> str:
    """Say which events the links give back.

    >>> written(float64([[1, 1, 0], [0, 1, 1]]))
    '{0,1} {1,2}'
    """
    ordered = sorted(sorted(clique) for clique in comes_out(events))
    return " ".join("{" + ",".join(map(str, clique)) + "}" for clique in ordered)


# nested spans in one sequence of tags


def tag_cases() -> list[Case]:
    rng = draws(10)
    by_hand = [
        [[0, 1]],
        [[0, 3], [1, 2]],  # nested
        [[0, 1], [2, 3]],  # side by side
        [[0, 2], [2, 4]],  # one token in common
        [[0, 9], [1, 2], [4, 6]],  # the longest first, or the first first, is wrong
        [[0, 3], [3, 5], [5, 8]],
        [[0, 4], [4, 5], [5, 9]],  # the shortest first is wrong
        [[2, 2], [2, 2]],
    ]
    cases = [_tag_case(float64(one)) for one in by_hand]
    for k in range(16):
        ends = torch.randint(12, (3 + k % 5, 2), generator=rng).sort(dim=1).values
        cases.append(_tag_case(ends.double()))
    return cases


def _tag_case(spans: Tensor) -> Case:
    pairs = [tuple(map(int, span)) for span in spans]
    apart = nx.Graph()
    apart.add_nodes_from(range(len(pairs)))
    for one, two in combinations(range(len(pairs)), 2):
        if pairs[one][1] < pairs[two][0] or pairs[two][1] < pairs[one][0]:
            apart.add_edge(one, two)
    return Case({"spans": spans}, float64(max(map(len, nx.find_cliques(apart)))))


def tag_fault(case: Case, found: Tensor) -> str | None:
    wrong = abs(found - case.expected) > EXACT
    return "not the most that one sequence of tags can hold" if wrong else None
