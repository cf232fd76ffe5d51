"""Usual wrong answers to the exercises on linked events, as functions.

Each is the thing somebody writes, so that an answer can be told what it does instead.
"""

from __future__ import annotations

from itertools import combinations

import torch
from jaxtyping import Float64
from torch import Tensor

from companion.events.problems import rows

Number = Float64[Tensor, ""]
Scores = Float64[Tensor, " score"]
Indices = Float64[Tensor, " positive"]
Spans = Float64[Tensor, "span 2"]
Square = Float64[Tensor, "token token"]
Graph = Float64[Tensor, "node node"]


# counting candidates


def of_any_length(tokens: Number, longest: Number) -> Number:
    return tokens * (tokens + 1) / 2


def without_the_end(tokens: Number, longest: Number) -> Number:
    return tokens * torch.minimum(tokens, longest)


def without_single_tokens(tokens: Number, longest: Number) -> Number:
    top = torch.minimum(tokens, longest) - 1
    return top * (2 * tokens - top - 1) / 2


def one_place_short(tokens: Number, longest: Number) -> Number:
    top = torch.minimum(tokens, longest)
    return top * tokens - top * (top + 1) / 2


def longer_than_the_text(tokens: Number, longest: Number) -> Number:
    return longest * tokens - longest * (longest - 1) / 2


# the loss of what is not positive


def _with_one(scores: Scores) -> Tensor:
    return torch.cat([scores, scores.new_zeros(1)])


def uncorrected(scores: Scores, positives: Indices) -> Number:
    return _with_one(scores).logsumexp(dim=0)


def published(scores: Scores, positives: Indices, *, least: float = 0.0) -> Number:
    """The difference of two sums, from their logarithms; ``least`` bounds it from below."""
    everything = uncorrected(scores, positives)
    chosen = scores[positives.long()].logsumexp(dim=0)
    return everything + (1 - (chosen - everything).exp()).clamp(min=least).log()


def without_one(scores: Scores, positives: Indices) -> Number:
    kept = torch.ones_like(scores).bool()
    kept[positives.long()] = False
    return scores[kept].logsumexp(dim=0)


def masked_by_zero(scores: Scores, positives: Indices) -> Number:
    return _with_one(scores.index_fill(0, positives.long(), 0.0)).logsumexp(dim=0)


def overflowing(scores: Scores, positives: Indices) -> Number:
    sizes = scores.exp().index_fill(0, positives.long(), 0.0)
    return (1 + sizes.sum()).log()


def subtracted(scores: Scores, positives: Indices) -> Number:
    sizes = scores.exp()
    return (1 + sizes.sum() - sizes[positives.long()].sum()).log()


# links


def _sides(spans: Spans, scores: Square, part: int) -> Float64[Tensor, "span span"]:
    ends = spans[:, part].long()
    return scores[torch.minimum(ends[:, None], ends), torch.maximum(ends[:, None], ends)]


def _without_itself(linked: Tensor) -> Float64[Tensor, "span span"]:
    return linked.double().fill_diagonal_(0)


def heads_alone(spans: Spans, heads: Square, tails: Square) -> Tensor:
    return _without_itself(_sides(spans, heads, 0) > 0)


def tails_alone(spans: Spans, heads: Square, tails: Square) -> Tensor:
    return _without_itself(_sides(spans, tails, 1) > 0)


def either(spans: Spans, heads: Square, tails: Square) -> Tensor:
    return _without_itself((_sides(spans, heads, 0) > 0) | (_sides(spans, tails, 1) > 0))


def with_the_threshold(spans: Spans, heads: Square, tails: Square) -> Tensor:
    return _without_itself((_sides(spans, heads, 0) >= 0) & (_sides(spans, tails, 1) >= 0))


def in_the_order_given(spans: Spans, heads: Square, tails: Square) -> Tensor:
    head, tail = spans.long().T
    return _without_itself((heads[head[:, None], head] > 0) & (tails[tail[:, None], tail] > 0))


def crosswise(spans: Spans, heads: Square, tails: Square) -> Tensor:
    return _without_itself((_sides(spans, heads, 1) > 0) & (_sides(spans, tails, 0) > 0))


