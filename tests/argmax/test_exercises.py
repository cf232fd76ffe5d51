"""The exercises on unpredictable words: what their texts claim, other right and wrong answers."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from companion.argmax import argmaxable, exercises, mistakes, problems
from companion.errors import AnswerError
from companion.exercises import check

seeds = st.integers(0, 2**20)


def float64(rows: object) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def normal(seed: int, *shape: int) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=rng, dtype=torch.float64)


def verdicts(rows: Tensor, bias: Tensor | None = None) -> list[int]:
    return argmaxable(rows, bias, progress=False).verdict.tolist()


# the lead in the state of the word itself


def test_leads_found_from_a_gram_matrix_are_right() -> None:
    def answer(distances: Tensor) -> Tensor:
        apart = distances + torch.diag(torch.full([len(distances)], 1e9).double())
        return torch.stack([row.min() ** 2 / 2 for row in apart])

    check(exercises.LEAD, answer)


@settings(max_examples=15)
@given(seed=seeds, count=st.integers(2, 8), dim=st.integers(2, 5))
def test_rows_of_one_length_all_win_and_copies_do_not(seed: int, count: int, dim: int) -> None:
    rows = normal(seed, count, dim)
    rows = rows / rows.norm(dim=1, keepdim=True)
    apart = torch.cdist(rows, rows) + 9 * torch.eye(count)
    if apart.min() > 1e-3:
        leads = problems.own_leads(rows)
        torch.testing.assert_close(leads, apart.amin(dim=1).square() / 2, rtol=1e-6, atol=1e-9)
        assert verdicts(rows) == [1] * count
    assert verdicts(torch.cat([rows, rows[:1]]))[:1] == [0]


# the program


def test_program_may_have_its_rows_in_any_order_and_scale() -> None:
    def answer(weight: Tensor, bias: Tensor) -> Tensor:
        ahead, room = weight[1:] - weight[:1], bias[:1] - bias[1:]
        rows = torch.cat([ahead, torch.ones_like(room[:, None]), room[:, None]], dim=1)
        return 3 * rows.flip(0)

    check(exercises.PROGRAM, answer)


@pytest.mark.parametrize("answer", [mistakes.no_lead, mistakes.pushed])
def test_program_without_a_limit_for_the_lead_is_refused_in_words(answer: object) -> None:
    with pytest.raises(AnswerError, match=r"hold\s+s\s+back"):
        check(exercises.PROGRAM, answer)


def test_program_of_the_solution_has_the_lead_as_its_largest_s() -> None:
    from scipy.optimize import linprog

    for case in problems.program_cases()[:6]:
        weight, bias = case.inputs.values()
        rows, dim = case.expected.numpy(), weight.shape[1]
        box = [(-1, 1)] * dim + [(None, None)]
        found = linprog([0] * dim + [-1], rows[:, :-1], rows[:, -1], bounds=box)
        logits = problems.logits(weight, bias, float64(found.x[:dim]))
        assert found.x[dim] == pytest.approx(float(logits[0] - logits[1:].max()), abs=1e-7)


# a certificate by hand


def test_certificate_cases_are_of_every_kind_and_no_close_call() -> None:
    kinds = set()
    for case in problems.certificate_cases():
        weight, bias = case.inputs.values()
        weights = mistakes.barycentric(weight)
        above = float(weights @ bias[1:] - bias[0])
        assert weights.abs().min() > 1e-3
        assert abs(above) > 1e-3 or float(bias.abs().max()) == 0
        kinds.add((bool((weights > 0).all()), above >= 0))
        assert bool(case.expected.any()) == ((weights > 0).all() and above >= 0)
    assert kinds == {(True, True), (True, False), (False, True), (False, False)}


@given(seed=seeds)
def test_a_word_above_the_triangle_wins_where_the_rivals_tie(seed: int) -> None:
    rows, shares = normal(seed, 3, 2), normal(seed + 1, 3).abs() + 0.1
    shares, bias = shares / shares.sum(), normal(seed + 2, 3)
    word, lifted = shares @ rows, shares @ bias + 0.5
    tie = torch.linalg.solve(torch.stack([rows[0] - rows[1], rows[0] - rows[2]]),
                             torch.stack([bias[1] - bias[0], bias[2] - bias[0]]))  # fmt: skip
    logits = rows @ tie + bias
    scale = 1 + float(logits.abs().max())
    assert float(logits.max() - logits.min()) < 1e-7 * scale
    assert float(word @ tie + lifted - logits.max()) == pytest.approx(0.5, abs=1e-7 * scale)


def test_certificate_says_when_there_is_none() -> None:
    def always(weight: Tensor, bias: Tensor) -> Tensor:
        return mistakes.barycentric(weight) ** 2

    with pytest.raises(AnswerError, match=r"not\s+weights\s+that\s+prove"):
        check(exercises.CERTIFICATE, always)


# shut in


TETRAHEDRON = [[0, 0, 0], [1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]


def test_fewest_accepts_other_tetrahedra_of_any_size() -> None:
    check(exercises.FEWEST, lambda: 1e-3 * float64(TETRAHEDRON) + 7)
    corner = [[1, 1, 1], [0, 0, 0], [4, 0, 0], [0, 4, 0], [0, 0, 4]]
    check(exercises.FEWEST, lambda: float64(corner))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([[1, 2, 3], [1, 2, 3]], "copy"),
        ([[0, 0, 0], [1, 0, 0], [-1, 0, 0]], "surface"),
        ([[0, 0, 0], [1, 0, 0], [-1, 1, 0], [-1, -1, 0], [0, 0, 5]], "surface"),
        ([[1.001, 1.001, 1.001], *TETRAHEDRON[1:]], "can win"),
        ([*TETRAHEDRON, [9, 9, 9]], "not needed"),
        ([[1e-9, 0, 0], [1, 0, 0], [-1, 1, 0], [-1, -1, 0], [0, 0, 0]], "surface"),
    ],
)
def test_fewest_says_what_an_example_lacks(rows: list[list[float]], said: str) -> None:
    with pytest.raises(AnswerError, match=said):
        check(exercises.FEWEST, lambda: float64(rows))


def test_the_tetrahedron_holds_when_moved_and_flat_ones_do_not() -> None:
    for seed in range(8):
        assert verdicts(float64(TETRAHEDRON) + 0.01 * normal(seed, 5, 3))[0] == 0
    for flat in ([[1, 1, 1], [1, 1, 1]], [[0, 0, 0], [1, 0, 0], [-1, 0, 0]],
                 [[0, 0, 0], [1, 0, 0], [-1, 1, 0], [-1, -1, 0]]):  # fmt: skip
        assert verdicts(float64(flat))[0] == 0
        freed = [verdicts(float64(flat) + 0.01 * normal(s, len(flat), 3))[0] for s in range(6)]
        assert 1 in freed


# one dimension more


@pytest.mark.parametrize(
    "answer",
    [
        lambda rows: -rows.square().sum(dim=1) / 2,
        lambda rows: (4 * rows.square().sum(dim=1).max() - rows.square().sum(dim=1)).sqrt(),
        lambda rows: (rows / 3).exp().sum(dim=1),
    ],
)
def test_lift_accepts_every_surface_that_bends(answer: object) -> None:
    check(exercises.LIFT, answer)


@given(seed=seeds)
def test_state_of_the_solution_lets_a_word_win_on_the_paraboloid(seed: int) -> None:
    rows = normal(seed, 6, 2)
    lifted = torch.cat([rows, rows.square().sum(dim=1, keepdim=True)], dim=1)
    for k, row in enumerate(rows):
        logits = lifted @ torch.cat([2 * row, float64([-1])])
        torch.testing.assert_close(logits, row @ row - (rows - row).square().sum(dim=1))
        assert int(logits.argmax()) == k


def test_lift_has_cases_with_lost_words_on_rays_lines_and_grids() -> None:
    assert all(0 in verdicts(case.inputs["weight"]) for case in problems.lift_cases()[:4])
    for case in problems.lift_cases():
        rows = torch.cat([case.inputs["weight"], case.expected[:, None]], dim=1)
        assert set(verdicts(rows)) == {1}


# the ceiling


@given(seed=seeds, count=st.integers(1, 6))
def test_no_state_breaks_the_ceiling(seed: int, count: int) -> None:
    shares = normal(seed, count).abs() + 0.01
    shares = shares / shares.sum()
    bound = 1 / (1 + torch.special.entr(shares).sum().exp())
    ahead = 3 * normal(seed + 1, count)
    ahead = ahead - (shares @ ahead)  # the certificate, with equality
    assert 1 / (1 + ahead.exp().sum()) <= bound + 1e-12
    best = shares.log() + torch.special.entr(shares).sum()
    torch.testing.assert_close(1 / (1 + best.exp().sum()), bound)
    torch.testing.assert_close(shares @ best, float64(0.0), rtol=0, atol=1e-12)


def test_ceiling_of_a_copy_and_of_equal_weights() -> None:
    by_weights = {tuple(c.inputs["weights"].tolist()): c for c in problems.ceiling_cases()}
    assert float(by_weights[1.0,].expected) == 0.5
    assert float(by_weights[(0.25,) * 4].expected) == pytest.approx(1 / 5)
    assert float(by_weights[0.5, 0.0, 0.5].expected) == pytest.approx(1 / 3)
    check(exercises.CEILING, lambda w: float(1 / (1 + math.prod(float(x) ** -float(x) for x in w))))
