"""The exercises on linked events: what their texts claim, and other right and wrong answers."""

import math
from itertools import combinations

import networkx as nx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from companion.errors import AnswerError
from companion.events import (
    exercises,
    maximal_cliques,
    maximal_cliques_recursive,
    mistakes,
    multilabel_cross_entropy,
    problems,
    sparse_multilabel_cross_entropy,
)
from companion.exercises import check


def float64(rows: object) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


# counting


def test_count_accepts_a_sum_over_lengths() -> None:
    def answer(tokens: Tensor, longest: Tensor) -> int:
        most = int(min(tokens, longest))
        return sum(int(tokens) - length + 1 for length in range(1, most + 1))

    check(exercises.COUNT, answer)


@given(tokens=st.integers(1, 30), longest=st.integers(1, 30))
def test_count_of_the_solution_is_right(tokens: int, longest: int) -> None:
    spans = [(i, j) for i in range(tokens) for j in range(i, tokens) if j - i < longest]
    most = min(tokens, longest)
    assert len(spans) == most * tokens - most * (most - 1) / 2


def test_count_numbers_of_the_solution() -> None:
    assert 12 * 128 - 12 * 11 / 2 == 1470
    assert 128 * 129 / 2 == 8256
    assert 1470 < 8256 / 5


# the sparse loss


def test_sparse_agrees_with_the_loss_of_the_package() -> None:
    """The other term is known: what is left of the loss is what the exercise asks for."""

    def answer(scores: Tensor, positives: Tensor) -> Tensor:
        chosen = -scores[positives.long()]
        other = torch.cat([chosen, chosen.new_zeros(1)]).logsumexp(0)
        return sparse_multilabel_cross_entropy(scores, positives.long()) - other

    check(exercises.SPARSE, answer)


def test_sparse_draws_none_all_confident_and_huge() -> None:
    cases = problems.sparse_cases()
    counts = [(case.inputs["positives"].numel(), case.inputs["scores"].numel()) for case in cases]
    assert any(positives == 0 for positives, _ in counts)
    assert any(positives == scores for positives, scores in counts)
    assert any(float(case.inputs["scores"].max()) > 800 for case in cases)


def test_sparse_numbers_of_the_solution() -> None:
    assert 6e-15 < math.ulp(45.0) < 8e-15
    assert round(math.log1p(math.exp(2)), 2) == 2.13
    scores, positives = float64([-3, 2, -4, 45]), float64([3])
    assert mistakes.published(scores, positives).isinf()
    targets = torch.tensor([False, False, False, True])
    assert multilabel_cross_entropy(scores, targets) == pytest.approx(2.13, abs=0.01)


# links


def test_links_accepts_a_loop() -> None:
    def answer(spans: Tensor, heads: Tensor, tails: Tensor) -> Tensor:
        near = torch.zeros(len(spans), len(spans)).double()
        pairs = [tuple(map(int, span)) for span in spans]
        for one, two in combinations(range(len(pairs)), 2):
            (h1, t1), (h2, t2) = pairs[one], pairs[two]
            joined = heads[min(h1, h2), max(h1, h2)] > 0 and tails[min(t1, t2), max(t1, t2)] > 0
            near[one, two] = near[two, one] = float(joined)
        return near

    check(exercises.LINKS, answer)


def test_links_are_drawn_in_any_order_with_nested_spans_and_the_threshold() -> None:
    cases = problems.link_cases()
    spans = [case.inputs["spans"] for case in cases]
    assert any((one[0, 0] > one[1, 0]) for one in spans if len(one) > 1)
    crossed = [(a - b).prod() for one in spans for a, b in combinations(one, 2)]
    assert any(product < 0 for product in crossed)  # first to begin, last to end
    assert any((case.inputs["heads"] == 0).any() for case in cases)


# cliques


@pytest.mark.parametrize("search", [maximal_cliques, maximal_cliques_recursive])
def test_cliques_of_the_package_are_right(search) -> None:
    def answer(adjacency: Tensor) -> Tensor:
        nodes = range(len(adjacency))
        edges = [(a, b) for a, b in combinations(nodes, 2) if adjacency[a, b]]
        return exercises.rows(search(nodes, edges), len(adjacency))

    check(exercises.CLIQUES, answer)


def test_cliques_message_shows_the_simplest_graph() -> None:
    with pytest.raises(AnswerError) as caught:
        check(exercises.CLIQUES, mistakes.components)
    assert "[[0, 1, 0], [1, 0, 1], [0, 1, 0]]" in " ".join(str(caught.value).split())


# the smallest set of events that is lost


TRIANGLE = [[1, 1, 0], [0, 1, 1], [1, 0, 1]]


def test_smallest_accepts_the_triangle_in_any_order() -> None:
    check(exercises.SMALLEST, lambda: float64(TRIANGLE[::-1]))


def test_smallest_is_the_only_one_with_three_arguments() -> None:
    """All sets of events on one, two and three arguments, as the solution claims."""
    lost = []
    for size in (1, 2, 3):
        subsets = list(range(1, 2**size))
        for count in range(1, len(subsets) + 1):
            for chosen in combinations(subsets, count):
                events = float64([[m >> k & 1 for k in range(size)] for m in chosen])
                if problems.nested(events) or not events.any(dim=0).all():
                    continue
                if problems.comes_out(events) != set(problems.members(events)):
                    lost.append(sorted(events.tolist()))
    assert lost == [sorted(float64(TRIANGLE).tolist())]


def test_smallest_refuses_an_event_that_stands_there_twice() -> None:
    with pytest.raises(AnswerError, match=r"lies\s+inside\s+another"):
        check(exercises.SMALLEST, lambda: float64([[1, 1, 0], [1, 1, 0], [0, 1, 1]]))


# tags


def test_tags_accepts_a_search_of_all_choices() -> None:
    def answer(spans: Tensor) -> int:
        pairs = [tuple(span) for span in spans.tolist()]
        best = 0
        for size in range(1, len(pairs) + 1):
            for chosen in combinations(pairs, size):
                if all(a[1] < b[0] or b[1] < a[0] for a, b in combinations(chosen, 2)):
                    best = size
        return best

    check(exercises.BIO, answer)


def test_rows_have_one_order() -> None:
    graph = nx.path_graph(4)
    cliques = list(nx.find_cliques(graph))
    assert torch.equal(exercises.rows(cliques, 4), exercises.rows(cliques[::-1], 4))