def linked_to_itself(spans: Spans, heads: Square, tails: Square) -> Tensor:
    return ((_sides(spans, heads, 0) > 0) & (_sides(spans, tails, 1) > 0)).double()


# cliques


def _split(
    adjacency: Graph, nodes: frozenset[int], *, first_only: bool = False, keep: bool = True
) -> list[frozenset[int]]:
    """The leaves of the recursion, as often as they are met."""
    apart = [(a, b) for a, b in combinations(sorted(nodes), 2) if not adjacency[a, b]]
    if not apart:
        return [nodes] if nodes else []
    ends = apart[0] if first_only else sorted({end for pair in apart for end in pair})
    leaves = []
    for end in ends:
        near = {node for node in nodes if adjacency[end, node] or (keep and node == end)}
        leaves += _split(adjacency, frozenset(near), first_only=first_only, keep=keep)
    return leaves


def one_pair(adjacency: Graph) -> Tensor:
    nodes = frozenset(range(len(adjacency)))
    return rows(set(_split(adjacency, nodes, first_only=True)), len(adjacency))


def node_left_out(adjacency: Graph) -> Tensor:
    nodes = frozenset(range(len(adjacency)))
    return rows(set(_split(adjacency, nodes, keep=False)), len(adjacency))


def counted_often(adjacency: Graph) -> Tensor:
    nodes = frozenset(range(len(adjacency)))
    return rows(_split(adjacency, nodes), len(adjacency))


def components(adjacency: Graph) -> Tensor:
    near = (adjacency + torch.eye(len(adjacency)).double()) > 0
    for _ in range(len(adjacency)):
        near = (near.double() @ near.double()) > 0
    found = {frozenset(row.nonzero().flatten().tolist()) for row in near}
    return rows(found, len(adjacency))


def neighbourhoods(adjacency: Graph) -> Tensor:
    near = (adjacency + torch.eye(len(adjacency)).double()) > 0
    return rows({frozenset(row.nonzero().flatten().tolist()) for row in near}, len(adjacency))


def every_clique(adjacency: Graph) -> Tensor:
    nodes = range(len(adjacency))
    complete = [
        clique
        for size in range(1, len(adjacency) + 1)
        for clique in combinations(nodes, size)
        if all(adjacency[a, b] for a, b in combinations(clique, 2))
    ]
    return rows(complete, len(adjacency))


# nested spans in one sequence of tags


def all_of_them(spans: Spans) -> Number:
    return torch.tensor(float(len(spans)), dtype=torch.float64)


def _one_after_another(spans: Tensor, *, gap: int) -> Number:
    """Keep a span when it begins at least ``gap`` tokens behind the last one kept."""
    kept: list[Tensor] = []
    for span in spans:
        if all(span[0] - one[1] >= gap or one[0] - span[1] >= gap for one in kept):
            kept.append(span)
    return torch.tensor(float(len(kept)), dtype=torch.float64)


def earliest_first(spans: Spans) -> Number:
    return _one_after_another(spans[spans[:, 0].argsort(stable=True)], gap=1)


def shortest_first(spans: Spans) -> Number:
    lengths = spans[:, 1] - spans[:, 0]
    return _one_after_another(spans[lengths.argsort(stable=True)], gap=1)


def longest_first(spans: Spans) -> Number:
    lengths = spans[:, 0] - spans[:, 1]
    return _one_after_another(spans[lengths.argsort(stable=True)], gap=1)


def touching_refused(spans: Spans) -> Number:
    return _one_after_another(spans[spans[:, 1].argsort(stable=True)], gap=2)


def token_shared(spans: Spans) -> Number:
    return _one_after_another(spans[spans[:, 1].argsort(stable=True)], gap=0)


def outermost(spans: Spans) -> Number:
    """Drop what lies inside another span, and keep what crosses."""
    ends = sorted({(int(first), int(last)) for first, last in spans})
    held = [
        one
        for one in ends
        if not any(two[0] <= one[0] and one[1] <= two[1] for two in ends if two != one)
    ]
    return torch.tensor(float(len(held)), dtype=torch.float64)
